/* SPDX-License-Identifier: Apache-2.0 */
/* hr_plan: which chunk of a part is next. In order, each once; what was given back comes again
 * under a new generation, what did not match its digest comes again once. Over the caller's array
 * of chunks; whoever holds a range in its plan owns those elements. Pure.
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
    hr_chunk *chunks;                       /* of the whole transfer, indexed by chunk number */
    uint32_t next, end;                     /* what was not handed out yet */
    uint32_t returned_first, returned_last; /* list through hr_chunk.next */

    /* Of all ranges of this plan: total == verified + outstanding + waiting. */
    uint32_t total;
    uint32_t verified;
    uint32_t outstanding; /* granted or checking */
} hr_plan;

typedef struct hr_plan_step {
    uint32_t chunk;
    uint32_t generation; /* for the grant */
    bool check;    /* do not grant it: read it from the target and compare it with chunk.crc */
    bool complain; /* the grant says that the digest did not match */
} hr_plan_step;

/* The range of part number part of parts: contiguous, all ranges together give all chunks. May be
 * empty. */
void hr_plan_share(uint32_t chunk_count, uint32_t parts, uint32_t part, uint32_t *first_out,
                   uint32_t *end_out);

/* Takes [first, end) as journaled: every state is MISSING, DOUBTFUL or VERIFIED. */
void hr_plan_init(hr_plan *plan, hr_chunk *chunks, uint32_t first, uint32_t end);

/* What to do next; the chunk is then outstanding until one of the three calls below. False:
 * nothing now, as all the rest is outstanding or verified. */
bool hr_plan_next(hr_plan *plan, hr_plan_step *step_out);
void hr_plan_verified(hr_plan *plan, uint32_t chunk, uint32_t crc);
/* The grant was taken back, its link died, or the check found something else: again. */
void hr_plan_returned(hr_plan *plan, uint32_t chunk);
/* The digest of what arrived is wrong. HR_OK: it will be asked for again. HR_INTEGRITY: that was
 * the second time; the chunk is missing and the transfer is over. */
HR_CHECKED hr_status hr_plan_mismatched(hr_plan *plan, uint32_t chunk);

/* Whether an answer to this grant is still waited for. Takes numbers from outside: chunk_count is
 * the length of the array. Reads the chunk, so another worker's must have been ruled out before. */
bool hr_plan_expects(const hr_plan *plan, uint32_t chunk_count, uint32_t chunk,
                     uint32_t generation);

/* Gives the later half of what was not handed out yet to another worker, which extends its plan by
 * it. False: there is too little left to share. */
bool hr_plan_split(hr_plan *plan, uint32_t *first_out, uint32_t *end_out);
/* Only when hr_plan_next has said false: the own range is handed out. */
void hr_plan_extend(hr_plan *plan, uint32_t first, uint32_t end);

static inline bool hr_plan_is_complete(const hr_plan *plan)
{
    return plan->verified == plan->total;
}

#endif
