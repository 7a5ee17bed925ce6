/* SPDX-License-Identifier: Apache-2.0 */
/* The transport alone: messages from the memory of one process into that of another, over TCP or
 * over RDMA, one loop in each. What bounds everything that comes over the wire. The two ends know
 * each other by a desk: a socket on which the reader says what it wants, the writer where it
 * listens, and the reader, message by message, what it may send. */
#ifndef HR_BENCH_WIRE_H
#define HR_BENCH_WIRE_H

#include <stdbool.h>

#include "measure.h"

#define HR_BENCH_WIRE_SLOTS     16 /* of all links, on each side, where nothing else is asked */
#define HR_BENCH_WIRE_SLOTS_MAX 64
#define HR_BENCH_LINKS_MAX      8

typedef struct hr_bench_wire {
    uint64_t duration_ns;
    unsigned links;       /* 1 to HR_BENCH_LINKS_MAX */
    unsigned slots;       /* links to HR_BENCH_WIRE_SLOTS_MAX: messages under way */
    uint64_t message_len; /* up to a chunk */
    bool digests;    /* CRC32C of each message, computed by the writer, checked by the reader */
    bool asks;       /* each message is asked for, and its latency is known; always so over RDMA */
    uint64_t rate;   /* bytes per second that are asked for, answered or not; 0: as they come */
    bool both;       /* as much the other way at the same time, over links of its own */
    uint64_t ticket; /* what ties the two to each other; drawn where the first begins */
    bool is_inline;  /* over RDMA: each message is copied into its work request */
    const char *congestion; /* NULL: what the transport takes by itself */
    const char *address;    /* of an RDMA device, which both ends then use; NULL: over TCP */
    const char *from;       /* the desk of a writer elsewhere, "host:port"; NULL: one is started */
} hr_bench_wire;

HR_CHECKED hr_status hr_bench_wire_run(const hr_bench_wire *wire, hr_bench_measure *measure_out,
                                       hr_error *error);
/* A desk for readers on other machines, one at a time, until interrupted: it prints where it is,
 * and after each reader the measure. once: it ends with the first. */
HR_CHECKED hr_status hr_bench_wire_serve(const hr_bench_wire *wire, const char *listen, bool once,
                                         hr_error *error);

/* The two ends, each in a process of its own; context is a hr_bench_wire_end. Both print their
 * measure. */
typedef struct hr_bench_wire_end {
    const hr_bench_wire *wire; /* of the writer only congestion and address count */
    int desk;
    int not_ours; /* the other end's, to be closed, or its end would not be seen; -1 */
} hr_bench_wire_end;

hr_status hr_bench_wire_write(void *context);
hr_status hr_bench_wire_read(void *context);

#endif
