/* SPDX-License-Identifier: Apache-2.0 */
#include "plan.h"

#include <assert.h>

#define GENERATION_MASK UINT32_C(0xFFFFFF) /* as many bits as hr_chunk has for it */

static uint32_t count_verified(const hr_chunk *chunks, uint32_t count)
{
    uint32_t verified = 0;
    for (uint32_t i = 0; i < count; i++)
        verified += chunks[i].state == HR_CHUNK_VERIFIED;
    return verified;
}

void hr_plan_init(hr_plan *plan, hr_chunk *chunks, uint32_t count)
{
    *plan = (hr_plan){
        .chunks = chunks,
        .returned_first = HR_CHUNK_NONE,
        .returned_last = HR_CHUNK_NONE,
        .total = count,
        .verified = count_verified(chunks, count),
    };
}

/* What came back goes first: its place in the target is the oldest gap. */
static uint32_t take_returned(hr_plan *plan)
{
    uint32_t chunk = plan->returned_first;
    if (chunk != HR_CHUNK_NONE) {
        plan->returned_first = plan->chunks[chunk].next;
        if (plan->returned_first == HR_CHUNK_NONE)
            plan->returned_last = HR_CHUNK_NONE;
    }
    return chunk;
}

static uint32_t take_next(hr_plan *plan)
{
    while (plan->next < plan->total) {
        uint32_t chunk = plan->next++;
        if (plan->chunks[chunk].state != HR_CHUNK_VERIFIED)
            return chunk;
    }
    return HR_CHUNK_NONE;
}

bool hr_plan_next(hr_plan *plan, hr_plan_step *step_out)
{
    uint32_t number = take_returned(plan);
    if (number == HR_CHUNK_NONE)
        number = take_next(plan);
    if (number == HR_CHUNK_NONE)
        return false;

    hr_chunk *chunk = &plan->chunks[number];
    assert(chunk->state == HR_CHUNK_MISSING || chunk->state == HR_CHUNK_DOUBTFUL);
    bool check = chunk->state == HR_CHUNK_DOUBTFUL;
    chunk->state = check ? HR_CHUNK_CHECKING : HR_CHUNK_GRANTED;
    /* Wraps after 16 million tries of one chunk; by then no answer to the first is on its way. */
    chunk->generation = (chunk->generation + 1) & GENERATION_MASK;
    plan->outstanding++;
    *step_out = (hr_plan_step){
        .chunk = number,
        .generation = chunk->generation,
        .check = check,
        .complain = chunk->mismatched,
    };
    return true;
}

static hr_chunk *take_outstanding(hr_plan *plan, uint32_t number)
{
    hr_chunk *chunk = &plan->chunks[number];
    assert(plan->outstanding > 0);
    assert(chunk->state == HR_CHUNK_GRANTED || chunk->state == HR_CHUNK_CHECKING);
    plan->outstanding--;
    return chunk;
}

void hr_plan_verified(hr_plan *plan, uint32_t chunk, uint32_t crc)
{
    hr_chunk *done = take_outstanding(plan, chunk);
    done->state = HR_CHUNK_VERIFIED;
    done->crc = crc;
    plan->verified++;
}

void hr_plan_returned(hr_plan *plan, uint32_t chunk)
{
    hr_chunk *back = take_outstanding(plan, chunk);
    back->state = HR_CHUNK_MISSING;
    back->next = HR_CHUNK_NONE;
    if (plan->returned_last == HR_CHUNK_NONE)
        plan->returned_first = chunk;
    else
        plan->chunks[plan->returned_last].next = chunk;
    plan->returned_last = chunk;
}

hr_status hr_plan_mismatched(hr_plan *plan, uint32_t chunk)
{
    bool again = plan->chunks[chunk].mismatched;
    hr_plan_returned(plan, chunk);
    plan->chunks[chunk].mismatched = true;
    return again ? HR_INTEGRITY : HR_OK;
}
