/* SPDX-License-Identifier: Apache-2.0 */
#include "register_device.h"

#include <stdio.h>
#include <unistd.h>

#include "cuda.h"
#include "env.h"
#include "helpers.h"
#include "memory.h"

typedef struct device_run {
    const hr_bench_register_work *work;
    hr_error *error;
    hr_memory *memory;
    hr_span pool;
    hr_bench_measure sum;

    /* a GPU */
    hr_cuda cuda;
    hr_cuda_device device;
    hr_cuda_context *context;
    bool has_driver, is_inside;
    hr_span dmabuf; /* the pool as a NIC takes it; its descriptor is -1 where there is none */

    /* a NIC */
    hr_loop *loop;
    hr_helpers *helpers;
    hr_verbs *verbs;
    hr_transport *transport;
    hr_region region;
    bool is_done;
} device_run;

static hr_status fail(device_run *run, hr_status status, const char *what)
{
    if (status == HR_OK || run->error->text[0] != '\0')
        return status;
    return hr_error_set(run->error, status, "%s %zu MiB: %s%s", what, HR_BENCH_POOL_LEN >> 20,
                        hr_status_text(status),
                        status == HR_LIMIT ? "; ulimit -l unlimited lets it happen" : "");
}

/* ---- a GPU ---- */

static hr_status open_gpu(device_run *run)
{
    hr_status status = hr_cuda_open(HR_CUDA_LIBRARY, &run->cuda, run->error);
    run->has_driver = status == HR_OK;
    if (status == HR_OK)
        status = hr_cuda_status(run->cuda.device_get(&run->device, (int)run->work->gpu));
    if (status == HR_OK)
        status = hr_cuda_status(run->cuda.context_retain(&run->context, run->device));
    if (status == HR_OK)
        status = hr_cuda_status(hr_cuda_enter(&run->cuda, run->context));
    run->is_inside = status == HR_OK;
    return fail(run, status, "opening a GPU to register");
}

static hr_status pin_once(device_run *run)
{
    hr_bench_meter start = hr_bench_meter_read();
    hr_status status =
        hr_cuda_status(run->cuda.host_register(run->pool.addr, run->pool.len, HR_CUDA_PORTABLE));
    run->sum = hr_bench_meter_since(&start, run->pool.len);
    if (status == HR_OK)
        status = hr_cuda_status(run->cuda.host_unregister(run->pool.addr));
    return fail(run, status, "pinning");
}

/* ---- a NIC ---- */

static hr_status open_nic(device_run *run)
{
    const hr_env *env = hr_env_system();
    const hr_verbs_options options = {.calls = run->work->calls};
    hr_status status = hr_loop_create(env, &run->loop);
    if (status == HR_OK)
        status = hr_helpers_create(env, 1, &run->helpers);
    if (status == HR_OK)
        status = hr_verbs_create(env, run->helpers, &options, &run->verbs, run->error);
    if (status == HR_OK)
        status = hr_transport_verbs_create(run->loop, run->verbs, &run->transport);
    return fail(run, status, "opening a NIC to register");
}

static void answered(hr_region *region)
{
    ((device_run *)region->context)->is_done = true;
}

static void await_answer(device_run *run)
{
    while (!run->is_done)
        hr_loop_step(run->loop, HR_NEVER);
    run->is_done = false;
}

/* As a get registers its target: by a helper, while the worker's loop goes on. */
static hr_status expose_once(device_run *run)
{
    run->region = (hr_region){
        .span = run->dmabuf.dmabuf_fd >= 0 ? run->dmabuf : run->pool,
        .done = answered,
        .context = run,
    };
    hr_bench_meter start = hr_bench_meter_read();
    run->transport->ops->region->expose(run->transport, &run->region);
    await_answer(run);
    run->sum = hr_bench_meter_since(&start, run->pool.len);
    hr_status status = run->region.status;
    if (status == HR_OK) {
        run->transport->ops->region->withdraw(run->transport, &run->region);
        await_answer(run);
    }
    return fail(run, status, "registering");
}

/* ---- all of it ---- */

