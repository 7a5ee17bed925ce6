/* SPDX-License-Identifier: Apache-2.0 */
/* hr_farewells: the only word to who is not taken in, before anybody knows who that is: why, and
 * nothing else. In clear it is an error message, to who speaks TLS an alert; then the connection
 * ends. There are few of them at a time: a crowd finds the door shut. */
#ifndef HR_FAREWELL_H
#define HR_FAREWELL_H

#include "control.h"

#define HR_FAREWELLS_MAX 64 /* at once; each holds a channel for half a second at most */

typedef struct hr_farewells {
    const hr_env *env;
    hr_control_scratch *scratch;
    unsigned count;
    void (*none_left)(void *context); /* the last one is over */
    void *context;
} hr_farewells;

/* Takes the connection in every case. What text says an alert cannot. */
void hr_farewell_say(hr_farewells *all, hr_transport *transport, hr_incoming *incoming,
                     hr_status status, const char *text);

#endif
