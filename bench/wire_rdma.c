/* SPDX-License-Identifier: Apache-2.0 */
/* The wire over RDMA: nothing holds a writer back but what the reader asks for, at the desk, which
 * stands for the channel of a session. */
#include <stdio.h>

#include "env.h"
#include "wire_parts.h"

enum {
    HELPERS = 2,
};

hr_status hr_bench_rdma_open(wire_end *end)
{
    const hr_env *env = hr_env_system();
    hr_error error = {0};
    hr_verbs_options options = {.inline_len =
                                    end->wire.is_inline ? (uint32_t)end->wire.message_len : 0};
    hr_status status = hr_helpers_create(env, HELPERS, &end->helpers);
    if (status == HR_OK)
        status = hr_verbs_create(env, end->helpers, &options, &end->verbs, &error);
    if (status == HR_OK)
        status = hr_transport_verbs_create(end->loop, end->verbs, &end->transport);
    snprintf(end->why, sizeof end->why, "%.290s", error.text);
    return status;
}

void hr_bench_rdma_close(wire_end *end)
{
    hr_verbs_destroy(end->verbs);
    hr_helpers_destroy(end->helpers);
}

static void name_path(wire_end *end, unsigned rail)
{
    hr_rail_info info;
    end->transport->ops->rail(end->transport, rail, &info);
    snprintf(end->path, sizeof end->path, "%.60s", info.device);
    end->is_software = info.software;
}

/* ---- the writer ---- */

void hr_bench_rdma_aim(wire_link *link, const wire_grant *grant)
{
    wire_end *end = link->end;
    hr_link_ring ring = {.address = grant->ring_address, .key = grant->ring_key};
    if (link->is_aimed)
        return;
    end->transport->ops->link.aim(link->link, &ring);
    link->is_aimed = true;
    name_path(end, link->link->rail);
}

hr_status hr_bench_rdma_lend(wire_end *end)
{
    hr_status status = end->transport->ops->region->lend(end->transport, end->pool);
    end->is_lent = status == HR_OK;
    return status;
}

/* ---- the reader ---- */

void hr_bench_rdma_address(wire_slot *slot, wire_grant *grant)
{
    wire_link *link = slot->link;
    wire_end *end = link->end;
    hr_span memory = hr_bench_slot_memory(end, slot);
    grant->address =
        end->region.address + (uint64_t)((uint8_t *)memory.addr - (uint8_t *)end->pool.addr);
    grant->key = end->region.key;
    grant->ring_address = link->link->ring.address;
    grant->ring_key = link->link->ring.key;
}

static void begin_waiting(wire_end *end)
{
    for (unsigned i = 0; i < end->wire.links; i++) {
        wire_link *link = &end->links[i];
        if (!link->is_waiting)
            continue;
        link->is_waiting = false;
        hr_bench_link_can_ask(link);
    }
}

static void exposed(hr_region *region)
{
    wire_end *end = region->context;
    end->is_exposing = false;
    end->is_exposed = region->status == HR_OK;
    if (end->is_exposed)
        begin_waiting(end);
    else
        end->status = region->status;
}

void hr_bench_rdma_expose(wire_link *link)
{
    wire_end *end = link->end;
    link->is_waiting = true;
    if (end->is_exposed) {
        begin_waiting(end);
    } else if (!end->is_exposing) {
        name_path(end, link->link->rail);
        end->is_exposing = true;
        end->region = (hr_region){
            .span = end->pool, .rail = link->link->rail, .done = exposed, .context = end};
        end->transport->ops->region->expose(end->transport, &end->region);
    }
}

/* ---- the end ---- */

static void withdrawn(hr_region *region)
{
    ((wire_end *)region->context)->is_exposed = false;
}

void hr_bench_rdma_let_go(wire_end *end)
{
    if (end->is_lent)
        end->transport->ops->region->reclaim(end->transport, end->pool);
    if (end->is_exposed) {
        end->region.done = withdrawn;
        end->transport->ops->region->withdraw(end->transport, &end->region);
    }
    while (end->is_exposed)
        hr_loop_step(end->loop, HR_NEVER);
}
