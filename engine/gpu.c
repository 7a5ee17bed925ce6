/* SPDX-License-Identifier: Apache-2.0 */
#include "gpu.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define CHUNKS_DEFAULT 256u
#define CHUNKS_MAX     65536u

/* Results from here to the next are those of a context that is lost: whatever is tried in it
 * afterwards comes back with the same. */
enum { LOST_FIRST = 700, LOST_LAST = 719 };

/* ---- the driver ---- */

/* The driver is opened once and stays: it has threads and exit handlers, and no way to be unloaded.
 * A machine that has none is asked again the next time. */
static hr_status driver(const hr_cuda **cuda_out, hr_error *error)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static hr_cuda cuda;
    hr_status status = HR_OK;
    pthread_mutex_lock(&lock);
    if (cuda.library == NULL)
        status = hr_cuda_open(HR_CUDA_LIBRARY, &cuda, error);
    pthread_mutex_unlock(&lock);
    if (status == HR_OK)
        *cuda_out = &cuda;
    return status;
}

hr_status hr_gpu_fail(const hr_gpu *gpu, hr_cuda_result result, hr_error *error, const char *what)
{
    const char *more = "";
    if (result >= LOST_FIRST && result <= LOST_LAST)
        more = "; what this process has there is lost: start the program again, a new process gets "
               "the GPU back; its other GPUs, hosts and files go on";
    else if (result == HR_CUDA_OUT_OF_MEMORY)
        more = "; nvidia-smi says who holds its memory";
    return hr_error_set(error, hr_cuda_status(result), "cuda:%d: %s: %s (%d)%s", gpu->number, what,
                        hr_cuda_name(gpu->cuda, result), result, more);
}

/* ---- opening ---- */

static hr_status find_device(hr_gpu *gpu, hr_error *error)
{
    int count = 0;
    hr_cuda_result result = gpu->cuda->device_get_count(&count);
    if (result == HR_CUDA_SUCCESS && gpu->number >= count)
        return hr_error_set(error, HR_NOT_FOUND,
                            "cuda:%d does not exist: this machine has %d GPU%s, numbered from 0",
                            gpu->number, count, count == 1 ? "" : "s");
    if (result == HR_CUDA_SUCCESS)
        result = gpu->cuda->device_get(&gpu->device, gpu->number);
    if (result == HR_CUDA_SUCCESS)
        result = gpu->cuda->device_get_name(gpu->name, sizeof gpu->name, gpu->device);
    return result == HR_CUDA_SUCCESS ? HR_OK : hr_gpu_fail(gpu, result, error, "looking for it");
}

static hr_status open_memory(hr_gpu *gpu, hr_error *error)
{
    hr_status status = hr_memory_cuda_create(gpu->env, gpu->cuda, gpu->number, &gpu->memory);
    if (status == HR_OK)
        status = hr_memory_pinned_create(gpu->env, gpu->cuda, gpu->number, &gpu->pinned);
    if (status != HR_OK)
        return hr_error_set(error, status, "cuda:%d: making a context on it: %s", gpu->number,
                            hr_status_text(status));
    hr_cuda_result result = gpu->cuda->context_retain(&gpu->context, gpu->device);
    if (result == HR_CUDA_SUCCESS)
        return HR_OK;
    gpu->context = NULL;
    return hr_gpu_fail(gpu, result, error, "making a context on it");
}

static hr_status open_inside(hr_gpu *gpu, uint32_t jobs_max, hr_error *error)
{
    hr_error why = {.status = HR_OK};
    hr_status status = hr_batch_cuda_load(gpu->cuda, gpu->device, &gpu->kernels, &why);
    if (status != HR_OK)
        return hr_error_set(error, status, "cuda:%d: %s", gpu->number, why.text);
    for (unsigned i = 0; status == HR_OK && jobs_max > 0 && i < HR_GPU_TABLES; i++)
        status = hr_gpu_table_make(gpu, jobs_max, &gpu->tables[i], error);
    return status;
}

