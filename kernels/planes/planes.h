/* SPDX-License-Identifier: Apache-2.0 */
/* A block of bfloat16 or float32 values whose exponents are kept apart, as docs/FORMAT.md has it: a
 * code of three bits for seven exponents in a row, an escape for the others, sign and mantissa as
 * they are. Pure. */
#ifndef HR_PLANES_H
#define HR_PLANES_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define HR_PLANES_BLOCK_LEN (64u << 10) /* content */
#define HR_PLANES_TILE      1024u       /* values */

/* Bytes of a value. */
typedef enum hr_planes_width {
    HR_PLANES_BF16 = 2,
    HR_PLANES_FP32 = 4,
} hr_planes_width;

/* Bytes written, never more than most; 0: it would not become shorter than that. */
uint32_t hr_planes_block_encode(hr_planes_width width, const uint8_t *content, uint32_t content_len,
                                uint8_t *stored, uint32_t most);
/* How long it would become. */
uint32_t hr_planes_block_estimate(hr_planes_width width, const uint8_t *content,
                                  uint32_t content_len);
/* Exactly content_len bytes of content, at most HR_PLANES_BLOCK_LEN. HR_INTEGRITY: the block is not
 * what encode makes. */
HR_CHECKED hr_status hr_planes_block_decode(hr_planes_width width, const uint8_t *stored,
                                            uint32_t stored_len, uint8_t *content,
                                            uint32_t content_len);

#endif
