/* SPDX-License-Identifier: Apache-2.0 */
/* What the two ends of a wire are made of, over TCP and over RDMA. */
#ifndef HR_BENCH_WIRE_PARTS_H
#define HR_BENCH_WIRE_PARTS_H

#include "loop.h"
#include "memory.h"
#include "transport.h"
#include "wire.h"

#define WIRE_PATH_MAX 80
#define WIRE_TRANSFER 1
#define WIRE_MAGIC    0x33574248u /* "HBW3" */

typedef struct wire_end wire_end;

/* One message's memory, on either side. */
typedef struct wire_slot {
    struct wire_link *link;
    hr_link_write write;
    hr_place place;
    bool is_writing, is_granted; /* the writer's */
    uint64_t due_ns;             /* the reader's: when it asked, or should have */
} wire_slot;

typedef struct wire_link {
    wire_end *end;
    hr_link *link;
    bool is_aimed, is_waiting; /* over RDMA: the writer's; the reader's: for the pool's key */
    bool is_down;
    wire_slot slots[HR_BENCH_WIRE_SLOTS_MAX];
} wire_link;

/* What the reader says first at the desk. In the byte order of both: they run the same program. */
typedef struct wire_hello {
    uint32_t magic, links, slots, asks, digests, is_inline;
    uint32_t both, padding; /* both: a second desk follows, at which the writer's machine reads */
    uint64_t ticket;        /* what comes first at the second, so that it is no other reader's */
    uint64_t message_len, duration_ns, rate;
} wire_hello;

/* What it wants, on top of what wire has of our own. False: it is none, or not possible. */
bool hr_bench_hello_read(const wire_hello *hello, hr_bench_wire *wire);

/* What the reader tells the writer, for one message into one slot. */
typedef struct wire_grant {
    uint32_t link, slot;
    uint64_t address, ring_address;
    uint32_t key, ring_key;
} wire_grant;

struct wire_end {
    hr_bench_wire wire;
    hr_loop *loop;
    hr_transport *transport;
    hr_memory *memory;
    hr_span pool;
    unsigned slots_per_link;
    wire_link links[HR_BENCH_LINKS_MAX];
    unsigned up, down;
    hr_bench_meter start; /* when the last link was up */
    hr_bench_measure measure;
    uint64_t bytes, messages;
    hr_status status;
    char why[300];            /* the sentence for status, where there is one */
    char path[WIRE_PATH_MAX]; /* the congestion control, or the device */
    int desk;

    /* the reader's */
    uint64_t end_ns, interval_ns, asked; /* interval 0: no rate */
    wire_slot *idle[HR_BENCH_WIRE_SLOTS_MAX];
    unsigned idle_count;
    bool is_leaving; /* its links are closed, and nothing more is asked for */
    hr_bench_histogram latency;

    /* the writer's, where it is asked */
    hr_op grant_op;
    wire_grant grant;
    bool is_receiving, is_closing;

    /* over RDMA */
    hr_helpers *helpers;
    hr_verbs *verbs;
    bool is_lent;
    hr_region region; /* the reader's pool */
    bool is_exposing, is_exposed;
    bool is_software; /* soft-RoCE: no hardware moves the bytes */
};

/* ---- wire_ends.c ---- */

HR_CHECKED hr_status hr_bench_end_open(wire_end *end, const hr_bench_wire *wire, int desk);
void hr_bench_end_close(wire_end *end);
/* What became of the end; it prints its measure, or why there is none. */
HR_CHECKED hr_status hr_bench_end_tell(wire_end *end, const char *what);
hr_span hr_bench_slot_memory(wire_end *end, const wire_slot *slot);
void hr_bench_link_is_up(wire_end *end);
/* Of both ends' events. */
void hr_bench_link_is_down(void *context, hr_status status);

/* ---- wire_reader.c ---- */

/* The link is up, and its places can be written to. */
void hr_bench_link_can_ask(wire_link *link);

/* ---- wire_rdma.c ---- */

/* Makes the transport. */
HR_CHECKED hr_status hr_bench_rdma_open(wire_end *end);
/* The writer: lends its pool; the first grant of a link aims it. */
HR_CHECKED hr_status hr_bench_rdma_lend(wire_end *end);
void hr_bench_rdma_aim(wire_link *link, const wire_grant *grant);
/* The reader: a link is up. Exposes the pool, once. */
void hr_bench_rdma_expose(wire_link *link);
/* The reader: adds to a grant where it may be written. */
void hr_bench_rdma_address(wire_slot *slot, wire_grant *grant);
/* Gives back what was lent and exposed, when the links are down. */
void hr_bench_rdma_let_go(wire_end *end);
void hr_bench_rdma_close(wire_end *end);

#endif
