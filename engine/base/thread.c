/* SPDX-License-Identifier: Apache-2.0 */
#include "thread.h"

#include <signal.h>

int hr_thread_start(pthread_t *thread_out, void *(*run)(void *argument), void *argument)
{
    /* A thread begins with the mask of its maker. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(thread_out, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}
