/* SPDX-License-Identifier: Apache-2.0 */
#include "lz4_frame.h"

#include "bytes.h"
#include "lz4_checksum.h"

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

void hr_lz4_frame_pack(const hr_lz4_frame *frame, uint8_t bytes_out[HR_LZ4_HEADER_LEN])
{
    unsigned id = BLOCK_ID_MIN;
    while (id < BLOCK_ID_MAX && 1u << (8 + 2 * id) < frame->block_len)
        id++;
    hr_put_u32(bytes_out + MAGIC_AT, HR_LZ4_MAGIC);
    bytes_out[FLAGS_AT] = FLAGS;
    bytes_out[BLOCK_AT] = (uint8_t)(id << BLOCK_ID_SHIFT);
    hr_put_u64(bytes_out + CONTENT_LEN_AT, frame->content_len);
    bytes_out[CHECKSUM_AT] = hr_lz4_frame_checksum(bytes_out + FLAGS_AT);
}

hr_status hr_lz4_frame_unpack(const uint8_t *bytes, size_t len, hr_lz4_frame *frame_out)
{
    if (len < HR_LZ4_HEADER_LEN || hr_get_u32(bytes + MAGIC_AT) != HR_LZ4_MAGIC ||
        bytes[FLAGS_AT] != FLAGS || bytes[CHECKSUM_AT] != hr_lz4_frame_checksum(bytes + FLAGS_AT))
        return HR_INTEGRITY;
    unsigned id = bytes[BLOCK_AT] >> BLOCK_ID_SHIFT;
    if (id < BLOCK_ID_MIN || id > BLOCK_ID_MAX || bytes[BLOCK_AT] != id << BLOCK_ID_SHIFT)
        return HR_INTEGRITY;
    frame_out->content_len = hr_get_u64(bytes + CONTENT_LEN_AT);
    frame_out->block_len = 1u << (8 + 2 * id);
    return HR_OK;
}
