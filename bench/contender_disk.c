/* SPDX-License-Identifier: Apache-2.0 */
/* The storage seam alone: a file from its first byte to its last, some requests under way, from or
 * into registered memory, by a process of its own. Where a rate is asked for, requests are due at
 * times that do not depend on earlier answers, and their latency counts from then: a request that
 * had to wait for room has waited (else a stalled drive would be asked, and counted, only once). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "child.h"
#include "contender.h"
#include "env.h"
#include "helpers.h"
#include "memory.h"
#include "storage_posix.h"

#define DEPTH_MAX 64
#define HELPERS   8
#define RUN_NS    (600 * HR_NS_PER_S)

typedef struct disk_run {
    const hr_bench_settings *settings;
    const char *path;
    bool writes;

    hr_loop *loop;
    hr_helpers *helpers;
    hr_storage *storage;
    hr_memory *memory;
    hr_span pool;
    hr_page_kind pages;
    hr_file *files[HR_BENCH_PIECES_MAX];
    unsigned file_count, open_count;
    bool direct;
    uint64_t size, next_block, bytes; /* size: of all files, what is moved of them */
    hr_io step;                       /* opening, syncing, closing */
    hr_io requests[DEPTH_MAX];
    uint64_t due_ns[DEPTH_MAX];
    unsigned idle[DEPTH_MAX], idle_count; /* indices of requests */
    unsigned under_way;
    uint64_t start_ns, interval_ns; /* 0: no rate is asked for */
    hr_bench_histogram latency;
    hr_status status;
} disk_run;

static hr_status run_open(disk_run *run)
{
    const hr_env *env = hr_env_system();
    size_t pool_len = run->settings->depth * (size_t)run->settings->block_len;
    hr_status status = hr_loop_create(env, &run->loop);
    if (status == HR_OK)
        status = hr_helpers_create(env, HELPERS, &run->helpers);
    if (status == HR_OK)
        status = hr_storage_create(run->loop, run->helpers, &run->storage);
    if (status == HR_OK)
        status = hr_memory_host_create(env, &run->memory);
    if (status == HR_OK)
        status = run->memory->ops->alloc(run->memory, pool_len, &run->pool, &run->pages);
    if (status == HR_OK && run->writes)
        env->random(env->context, run->pool.addr, run->pool.len);
    if (status == HR_OK && !run->settings->plain) {
        struct iovec iov = {.iov_base = run->pool.addr, .iov_len = run->pool.len};
        /* Refused, plain requests go on; the note at the end says so. */
        (void)run->storage->ops->register_buffers(run->storage, &iov, 1);
    }
    return status;
}

static void run_close(disk_run *run)
{
    if (run->storage != NULL)
        run->storage->ops->destroy(run->storage);
    if (run->pool.addr != NULL)
        run->memory->ops->release(run->memory, &run->pool);
    hr_memory_destroy(run->memory);
    hr_helpers_destroy(run->helpers);
    hr_loop_destroy(run->loop);
}

/* ---- the file ---- */

static void finished(hr_io *io)
{
    disk_run *run = io->context;
    if (io->status != HR_OK && run->status == HR_OK)
        run->status = io->status;
    run->under_way--;
}

static void submit(disk_run *run, hr_io *io)
{
    io->context = run;
    run->under_way++;
    hr_storage_submit(run->storage, io);
}

/* One request, until it is over. */
static void do_step(disk_run *run, hr_io step)
{
    run->step = step;
    run->step.done = finished;
    submit(run, &run->step);
    while (run->under_way > 0)
        hr_loop_step(run->loop, HR_NEVER);
}

