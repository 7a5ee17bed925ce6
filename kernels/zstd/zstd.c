/* SPDX-License-Identifier: Apache-2.0 */
/* zstd frames of at most 256 KiB of content, one after the other, so that each can be decoded by
 * itself. Contexts are built in the caller's scratch: nothing is allocated. */
#define ZSTD_STATIC_LINKING_ONLY /* contexts in given memory, and the header of a frame */
#include <zstd.h>
#include <zstd_errors.h>

#include <string.h>

#include "bytes.h"
#include "codec.h"

#define FRAME_LEN   (256u << 10)
#define BLOCK_LEN   (128u << 10) /* the most that a block of any zstd frame holds */
#define HEADER_LEN  9u           /* magic, descriptor, content size of 4 bytes */
#define LEVEL_PLAIN 3

static unsigned frame_count(size_t len)
{
    return len == 0 ? 1 : (unsigned)((len - 1) / FRAME_LEN + 1);
}

/* Also of frames that are only stored, of 9 bytes and two headers of blocks. */
static size_t zstd_bound(size_t source_len)
{
    return frame_count(source_len) * (ZSTD_compressBound(FRAME_LEN) - FRAME_LEN + 16) + source_len;
}

static size_t zstd_scratch_len(size_t source_len)
{
    /* zstd has a table of parameters for each of these, and the shorter is not always the smaller.
     */
    static const unsigned lens[] = {16u << 10, 128u << 10, FRAME_LEN};
    size_t most = ZSTD_estimateDCtxSize();
    (void)source_len;
    for (int level = 1; level <= ZSTD_maxCLevel(); level++) {
        for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
            size_t len = ZSTD_estimateCCtxSize_usingCParams(ZSTD_getCParams(level, lens[i], 0));
            most = len > most ? len : most;
        }
    }
    return (size_t)hr_round_up(most, 8);
}

static size_t zstd_decode_scratch_len(void)
{
    return (size_t)hr_round_up(ZSTD_estimateDCtxSize(), 8);
}

/* HR_NO_SPACE if the frame does not fit. */
static hr_status store_frame(const uint8_t *from, size_t len, uint8_t *to, size_t room,
                             size_t *written_out)
{
    size_t blocks = len == 0 ? 1 : (len - 1) / BLOCK_LEN + 1;
    if (room < HEADER_LEN + 3 * blocks + len)
        return HR_NO_SPACE;
    hr_put_u32(to, ZSTD_MAGICNUMBER);
    to[4] = 0xA0; /* one segment, content size in 4 bytes, no checksum, no dictionary */
    hr_put_u32(to + 5, (uint32_t)len);
    to += HEADER_LEN;
    for (size_t left = len, i = 0; i < blocks; i++) {
        size_t size = hr_min_u64(left, BLOCK_LEN);
        uint32_t header = (uint32_t)size << 3 | (i + 1 == blocks); /* of type raw, which is 0 */
        hr_put_u16(to, (uint16_t)header);
        to[2] = (uint8_t)(header >> 16);
        if (size > 0)
            memcpy(to + 3, from + (len - left), size);
        to += 3 + size;
        left -= size;
    }
    *written_out = HEADER_LEN + 3 * blocks + len;
    return HR_OK;
}

static hr_status compress_frame(ZSTD_CCtx *context, const uint8_t *from, size_t len, uint8_t *to,
                                size_t room, size_t *written_out)
{
    size_t written = ZSTD_compress2(context, to, room, from, len);
    if (ZSTD_isError(written))
        return ZSTD_getErrorCode(written) == ZSTD_error_dstSize_tooSmall ? HR_NO_SPACE
                                                                         : HR_INTERNAL;
    *written_out = written;
    return HR_OK;
}

/* NULL: the scratch is too small, or not aligned, which is the caller's fault. */
static ZSTD_CCtx *make_context(const hr_codec_job *job)
{
    ZSTD_CCtx *context = ZSTD_initStaticCCtx(job->scratch.addr, job->scratch.len);
    if (context == NULL)
        return NULL;
    int level = job->level == 0 ? LEVEL_PLAIN : job->level;
    level = level > ZSTD_maxCLevel() ? ZSTD_maxCLevel() : level;
    level = level < ZSTD_minCLevel() ? ZSTD_minCLevel() : level;
    /* A static context starts zeroed (1.5.4), which is not how others start: they write content
     * sizes. */
    if (ZSTD_isError(ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)))
        return NULL;
    return context;
}

