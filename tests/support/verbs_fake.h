/* SPDX-License-Identifier: Apache-2.0 */
/* A fake of libibverbs and librdmacm within one process, for the tests of the verbs transport: it
 * moves bytes between its queue pairs on a thread of its own, as a NIC does, and looks at every
 * call: arguments, access flags, chaining, signalling, depths of queues, credits, the order of
 * teardown. What breaks a rule is written down; hr_verbs_fake_close says the first.
 *
 * Devices are fake0, fake1, ...; they answer for 127.0.0.1, 127.0.0.2, ... There is one fake at a
 * time. Except for open and close, any thread may call. */
#ifndef HR_VERBS_FAKE_H
#define HR_VERBS_FAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "verbs_calls.h"

#define HR_VERBS_FAKE_DEVICES_MAX 4

typedef struct hr_verbs_fake_gpu {
    uint64_t (*dmabuf)(int fd, uint64_t offset); /* its address; 0: it is none */
    int (*has)(uint64_t address, size_t len);
    /* 0: it is not there. Below: nothing lets the NIC through to it. */
    int (*write)(uint64_t address, const void *bytes, size_t len);
} hr_verbs_fake_gpu;

/* Zero is an ordinary machine with one device. */
typedef struct hr_verbs_fake_setup {
    unsigned devices;     /* 0: one */
    bool has_none;        /* no device at all */
    int open_error;       /* errno of opening a device: EACCES */
    bool is_down;         /* ports */
    bool is_soft;         /* calls itself soft-RoCE */
    bool has_no_inline;   /* a queue pair with inline data is refused */
    int max_qp_wr;        /* 0: 1024 */
    uint64_t max_mr_size; /* 0: no limit */
    uint64_t locked_max;  /* bytes that may be registered at once; 0: no limit */
    /* Memory of a GPU, which the NIC reaches by its dma-buf and, with has_peer_memory, by its
     * address. NULL: there is none, and a dma-buf is taken for the host memory at its address. */
    const hr_verbs_fake_gpu *gpu;
    bool has_peer_memory;
    bool has_network; /* each device reaches the others by their addresses; else only itself */
} hr_verbs_fake_setup;

void hr_verbs_fake_open(const hr_verbs_fake_setup *setup);
/* The first rule that was broken, or what was not given back; "": all is well. Good until the next
 * open. */
const char *hr_verbs_fake_close(void);
const hr_verbs_calls *hr_verbs_fake_calls(void);

/* ---- faults ---- */

/* The calls that can fail, by the names that they have in hr_verbs_calls; NULL ends it. */
extern const char *const hr_verbs_fake_names[];
/* The nth call (from 1) of this name fails with this errno. */
void hr_verbs_fake_fail(const char *name, unsigned nth, int error);
/* True: the call that was to fail was made. */
bool hr_verbs_fake_has_failed(void);
/* The next work request that the NIC takes ends so. */
void hr_verbs_fake_complete_with(enum ibv_wc_status status);
/* While true the NIC moves nothing: what is posted stays under way. */
void hr_verbs_fake_hold(bool is_held);
/* The NIC is held as soon as so many bytes were written into a GPU's memory. */
void hr_verbs_fake_hold_at(uint64_t gpu_bytes);
/* While true nothing arrives anywhere: requests end as they do after the last retry. */
void hr_verbs_fake_cut(bool is_cut);
/* The next receipt comes with the immediate of the one behind it. */
void hr_verbs_fake_skip_immediate(void);
/* What is held completes while the next queue is asked to tell, just before it listens. */
void hr_verbs_fake_complete_at_notify(void);
/* Every identifier of the device hears of this. */
void hr_verbs_fake_event(unsigned device, enum rdma_cm_event_type type);

/* A connect request of this identifier, whose address was resolved, with something in it that is no
 * greeting. */
void hr_verbs_fake_knock(struct rdma_cm_id *id);

/* ---- what a test asks ---- */

/* From now on nothing may be written there (or again). */
void hr_verbs_fake_fence(const void *addr, size_t len);
void hr_verbs_fake_unfence(const void *addr);
/* A receipt without a receive breaks a rule, unless the test wants it. */
void hr_verbs_fake_expect_rnr(void);

typedef struct hr_verbs_fake_counters {
    unsigned regions;       /* registered now */
    unsigned registrations; /* made */
    unsigned queue_pairs;   /* now */
    unsigned posts;         /* of chains */
    unsigned in_flight;     /* work requests that the NIC has not taken */
    uint64_t longest_mr;    /* bytes */
    int dmabuf_fd;          /* of the last dma-buf region, with its offset; -1: none yet */
    uint64_t dmabuf_offset;
    uint64_t gpu_bytes;         /* written into a GPU's memory */
    uint8_t ack_timeout, retry; /* of the last connect */
} hr_verbs_fake_counters;
hr_verbs_fake_counters hr_verbs_fake_count(void);

#endif
