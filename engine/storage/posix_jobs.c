/* SPDX-License-Identifier: Apache-2.0 */
#include "posix_jobs.h"

static void run(hr_job *job)
{
    hr_posix_job *record = HR_CONTAINER(job, hr_posix_job, job);
    hr_posix_act(hr_loop_env(record->jobs->loop), record->jobs->calls, record->io);
}

static void start(hr_posix_jobs *jobs, hr_posix_job *record, hr_io *io)
{
    record->io = io;
    hr_helpers_submit(jobs->helpers, &record->job);
}

static void finish(hr_job *job)
{
    hr_posix_job *record = HR_CONTAINER(job, hr_posix_job, job);
    hr_posix_jobs *jobs = record->jobs;
    hr_io *io = record->io, *waiting = jobs->first;
    if (waiting != NULL) {
        jobs->first = waiting->scratch[0];
        start(jobs, record, waiting);
    } else {
        record->next_free = jobs->free;
        jobs->free = record;
        jobs->under_way--;
    }
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
        start(jobs, record, io);
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
