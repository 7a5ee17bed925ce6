/* SPDX-License-Identifier: Apache-2.0 */
#include "posix_jobs.h"

#include <assert.h>

#include "path.h"

/* Of a request for many files scratch[0] counts those that a thread has taken, through __atomic,
 * and scratch[1] the threads that are not back. */
static size_t *taken_of(hr_io *io)
{
    static_assert(sizeof(void *) == sizeof(size_t), "scratch holds counts");
    return (size_t *)(void *)&io->scratch[0];
}

static size_t *shares_of(hr_io *io)
{
    return (size_t *)(void *)&io->scratch[1];
}

static size_t share_len(const hr_io *io)
{
    if (io->kind == HR_IO_STAMP_FILES)
        return io->file_count; /* one after the other */
    bool look = io->kind == HR_IO_LOOKUP_FILES || io->kind == HR_IO_MAKE_DIRS;
    return look ? HR_POSIX_LOOK_SHARE : HR_POSIX_SHARE;
}

/* Where the share that begins with first ends: after len files or, so that no other thread makes
 * names in the same directory, where the next directory begins. */
static size_t share_end(const hr_io *io, size_t first, size_t len, bool whole_dirs)
{
    if (io->file_count - first <= len)
        return io->file_count;
    size_t end = first + len;
    while (whole_dirs && end < io->file_count &&
           hr_path_is_beside(io->files[end - 1].path, io->files[end].path))
        end++;
    return end;
}

static void run_share(const hr_posix_job *record)
{
    hr_io *io = record->io;
    const size_t len = share_len(io);
    size_t first = __atomic_load_n(taken_of(io), __ATOMIC_RELAXED), end;
    while (first < io->file_count) {
        end = share_end(io, first, len, record->whole_dirs);
        if (!__atomic_compare_exchange_n(taken_of(io), &first, end, false, __ATOMIC_RELAXED,
                                         __ATOMIC_RELAXED))
            continue; /* first is what another thread has made of it */
        hr_posix_act_files(io, first, end);
        first = __atomic_load_n(taken_of(io), __ATOMIC_RELAXED);
    }
}

static void run(hr_job *job)
{
    hr_posix_job *record = HR_CONTAINER(job, hr_posix_job, job);
    if (hr_posix_is_of_files(record->io))
        run_share(record);
    else
        hr_posix_act(hr_loop_env(record->jobs->loop), record->jobs->calls, record->io);
}

static void start(hr_posix_jobs *jobs, hr_posix_job *record, hr_io *io)
{
    record->io = io;
    record->whole_dirs = io->kind == HR_IO_WRITE_FILES && jobs->writing > 1;
    if (hr_posix_is_of_files(io))
        ++*shares_of(io);
    hr_helpers_submit(jobs->helpers, &record->job);
}

static void begin(hr_posix_jobs *jobs, hr_posix_job *record, hr_io *io)
{
    if (!hr_posix_is_of_files(io)) {
        start(jobs, record, io);
        return;
    }
    *taken_of(io) = *shares_of(io) = 0;
    if (io->kind == HR_IO_WRITE_FILES)
        jobs->writing++;
    io->bytes = 0;
    hr_posix_finish(io, 0);
    start(jobs, record, io);
    while (*shares_of(io) < HR_POSIX_SHARES_MAX &&
           *shares_of(io) * share_len(io) < io->file_count && jobs->free != NULL) {
        record = jobs->free;
        jobs->free = record->next_free;
        jobs->under_way++;
        start(jobs, record, io);
    }
}

static void finish(hr_job *job)
{
    hr_posix_job *record = HR_CONTAINER(job, hr_posix_job, job);
    hr_posix_jobs *jobs = record->jobs;
    hr_io *io = record->io, *waiting = jobs->first;
    if (waiting != NULL) {
        jobs->first = waiting->scratch[0];
        begin(jobs, record, waiting);
    } else {
        record->next_free = jobs->free;
        jobs->free = record;
        jobs->under_way--;
    }
    if (hr_posix_is_of_files(io) && --*shares_of(io) > 0)
        return;
    if (io->kind == HR_IO_WRITE_FILES)
        jobs->writing--;
    io->done(io);
}

void hr_posix_jobs_init(hr_posix_jobs *jobs, hr_loop *loop, hr_helpers *helpers,
                        const hr_posix_calls *calls)
{
    *jobs = (hr_posix_jobs){.loop = loop, .helpers = helpers, .calls = calls};
    for (unsigned i = 0; i < HR_POSIX_JOBS_MAX; i++) {
        hr_posix_job *record = &jobs->job[i];
        record->job = (hr_job){.run = run, .done = finish, .loop = loop};
        record->jobs = jobs;
        record->next_free = jobs->free;
        jobs->free = record;
    }
}

void hr_posix_jobs_submit(hr_posix_jobs *jobs, hr_io *io)
{
    hr_posix_job *record = jobs->free;
    if (record != NULL) {
        jobs->free = record->next_free;
        jobs->under_way++;
        begin(jobs, record, io);
        return;
    }
    io->scratch[0] = NULL;
    if (jobs->first == NULL)
        jobs->first = io;
    else
        jobs->last->scratch[0] = io;
    jobs->last = io;
}

bool hr_posix_jobs_is_idle(const hr_posix_jobs *jobs)
{
    return jobs->under_way == 0;
}
