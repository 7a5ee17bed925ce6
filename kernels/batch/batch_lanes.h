/* SPDX-License-Identifier: Apache-2.0 */
/* What a group of lanes does for a batch: finds the blocks of a job, and decodes one block. */
#ifndef HR_BATCH_LANES_H
#define HR_BATCH_LANES_H

#include "batch.h"
#include "codec.h"
#include "crc32c_lanes.h"
#include "lane.h"
#include "lz4_checksum.h"
#include "lz4_lanes.h"
#include "planes_lanes.h"

/* In stored_len, which is shorter than either. */
#define HR_BATCH_RAW  UINT32_C(0x80000000) /* content as it is */
#define HR_BATCH_WIDE UINT32_C(0x40000000) /* planes of values of four bytes */

typedef struct hr_batch_block {
    uint32_t job, source_at, stored_len;
    uint32_t index; /* in its job */
} hr_batch_block;

/* Why a job has failed. */
#define HR_BATCH_DAMAGED 1u
#define HR_BATCH_LATER   2u /* by a version that is not known here */

typedef struct hr_batch_state {
    uint32_t crc, left, failed;
} hr_batch_state;

/* As it lies in scratch. */
typedef struct hr_batch_table {
    uint32_t next; /* block to be taken */
    uint32_t unused[3];
} hr_batch_table;

/* What all groups share. */
typedef struct hr_batch_view {
    const hr_batch_job *jobs;
    hr_batch_state *states;
    hr_batch_block *blocks;
    int32_t *statuses;
} hr_batch_view;

HR_LANE_FN hr_batch_view hr_batch_view_of(const hr_batch *batch, const hr_batch_memory *memory)
{
    uint8_t *at = (uint8_t *)memory->scratch + sizeof(hr_batch_table);
    hr_batch_view view;
    view.jobs = memory->jobs;
    view.blocks = (hr_batch_block *)at;
    view.states = (hr_batch_state *)(at + batch->blocks * sizeof(hr_batch_block));
    view.statuses = memory->statuses;
    return view;
}

/* ---- what several groups write ---- */

HR_LANE_FN void hr_batch_add_crc(hr_batch_state *state, uint32_t crc)
{
#if defined(__CUDACC__)
    atomicXor(&state->crc, crc);
#else
    state->crc ^= crc;
#endif
}

/* What this group wrote before is seen by the group that takes the last block away. */
HR_LANE_FN uint32_t hr_batch_take_left(hr_batch_state *state)
{
#if defined(__CUDACC__)
    __threadfence();
    uint32_t left = atomicSub(&state->left, 1u) - 1u;
    __threadfence();
    return left;
#else
    return --state->left;
#endif
}

HR_LANE_FN uint32_t hr_batch_read(const uint32_t *value)
{
#if defined(__CUDACC__)
    return *(const volatile uint32_t *)value;
#else
    return *value;
#endif
}

/* ---- finding blocks ---- */

HR_LANE_FN uint32_t hr_batch_min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

HR_LANE_FN uint32_t hr_batch_blocks_of(uint32_t content_len)
{
    return (content_len + HR_BATCH_BLOCK_LEN - 1) / HR_BATCH_BLOCK_LEN;
}

HR_LANE_FN uint32_t hr_batch_due(const hr_batch_job *job, uint32_t index)
{
    return hr_batch_min(job->content_len - index * HR_BATCH_BLOCK_LEN, HR_BATCH_BLOCK_LEN);
}

/* The n-th u32 of the source: bytes, as it may lie anywhere. */
HR_LANE_FN uint32_t hr_batch_u32(const hr_batch_job *job, uint32_t at)
{
    return hr_lane_load_u32((const uint8_t *)(uintptr_t)job->source, at, job->source_len);
}

/* The one header that a frame of this content may have: the checksum is made, not read. */
HR_LANE_FN bool hr_batch_lz4_header(const hr_batch_job *job)
{
    const uint8_t descriptor[HR_LZ4_DESCRIPTOR_LEN] = {0x68,
                                                       0x40,
                                                       (uint8_t)job->content_len,
                                                       (uint8_t)(job->content_len >> 8),
                                                       (uint8_t)(job->content_len >> 16),
                                                       (uint8_t)(job->content_len >> 24)};
    const uint8_t *source = (const uint8_t *)(uintptr_t)job->source;
    uint32_t wrong = hr_batch_u32(job, 0) ^ 0x184D2204u;
    for (uint32_t i = 0; i < HR_LZ4_DESCRIPTOR_LEN; i++)
        wrong |= source[4 + i] ^ descriptor[i];
    return wrong == 0 && source[14] == hr_lz4_frame_checksum(descriptor);
}

