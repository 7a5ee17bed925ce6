/* SPDX-License-Identifier: Apache-2.0 */
/* Part of the programs in the build that counts what is run, and in no other. Two kinds of process
 * would take their counters with them: one that a test kills, and one that has confined itself and
 * can open no file at its end. A thread writes them, which is older than main(): Landlock and the
 * drop of capabilities bind the thread that asks for them and those that come later. */
#include "write_counters.h"

#include <fcntl.h>
#include <gcov.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_t writer;

/* Whoever wants to kill the process sends the signal: it is killed here, by SIGKILL, and runs
 * nothing of its own any more. */
static void *wait_to_write(void *context)
{
    siginfo_t from;
    while (sigwaitinfo(context, &from) < 0)
        continue;
    /* Of counters that cannot be written, since they are another user's, gcc would say so among
     * what the program has said; and one may have no descriptor left. */
    close(STDIN_FILENO);
    if (open("/dev/null", O_RDWR) >= 0)
        (void)dup2(STDIN_FILENO, STDERR_FILENO);
    close(STDIN_FILENO);
    __gcov_dump();
    if (from.si_pid != getpid())
        kill(getpid(), SIGKILL);
    return NULL;
}

static void write_at_exit(void)
{
    pthread_kill(writer, HR_WRITE_COUNTERS);
    pthread_join(writer, NULL);
}

__attribute__((constructor)) static void start_writer(void)
{
    static sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, HR_WRITE_COUNTERS);
    pthread_sigmask(SIG_BLOCK, &one, NULL);
    if (pthread_create(&writer, NULL, wait_to_write, &one) == 0)
        atexit(write_at_exit);
}
