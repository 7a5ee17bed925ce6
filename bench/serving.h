/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_serving: a headrace serve that runs beside the measurements, as users run it, and gets
 * from it. */
#ifndef HR_BENCH_SERVING_H
#define HR_BENCH_SERVING_H

#include "bench_settings.h"
#include "child.h"
#include "measure.h"

#define HR_BENCH_PROGRAM_MAX 1024

typedef struct hr_bench_serving {
    hr_bench_child server;
    char program[HR_BENCH_PROGRAM_MAX];
    char address[64];
    const char *elsewhere; /* what is fetched from a server that is no child of ours; NULL: it is */
    uint64_t pool_len;     /* of its slots */
    const hr_bench_settings *settings;
} hr_bench_serving;

/* The program of the settings, or the one beside ours. The export is named "shards", as the folder
 * is. */
HR_CHECKED hr_status hr_bench_serving_start(hr_bench_serving *serving,
                                            const hr_bench_settings *settings, const char *shards,
                                            hr_error *error);
/* From there instead, whatever a get names: source is lent. Nothing is started, and of what the
 * server takes nothing is known. */
HR_CHECKED hr_status hr_bench_serving_join(hr_bench_serving *serving,
                                           const hr_bench_settings *settings, const char *source,
                                           hr_error *error);
/* headrace pack TREE PACKED --codec CODEC. */
HR_CHECKED hr_status hr_bench_serving_pack(const hr_bench_settings *settings, const char *tree,
                                           const char *codec, const char *packed, hr_error *error);
/* headrace get hr://.../shards/NAME TARGET, with the server's CPU time as the sender's; NAN
 * where it is elsewhere. */
HR_CHECKED hr_status hr_bench_serving_get(hr_bench_serving *serving, const char *name,
                                          const char *target, hr_bench_measure *measure_out,
                                          hr_error *error);
/* The same to host memory, with --stages; the caller frees what it printed. */
HR_CHECKED hr_status hr_bench_serving_get_stages(hr_bench_serving *serving, const char *name,
                                                 const char *target, hr_bench_measure *measure_out,
                                                 char **text_out, hr_error *error);
/* The most memory that the server has held so far, in bytes; 0: /proc does not say. */
uint64_t hr_bench_serving_peak(const hr_bench_serving *serving);
/* Also for one that was never started. */
void hr_bench_serving_stop(hr_bench_serving *serving);

#endif
