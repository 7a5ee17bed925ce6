/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include <string.h>

#include "bytes.h"

/* FNV-1a, 64 bits (the constants are the published ones). Two passes from different starts make the
 * 16 bytes. It tells versions apart; it protects from nobody, which is what signatures are for. */
static uint64_t fnv1a(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

void hr_source_identify(const char *path, const hr_file_info *info,
                        uint8_t identity_out[HR_IDENTITY_LEN])
{
    uint8_t facts[48];
    hr_put_u64(facts, info->size);
    hr_put_u64(facts + 8, (uint64_t)info->mtime_ns);
    hr_put_u64(facts + 16, (uint64_t)info->ctime_ns);
    hr_put_u64(facts + 24, info->inode);
    memcpy(facts + 32, info->filesystem, 16);
    static const uint64_t starts[2] = {UINT64_C(0xcbf29ce484222325), UINT64_C(0x9ae16a3b2f90404f)};
    for (unsigned i = 0; i < 2; i++) {
        uint64_t hash = fnv1a(starts[i], path, strlen(path));
        hr_put_u64(identity_out + (size_t)8 * i, fnv1a(hash, facts, sizeof facts));
    }
}

const char *hr_source_difference(const hr_file_info *before, const hr_file_info *now)
{
    if (before->size != now->size)
        return "its size is another";
    if (before->mtime_ns != now->mtime_ns)
        return "it was written to";
    if (before->ctime_ns != now->ctime_ns)
        return "its rights, links or name are others";
    if (before->inode != now->inode || memcmp(before->filesystem, now->filesystem, 16) != 0)
        return "it is another file";
    return NULL;
}