static hr_status open_memory(device_run *run)
{
    const hr_bench_register_work *work = run->work;
    hr_page_kind pages;
    hr_status status = work->of_gpu ? hr_memory_cuda_create(hr_env_system(), &run->cuda,
                                                            (int)work->gpu, &run->memory)
                                    : hr_memory_host_create(hr_env_system(), &run->memory);
    if (status == HR_OK)
        status = run->memory->ops->alloc(run->memory, HR_BENCH_POOL_LEN, &run->pool, &pages);
    if (status == HR_OK && work->of_gpu)
        status = run->memory->ops->dmabuf(run->memory, &run->pool, &run->dmabuf);
    if (status == HR_UNSUPPORTED)
        return hr_error_set(run->error, status,
                            "cuda:%u: this GPU or its driver makes no dma-bufs, by which a NIC "
                            "would reach its memory",
                            work->gpu);
    return fail(run, status, "taking memory of");
}

static void close_all(device_run *run)
{
    if (run->transport != NULL)
        run->transport->ops->destroy(run->transport);
    hr_verbs_destroy(run->verbs);
    hr_helpers_destroy(run->helpers);
    hr_loop_destroy(run->loop);
    if (run->dmabuf.dmabuf_fd >= 0)
        close(run->dmabuf.dmabuf_fd);
    if (run->pool.addr != NULL)
        run->memory->ops->release(run->memory, &run->pool);
    hr_memory_destroy(run->memory);
    if (run->is_inside)
        hr_cuda_leave(&run->cuda);
    if (run->context != NULL)
        (void)run->cuda.context_release(run->device);
    if (run->has_driver)
        hr_cuda_close(&run->cuda);
}

static hr_status register_for_a_while(device_run *run, hr_bench_measure *sum)
{
    uint64_t end_ns = hr_now_ns(hr_env_system()) + run->work->duration_ns;
    hr_status status = HR_OK;
    do {
        status = run->work->by_nic ? expose_once(run) : pin_once(run);
        sum->bytes += run->sum.bytes;
        sum->seconds += run->sum.seconds;
        sum->cpu_seconds[0] += run->sum.cpu_seconds[0];
        if (status == HR_OK)
            hr_bench_histogram_add(run->work->latency, (uint64_t)(run->sum.seconds * 1e9));
    } while (status == HR_OK && hr_now_ns(hr_env_system()) < end_ns);
    return status;
}

static void name_way(device_run *run, hr_bench_measure *sum)
{
    char gpu[64] = "";
    hr_rail_info rail = {.device = ""};
    if (run->has_driver)
        (void)run->cuda.device_get_name(gpu, sizeof gpu, run->device);
    if (run->work->by_nic)
        run->transport->ops->rail(run->transport, 0, &rail);
    if (run->work->by_nic)
        snprintf(sum->note, sizeof sum->note, "%s%.60s, %zu MiB at once, %s%.60s",
                 rail.software ? "soft-RoCE, " : "", rail.device, HR_BENCH_POOL_LEN >> 20,
                 run->work->of_gpu ? "a dma-buf of " : "the host's memory", gpu);
    else
        snprintf(sum->note, sizeof sum->note, "%.60s, %zu MiB of the host's memory at once", gpu,
                 HR_BENCH_POOL_LEN >> 20);
}

hr_status hr_bench_register_device(const hr_bench_register_work *work,
                                   hr_bench_measure *measure_out, hr_error *error)
{
    device_run run = {.work = work, .error = error, .dmabuf = {.dmabuf_fd = -1}};
    hr_bench_measure sum = {.latency = work->latency};
    hr_status status = work->of_gpu || !work->by_nic ? open_gpu(&run) : HR_OK;
    if (status == HR_OK && work->by_nic)
        status = open_nic(&run);
    if (status == HR_OK)
        status = open_memory(&run);
    if (status == HR_OK)
        status = register_for_a_while(&run, &sum);
    if (status == HR_OK) {
        name_way(&run, &sum);
        *measure_out = sum;
    }
    close_all(&run);
    return status;
}
