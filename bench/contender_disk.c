/* SPDX-License-Identifier: Apache-2.0 */
/* The storage seam alone: a file from its first byte to its last, a few requests of a chunk each
 * under way, into registered memory, by a process of its own. */
#include <stdio.h>

#include "child.h"
#include "contender.h"
#include "env.h"
#include "helpers.h"
#include "memory.h"
#include "storage_posix.h"

#define DEPTH       8
#define REQUEST_LEN ((size_t)4 << 20)
#define HELPERS     8
#define READ_NS     (600 * HR_NS_PER_S)

typedef struct disk_reader {
    const char *path;
    hr_loop *loop;
    hr_helpers *helpers;
    hr_storage *storage;
    hr_memory *memory;
    hr_span pool;
    hr_io open, reads[DEPTH], close;
    hr_file *file;
    uint64_t size, next_offset, bytes;
    unsigned under_way;
    hr_status status;
} disk_reader;

static hr_status reader_open(disk_reader *reader)
{
    const hr_env *env = hr_env_system();
    hr_page_kind pages;
    hr_status status = hr_loop_create(env, &reader->loop);
    if (status == HR_OK)
        status = hr_helpers_create(env, HELPERS, &reader->helpers);
    if (status == HR_OK)
        status = hr_storage_create(reader->loop, reader->helpers, &reader->storage);
    if (status == HR_OK)
        status = hr_memory_host_create(env, &reader->memory);
    if (status == HR_OK)
        status =
            reader->memory->ops->alloc(reader->memory, DEPTH * REQUEST_LEN, &reader->pool, &pages);
    if (status == HR_OK) {
        struct iovec iov = {.iov_base = reader->pool.addr, .iov_len = reader->pool.len};
        /* Refused, plain reads go on; the note at the end says so. */
        (void)reader->storage->ops->register_buffers(reader->storage, &iov, 1);
    }
    return status;
}

static void reader_close(disk_reader *reader)
{
    if (reader->storage != NULL)
        reader->storage->ops->destroy(reader->storage);
    if (reader->pool.addr != NULL)
        reader->memory->ops->release(reader->memory, &reader->pool);
    hr_memory_destroy(reader->memory);
    hr_helpers_destroy(reader->helpers);
    hr_loop_destroy(reader->loop);
}

static void finished(hr_io *io)
{
    disk_reader *reader = io->context;
    if (io->status != HR_OK && reader->status == HR_OK)
        reader->status = io->status;
    reader->under_way--;
}

static void submit(disk_reader *reader, hr_io *io)
{
    io->context = reader;
    reader->under_way++;
    hr_storage_submit(reader->storage, io);
}

static void run_until_quiet(disk_reader *reader)
{
    while (reader->under_way > 0)
        hr_loop_step(reader->loop, HR_NEVER);
}

static bool read_next(disk_reader *reader, hr_io *io)
{
    if (reader->next_offset >= reader->size || reader->status != HR_OK)
        return false;
    io->offset = reader->next_offset;
    reader->next_offset += io->len;
    submit(reader, io);
    return true;
}

static void piece_read(hr_io *io)
{
    disk_reader *reader = io->context;
    reader->bytes += io->bytes;
    finished(io);
    read_next(reader, io);
}

static void read_all(disk_reader *reader)
{
    hr_storage_caps caps;
    reader->storage->ops->query(reader->storage, &caps);
    for (unsigned i = 0; i < DEPTH; i++) {
        reader->reads[i] = (hr_io){
            .kind = HR_IO_READ,
            .file = reader->file,
            .data = (uint8_t *)reader->pool.addr + i * REQUEST_LEN,
            .len = REQUEST_LEN,
            .buffer = caps.fixed_buffers ? 0 : -1,
            .done = piece_read,
        };
        reader->reads[i].context = reader;
        if (!read_next(reader, &reader->reads[i]))
            break;
    }
    run_until_quiet(reader);
}

static void open_file(disk_reader *reader)
{
    reader->open = (hr_io){
        .kind = HR_IO_OPEN,
        .flags = HR_IO_READABLE | HR_IO_DIRECT,
        .path = reader->path,
        .done = finished,
    };
    submit(reader, &reader->open);
    run_until_quiet(reader);
    if (reader->status != HR_OK)
        return;
    reader->file = reader->open.file_out;
    reader->size = reader->open.info.size;
    reader->storage->ops->attach(reader->storage, reader->file);
}

static void close_file(disk_reader *reader)
{
    reader->storage->ops->detach(reader->storage, reader->file);
    reader->close = (hr_io){.kind = HR_IO_CLOSE, .file = reader->file, .done = finished};
    submit(reader, &reader->close);
    run_until_quiet(reader);
}

static void tell(const disk_reader *reader, hr_bench_measure *measure)
{
    hr_storage_caps caps;
    reader->storage->ops->query(reader->storage, &caps);
    snprintf(
        measure->note, sizeof measure->note, "%s, %s, %s buffers%s%.60s",
        reader->storage->ops->name, reader->open.info.direct_align > 0 ? "O_DIRECT" : "page cache",
        caps.fixed_buffers ? "registered" : "plain", caps.why[0] != '\0' ? ": " : "", caps.why);
    hr_bench_measure_tell(measure);
}

static int read_in_child(void *context)
{
    static disk_reader reader;
    reader.path = context;
    reader.status = reader_open(&reader);
    if (reader.status == HR_OK)
        open_file(&reader);
    if (reader.file != NULL) {
        hr_bench_meter start = hr_bench_meter_read();
        read_all(&reader);
        hr_bench_measure measure = hr_bench_meter_since(&start, reader.bytes);
        close_file(&reader);
        if (reader.status == HR_OK)
            tell(&reader, &measure);
    }
    reader_close(&reader);
    if (reader.status != HR_OK)
        fprintf(stderr, "%s: %s\n", reader.path, hr_status_text(reader.status));
    return reader.status != HR_OK;
}

hr_status hr_bench_run_disk(hr_bench_field *field, const hr_bench_contender *contender,
                            hr_bench_measure *measure_out, hr_error *error)
{
    hr_bench_child child = {0};
    hr_status status =
        hr_bench_child_fork(&child, contender->title, read_in_child, field->material.large, error);
    if (status == HR_OK)
        status = hr_bench_child_wait(&child, READ_NS, error);
    if (status == HR_OK)
        status = hr_bench_measure_hear(child.text, measure_out, error);
    hr_bench_child_stop(&child);
    return status;
}
