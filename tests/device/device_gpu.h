/* SPDX-License-Identifier: Apache-2.0 */
/* GPU 0 for tests, through the driver: its own, or the one of tests/fake_cuda. In a build without
 * nvcc there is none. */
#ifndef HR_DEVICE_GPU_H
#define HR_DEVICE_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch.h"

#ifdef __cplusplus
extern "C" {
#endif

/* False: why not is in text. */
bool device_gpu_there(char *text, size_t size);
/* A batch_runner (batch_check.h). targets goes there and comes back. */
hr_status device_gpu_run(hr_batch_job *jobs, uint32_t count, const uint8_t *stored,
                         size_t stored_len, uint8_t *targets, size_t targets_len,
                         int32_t *statuses);

/* hr_batch_cuda_decode in the primary context, which CUDA's runtime uses too. */
hr_status device_gpu_decode(void *stream, const hr_batch *batch, const hr_batch_memory *memory,
                            unsigned max_sms);

#ifdef __cplusplus
}
#endif

#endif
