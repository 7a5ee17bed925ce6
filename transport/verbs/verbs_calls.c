/* SPDX-License-Identifier: Apache-2.0 */
#include "verbs_calls.h"

/* What the headers make macros or inline functions of. */

static int query_port(struct ibv_context *context, uint8_t port, struct ibv_port_attr *attr_out)
{
    return ibv_query_port(context, port, attr_out);
}

static int poll_cq(struct ibv_cq *cq, int count, struct ibv_wc *wc_out)
{
    return ibv_poll_cq(cq, count, wc_out);
}

static int req_notify_cq(struct ibv_cq *cq, int solicited_only)
{
    return ibv_req_notify_cq(cq, solicited_only);
}

static int post_send(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad_out)
{
    return ibv_post_send(qp, wr, bad_out);
}

static int post_recv(struct ibv_qp *qp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_out)
{
    return ibv_post_recv(qp, wr, bad_out);
}

static const hr_verbs_calls calls = {
    .get_device_list = ibv_get_device_list,
    .free_device_list = ibv_free_device_list,
    .open_device = ibv_open_device,
    .close_device = ibv_close_device,
    .query_device = ibv_query_device,
    .query_port = query_port,
    .alloc_pd = ibv_alloc_pd,
    .dealloc_pd = ibv_dealloc_pd,
    .reg_mr = ibv_reg_mr, /* the macro of this name adds only what optional access flags need */
    .reg_dmabuf_mr = ibv_reg_dmabuf_mr,
    .dereg_mr = ibv_dereg_mr,
    .create_comp_channel = ibv_create_comp_channel,
    .destroy_comp_channel = ibv_destroy_comp_channel,
    .create_cq = ibv_create_cq,
    .destroy_cq = ibv_destroy_cq,
    .poll_cq = poll_cq,
    .req_notify_cq = req_notify_cq,
    .get_cq_event = ibv_get_cq_event,
    .ack_cq_events = ibv_ack_cq_events,
    .post_send = post_send,
    .post_recv = post_recv,
    .get_addresses = getifaddrs,
    .free_addresses = freeifaddrs,
    .cm_get_devices = rdma_get_devices,
    .cm_free_devices = rdma_free_devices,
    .cm_create_event_channel = rdma_create_event_channel,
    .cm_destroy_event_channel = rdma_destroy_event_channel,
    .cm_create_id = rdma_create_id,
    .cm_destroy_id = rdma_destroy_id,
    .cm_migrate_id = rdma_migrate_id,
    .cm_set_option = rdma_set_option,
    .cm_bind_addr = rdma_bind_addr,
    .cm_listen = rdma_listen,
    .cm_resolve_addr = rdma_resolve_addr,
    .cm_resolve_route = rdma_resolve_route,
    .cm_create_qp = rdma_create_qp,
    .cm_destroy_qp = rdma_destroy_qp,
    .cm_connect = rdma_connect,
    .cm_accept = rdma_accept,
    .cm_reject = rdma_reject,
    .cm_disconnect = rdma_disconnect,
    .cm_get_event = rdma_get_cm_event,
    .cm_ack_event = rdma_ack_cm_event,
};

const hr_verbs_calls *hr_verbs_calls_system(void)
{
    return &calls;
}
