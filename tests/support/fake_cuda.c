/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_cuda.h"

#include <stdlib.h>
#include <string.h>

enum { INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_DEVICE = 101, INVALID_CONTEXT = 201 };

#define MEMORY_MAX ((size_t)256 << 20)

static int retained, pushed, streams, allocations;
static char context_mark, stream_mark; /* their addresses are the handles */

static hr_cuda_result device_get(hr_cuda_device *device, int ordinal)
{
    if (ordinal >= FAKE_CUDA_DEVICES)
        return INVALID_DEVICE;
    *device = ordinal;
    return 0;
}

static hr_cuda_result context_retain(hr_cuda_context **context, hr_cuda_device device)
{
    (void)device;
    retained++;
    *context = (hr_cuda_context *)&context_mark;
    return 0;
}

static hr_cuda_result context_release(hr_cuda_device device)
{
    (void)device;
    retained--;
    return 0;
}

static hr_cuda_result context_push(hr_cuda_context *context)
{
    if (context != (hr_cuda_context *)&context_mark || retained == 0)
        return INVALID_CONTEXT;
    pushed++;
    return 0;
}

static hr_cuda_result context_pop(hr_cuda_context **context)
{
    if (pushed == 0)
        return INVALID_CONTEXT;
    pushed--;
    *context = (hr_cuda_context *)&context_mark;
    return 0;
}

static hr_cuda_result host_alloc(void **address, size_t len, unsigned flags)
{
    (void)flags;
    if (pushed == 0)
        return INVALID_CONTEXT;
    void *memory = len <= MEMORY_MAX ? aligned_alloc(4096, len) : NULL;
    if (memory == NULL)
        return OUT_OF_MEMORY;
    allocations++;
    *address = memory;
    return 0;
}

static hr_cuda_result host_free(void *address)
{
    if (pushed == 0)
        return INVALID_CONTEXT;
    free(address);
    allocations--;
    return 0;
}

static hr_cuda_result mem_alloc(uint64_t *address, size_t len)
{
    void *memory;
    hr_cuda_result result = host_alloc(&memory, len, 0);
    if (result == 0)
        *address = (uint64_t)(uintptr_t)memory;
    return result;
}

static hr_cuda_result mem_free(uint64_t address)
{
    return host_free((void *)(uintptr_t)address);
}

static hr_cuda_result stream_create(hr_cuda_stream **stream, unsigned flags)
{
    (void)flags;
    if (pushed == 0)
        return INVALID_CONTEXT;
    streams++;
    *stream = (hr_cuda_stream *)&stream_mark;
    return 0;
}

static hr_cuda_result stream_destroy(hr_cuda_stream *stream)
{
    if (stream != (hr_cuda_stream *)&stream_mark)
        return INVALID_VALUE;
    streams--;
    return 0;
}

static hr_cuda_result stream_synchronize(hr_cuda_stream *stream)
{
    return stream == (hr_cuda_stream *)&stream_mark && pushed > 0 ? 0 : INVALID_CONTEXT;
}

static hr_cuda_result copy_async(uint64_t target, uint64_t source, size_t len,
                                 hr_cuda_stream *stream)
{
    if (pushed == 0 || stream != (hr_cuda_stream *)&stream_mark)
        return INVALID_CONTEXT;
    memcpy((void *)(uintptr_t)target, (const void *)(uintptr_t)source, len);
    return 0;
}

const hr_cuda *fake_cuda(void)
{
    static const hr_cuda cuda = {
        .device_get = device_get,
        .context_retain = context_retain,
        .context_release = context_release,
        .context_push = context_push,
        .context_pop = context_pop,
        .mem_alloc = mem_alloc,
        .mem_free = mem_free,
        .host_alloc = host_alloc,
        .host_free = host_free,
        .stream_create = stream_create,
        .stream_destroy = stream_destroy,
        .stream_synchronize = stream_synchronize,
        .copy_async = copy_async,
    };
    return &cuda;
}

int fake_cuda_left(void)
{
    return retained + pushed + streams + allocations;
}
