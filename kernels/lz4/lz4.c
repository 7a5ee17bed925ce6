/* SPDX-License-Identifier: Apache-2.0 */
/* One LZ4 frame a chunk, its blocks independent, so that each can be decoded by itself. The frame
 * is cut here and the blocks are liblz4's: its own frame functions allocate, and cannot be held to
 * full blocks. */
#include <lz4.h>
#include <lz4hc.h>
#include <string.h>

#include "bytes.h"
#include "codec.h"
#include "lz4_frame.h"

#define LEVEL_HC  3 /* from here on the slower and denser of the two compressors, as in lz4 */
#define HURRY_MAX 65537

static size_t lz4_bound(size_t source_len)
{
    size_t blocks = source_len / HR_LZ4_BLOCK_LEN + (source_len % HR_LZ4_BLOCK_LEN != 0);
    return HR_LZ4_HEADER_LEN + source_len + 4 * blocks + HR_LZ4_END_LEN;
}

static size_t lz4_scratch_len(size_t source_len)
{
    (void)source_len;
    size_t fast = (size_t)LZ4_sizeofState(), dense = (size_t)LZ4_sizeofStateHC();
    return fast > dense ? fast : dense;
}

static size_t lz4_decode_scratch_len(void)
{
    return 0;
}

/* Bytes written, 0 if the block does not become shorter. */
static uint32_t compress(const hr_codec_job *job, const uint8_t *from, uint32_t len, uint8_t *to,
                         size_t room)
{
    /* A block as long as its content is stored raw. */
    int most = (int)hr_min_u64(len - 1, room);
    const char *source = (const char *)from;
    char *target = (char *)to;
    void *state = job->scratch.addr;
    int written;
    if (job->level >= LEVEL_HC) {
        written = LZ4_compress_HC_extStateHC(state, source, target, (int)len, most, job->level);
    } else {
        int hurry = job->level >= 0 ? 1 : job->level < -HURRY_MAX ? HURRY_MAX : -job->level;
        written = LZ4_compress_fast_extState(state, source, target, (int)len, most, hurry);
    }
    return written > 0 ? (uint32_t)written : 0;
}

/* Returns where the next block goes, NULL if there is no room. */
static uint8_t *encode_block(const hr_codec_job *job, const uint8_t *from, uint32_t len,
                             uint8_t *to, const uint8_t *end)
{
    if ((size_t)(end - to) < 4)
        return NULL;
    size_t room = (size_t)(end - to) - 4;
    uint32_t written = job->store ? 0 : compress(job, from, len, to + 4, room);
    if (written > 0) {
        hr_put_u32(to, written);
        return to + 4 + written;
    }
    if (room < len)
        return NULL;
    hr_put_u32(to, len | HR_LZ4_RAW_BIT);
    memcpy(to + 4, from, len);
    return to + 4 + len;
}

static bool spans_are_host(const hr_codec_job *job)
{
    return job->source.kind == HR_MEMORY_HOST && job->target.kind == HR_MEMORY_HOST;
}

static hr_status lz4_encode(hr_codec_job *job)
{
    const uint8_t *from = job->source.addr;
    uint8_t *to = job->target.addr;
    hr_lz4_frame frame = {
        .content_len = job->source.len,
        .block_len = job->store ? HR_LZ4_RAW_MAX : HR_LZ4_BLOCK_LEN,
    };
    if (!spans_are_host(job))
        return HR_UNSUPPORTED;
    if (job->target.len < HR_LZ4_HEADER_LEN + HR_LZ4_END_LEN)
        return HR_NO_SPACE;
    const uint8_t *end = to + job->target.len;
    hr_lz4_frame_pack(&frame, to);
    to += HR_LZ4_HEADER_LEN;
    for (size_t left = job->source.len; left > 0;) {
        uint32_t len = (uint32_t)hr_min_u64(left, frame.block_len);
        to = encode_block(job, from, len, to, end - HR_LZ4_END_LEN);
        if (to == NULL)
            return HR_NO_SPACE;
        from += len;
        left -= len;
    }
    hr_put_u32(to, 0);
    job->len_out = (size_t)(to + HR_LZ4_END_LEN - (uint8_t *)job->target.addr);
    return HR_OK;
}

