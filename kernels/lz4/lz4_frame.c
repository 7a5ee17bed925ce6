/* SPDX-License-Identifier: Apache-2.0 */
#include "lz4_frame.h"

#include "bytes.h"

#define FLAGS 0x68u /* version 1, independent blocks, content size */

enum {
    MAGIC_AT = 0,
    FLAGS_AT = 4,
    BLOCK_AT = 5,
    CONTENT_LEN_AT = 6,
    CHECKSUM_AT = 14,
};

/* The block maximum is 2^(8 + 2 id), ids 4 to 7, kept in three bits. */
#define BLOCK_ID_SHIFT 4
#define BLOCK_ID_MIN   4u
#define BLOCK_ID_MAX   7u

static uint32_t rotate(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

/* XXH32 of fewer than 16 bytes, which is all that the header needs: the published algorithm without
 * its main loop. Its numbers are the algorithm's. */
static uint32_t xxh32_short(const uint8_t *bytes, size_t len)
{
    uint32_t hash = UINT32_C(0x165667B1) + (uint32_t)len;
    for (; len >= 4; bytes += 4, len -= 4)
        hash = rotate(hash + hr_get_u32(bytes) * UINT32_C(0xC2B2AE3D), 17) * UINT32_C(0x27D4EB2F);
    for (; len > 0; bytes++, len--)
        hash = rotate(hash + *bytes * UINT32_C(0x165667B1), 11) * UINT32_C(0x9E3779B1);
    hash = (hash ^ hash >> 15) * UINT32_C(0x85EBCA77);
    hash = (hash ^ hash >> 13) * UINT32_C(0xC2B2AE3D);
    return hash ^ hash >> 16;
}

static uint8_t checksum(const uint8_t *bytes)
{
    return (uint8_t)(xxh32_short(bytes + FLAGS_AT, CHECKSUM_AT - FLAGS_AT) >> 8);
}

void hr_lz4_frame_pack(const hr_lz4_frame *frame, uint8_t bytes_out[HR_LZ4_HEADER_LEN])
{
    unsigned id = BLOCK_ID_MIN;
    while (id < BLOCK_ID_MAX && 1u << (8 + 2 * id) < frame->block_len)
        id++;
    hr_put_u32(bytes_out + MAGIC_AT, HR_LZ4_MAGIC);
    bytes_out[FLAGS_AT] = FLAGS;
    bytes_out[BLOCK_AT] = (uint8_t)(id << BLOCK_ID_SHIFT);
    hr_put_u64(bytes_out + CONTENT_LEN_AT, frame->content_len);
    bytes_out[CHECKSUM_AT] = checksum(bytes_out);
}

hr_status hr_lz4_frame_unpack(const uint8_t *bytes, size_t len, hr_lz4_frame *frame_out)
{
    if (len < HR_LZ4_HEADER_LEN || hr_get_u32(bytes + MAGIC_AT) != HR_LZ4_MAGIC ||
        bytes[FLAGS_AT] != FLAGS || bytes[CHECKSUM_AT] != checksum(bytes))
        return HR_INTEGRITY;
    unsigned id = bytes[BLOCK_AT] >> BLOCK_ID_SHIFT;
    if (id < BLOCK_ID_MIN || id > BLOCK_ID_MAX || bytes[BLOCK_AT] != id << BLOCK_ID_SHIFT)
        return HR_INTEGRITY;
    frame_out->content_len = hr_get_u64(bytes + CONTENT_LEN_AT);
    frame_out->block_len = 1u << (8 + 2 * id);
    return HR_OK;
}
