/* SPDX-License-Identifier: Apache-2.0 */
/* hr_helpers: a small pool of threads for calls that block and have no other form (open, list,
 * rename, registration, teardown), and for file I/O where io_uring is forbidden. The answer comes
 * back to the loop of the asker. */
#ifndef HR_HELPERS_H
#define HR_HELPERS_H

#include "loop.h"

typedef struct hr_helpers hr_helpers;

/* The caller's before submit and from the call of done on. */
typedef struct hr_job hr_job;
struct hr_job {
    hr_letter letter;          /* the pool's */
    void (*run)(hr_job *job);  /* on a helper thread: may block, touches only its own job */
    void (*done)(hr_job *job); /* in a step of loop */
    hr_loop *loop;             /* NULL: there is no done; run itself tells whoever waits */
    hr_job *next;              /* the pool's */
};

/* Without threads the work is done by submit itself, and only the answer comes later: a simulation
 * has no others. */
HR_CHECKED hr_status hr_helpers_create(const hr_env *env, unsigned threads,
                                       hr_helpers **helpers_out);
/* Waits for running jobs; queued ones must not exist any more. NULL is accepted. */
void hr_helpers_destroy(hr_helpers *helpers);
/* Any thread. */
void hr_helpers_submit(hr_helpers *helpers, hr_job *job);

#endif
