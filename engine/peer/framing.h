/* SPDX-License-Identifier: Apache-2.0 */
/* hr_framing: cuts a stream of bytes into frames: a little-endian u32, then as many bytes of body.
 * An oversized length is refused before anything of its body is kept. Pure. */
#ifndef HR_FRAMING_H
#define HR_FRAMING_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define HR_FRAME_HEADER_LEN 4

typedef struct hr_framing {
    uint8_t *buffer; /* the caller's: HR_FRAME_HEADER_LEN + body_max bytes */
    size_t body_max;
    size_t have; /* bytes of the frame that is being collected */
} hr_framing;

void hr_framing_init(hr_framing *frames, void *buffer, size_t body_max);

/* Takes bytes from the front of *bytes, *len and moves both on. HR_OK: a frame is whole, and its
 * body is good until the next call and as long as the caller's bytes. HR_AGAIN: all bytes are
 * taken and the frame is not whole. HR_PROTOCOL: a body of no bytes or of more than body_max; the
 * stream is of no use any more. */
HR_CHECKED hr_status hr_framing_next(hr_framing *frames, const uint8_t **bytes, size_t *len,
                                     const uint8_t **body_out, size_t *body_len_out);

#endif
