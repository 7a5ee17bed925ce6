/* SPDX-License-Identifier: Apache-2.0 */
/* hr_posix_jobs: requests of one storage that are carried out by helper threads. Records are made
 * at the start; a request that finds none free waits in a queue. One for many files is shared by
 * several threads as far as records are free. Making a name locks its directory: threads that make
 * them in the same one mostly wait, and on ext4 a fifth of their CPU seconds is waiting in circles.
 * So if several requests write, each directory is left to one thread of each. A request that is
 * alone is better off with several in one directory. Inside the folder only. */
#ifndef HR_POSIX_JOBS_H
#define HR_POSIX_JOBS_H

#include "helpers.h"
#include "posix.h"

#define HR_POSIX_JOBS_MAX   64 /* at once, of one storage */
#define HR_POSIX_SHARES_MAX 4  /* threads at once for one request for many files */
#define HR_POSIX_SHARE      32 /* files that one of them takes at a time */
/* A look takes a microsecond or two: less than waking a thread for a few of them. Directories are
 * mostly made in the same one, which lets only one thread in at a time. */
#define HR_POSIX_LOOK_SHARE 256

typedef struct hr_posix_jobs hr_posix_jobs;

typedef struct hr_posix_job {
    hr_job job;
    hr_posix_jobs *jobs;
    hr_io *io;
    bool whole_dirs; /* a thread takes all files of a directory that lie side by side */
    struct hr_posix_job *next_free;
} hr_posix_job;

struct hr_posix_jobs {
    hr_loop *loop;
    hr_helpers *helpers;
    const hr_posix_calls *calls;
    hr_io *first, *last; /* waiting, linked through scratch[0] */
    hr_posix_job *free;
    unsigned under_way;
    unsigned writing; /* requests that write many files: if others do, they keep out of each other's
                         way */
    hr_posix_job job[HR_POSIX_JOBS_MAX];
};

/* All three outlive jobs. */
void hr_posix_jobs_init(hr_posix_jobs *jobs, hr_loop *loop, hr_helpers *helpers,
                        const hr_posix_calls *calls);
void hr_posix_jobs_submit(hr_posix_jobs *jobs, hr_io *io);
bool hr_posix_jobs_is_idle(const hr_posix_jobs *jobs);

#endif