hr_status hr_gpu_open_on(const hr_env *env, unsigned number, uint32_t jobs_max, hr_gpu **gpu_out,
                         hr_error *error)
{
    hr_gpu *gpu = hr_alloc(env, sizeof *gpu);
    if (gpu == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "opening cuda:%u: out of memory", number);
    gpu->env = env;
    gpu->number = number > INT16_MAX ? INT16_MAX : (int)number;
    hr_status status = driver(&gpu->cuda, error);
    if (status == HR_OK)
        status = find_device(gpu, error);
    if (status == HR_OK)
        status = open_memory(gpu, error);
    if (status == HR_OK) {
        hr_cuda_result result = hr_cuda_enter(gpu->cuda, gpu->context);
        if (result == HR_CUDA_SUCCESS) {
            status = open_inside(gpu, jobs_max, error);
            hr_cuda_leave(gpu->cuda);
        } else {
            status = hr_gpu_fail(gpu, result, error, "entering its context");
        }
    }
    if (status != HR_OK) {
        hr_gpu_close(gpu);
        return status;
    }
    *gpu_out = gpu;
    return HR_OK;
}

hr_status hr_gpu_open(const hr_gpu_options *options, hr_gpu **gpu_out, hr_error *error)
{
    uint32_t chunks = options->chunks_max != 0 ? options->chunks_max : CHUNKS_DEFAULT;
    if (chunks > CHUNKS_MAX)
        return hr_error_set(error, HR_INVALID,
                            "batches of %u chunks were asked for; at most %u can be had", chunks,
                            CHUNKS_MAX);
    hr_status status = hr_gpu_open_on(hr_env_system(), options->device, chunks, gpu_out, error);
    if (status == HR_OK)
        (*gpu_out)->max_sms = options->max_sms;
    return status;
}

void hr_gpu_close(hr_gpu *gpu)
{
    if (gpu == NULL)
        return;
    if (gpu->context != NULL) {
        if (hr_cuda_enter(gpu->cuda, gpu->context) == HR_CUDA_SUCCESS) {
            for (unsigned i = 0; i < HR_GPU_TABLES; i++)
                hr_gpu_table_release(gpu, &gpu->tables[i]);
            hr_batch_cuda_unload(&gpu->kernels);
            hr_cuda_leave(gpu->cuda);
        }
        (void)gpu->cuda->context_release(gpu->device);
    }
    hr_memory_destroy(gpu->pinned);
    hr_memory_destroy(gpu->memory);
    hr_release(gpu->env, gpu);
}

const char *hr_gpu_name(const hr_gpu *gpu)
{
    return gpu->name;
}

/* ---- batches ---- */

hr_status hr_gpu_table_make(hr_gpu *gpu, uint32_t jobs_max, hr_gpu_table *table_out,
                            hr_error *error)
{
    const hr_batch most = {jobs_max, jobs_max * (HR_BATCH_CONTENT_MAX / HR_BATCH_BLOCK_LEN)};
    const size_t jobs_len = jobs_max * sizeof(hr_batch_job);
    hr_gpu_table table = {.jobs_max = jobs_max};
    hr_page_kind pages;
    hr_status status = gpu->pinned->ops->alloc(gpu->pinned, jobs_len + jobs_max * sizeof(int32_t),
                                               &table.host, &pages);
    if (status == HR_OK)
        status = gpu->memory->ops->alloc(gpu->memory, jobs_len + hr_batch_scratch_len(&most),
                                         &table.device, &pages);
    hr_cuda_result result =
        status == HR_OK ? gpu->cuda->event_create(&table.done, HR_CUDA_EVENT_QUIET) : 0;
    if (status == HR_OK && result == HR_CUDA_SUCCESS) {
        table.jobs = table.host.addr;
        table.statuses = (int32_t *)(void *)((uint8_t *)table.host.addr + jobs_len);
        *table_out = table;
        return HR_OK;
    }
    if (result != HR_CUDA_SUCCESS) {
        table.done = NULL;
        status = hr_gpu_fail(gpu, result, error, "making an event");
    } else {
        hr_error_set(error, status, "cuda:%d: tables for batches of %u chunks: %s", gpu->number,
                     jobs_max, hr_status_text(status));
    }
    hr_gpu_table_release(gpu, &table);
    return status;
}

