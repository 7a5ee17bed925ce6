/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's side. A chunk is one chain: its payload in messages, then its receipt with the
 * immediate that consumes a receive. Only the last one is signalled: a queue pair works in order,
 * so its completion speaks for all. */
#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "bytes.h"
#include "verbs.h"

/* Work requests of a write. */
static uint32_t chain_len(const hr_verbs_link *link, const hr_link_write *write)
{
    uint32_t message_len = link->connection.verbs->message_len;
    return (uint32_t)((write->payload.len + message_len - 1) / message_len) + 1;
}

hr_status hr_verbs_writer_init(hr_verbs_link *link)
{
    const hr_verbs *verbs = link->connection.verbs;
    size_t longest = (HR_SLOT_LEN + (size_t)verbs->message_len - 1) / verbs->message_len + 1;
    link->wrs = hr_alloc(verbs->env, longest * sizeof *link->wrs);
    link->sges = hr_alloc(verbs->env, longest * sizeof *link->sges);
    return link->wrs == NULL || link->sges == NULL ? HR_NO_MEMORY : HR_OK;
}

void hr_verbs_writer_fini(hr_verbs_link *link)
{
    hr_release(link->connection.verbs->env, link->wrs);
    hr_release(link->connection.verbs->env, link->sges);
}

/* ---- the chain ---- */

static struct ibv_send_wr *chain_add(hr_verbs_link *link, uint32_t at, hr_link_write *write)
{
    struct ibv_send_wr *wr = &link->wrs[at];
    *wr = (struct ibv_send_wr){
        .wr_id = (uint64_t)(uintptr_t)write,
        .sg_list = &link->sges[at],
        .num_sge = 1,
        .opcode = IBV_WR_RDMA_WRITE,
    };
    if (at > 0)
        link->wrs[at - 1].next = wr;
    return wr;
}

/* The device copies it when it is posted, so that its memory needs no registration. */
static bool is_inline(const hr_verbs_link *link, const hr_link_write *write)
{
    return write->payload.len <= link->base.inline_len;
}

/* Returns the number of messages. */
static uint32_t add_payload(hr_verbs_link *link, hr_link_write *write, uint32_t key)
{
    uint32_t message_len = link->connection.verbs->message_len, at = 0;
    for (size_t offset = 0; offset < write->payload.len; offset += message_len, at++) {
        struct ibv_send_wr *wr = chain_add(link, at, write);
        wr->wr.rdma.remote_addr = write->address + offset;
        wr->wr.rdma.rkey = write->key;
        wr->send_flags = is_inline(link, write) ? IBV_SEND_INLINE : 0;
        link->sges[at] = (struct ibv_sge){
            .addr = (uint64_t)(uintptr_t)write->payload.addr + offset,
            .length = (uint32_t)hr_min_u64(message_len, write->payload.len - offset),
            .lkey = key,
        };
    }
    return at;
}

static void add_receipt(hr_verbs_link *link, hr_link_write *write, uint32_t at)
{
    struct ibv_send_wr *wr = chain_add(link, at, write);
    uint32_t index = link->sent++ % HR_VERBS_RING_LEN;
    struct ibv_mr *mr = link->connection.receipts_mr;
    uint8_t *bytes = write->bytes;
    /* As many as the ring has: an entry is not used again before its receipt was consumed. */
    if (mr != NULL)
        bytes = link->connection.receipts + (size_t)index * HR_RECEIPT_LEN;
    hr_receipt_pack(&write->receipt, bytes);
    link->sges[at] = (struct ibv_sge){
        .addr = (uint64_t)(uintptr_t)bytes,
        .length = HR_RECEIPT_LEN,
        .lkey = mr != NULL ? mr->lkey : 0,
    };
    wr->opcode = IBV_WR_RDMA_WRITE_WITH_IMM;
    wr->imm_data = htonl(index);
    wr->send_flags = IBV_SEND_SIGNALED | (mr != NULL ? 0 : IBV_SEND_INLINE);
    wr->wr.rdma.remote_addr = link->ring.address + (uint64_t)index * HR_RECEIPT_LEN;
    wr->wr.rdma.rkey = link->ring.key;
}

static void post(hr_verbs_link *link, hr_link_write *write)
{
    const hr_verbs *verbs = link->connection.verbs;
    struct ibv_send_wr *bad;
    uint32_t key = 0;
    if (!is_inline(link, write) &&
        !hr_verbs_lent_key(link->transport, link->base.rail, write->payload.addr,
                           write->payload.len, &key)) {
        hr_log(verbs->env, HR_LOG_ERROR, "a payload lies in memory that was not lent");
        hr_verbs_link_end(link, HR_INTERNAL);
        return;
    }
    uint32_t messages = add_payload(link, write, key);
    add_receipt(link, write, messages);
    link->free -= messages + 1;
    int error = verbs->calls->post_send(link->connection.id->qp, link->wrs, &bad);
    if (error != 0) {
        hr_log(verbs->env, HR_LOG_WARN, "ibv_post_send to %s: %s", link->base.peer,
               strerror(error));
        hr_verbs_link_end(link, HR_IO);
    }
}

void hr_verbs_post_waiting(hr_verbs_link *link)
{
    while (link->is_up && link->is_aimed && !link->ending && !hr_list_is_empty(&link->waiting)) {
        hr_link_write *write = HR_CONTAINER(link->waiting.next, hr_link_write, node);
        if (chain_len(link, write) > link->free)
            return;
        hr_list_remove(&write->node);
        hr_list_append(&link->posted, &write->node);
        post(link, write);
    }
}

/* ---- the table ---- */

void hr_verbs_link_aim(hr_link *base, const hr_link_ring *ring)
{
    hr_verbs_link *link = (hr_verbs_link *)base;
    link->ring = *ring;
    link->is_aimed = true;
    hr_verbs_post_waiting(link);
}

void hr_verbs_link_write(hr_link *base, hr_link_write *write)
{
    hr_verbs_link *link = (hr_verbs_link *)base;
    assert(!link->is_down && write->payload.len == write->receipt.stored_len);
    assert(write->payload.len <= HR_SLOT_LEN);
    hr_list_append(&link->waiting, &write->node);
    hr_verbs_post_waiting(link);
    if (link->ending)
        hr_loop_defer(link->transport->base.loop, &link->settle);
}

void hr_verbs_take_sent(hr_verbs_link *link, const struct ibv_wc *wc)
{
    hr_link_write *write = HR_CONTAINER(hr_list_take_first(&link->posted), hr_link_write, node);
    assert(wc->wr_id == (uint64_t)(uintptr_t)write);
    (void)wc;
    link->free += chain_len(link, write);
    write->status = HR_OK;
    write->done(write);
    hr_verbs_post_waiting(link);
}

void hr_verbs_give_back(hr_verbs_link *link)
{
    hr_list *lists[] = {&link->posted, &link->waiting};
    for (size_t i = 0; i < 2; i++) {
        for (hr_list *node; (node = hr_list_take_first(lists[i])) != NULL;) {
            hr_link_write *write = HR_CONTAINER(node, hr_link_write, node);
            write->status = link->closed ? HR_CANCELED : HR_PEER_LOST;
            write->done(write);
        }
    }
}
