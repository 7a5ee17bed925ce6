/* SPDX-License-Identifier: Apache-2.0 */
/* The wire over RDMA: nothing holds a writer back but grants, so the reader gives them, through a
 * socket that stands for the channel of a session. */
#include <stdio.h>
#include <sys/socket.h>

#include "env.h"
#include "wire_parts.h"

enum {
    HELPERS = 2,
};

hr_status hr_bench_rdma_open(wire_end *end)
{
    const hr_env *env = hr_env_system();
    hr_error error = {0};
    hr_status status = hr_helpers_create(env, HELPERS, &end->helpers);
    if (status == HR_OK)
        status = hr_verbs_create(env, end->helpers, NULL, &end->verbs, &error);
    if (status == HR_OK)
        status = hr_transport_verbs_create(end->loop, end->verbs, &end->transport);
    if (error.status != HR_OK)
        fprintf(stderr, "%s\n", error.text);
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
}

/* ---- the writer ---- */

static void await_grant(wire_end *end);

static void granted(hr_op *op)
{
    wire_end *end = HR_CONTAINER(op, wire_end, grant_op);
    const wire_grant *grant = &end->grant;
    end->is_receiving = false;
    if (op->result != (int)sizeof *grant)
        return;
    wire_link *link = &end->links[grant->link];
    wire_slot *slot = &link->slots[grant->slot];
    hr_link_ring ring = {.address = grant->ring_address, .key = grant->ring_key};
    if (!link->is_aimed)
        end->transport->ops->link.aim(link->link, &ring);
    link->is_aimed = true;
    name_path(end, link->link->rail);
    slot->is_granted = true;
    slot->write.address = grant->address;
    slot->write.key = grant->key;
    if (!slot->is_writing && !link->is_down)
        hr_bench_send_slot(slot);
    await_grant(end);
}

static void await_grant(wire_end *end)
{
    end->grant_op = (hr_op){
        .kind = HR_OP_RECV,
        .fd = end->grants,
        .data = &end->grant,
        .len = sizeof end->grant,
        .all = true,
        .done = granted,
    };
    end->is_receiving = true;
    hr_loop_submit(end->loop, &end->grant_op);
}

void hr_bench_rdma_write(wire_end *end)
{
    end->status = end->transport->ops->region->lend(end->transport, end->pool);
    end->is_lent = end->status == HR_OK;
    await_grant(end);
}

/* ---- the reader ---- */

void hr_bench_rdma_grant(wire_slot *slot)
{
    wire_link *link = slot->link;
    wire_end *end = link->end;
    hr_span memory = hr_bench_slot_memory(end, slot);
    wire_grant grant = {
        .link = (uint32_t)(link - end->links),
        .slot = (uint32_t)(slot - link->slots),
        .address =
            end->region.address + (uint64_t)((uint8_t *)memory.addr - (uint8_t *)end->pool.addr),
        .key = end->region.key,
        .ring_address = link->link->ring.address,
        .ring_key = link->link->ring.key,
    };
    if (send(end->grants, &grant, sizeof grant, MSG_NOSIGNAL) != (ssize_t)sizeof grant)
        end->status = HR_PEER_LOST;
}

static void grant_all(wire_end *end)
{
    for (unsigned i = 0; i < end->wire->links; i++) {
        wire_link *link = &end->links[i];
        if (!link->is_granting)
            continue;
        link->is_granting = false;
        for (unsigned k = 0; k < end->slots_per_link; k++)
            hr_bench_rdma_grant(&link->slots[k]);
        hr_bench_link_is_up(end);
    }
}

static void exposed(hr_region *region)
{
    wire_end *end = region->context;
    end->is_exposing = false;
    end->is_exposed = region->status == HR_OK;
    if (end->is_exposed)
        grant_all(end);
    else
        end->status = region->status;
}

void hr_bench_rdma_read(wire_link *link)
{
    wire_end *end = link->end;
    link->is_granting = true;
    if (end->is_exposed) {
        grant_all(end);
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
    if (end->is_receiving)
        hr_loop_cancel(end->loop, &end->grant_op);
    if (end->is_lent)
        end->transport->ops->region->reclaim(end->transport, end->pool);
    if (end->is_exposed) {
        end->region.done = withdrawn;
        end->transport->ops->region->withdraw(end->transport, &end->region);
    }
    while (end->is_exposed || end->is_receiving)
        hr_loop_step(end->loop, HR_NEVER);
}
