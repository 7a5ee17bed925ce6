/* SPDX-License-Identifier: Apache-2.0 */
/* The standard streams of a program. */
#ifndef HR_STREAMS_H
#define HR_STREAMS_H

#include "status.h"

/* At the start. One that is closed would give its number to the next file or socket, and what is
 * said would go there. */
void hr_streams_hold(void);
/* At the end: everything on stdout has been written. failure: errno of the first write to it that
 * failed, or 0. HR_NO_SPACE: it is full; HR_IO: it is closed, or whatever else. */
HR_CHECKED hr_status hr_streams_finish(int *failure, hr_error *error);

#endif
