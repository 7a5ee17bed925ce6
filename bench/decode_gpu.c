/* SPDX-License-Identifier: Apache-2.0 */
#include "decode_gpu.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "cuda.h"
#include "env.h"
#include "headrace.h"
#include "memory.h"

#define UNDER_WAY  2 /* one waits while the other is decoded */
#define ALIGN      16
#define CHUNKS_MAX 16

typedef struct gpu_run {
    const hr_bench_gpu_work *work;
    hr_gpu *gpu;
    hr_cuda cuda;
    hr_memory *memory, *pinned;
    hr_cuda_device device;
    hr_cuda_context *context;
    bool is_open, is_inside;
    hr_span stored, contents, statuses;
    hr_cuda_stream *stream;
    hr_cuda_event *events[UNDER_WAY];
    hr_gpu_chunk chunks[HR_BENCH_GPU_BATCH_MAX];
} gpu_run;

static hr_status told(const gpu_run *run, hr_cuda_result result, const char *call, hr_error *error)
{
    if (result == HR_CUDA_SUCCESS)
        return HR_OK;
    return hr_error_set(error, hr_cuda_status(result), "cuda:%u: %s: %s", run->work->gpu, call,
                        hr_cuda_name(&run->cuda, result));
}

/* ---- what it takes ---- */

static hr_status open_gpu(gpu_run *run, hr_error *error)
{
    const hr_gpu_options options = {.device = run->work->gpu, .chunks_max = run->work->batch};
    hr_status status = hr_gpu_open(&options, &run->gpu, error);
    if (status == HR_OK)
        status = hr_cuda_open(HR_CUDA_LIBRARY, &run->cuda, error);
    run->is_open = status == HR_OK;
    if (status == HR_OK)
        status = told(run, run->cuda.device_get(&run->device, (int)run->work->gpu), "cuDeviceGet",
                      error);
    if (status == HR_OK)
        status = told(run, run->cuda.context_retain(&run->context, run->device),
                      "cuDevicePrimaryCtxRetain", error);
    if (status == HR_OK)
        status = told(run, hr_cuda_enter(&run->cuda, run->context), "cuCtxPushCurrent", error);
    run->is_inside = status == HR_OK;
    return status;
}

static hr_status take(gpu_run *run, hr_memory *memory, size_t len, hr_span *span_out,
                      hr_error *error)
{
    hr_page_kind pages;
    hr_status status = memory->ops->alloc(memory, len, span_out, &pages);
    if (status != HR_OK)
        return hr_error_set(error, status, "cuda:%u: %zu MiB of %s memory: %s", run->work->gpu,
                            len >> 20, memory->ops->name, hr_status_text(status));
    return HR_OK;
}

static size_t stored_sum(const hr_bench_gpu_work *work)
{
    size_t sum = 0;
    for (unsigned i = 0; i < work->chunks; i++)
        sum += (size_t)hr_round_up(work->stored_len[i], ALIGN);
    return sum;
}

static hr_status open_memory(gpu_run *run, hr_error *error)
{
    const hr_env *env = hr_env_system();
    int number = (int)run->work->gpu;
    hr_status status = hr_memory_cuda_create(env, &run->cuda, number, &run->memory);
    if (status == HR_OK)
        status = hr_memory_pinned_create(env, &run->cuda, number, &run->pinned);
    if (status != HR_OK)
        return hr_error_set(error, status, "cuda:%d: %s", number, hr_status_text(status));
    status = take(run, run->memory, stored_sum(run->work), &run->stored, error);
    if (status == HR_OK)
        status = take(run, run->memory, (size_t)run->work->batch * run->work->content_len,
                      &run->contents, error);
    if (status == HR_OK)
        status = take(run, run->pinned, sizeof(int32_t) * UNDER_WAY * run->work->batch,
                      &run->statuses, error);
    if (status == HR_OK)
        status = told(run, run->cuda.stream_create(&run->stream, HR_CUDA_STREAM_NONBLOCKING),
                      "cuStreamCreate", error);
    for (int i = 0; i < UNDER_WAY && status == HR_OK; i++)
        status = told(run, run->cuda.event_create(&run->events[i], HR_CUDA_EVENT_QUIET),
                      "cuEventCreate", error);
    return status;
}

/* A batch: each of the chunks in turn, and every one into a place of its own. */
static hr_status fill(gpu_run *run, hr_error *error)
{
    const hr_bench_gpu_work *work = run->work;
    assert(work->chunks > 0 && work->chunks <= CHUNKS_MAX);
    uint8_t *at = run->stored.addr, *places[CHUNKS_MAX] = {NULL};
    hr_status status = HR_OK;
    for (unsigned i = 0; i < work->chunks && status == HR_OK; i++) {
        hr_span target = run->stored;
        hr_span source = hr_span_host(work->stored[i], work->stored_len[i]);
        target.addr = places[i] = at;
        target.len = source.len;
        status = run->memory->ops->copy(run->memory, &target, &source);
        at += hr_round_up(source.len, ALIGN);
    }
    for (unsigned i = 0; i < work->batch; i++) {
        unsigned chunk = i % work->chunks;
        run->chunks[i] = (hr_gpu_chunk){
            .stored = places[chunk],
            .content = (uint8_t *)run->contents.addr + (size_t)i * work->content_len,
            .stored_len = (uint32_t)work->stored_len[chunk],
            .content_len = work->content_len,
            .content_crc =
                hr_crc32c(0, work->content + (size_t)chunk * work->content_len, work->content_len),
            .codec = work->codec,
        };
    }
    return status == HR_OK ? status
                           : hr_error_set(error, status, "cuda:%u: copying chunks there: %s",
                                          work->gpu, hr_status_text(status));
}