void hr_gpu_table_release(hr_gpu *gpu, hr_gpu_table *table)
{
    if (table->used)
        (void)gpu->cuda->event_synchronize(table->done);
    if (table->done != NULL)
        (void)gpu->cuda->event_destroy(table->done);
    if (table->host.addr != NULL)
        gpu->pinned->ops->release(gpu->pinned, &table->host);
    if (table->device.addr != NULL)
        gpu->memory->ops->release(gpu->memory, &table->device);
    *table = (hr_gpu_table){0};
}

hr_status hr_gpu_table_run(hr_gpu *gpu, hr_gpu_table *table, uint32_t count, int32_t *statuses,
                           unsigned max_sms, hr_cuda_stream *stream, uint32_t *wrong_out,
                           hr_error *error)
{
    const size_t jobs_len = table->jobs_max * sizeof(hr_batch_job);
    uint8_t *device = table->device.addr;
    hr_batch batch;
    hr_status status = hr_batch_plan(table->jobs, count, &batch, wrong_out);
    if (status != HR_OK)
        return status;
    /* What a kernel that never ran leaves must not pass for an answer. */
    for (uint32_t i = 0; i < count; i++)
        table->statuses[i] = HR_IO;
    const hr_batch_memory memory = {
        .jobs = (const hr_batch_job *)(const void *)device,
        .scratch = device + jobs_len,
        .statuses = statuses != NULL ? statuses : table->statuses,
    };
    const char *what = "copying a table there";
    hr_cuda_result result =
        gpu->cuda->copy_async((uint64_t)(uintptr_t)device, (uint64_t)(uintptr_t)table->jobs,
                              count * sizeof(hr_batch_job), stream);
    if (result == HR_CUDA_SUCCESS) {
        what = "starting its kernels";
        result = hr_batch_cuda_decode(&gpu->kernels, stream, &batch, &memory, max_sms);
    }
    /* Also behind a failure: what did get into the stream reads the table. */
    hr_cuda_result recorded = gpu->cuda->event_record(table->done, stream);
    table->used = table->used || recorded == HR_CUDA_SUCCESS;
    if (result == HR_CUDA_SUCCESS && recorded != HR_CUDA_SUCCESS) {
        what = "recording an event";
        result = recorded;
    }
    return result == HR_CUDA_SUCCESS ? HR_OK : hr_gpu_fail(gpu, result, error, what);
}

/* ---- what the caller has there ---- */

bool hr_gpu_owns(const hr_gpu *gpu, const void *addr, size_t len)
{
    const hr_cuda *cuda = gpu->cuda;
    const uint64_t at = (uint64_t)(uintptr_t)addr;
    uint32_t type = 0;
    uint64_t start = 0;
    size_t range = 0;
    int device = -1;
    return cuda->pointer_get_attribute(&type, HR_CUDA_POINTER_MEMORY_TYPE, at) == 0 && type == 2 &&
           cuda->pointer_get_attribute(&device, HR_CUDA_POINTER_DEVICE, at) == 0 &&
           device == gpu->number &&
           cuda->pointer_get_attribute(&start, HR_CUDA_POINTER_RANGE_START, at) == 0 &&
           cuda->pointer_get_attribute(&range, HR_CUDA_POINTER_RANGE_LEN, at) == 0 && at >= start &&
           len <= range && at - start <= range - len;
}

/* The kernels write there: memory of the GPU, or of the host and pinned. */
static hr_status check_statuses(const hr_gpu *gpu, const int32_t *statuses, hr_error *error)
{
    uint32_t type = 0;
    if (statuses != NULL && gpu->cuda->pointer_get_attribute(&type, HR_CUDA_POINTER_MEMORY_TYPE,
                                                             (uint64_t)(uintptr_t)statuses) == 0)
        return HR_OK;
    return hr_error_set(error, HR_INVALID,
                        "cuda:%d: the statuses are to lie in memory that it reaches: its own, or "
                        "the host's and pinned",
                        gpu->number);
}

