/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_client: a process that fetches from a server, for a while and over one session: over and
 * over, or as an accelerator in training does. It says "ready" when it is connected and warm,
 * begins at the first line of its stdin, ends early when that ends, and prints its measure. */
#ifndef HR_BENCH_CLIENT_H
#define HR_BENCH_CLIENT_H

#include "bench_settings.h"
#include "headrace.h"
#include "measure.h"

/* What one such process is to do; the context of hr_bench_client_run. */
typedef struct hr_bench_client_job {
    const hr_bench_settings *settings;
    char source[HR_BENCH_SOURCE_MAX];
    unsigned number; /* of those that run together: their orders differ */
    bool trains, to_gpu;
} hr_bench_client_job;

hr_status hr_bench_client_run(void *context);

typedef struct hr_bench_client {
    const hr_bench_client_job *job;
    hr_engine *engine;
    hr_client *client;
    char address[HR_BENCH_SOURCE_MAX];
    const char *path; /* in the server: "export/path" */
    hr_bench_histogram latency;
    char note[HR_BENCH_NOTE];
    hr_error error;
} hr_bench_client;

/* accelerator.c: steps for as long as the settings say. */
HR_CHECKED hr_status hr_bench_client_train(hr_bench_client *client, hr_bench_measure *measure_out);

#endif
