/* SPDX-License-Identifier: Apache-2.0 */
/* The header of an LZ4 frame, as this codec writes and reads it: independent blocks, with content
 * size, without any checksum but its own, without dictionary. Pure. */
#ifndef HR_LZ4_FRAME_H
#define HR_LZ4_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define HR_LZ4_MAGIC      UINT32_C(0x184D2204)
#define HR_LZ4_HEADER_LEN 15u /* of the frame */
#define HR_LZ4_BLOCK_LEN  (64u << 10)
#define HR_LZ4_RAW_MAX    (4u << 20) /* of one raw block */
#define HR_LZ4_RAW_BIT    UINT32_C(0x80000000)

/* Where content lies in a frame of one raw block, and what comes after it. */
#define HR_LZ4_RAW_AT  (HR_LZ4_HEADER_LEN + 4u)
#define HR_LZ4_END_LEN 4u

typedef struct hr_lz4_frame {
    uint64_t content_len;
    uint32_t block_len; /* the most that one block holds: 64 KiB, 256 KiB, 1 MiB or 4 MiB */
} hr_lz4_frame;

void hr_lz4_frame_pack(const hr_lz4_frame *frame, uint8_t bytes_out[HR_LZ4_HEADER_LEN]);
/* HR_INTEGRITY: another kind of frame, or none. */
HR_CHECKED hr_status hr_lz4_frame_unpack(const uint8_t *bytes, size_t len, hr_lz4_frame *frame_out);

#endif
