/* SPDX-License-Identifier: Apache-2.0 */
#include "batch_cuda.h"

#include <stdbool.h>
#include <string.h>

#include "batch_kernels.h"
#include "crc32c_lanes.h"

#include "crc32c.h"

/* HEADRACE_KERNELS: the file that nvcc made of batch_cuda.cu. */
#ifdef HEADRACE_KERNELS
__asm__(".pushsection .rodata\n"
        ".balign 64\n"
        ".globl hr_batch_image\n"
        ".hidden hr_batch_image\n"
        ".type hr_batch_image, @object\n"
        "hr_batch_image:\n"
        ".incbin \"" HEADRACE_KERNELS "\"\n"
        ".size hr_batch_image, . - hr_batch_image\n"
        ".popsection\n");
extern const unsigned char hr_batch_image[] __attribute__((visibility("hidden")));
#define HAS_KERNELS true
#else
#define HAS_KERNELS false
/* In PTX a comment and nothing else, which no driver loads. One that has kernels of its own does:
 * tests/fake_cuda, whose users then need no nvcc. */
static const char hr_batch_image[] = HR_BATCH_NO_KERNELS;
#endif

static hr_cuda_result make_table(hr_batch_kernels *kernels)
{
    const hr_cuda *cuda = kernels->cuda;
    hr_crc32c_lane_table table;
    hr_cuda_stream *stream;
    hr_crc32c_lane_table_make(&table);
    hr_cuda_result result = cuda->mem_alloc(&kernels->table, sizeof table);
    if (result != HR_CUDA_SUCCESS)
        return result;
    result = cuda->stream_create(&stream, HR_CUDA_STREAM_NONBLOCKING);
    if (result != HR_CUDA_SUCCESS)
        return result;
    result = cuda->copy_async(kernels->table, (uint64_t)(uintptr_t)&table, sizeof table, stream);
    if (result == HR_CUDA_SUCCESS)
        result = cuda->stream_synchronize(stream);
    (void)cuda->stream_destroy(stream);
    return result;
}

static hr_cuda_result load(hr_batch_kernels *kernels, hr_cuda_device device)
{
    const hr_cuda *cuda = kernels->cuda;
    int count = 0;
    hr_cuda_result result =
        cuda->device_get_attribute(&count, HR_CUDA_DEVICE_MULTIPROCESSORS, device);
    if (result == HR_CUDA_SUCCESS)
        result = cuda->module_load(&kernels->module, hr_batch_image);
    if (result == HR_CUDA_SUCCESS)
        result = cuda->module_get_function(&kernels->start, kernels->module, HR_BATCH_START_NAME);
    if (result == HR_CUDA_SUCCESS)
        result = cuda->module_get_function(&kernels->run, kernels->module, HR_BATCH_RUN_NAME);
    if (result == HR_CUDA_SUCCESS)
        result = make_table(kernels);
    kernels->multiprocessors = count < 1 ? 1 : (unsigned)count;
    return result;
}

hr_status hr_batch_cuda_load(const hr_cuda *cuda, hr_cuda_device device,
                             hr_batch_kernels *kernels_out, hr_error *error)
{
    hr_batch_kernels kernels = {.cuda = cuda};
    hr_cuda_result result = load(&kernels, device);
    if (result == HR_CUDA_SUCCESS) {
        *kernels_out = kernels;
        return HR_OK;
    }
    bool loaded = kernels.module != NULL;
    hr_batch_cuda_unload(&kernels);
    if (!loaded && !HAS_KERNELS)
        return hr_error_set(error, HR_UNSUPPORTED,
                            "this build has no kernels for GPUs: it was made without nvcc (%s, %d)",
                            hr_cuda_name(cuda, result), result);
    if (hr_cuda_status(result) == HR_UNSUPPORTED)
        return hr_error_set(error, HR_UNSUPPORTED,
                            "the kernels cannot run there (%s, %d): a GPU of compute capability "
                            "8.0 or newer is needed, and a driver that is not older than its CUDA",
                            hr_cuda_name(cuda, result), result);
    return hr_error_set(error, hr_cuda_status(result), "loading the kernels: %s (%d)",
                        hr_cuda_name(cuda, result), result);
}

void hr_batch_cuda_unload(hr_batch_kernels *kernels)
{
    if (kernels->table != 0)
        (void)kernels->cuda->mem_free(kernels->table);
    if (kernels->module != NULL)
        (void)kernels->cuda->module_unload(kernels->module);
    memset(kernels, 0, sizeof *kernels);
}

static hr_cuda_result start(const hr_batch_kernels *kernels, hr_cuda_function *function,
                            hr_cuda_stream *stream, unsigned grid, void **arguments)
{
    return kernels->cuda->launch(function, grid, 1, 1, HR_BATCH_THREADS, 1, 1, 0, stream, arguments,
                                 NULL);
}

hr_cuda_result hr_batch_cuda_decode(const hr_batch_kernels *kernels, hr_cuda_stream *stream,
                                    const hr_batch *batch, const hr_batch_memory *memory,
                                    unsigned max_sms)
{
    hr_batch shape = *batch;
    hr_batch_memory where = *memory;
    uint64_t table = kernels->table;
    void *arguments[] = {&shape, &where, &table};
    if (batch->jobs == 0)
        return HR_CUDA_SUCCESS;
    unsigned sms = kernels->multiprocessors;
    sms = max_sms != 0 && max_sms < sms ? max_sms : sms;
    unsigned needed = batch->blocks / HR_BATCH_WARPS + (batch->blocks % HR_BATCH_WARPS != 0);
    unsigned grid = sms * HR_BATCH_RESIDENT;
    grid = needed < grid ? needed : grid;
    hr_cuda_result result = start(kernels, kernels->start, stream,
                                  (batch->jobs + HR_BATCH_WARPS - 1) / HR_BATCH_WARPS, arguments);
    if (result == HR_CUDA_SUCCESS && grid > 0)
        result = start(kernels, kernels->run, stream, grid, arguments);
    return result;
}
