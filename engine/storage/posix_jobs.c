/* SPDX-License-Identifier: Apache-2.0 */
#include "posix_jobs.h"

#include <assert.h>

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

static void run_share(hr_io *io)
{
    const size_t len = share_len(io);
    size_t first;
    while ((first = __atomic_fetch_add(taken_of(io), len, __ATOMIC_RELAXED)) < io->file_count) {
        size_t rest = io->file_count - first;
        hr_posix_act_files(io, first, first + (rest < len ? rest : len));
    }
}

static void run(hr_job *job)
{
    hr_posix_job *record = HR_CONTAINER(job, hr_posix_job, job);
    if (hr_posix_is_of_files(record->io))
        run_share(record->io);
    else
        hr_posix_act(hr_loop_env(record->jobs->loop), record->jobs->calls, record->io);
}

static void start(hr_posix_jobs *jobs, hr_posix_job *record, hr_io *io)
{
    record->io = io;
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
    if (!hr_posix_is_of_files(io) || --*shares_of(io) == 0)
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
