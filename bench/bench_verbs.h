/* SPDX-License-Identifier: Apache-2.0 */
/* What the program does. Each prints its report, of what was measured until an interruption too. */
#ifndef HR_BENCH_VERBS_H
#define HR_BENCH_VERBS_H

#include "bench_settings.h"

/* Any of those that measure. */
HR_CHECKED hr_status hr_bench_verb_race(const hr_bench_settings *settings, unsigned verb,
                                        hr_error *error);
/* Files for clients elsewhere, until it is told to stop. */
HR_CHECKED hr_status hr_bench_verb_serve(const hr_bench_settings *settings, hr_error *error);
/* The writing end of wires to readers elsewhere, until it is told to stop. */
HR_CHECKED hr_status hr_bench_verb_listen(const hr_bench_settings *settings, hr_error *error);
/* One client; the exit code. */
int hr_bench_verb_client(const hr_bench_settings *settings, const char *source);
/* paths: one or two results. */
HR_CHECKED hr_status hr_bench_verb_compare(const hr_bench_settings *settings, char **paths,
                                           unsigned count, hr_error *error);
/* paths: one to HR_BENCH_PAGE_RESULTS_MAX results. */
HR_CHECKED hr_status hr_bench_verb_report(const hr_bench_settings *settings, char **paths,
                                          unsigned count, hr_error *error);

#endif
