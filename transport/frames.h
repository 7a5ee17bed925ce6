/* SPDX-License-Identifier: Apache-2.0 */
/* hr_frames: what the reader of a TCP link expects next: a receipt, or the payload of the place
 * that the receipt before it named. No I/O: it says where the next bytes go and is told that they
 * are there. */
#ifndef HR_FRAMES_H
#define HR_FRAMES_H

#include "places.h"

typedef struct hr_frames {
    hr_places places;
    hr_place *landing;  /* whose payload comes next; NULL: a receipt comes next */
    hr_receipt receipt; /* of landing, or of the place that landed last */
    uint8_t header[HR_RECEIPT_LEN];
} hr_frames;

void hr_frames_init(hr_frames *frames);
/* Where the next bytes go; all of it must be filled before hr_frames_take. Never empty. */
hr_span hr_frames_next(hr_frames *frames);
/* The bytes of hr_frames_next are there. landed_out: the place that is complete with them, or NULL.
 * HR_PROTOCOL: no receipt, or one that was granted no place or is longer than its place; nothing
 * may be fed any more. */
HR_CHECKED hr_status hr_frames_take(hr_frames *frames, hr_place **landed_out);

#endif
