/* SPDX-License-Identifier: Apache-2.0 */
#include "lane_check.h"

#include <lz4.h>
#include <stdlib.h>
#include <string.h>

#include "lane.h"
#include "lz4_lanes.h"
#include "planes.h"
#include "planes_lanes.h"

#define ORDERS 3u

static void require(bool holds)
{
    if (!holds)
        abort(); /* in every build, unlike assert */
}

static uint8_t *copy_of(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    require(copy != NULL);
    memcpy(copy, bytes, len);
    return copy;
}

static hr_planes_width width_of(lane_codec codec)
{
    return codec == LANE_PLANES_FP32 ? HR_PLANES_FP32 : HR_PLANES_BF16;
}

static bool decode(lane_codec codec, const uint8_t *stored, size_t stored_len, uint8_t *content,
                   size_t content_len, uint32_t seed)
{
    hr_lanes lanes = {.seed = seed * 2654435761u};
    hr_lz4_window window;
    memset(&window, 0xA5, sizeof window);
    if (codec == LANE_LZ4)
        return hr_lz4_lanes(&lanes, &window, stored, (uint32_t)stored_len, content,
                            (uint32_t)content_len);
    return hr_planes_lanes(&lanes, width_of(codec), stored, (uint32_t)stored_len, content,
                           (uint32_t)content_len);
}

bool lane_decode(lane_codec codec, const uint8_t *stored, size_t stored_len, uint8_t *content,
                 size_t content_len)
{
    uint8_t *exact = copy_of(stored, stored_len), *first = copy_of(content, content_len);
    bool right = decode(codec, exact, stored_len, first, content_len, 0);
    for (uint32_t order = 1; order < ORDERS; order++) {
        uint8_t *other = malloc(content_len > 0 ? content_len : 1);
        require(other != NULL);
        memset(other, (int)(0x5A + order), content_len);
        require(decode(codec, exact, stored_len, other, content_len, order) == right);
        require(!right || memcmp(first, other, content_len) == 0);
        free(other);
    }
    memcpy(content, first, content_len);
    free(first);
    free(exact);
    return right;
}

bool lane_reference(lane_codec codec, const uint8_t *stored, size_t stored_len, uint8_t *content,
                    size_t content_len)
{
    if (codec == LANE_LZ4)
        return LZ4_decompress_safe((const char *)stored, (char *)content, (int)stored_len,
                                   (int)content_len) == (int)content_len;
    return hr_planes_block_decode(width_of(codec), stored, (uint32_t)stored_len, content,
                                  (uint32_t)content_len) == HR_OK;
}

/* Walks a block that liblz4 has accepted. */
static size_t lengthen(const uint8_t *stored, size_t *at, size_t length)
{
    if (length == 15)
        do
            length += stored[*at];
        while (stored[(*at)++] == 255);
    return length;
}

/* The format forbids an offset of zero and the lanes refuse it; liblz4 1.9.4 takes it in some
 * places, and what it then writes means nothing. */
static bool has_offset_zero(const uint8_t *stored, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t token = stored[at++], literals = lengthen(stored, &at, token >> 4);
        at += literals;
        if (at >= len)
            return false;
        if (stored[at] == 0 && stored[at + 1] == 0)
            return true;
        at += 2;
        (void)lengthen(stored, &at, token & 15);
    }
    return false;
}

bool lane_agree(lane_codec codec, const uint8_t *stored, size_t stored_len, size_t content_len)
{
    uint8_t *ours = calloc(1, content_len + 1), *theirs = calloc(1, content_len + 1);
    require(ours != NULL && theirs != NULL);
    bool right = lane_decode(codec, stored, stored_len, ours, content_len);
    bool expected = lane_reference(codec, stored, stored_len, theirs, content_len);
    if (codec == LANE_LZ4 && expected && has_offset_zero(stored, stored_len))
        expected = false;
    require(expected == right);
    require(!right || memcmp(ours, theirs, content_len) == 0);
    free(ours);
    free(theirs);
    return right;
}
