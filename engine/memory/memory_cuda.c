/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of a GPU, and host memory that it copies from without help of the CPU. Both belong to the
 * device's primary context, which the CUDA runtime of the same program shares. Calls come from any
 * thread, so each makes the context current and puts back what was. */
#include <assert.h>
#include <unistd.h>

#include "cuda.h"
#include "memory.h"

/* The driver maps memory in pieces of this size: whole ones are aligned to it, and RDMA wants that.
 */
#define PIECE_LEN ((size_t)2 << 20)

typedef struct cuda_memory {
    hr_memory base;
    const hr_cuda *cuda;
    hr_cuda_device device;
    int16_t ordinal;
    hr_cuda_context *context;
    hr_cuda_stream *stream; /* of copy */
} cuda_memory;

static size_t round_up(size_t len)
{
    return (len + PIECE_LEN - 1) / PIECE_LEN * PIECE_LEN;
}

static hr_status enter(const cuda_memory *it)
{
    return hr_cuda_status(hr_cuda_enter(it->cuda, it->context));
}

static void leave(const cuda_memory *it)
{
    hr_cuda_leave(it->cuda);
}

static hr_status device_alloc(hr_memory *memory, size_t len, hr_span *span_out,
                              hr_page_kind *pages_out)
{
    const cuda_memory *it = (cuda_memory *)memory;
    uint64_t address = 0;
    assert(len > 0);
    if (len > SIZE_MAX / 2)
        return HR_NO_MEMORY;
    hr_status status = enter(it);
    if (status != HR_OK)
        return status;
    status = hr_cuda_status(it->cuda->mem_alloc(&address, round_up(len)));
    leave(it);
    if (status != HR_OK)
        return status;
    assert(address % 4096 == 0);
    *span_out = (hr_span){.addr = (void *)(uintptr_t)address,
                          .len = len,
                          .kind = HR_MEMORY_CUDA,
                          .device = it->ordinal,
                          .dmabuf_fd = -1};
    *pages_out = HR_PAGES_DEVICE;
    return HR_OK;
}

static void device_release(hr_memory *memory, hr_span *span)
{
    const cuda_memory *it = (cuda_memory *)memory;
    if (span->addr == NULL)
        return;
    if (enter(it) == HR_OK) {
        (void)it->cuda->mem_free((uint64_t)(uintptr_t)span->addr);
        leave(it);
    }
    *span = hr_span_host(NULL, 0);
}

/* CUDA wants whole pages of the host's (cuda.h, cuMemGetHandleForAddressRange); of what cuMemAlloc
 * gave, and of what cuMemMap has mapped to its last byte, whose pieces lie on one device. What else
 * lies in the first and the last page is not registered: the span keeps its length. */
static hr_status device_dmabuf(hr_memory *memory, const hr_span *span, hr_span *dmabuf_out)
{
    const cuda_memory *it = (cuda_memory *)memory;
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), at = (uint64_t)(uintptr_t)span->addr;
    const uint64_t first = at / page * page, end = (at + span->len + page - 1) / page * page;
    int supported = 0, fd = -1;
    assert(span->kind == HR_MEMORY_CUDA && span->len > 0);
    hr_status status = enter(it);
    if (status != HR_OK)
        return status;
    status = hr_cuda_status(
        it->cuda->device_get_attribute(&supported, HR_CUDA_DEVICE_DMA_BUF, it->device));
    if (status == HR_OK && supported == 0)
        status = HR_UNSUPPORTED;
    if (status == HR_OK)
        status = hr_cuda_status(it->cuda->mem_get_handle(&fd, first, (size_t)(end - first),
                                                         HR_CUDA_HANDLE_DMA_BUF_FD, 0));
    leave(it);
    if (status == HR_OK)
        *dmabuf_out = (hr_span){.addr = (void *)(uintptr_t)(at - first),
                                .len = span->len,
                                .kind = HR_MEMORY_DMABUF,
                                .device = it->ordinal,
                                .dmabuf_fd = fd};
    return status;
}

