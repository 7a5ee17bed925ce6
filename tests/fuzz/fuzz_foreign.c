/* SPDX-License-Identifier: Apache-2.0 */
/* A file that says it was made by lz4 or zstd, cut into chunks. No chunk is outside the bytes that
 * were given, and the walk ends. The first byte says how much of it is shown at a time. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "foreign.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1)
        return 0;
    size_t window = 1 + (size_t)bytes[0] * 16;
    uint8_t *copy = malloc(len); /* exactly as long, so that a sanitizer sees a read outside */
    if (copy == NULL)
        abort();
    memcpy(copy, bytes + 1, len - 1);
    hr_foreign foreign = {0};
    uint32_t begin;
    size_t at = 0, end = len - 1;
    hr_status status = hr_foreign_begin(&foreign, copy, end < window ? end : window, &begin);
    if (status != HR_OK) {
        if (status == HR_UNSUPPORTED && foreign.why == NULL)
            abort();
        free(copy);
        return 0;
    }
    if (begin > end)
        abort();
    for (at = begin; at <= end;) {
        size_t shown = end - at;
        hr_foreign_chunk chunk = {0, 0};
        if (hr_foreign_next(&foreign, copy + at, shown, true, &chunk) != HR_OK || chunk.len == 0)
            break;
        if (chunk.skip > shown || chunk.len > shown - chunk.skip)
            abort();
        at += (size_t)chunk.skip + chunk.len;
    }
    free(copy);
    return 0;
}