/* Of the values of a chunk of planes; 0: they are unknown. The source has eight bytes. */
HR_LANE_FN uint32_t hr_batch_planes_width(const hr_batch_job *job)
{
    const uint32_t word = hr_batch_u32(job, 4), version = 1;
    return word == (version | HR_ELEMENT_BF16 << 8)   ? 2
           : word == (version | HR_ELEMENT_FP32 << 8) ? 4
                                                      : 0;
}

/* Where the blocks begin after the header; 0: the header is not right. */
HR_LANE_FN uint32_t hr_batch_header(const hr_batch_job *job)
{
    const uint32_t lz4_len = 15, planes_len = 16, blocks = hr_batch_blocks_of(job->content_len);
    if (job->codec == HR_CODEC_LZ4)
        return job->source_len >= lz4_len + 4 && hr_batch_lz4_header(job) ? lz4_len : 0;
    return job->source_len >= planes_len + 4 * blocks && hr_batch_u32(job, 0) == 0x4C505248u &&
                   hr_batch_u32(job, 8) == job->content_len && hr_batch_u32(job, 12) == blocks
               ? planes_len + 4 * blocks
               : 0;
}

/* Fills blocks[0 ...]; false: they do not fill the source. */
HR_LANE_FN bool hr_batch_find(const hr_batch_job *job, uint32_t number, hr_batch_block *blocks)
{
    const uint32_t count = hr_batch_blocks_of(job->content_len);
    bool stored = job->codec == HR_CODEC_STORED, lz4 = job->codec == HR_CODEC_LZ4;
    uint32_t at = stored ? 0 : hr_batch_header(job);
    if (!stored && at == 0)
        return false;
    const uint32_t width = stored || lz4 ? 1 : hr_batch_planes_width(job);
    if (width == 0)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t due = hr_batch_due(job, i), left = job->source_len - at;
        if (lz4 && left < 4)
            return false;
        uint32_t len = stored ? due | HR_BATCH_RAW : hr_batch_u32(job, lz4 ? at : 16 + 4 * i);
        at += lz4 ? 4 : 0;
        left -= lz4 ? 4 : 0;
        uint32_t bytes = len & ~HR_BATCH_RAW;
        if (bytes == 0 || bytes > left || ((len & HR_BATCH_RAW) != 0 && bytes != due))
            return false;
        hr_batch_block block = {number, at, len | (width == 4 ? HR_BATCH_WIDE : 0), i};
        blocks[i] = block;
        at += bytes;
    }
    if (!lz4)
        return at == job->source_len;
    return job->source_len - at == 4 && hr_batch_u32(job, at) == 0;
}

/* As the codec says it of a chunk of planes. The lengths do not matter then. */
HR_LANE_FN bool hr_batch_is_later(const hr_batch_job *job)
{
    if (job->codec != HR_CODEC_PLANES || job->source_len < 16)
        return false;
    const uint32_t word = hr_batch_u32(job, 4);
    return hr_batch_u32(job, 0) == 0x4C505248u &&
           ((word & 0xFF) > 1 || word >> 8 > HR_ELEMENT_FP32);
}

HR_LANE_FN int32_t hr_batch_status(const hr_batch_state *state, uint32_t crc)
{
    const uint32_t failed = hr_batch_read(&state->failed);
    if (failed == HR_BATCH_LATER)
        return HR_UNSUPPORTED;
    return failed == 0 && hr_batch_read(&state->crc) == crc ? HR_OK : HR_INTEGRITY;
}

