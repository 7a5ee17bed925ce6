/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of a batch on a GPU, through the driver. What nvcc made of batch_cuda.cu is a part of
 * the program; the driver takes what fits its GPU, or compiles it. Every call wants the GPU's
 * context to be current. */
#ifndef HR_BATCH_CUDA_H
#define HR_BATCH_CUDA_H

#include "batch.h"
#include "cuda.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hr_batch_kernels {
    const hr_cuda *cuda;
    hr_cuda_module *module;
    hr_cuda_function *start, *run;
    uint64_t table; /* of the digests, in the GPU's memory */
    unsigned multiprocessors;
} hr_batch_kernels;

/* HR_UNSUPPORTED: there are none, or none for this GPU; error has the sentence. Blocks. */
HR_CHECKED hr_status hr_batch_cuda_load(const hr_cuda *cuda, hr_cuda_device device,
                                        hr_batch_kernels *kernels_out, hr_error *error);
void hr_batch_cuda_unload(hr_batch_kernels *kernels);
/* Puts two kernels into the stream. max_sms: how many multiprocessors at most; 0: all. Returns
 * before anything has run. */
HR_CHECKED hr_cuda_result hr_batch_cuda_decode(const hr_batch_kernels *kernels,
                                               hr_cuda_stream *stream, const hr_batch *batch,
                                               const hr_batch_memory *memory, unsigned max_sms);

#ifdef __cplusplus
}
#endif

#endif
