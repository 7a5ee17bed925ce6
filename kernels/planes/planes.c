/* SPDX-License-Identifier: Apache-2.0 */
/* The chunk around the blocks: a header, how long each block is, the blocks. A block that does not
 * become shorter is kept as it is. */
#include "planes.h"

#include <string.h>

#include "bytes.h"
#include "codec.h"

#define VERSION    1u
#define HEADER_LEN 16u
#define RAW_BIT    UINT32_C(0x80000000)

static const uint8_t magic[4] = {'H', 'R', 'P', 'L'};

static size_t block_count(size_t content_len)
{
    return content_len / HR_PLANES_BLOCK_LEN + (content_len % HR_PLANES_BLOCK_LEN != 0);
}

static size_t planes_bound(size_t source_len)
{
    return HEADER_LEN + 4 * block_count(source_len) + source_len;
}

static size_t planes_scratch_len(size_t source_len)
{
    (void)source_len;
    return 0;
}

static size_t planes_decode_scratch_len(void)
{
    return 0;
}

static bool spans_are_host(const hr_codec_job *job)
{
    return job->source.kind == HR_MEMORY_HOST && job->target.kind == HR_MEMORY_HOST;
}

static hr_planes_width width_of(hr_element element)
{
    return element == HR_ELEMENT_FP32 ? HR_PLANES_FP32 : HR_PLANES_BF16;
}

/* Of content that nobody has said of what it is: by some of its blocks. */
static hr_element guess(const uint8_t *content, size_t len)
{
    size_t blocks = block_count(len), as_bf16 = 0, as_fp32 = 0;
    for (size_t i = 0; i < 3 && i < blocks; i++) {
        size_t at = (blocks - 1) * i / 2 * HR_PLANES_BLOCK_LEN;
        uint32_t piece = (uint32_t)hr_min_u64(len - at, HR_PLANES_BLOCK_LEN);
        as_bf16 += hr_planes_block_estimate(HR_PLANES_BF16, content + at, piece);
        as_fp32 += hr_planes_block_estimate(HR_PLANES_FP32, content + at, piece);
    }
    return as_fp32 < as_bf16 ? HR_ELEMENT_FP32 : HR_ELEMENT_BF16;
}

/* Returns how long the block is, with its bit; 0 if there is no room. */
static uint32_t encode_block(hr_element element, const uint8_t *from, uint32_t len, uint8_t *to,
                             size_t room)
{
    uint32_t written = 0;
    if (element != HR_ELEMENT_OTHER)
        written = hr_planes_block_encode(width_of(element), from, len, to,
                                         (uint32_t)hr_min_u64(room, len - 1));
    if (written > 0)
        return written;
    if (room < len)
        return 0;
    memcpy(to, from, len);
    return len | RAW_BIT;
}

static hr_element element_of(const hr_codec_job *job)
{
    if (job->store)
        return HR_ELEMENT_OTHER;
    return job->element == HR_ELEMENT_UNKNOWN ? guess(job->source.addr, job->source.len)
                                              : job->element;
}

static hr_status planes_encode(hr_codec_job *job)
{
    const uint8_t *from = job->source.addr;
    uint8_t *stored = job->target.addr;
    size_t blocks = block_count(job->source.len);
    size_t at = HEADER_LEN + 4 * blocks;
    if (!spans_are_host(job))
        return HR_UNSUPPORTED;
    if (job->source.len > UINT32_MAX)
        return HR_INVALID;
    if (job->target.len < at)
        return HR_NO_SPACE;
    hr_element element = element_of(job);
    memset(stored, 0, HEADER_LEN);
    memcpy(stored, magic, sizeof magic);
    stored[4] = VERSION;
    stored[5] = element == HR_ELEMENT_FP32 ? HR_ELEMENT_FP32 : HR_ELEMENT_BF16;
    hr_put_u32(stored + 8, (uint32_t)job->source.len);
    hr_put_u32(stored + 12, (uint32_t)blocks);
    for (size_t i = 0; i < blocks; i++) {
        size_t offset = i * HR_PLANES_BLOCK_LEN;
        uint32_t len = (uint32_t)hr_min_u64(job->source.len - offset, HR_PLANES_BLOCK_LEN);
        uint32_t written =
            encode_block(element, from + offset, len, stored + at, job->target.len - at);
        if (written == 0)
            return HR_NO_SPACE;
        hr_put_u32(stored + HEADER_LEN + 4 * i, written);
        at += written & ~RAW_BIT;
    }
    job->len_out = at;
    return HR_OK;
}

static hr_status check_header(const hr_codec_job *job)
{
    const uint8_t *stored = job->source.addr;
    if (job->source.len < HEADER_LEN || memcmp(stored, magic, sizeof magic) != 0)
        return HR_INTEGRITY;
    if (stored[4] > VERSION || stored[5] > HR_ELEMENT_FP32 || hr_get_u16(stored + 6) != 0)
        return HR_UNSUPPORTED;
    size_t content_len = hr_get_u32(stored + 8), blocks = hr_get_u32(stored + 12);
    return stored[4] == VERSION && stored[5] != HR_ELEMENT_UNKNOWN &&
                   content_len <= job->target.len && blocks == block_count(content_len) &&
                   blocks <= (job->source.len - HEADER_LEN) / 4
               ? HR_OK
               : HR_INTEGRITY;
}

/* A block as it is stored, and as it is to become. */
typedef struct piece {
    const uint8_t *stored;
    uint8_t *content;
    uint32_t len, content_len;
    bool raw;
} piece;

static hr_status decode_piece(hr_planes_width width, const piece *block)
{
    if (!block->raw)
        return hr_planes_block_decode(width, block->stored, block->len, block->content,
                                      block->content_len);
    if (block->len != block->content_len)
        return HR_INTEGRITY;
    memcpy(block->content, block->stored, block->len);
    return HR_OK;
}

static hr_status planes_decode(hr_codec_job *job)
{
    const uint8_t *stored = job->source.addr;
    uint8_t *content = job->target.addr;
    hr_status status = spans_are_host(job) ? check_header(job) : HR_UNSUPPORTED;
    if (status != HR_OK)
        return status;
    hr_planes_width width = width_of((hr_element)stored[5]);
    size_t content_len = hr_get_u32(stored + 8), blocks = block_count(content_len);
    size_t at = HEADER_LEN + 4 * blocks;
    for (size_t i = 0; i < blocks; i++) {
        uint32_t len = hr_get_u32(stored + HEADER_LEN + 4 * i);
        size_t offset = i * HR_PLANES_BLOCK_LEN;
        piece block = {
            .stored = stored + at,
            .content = content + offset,
            .len = len & ~RAW_BIT,
            .content_len = (uint32_t)hr_min_u64(content_len - offset, HR_PLANES_BLOCK_LEN),
            .raw = (len & RAW_BIT) != 0,
        };
        if (block.len > job->source.len - at || decode_piece(width, &block) != HR_OK)
            return HR_INTEGRITY;
        at += block.len;
    }
    if (at != job->source.len)
        return HR_INTEGRITY;
    job->len_out = content_len;
    return HR_OK;
}

const hr_codec hr_codec_planes = {
    .name = "planes",
    .id = HR_CODEC_PLANES,
    .bound = planes_bound,
    .scratch_len = planes_scratch_len,
    .decode_scratch_len = planes_decode_scratch_len,
    .encode = planes_encode,
    .decode = planes_decode,
};