static void open_file(disk_run *run, unsigned index)
{
    char path[HR_BENCH_PATH_MAX];
    unsigned flags = run->writes ? HR_IO_WRITABLE | HR_IO_CREATE | HR_IO_EMPTY : HR_IO_READABLE;
    if (!run->settings->buffered)
        flags |= HR_IO_DIRECT;
    hr_bench_material_piece(run->path, index, path);
    do_step(run, (hr_io){.kind = HR_IO_OPEN, .flags = flags, .path = path});
    if (run->status != HR_OK)
        return;
    hr_file *file = run->files[run->open_count++] = run->step.file_out;
    run->direct = run->step.info.direct_align > 0;
    run->storage->ops->attach(run->storage, file);
    if (run->writes) /* as a get does, and fio: writes that make a file longer wait for each other
                      */
        do_step(run,
                (hr_io){.kind = HR_IO_ALLOCATE, .file = file, .len = run->size / run->file_count});
}

static void open_files(disk_run *run)
{
    for (unsigned i = 0; i < run->file_count && run->status == HR_OK; i++)
        open_file(run, i);
}

static void close_files(disk_run *run)
{
    for (unsigned i = 0; i < run->open_count; i++) {
        run->storage->ops->detach(run->storage, run->files[i]);
        do_step(run, (hr_io){.kind = HR_IO_CLOSE, .file = run->files[i]});
    }
}

/* ---- its bytes ---- */

static uint64_t next_due_ns(const disk_run *run)
{
    return run->start_ns + run->next_block * run->interval_ns;
}

static bool has_more(const disk_run *run)
{
    uint64_t block_len = run->settings->block_len, file_len = run->size / run->file_count;
    uint64_t blocks = (file_len + block_len - 1) / block_len * run->file_count;
    return run->next_block < blocks && run->status == HR_OK;
}

/* The files in turn, a block of each. The last block of a file is what is left of it. */
static void place_request(disk_run *run, hr_io *request)
{
    uint64_t block_len = run->settings->block_len, file_len = run->size / run->file_count;
    uint64_t block = run->next_block++;
    request->file = run->files[block % run->file_count];
    request->offset = block / run->file_count * block_len;
    request->len = (size_t)hr_min_u64(block_len, file_len - request->offset);
}

static void start_due(disk_run *run)
{
    uint64_t now_ns = hr_loop_now_ns(run->loop);
    while (run->idle_count > 0 && has_more(run) &&
           (run->interval_ns == 0 || next_due_ns(run) <= now_ns)) {
        unsigned index = run->idle[--run->idle_count];
        run->due_ns[index] = run->interval_ns == 0 ? now_ns : next_due_ns(run);
        place_request(run, &run->requests[index]);
        submit(run, &run->requests[index]);
    }
}

static void request_done(hr_io *io)
{
    disk_run *run = io->context;
    unsigned index = (unsigned)(io - run->requests);
    uint64_t now_ns = hr_now_ns(hr_env_system());
    run->bytes += io->bytes;
    hr_bench_histogram_add(&run->latency, now_ns - run->due_ns[index]);
    run->idle[run->idle_count++] = index;
    finished(io);
    if (run->interval_ns == 0)
        start_due(run);
}

static void prepare(disk_run *run)
{
    const hr_bench_settings *settings = run->settings;
    hr_storage_caps caps;
    run->storage->ops->query(run->storage, &caps);
    for (unsigned i = 0; i < settings->depth; i++) {
        run->requests[i] = (hr_io){
            .kind = run->writes ? HR_IO_WRITE : HR_IO_READ,
            .data = (uint8_t *)run->pool.addr + i * settings->block_len,
            .buffer = caps.fixed_buffers ? 0 : -1,
            .done = request_done,
        };
        run->idle[run->idle_count++] = i;
    }
    if (settings->rate != 0)
        run->interval_ns = (uint64_t)((double)settings->block_len * 1e9 / (double)settings->rate);
}

