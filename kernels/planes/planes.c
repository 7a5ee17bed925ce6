/* SPDX-License-Identifier: Apache-2.0 */
/* The chunk around the blocks: a header, how long each block is, the blocks. A block that does not
 * become shorter is kept as it is. */
#include "planes.h"

#include <string.h>

#include "bytes.h"
#include "codec.h"

#define VERSION      1u
#define ELEMENT_BF16 1u
#define HEADER_LEN   16u
#define RAW_BIT      UINT32_C(0x80000000)

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

/* Returns how long the block is, with its bit; 0 if there is no room. */
static uint32_t encode_block(const uint8_t *from, uint32_t len, uint8_t *to, size_t room,
                             bool store)
{
    uint32_t written =
        store ? 0 : hr_planes_block_encode(from, len, to, (uint32_t)hr_min_u64(room, len - 1));
    if (written > 0)
        return written;
    if (room < len)
        return 0;
    memcpy(to, from, len);
    return len | RAW_BIT;
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
    memset(stored, 0, HEADER_LEN);
    memcpy(stored, magic, sizeof magic);
    stored[4] = VERSION;
    stored[5] = ELEMENT_BF16;
    hr_put_u32(stored + 8, (uint32_t)job->source.len);
    hr_put_u32(stored + 12, (uint32_t)blocks);
    for (size_t i = 0; i < blocks; i++) {
        size_t offset = i * HR_PLANES_BLOCK_LEN;
        uint32_t len = (uint32_t)hr_min_u64(job->source.len - offset, HR_PLANES_BLOCK_LEN);
        uint32_t written =
            encode_block(from + offset, len, stored + at, job->target.len - at, job->store);
        if (written == 0)
            return HR_NO_SPACE;
        hr_put_u32(stored + HEADER_LEN + 4 * i, written);
        at += written & ~RAW_BIT;
    }
    job->len_out = at;
    return HR_OK;
}

static bool header_is_right(const hr_codec_job *job)
{
    const uint8_t *stored = job->source.addr;
    if (job->source.len < HEADER_LEN || memcmp(stored, magic, sizeof magic) != 0 ||
        stored[4] != VERSION || stored[5] != ELEMENT_BF16 || hr_get_u16(stored + 6) != 0)
        return false;
    size_t content_len = hr_get_u32(stored + 8), blocks = hr_get_u32(stored + 12);
    return content_len <= job->target.len && blocks == block_count(content_len) &&
           blocks <= (job->source.len - HEADER_LEN) / 4;
}

static hr_status decode_block(const uint8_t *stored, uint32_t stored_len, bool raw,
                              uint8_t *content, uint32_t content_len)
{
    if (!raw)
        return hr_planes_block_decode(stored, stored_len, content, content_len);
    if (stored_len != content_len)
        return HR_INTEGRITY;
    memcpy(content, stored, content_len);
    return HR_OK;
}

static hr_status planes_decode(hr_codec_job *job)
{
    const uint8_t *stored = job->source.addr;
    uint8_t *content = job->target.addr;
    if (!spans_are_host(job))
        return HR_UNSUPPORTED;
    if (!header_is_right(job))
        return HR_INTEGRITY;
    size_t content_len = hr_get_u32(stored + 8), blocks = block_count(content_len);
    size_t at = HEADER_LEN + 4 * blocks;
    for (size_t i = 0; i < blocks; i++) {
        uint32_t len = hr_get_u32(stored + HEADER_LEN + 4 * i);
        size_t offset = i * HR_PLANES_BLOCK_LEN;
        uint32_t due = (uint32_t)hr_min_u64(content_len - offset, HR_PLANES_BLOCK_LEN);
        bool raw = (len & RAW_BIT) != 0;
        len &= ~RAW_BIT;
        if (len > job->source.len - at ||
            decode_block(stored + at, len, raw, content + offset, due) != HR_OK)
            return HR_INTEGRITY;
        at += len;
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
