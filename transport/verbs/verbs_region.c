/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that a device reaches. The writer's is lent for reading only: nobody but this process ever
 * names it. The reader's is exposed for remote writing and nothing else. */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "bytes.h"
#include "verbs.h"

/* Locked memory counts once for each registration. */
static void log_locked(const hr_verbs *verbs, const hr_verbs_device *device, const hr_span *span,
                       bool is_pool, int error)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    char needs[120];
    size_t kib = span->len >> 10;
    (void)getrlimit(RLIMIT_MEMLOCK, &limit);
    if (is_pool)
        snprintf(needs, sizeof needs, "%zu KiB x (1 ring + %u NIC%s) = %zu KiB for each worker",
                 kib, verbs->device_count, verbs->device_count == 1 ? "" : "s",
                 kib * (1 + verbs->device_count));
    else
        snprintf(needs, sizeof needs,
                 "its pool once for each ring and each NIC, and a target in "
                 "memory once for each NIC");
    hr_log(verbs->env, HR_LOG_WARN,
           "%zu KiB cannot be registered with %s: %s. This process may lock %llu KiB; it needs %s "
           "('ulimit -l', or LimitMEMLOCK=infinity)",
           kib, device->info.device, strerror(error), (unsigned long long)limit.rlim_cur >> 10,
           needs);
}

static void log_refusal(const hr_verbs *verbs, const hr_verbs_device *device, const hr_span *span,
                        bool is_pool, int error)
{
    if (hr_verbs_status(error) == HR_LIMIT)
        log_locked(verbs, device, span, is_pool, error);
    else
        hr_log(verbs->env, span->kind == HR_MEMORY_HOST ? HR_LOG_WARN : HR_LOG_INFO,
               "%zu KiB cannot be registered with %s: %s%s", span->len >> 10, device->info.device,
               strerror(error),
               error == EFAULT ? ": the device cannot reach this memory; of a GPU's, peer memory "
                                 "(the module nvidia_peermem) or dma-buf is missing"
                               : "");
}

/* ---- lending ---- */

/* A span in pieces that each device takes. */
typedef struct lent_span {
    hr_list node;
    hr_span span;
    size_t piece_len;
    size_t pieces;
    struct ibv_mr *mrs[]; /* of the first rail, then of the second, ... */
} lent_span;

/* Who lends waits for all the devices. */
typedef struct lending_count {
    pthread_mutex_t lock; /* guards left */
    pthread_cond_t none;
    unsigned left;
} lending_count;

typedef struct lending {
    hr_job job;
    lending_count *count;
    const hr_verbs *verbs;
    unsigned rail;
    lent_span *loan;
    int error;
} lending;

static void lend_to_rail(lending *to)
{
    const hr_verbs_device *device = &to->verbs->devices[to->rail];
    lent_span *loan = to->loan;
    for (size_t i = 0; i < loan->pieces && to->error == 0; i++) {
        size_t at = i * loan->piece_len;
        struct ibv_mr **mr = &loan->mrs[to->rail * loan->pieces + i];
        *mr = to->verbs->calls->reg_mr(device->pd, (uint8_t *)loan->span.addr + at,
                                       hr_min_u64(loan->piece_len, loan->span.len - at),
                                       IBV_ACCESS_LOCAL_WRITE);
        if (*mr == NULL)
            to->error = errno;
    }
}

static void run_lending(hr_job *job)
{
    lending *to = HR_CONTAINER(job, lending, job);
    lending_count *count = to->count;
    lend_to_rail(to);
    pthread_mutex_lock(&count->lock);
    if (--count->left == 0)
        pthread_cond_signal(&count->none);
    pthread_mutex_unlock(&count->lock);
}

static void take_back(const hr_verbs *verbs, lent_span *loan)
{
    for (size_t i = 0; i < verbs->device_count * loan->pieces; i++)
        if (loan->mrs[i] != NULL)
            (void)verbs->calls->dereg_mr(loan->mrs[i]);
    hr_release(verbs->env, loan);
}

static void wait_for(lending_count *count)
{
    pthread_mutex_lock(&count->lock);
    while (count->left > 0)
        pthread_cond_wait(&count->none, &count->lock);
    pthread_mutex_unlock(&count->lock);
}

/* Registration pins page by page, so devices are asked at the same time: the last one here, the
 * others by helpers. */
static hr_status lend_to_all(const hr_verbs *verbs, lent_span *loan)
{
    lending rails[HR_RAILS_MAX];
    unsigned last = verbs->device_count - 1;
    hr_status status = HR_OK;
    lending_count count = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, last};
    for (unsigned i = 0; i <= last; i++) {
        rails[i] = (lending){
            .job.run = run_lending, .count = &count, .verbs = verbs, .rail = i, .loan = loan};
        if (i < last)
            hr_helpers_submit(verbs->helpers, &rails[i].job);
        else
            lend_to_rail(&rails[i]);
    }
    wait_for(&count);
    for (unsigned i = 0; i <= last && status == HR_OK; i++) {
        if (rails[i].error == 0)
            continue;
        log_refusal(verbs, &verbs->devices[i], &loan->span, true, rails[i].error);
        status = hr_verbs_status(rails[i].error);
    }
    return status;
}

/* Whole slots, so that no chunk lies in two pieces. */
static size_t longest_piece(const hr_verbs *verbs, size_t len)
{
    for (unsigned i = 0; i < verbs->device_count; i++) {
        uint64_t max = verbs->devices[i].max_mr_len;
        if (len > max)
            len = max < HR_SLOT_LEN ? max : max - max % HR_SLOT_LEN;
    }
    return len;
}

