/* SPDX-License-Identifier: Apache-2.0 */
/* What registering memory costs: a worker's pool, registered with a ring that was made for it, over
 * and over. The kernel looks at each page, so that huge ones cost less. */
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>

#include "child.h"
#include "contender.h"
#include "env.h"
#include "loop.h"
#include "register_device.h"

#define POOL_LEN HR_BENCH_POOL_LEN
#define HUGE_LEN ((size_t)2 << 20)
#define GRACE_NS (60 * HR_NS_PER_S)

typedef struct register_run {
    uint64_t duration_ns;
    bool huge;
    struct iovec pool;
    hr_bench_histogram latency;
    hr_bench_measure sum;
} register_run;

/* More than is needed, so that a part of it begins at a huge page. */
static void *map_pool(bool huge)
{
    uint8_t *addr =
        mmap(NULL, POOL_LEN + HUGE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (addr == MAP_FAILED)
        return NULL;
    addr += HUGE_LEN - (uintptr_t)addr % HUGE_LEN;
    (void)madvise(addr, POOL_LEN, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    for (size_t at = 0; at < POOL_LEN; at += 4096)
        ((volatile uint8_t *)addr)[at] = 1;
    return addr;
}

/* A ring takes such a table once, so that each time has its own; its making is not counted. */
static hr_status register_once(register_run *run)
{
    hr_loop *loop;
    hr_status status = hr_loop_create(hr_env_system(), &loop);
    if (status != HR_OK)
        return status;
    hr_bench_meter start = hr_bench_meter_read();
    status = hr_loop_register_buffers(loop, &run->pool, 1);
    hr_bench_measure measure = hr_bench_meter_since(&start, POOL_LEN);
    run->sum.bytes += measure.bytes;
    run->sum.seconds += measure.seconds;
    run->sum.cpu_seconds[0] += measure.cpu_seconds[0];
    hr_bench_histogram_add(&run->latency, (uint64_t)(measure.seconds * 1e9));
    hr_loop_destroy(loop);
    return status;
}

static hr_status run_in_child(void *context)
{
    register_run *run = context;
    run->pool = (struct iovec){.iov_base = map_pool(run->huge), .iov_len = POOL_LEN};
    hr_status status = run->pool.iov_base != NULL ? HR_OK : HR_NO_MEMORY;
    uint64_t end_ns = hr_now_ns(hr_env_system()) + run->duration_ns;
    while (status == HR_OK && hr_now_ns(hr_env_system()) < end_ns)
        status = register_once(run);
    if (status != HR_OK) {
        fprintf(stderr, "registering %zu MiB: %s%s\n", POOL_LEN >> 20, hr_status_text(status),
                status == HR_LIMIT ? "; ulimit -l unlimited lets it happen" : "");
        return status;
    }
    snprintf(run->sum.note, sizeof run->sum.note, "io_uring, %zu MiB at once, %s", POOL_LEN >> 20,
             run->huge ? "transparent huge pages" : "plain pages");
    run->sum.latency = &run->latency;
    hr_bench_measure_tell(&run->sum);
    return HR_OK;
}

static hr_status measure_in_child(hr_bench_field *field, const hr_bench_contender *contender,
                                  hr_status (*run)(void *context), void *context,
                                  hr_bench_measure *measure_out, hr_error *error)
{
    hr_bench_child child = {0};
    hr_status status = hr_bench_child_fork(&child, contender->title, run, context, error);
    if (status == HR_OK)
        status = hr_bench_child_wait(&child, field->settings->duration_ns + GRACE_NS, error);
    if (status == HR_OK)
        status = hr_bench_measure_hear(child.text, measure_out, error);
    hr_bench_child_stop(&child);
    return status;
}

hr_status hr_bench_run_register(hr_bench_field *field, const hr_bench_contender *contender,
                                hr_bench_measure *measure_out, hr_error *error)
{
    static register_run run;
    run = (register_run){.duration_ns = field->settings->duration_ns, .huge = contender->huge};
    return measure_in_child(field, contender, run_in_child, &run, measure_out, error);
}

/* ---- with devices ---- */

static hr_status register_in_child(void *context)
{
    static hr_bench_histogram latency;
    hr_bench_register_work work = *(const hr_bench_register_work *)context;
    hr_bench_measure measure = {.bytes = 0};
    hr_error error = {0};
    work.latency = &latency;
    hr_status status = hr_bench_register_device(&work, &measure, &error);
    if (status == HR_OK)
        hr_bench_measure_tell(&measure);
    else
        fprintf(stderr, "%s\n", error.text);
    return status;
}

hr_status hr_bench_run_register_device(hr_bench_field *field, const hr_bench_contender *contender,
                                       hr_bench_measure *measure_out, hr_error *error)
{
    hr_bench_register_work work = {
        .duration_ns = field->settings->duration_ns,
        .by_nic = contender->by_nic,
        .of_gpu = contender->gpu,
        .gpu = field->settings->gpu,
    };
    return measure_in_child(field, contender, register_in_child, &work, measure_out, error);
}
