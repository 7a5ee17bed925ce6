/* SPDX-License-Identifier: Apache-2.0 */
/* hr_plan: which chunk of a transfer is next. In order, each once; what was given back comes again
 * under a new generation, what did not match its digest comes again once. Over the caller's array
 * of chunks. Pure.
 *
 *   missing  -next->  granted   -verified->    verified
 *   doubtful -next->  checking  -verified->    verified
 *                     granted   -returned->    missing (first in line)
 *                     checking  -returned->    missing (first in line)
 *                     granted   -mismatched->  missing (first in line, complaining), or the end
 */
#ifndef HR_PLAN_H
#define HR_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunk.h"
#include "status.h"

typedef struct hr_plan {
    hr_chunk *chunks;                       /* indexed by chunk number */
    uint32_t next;                          /* from here on none was handed out yet */
    uint32_t returned_first, returned_last; /* list through hr_chunk.next */

    uint32_t total; /* == verified + outstanding + waiting */
    uint32_t verified;
    uint32_t outstanding; /* granted or checking */
} hr_plan;

typedef struct hr_plan_step {
    uint32_t chunk;
    uint32_t generation; /* for the grant */
    bool check;    /* do not grant it: read it from the target and compare it with chunk.crc */
    bool complain; /* the grant says that the digest did not match */
} hr_plan_step;

/* Takes them as journaled: every state is MISSING, DOUBTFUL or VERIFIED. */
void hr_plan_init(hr_plan *plan, hr_chunk *chunks, uint32_t count);

/* What to do next; the chunk is then outstanding until one of the three calls below. False:
 * nothing now, as all the rest is outstanding or verified. */
bool hr_plan_next(hr_plan *plan, hr_plan_step *step_out);
void hr_plan_verified(hr_plan *plan, uint32_t chunk, uint32_t crc);
/* The grant was taken back, its link died, or the check found something else: again. */
void hr_plan_returned(hr_plan *plan, uint32_t chunk);
/* The digest of what arrived is wrong. HR_OK: it will be asked for again. HR_INTEGRITY: that was
 * the second time; the chunk is missing and the transfer is over. */
HR_CHECKED hr_status hr_plan_mismatched(hr_plan *plan, uint32_t chunk);

static inline bool hr_plan_is_complete(const hr_plan *plan)
{
    return plan->verified == plan->total;
}

#endif