/* One block of exactly len bytes of content. Returns where the next one begins, NULL if this one is
 * not right. */
static const uint8_t *decode_block(const uint8_t *from, const uint8_t *end, uint8_t *to,
                                   uint32_t len)
{
    if (end - from < 4)
        return NULL;
    uint32_t size = hr_get_u32(from) & ~HR_LZ4_RAW_BIT;
    bool raw = (hr_get_u32(from) & HR_LZ4_RAW_BIT) != 0;
    from += 4;
    if (size == 0 || size > (size_t)(end - from) || size > len)
        return NULL;
    if (raw) {
        if (size != len)
            return NULL;
        memcpy(to, from, size);
    } else if (LZ4_decompress_safe((const char *)from, (char *)to, (int)size, (int)len) !=
               (int)len) {
        return NULL;
    }
    return from + size;
}

/* Blocks of a frame that others have made, without what is around them. How long each becomes is
 * only known by doing it. */
static hr_status decode_bare(hr_codec_job *job)
{
    const uint8_t *from = job->source.addr;
    uint8_t *to = job->target.addr;
    size_t left = job->source.len, room = job->target.len;
    while (left > 0) {
        uint32_t size = left < 4 ? 0 : hr_get_u32(from) & ~HR_LZ4_RAW_BIT;
        bool raw = left >= 4 && (hr_get_u32(from) & HR_LZ4_RAW_BIT) != 0;
        if (size == 0 || size > left - 4 || size > HR_LZ4_RAW_MAX || (raw && size > room))
            return HR_INTEGRITY;
        int made = (int)size;
        int most = (int)hr_min_u64(room, HR_LZ4_RAW_MAX);
        if (raw)
            memcpy(to, from + 4, size);
        else
            made = LZ4_decompress_safe((const char *)from + 4, (char *)to, (int)size, most);
        if (made <= 0)
            return HR_INTEGRITY;
        from += size + 4;
        left -= size + 4;
        to += made;
        room -= (size_t)made;
    }
    job->len_out = job->target.len - room;
    return HR_OK;
}

static hr_status lz4_decode(hr_codec_job *job)
{
    const uint8_t *from = job->source.addr;
    uint8_t *to = job->target.addr;
    hr_lz4_frame frame;
    if (!spans_are_host(job))
        return HR_UNSUPPORTED;
    /* No block is as long as the magic of a frame would have it. */
    if (job->source.len >= 4 && hr_get_u32(from) != HR_LZ4_MAGIC)
        return decode_bare(job);
    if (hr_lz4_frame_unpack(from, job->source.len, &frame) != HR_OK ||
        frame.content_len > job->target.len)
        return HR_INTEGRITY;
    const uint8_t *end = from + job->source.len;
    from += HR_LZ4_HEADER_LEN;
    for (uint64_t left = frame.content_len; left > 0;) {
        uint32_t len = (uint32_t)hr_min_u64(left, frame.block_len);
        from = decode_block(from, end, to, len);
        if (from == NULL)
            return HR_INTEGRITY;
        to += len;
        left -= len;
    }
    if (end - from != HR_LZ4_END_LEN || hr_get_u32(from) != 0)
        return HR_INTEGRITY;
    job->len_out = (size_t)frame.content_len;
    return HR_OK;
}

const hr_codec hr_codec_lz4 = {
    .name = "lz4",
    .id = HR_CODEC_LZ4,
    .bound = lz4_bound,
    .scratch_len = lz4_scratch_len,
    .decode_scratch_len = lz4_decode_scratch_len,
    .encode = lz4_encode,
    .decode = lz4_decode,
};
