/* SPDX-License-Identifier: Apache-2.0 */
#include "exposure.h"

#include <assert.h>

hr_exposure *hr_exposure_create(hr_worker *worker, hr_worker *home, unsigned rail, uint32_t first,
                                unsigned count, const hr_exposure_events *events, void *context)
{
    hr_exposure *exposure =
        hr_alloc(worker->env, sizeof *exposure + count * sizeof exposure->regions[0]);
    if (exposure == NULL)
        return NULL;
    exposure->worker = worker;
    exposure->home = home;
    exposure->events = events;
    exposure->context = context;
    exposure->rail = rail;
    exposure->first = first;
    exposure->count = count;
    hr_list_init(&exposure->node);
    return exposure;
}

/* ---- back home ---- */

static void deliver_opened(hr_letter *letter)
{
    hr_exposure *exposure = HR_CONTAINER(letter, hr_exposure, letter);
    exposure->state = exposure->status == HR_OK ? HR_EXPOSURE_OPEN : HR_EXPOSURE_CLOSED;
    exposure->events->opened(exposure->context, exposure, exposure->status);
}

static void deliver_closed(hr_letter *letter)
{
    hr_exposure *exposure = HR_CONTAINER(letter, hr_exposure, close_letter);
    exposure->state = HR_EXPOSURE_CLOSED;
    exposure->events->closed(exposure->context, exposure);
}

/* ---- on the worker ---- */

static void tell_opened(hr_exposure *exposure)
{
    exposure->letter.deliver = deliver_opened;
    hr_loop_post(exposure->home->loop, &exposure->letter);
}

static void taken_back(hr_region *region)
{
    hr_exposure *exposure = region->context;
    if (--exposure->busy == 0)
        tell_opened(exposure);
}

/* Those that are exposed; returns how many there are. */
static unsigned withdraw_all(hr_exposure *exposure, void (*done)(hr_region *region))
{
    hr_transport *transport = exposure->worker->rdma;
    unsigned count = 0;
    for (unsigned i = 0; i < exposure->count; i++)
        count += exposure->regions[i].status == HR_OK;
    exposure->busy = count;
    for (unsigned i = 0; i < exposure->count; i++) {
        hr_region *region = &exposure->regions[i];
        if (region->status != HR_OK)
            continue;
        region->done = done;
        transport->ops->region->withdraw(transport, region);
    }
    return count;
}

static void was_exposed(hr_region *region)
{
    hr_exposure *exposure = region->context;
    if (region->status != HR_OK)
        exposure->status = region->status;
    if (--exposure->busy > 0)
        return;
    if (exposure->status == HR_OK || withdraw_all(exposure, taken_back) == 0)
        tell_opened(exposure);
}

static void deliver_open(hr_letter *letter)
{
    hr_exposure *exposure = HR_CONTAINER(letter, hr_exposure, letter);
    hr_transport *transport = exposure->worker->rdma;
    exposure->busy = exposure->count;
    for (unsigned i = 0; i < exposure->count; i++) {
        hr_region *region = &exposure->regions[i];
        region->rail = exposure->rail;
        region->done = was_exposed;
        region->context = exposure;
        transport->ops->region->expose(transport, region);
    }
}

static void was_withdrawn(hr_region *region)
{
    hr_exposure *exposure = region->context;
    if (--exposure->busy > 0)
        return;
    exposure->close_letter.deliver = deliver_closed;
    hr_loop_post(exposure->home->loop, &exposure->close_letter);
}

static void deliver_close(hr_letter *letter)
{
    withdraw_all(HR_CONTAINER(letter, hr_exposure, close_letter), was_withdrawn);
}

/* ---- at home ---- */

void hr_exposure_open(hr_exposure *exposure)
{
    exposure->letter.deliver = deliver_open;
    hr_loop_post(exposure->worker->loop, &exposure->letter);
}

void hr_exposure_close(hr_exposure *exposure)
{
    assert(exposure->state == HR_EXPOSURE_OPEN);
    exposure->state = HR_EXPOSURE_CLOSING;
    exposure->close_letter.deliver = deliver_close;
    hr_loop_post(exposure->worker->loop, &exposure->close_letter);
}
