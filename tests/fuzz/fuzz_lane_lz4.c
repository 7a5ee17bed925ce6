/* SPDX-License-Identifier: Apache-2.0 */
/* A block that claims to be LZ4, on the lanes that a GPU has: what liblz4 accepts is accepted with
 * the same content, but for an offset of zero, which the format forbids; what it refuses is
 * refused. The first two bytes say how long the content is. */
#include <lz4.h>
#include <stdint.h>
#include <stdlib.h>

#include "lane_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* The input as content: what liblz4 makes of it must come back. */
static void give_back(const uint8_t *bytes, size_t len)
{
    int bound = LZ4_compressBound((int)len);
    uint8_t *stored = malloc((size_t)bound);
    if (stored == NULL)
        return;
    int written = LZ4_compress_default((const char *)bytes, (char *)stored, (int)len, bound);
    if (!lane_agree(LANE_LZ4, stored, (size_t)written, len))
        abort();
    free(stored);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2 || len > 65536)
        return 0;
    lane_agree(LANE_LZ4, bytes + 2, len - 2, (size_t)(bytes[0] | bytes[1] << 8) + 1);
    give_back(bytes, len);
    return 0;
}
