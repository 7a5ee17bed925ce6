/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a bundle, as a server sends them. Each file's content is inside the bundle, and what
 * is taken as right has the digest that its row says. The first bytes say how long the files were
 * when they were listed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bundle.h"
#include "bytes.h"
#include "crc32c.h"

enum {
    FILES = 6,
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(const hr_io_file *file, const uint8_t *chunk, size_t len)
{
    if (file->status != HR_OK)
        return;
    const uint8_t *data = file->data;
    if (data < chunk || file->info.size > len || data + file->info.size > chunk + len)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1 + FILES)
        return 0;
    hr_io_file files[FILES];
    hr_bundle bundle;
    memset(files, 0, sizeof files);
    for (unsigned i = 0; i < FILES; i++)
        files[i] = (hr_io_file){.path = "f", .info.size = bytes[1 + i], .status = HR_AGAIN};
    uint32_t count = 1 + bytes[0] % FILES;
    hr_bundles bundles = {.files = files, .file_count = count, .bundles = &bundle, .count = 1};
    if (hr_bundles_lay(files, count, &bundle) != 1)
        abort();
    uint8_t *chunk = calloc(1, bundle.len);
    if (chunk == NULL)
        abort();
    /* What is sealed is opened again; then what the input says lies over it. */
    hr_bundle_place(&bundles, 0, chunk);
    for (unsigned i = 0; i < count; i++)
        files[i].status = HR_OK;
    hr_bundle_seal(&bundles, 0, chunk);
    size_t at = 1 + FILES;
    for (; at + 2 < len; at += 3)
        chunk[((size_t)bytes[at] << 8 | bytes[at + 1]) % bundle.len] ^= bytes[at + 2];
    hr_status status = hr_bundle_open(&bundles, 0, chunk);
    if (status != HR_OK && status != HR_PROTOCOL && status != HR_INTEGRITY)
        abort();
    for (unsigned i = 0; status == HR_OK && i < count; i++)
        check(&files[i], chunk, bundle.len);
    free(chunk);
    return 0;
}
