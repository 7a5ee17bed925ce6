/* SPDX-License-Identifier: Apache-2.0 */
#include "bundle.h"

#include <assert.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "transport.h"

/* The bundle that starts with this file. */
static hr_bundle lay(const hr_io_file *files, uint32_t file_count, uint32_t first)
{
    hr_bundle bundle = {.first = first};
    for (uint32_t i = first; i < file_count; i++) {
        assert(files[i].info.size <= HR_BUNDLE_FILE_MAX);
        uint32_t len = HR_BUNDLE_ROW_LEN + (uint32_t)files[i].info.size;
        if (len > HR_CHUNK_LEN - bundle.len)
            break;
        bundle.len += len;
        bundle.count++;
    }
    return bundle;
}

uint32_t hr_bundles_lay(const hr_io_file *files, uint32_t file_count, hr_bundle *bundles_out)
{
    uint32_t count = 0;
    for (uint32_t first = 0; first < file_count; count++) {
        hr_bundle bundle = lay(files, file_count, first);
        if (bundles_out != NULL)
            bundles_out[count] = bundle;
        first += bundle.count;
    }
    return count;
}

void hr_bundle_place(const hr_bundles *bundles, uint32_t number, void *bytes)
{
    const hr_bundle *bundle = &bundles->bundles[number];
    uint8_t *at = (uint8_t *)bytes + (size_t)bundle->count * HR_BUNDLE_ROW_LEN;
    for (uint32_t i = bundle->first; i < bundle->first + bundle->count; i++) {
        bundles->files[i].data = at;
        at += bundles->files[i].info.size;
    }
}

void hr_bundle_seal(const hr_bundles *bundles, uint32_t number, void *bytes)
{
    const hr_bundle *bundle = &bundles->bundles[number];
    uint8_t *row = bytes;
    for (uint32_t i = bundle->first; i < bundle->first + bundle->count; i++) {
        const hr_io_file *file = &bundles->files[i];
        uint32_t len = file->status == HR_OK ? (uint32_t)file->info.size : 0;
        if (file->status != HR_OK)
            memset(file->data, 0, (size_t)file->info.size); /* what lay there is not for the peer */
        hr_put_u32(row, i);
        hr_put_u32(row + 4, (uint32_t)file->status);
        hr_put_u32(row + 8, len);
        hr_put_u32(row + 12, hr_crc32c(0, file->data, len));
        row += HR_BUNDLE_ROW_LEN;
    }
}

hr_status hr_bundle_open(const hr_bundles *bundles, uint32_t number, void *bytes)
{
    const hr_bundle *bundle = &bundles->bundles[number];
    hr_bundle_place(bundles, number, bytes);
    const uint8_t *row = bytes;
    for (uint32_t i = bundle->first; i < bundle->first + bundle->count; i++) {
        hr_io_file *file = &bundles->files[i];
        /* Never HR_AGAIN, which a file has that nothing was said of. */
        hr_status status = hr_status_from_wire((int32_t)hr_get_u32(row + 4));
        uint32_t len = hr_get_u32(row + 8);
        if (hr_get_u32(row) != i || len != (status == HR_OK ? file->info.size : 0))
            return HR_PROTOCOL;
        if (hr_get_u32(row + 12) != hr_crc32c(0, file->data, len))
            return HR_INTEGRITY;
        file->status = status;
        row += HR_BUNDLE_ROW_LEN;
    }
    return HR_OK;
}

uint64_t hr_bundle_good_len(const hr_bundles *bundles, uint32_t number)
{
    const hr_bundle *bundle = &bundles->bundles[number];
    uint64_t len = 0;
    for (uint32_t i = bundle->first; i < bundle->first + bundle->count; i++)
        if (bundles->files[i].status == HR_OK)
            len += bundles->files[i].info.size;
    return len;
}
