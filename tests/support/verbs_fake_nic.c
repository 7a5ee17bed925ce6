/* SPDX-License-Identifier: Apache-2.0 */
/* The fake's queue pairs and completions, and the thread that moves the bytes. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "verbs_fake_parts.h"

enum {
    RECEIPT_LEN = 64,
    RING_LEN = 256,
    MESSAGE_MAX = 1 << 20,
};

/* ---- completions ---- */

struct ibv_comp_channel *fake_create_comp_channel(struct ibv_context *context)
{
    if (fake_fails("create_comp_channel"))
        return NULL;
    fake_comp_channel *channel = fake_alloc(sizeof *channel);
    channel->channel = (struct ibv_comp_channel){.context = context};
    channel->channel.fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
    hr_list_init(&channel->events);
    fake_lock();
    hr_fake.comp_channels++;
    fake_unlock();
    return &channel->channel;
}

int fake_destroy_comp_channel(struct ibv_comp_channel *base)
{
    fake_comp_channel *channel = HR_CONTAINER(base, fake_comp_channel, channel);
    fake_lock();
    if (channel->cqs > 0)
        fake_complain("a completion channel was destroyed before its queues");
    hr_fake.comp_channels--;
    fake_unlock();
    close(base->fd);
    free(channel);
    return 0;
}

struct ibv_cq *fake_create_cq(struct ibv_context *context, int entries, void *cq_context,
                              struct ibv_comp_channel *channel, int vector)
{
    if (fake_fails("create_cq"))
        return NULL;
    fake_cq *cq = fake_alloc(sizeof *cq);
    cq->cq = (struct ibv_cq){.context = context, .cq_context = cq_context, .cqe = entries};
    cq->channel = HR_CONTAINER(channel, fake_comp_channel, channel);
    cq->completions = fake_alloc((size_t)entries * sizeof *cq->completions);
    hr_list_init(&cq->event);
    fake_lock();
    if (channel == NULL || channel->context != context || vector != 0)
        fake_complain("a completion queue was made with another device's channel");
    cq->channel->cqs++;
    hr_fake.cqs++;
    fake_unlock();
    return &cq->cq;
}

int fake_destroy_cq(struct ibv_cq *base)
{
    fake_cq *cq = HR_CONTAINER(base, fake_cq, cq);
    fake_lock();
    if (cq->qps > 0)
        fake_complain("a completion queue was destroyed before its queue pair");
    if (cq->unacked > 0)
        fake_complain("a completion queue was destroyed with events that nobody acknowledged");
    cq->channel->cqs--;
    hr_list_remove(&cq->event);
    hr_fake.cqs--;
    fake_unlock();
    free(cq->completions);
    free(cq);
    return 0;
}

void fake_cq_add(fake_cq *cq, const fake_completion *completion)
{
    if (cq->count == cq->cq.cqe) {
        fake_complain("a completion queue of %d overran", cq->cq.cqe);
        return;
    }
    cq->completions[(cq->first + cq->count++) % cq->cq.cqe] = *completion;
    if (!cq->is_armed)
        return;
    cq->is_armed = false;
    hr_list_append(&cq->channel->events, &cq->event);
    eventfd_write(cq->channel->channel.fd, 1);
}

int fake_poll_cq(struct ibv_cq *base, int count, struct ibv_wc *wc_out)
{
    fake_cq *cq = HR_CONTAINER(base, fake_cq, cq);
    if (fake_fails("poll_cq"))
        return -1;
    fake_lock();
    int taken = 0;
    for (; taken < count && cq->count > 0; taken++, cq->count--) {
        const fake_completion *completion = &cq->completions[cq->first];
        wc_out[taken] = completion->wc;
        completion->qp->slots -= completion->slots;
        cq->first = (cq->first + 1) % cq->cq.cqe;
    }
    fake_unlock();
    return taken;
}

