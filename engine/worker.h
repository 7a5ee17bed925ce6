/* SPDX-License-Identifier: Apache-2.0 */
/* hr_worker: a thread that owns one loop, its links, its slots, its parts. Worker 0 is stepped by
 * the engine's caller; it also has the channels and coordinates the others by letters. */
#ifndef HR_WORKER_H
#define HR_WORKER_H

#include <pthread.h>

#include "headrace.h"
#include "platform.h"
#include "slots.h"

#define HR_WORKERS_MAX 64

typedef struct hr_worker {
    hr_engine *engine;
    const hr_env *env;
    unsigned index;
    hr_loop *loop;
    hr_storage *storage;
    hr_transport *network, *inproc;
    hr_slots slots;
    pthread_t thread;
    bool threaded;
    bool stop; /* through __atomic */
} hr_worker;

HR_CHECKED hr_status hr_worker_init(hr_worker *worker, hr_engine *engine, hr_platform *platform,
                                    unsigned index, size_t pool_len, hr_error *error);
void hr_worker_fini(hr_worker *worker);
HR_CHECKED hr_status hr_worker_start(hr_worker *worker, hr_error *error);
/* Settles and joins. */
void hr_worker_stop(hr_worker *worker);
/* Does what is left to do without waiting: letters and tasks that only give memory back. On the
 * thread that steps it. */
void hr_worker_settle(hr_worker *worker);

#endif
