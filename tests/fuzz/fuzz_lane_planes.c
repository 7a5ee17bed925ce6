/* SPDX-License-Identifier: Apache-2.0 */
/* A block that claims to be planes, on the lanes that a GPU has, beside the scalar decoder. The
 * first two bytes say how long the content is. */
#include <stdint.h>
#include <stdlib.h>

#include "lane_check.h"
#include "planes.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void give_back(lane_codec codec, const uint8_t *bytes, size_t len)
{
    hr_planes_width width = codec == LANE_PLANES ? HR_PLANES_BF16 : HR_PLANES_FP32;
    uint8_t *stored = malloc(len);
    if (stored == NULL)
        return;
    uint32_t written =
        hr_planes_block_encode(width, bytes, (uint32_t)len, stored, (uint32_t)len - 1);
    if (written > 0 && !lane_agree(codec, stored, written, len))
        abort();
    free(stored);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 2 || len > HR_PLANES_BLOCK_LEN)
        return 0;
    for (lane_codec codec = LANE_PLANES; codec <= LANE_PLANES_FP32; codec++) {
        lane_agree(codec, bytes + 2, len - 2, (size_t)(bytes[0] | bytes[1] << 8) + 1);
        give_back(codec, bytes, len);
    }
    return 0;
}
