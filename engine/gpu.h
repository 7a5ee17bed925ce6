/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of hr_gpu: one GPU that is open: its context, its memory, its kernels, and tables for
 * batches. All of it is taken when it is opened; nothing is for a chunk. */
#ifndef HR_GPU_H
#define HR_GPU_H

#include "batch_cuda.h"
#include "headrace.h"
#include "memory.h"

#define HR_GPU_TABLES 4 /* batches of hr_gpu_decode that may be under way */

/* What one batch takes beside its chunks. */
typedef struct hr_gpu_table {
    hr_batch_job *jobs; /* pinned: filled by the caller, then left alone until the batch is over */
    int32_t *statuses;  /* pinned, and written by the GPU */
    hr_span host, device;
    uint32_t jobs_max;
    hr_cuda_event *done; /* recorded behind the batch */
    bool used;           /* it was, ever */
} hr_gpu_table;

struct hr_gpu {
    const hr_env *env;
    const hr_cuda *cuda;
    int number;
    hr_cuda_device device;
    hr_cuda_context *context;
    hr_memory *memory, *pinned;
    hr_batch_kernels kernels;
    unsigned max_sms; /* of hr_gpu_decode */
    hr_gpu_table tables[HR_GPU_TABLES];
    unsigned next_table;
    char name[80]; /* as the driver tells it */
};

/* Blocks. jobs_max: what a table of hr_gpu_decode holds; 0: there are none. */
HR_CHECKED hr_status hr_gpu_open_on(const hr_env *env, unsigned number, uint32_t jobs_max,
                                    hr_gpu **gpu_out, hr_error *error);

/* What follows wants the GPU's context to be current. */

HR_CHECKED hr_status hr_gpu_table_make(hr_gpu *gpu, uint32_t jobs_max, hr_gpu_table *table_out,
                                       hr_error *error);
void hr_gpu_table_release(hr_gpu *gpu, hr_gpu_table *table);
/* Plans the first count jobs of the table, and puts the batch into the stream. statuses: where each
 * job's is written; NULL: the table's own. HR_INVALID, HR_UNSUPPORTED: *wrong_out is the job. */
HR_CHECKED hr_status hr_gpu_table_run(hr_gpu *gpu, hr_gpu_table *table, uint32_t count,
                                      int32_t *statuses, unsigned max_sms, hr_cuda_stream *stream,
                                      uint32_t *wrong_out, hr_error *error);
/* All of it is memory of this GPU. */
bool hr_gpu_owns(const hr_gpu *gpu, const void *addr, size_t len);
/* "cuda:0: what: CUDA_ERROR_..., and what that means"; the status that it stands for. */
hr_status hr_gpu_fail(const hr_gpu *gpu, hr_cuda_result result, hr_error *error, const char *what);

#endif
