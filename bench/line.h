/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_line: the interface that bytes from another machine come in by, and what it carries. */
#ifndef HR_BENCH_LINE_H
#define HR_BENCH_LINE_H

#include "bench_settings.h"

#define HR_BENCH_LINE_NAME 64

typedef struct hr_bench_line {
    char name[HR_BENCH_LINE_NAME]; /* "eth0"; "": all of it stays on this machine */
    double gb_per_second;          /* in one direction, with --both in both; 0: not known */
} hr_bench_line;

/* root: "/sys", or a tree like it. */
hr_bench_line hr_bench_line_find(const char *root, const hr_bench_settings *settings);
/* What the kernel says of the interface: its link's speed, which an RDMA device shares with it. */
double hr_bench_line_rate(const char *root, const char *name);
/* The host of "me@host", "host:port", "[v6]:port" or "hr://host:port/path". */
void hr_bench_line_host(const char *address, char host_out[256]);

#endif
