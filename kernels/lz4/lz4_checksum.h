/* SPDX-License-Identifier: Apache-2.0 */
/* The checksum of an LZ4 frame's header, on the host and on the GPU: XXH32 of fewer than 16 bytes,
 * which is the published algorithm without its main loop. Its numbers are the algorithm's. */
#ifndef HR_LZ4_CHECKSUM_H
#define HR_LZ4_CHECKSUM_H

#include "lane.h"

#define HR_LZ4_DESCRIPTOR_LEN 10u /* flags, block maximum, content length */

HR_LANE_FN uint32_t hr_lz4_rotate(uint32_t value, uint32_t bits)
{
    return value << bits | value >> (32 - bits);
}

/* Of the descriptor, which begins at the frame's flags. */
HR_LANE_FN uint8_t hr_lz4_frame_checksum(const uint8_t descriptor[HR_LZ4_DESCRIPTOR_LEN])
{
    uint32_t hash = 0x165667B1u + HR_LZ4_DESCRIPTOR_LEN, at = 0;
    for (; at + 4 <= HR_LZ4_DESCRIPTOR_LEN; at += 4) {
        uint32_t word = descriptor[at] | (uint32_t)descriptor[at + 1] << 8 |
                        (uint32_t)descriptor[at + 2] << 16 | (uint32_t)descriptor[at + 3] << 24;
        hash = hr_lz4_rotate(hash + word * 0xC2B2AE3Du, 17) * 0x27D4EB2Fu;
    }
    for (; at < HR_LZ4_DESCRIPTOR_LEN; at++)
        hash = hr_lz4_rotate(hash + descriptor[at] * 0x165667B1u, 11) * 0x9E3779B1u;
    hash = (hash ^ hash >> 15) * 0x85EBCA77u;
    hash = (hash ^ hash >> 13) * 0xC2B2AE3Du;
    return (uint8_t)((hash ^ hash >> 16) >> 8);
}

#endif
