/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of the simulator: timers, tasks and letters over the clock of an hr_sim, no system call.
 * Several loops may share the clock; one thread steps them all. Operations on descriptors answer
 * -ENOSYS. */
#ifndef HR_LOOP_SIM_H
#define HR_LOOP_SIM_H

#include "loop.h"
#include "sim_env.h"

/* A step that may wait steps the other loops meanwhile, and moves the clock when they have nothing
 * to do either: to its deadline or to the first timer of any loop, whichever comes first. It never
 * passes over another loop's work. */
HR_CHECKED hr_status hr_loop_sim_create(hr_sim *sim, hr_loop **loop_out);

/* Steps every loop once without waiting, in an order drawn from the seed; if none had anything to
 * do, moves the clock to the first timer. Returns false when there is none either, or when it lies
 * beyond until_ns: then the clock is at until_ns (unless that is HR_NEVER). */
bool hr_sim_step(hr_sim *sim, uint64_t until_ns);

#endif
