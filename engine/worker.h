/* SPDX-License-Identifier: Apache-2.0 */
/* hr_worker: a thread that owns one loop, its links, its slots, its parts. Worker 0 is stepped by
 * the engine's caller; it also has the channels and coordinates the others by letters. */
#ifndef HR_WORKER_H
#define HR_WORKER_H

#include <pthread.h>

#include "gauge.h"
#include "headrace.h"
#include "platform.h"
#include "slots.h"

#define HR_WORKERS_MAX 64

/* Which of a worker's transports. */
typedef enum hr_family {
    HR_FAMILY_NETWORK,
    HR_FAMILY_INPROC,
    HR_FAMILY_RDMA,
} hr_family;

typedef struct hr_worker {
    hr_engine *engine;
    const hr_env *env;
    unsigned index;
    hr_loop *loop;
    hr_storage *storage;
    hr_transport *network, *inproc, *rdma; /* rdma: NULL where there is none */
    bool lent;                             /* rdma reads from the slots */
    int node; /* of the NIC that it is meant for, where its slots lie; -1: any */
    hr_slots slots;
    hr_gauge gauge;
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
static inline hr_transport *hr_worker_transport(const hr_worker *worker, hr_family family)
{
    return family == HR_FAMILY_RDMA      ? worker->rdma
           : family == HR_FAMILY_NETWORK ? worker->network
                                         : worker->inproc;
}
/* Lets rdma read from the slots, as a server needs it; once. Blocks: at the start. */
HR_CHECKED hr_status hr_worker_lend(hr_worker *worker);
/* Does what is left to do without waiting: letters and tasks that only give memory back. On the
 * thread that steps it. */
void hr_worker_settle(hr_worker *worker);

#endif