static hr_status check_chunk(const hr_gpu *gpu, const hr_gpu_chunk *chunk, size_t number,
                             hr_error *error)
{
    const char *what = NULL;
    if (chunk->content != NULL && (uintptr_t)chunk->content % 16 != 0)
        what = "its content's address is no multiple of 16";
    else if (chunk->stored_len > 0 && !hr_gpu_owns(gpu, chunk->stored, chunk->stored_len))
        what = "its stored bytes are not in this GPU's memory";
    else if (chunk->content != NULL && chunk->content_len > 0 &&
             !hr_gpu_owns(gpu, chunk->content, chunk->content_len))
        what = "its content would not lie in this GPU's memory";
    return what == NULL ? HR_OK
                        : hr_error_set(error, HR_INVALID, "cuda:%d, chunk %zu of the batch: %s",
                                       gpu->number, number, what);
}

static hr_status take_table(hr_gpu *gpu, size_t count, hr_gpu_table **table_out, hr_error *error)
{
    hr_gpu_table *table = &gpu->tables[gpu->next_table];
    if (count > table->jobs_max)
        return hr_error_set(error, HR_INVALID,
                            "a batch of %zu chunks; cuda:%d was opened for at most %u", count,
                            gpu->number, table->jobs_max);
    hr_cuda_result result = table->used ? gpu->cuda->event_query(table->done) : HR_CUDA_SUCCESS;
    if (result == HR_CUDA_NOT_READY)
        return hr_error_set(error, HR_AGAIN, "%d batches are under way on cuda:%d", HR_GPU_TABLES,
                            gpu->number);
    if (result != HR_CUDA_SUCCESS)
        return hr_gpu_fail(gpu, result, error, "an earlier batch");
    *table_out = table;
    return HR_OK;
}

static hr_status decode(hr_gpu *gpu, const hr_gpu_chunk *chunks, size_t count, int32_t *statuses,
                        void *stream, void *event, hr_error *error)
{
    hr_gpu_table *table = NULL;
    hr_error why = {.status = HR_OK};
    uint32_t wrong = 0;
    hr_status status = take_table(gpu, count, &table, error);
    if (table == NULL)
        return status;
    if (status == HR_OK)
        status = check_statuses(gpu, statuses, error);
    for (size_t i = 0; status == HR_OK && i < count; i++) {
        status = check_chunk(gpu, &chunks[i], i, error);
        table->jobs[i] = (hr_batch_job){
            .source = (uint64_t)(uintptr_t)chunks[i].stored,
            .target = (uint64_t)(uintptr_t)chunks[i].content,
            .source_len = chunks[i].stored_len,
            .content_len = chunks[i].content_len,
            .content_crc = chunks[i].content_crc,
            .codec = chunks[i].codec,
        };
    }
    if (status != HR_OK)
        return status;
    status =
        hr_gpu_table_run(gpu, table, (uint32_t)count, statuses, gpu->max_sms, stream, &wrong, &why);
    if (why.status == HR_OK && status != HR_OK)
        return hr_error_set(error, status, "cuda:%d, chunk %u of the batch: %s", gpu->number, wrong,
                            status == HR_UNSUPPORTED ? "its codec is not decoded on a GPU"
                                                     : "its lengths cannot be");
    if (status != HR_OK)
        return hr_error_set(error, status, "%s", why.text);
    gpu->next_table = (gpu->next_table + 1) % HR_GPU_TABLES;
    hr_cuda_result result =
        event != NULL ? gpu->cuda->event_record(event, stream) : HR_CUDA_SUCCESS;
    return result == HR_CUDA_SUCCESS ? HR_OK
                                     : hr_gpu_fail(gpu, result, error, "recording the event");
}

hr_status hr_gpu_decode(hr_gpu *gpu, const hr_gpu_chunk *chunks, size_t count, int32_t *statuses,
                        void *stream, void *event, hr_error *error)
{
    hr_cuda_result result = hr_cuda_enter(gpu->cuda, gpu->context);
    if (result != HR_CUDA_SUCCESS)
        return hr_gpu_fail(gpu, result, error, "entering its context");
    hr_status status = decode(gpu, chunks, count, statuses, stream, event, error);
    hr_cuda_leave(gpu->cuda);
    return status;
}