static hr_status pinned_alloc(hr_memory *memory, size_t len, hr_span *span_out,
                              hr_page_kind *pages_out)
{
    const cuda_memory *it = (cuda_memory *)memory;
    void *address = NULL;
    assert(len > 0);
    if (len > SIZE_MAX / 2)
        return HR_NO_MEMORY;
    hr_status status = enter(it);
    if (status != HR_OK)
        return status;
    status = hr_cuda_status(it->cuda->host_alloc(&address, round_up(len), HR_CUDA_PORTABLE));
    leave(it);
    if (status != HR_OK)
        return status;
    *span_out = hr_span_host(address, len);
    *pages_out = HR_PAGES_PLAIN;
    return HR_OK;
}

static void pinned_release(hr_memory *memory, hr_span *span)
{
    const cuda_memory *it = (cuda_memory *)memory;
    if (span->addr == NULL)
        return;
    if (enter(it) == HR_OK) {
        (void)it->cuda->host_free(span->addr);
        leave(it);
    }
    *span = hr_span_host(NULL, 0);
}

/* Addresses are unified: the driver knows which side each lies on. */
static hr_status cuda_copy(hr_memory *memory, const hr_span *target, const hr_span *source)
{
    const cuda_memory *it = (cuda_memory *)memory;
    assert(target->len == source->len);
    if (target->kind == HR_MEMORY_DMABUF || source->kind == HR_MEMORY_DMABUF)
        return HR_UNSUPPORTED;
    hr_status status = enter(it);
    if (status != HR_OK)
        return status;
    status = hr_cuda_status(it->cuda->copy_async((uint64_t)(uintptr_t)target->addr,
                                                 (uint64_t)(uintptr_t)source->addr, source->len,
                                                 it->stream));
    if (status == HR_OK)
        status = hr_cuda_status(it->cuda->stream_synchronize(it->stream));
    leave(it);
    return status;
}

static void cuda_destroy(hr_memory *memory)
{
    cuda_memory *it = (cuda_memory *)memory;
    if (enter(it) == HR_OK) {
        (void)it->cuda->stream_destroy(it->stream);
        leave(it);
    }
    (void)it->cuda->context_release(it->device);
    hr_release(memory->env, it);
}

static const hr_memory_ops device_ops = {
    .name = "cuda",
    .kind = HR_MEMORY_CUDA,
    .destroy = cuda_destroy,
    .alloc = device_alloc,
    .release = device_release,
    .copy = cuda_copy,
    .dmabuf = device_dmabuf,
};

static const hr_memory_ops pinned_ops = {
    .name = "pinned",
    .kind = HR_MEMORY_HOST,
    .destroy = cuda_destroy,
    .alloc = pinned_alloc,
    .release = pinned_release,
    .copy = cuda_copy,
};

static hr_status open_device(cuda_memory *it)
{
    const hr_cuda *cuda = it->cuda;
    hr_status status = hr_cuda_status(cuda->device_get(&it->device, it->ordinal));
    if (status == HR_OK)
        status = hr_cuda_status(cuda->context_retain(&it->context, it->device));
    if (status != HR_OK)
        return status;
    status = enter(it);
    if (status == HR_OK) {
        status = hr_cuda_status(cuda->stream_create(&it->stream, HR_CUDA_STREAM_NONBLOCKING));
        leave(it);
    }
    if (status != HR_OK)
        (void)cuda->context_release(it->device);
    return status;
}

static hr_status create(const hr_env *env, const hr_cuda *cuda, int device,
                        const hr_memory_ops *ops, hr_memory **memory_out)
{
    if (device < 0 || device > INT16_MAX)
        return HR_NOT_FOUND;
    cuda_memory *it = hr_alloc(env, sizeof *it);
    if (it == NULL)
        return HR_NO_MEMORY;
    *it = (cuda_memory){.base = {.ops = ops, .env = env}, .cuda = cuda, .ordinal = (int16_t)device};
    hr_status status = open_device(it);
    if (status != HR_OK) {
        hr_release(env, it);
        /* An ordinal that does not exist is an invalid value to some drivers. */
        return status == HR_INVALID ? HR_NOT_FOUND : status;
    }
    *memory_out = &it->base;
    return HR_OK;
}

hr_status hr_memory_cuda_create(const hr_env *env, const hr_cuda *cuda, int device,
                                hr_memory **memory_out)
{
    return create(env, cuda, device, &device_ops, memory_out);
}

hr_status hr_memory_pinned_create(const hr_env *env, const hr_cuda *cuda, int device,
                                  hr_memory **memory_out)
{
    return create(env, cuda, device, &pinned_ops, memory_out);
}
