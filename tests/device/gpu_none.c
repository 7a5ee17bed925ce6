/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for gpu.cu in a build without nvcc. */
#include <stdio.h>

#include "device_gpu.h"

bool device_gpu_there(char *text, size_t size)
{
    snprintf(text, size, "no GPU code: built without nvcc");
    return false;
}

hr_status device_gpu_run(hr_batch_job *jobs, uint32_t count, const uint8_t *stored,
                         size_t stored_len, uint8_t *targets, size_t targets_len, int32_t *statuses)
{
    (void)jobs;
    (void)count;
    (void)stored;
    (void)stored_len;
    (void)targets;
    (void)targets_len;
    (void)statuses;
    return HR_UNSUPPORTED;
}
