/* SPDX-License-Identifier: Apache-2.0 */
#define ZSTD_STATIC_LINKING_ONLY /* the header of a frame */
#include <zstd.h>

#include "zstd_frame.h"

hr_status hr_zstd_frame_find(const uint8_t *bytes, size_t len, hr_zstd_frame *frame_out)
{
    ZSTD_frameHeader header;
    if (len == 0 || ZSTD_getFrameHeader(&header, bytes, len) != 0)
        return HR_INTEGRITY;
    size_t frame_len = ZSTD_findFrameCompressedSize(bytes, len);
    bool skippable = header.frameType == ZSTD_skippableFrame;
    if (ZSTD_isError(frame_len) || frame_len > len ||
        (!skippable && (header.dictID != 0 || header.frameContentSize == ZSTD_CONTENTSIZE_UNKNOWN)))
        return HR_INTEGRITY;
    *frame_out = (hr_zstd_frame){
        .len = frame_len,
        .content_len = skippable ? 0 : header.frameContentSize,
        .skippable = skippable,
    };
    return HR_OK;
}
