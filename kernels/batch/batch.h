/* SPDX-License-Identifier: Apache-2.0 */
/* Many chunks decoded and verified in one call, where they lie: a table of jobs in, a status a job
 * out. Nothing is allocated, and the host is not asked, for a chunk.
 *
 *   hr_batch_plan         on the host: checks the jobs and finds the blocks
 *   hr_batch_cuda_decode  (batch_cuda.h) puts two kernels into a stream: one looks for where the
 *                         blocks begin, one decodes them and compares the digests. Warps take
 * blocks from a counter
 *
 * Content is verified from the bytes that the kernel stored. Of a job whose status is not HR_OK the
 * target is not to be used. */
#ifndef HR_BATCH_H
#define HR_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HR_BATCH_BLOCK_LEN   (64u << 10)
#define HR_BATCH_CONTENT_MAX (4u << 20)
#define HR_BATCH_STORED_MAX  (HR_BATCH_CONTENT_MAX + (64u << 10))

/* Both addresses are the device's; the table is read by it too. */
typedef struct hr_batch_job {
    uint64_t source; /* stored bytes; codec stored: where the content begins in them */
    uint64_t target; /* a multiple of 16; 0 with codec stored: verified where it lies */
    uint32_t source_len, content_len;
    uint32_t content_crc;
    uint32_t codec;       /* hr_codec_id: stored, lz4 or planes */
    uint32_t linear_crc;  /* these two: hr_batch_plan */
    uint32_t first_block; /* of the batch */
} hr_batch_job;

typedef struct hr_batch {
    uint32_t jobs, blocks;
} hr_batch;

/* HR_INVALID: a length or an address that cannot be; HR_UNSUPPORTED: a codec that is not decoded
 * here. *wrong_out is the job then. */
HR_CHECKED hr_status hr_batch_plan(hr_batch_job *jobs, uint32_t count, hr_batch *batch_out,
                                   uint32_t *wrong_out);
/* Whether a chunk whose stored bytes lie in host memory is of a kind that is decoded here: LZ4
 * frames of others, and zstd, are the CPU's. */
bool hr_batch_takes(uint32_t codec, const void *stored, size_t stored_len);
/* Bytes of scratch that a batch takes, aligned to 16. */
size_t hr_batch_scratch_len(const hr_batch *batch);

/* In memory that the device reaches, all of it left alone until the stream has come past. */
typedef struct hr_batch_memory {
    const hr_batch_job *jobs; /* as planned */
    void *scratch;
    int32_t *statuses; /* an hr_status a job */
} hr_batch_memory;

#ifdef __cplusplus
}
#endif

#endif
