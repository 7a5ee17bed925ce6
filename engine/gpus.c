/* SPDX-License-Identifier: Apache-2.0 */
#include "gpus.h"

#include <stdio.h>

#include "engine.h"

void hr_gpus_init(hr_gpus *gpus)
{
    *gpus = (hr_gpus){.pinner = NULL};
    pthread_mutex_init(&gpus->lock, NULL);
}

/* What cannot be pinned is copied through memory of the driver's, which is slower and no failure:
 * the path says so. */
static void pin_slots(hr_gpus *gpus, hr_engine *engine, hr_gpu *gpu)
{
    hr_cuda_result result = hr_cuda_enter(gpu->cuda, gpu->context);
    if (result != HR_CUDA_SUCCESS)
        return;
    while (result == HR_CUDA_SUCCESS && gpus->pinned < engine->worker_count) {
        const hr_span *pool = &engine->workers[gpus->pinned].slots.pool;
        result = gpu->cuda->host_register(pool->addr, pool->len, HR_CUDA_PORTABLE);
        gpus->pinned += result == HR_CUDA_SUCCESS;
    }
    hr_cuda_leave(gpu->cuda);
    gpus->pinner = gpu;
    if (result != HR_CUDA_SUCCESS)
        snprintf(gpus->unpinned, sizeof gpus->unpinned, "%s", hr_cuda_name(gpu->cuda, result));
}

static void unpin_slots(hr_gpus *gpus, hr_engine *engine)
{
    hr_gpu *gpu = gpus->pinner;
    if (gpu == NULL || hr_cuda_enter(gpu->cuda, gpu->context) != HR_CUDA_SUCCESS)
        return;
    while (gpus->pinned > 0)
        (void)gpu->cuda->host_unregister(engine->workers[--gpus->pinned].slots.pool.addr);
    hr_cuda_leave(gpu->cuda);
}

/* An error of a kernel or a copy takes the context with it, for the whole process (CUDA's word is
 * sticky): any call tells. */
static hr_status check_context(const hr_gpu *gpu, hr_error *error)
{
    size_t free_len, total_len;
    hr_cuda_result result = hr_cuda_enter(gpu->cuda, gpu->context);
    if (result == HR_CUDA_SUCCESS) {
        result = gpu->cuda->mem_get_info(&free_len, &total_len);
        hr_cuda_leave(gpu->cuda);
    }
    return result == HR_CUDA_SUCCESS ? HR_OK
                                     : hr_gpu_fail(gpu, result, error, "since an earlier request");
}

hr_status hr_gpus_open(hr_gpus *gpus, hr_engine *engine, unsigned number, hr_gpu **gpu_out,
                       hr_error *error)
{
    hr_gpu *gpu = NULL;
    hr_status status = HR_OK;
    if (number >= HR_GPUS_MAX)
        return hr_error_set(error, HR_NOT_FOUND,
                            "cuda:%u does not exist: GPUs are numbered from 0 to %d here", number,
                            HR_GPUS_MAX - 1);
    pthread_mutex_lock(&gpus->lock);
    if (gpus->open[number] == NULL) {
        status = hr_gpu_open_on(engine->env, number, 0, &gpu, error);
        gpus->open[number] = gpu;
        if (status == HR_OK && gpus->pinner == NULL)
            pin_slots(gpus, engine, gpu);
    }
    gpu = gpus->open[number];
    pthread_mutex_unlock(&gpus->lock);
    if (status == HR_OK)
        status = check_context(gpu, error);
    if (status == HR_OK)
        *gpu_out = gpu;
    return status;
}

void hr_gpus_fini(hr_gpus *gpus, hr_engine *engine)
{
    unpin_slots(gpus, engine);
    for (unsigned i = 0; i < HR_GPUS_MAX; i++)
        hr_gpu_close(gpus->open[i]);
    pthread_mutex_destroy(&gpus->lock);
}
