/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_where: one whole transfer, from disk to host memory or to a file over a server of its
 * own, and in which stage of client and server its time went; of a server elsewhere only the client
 * tells. */
#ifndef HR_BENCH_WHERE_H
#define HR_BENCH_WHERE_H

#include "contender.h"
#include "headrace.h"

#define HR_BENCH_WHERE_ROWS 32 /* of two sides: HR_STAGES_MAX each */
#define HR_BENCH_STAGE_NAME 16

enum { HR_BENCH_WHERE_HOST, HR_BENCH_WHERE_FILE, HR_BENCH_WHERES };

typedef struct hr_bench_where {
    bool measured;
    hr_bench_measure measure;
    hr_stage_time rows[HR_BENCH_WHERE_ROWS]; /* of both sides, in the order of a chunk's way */
    char names[HR_BENCH_WHERE_ROWS][HR_BENCH_STAGE_NAME];
    size_t count;
    size_t bound;                 /* index of a row; count: none */
    double calls[HR_BENCH_SIDES]; /* system calls of the server's and the client's loops, a chunk */
    unsigned sides;               /* that were read: the client's first */
    int copies;                   /* of each byte by a processor, on its whole way; -1: not known */
    uint64_t peaks[HR_BENCH_SIDES]; /* the most memory that server and client held; 0: not known */
    char text[300];                 /* the bound in a sentence */
    hr_error failure;
} hr_bench_where;

/* HR_OK whatever became of it: failure tells. HR_INTERRUPTED. */
HR_CHECKED hr_status hr_bench_where_run(hr_bench_where *where, const hr_bench_field *field,
                                        int target);
/* Of all its time, in per cent. */
double hr_bench_where_share(const hr_stage_time *row, uint64_t part_ns);

#endif
