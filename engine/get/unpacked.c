/* SPDX-License-Identifier: Apache-2.0 */
/* Names of what is unpacked: a tree that was packed, x.lz4, x.zst and x.hrpacked, becomes what it
 * was. Whether a file of such a name is a packed shard is known once it is open; until then both of
 * its names are spoken for. */
#include <stdio.h>
#include <string.h>

#include "codec.h"
#include "get.h"

size_t hr_unpacked_len(const char *path)
{
    static const char *const suffixes[] = {".lz4", ".zst", ".hrpacked"};
    size_t len = strlen(path);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t suffix = strlen(suffixes[i]);
        bool named = len > suffix && path[len - suffix - 1] != '/';
        if (named && strcmp(path + len - suffix, suffixes[i]) == 0)
            return len - suffix;
    }
    return len;
}

bool hr_get_may_rename(const hr_get *get, const char *path)
{
    return get->options.unpack && path[hr_unpacked_len(path)] != '\0';
}

/* The name that it may get, for all that asks whether it is taken. */
static const char *unpacked_path(const char *path, char out[HR_PATH_MAX])
{
    snprintf(out, HR_PATH_MAX, "%.*s", (int)hr_unpacked_len(path), path);
    return out;
}

bool hr_get_claim_name(hr_get *get, const char *path)
{
    char unpacked[HR_PATH_MAX];
    bool added = true, noted;
    if (!get->options.unpack)
        return true;
    unpacked_path(path, unpacked);
    hr_status status = hr_names_add(&get->claimed, unpacked, &added);
    if (status == HR_OK && get->options.remove && hr_get_may_rename(get, path))
        status = hr_names_add(&get->names, unpacked, &noted);
    if (status != HR_OK)
        hr_get_end(get, status, "remembering a name: out of memory");
    else if (!added)
        hr_get_skip(get, path, HR_EXISTS,
                    "with --unpack another file of the source gets the same name; exclude one of "
                    "them, and bring it by itself");
    return status == HR_OK && added;
}

const char *hr_get_name_of(const hr_get_item *item, char out[HR_PATH_MAX])
{
    const hr_get *get = item->get;
    bool renamed = hr_get_may_rename(get, item->path) && item->transfer.codec != HR_CODEC_STORED;
    return renamed ? unpacked_path(item->path, out) : item->path;
}
