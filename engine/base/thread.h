/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of the engine's. They take no signals: these are the program's own, whose handlers may
 * use what its threads are just taking apart. */
#ifndef HR_THREAD_H
#define HR_THREAD_H

#include <pthread.h>

/* As pthread_create: 0, or the error. */
int hr_thread_start(pthread_t *thread_out, void *(*run)(void *argument), void *argument);

#endif
