/* SPDX-License-Identifier: Apache-2.0 */
/* SIGINT, SIGTERM and, for who asks for it, SIGHUP. The first one asks for an end in order, a
 * second one ends the process at once, with the exit code of an interruption. */
#ifndef HR_CLI_INTERRUPT_H
#define HR_CLI_INTERRUPT_H

#include <stdbool.h>

#include "headrace.h"

/* From now on a signal wakes engine, and the caller asks hr_cli_interrupted after each step. NULL
 * before the engine is destroyed. */
void hr_cli_interrupt_wakes(hr_engine *engine);
/* From now on a signal also cancels get, and one that has come already does. NULL before it is
 * destroyed. */
void hr_cli_interrupt_cancels(hr_get *get);
bool hr_cli_interrupted(void);
/* From now on SIGHUP wakes the engine too, and does not end the process. */
void hr_cli_hang_up_wakes(void);
/* Whether there was one since the last call. */
bool hr_cli_hung_up(void);

#endif
