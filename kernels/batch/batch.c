/* SPDX-License-Identifier: Apache-2.0 */
#include "batch.h"

#include <string.h>

#include "batch_lanes.h"
#include "codec.h"
#include "crc32c.h"

static hr_status check(const hr_batch_job *job)
{
    if (job->codec != HR_CODEC_STORED && job->codec != HR_CODEC_LZ4 &&
        job->codec != HR_CODEC_PLANES)
        return HR_UNSUPPORTED;
    if (job->content_len > HR_BATCH_CONTENT_MAX || job->source_len > HR_BATCH_STORED_MAX ||
        job->target % 16 != 0 || (job->source_len > 0 && job->source == 0))
        return HR_INVALID;
    if (job->codec == HR_CODEC_STORED)
        return job->source_len == job->content_len ? HR_OK : HR_INVALID;
    return job->target != 0 || job->content_len == 0 ? HR_OK : HR_INVALID;
}

hr_status hr_batch_plan(hr_batch_job *jobs, uint32_t count, hr_batch *batch_out,
                        uint32_t *wrong_out)
{
    const uint32_t most = HR_BATCH_CONTENT_MAX / HR_BATCH_BLOCK_LEN;
    uint32_t blocks = 0;
    for (uint32_t i = 0; i < count; i++) {
        hr_status status = blocks > UINT32_MAX - most ? HR_INVALID : check(&jobs[i]);
        if (status != HR_OK) {
            *wrong_out = i;
            return status;
        }
        jobs[i].linear_crc = hr_crc32c_linear(jobs[i].content_crc, jobs[i].content_len);
        jobs[i].first_block = blocks;
        blocks += hr_batch_blocks_of(jobs[i].content_len);
    }
    *batch_out = (hr_batch){.jobs = count, .blocks = blocks};
    return HR_OK;
}

bool hr_batch_takes(uint32_t codec, const void *stored, size_t stored_len)
{
    const uint8_t frame[] = {0x04, 0x22, 0x4D, 0x18, 0x68, 0x40}; /* magic and flags: lz4_frame.h */
    if (codec == HR_CODEC_LZ4)
        return stored_len >= sizeof frame && memcmp(stored, frame, sizeof frame) == 0;
    return codec == HR_CODEC_STORED || codec == HR_CODEC_PLANES;
}

size_t hr_batch_scratch_len(const hr_batch *batch)
{
    return sizeof(hr_batch_table) + batch->blocks * sizeof(hr_batch_block) +
           batch->jobs * sizeof(hr_batch_state);
}
