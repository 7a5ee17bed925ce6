/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_line: an interface that bytes cross on their way from or to another machine, and what it
 * carries; hr_bench_loads: what several clients together brought over such lines. */
#ifndef HR_BENCH_LINE_H
#define HR_BENCH_LINE_H

#include <stdbool.h>

#define HR_BENCH_LINE_NAME 64
#define HR_BENCH_LOADS_MAX 128 /* two for each client */

typedef struct hr_bench_line {
    char name[HR_BENCH_LINE_NAME]; /* "eth0"; "": all of it stays on this machine */
    double gb_per_second;          /* in one direction; 0: not known */
} hr_bench_line;

/* Towards the host of this address. root: "/sys", or a tree like it. */
hr_bench_line hr_bench_line_to(const char *root, const char *address);
/* What the kernel says of the interface: its link's speed, which an RDMA device shares with it, or
 * that of its PCIe link, whichever is less; 0: it has none. */
double hr_bench_line_rate(const char *root, const char *name);
/* The host of "me@host", "host:port", "[v6]:port" or "hr://host:port/path". */
void hr_bench_line_host(const char *address, char host_out[256]);

typedef struct hr_bench_load {
    char where[128]; /* "eth0 of node1" */
    double most, rate;
} hr_bench_load;

/* From zeroed memory. */
typedef struct hr_bench_loads {
    hr_bench_load list[HR_BENCH_LOADS_MAX];
    unsigned count;
} hr_bench_loads;

/* So much more crossed that line of that host. */
void hr_bench_loads_add(hr_bench_loads *loads, const char *host, const hr_bench_line *line,
                        double rate);
/* More crossed one of them than it carries: text_out says so. */
bool hr_bench_loads_are_impossible(const hr_bench_loads *loads, char text_out[160]);

#endif
