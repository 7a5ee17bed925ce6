/* SPDX-License-Identifier: Apache-2.0 */
/* What a zstd frame says of itself. Pure. */
#ifndef HR_ZSTD_FRAME_H
#define HR_ZSTD_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define HR_ZSTD_MAGIC       UINT32_C(0xFD2FB528)
#define HR_ZSTD_CONTENT_MAX (256u << 10) /* of one frame, as this codec decodes them */

typedef struct hr_zstd_frame {
    size_t len;           /* of the frame, its checksum included */
    uint64_t content_len; /* 0 if it is skippable */
    bool skippable;
} hr_zstd_frame;

/* The frame that these bytes begin with, which must hold all of it. HR_INTEGRITY: it is none, or
 * cut, or needs a dictionary, or does not tell the length of its content. */
HR_CHECKED hr_status hr_zstd_frame_find(const uint8_t *bytes, size_t len, hr_zstd_frame *frame_out);

#endif
