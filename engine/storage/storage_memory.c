/* SPDX-License-Identifier: Apache-2.0 */
/* The storage seam over an hr_disk: the reference implementation. Requests wait in a queue and are
 * carried out, in order, by a deferred task of the loop, as a disk would carry them out later. */
#include "storage_memory.h"

#include <assert.h>

#include "disk_io.h"

typedef struct memory_storage {
    hr_storage base;
    hr_disk *disk;
    hr_task task;
    hr_io *first, *last; /* linked through scratch[0] */
} memory_storage;

/* A handle is given back whatever the disk is. */
static bool is_close(const hr_io *io)
{
    return io->kind == HR_IO_CLOSE || io->kind == HR_IO_CLOSE_DIR;
}

static bool is_for_files(const hr_io *io)
{
    return io->kind >= HR_IO_LOOKUP_FILES && io->kind <= HR_IO_STAMP_FILES;
}

static hr_status act(hr_disk *disk, hr_io *io)
{
    if (disk->stopped && !is_close(io))
        return HR_IO;
    if (!is_for_files(io))
        return hr_disk_io(disk, io);
    hr_disk_io_files(disk, io);
    return HR_OK;
}

static void carry_out(hr_disk *disk, hr_io *io)
{
    bool is_last = ++disk->operations == disk->stop_at;
    disk->stopped = disk->stopped || (is_last && !disk->stop_after);
    io->error = 0;
    io->bytes = 0;
    io->status = act(disk, io);
    disk->stopped = disk->stopped || is_last;
    io->done(io);
}

/* Takes what is there now: what done submits waits for the next turn. */
static void run_queue(hr_task *task)
{
    memory_storage *storage = HR_CONTAINER(task, memory_storage, task);
    hr_io *io = storage->first;
    storage->first = storage->last = NULL;
    while (io != NULL) {
        hr_io *next = io->scratch[0];
        carry_out(storage->disk, io);
        io = next;
    }
}

static void memory_submit(hr_storage *base, hr_io *io)
{
    memory_storage *storage = (memory_storage *)base;
    io->scratch[0] = NULL;
    if (storage->last == NULL)
        storage->first = io;
    else
        storage->last->scratch[0] = io;
    storage->last = io;
    hr_loop_defer(base->loop, &storage->task);
}

static void memory_query(const hr_storage *storage, hr_storage_caps *caps_out)
{
    (void)storage;
    *caps_out = (hr_storage_caps){.sync_all = true, .why = ""};
}

static hr_status memory_register_buffers(hr_storage *storage, const struct iovec *iov,
                                         unsigned count)
{
    (void)storage, (void)iov, (void)count;
    return HR_UNSUPPORTED;
}

static void memory_attach(hr_storage *storage, hr_file *file)
{
    (void)storage, (void)file;
}

static void memory_destroy(hr_storage *base)
{
    memory_storage *storage = (memory_storage *)base;
    assert(storage->first == NULL);
    hr_release(storage->disk->env, storage);
}

static const hr_storage_ops memory_ops = {
    .name = "memory",
    .destroy = memory_destroy,
    .query = memory_query,
    .submit = memory_submit,
    .register_buffers = memory_register_buffers,
    .attach = memory_attach,
    .detach = memory_attach,
};

hr_status hr_storage_memory_create(hr_loop *loop, hr_disk *disk, hr_storage **storage_out)
{
    memory_storage *storage = hr_alloc(disk->env, sizeof *storage);
    if (storage == NULL)
        return HR_NO_MEMORY;
    storage->base = (hr_storage){.ops = &memory_ops, .loop = loop};
    storage->disk = disk;
    storage->task.run = run_queue;
    *storage_out = &storage->base;
    return HR_OK;
}
