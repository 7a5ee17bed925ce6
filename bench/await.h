/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting, in the one place where a measurement waits: for a descriptor, for a time, or for Ctrl-C.
 * SIGINT and SIGTERM are blocked and read from a descriptor, so that none is lost between a look
 * and a wait. After the first one every wait ends with HR_INTERRUPTED. */
#ifndef HR_BENCH_AWAIT_H
#define HR_BENCH_AWAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

/* Once, before the first child: from then on the signals are blocked. */
HR_CHECKED hr_status hr_bench_await_open(void);
/* HR_OK: fd is readable or hung up. HR_DEADLINE. HR_INTERRUPTED. fd -1: until the deadline. */
HR_CHECKED hr_status hr_bench_await(int fd, uint64_t deadline_ns);
/* As hr_bench_await, deaf to signals: for the end of what was told to end. */
HR_CHECKED hr_status hr_bench_await_end(int fd, uint64_t deadline_ns);
bool hr_bench_interrupted(void);
/* In a child: the signals as they were. */
void hr_bench_await_restore(void);

#endif