/* For each job, before any of its blocks. */
HR_LANE_FN void hr_batch_start_job(hr_lanes *lanes, const hr_batch_view *view, uint32_t number)
{
    const hr_batch_job *job = &view->jobs[number];
    hr_batch_block *blocks = &view->blocks[job->first_block];
    const uint32_t count = hr_batch_blocks_of(job->content_len);
    hr_batch_state state = {0, count, 0};
    HR_FOR_LANES(lanes, lane)
    {
        if (lane != 0)
            continue;
        if (!hr_batch_find(job, number, blocks))
            state.failed = hr_batch_is_later(job) ? HR_BATCH_LATER : HR_BATCH_DAMAGED;
        for (uint32_t i = 0; state.failed != 0 && i < count; i++) {
            hr_batch_block none = {number, 0, 0, i};
            blocks[i] = none;
        }
        view->states[number] = state;
        if (count == 0)
            view->statuses[number] = hr_batch_status(&view->states[number], job->linear_crc);
    }
}

/* ---- one block ---- */

/* What a group has at hand. */
typedef struct hr_batch_work {
    hr_batch_job job;
    hr_batch_block block;
    hr_lz4_window window;
} hr_batch_work;

/* The block's content in its place; false: it is not right. */
HR_LANE_FN bool hr_batch_decode_block(hr_lanes *lanes, hr_batch_work *work)
{
    const uint8_t *source = (const uint8_t *)(uintptr_t)work->job.source + work->block.source_at;
    const uint32_t at = work->block.index * HR_BATCH_BLOCK_LEN, flags = work->block.stored_len;
    const uint32_t due = hr_batch_due(&work->job, work->block.index), len = flags & ~HR_BATCH_WIDE;
    uint8_t *target = (uint8_t *)(uintptr_t)work->job.target + at;
    if (len == 0)
        return false;
    if ((len & HR_BATCH_RAW) != 0)
        return true; /* copied when it is digested */
    if (work->job.codec == HR_CODEC_LZ4)
        return hr_lz4_lanes(lanes, &work->window, source, len, target, due);
    /* Twice, with what a constant saves in registers. */
    if ((flags & HR_BATCH_WIDE) != 0)
        return hr_planes_lanes(lanes, 4, source, len, target, due);
    return hr_planes_lanes(lanes, 2, source, len, target, due);
}

/* Its share of the job's digest, of the bytes where they lie; raw content is brought there. */
HR_LANE_FN uint32_t hr_batch_digest_block(hr_lanes *lanes, const hr_crc32c_lane_table *table,
                                          const hr_batch_work *work)
{
    const uint32_t at = work->block.index * HR_BATCH_BLOCK_LEN;
    const uint32_t due = hr_batch_due(&work->job, work->block.index);
    const uint8_t *source = (const uint8_t *)(uintptr_t)work->job.target + at;
    uint8_t *target = NULL;
    if ((work->block.stored_len & HR_BATCH_RAW) != 0) {
        target = work->job.target != 0 ? (uint8_t *)(uintptr_t)work->job.target + at : NULL;
        source = (const uint8_t *)(uintptr_t)work->job.source + work->block.source_at;
    }
    return hr_crc32c_lanes(lanes, table, source, target, due, work->job.content_len - at - due);
}

HR_LANE_FN void hr_batch_finish_block(const hr_batch_view *view, const hr_batch_work *work,
                                      bool right, uint32_t crc)
{
    hr_batch_state *state = &view->states[work->block.job];
    if (right)
        hr_batch_add_crc(state, crc);
    else if (work->block.stored_len != 0) /* else it was said when blocks were looked for */
        state->failed = HR_BATCH_DAMAGED;
    if (hr_batch_take_left(state) == 0)
        view->statuses[work->block.job] = hr_batch_status(state, work->job.linear_crc);
}

HR_LANE_FN void hr_batch_run_block(hr_lanes *lanes, const hr_crc32c_lane_table *table,
                                   hr_batch_work *work, const hr_batch_view *view, uint32_t number)
{
    HR_FOR_LANES(lanes, lane)
    if (lane == 0) {
        work->block = view->blocks[number];
        work->job = view->jobs[work->block.job];
    }
    bool right = hr_batch_decode_block(lanes, work);
    uint32_t crc = right ? hr_batch_digest_block(lanes, table, work) : 0;
    HR_FOR_LANES(lanes, lane)
    if (lane == 0)
        hr_batch_finish_block(view, work, right, crc);
}

#endif
