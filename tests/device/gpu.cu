/* SPDX-License-Identifier: Apache-2.0 */
#include <cuda_runtime.h>
#include <stdio.h>

#include "device_gpu.h"

bool device_gpu_there(char *text, size_t size)
{
    int count = 0;
    cudaError_t error = cudaGetDeviceCount(&count);
    if (error == cudaSuccess && count > 0)
        return true;
    snprintf(text, size, "no GPU: %s",
             error == cudaSuccess ? "the driver counts none" : cudaGetErrorString(error));
    return false;
}

/* Memory of the device, freed together. */
typedef struct device_memory {
    uint8_t *stored, *targets, *scratch;
    hr_batch_job *jobs;
    int32_t *statuses;
} device_memory;

static bool take(device_memory *it, const hr_batch *batch, size_t stored_len, size_t targets_len)
{
    return cudaMalloc((void **)&it->stored, stored_len) == cudaSuccess &&
           cudaMalloc((void **)&it->targets, targets_len) == cudaSuccess &&
           cudaMalloc((void **)&it->scratch, hr_batch_scratch_len(batch)) == cudaSuccess &&
           cudaMalloc((void **)&it->jobs, batch->jobs * sizeof *it->jobs) == cudaSuccess &&
           cudaMalloc((void **)&it->statuses, batch->jobs * sizeof *it->statuses) == cudaSuccess;
}

static void move(hr_batch_job *jobs, uint32_t count, uint64_t source, uint64_t target)
{
    for (uint32_t i = 0; i < count; i++) {
        jobs[i].source += source;
        jobs[i].target += target;
    }
}

hr_status device_gpu_run(hr_batch_job *jobs, uint32_t count, const uint8_t *stored,
                         size_t stored_len, uint8_t *targets, size_t targets_len, int32_t *statuses)
{
    device_memory it = {};
    hr_batch batch = {count, count * (HR_BATCH_CONTENT_MAX / HR_BATCH_BLOCK_LEN)};
    uint32_t wrong = 0;
    hr_status status = HR_NO_MEMORY;
    if (!take(&it, &batch, stored_len, targets_len))
        goto free_memory;
    move(jobs, count, (uint64_t)(uintptr_t)it.stored, (uint64_t)(uintptr_t)it.targets);
    status = hr_batch_plan(jobs, count, &batch, &wrong);
    if (status == HR_OK) {
        const hr_batch_memory memory = {it.jobs, it.scratch, it.statuses};
        cudaMemcpy(it.stored, stored, stored_len, cudaMemcpyHostToDevice);
        cudaMemcpy(it.targets, targets, targets_len, cudaMemcpyHostToDevice);
        cudaMemcpy(it.jobs, jobs, count * sizeof *jobs, cudaMemcpyHostToDevice);
        cudaMemset(it.statuses, 0x55, count * sizeof *it.statuses);
        status = hr_batch_cuda_decode(NULL, &batch, &memory, 0);
    }
    move(jobs, count, 0 - (uint64_t)(uintptr_t)it.stored, 0 - (uint64_t)(uintptr_t)it.targets);
    if (status == HR_OK) {
        cudaMemcpy(targets, it.targets, targets_len, cudaMemcpyDeviceToHost);
        cudaMemcpy(statuses, it.statuses, count * sizeof *statuses, cudaMemcpyDeviceToHost);
        if (cudaGetLastError() != cudaSuccess)
            status = HR_IO;
    }
free_memory:
    cudaFree(it.stored);
    cudaFree(it.targets);
    cudaFree(it.scratch);
    cudaFree(it.jobs);
    cudaFree(it.statuses);
    return status;
}
