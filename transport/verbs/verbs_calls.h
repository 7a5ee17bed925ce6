/* SPDX-License-Identifier: Apache-2.0 */
/* hr_verbs_calls: every call that this folder makes into libibverbs and librdmacm, as one table.
 * Some of them are inline functions or macros, so a preloaded library would miss them; a test fills
 * the table by itself. Names and meaning are the libraries' own, less ibv_; cm_ stands for rdma_.
 */
#ifndef HR_VERBS_CALLS_H
#define HR_VERBS_CALLS_H

#include <ifaddrs.h>
#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#include "transport.h"

struct hr_verbs_calls {
    /* devices */
    struct ibv_device **(*get_device_list)(int *count_out);
    void (*free_device_list)(struct ibv_device **list);
    struct ibv_context *(*open_device)(struct ibv_device *device);
    int (*close_device)(struct ibv_context *context);
    int (*query_device)(struct ibv_context *context, struct ibv_device_attr *attr_out);
    int (*query_port)(struct ibv_context *context, uint8_t port, struct ibv_port_attr *attr_out);

    /* memory */
    struct ibv_pd *(*alloc_pd)(struct ibv_context *context);
    int (*dealloc_pd)(struct ibv_pd *pd);
    struct ibv_mr *(*reg_mr)(struct ibv_pd *pd, void *addr, size_t len, int access);
    struct ibv_mr *(*reg_dmabuf_mr)(struct ibv_pd *pd, uint64_t offset, size_t len, uint64_t iova,
                                    int fd, int access);
    int (*dereg_mr)(struct ibv_mr *mr);

    /* completions */
    struct ibv_comp_channel *(*create_comp_channel)(struct ibv_context *context);
    int (*destroy_comp_channel)(struct ibv_comp_channel *channel);
    struct ibv_cq *(*create_cq)(struct ibv_context *context, int entries, void *cq_context,
                                struct ibv_comp_channel *channel, int vector);
    int (*destroy_cq)(struct ibv_cq *cq);
    int (*poll_cq)(struct ibv_cq *cq, int count, struct ibv_wc *wc_out);
    int (*req_notify_cq)(struct ibv_cq *cq, int solicited_only);
    int (*get_cq_event)(struct ibv_comp_channel *channel, struct ibv_cq **cq_out,
                        void **cq_context_out);
    void (*ack_cq_events)(struct ibv_cq *cq, unsigned count);

    /* work */
    int (*post_send)(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad_out);
    int (*post_recv)(struct ibv_qp *qp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_out);

    /* the addresses of this machine */
    int (*get_addresses)(struct ifaddrs **addresses_out);
    void (*free_addresses)(struct ifaddrs *addresses);

    /* connecting */
    struct ibv_context **(*cm_get_devices)(int *count_out);
    void (*cm_free_devices)(struct ibv_context **list);
    struct rdma_event_channel *(*cm_create_event_channel)(void);
    void (*cm_destroy_event_channel)(struct rdma_event_channel *channel);
    int (*cm_create_id)(struct rdma_event_channel *channel, struct rdma_cm_id **id_out,
                        void *context, enum rdma_port_space port_space);
    int (*cm_destroy_id)(struct rdma_cm_id *id);
    int (*cm_migrate_id)(struct rdma_cm_id *id, struct rdma_event_channel *channel);
    int (*cm_set_option)(struct rdma_cm_id *id, int level, int name, void *value, size_t len);
    int (*cm_bind_addr)(struct rdma_cm_id *id, struct sockaddr *address);
    int (*cm_listen)(struct rdma_cm_id *id, int backlog);
    int (*cm_resolve_addr)(struct rdma_cm_id *id, struct sockaddr *source, struct sockaddr *target,
                           int timeout_ms);
    int (*cm_resolve_route)(struct rdma_cm_id *id, int timeout_ms);
    int (*cm_create_qp)(struct rdma_cm_id *id, struct ibv_pd *pd, struct ibv_qp_init_attr *attr);
    void (*cm_destroy_qp)(struct rdma_cm_id *id);
    int (*cm_connect)(struct rdma_cm_id *id, struct rdma_conn_param *param);
    int (*cm_accept)(struct rdma_cm_id *id, struct rdma_conn_param *param);
    int (*cm_reject)(struct rdma_cm_id *id, const void *private_data, uint8_t len);
    int (*cm_disconnect)(struct rdma_cm_id *id);
    int (*cm_get_event)(struct rdma_event_channel *channel, struct rdma_cm_event **event_out);
    int (*cm_ack_event)(struct rdma_cm_event *event);
};

const hr_verbs_calls *hr_verbs_calls_system(void);

#endif
