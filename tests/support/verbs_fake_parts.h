/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the fake share. Everything is guarded by one lock. */
#ifndef HR_VERBS_FAKE_PARTS_H
#define HR_VERBS_FAKE_PARTS_H

#include <pthread.h>

#include "list.h"
#include "verbs_fake.h"

typedef struct fake_device {
    struct ibv_device device;
    struct ibv_context context;
    unsigned pds;
} fake_device;

typedef struct fake_mr {
    struct ibv_mr mr;
    hr_list node;
    int access;
    uint64_t gpu; /* address in a GPU's memory; 0: it is the host's */
} fake_mr;

typedef struct fake_comp_channel {
    struct ibv_comp_channel channel;
    hr_list events; /* CQs, once for each event */
    unsigned cqs;
} fake_comp_channel;

typedef struct fake_qp fake_qp;

typedef struct fake_completion {
    struct ibv_wc wc;
    fake_qp *qp;
    unsigned slots; /* of the send queue that it gives back */
} fake_completion;

typedef struct fake_cq {
    struct ibv_cq cq;
    fake_comp_channel *channel;
    hr_list event; /* in the channel */
    fake_completion *completions;
    int first, count;
    unsigned qps, unacked;
    bool is_armed;
} fake_cq;

#define FAKE_INLINE_MAX 256 /* what some devices have room for */

typedef struct fake_wr {
    hr_list node;
    uint64_t id;
    enum ibv_wr_opcode opcode;
    uint8_t *from;
    uint32_t len, lkey;
    uint8_t inline_bytes[FAKE_INLINE_MAX];
    bool is_inline, is_signaled;
    uint64_t to;
    uint32_t rkey, imm;
    unsigned slots; /* with those before it that are not signaled */
} fake_wr;

typedef enum fake_state { FAKE_MADE, FAKE_READY, FAKE_ERROR } fake_state;

struct fake_qp {
    struct ibv_qp qp;
    hr_list node;
    fake_qp *peer;
    struct ibv_qp_cap cap;
    fake_cq *send_cq, *recv_cq;
    fake_state state;
    hr_list queue;
    unsigned slots, unsignaled, receives;
    uint32_t receipts; /* posted */
    uint64_t ring;     /* address that the first receipt went to */
};

typedef struct fake_channel {
    struct rdma_event_channel channel;
    hr_list events;
    unsigned ids;
} fake_channel;

typedef struct fake_id {
    struct rdma_cm_id id;
    hr_list node;
    struct fake_id *peer; /* from the request on */
    bool is_bound, is_listening, is_passive, is_requested, is_connected, is_answered;
    int backlog, pending;
    unsigned unacked;
    uint8_t ack_timeout;
    uint8_t private_data[56];
} fake_id;

typedef struct fake {
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_t nic;
    bool is_open, is_stopping, is_held, is_cut, expects_rnr;
    bool skips_immediate, completes_at_notify;
    uint64_t hold_at; /* bytes in a GPU's memory; 0: never */
    hr_verbs_fake_setup setup;
    unsigned device_count;
    fake_device devices[HR_VERBS_FAKE_DEVICES_MAX];
    struct ibv_device *list[HR_VERBS_FAKE_DEVICES_MAX + 1];
    struct ibv_context *contexts[HR_VERBS_FAKE_DEVICES_MAX + 1];
    hr_list mrs, qps, ids;
    unsigned pds, cqs, comp_channels, channels, lists;
    uint32_t next_key;
    uint16_t next_port;
    uint64_t locked;
    enum ibv_wc_status next_status;
    const char *fail_name;
    unsigned fail_nth;
    int fail_error;
    bool has_failed;
    struct {
        const uint8_t *addr;
        size_t len;
    } fences[64];
    unsigned fence_count;
    hr_verbs_fake_counters counters;
    char complaint[500];
} fake;

extern fake hr_fake;

static inline void fake_lock(void)
{
    pthread_mutex_lock(&hr_fake.lock);
}

static inline void fake_unlock(void)
{
    pthread_mutex_unlock(&hr_fake.lock);
}

/* With the lock held. */
void fake_complain(const char *format, ...) HR_PRINTF(1, 2);
/* True, with errno set: this call was chosen to fail. Takes the lock. */
bool fake_fails(const char *name);
fake_mr *fake_mr_of(uint32_t key);
void fake_cq_add(fake_cq *cq, const fake_completion *completion);
/* To the error state; everything that is queued is flushed. */
void fake_qp_break(fake_qp *qp);
void *fake_nic_run(void *unused);
void *fake_alloc(size_t len);

/* ---- the calls, by file ---- */

struct ibv_comp_channel *fake_create_comp_channel(struct ibv_context *context);
int fake_destroy_comp_channel(struct ibv_comp_channel *channel);
struct ibv_cq *fake_create_cq(struct ibv_context *context, int entries, void *cq_context,
                              struct ibv_comp_channel *channel, int vector);
int fake_destroy_cq(struct ibv_cq *cq);
int fake_poll_cq(struct ibv_cq *cq, int count, struct ibv_wc *wc_out);
int fake_req_notify_cq(struct ibv_cq *cq, int solicited_only);
int fake_get_cq_event(struct ibv_comp_channel *channel, struct ibv_cq **cq_out,
                      void **cq_context_out);
void fake_ack_cq_events(struct ibv_cq *cq, unsigned count);

int fake_post_send(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad_out);
int fake_post_recv(struct ibv_qp *qp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad_out);
int fake_cm_create_qp(struct rdma_cm_id *id, struct ibv_pd *pd, struct ibv_qp_init_attr *attr);
void fake_cm_destroy_qp(struct rdma_cm_id *id);

struct rdma_event_channel *fake_cm_create_event_channel(void);
void fake_cm_destroy_event_channel(struct rdma_event_channel *channel);
int fake_cm_create_id(struct rdma_event_channel *channel, struct rdma_cm_id **id_out, void *context,
                      enum rdma_port_space port_space);
int fake_cm_destroy_id(struct rdma_cm_id *id);
int fake_cm_migrate_id(struct rdma_cm_id *id, struct rdma_event_channel *channel);
int fake_cm_set_option(struct rdma_cm_id *id, int level, int name, void *value, size_t len);
int fake_get_addresses(struct ifaddrs **addresses_out);
void fake_free_addresses(struct ifaddrs *addresses);
int fake_cm_bind_addr(struct rdma_cm_id *id, struct sockaddr *address);
int fake_cm_listen(struct rdma_cm_id *id, int backlog);
int fake_cm_resolve_addr(struct rdma_cm_id *id, struct sockaddr *source, struct sockaddr *target,
                         int timeout_ms);
int fake_cm_resolve_route(struct rdma_cm_id *id, int timeout_ms);
int fake_cm_connect(struct rdma_cm_id *id, struct rdma_conn_param *param);
int fake_cm_accept(struct rdma_cm_id *id, struct rdma_conn_param *param);
int fake_cm_reject(struct rdma_cm_id *id, const void *private_data, uint8_t len);
int fake_cm_disconnect(struct rdma_cm_id *id);
int fake_cm_get_event(struct rdma_event_channel *channel, struct rdma_cm_event **event_out);
int fake_cm_ack_event(struct rdma_cm_event *event);

#endif