static hr_status region_lend(hr_transport *base, hr_span span)
{
    hr_verbs_transport *transport = (hr_verbs_transport *)base;
    const hr_verbs *verbs = transport->verbs;
    if (span.kind != HR_MEMORY_HOST)
        return HR_UNSUPPORTED;
    size_t piece_len = longest_piece(verbs, span.len);
    size_t pieces = (span.len + piece_len - 1) / piece_len;
    lent_span *loan =
        hr_alloc(verbs->env, sizeof *loan + verbs->device_count * pieces * sizeof(struct ibv_mr *));
    if (loan == NULL)
        return HR_NO_MEMORY;
    loan->span = span;
    loan->piece_len = piece_len;
    loan->pieces = pieces;
    hr_status status = lend_to_all(verbs, loan);
    if (status == HR_OK)
        hr_list_append(&transport->lent, &loan->node);
    else
        take_back(verbs, loan);
    return status;
}

static lent_span *find_lent(const hr_verbs_transport *transport, const void *addr, size_t len)
{
    for (hr_list *node = transport->lent.next; node != &transport->lent; node = node->next) {
        lent_span *found = HR_CONTAINER(node, lent_span, node);
        uintptr_t at = (uintptr_t)addr, start = (uintptr_t)found->span.addr;
        if (at >= start && at - start < found->span.len && len <= found->span.len - (at - start))
            return found;
    }
    return NULL;
}

static void region_reclaim(hr_transport *base, hr_span span)
{
    hr_verbs_transport *transport = (hr_verbs_transport *)base;
    lent_span *found = find_lent(transport, span.addr, span.len);
    assert(found != NULL);
    hr_list_remove(&found->node);
    take_back(transport->verbs, found);
}

bool hr_verbs_lent_key(const hr_verbs_transport *transport, unsigned rail, const void *addr,
                       size_t len, uint32_t *key_out)
{
    const lent_span *found = find_lent(transport, addr, len);
    if (found == NULL)
        return false;
    size_t at = (size_t)((const uint8_t *)addr - (const uint8_t *)found->span.addr);
    size_t piece = at / found->piece_len;
    if (at + len > (piece + 1) * found->piece_len)
        return false;
    *key_out = found->mrs[rail * found->pieces + piece]->lkey;
    return true;
}

/* ---- exposing ---- */

/* In hr_region.scratch. */
typedef struct exposure {
    hr_job job;
    struct ibv_mr *mr;
    const hr_verbs *verbs;
} exposure;

_Static_assert(sizeof(exposure) <= sizeof((hr_region *)0)->scratch, "it lies in there");

static exposure *exposure_of(hr_region *region)
{
    return (exposure *)(void *)region->scratch;
}

static hr_region *region_of(hr_job *job)
{
    return HR_CONTAINER(job, hr_region, scratch);
}

/* A dma-buf by its descriptor; a GPU's memory by its address, which is for whoever has brought peer
 * memory into the kernel to make something of. */
static void run_expose(hr_job *job)
{
    const int access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE;
    hr_region *region = region_of(job);
    exposure *exposed = exposure_of(region);
    const hr_verbs_calls *calls = exposed->verbs->calls;
    const hr_span *span = &region->span;
    struct ibv_pd *pd = exposed->verbs->devices[region->rail].pd;
    if (span->kind == HR_MEMORY_DMABUF)
        exposed->mr =
            calls->reg_dmabuf_mr(pd, (uint64_t)(uintptr_t)span->addr, span->len,
                                 (uint64_t)(uintptr_t)span->addr, span->dmabuf_fd, access);
    else
        exposed->mr = calls->reg_mr(pd, span->addr, span->len, access);
    region->status = exposed->mr != NULL ? HR_OK : hr_verbs_status(errno);
    if (exposed->mr == NULL) {
        log_refusal(exposed->verbs, &exposed->verbs->devices[region->rail], span, false, errno);
        return;
    }
    region->address = (uint64_t)(uintptr_t)span->addr;
    region->key = exposed->mr->rkey;
}

static void run_withdraw(hr_job *job)
{
    hr_region *region = region_of(job);
    exposure *exposed = exposure_of(region);
    int error = exposed->verbs->calls->dereg_mr(exposed->mr);
    region->status = error == 0 ? HR_OK : hr_verbs_status(error);
}

static void region_done(hr_job *job)
{
    hr_region *region = region_of(job);
    region->done(region);
}

static void submit(hr_transport *transport, hr_region *region, void (*run)(hr_job *job))
{
    const hr_verbs *verbs = ((hr_verbs_transport *)transport)->verbs;
    exposure *exposed = exposure_of(region);
    exposed->verbs = verbs;
    exposed->job = (hr_job){.run = run, .done = region_done, .loop = transport->loop};
    hr_helpers_submit(verbs->helpers, &exposed->job);
}

static void region_expose(hr_transport *transport, hr_region *region)
{
    assert(region->rail < ((hr_verbs_transport *)transport)->verbs->device_count);
    submit(transport, region, run_expose);
}

static void region_withdraw(hr_transport *transport, hr_region *region)
{
    submit(transport, region, run_withdraw);
}

const hr_region_ops hr_verbs_region_ops = {
    .lend = region_lend,
    .reclaim = region_reclaim,
    .expose = region_expose,
    .withdraw = region_withdraw,
};
