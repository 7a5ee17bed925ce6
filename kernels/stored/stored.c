/* SPDX-License-Identifier: Apache-2.0 */
/* The codec that changes nothing: the reference for the others, and the one to copy. */
#include "codec.h"

#include <string.h>

static size_t stored_bound(size_t source_len)
{
    return source_len;
}

static size_t stored_scratch_len(size_t source_len)
{
    (void)source_len;
    return 0;
}

static size_t stored_decode_scratch_len(void)
{
    return 0;
}

static hr_status copy(hr_codec_job *job, hr_status too_small)
{
    if (job->source.kind != HR_MEMORY_HOST || job->target.kind != HR_MEMORY_HOST)
        return HR_UNSUPPORTED;
    if (job->source.len > job->target.len)
        return too_small;
    /* Content that was received where it belongs is decoded in place; memmove returns at once. */
    if (job->source.len > 0)
        memmove(job->target.addr, job->source.addr, job->source.len);
    job->len_out = job->source.len;
    return HR_OK;
}

static hr_status stored_encode(hr_codec_job *job)
{
    return copy(job, HR_NO_SPACE);
}

static hr_status stored_decode(hr_codec_job *job)
{
    return copy(job, HR_INTEGRITY);
}

const hr_codec hr_codec_stored = {
    .name = "stored",
    .id = HR_CODEC_STORED,
    .bound = stored_bound,
    .scratch_len = stored_scratch_len,
    .decode_scratch_len = stored_decode_scratch_len,
    .encode = stored_encode,
    .decode = stored_decode,
};