int fake_get_cq_event(struct ibv_comp_channel *base, struct ibv_cq **cq_out, void **cq_context_out)
{
    fake_comp_channel *channel = HR_CONTAINER(base, fake_comp_channel, channel);
    eventfd_t count;
    if (fake_fails("get_cq_event"))
        return -1;
    fake_lock();
    if ((fcntl(base->fd, F_GETFL) & O_NONBLOCK) == 0)
        fake_complain("a worker reads a completion channel that could block it");
    if (eventfd_read(base->fd, &count) != 0) {
        fake_unlock();
        return -1;
    }
    fake_cq *cq = HR_CONTAINER(hr_list_take_first(&channel->events), fake_cq, event);
    cq->unacked++;
    *cq_out = &cq->cq;
    *cq_context_out = cq->cq.cq_context;
    fake_unlock();
    return 0;
}

void fake_ack_cq_events(struct ibv_cq *base, unsigned count)
{
    fake_cq *cq = HR_CONTAINER(base, fake_cq, cq);
    fake_lock();
    if (count > cq->unacked)
        fake_complain("more completion events were acknowledged than taken");
    cq->unacked -= count;
    fake_unlock();
}

/* ---- queue pairs ---- */

int fake_cm_create_qp(struct rdma_cm_id *id, struct ibv_pd *pd, struct ibv_qp_init_attr *attr)
{
    if (fake_fails("cm_create_qp"))
        return -1;
    uint32_t inline_max = hr_fake.setup.has_no_inline ? 0 : FAKE_INLINE_MAX;
    if (attr->cap.max_inline_data > inline_max) {
        errno = EINVAL;
        return -1;
    }
    fake_qp *qp = fake_alloc(sizeof *qp);
    qp->cap = attr->cap;
    qp->send_cq = HR_CONTAINER(attr->send_cq, fake_cq, cq);
    qp->recv_cq = HR_CONTAINER(attr->recv_cq, fake_cq, cq);
    hr_list_init(&qp->queue);
    fake_lock();
    if (id->verbs != pd->context || attr->send_cq->context != id->verbs || id->qp != NULL)
        fake_complain("a queue pair was made of parts of different devices, or twice");
    if (attr->qp_type != IBV_QPT_RC || attr->sq_sig_all != 0 || attr->srq != NULL)
        fake_complain("a queue pair is to be a reliable connection that signals what it is told");
    if (attr->send_cq != attr->recv_cq ||
        attr->send_cq->cqe < (int)(attr->cap.max_send_wr + attr->cap.max_recv_wr))
        fake_complain("a completion queue of %d is too short for queues of %u and %u",
                      attr->send_cq->cqe, attr->cap.max_send_wr, attr->cap.max_recv_wr);
    qp->qp = (struct ibv_qp){.context = id->verbs, .pd = pd, .qp_type = IBV_QPT_RC};
    qp->send_cq->qps++;
    id->qp = &qp->qp;
    hr_list_append(&hr_fake.qps, &qp->node);
    hr_fake.counters.queue_pairs++;
    fake_unlock();
    return 0;
}

/* What it completed goes too, as providers clean the queue. */
static void forget_completions(fake_cq *cq, const fake_qp *qp)
{
    int kept = 0;
    for (int i = 0; i < cq->count; i++) {
        fake_completion completion = cq->completions[(cq->first + i) % cq->cq.cqe];
        if (completion.qp != qp)
            cq->completions[(cq->first + kept++) % cq->cq.cqe] = completion;
    }
    cq->count = kept;
}

void fake_cm_destroy_qp(struct rdma_cm_id *id)
{
    fake_lock();
    if (id->qp == NULL) {
        fake_complain("a queue pair was destroyed twice");
        fake_unlock();
        return;
    }
    fake_qp *qp = HR_CONTAINER(id->qp, fake_qp, qp);
    for (hr_list *node; (node = hr_list_take_first(&qp->queue)) != NULL;) {
        free(HR_CONTAINER(node, fake_wr, node));
        hr_fake.counters.in_flight--;
    }
    forget_completions(qp->send_cq, qp);
    if (qp->peer != NULL)
        qp->peer->peer = NULL;
    qp->send_cq->qps--;
    hr_list_remove(&qp->node);
    hr_fake.counters.queue_pairs--;
    id->qp = NULL;
    fake_unlock();
    free(qp);
}

