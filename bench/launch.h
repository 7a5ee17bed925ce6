/* SPDX-License-Identifier: Apache-2.0 */
/* Starts this program on other hosts, by ssh, srun or whatever --ssh names: its words, then the
 * host, then the command. */
#ifndef HR_BENCH_LAUNCH_H
#define HR_BENCH_LAUNCH_H

#include "bench_settings.h"
#include "child.h"

#define HR_BENCH_LAUNCH_WORDS 48

typedef struct hr_bench_launch_words {
    const char *list[HR_BENCH_LAUNCH_WORDS]; /* ends with NULL */
    char numbers[16][32];
    unsigned count, number_count;
} hr_bench_launch_words;

/* From zeroed memory, which must not move. value NULL: it has none. */
void hr_bench_words_add(hr_bench_launch_words *words, const char *option, const char *value);
void hr_bench_words_add_number(hr_bench_launch_words *words, const char *option, uint64_t value,
                               const char *unit);
/* How server and client know each other. */
void hr_bench_words_add_trust(hr_bench_launch_words *words, const hr_bench_settings *settings);
/* What an accelerator wants. */
void hr_bench_words_add_demand(hr_bench_launch_words *words, const hr_bench_settings *settings);

/* words: a verb of ours, its options, NULL. HR_INVALID: one of them could be taken apart by the
 * shell that is between. */
HR_CHECKED hr_status hr_bench_launch(hr_bench_child *child, const hr_bench_settings *settings,
                                     const char *host, const char *const *words, hr_error *error);
/* The number'th of --hosts, in turn; "": a name is too long. */
void hr_bench_launch_host(const hr_bench_settings *settings, unsigned number, char host_out[128]);

#endif