/* What was taken in part is given back too. */
static void give_back(gpu_run *run)
{
    for (int i = 0; i < UNDER_WAY; i++)
        if (run->events[i] != NULL)
            (void)run->cuda.event_destroy(run->events[i]);
    if (run->stream != NULL)
        (void)run->cuda.stream_destroy(run->stream);
    if (run->stored.addr != NULL)
        run->memory->ops->release(run->memory, &run->stored);
    if (run->contents.addr != NULL)
        run->memory->ops->release(run->memory, &run->contents);
    if (run->statuses.addr != NULL)
        run->pinned->ops->release(run->pinned, &run->statuses);
    hr_memory_destroy(run->pinned);
    hr_memory_destroy(run->memory);
    if (run->is_inside)
        hr_cuda_leave(&run->cuda);
    if (run->context != NULL)
        (void)run->cuda.context_release(run->device);
    hr_gpu_close(run->gpu);
    if (run->is_open)
        hr_cuda_close(&run->cuda);
}

/* ---- batches ---- */

static int32_t *statuses_of(const gpu_run *run, uint64_t batch)
{
    return (int32_t *)run->statuses.addr + batch % UNDER_WAY * run->work->batch;
}

static hr_status begin(gpu_run *run, uint64_t batch, hr_error *error)
{
    memset(statuses_of(run, batch), 0xFF, run->work->batch * sizeof(int32_t));
    return hr_gpu_decode(run->gpu, run->chunks, run->work->batch, statuses_of(run, batch),
                         run->stream, run->events[batch % UNDER_WAY], error);
}

static hr_status end(gpu_run *run, uint64_t batch, hr_error *error)
{
    hr_status status = told(run, run->cuda.event_synchronize(run->events[batch % UNDER_WAY]),
                            "cuEventSynchronize", error);
    for (unsigned i = 0; i < run->work->batch && status == HR_OK; i++)
        if (statuses_of(run, batch)[i] != HR_OK)
            status = hr_error_set(error, HR_INTEGRITY, "cuda:%u: chunk %u of a batch: %s",
                                  run->work->gpu, i,
                                  hr_status_text((hr_status)statuses_of(run, batch)[i]));
    return status;
}

/* Also byte for byte: the digest is compared by the same kernels. */
static hr_status warm_up(gpu_run *run, hr_error *error)
{
    const hr_bench_gpu_work *work = run->work;
    size_t len = (size_t)hr_min_u64(work->chunks, work->batch) * work->content_len;
    assert(len > 0);
    uint8_t *copy = malloc(len);
    if (copy == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "looking at what a GPU decoded: out of memory");
    hr_span target = hr_span_host(copy, len), source = run->contents;
    source.len = len;
    hr_status status = begin(run, 0, error);
    if (status == HR_OK)
        status = end(run, 0, error);
    if (status == HR_OK)
        status = run->memory->ops->copy(run->memory, &target, &source);
    if (status == HR_OK && memcmp(copy, work->content, len) != 0)
        status = hr_error_set(error, HR_INTEGRITY, "cuda:%u: what was decoded is not the content",
                              work->gpu);
    free(copy);
    return status;
}

static hr_status decode_for_a_while(gpu_run *run, hr_bench_measure *measure_out, hr_error *error)
{
    const hr_bench_gpu_work *work = run->work;
    uint64_t began_ns[UNDER_WAY], begun = 0, ended = 0;
    hr_bench_meter start = hr_bench_meter_read();
    uint64_t now_ns = start.at_ns;
    hr_status status = HR_OK;
    while (status == HR_OK && (now_ns - start.at_ns < work->duration_ns || ended < begun)) {
        bool is_over = now_ns - start.at_ns >= work->duration_ns;
        if (begun - ended < UNDER_WAY && !is_over) {
            began_ns[begun % UNDER_WAY] = now_ns;
            status = begin(run, begun, error);
            begun += status == HR_OK;
        } else {
            status = end(run, ended, error);
            hr_bench_histogram_add(work->latency,
                                   hr_now_ns(hr_env_system()) - began_ns[ended % UNDER_WAY]);
            ended += status == HR_OK;
        }
        now_ns = hr_now_ns(hr_env_system());
    }
    *measure_out = hr_bench_meter_since(&start, ended * run->work->batch * work->content_len);
    snprintf(measure_out->note, sizeof measure_out->note,
             "%.60s, decoded and verified there, batches of %u chunks", hr_gpu_name(run->gpu),
             run->work->batch);
    return status;
}

hr_status hr_bench_decode_gpu(const hr_bench_gpu_work *work, hr_bench_measure *measure_out,
                              hr_error *error)
{
    gpu_run run = {.work = work};
    hr_status status = open_gpu(&run, error);
    if (status == HR_OK)
        status = open_memory(&run, error);
    if (status == HR_OK)
        status = fill(&run, error);
    if (status == HR_OK)
        status = warm_up(&run, error);
    if (status == HR_OK)
        status = decode_for_a_while(&run, measure_out, error);
    /* What is still under way reads and writes what is given back. */
    if (run.stream != NULL)
        (void)run.cuda.stream_synchronize(run.stream);
    give_back(&run);
    return status;
}
