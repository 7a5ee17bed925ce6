/* SPDX-License-Identifier: Apache-2.0 */
/* hr_process: a real program under test. Its stdout comes through a pipe, so that a test can wait
 * for a line of it; its stderr is kept. It dies with the test, whatever happens. Nothing here
 * sleeps: every wait is for an event, under a watchdog. */
#ifndef HR_PROCESS_H
#define HR_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "status.h"

#define HR_PROCESS_LIMITS_MAX 4

/* The watchdog of waits that say nothing else: long enough for a slow machine with sanitizers. */
#define HR_PROCESS_WATCHDOG_MS 60000

typedef struct hr_process_options {
    const char *const *arguments;   /* arguments[0] is the program's path; ends with NULL */
    const char *const *environment; /* "NAME=value", beside the test's own; ends with NULL; may be
                                       NULL */
    const char *directory;          /* to run in; NULL: the test's */
    struct {
        int resource; /* RLIMIT_... */
        rlim_t value; /* soft and hard */
    } limits[HR_PROCESS_LIMITS_MAX];
    unsigned limit_count;
    uid_t user; /* with a test that runs as root: to run as this user without privileges; 0: no
                   change */
    bool no_io_uring; /* io_uring_setup fails with EPERM, as in most containers */
} hr_process_options;

typedef struct hr_process {
    pid_t pid;
    int exit_code; /* after hr_process_wait; -1 if a signal ended it */
    int signal;    /* the signal that did, or 0 */
    struct rusage usage;

    /* the process's own */
    bool reaped;
    int pidfd, out_fd, error_fd;
    char *out; /* what came on stdout, terminated */
    size_t out_len, out_size, line_at;
    char *error; /* made by hr_process_stderr */
} hr_process;

/* A program that cannot be run is a status here, not an exit code later. */
HR_CHECKED hr_status hr_process_start(hr_process *process, const hr_process_options *options);
/* Waits for a whole line of stdout that contains part; lines are looked at once. Returns it without
 * its newline: the caller's to free. NULL: stdout ended, or the watchdog. */
char *hr_process_wait_line(hr_process *process, const char *part, int watchdog_ms);
/* Waits for the end. HR_DEADLINE: it was killed by the watchdog. */
HR_CHECKED hr_status hr_process_wait(hr_process *process, int watchdog_ms);
void hr_process_signal(hr_process *process, int signal);
/* All of stdout so far; all of stderr so far. Good until the next call. */
const char *hr_process_stdout(hr_process *process);
const char *hr_process_stderr(hr_process *process);
/* CPU seconds, user and system, of a process that was waited for. */
double hr_process_cpu_seconds(const hr_process *process);
/* Kills it if it still runs, and frees all. Also for one that was never started (zeroed). */
void hr_process_stop(hr_process *process);

#endif
