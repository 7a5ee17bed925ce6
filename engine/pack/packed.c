/* SPDX-License-Identifier: Apache-2.0 */
#include "packed.h"

#include <assert.h>
#include <string.h>

#include "crc32c.h"
#include "lz4_frame.h"

/* How a container holds its chunks. */
typedef struct packing {
    const hr_codec *codec; /* NULL: chunks are never compressed */
    uint8_t block_log2;
    bool frames_stored;  /* a chunk that is only stored is still a frame */
    uint8_t stored_id;   /* which codec its row then names */
    uint16_t content_at; /* and where the content lies */
} packing;

static const packing packings[] = {
    [HR_CONTAINER_BESIDE] = {.stored_id = HR_CODEC_STORED},
    [HR_CONTAINER_LZ4] =
        {
            .codec = &hr_codec_lz4,
            .block_log2 = 16,
            .frames_stored = true,
            .stored_id = HR_CODEC_STORED,
            .content_at = HR_LZ4_RAW_AT,
        },
    [HR_CONTAINER_ZSTD] =
        {
            .codec = &hr_codec_zstd,
            .block_log2 = 18,
            .frames_stored = true,
            .stored_id = HR_CODEC_ZSTD, /* a block of zstd is too short to hold all of it */
        },
    [HR_CONTAINER_HEADRACE] =
        {
            .codec = &hr_codec_planes,
            .block_log2 = 16,
            .stored_id = HR_CODEC_STORED,
        },
    /* These are only decoded. */
    [HR_CONTAINER_LZ4_BESIDE] = {.codec = &hr_codec_lz4},
    [HR_CONTAINER_ZSTD_BESIDE] = {.codec = &hr_codec_zstd},
};

size_t hr_packed_scratch_len(hr_container container)
{
    const hr_codec *codec = packings[container].codec;
    return codec == NULL ? 0 : codec->scratch_len(HR_INDEX_CHUNK_MAX);
}

/* 3 per cent and more is worth decoding. */
static bool shrinks(size_t stored_len, size_t content_len)
{
    return stored_len <= content_len - content_len * 3 / 100 && stored_len < content_len;
}

static hr_status store(const packing *how, hr_codec_job *job)
{
    if (how->frames_stored) {
        job->store = true;
        return how->codec->encode(job);
    }
    return hr_codec_stored.encode(job);
}

hr_status hr_packed_encode(const hr_packed_recipe *recipe, const hr_span *content,
                           const hr_span *stored, const hr_span *scratch, hr_index_row *row_out)
{
    const packing *how = &packings[recipe->container];
    hr_codec_job job = {
        .source = *content,
        .target = *stored,
        .scratch = *scratch,
        .level = recipe->level,
        .element = recipe->element,
    };
    hr_index_row row = {
        .content_len = (uint32_t)content->len,
        .content_crc = hr_crc32c(0, content->addr, content->len),
        .codec = how->stored_id,
        .content_at = how->content_at,
    };
    hr_status status = HR_OK;
    if (how->codec == NULL) {
        row.stored_len = row.content_len;
        row.stored_crc = row.content_crc;
        *row_out = row;
        return HR_OK;
    }
    assert(stored->len >= HR_PACKED_ROOM && content->len <= HR_INDEX_CHUNK_MAX);
    status = how->codec->encode(&job);
    if (status == HR_OK && shrinks(job.len_out, content->len)) {
        row.codec = (uint8_t)how->codec->id;
        row.content_at = 0;
    } else if (status == HR_OK) {
        status = store(how, &job);
    }
    if (status != HR_OK)
        return status;
    if (row.codec != HR_CODEC_STORED)
        row.block_log2 = how->block_log2;
    row.stored_len = (uint32_t)job.len_out;
    row.stored_crc = hr_crc32c(0, stored->addr, row.stored_len);
    hr_index_gap_pack((uint8_t *)stored->addr + row.stored_len, hr_index_gap_len(row.stored_len));
    *row_out = row;
    return HR_OK;
}

hr_status hr_packed_check(const hr_index_row *row, const hr_span *stored, const hr_span *content,
                          const hr_span *scratch, const char **what_out)
{
    const hr_codec *codec = hr_codec_find(row->codec);
    assert(codec != NULL && stored->len >= row->stored_len); /* the index saw to it */
    *what_out = "its stored bytes do not match their digest";
    if (hr_crc32c(0, stored->addr, row->stored_len) != row->stored_crc)
        return HR_INTEGRITY;
    hr_codec_job job = {
        .source = hr_span_host((uint8_t *)stored->addr + row->content_at, row->stored_len),
        .target = hr_span_host(content->addr, row->content_len),
        .scratch = *scratch,
    };
    if (row->codec == HR_CODEC_STORED) {
        /* It is checked where it lies: nothing is copied. */
        job.source.len = row->content_len;
        job.target = job.source;
    }
    *what_out = "its stored bytes are not what its codec makes";
    hr_status status = codec->decode(&job);
    if (status == HR_UNSUPPORTED)
        *what_out = "its codec is of a later version: a newer Headrace reads it";
    if (status != HR_OK)
        return status;
    *what_out = "its content does not match its digest";
    if (job.len_out != row->content_len ||
        hr_crc32c(0, job.target.addr, job.len_out) != row->content_crc)
        return HR_INTEGRITY;
    return HR_OK;
}
