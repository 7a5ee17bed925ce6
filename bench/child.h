/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_child: a process that takes part in a measurement: a program, or a function of ours in a
 * process of its own, so that its CPU time is its own. Its stdout comes here, line by line or
 * whole; its stderr is kept for the sentence of a failure. It does not outlive us. */
#ifndef HR_BENCH_CHILD_H
#define HR_BENCH_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "status.h"

typedef struct hr_bench_child {
    const char *name;   /* for sentences; NULL: not started */
    pid_t pid;          /* 0: not started, or over */
    int status;         /* as of waitpid, once it is over */
    double seconds;     /* from start to end, once it is over */
    double cpu_seconds; /* its own and that of its children, once it is over */
    uint64_t peak;      /* the most memory that it held, once it is over */

    /* the child's own */
    char label[64], words[300];
    bool is_ours; /* its exit code is one of the frozen ones */
    int pidfd, input, output, errors;
    uint64_t started_ns;
    char *text; /* its stdout so far, terminated */
    size_t len, capacity, taken;
} hr_bench_child;

/* Each of these starts from zeroed memory. argv ends with NULL; its first is looked up in PATH. */
HR_CHECKED hr_status hr_bench_child_exec(hr_bench_child *child, const char *const *argv,
                                         hr_error *error);
/* The same for a program of ours, here or on another host: what its exit code says comes back. */
HR_CHECKED hr_status hr_bench_child_exec_own(hr_bench_child *child, const char *const *argv,
                                             hr_error *error);
/* run's result comes back as its exit code. What it says on stderr last is why. */
HR_CHECKED hr_status hr_bench_child_fork(hr_bench_child *child, const char *name,
                                         hr_status (*run)(void *context), void *context,
                                         hr_error *error);
/* The next line of its stdout, without its end; good until the next call. Where there is none, why
 * the child is over; HR_PEER_LOST if nothing was wrong with it. */
HR_CHECKED hr_status hr_bench_child_line(hr_bench_child *child, uint64_t timeout_ns,
                                         const char **line_out, hr_error *error);
/* A line for its stdin, which is open until the child is stopped. */
void hr_bench_child_say(hr_bench_child *child, const char *line);
/* Until it is over: HR_OK only for exit 0, of others' programs else HR_INTERNAL. All of its stdout
 * is then in text. */
HR_CHECKED hr_status hr_bench_child_wait(hr_bench_child *child, uint64_t timeout_ns,
                                         hr_error *error);
/* Ends its stdin, and gives it so long to end with it. */
void hr_bench_child_leave(hr_bench_child *child, uint64_t timeout_ns);
/* Ends it if it still runs, politely first, and frees. Also for one that was never started. */
void hr_bench_child_stop(hr_bench_child *child);
/* The last line of its stderr so far; good until the next call for this child. */
const char *hr_bench_child_last_words(hr_bench_child *child);
/* CPU seconds so far of a process that runs, all threads; by the clock tick. */
double hr_bench_child_cpu_seconds(const hr_bench_child *child);

#endif