static void move_all(disk_run *run)
{
    run->start_ns = hr_now_ns(hr_env_system());
    start_due(run);
    while (run->under_way > 0 || has_more(run)) {
        bool waits = run->interval_ns != 0 && has_more(run) && run->idle_count > 0;
        hr_loop_step(run->loop, waits ? next_due_ns(run) : HR_NEVER);
        start_due(run);
    }
    for (unsigned i = 0; i < run->open_count && run->writes && run->status == HR_OK; i++)
        do_step(run, (hr_io){.kind = HR_IO_SYNC, .file = run->files[i]});
}

/* ---- the process ---- */

/* What the kernel had to ask devices for, for this process; UINT64_MAX where it does not tell. */
static uint64_t device_bytes(void)
{
    char line[64];
    unsigned long long bytes = UINT64_MAX;
    FILE *file = fopen("/proc/self/io", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "read_bytes: ", 12) == 0)
            bytes = strtoull(line + 12, NULL, 10);
    if (file != NULL)
        fclose(file);
    return bytes;
}

/* Bytes that no device was asked for came from memory, whatever was wanted. */
static void note_cached(const disk_run *run, hr_bench_measure *measure, uint64_t asked)
{
    size_t len = strlen(measure->note);
    double cached = run->bytes > asked ? 1 - (double)asked / (double)run->bytes : 0;
    if (!run->writes && cached > 0.01)
        snprintf(measure->note + len, sizeof measure->note - len,
                 "; %.0f %% came from the page cache", 100 * cached);
}

static void tell(disk_run *run, hr_bench_measure *measure, uint64_t asked)
{
    hr_storage_caps caps;
    run->storage->ops->query(run->storage, &caps);
    snprintf(measure->note, sizeof measure->note, "%s, %s, %s buffers in %s pages%s%.60s",
             run->storage->ops->name, run->direct ? "O_DIRECT" : "page cache",
             caps.fixed_buffers ? "registered" : "plain",
             run->pages == HR_PAGES_PLAIN ? "small" : "huge", caps.why[0] != '\0' ? ": " : "",
             caps.why);
    if (run->file_count > 1) {
        size_t len = strlen(measure->note);
        snprintf(measure->note + len, sizeof measure->note - len, ", %u files", run->file_count);
    }
    note_cached(run, measure, asked);
    measure->latency = &run->latency;
    hr_bench_measure_tell(measure);
}

static hr_status run_in_child(void *context)
{
    disk_run *run = context;
    run->status = run_open(run);
    if (run->status == HR_OK)
        open_files(run);
    if (run->status == HR_OK) {
        prepare(run);
        uint64_t asked = device_bytes();
        hr_bench_meter start = hr_bench_meter_read();
        move_all(run);
        hr_bench_measure measure = hr_bench_meter_since(&start, run->bytes);
        asked = asked != UINT64_MAX ? device_bytes() - asked : UINT64_MAX;
        if (run->status == HR_OK)
            tell(run, &measure, asked);
    }
    close_files(run);
    run_close(run);
    if (run->status != HR_OK)
        fprintf(stderr, "%s: %s\n", run->path, hr_status_text(run->status));
    return run->status;
}

hr_status hr_bench_run_disk(hr_bench_field *field, const hr_bench_contender *contender,
                            hr_bench_measure *measure_out, hr_error *error)
{
    hr_bench_child child = {0};
    disk_run *run = calloc(1, sizeof *run);
    if (run == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "measuring the storage: out of memory");
    run->settings = field->settings;
    run->writes = contender->writes;
    run->size = hr_bench_field_size(field);
    run->file_count = hr_bench_settings_files(field->settings, HR_BENCH_STORAGE);
    run->path = contender->writes ? field->material->target : field->material->large;
    if (field->settings->buffered) /* as fio does */
        hr_bench_material_drop_cache(field->material);
    hr_status status = hr_bench_child_fork(&child, contender->title, run_in_child, run, error);
    if (status == HR_OK)
        status = hr_bench_child_wait(&child, RUN_NS, error);
    if (status == HR_OK)
        status = hr_bench_measure_hear(child.text, measure_out, error);
    hr_bench_child_stop(&child);
    free(run);
    return status;
}
