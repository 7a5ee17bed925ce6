/* SPDX-License-Identifier: Apache-2.0 */
/* What the two ends of a wire are made of, over TCP and over RDMA. */
#ifndef HR_BENCH_WIRE_PARTS_H
#define HR_BENCH_WIRE_PARTS_H

#include "loop.h"
#include "memory.h"
#include "transport.h"
#include "wire.h"

#define WIRE_PATH_MAX 80

typedef struct wire_end wire_end;

/* One chunk's memory, on either side. */
typedef struct wire_slot {
    struct wire_link *link;
    hr_link_write write;
    hr_place place;
    bool is_writing, is_granted; /* the writer's */
} wire_slot;

typedef struct wire_link {
    wire_end *end;
    hr_link *link;
    bool is_aimed, is_granting; /* over RDMA: the writer's, the reader's */
    bool is_down;
    wire_slot slots[HR_BENCH_WIRE_SLOTS];
} wire_link;

/* What the reader tells the writer over RDMA, for one chunk into one slot. */
typedef struct wire_grant {
    uint32_t link, slot;
    uint64_t address, ring_address;
    uint32_t key, ring_key;
} wire_grant;

struct wire_end {
    const hr_bench_wire *wire;
    hr_loop *loop;
    hr_transport *transport;
    hr_memory *memory;
    hr_span pool;
    unsigned slots_per_link;
    wire_link links[HR_BENCH_LINKS_MAX];
    unsigned up, down;
    hr_bench_meter start; /* when the last link was up */
    hr_bench_measure measure;
    uint64_t end_ns; /* the reader's */
    uint64_t bytes;
    hr_status status;
    char path[WIRE_PATH_MAX]; /* the congestion control, or the device */

    /* over RDMA */
    hr_helpers *helpers;
    hr_verbs *verbs;
    bool is_lent;
    hr_region region; /* the reader's pool */
    bool is_exposing, is_exposed;
    int grants;
    hr_op grant_op;
    wire_grant grant;
    bool is_receiving;
};

/* ---- wire_ends.c ---- */

hr_span hr_bench_slot_memory(wire_end *end, const wire_slot *slot);
void hr_bench_link_is_up(wire_end *end);
void hr_bench_send_slot(wire_slot *slot);

/* ---- wire_rdma.c ---- */

/* Makes the transport. */
HR_CHECKED hr_status hr_bench_rdma_open(wire_end *end);
/* The writer: lends its pool and takes grants. */
void hr_bench_rdma_write(wire_end *end);
/* The reader: a link is up. Exposes the pool, once, and grants all slots. */
void hr_bench_rdma_read(wire_link *link);
/* The reader: this slot may be written to (again). */
void hr_bench_rdma_grant(wire_slot *slot);
/* Gives back what was lent and exposed, when the links are down. */
void hr_bench_rdma_let_go(wire_end *end);
void hr_bench_rdma_close(wire_end *end);

#endif