static void complete(fake_qp *qp, const fake_wr *wr, enum ibv_wc_status status)
{
    fake_completion completion = {
        .wc = {.wr_id = wr->id, .status = status, .opcode = IBV_WC_RDMA_WRITE},
        .qp = qp,
        .slots = wr->slots,
    };
    if (status != IBV_WC_SUCCESS)
        completion.wc.vendor_err = 0x68;
    fake_cq_add(qp->send_cq, &completion);
}

void fake_qp_break(fake_qp *qp)
{
    if (qp->state == FAKE_ERROR)
        return;
    qp->state = FAKE_ERROR;
    for (hr_list *node; (node = hr_list_take_first(&qp->queue)) != NULL;) {
        fake_wr *wr = HR_CONTAINER(node, fake_wr, node);
        complete(qp, wr, IBV_WC_WR_FLUSH_ERR);
        free(wr);
        hr_fake.counters.in_flight--;
    }
    for (; qp->receives > 0; qp->receives--) {
        fake_completion completion = {.wc = {.status = IBV_WC_WR_FLUSH_ERR}, .qp = qp};
        fake_cq_add(qp->recv_cq, &completion);
    }
}

/* ---- posting ---- */

int fake_post_recv(struct ibv_qp *base, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_out)
{
    fake_qp *qp = HR_CONTAINER(base, fake_qp, qp);
    *bad_out = wr;
    if (fake_fails("post_recv"))
        return errno;
    fake_lock();
    int error = 0;
    if (wr->num_sge != 0 || wr->next != NULL)
        fake_complain("a receive is only counted: it needs no memory");
    if (qp->receives == qp->cap.max_recv_wr) {
        fake_complain("more receives were posted than the queue of %u holds", qp->receives);
        error = ENOMEM;
    } else if (qp->state != FAKE_ERROR) {
        qp->receives++;
    }
    fake_unlock();
    return error;
}

static void check_local(const fake_qp *qp, const struct ibv_send_wr *wr)
{
    const struct ibv_sge *sge = wr->sg_list;
    if ((wr->send_flags & IBV_SEND_INLINE) != 0) {
        if (sge->length > qp->cap.max_inline_data)
            fake_complain("%u bytes were sent inline, and %u is all there is room for", sge->length,
                          qp->cap.max_inline_data);
        return;
    }
    const fake_mr *mr = fake_mr_of(sge->lkey);
    uint64_t start = mr == NULL ? 0 : (uint64_t)(uintptr_t)mr->mr.addr;
    if (mr == NULL || mr->mr.pd != qp->qp.pd || sge->addr < start ||
        sge->addr + sge->length > start + mr->mr.length)
        fake_complain("a work request reads memory that its key does not open");
    else if ((mr->access & IBV_ACCESS_REMOTE_WRITE) != 0)
        fake_complain("the writer's memory was registered for remote writing");
}

/* One write into a place, or the receipt that ends a chain. */
static void check_one(fake_qp *qp, const struct ibv_send_wr *wr)
{
    const unsigned known = IBV_SEND_SIGNALED | IBV_SEND_INLINE;
    bool is_last = wr->next == NULL, is_signaled = (wr->send_flags & IBV_SEND_SIGNALED) != 0;
    if (wr->num_sge != 1 || (wr->send_flags & ~known) != 0) {
        fake_complain("a work request has %d pieces and flags 0x%x", wr->num_sge, wr->send_flags);
        return;
    }
    if (wr->opcode != (is_last ? IBV_WR_RDMA_WRITE_WITH_IMM : IBV_WR_RDMA_WRITE))
        fake_complain("a chain is writes, and a receipt at its end");
    if (is_signaled != is_last)
        fake_complain("a chain is signalled once, at its end");
    if (!is_last && (wr->sg_list->length == 0 || wr->sg_list->length > MESSAGE_MAX))
        fake_complain("a message of %u bytes", wr->sg_list->length);
    check_local(qp, wr);
    if (!is_last)
        return;
    uint32_t index = qp->receipts % RING_LEN;
    if (qp->receipts++ == 0)
        qp->ring = wr->wr.rdma.remote_addr;
    if (wr->sg_list->length != RECEIPT_LEN || ntohl(wr->imm_data) != index ||
        wr->wr.rdma.remote_addr != qp->ring + (uint64_t)index * RECEIPT_LEN)
        fake_complain("receipt %u does not go into its entry of the ring", qp->receipts - 1);
}

