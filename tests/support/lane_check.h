/* SPDX-License-Identifier: Apache-2.0 */
/* One block on the host's lanes: memory exactly as long as it may be, so that a sanitizer sees a
 * step outside of it, and several orders of the lanes, which must all give the same. */
#ifndef HR_LANE_CHECK_H
#define HR_LANE_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lane_codec {
    LANE_LZ4,
    LANE_PLANES, /* of bfloat16 */
    LANE_PLANES_FP32,
} lane_codec;

/* content has content_len bytes, and is what came out if the block is right. Aborts where orders
 * disagree about that. */
bool lane_decode(lane_codec codec, const uint8_t *stored, size_t stored_len, uint8_t *content,
                 size_t content_len);
/* The reference: liblz4's safe decoder, or the scalar one of planes. */
bool lane_reference(lane_codec codec, const uint8_t *stored, size_t stored_len, uint8_t *content,
                    size_t content_len);
/* Both; aborts where they differ, but for LZ4 with an offset of zero, which is refused. */
bool lane_agree(lane_codec codec, const uint8_t *stored, size_t stored_len, size_t content_len);

#ifdef __cplusplus
}
#endif

#endif
