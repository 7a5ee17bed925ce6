/* SPDX-License-Identifier: Apache-2.0 */
/* The transport alone: chunks from the memory of one process into that of another, over TCP on
 * loopback or over RDMA, one loop in each. What bounds everything that comes over the wire. */
#ifndef HR_BENCH_WIRE_H
#define HR_BENCH_WIRE_H

#include <stdbool.h>

#include "measure.h"

#define HR_BENCH_WIRE_SLOTS 16 /* of all links, on each side */
#define HR_BENCH_LINKS_MAX  8

typedef struct hr_bench_wire {
    uint64_t duration_ns;
    unsigned links; /* 1 to HR_BENCH_LINKS_MAX */
    bool digests;   /* CRC32C of each chunk, computed by the writer, checked by the reader */
    const char *congestion; /* NULL: what the transport takes by itself */
    const char *address;    /* of an RDMA device, which both ends then use; NULL: over TCP */
} hr_bench_wire;

HR_CHECKED hr_status hr_bench_wire_run(const hr_bench_wire *wire, hr_bench_measure *measure_out,
                                       hr_error *error);

/* The two ends, each in a process of its own; context is a hr_bench_wire_end. The writer first
 * prints the address where it listens. Both print their measure. */
typedef struct hr_bench_wire_end {
    const hr_bench_wire *wire;
    const char *address; /* for the reader */
    int grants;          /* over RDMA: from the reader to the writer */
} hr_bench_wire_end;

int hr_bench_wire_write(void *context);
int hr_bench_wire_read(void *context);

#endif