static fake_wr *copy_of(fake_qp *qp, const struct ibv_send_wr *from)
{
    fake_wr *wr = fake_alloc(sizeof *wr);
    wr->id = from->wr_id;
    wr->opcode = from->opcode;
    wr->from = (uint8_t *)(uintptr_t)from->sg_list->addr;
    wr->len = from->sg_list->length;
    wr->lkey = from->sg_list->lkey;
    wr->to = from->wr.rdma.remote_addr;
    wr->rkey = from->wr.rdma.rkey;
    wr->imm = from->imm_data;
    wr->is_inline = (from->send_flags & IBV_SEND_INLINE) != 0;
    wr->is_signaled = (from->send_flags & IBV_SEND_SIGNALED) != 0;
    if (wr->is_inline && wr->len <= sizeof wr->inline_bytes) {
        memcpy(wr->inline_bytes, wr->from, wr->len);
        wr->from = wr->inline_bytes;
    }
    qp->unsignaled++;
    if (wr->is_signaled) {
        wr->slots = qp->unsignaled;
        qp->unsignaled = 0;
    }
    return wr;
}

int fake_post_send(struct ibv_qp *base, struct ibv_send_wr *wr, struct ibv_send_wr **bad_out)
{
    fake_qp *qp = HR_CONTAINER(base, fake_qp, qp);
    *bad_out = wr;
    if (fake_fails("post_send"))
        return errno;
    fake_lock();
    if (qp->state == FAKE_MADE)
        fake_complain("something was posted before the connection was there");
    hr_fake.counters.posts++;
    for (; wr != NULL; wr = wr->next) {
        check_one(qp, wr);
        if (qp->slots == qp->cap.max_send_wr) {
            fake_complain("more was posted than the send queue of %u holds", qp->slots);
            fake_unlock();
            *bad_out = wr;
            return ENOMEM;
        }
        qp->slots++;
        fake_wr *queued = copy_of(qp, wr);
        hr_list_append(&qp->queue, &queued->node);
        hr_fake.counters.in_flight++;
    }
    if (qp->state == FAKE_ERROR) {
        qp->state = FAKE_READY;
        fake_qp_break(qp);
    }
    pthread_cond_signal(&hr_fake.work);
    fake_unlock();
    return 0;
}

/* ---- moving ---- */

static enum ibv_wc_status write_remotely(const fake_qp *qp, const fake_wr *wr)
{
    const fake_mr *mr = fake_mr_of(wr->rkey - 1);
    uint64_t start = mr == NULL ? 0 : (uint64_t)(uintptr_t)mr->mr.addr;
    if (mr == NULL || mr->mr.pd != qp->peer->qp.pd || (mr->access & IBV_ACCESS_REMOTE_WRITE) == 0 ||
        wr->to < start || wr->to + wr->len > start + mr->mr.length)
        return IBV_WC_REM_ACCESS_ERR;
    if (mr->gpu != 0) {
        hr_fake.counters.gpu_bytes += wr->len;
        if (hr_fake.hold_at != 0 && hr_fake.counters.gpu_bytes >= hr_fake.hold_at) {
            hr_fake.is_held = true;
            hr_fake.hold_at = 0;
        }
        int written = hr_fake.setup.gpu->write(mr->gpu + (wr->to - start), wr->from, wr->len);
        if (written == 0)
            fake_complain("a GPU's memory was written to after it was released");
        return written < 0 ? IBV_WC_REM_ACCESS_ERR : IBV_WC_SUCCESS;
    }
    uint8_t *to = (uint8_t *)(uintptr_t)wr->to;
    for (unsigned i = 0; i < hr_fake.fence_count; i++)
        if (to < hr_fake.fences[i].addr + hr_fake.fences[i].len &&
            to + wr->len > hr_fake.fences[i].addr)
            fake_complain("a place was written to after the fence");
    memcpy(to, wr->from, wr->len);
    return IBV_WC_SUCCESS;
}

