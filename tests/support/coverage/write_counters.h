/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HR_WRITE_COUNTERS_H
#define HR_WRITE_COUNTERS_H

#include <signal.h>

/* To a program of the build that counts, instead of SIGKILL: it writes its counters and kills
 * itself. */
#define HR_WRITE_COUNTERS (SIGRTMIN + 5)

#endif
