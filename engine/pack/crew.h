/* SPDX-License-Identifier: Apache-2.0 */
/* hr_crew: threads that make or check chunks, and seats for the chunks they work on. All memory is
 * taken by init; how much depends on the threads and not on the shard. Chunk n sits at seat n
 * modulo the seats, so that a seat is free again before the chunk after next comes. On worker 0. */
#ifndef HR_CREW_H
#define HR_CREW_H

#include "helpers.h"
#include "memory.h"
#include "packed.h"
#include "storage.h"

typedef enum hr_seat_state {
    HR_SEAT_FREE,
    HR_SEAT_READING,
    HR_SEAT_WORKING, /* a thread has it */
    HR_SEAT_READY,   /* worked on */
    HR_SEAT_WRITING,
} hr_seat_state;

/* One chunk. The owner's but while a thread works on it. */
typedef struct hr_seat {
    hr_job job;
    hr_io io;
    void *owner;
    hr_seat_state state;
    uint32_t chunk;
    hr_span content, stored, scratch; /* whole rooms, aligned for O_DIRECT */
    hr_index_row row;
    size_t stored_len; /* with the gap */
    hr_status status;
    const char *what; /* why status is a failure */
} hr_seat;

typedef struct hr_crew {
    const hr_env *env;
    hr_loop *loop;
    hr_memory *memory;
    hr_helpers *threads;
    hr_span rooms;
    hr_seat *seats;
    unsigned thread_count, seat_count;
} hr_crew;

/* owner is set in every seat. threads 0: the caller's own does the work. */
HR_CHECKED hr_status hr_crew_init(hr_crew *crew, const hr_env *env, hr_loop *loop,
                                  hr_memory *memory, unsigned threads, uint32_t chunk_count,
                                  size_t scratch_len, void *owner);
/* One that was made before, for the same scratch_len, does for this too: its seats are free again.
 */
bool hr_crew_does(hr_crew *crew, unsigned threads, uint32_t chunk_count);
/* No seat is being worked on. One that was never inited, zeroed, is accepted. */
void hr_crew_fini(hr_crew *crew);

static inline hr_seat *hr_crew_seat(const hr_crew *crew, uint32_t chunk)
{
    return &crew->seats[chunk % crew->seat_count];
}

/* run on a thread of the crew, then done in a step of the loop. */
void hr_crew_work(hr_crew *crew, hr_seat *seat, void (*run)(hr_job *job),
                  void (*done)(hr_job *job));

#endif
