/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include <string.h>

#include "engine.h"
#include "node.h"
#include "thread.h"

/* Workers and NICs take turns; without NICs, and where there is one node only, any place is as
 * good. */
static int node_of(const hr_worker *worker)
{
    hr_transport_caps caps;
    hr_rail_info rail;
    if (worker->rdma == NULL)
        return -1;
    worker->rdma->ops->query(worker->rdma, &caps);
    worker->rdma->ops->rail(worker->rdma, worker->index % caps.rails, &rail);
    return rail.site.node;
}

static hr_status take_pool(hr_worker *worker, hr_platform *platform, size_t pool_len)
{
    bool prefers = worker->node >= 0 && hr_node_prefer_memory(worker->node);
    /* A NIC registers all of it. */
    bool on_demand = worker->engine->pool_on_demand && worker->rdma == NULL;
    hr_helpers *helpers = on_demand ? platform->helpers : NULL;
    hr_status status = hr_slots_init(&worker->slots, worker->env, platform->memory, worker->storage,
                                     pool_len, helpers);
    if (prefers)
        (void)hr_node_prefer_memory(-1);
    return status;
}

hr_status hr_worker_init(hr_worker *worker, hr_engine *engine, hr_platform *platform,
                         unsigned index, size_t pool_len, hr_error *error)
{
    *worker = (hr_worker){.engine = engine, .env = platform->env, .index = index};
    worker->gauge.env = platform->env;
    hr_status status = platform->loop_create(platform, &worker->loop);
    if (status != HR_OK)
        return hr_error_set(
            error, status, "making the loop of worker %u: %s%s", index, hr_status_text(status),
            status == HR_UNSUPPORTED ? "; io_uring cannot be had, and --io auto does without it"
                                     : "");
    status = platform->storage_create(platform, worker->loop, &worker->storage);
    if (status != HR_OK) {
        hr_error_set(error, status, "making the storage of worker %u: %s", index,
                     hr_status_text(status));
        goto fail;
    }
    status = platform->network_create(platform, worker->loop, &worker->network);
    if (status == HR_OK)
        status = platform->inproc_create(platform, worker->loop, &worker->inproc);
    if (status != HR_OK) {
        hr_error_set(error, status, "making the transports of worker %u: %s%s", index,
                     hr_status_text(status),
                     status == HR_UNSUPPORTED
                         ? "; does this system have the congestion control that was asked for?"
                         : "");
        goto fail;
    }
    status = platform->rdma_create == NULL
                 ? HR_OK
                 : platform->rdma_create(platform, worker->loop, &worker->rdma);
    if (status != HR_OK) {
        hr_error_set(error, status, "making the RDMA transport of worker %u: %s", index,
                     hr_status_text(status));
        goto fail;
    }
    worker->node = node_of(worker);
    status = take_pool(worker, platform, pool_len);
    if (status != HR_OK) {
        hr_error_set(error, status,
                     "taking a pool of %zu bytes for worker %u: %s; a smaller pool or fewer "
                     "workers need less",
                     pool_len, index, hr_status_text(status));
        goto fail;
    }
    worker->slots.index = index;
    return HR_OK;
fail:
    hr_worker_fini(worker);
    return status;
}

void hr_worker_fini(hr_worker *worker)
{
    hr_worker_stop(worker);
    if (worker->lent)
        worker->rdma->ops->region->reclaim(worker->rdma, worker->slots.pool);
    hr_slots_fini(&worker->slots);
    if (worker->rdma != NULL)
        worker->rdma->ops->destroy(worker->rdma);
    if (worker->inproc != NULL)
        worker->inproc->ops->destroy(worker->inproc);
    if (worker->network != NULL)
        worker->network->ops->destroy(worker->network);
    if (worker->storage != NULL)
        worker->storage->ops->destroy(worker->storage);
    hr_loop_destroy(worker->loop);
    worker->inproc = worker->network = worker->rdma = NULL;
    worker->lent = false;
    worker->storage = NULL;
    worker->loop = NULL;
}

hr_status hr_worker_lend(hr_worker *worker)
{
    if (worker->lent)
        return HR_OK;
    hr_status status = worker->rdma->ops->region->lend(worker->rdma, worker->slots.pool);
    worker->lent = status == HR_OK;
    return status;
}

void hr_worker_settle(hr_worker *worker)
{
    while (hr_loop_step(worker->loop, 0) > 0)
        ;
}

static void *run(void *argument)
{
    hr_worker *worker = argument;
    if (worker->node >= 0 && hr_node_stay("", worker->node))
        hr_log(worker->env, HR_LOG_INFO, "worker %u stays at NUMA node %d, beside its NIC",
               worker->index, worker->node);
    while (!__atomic_load_n(&worker->stop, __ATOMIC_ACQUIRE))
        hr_loop_step(worker->loop, HR_NEVER);
    hr_worker_settle(worker);
    return NULL;
}

hr_status hr_worker_start(hr_worker *worker, hr_error *error)
{
    int failure = hr_thread_start(&worker->thread, run, worker);
    if (failure != 0)
        return hr_error_set(error, hr_status_from_errno(failure), "starting worker %u: %s",
                            worker->index, strerror(failure));
    worker->threaded = true;
    return HR_OK;
}

void hr_worker_stop(hr_worker *worker)
{
    if (!worker->threaded)
        return;
    __atomic_store_n(&worker->stop, true, __ATOMIC_RELEASE);
    hr_loop_wake(worker->loop);
    pthread_join(worker->thread, NULL);
    worker->threaded = false;
}
