/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_remote: a server on another host, with files of its own, that lives as long as it is
 * wanted here: serve, started by what --ssh names. It ends, and removes them, with its stdin. */
#ifndef HR_BENCH_REMOTE_H
#define HR_BENCH_REMOTE_H

#include "launch.h"

typedef struct hr_bench_remote {
    hr_bench_child server;
    hr_bench_launch_words words; /* that it was started with */
    char source[256];            /* "hr://host:port/shards/tree" */
} hr_bench_remote;

/* From zeroed memory, or what is there for other settings, with the files of that verb. */
HR_CHECKED hr_status hr_bench_remote_start(hr_bench_remote *remote,
                                           const hr_bench_settings *settings, unsigned verb,
                                           hr_error *error);
void hr_bench_remote_stop(hr_bench_remote *remote);

#endif
