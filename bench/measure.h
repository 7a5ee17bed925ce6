/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_measure: what one run of one contender came to, and how our own processes tell it: one
 * JSON object on their stdout. */
#ifndef HR_BENCH_MEASURE_H
#define HR_BENCH_MEASURE_H

#include <stdint.h>

#include "histogram.h"
#include "line.h"
#include "status.h"

#define HR_BENCH_NOTE 480

/* Whose CPU seconds. What has one side only has them in the first. */
enum { HR_BENCH_SENDER, HR_BENCH_RECEIVER, HR_BENCH_SIDES };

typedef struct hr_bench_measure {
    uint64_t bytes;
    double seconds;
    double cpu_seconds[HR_BENCH_SIDES];
    double first_byte_seconds; /* 0: not told */
    uint64_t items;            /* requests, files, samples: what is counted; 0: nothing is */
    double utilisation;        /* of accelerators, 0 to 1, as MLPerf has it; 0: there are none */
    uint64_t peak;             /* the most memory that the receiver held; 0: not told */
    double measuring_seconds;  /* that clock and histogram took of all that */
    hr_bench_line line;        /* that a client's bytes came in by */
    char impossible[160];      /* why it cannot be, found out while it was measured; "": nothing */
    char note[HR_BENCH_NOTE];  /* what was in use: "cubic, io_uring, sse4.2" */
    hr_bench_histogram *latency; /* of each request, in ns; NULL: not wanted. Borrowed */
} hr_bench_measure;

/* GB/s, a GB being 10^9 bytes. 0 if nothing was measured. */
double hr_bench_rate(const hr_bench_measure *measure);
/* Items per second; 0: they were not counted. */
double hr_bench_item_rate(const hr_bench_measure *measure);
/* CPU seconds per GB. */
double hr_bench_side_cost(const hr_bench_measure *measure, int side);

/* A clock and the CPU time of this process, all its threads. */
typedef struct hr_bench_meter {
    uint64_t at_ns;
    double cpu_seconds;
} hr_bench_meter;

hr_bench_meter hr_bench_meter_read(void);
/* What has passed since start, as of one side, with bytes. */
hr_bench_measure hr_bench_meter_since(const hr_bench_meter *start, uint64_t bytes);

/* Writes it to stdout, and hands it over at once. */
void hr_bench_measure_tell(const hr_bench_measure *measure);
/* What was told of latencies is added to measure's, if it has one. */
HR_CHECKED hr_status hr_bench_measure_hear(const char *text, hr_bench_measure *measure,
                                           hr_error *error);

#endif