static enum ibv_wc_status tell_peer(fake_qp *peer, const fake_wr *wr)
{
    if (peer->receives == 0) {
        if (!hr_fake.expects_rnr)
            fake_complain("a receipt came and no receive was posted for it");
        return IBV_WC_RNR_RETRY_EXC_ERR;
    }
    peer->receives--;
    fake_completion completion = {
        .wc =
            {
                .status = IBV_WC_SUCCESS,
                .opcode = IBV_WC_RECV_RDMA_WITH_IMM,
                .byte_len = wr->len,
                .imm_data = hr_fake.skips_immediate ? htonl(ntohl(wr->imm) + 1) : wr->imm,
                .wc_flags = IBV_WC_WITH_IMM,
            },
        .qp = peer,
    };
    hr_fake.skips_immediate = false;
    fake_cq_add(peer->recv_cq, &completion);
    return IBV_WC_SUCCESS;
}

static enum ibv_wc_status carry_out(fake_qp *qp, const fake_wr *wr)
{
    enum ibv_wc_status status = hr_fake.next_status;
    hr_fake.next_status = IBV_WC_SUCCESS;
    if (status != IBV_WC_SUCCESS)
        return status;
    if (hr_fake.is_cut || qp->peer == NULL || qp->peer->state != FAKE_READY)
        return IBV_WC_RETRY_EXC_ERR;
    status = write_remotely(qp, wr);
    if (status == IBV_WC_SUCCESS && wr->opcode == IBV_WR_RDMA_WRITE_WITH_IMM)
        status = tell_peer(qp->peer, wr);
    /* The responder's end breaks too where it was the one that refused. */
    if (status == IBV_WC_REM_ACCESS_ERR)
        fake_qp_break(qp->peer);
    return status;
}

static void move_one(fake_qp *qp)
{
    fake_wr *wr = HR_CONTAINER(hr_list_take_first(&qp->queue), fake_wr, node);
    enum ibv_wc_status status = carry_out(qp, wr);
    hr_fake.counters.in_flight--;
    if (wr->is_signaled || status != IBV_WC_SUCCESS)
        complete(qp, wr, status);
    if (status != IBV_WC_SUCCESS)
        fake_qp_break(qp);
    free(wr);
}

/* In turns, so that links run side by side. */
static fake_qp *next_busy(void)
{
    for (hr_list *node = hr_fake.qps.next; node != &hr_fake.qps; node = node->next) {
        fake_qp *qp = HR_CONTAINER(node, fake_qp, node);
        if (qp->state == FAKE_READY && !hr_list_is_empty(&qp->queue)) {
            hr_list_remove(&qp->node);
            hr_list_append(&hr_fake.qps, &qp->node);
            return qp;
        }
    }
    return NULL;
}

int fake_req_notify_cq(struct ibv_cq *base, int solicited_only)
{
    fake_cq *cq = HR_CONTAINER(base, fake_cq, cq);
    if (fake_fails("req_notify_cq"))
        return errno;
    fake_lock();
    if (solicited_only != 0)
        fake_complain("nothing is sent solicited, and only that was asked for");
    for (fake_qp *qp; hr_fake.completes_at_notify && (qp = next_busy()) != NULL;)
        move_one(qp);
    hr_fake.completes_at_notify = false;
    /* One that was told and not heard of yet is enough. */
    cq->is_armed = hr_list_is_empty(&cq->event);
    fake_unlock();
    return 0;
}

void *fake_nic_run(void *unused)
{
    (void)unused;
    fake_lock();
    while (!hr_fake.is_stopping) {
        fake_qp *qp = hr_fake.is_held ? NULL : next_busy();
        if (qp != NULL) {
            move_one(qp);
            fake_unlock(); /* between two work requests the others have their turn */
            fake_lock();
        } else {
            pthread_cond_wait(&hr_fake.work, &hr_fake.lock);
        }
    }
    fake_unlock();
    return NULL;
}