static bool spans_are_host(const hr_codec_job *job)
{
    return job->source.kind == HR_MEMORY_HOST && job->target.kind == HR_MEMORY_HOST;
}

static hr_status compress_frames(hr_codec_job *job)
{
    const uint8_t *from = job->source.addr;
    uint8_t *to = job->target.addr;
    size_t left = job->source.len, room = job->target.len;
    ZSTD_CCtx *context = job->store ? NULL : make_context(job);
    if (context == NULL && !job->store)
        return HR_INTERNAL;
    while (left > 0) {
        size_t len = hr_min_u64(left, FRAME_LEN), written;
        hr_status status = job->store ? store_frame(from, len, to, room, &written)
                                      : compress_frame(context, from, len, to, room, &written);
        if (status != HR_OK)
            return status;
        from += len;
        left -= len;
        to += written;
        room -= written;
    }
    job->len_out = job->target.len - room;
    return HR_OK;
}

static hr_status zstd_encode(hr_codec_job *job)
{
    if (!spans_are_host(job))
        return HR_UNSUPPORTED;
    if (job->source.len > 0)
        return compress_frames(job);
    /* Of nothing, zstd makes a frame without content size where the source is NULL. */
    return store_frame(NULL, 0, job->target.addr, job->target.len, &job->len_out);
}

/* What is left of source and target. */
typedef struct cursor {
    const uint8_t *from;
    uint8_t *to;
    size_t left, room;
} cursor;

static hr_status decode_frame(ZSTD_DCtx *context, cursor *at, size_t *content_out)
{
    ZSTD_frameHeader header;
    if (at->left == 0 || ZSTD_getFrameHeader(&header, at->from, at->left) != 0 ||
        header.frameType != ZSTD_frame || header.dictID != 0 ||
        header.frameContentSize > FRAME_LEN || header.frameContentSize > at->room)
        return HR_INTEGRITY;
    size_t len = ZSTD_findFrameCompressedSize(at->from, at->left);
    if (ZSTD_isError(len))
        return HR_INTEGRITY;
    /* Exactly what the header says: not a byte beyond it can be written. */
    size_t content = (size_t)header.frameContentSize;
    if (ZSTD_decompressDCtx(context, at->to, content, at->from, len) != content)
        return HR_INTEGRITY;
    at->from += len;
    at->left -= len;
    if (content > 0) /* a target of nothing may be NULL */
        at->to += content;
    at->room -= content;
    *content_out = content;
    return HR_OK;
}

/* Tools put tables and sizes into frames that are none of the content. */
static void skip(cursor *at)
{
    ZSTD_frameHeader header;
    while (at->left > 0 && ZSTD_getFrameHeader(&header, at->from, at->left) == 0 &&
           header.frameType == ZSTD_skippableFrame) {
        size_t len = ZSTD_findFrameCompressedSize(at->from, at->left);
        if (ZSTD_isError(len))
            return;
        at->from += len;
        at->left -= len;
    }
}

static hr_status zstd_decode(hr_codec_job *job)
{
    cursor at = {job->source.addr, job->target.addr, job->source.len, job->target.len};
    size_t content = 0, full = 0; /* of a frame; of each but the last */
    if (!spans_are_host(job))
        return HR_UNSUPPORTED;
    ZSTD_DCtx *context = ZSTD_initStaticDCtx(job->scratch.addr, job->scratch.len);
    if (context == NULL)
        return HR_INTERNAL;
    /* Every frame is full but the last: whoever decodes them side by side knows where each goes. */
    do {
        if (content != full || decode_frame(context, &at, &content) != HR_OK)
            return HR_INTEGRITY;
        full = full == 0 ? content : full;
        skip(&at);
    } while (at.left > 0);
    if (content > full)
        return HR_INTEGRITY;
    job->len_out = job->target.len - at.room;
    return HR_OK;
}

const hr_codec hr_codec_zstd = {
    .name = "zstd",
    .id = HR_CODEC_ZSTD,
    .bound = zstd_bound,
    .scratch_len = zstd_scratch_len,
    .decode_scratch_len = zstd_decode_scratch_len,
    .encode = zstd_encode,
    .decode = zstd_decode,
};
