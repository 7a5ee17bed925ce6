/* SPDX-License-Identifier: Apache-2.0 */
/* Regions within one process. Nothing is registered anywhere: it is written down who may be written
 * to, and looked at for each write, as a NIC does. */
#include <assert.h>

#include "inproc.h"

/* What a region's scratch holds. */
typedef struct region_state {
    hr_list node; /* in the hub's list while it is exposed */
    hr_task answer;
} region_state;

static_assert(sizeof(region_state) <= sizeof((hr_region){0}.scratch), "scratch is too small");

static region_state *state_of(hr_region *region)
{
    return (region_state *)(void *)region->scratch;
}

static void answer(hr_task *task)
{
    region_state *state = HR_CONTAINER(task, region_state, answer);
    hr_region *region = HR_CONTAINER(state, hr_region, scratch);
    region->done(region);
}

static void expose(hr_transport *transport, hr_region *region)
{
    region_state *state = state_of(region);
    *state = (region_state){.answer.run = answer};
    hr_inproc_regions *regions = hr_inproc_lock_regions(transport);
    region->address = (uintptr_t)region->span.addr;
    region->key = (uint32_t)++regions->told;
    hr_list_append(&regions->exposed, &state->node);
    hr_inproc_unlock_regions(transport);
    region->status = region->rail < hr_inproc_rails(transport) ? HR_OK : HR_INVALID;
    hr_loop_defer(transport->loop, &state->answer);
}

static void withdraw(hr_transport *transport, hr_region *region)
{
    region_state *state = state_of(region);
    hr_inproc_lock_regions(transport);
    hr_list_remove(&state->node);
    hr_inproc_unlock_regions(transport);
    region->status = HR_OK;
    hr_loop_defer(transport->loop, &state->answer);
}

static hr_status lend(hr_transport *transport, hr_span span)
{
    (void)transport, (void)span;
    return HR_OK;
}

static void reclaim(hr_transport *transport, hr_span span)
{
    (void)transport, (void)span;
}

const hr_region_ops hr_inproc_region_ops = {
    .lend = lend,
    .reclaim = reclaim,
    .expose = expose,
    .withdraw = withdraw,
};

bool hr_inproc_may_write(hr_transport *transport, unsigned rail, const hr_link_write *write)
{
    bool may = false;
    hr_inproc_regions *regions = hr_inproc_lock_regions(transport);
    for (hr_list *node = regions->exposed.next; node != &regions->exposed; node = node->next) {
        region_state *state = HR_CONTAINER(node, region_state, node);
        hr_region *region = HR_CONTAINER(state, hr_region, scratch);
        may |= region->key == write->key && region->rail == rail &&
               write->address >= region->address &&
               write->address - region->address <= region->span.len &&
               write->payload.len <= region->span.len - (write->address - region->address);
    }
    hr_inproc_unlock_regions(transport);
    return may;
}
