/* SPDX-License-Identifier: Apache-2.0 */
#include "foreign.h"

#include "bytes.h"
#include "zstd_frame.h"

#define LZ4_MAGIC      UINT32_C(0x184D2204)
#define LZ4_LEGACY     UINT32_C(0x184C2102)
#define LZ4_RAW_BIT    UINT32_C(0x80000000)
#define SKIPPABLE      UINT32_C(0x184D2A50)
#define SKIPPABLE_MASK UINT32_C(0xFFFFFFF0)

/* Bits of the first byte after the magic (LZ4 frame format, v1.6.1). */
enum {
    LZ4_DICTIONARY = 1 << 0,
    LZ4_CONTENT_CHECKSUM = 1 << 2,
    LZ4_CONTENT_SIZE = 1 << 3,
    LZ4_BLOCK_CHECKSUM = 1 << 4,
    LZ4_INDEPENDENT = 1 << 5,
    LZ4_VERSION_SHIFT = 6,
};

static hr_status refuse(hr_foreign *foreign, const char *why)
{
    foreign->why = why;
    return HR_UNSUPPORTED;
}

/* ---- lz4 ---- */

static hr_status begin_lz4(hr_foreign *foreign, const uint8_t *bytes, size_t len, uint32_t *at_out)
{
    if (len < 7)
        return refuse(foreign, "it is cut");
    unsigned flags = bytes[4], size = bytes[5] >> 4 & 7;
    if (flags >> LZ4_VERSION_SHIFT != 1 || size < 4)
        return refuse(foreign, "it is of a version of LZ4 frames that is not known");
    if ((flags & LZ4_INDEPENDENT) == 0)
        return refuse(foreign, "its blocks depend on each other (lz4 -BD)");
    if ((flags & LZ4_BLOCK_CHECKSUM) != 0)
        return refuse(foreign, "its blocks have checksums (lz4 -BX)");
    if ((flags & LZ4_DICTIONARY) != 0)
        return refuse(foreign, "it needs a dictionary");
    foreign->container = HR_CONTAINER_LZ4_BESIDE;
    foreign->block_len = UINT32_C(1) << (8 + 2 * size);
    foreign->chunk_len = HR_INDEX_CHUNK_MAX;
    foreign->has_checksum = (flags & LZ4_CONTENT_CHECKSUM) != 0;
    *at_out = (flags & LZ4_CONTENT_SIZE) != 0 ? 15 : 7;
    if (*at_out > len)
        return refuse(foreign, "it is cut");
    return HR_OK;
}

/* After the last block: nothing but what tools pass over. */
static hr_status end_lz4(hr_foreign *foreign, const uint8_t *bytes, size_t len, bool ends)
{
    size_t at = foreign->has_checksum ? 8 : 4;
    foreign->over = true;
    if (len >= at + 4 && (hr_get_u32(bytes + at) & SKIPPABLE_MASK) != SKIPPABLE)
        return refuse(foreign, "it has more than one LZ4 frame");
    return len < at && ends ? refuse(foreign, "it is cut") : HR_OK;
}

static hr_status next_lz4(hr_foreign *foreign, const uint8_t *bytes, size_t len, bool ends,
                          hr_foreign_chunk *chunk)
{
    size_t at = 0;
    for (uint32_t content = 0; content < foreign->chunk_len; content += foreign->block_len) {
        if (len - at < 4)
            return refuse(foreign, "it is cut");
        uint32_t size = hr_get_u32(bytes + at) & ~LZ4_RAW_BIT;
        if (hr_get_u32(bytes + at) == 0) {
            hr_status status = end_lz4(foreign, bytes + at, len - at, ends);
            if (status != HR_OK)
                return status;
            break;
        }
        if (size > foreign->block_len || size + 4 > len - at)
            return refuse(foreign, "it is cut, or damaged");
        at += size + 4;
    }
    *chunk = (hr_foreign_chunk){.len = (uint32_t)at};
    return HR_OK;
}

/* ---- zstd ---- */

static hr_status begin_zstd(hr_foreign *foreign, const uint8_t *bytes, size_t len, uint32_t *at_out)
{
    hr_zstd_frame frame = {.skippable = true};
    size_t at = 0;
    while (frame.skippable) {
        hr_status status = hr_zstd_frame_find(bytes + at, len - at, &frame);
        bool is_shorter = frame.content_len > 0 && frame.content_len <= HR_ZSTD_CONTENT_MAX;
        if (status != HR_OK || (!frame.skippable && !is_shorter))
            return refuse(foreign, "its frames are of more than 256 KiB of content, or do not tell "
                                   "how much (pzstd and the seekable format make shorter ones)");
        at += frame.skippable ? frame.len : 0;
    }
    foreign->container = HR_CONTAINER_ZSTD_BESIDE;
    foreign->block_len = (uint32_t)frame.content_len;
    foreign->chunk_len = HR_INDEX_CHUNK_MAX / foreign->block_len * foreign->block_len;
    if (foreign->chunk_len % HR_INDEX_ALIGN != 0 && at + frame.len < len)
        return refuse(foreign, "its frames are no whole pages of 4096 bytes");
    *at_out = 0;
    return HR_OK;
}

static hr_status next_zstd(hr_foreign *foreign, const uint8_t *bytes, size_t len, bool ends,
                           hr_foreign_chunk *chunk)
{
    size_t at = 0, skip = 0;
    uint32_t content = 0;
    while (content < foreign->chunk_len && !foreign->over && at < len) {
        hr_zstd_frame frame;
        if (hr_zstd_frame_find(bytes + at, len - at, &frame) != HR_OK)
            return refuse(foreign, "it is cut, or damaged, or a frame does not tell its content");
        at += frame.len;
        if (frame.skippable) {
            skip = content == 0 ? at : skip;
            continue;
        }
        if (frame.content_len > foreign->block_len || frame.content_len == 0)
            return refuse(foreign, "its frames are of different lengths");
        foreign->over = frame.content_len < foreign->block_len;
        content += (uint32_t)frame.content_len;
    }
    foreign->over = foreign->over || (ends && at == len);
    *chunk =
        (hr_foreign_chunk){.skip = (uint32_t)skip, .len = content == 0 ? 0 : (uint32_t)(at - skip)};
    return HR_OK;
}

/* ---- both ---- */

hr_status hr_foreign_begin(hr_foreign *foreign, const uint8_t *bytes, size_t len, uint32_t *at_out)
{
    *foreign = (hr_foreign){.why = ""};
    uint32_t magic = len < 4 ? 0 : hr_get_u32(bytes);
    if (magic == LZ4_MAGIC)
        return begin_lz4(foreign, bytes, len, at_out);
    if (magic == LZ4_LEGACY)
        return refuse(foreign, "it is of the legacy format of lz4");
    if (magic == HR_ZSTD_MAGIC || (magic & SKIPPABLE_MASK) == SKIPPABLE)
        return begin_zstd(foreign, bytes, len, at_out);
    return HR_NOT_FOUND;
}

hr_status hr_foreign_next(hr_foreign *foreign, const uint8_t *bytes, size_t len, bool ends,
                          hr_foreign_chunk *chunk_out)
{
    if (foreign->container == HR_CONTAINER_LZ4_BESIDE)
        return next_lz4(foreign, bytes, len, ends, chunk_out);
    return next_zstd(foreign, bytes, len, ends, chunk_out);
}
