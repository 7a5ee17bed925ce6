/* SPDX-License-Identifier: Apache-2.0 */
#include "device_gpu.h"

#include <stdio.h>
#include <string.h>

#include "batch_cuda.h"

/* GPU 0 stays open: nothing of CUDA's can be unloaded and loaded again. */
static hr_cuda cuda;
static hr_cuda_context *context;
static hr_batch_kernels kernels;

static hr_status open_device(hr_error *error)
{
    hr_cuda_device device = 0;
    hr_cuda_result result = cuda.device_get(&device, 0);
    if (result == HR_CUDA_SUCCESS)
        result = cuda.context_retain(&context, device);
    if (result == HR_CUDA_SUCCESS)
        result = hr_cuda_enter(&cuda, context); /* for good */
    if (result != HR_CUDA_SUCCESS)
        return hr_error_set(error, hr_cuda_status(result), "no GPU: %s",
                            hr_cuda_name(&cuda, result));
    return hr_batch_cuda_load(&cuda, device, &kernels, error);
}

bool device_gpu_there(char *text, size_t size)
{
    hr_error error = {.status = HR_OK};
    if (kernels.module != NULL)
        return true;
    hr_status status = hr_cuda_open(HR_CUDA_LIBRARY, &cuda, &error);
    if (status == HR_OK)
        status = open_device(&error);
    snprintf(text, size, "%s", error.text);
    return status == HR_OK;
}

/* Memory of the device, freed together. */
typedef struct device_memory {
    uint64_t stored, targets, scratch, jobs, statuses;
    hr_cuda_stream *stream;
} device_memory;

static hr_cuda_result take(device_memory *it, const hr_batch *batch, size_t stored_len,
                           size_t targets_len)
{
    const struct {
        uint64_t *address;
        size_t len;
    } parts[] = {
        {&it->stored, stored_len},
        {&it->targets, targets_len},
        {&it->scratch, hr_batch_scratch_len(batch)},
        {&it->jobs, batch->jobs * sizeof(hr_batch_job)},
        {&it->statuses, batch->jobs * sizeof(int32_t)},
    };
    hr_cuda_result result = cuda.stream_create(&it->stream, HR_CUDA_STREAM_NONBLOCKING);
    for (size_t i = 0; result == HR_CUDA_SUCCESS && i < sizeof parts / sizeof parts[0]; i++)
        result = cuda.mem_alloc(parts[i].address, parts[i].len);
    return result;
}

static void give_back(device_memory *it)
{
    for (const uint64_t *at = &it->stored; at <= &it->statuses; at++)
        if (*at != 0)
            (void)cuda.mem_free(*at);
    if (it->stream != NULL)
        (void)cuda.stream_destroy(it->stream);
}

static void move(hr_batch_job *jobs, uint32_t count, uint64_t source, uint64_t target)
{
    for (uint32_t i = 0; i < count; i++) {
        jobs[i].source += source;
        jobs[i].target += target;
    }
}

static hr_cuda_result copy(const device_memory *it, uint64_t target, uint64_t source, size_t len)
{
    return cuda.copy_async(target, source, len, it->stream);
}

static uint64_t address(const void *host)
{
    return (uint64_t)(uintptr_t)host;
}

static hr_cuda_result decode(const device_memory *it, const hr_batch *batch)
{
    const hr_batch_memory memory = {
        .jobs = (const hr_batch_job *)(uintptr_t)it->jobs,
        .scratch = (void *)(uintptr_t)it->scratch,
        .statuses = (int32_t *)(uintptr_t)it->statuses,
    };
    return hr_batch_cuda_decode(&kernels, it->stream, batch, &memory, 0);
}

hr_status device_gpu_run(hr_batch_job *jobs, uint32_t count, const uint8_t *stored,
                         size_t stored_len, uint8_t *targets, size_t targets_len, int32_t *statuses)
{
    device_memory it = {.stored = 0};
    hr_batch batch = {count, count * (HR_BATCH_CONTENT_MAX / HR_BATCH_BLOCK_LEN)};
    uint32_t wrong = 0;
    hr_cuda_result result = take(&it, &batch, stored_len, targets_len);
    if (result != HR_CUDA_SUCCESS) {
        give_back(&it);
        return hr_cuda_status(result);
    }
    move(jobs, count, it.stored, it.targets);
    hr_status status = hr_batch_plan(jobs, count, &batch, &wrong);
    memset(statuses, 0x55, count * sizeof *statuses);
    if (status == HR_OK)
        result = copy(&it, it.stored, address(stored), stored_len);
    if (status == HR_OK && result == HR_CUDA_SUCCESS)
        result = copy(&it, it.targets, address(targets), targets_len);
    if (status == HR_OK && result == HR_CUDA_SUCCESS)
        result = copy(&it, it.jobs, address(jobs), count * sizeof *jobs);
    if (status == HR_OK && result == HR_CUDA_SUCCESS)
        result = copy(&it, it.statuses, address(statuses), count * sizeof *statuses);
    if (status == HR_OK && result == HR_CUDA_SUCCESS)
        result = decode(&it, &batch);
    move(jobs, count, 0 - it.stored, 0 - it.targets);
    if (status == HR_OK && result == HR_CUDA_SUCCESS)
        result = copy(&it, address(targets), it.targets, targets_len);
    if (status == HR_OK && result == HR_CUDA_SUCCESS)
        result = copy(&it, address(statuses), it.statuses, count * sizeof *statuses);
    if (status == HR_OK && result == HR_CUDA_SUCCESS)
        result = cuda.stream_synchronize(it.stream);
    give_back(&it);
    return status != HR_OK ? status : hr_cuda_status(result);
}

hr_status device_gpu_decode(void *stream, const hr_batch *batch, const hr_batch_memory *memory,
                            unsigned max_sms)
{
    char text[200];
    if (!device_gpu_there(text, sizeof text))
        return HR_UNSUPPORTED;
    return hr_cuda_status(hr_batch_cuda_decode(&kernels, stream, batch, memory, max_sms));
}
