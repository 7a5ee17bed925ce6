/* SPDX-License-Identifier: Apache-2.0 */
/* The storage for hosts where io_uring is missing or forbidden. Reads and writes have threads of
 * their own, so that a device which never answers eats those, of this one worker, and nobody's
 * opening and listing; the names are the shared helpers' as everywhere. */
#include "storage_threads.h"

#include <assert.h>

#include "posix_jobs.h"
#include "storage_posix.h"

typedef struct threads_storage {
    hr_storage base;
    const char *why;
    hr_helpers *data_helpers;
    hr_posix_jobs data, names;
} threads_storage;

static void threads_submit(hr_storage *base, hr_io *io)
{
    threads_storage *storage = (threads_storage *)base;
    bool moves_data = io->kind == HR_IO_READ || io->kind == HR_IO_WRITE || io->kind == HR_IO_SYNC;
    hr_posix_jobs_submit(moves_data ? &storage->data : &storage->names, io);
}

static void threads_query(const hr_storage *storage, hr_storage_caps *caps_out)
{
    *caps_out = (hr_storage_caps){
        .sync_all = hr_posix_can_sync_all(),
        .why = ((const threads_storage *)storage)->why,
    };
}

static hr_status threads_register_buffers(hr_storage *storage, const struct iovec *iov,
                                          unsigned count)
{
    (void)storage, (void)iov, (void)count;
    return HR_UNSUPPORTED;
}

static void threads_attach(hr_storage *storage, hr_file *file)
{
    (void)storage, (void)file;
}

static void threads_destroy(hr_storage *base)
{
    threads_storage *storage = (threads_storage *)base;
    assert(hr_posix_jobs_is_idle(&storage->data) && hr_posix_jobs_is_idle(&storage->names));
    hr_helpers_destroy(storage->data_helpers);
    hr_release(hr_loop_env(base->loop), storage);
}

static const hr_storage_ops threads_ops = {
    .name = "threads",
    .destroy = threads_destroy,
    .query = threads_query,
    .submit = threads_submit,
    .register_buffers = threads_register_buffers,
    .attach = threads_attach,
    .detach = threads_attach,
};

hr_status hr_storage_threads_create_with(hr_loop *loop, hr_helpers *helpers,
                                         const hr_posix_calls *calls, const char *why,
                                         hr_storage **storage_out)
{
    const hr_env *env = hr_loop_env(loop);
    threads_storage *storage = hr_alloc(env, sizeof *storage);
    if (storage == NULL)
        return HR_NO_MEMORY;
    storage->base = (hr_storage){.ops = &threads_ops, .loop = loop};
    storage->why = why;
    hr_status status = hr_helpers_create(env, HR_STORAGE_THREADS, &storage->data_helpers);
    if (status != HR_OK) {
        hr_release(env, storage);
        return status;
    }
    hr_posix_jobs_init(&storage->data, loop, storage->data_helpers, calls);
    hr_posix_jobs_init(&storage->names, loop, helpers, calls);
    *storage_out = &storage->base;
    return HR_OK;
}

hr_status hr_storage_threads_create(hr_loop *loop, hr_helpers *helpers, hr_storage **storage_out)
{
    return hr_storage_threads_create_with(loop, helpers, &hr_posix_system_calls, "it was asked for",
                                          storage_out);
}
