/* SPDX-License-Identifier: Apache-2.0 */
/* A block that claims to be planes, on the lanes that a GPU has, beside the scalar decoder. The
 * first two bytes say how long the content is. */
#include <stdint.h>
#include <stdlib.h>

#include "lane_check.h"
#include "planes.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void give_back(const uint8_t *bytes, size_t len)
{
    uint8_t *stored = malloc(len);
    if (stored == NULL)
        return;
    uint32_t written = hr_planes_block_encode(bytes, (uint32_t)len, stored, (uint32_t)len - 1);
    if (written > 0 && !lane_agree(LANE_PLANES, stored, written, len))
        abort();
    free(stored);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2 || len > HR_PLANES_BLOCK_LEN)
        return 0;
    lane_agree(LANE_PLANES, bytes + 2, len - 2, (size_t)(bytes[0] | bytes[1] << 8) + 1);
    give_back(bytes, len);
    return 0;
}
