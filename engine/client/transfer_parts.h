/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of hr_transfer share: transfer_open.c learns what the source is, transfer_move.c
 * moves its chunks, transfer.c goes from stage to stage and ends it. */
#ifndef HR_TRANSFER_PARTS_H
#define HR_TRANSFER_PARTS_H

#include "transfer.h"

/* The shard's name for a sentence. */
const char *hr_transfer_shown(const hr_transfer *transfer, char *buffer, size_t len);

/* transfer_move.c */
/* One a link. False: out of memory; what was made retires with the others. */
bool hr_transfer_make_parts(hr_transfer *transfer);

/* transfer.c */
/* The timer's: the rate allows more, or the peer's patience is over. */
void hr_transfer_fire(hr_timer *timer);
/* Landings that are under way, over all parts. */
unsigned hr_transfer_count_busy(const hr_transfer *transfer);
void hr_transfer_part_retired(void *context, hr_part *part);
/* Goes on to the end once nothing that it drains is under way. */
void hr_transfer_try_to_end(hr_transfer *transfer);
/* Every chunk of the plan is verified. */
void hr_transfer_chunks_complete(hr_transfer *transfer);

#endif
