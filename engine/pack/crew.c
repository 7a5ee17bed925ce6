/* SPDX-License-Identifier: Apache-2.0 */
#include "crew.h"

#include "bytes.h"

#define THREADS_MAX 256u

/* One chunk a thread, half as many that are read or written meanwhile, and two so that this holds
 * for a single thread. */
static unsigned seats_for(unsigned threads)
{
    return threads + threads / 2 + 2;
}

/* Not more than there is work for. */
static unsigned thread_count(unsigned wanted, uint32_t chunk_count)
{
    return (unsigned)hr_min_u64(hr_min_u64(wanted, THREADS_MAX),
                                chunk_count == 0 ? 1 : chunk_count);
}

static void place_seats(hr_crew *crew, size_t scratch_len, void *owner)
{
    uint8_t *at = crew->rooms.addr;
    for (unsigned i = 0; i < crew->seat_count; i++) {
        hr_seat *seat = &crew->seats[i];
        seat->owner = owner;
        seat->content = hr_span_host(at, HR_INDEX_CHUNK_MAX);
        seat->stored = hr_span_host(at + HR_INDEX_CHUNK_MAX, HR_PACKED_ROOM);
        seat->scratch = hr_span_host(at + HR_INDEX_CHUNK_MAX + HR_PACKED_ROOM, scratch_len);
        at += HR_INDEX_CHUNK_MAX + HR_PACKED_ROOM + scratch_len;
    }
}

hr_status hr_crew_init(hr_crew *crew, const hr_env *env, hr_loop *loop, hr_memory *memory,
                       unsigned threads, uint32_t chunk_count, size_t scratch_len, void *owner)
{
    unsigned count = thread_count(threads, chunk_count);
    hr_page_kind pages;
    *crew = (hr_crew){
        .env = env,
        .loop = loop,
        .memory = memory,
        .thread_count = count,
        .seat_count = seats_for(count),
    };
    scratch_len = (size_t)hr_round_up(scratch_len, HR_DIRECT_ALIGN);
    size_t seat_len = HR_INDEX_CHUNK_MAX + HR_PACKED_ROOM + scratch_len;
    crew->seats = hr_alloc(env, crew->seat_count * sizeof *crew->seats);
    hr_status status = crew->seats == NULL ? HR_NO_MEMORY : HR_OK;
    if (status == HR_OK)
        status = memory->ops->alloc(memory, crew->seat_count * seat_len, &crew->rooms, &pages);
    if (status == HR_OK)
        status = hr_helpers_create(env, count, &crew->threads);
    if (status != HR_OK) {
        hr_crew_fini(crew);
        return status;
    }
    place_seats(crew, scratch_len, owner);
    return HR_OK;
}

bool hr_crew_does(hr_crew *crew, unsigned threads, uint32_t chunk_count)
{
    if (crew->seats == NULL || crew->thread_count < thread_count(threads, chunk_count))
        return false;
    for (unsigned i = 0; i < crew->seat_count; i++)
        crew->seats[i].state = HR_SEAT_FREE;
    return true;
}

void hr_crew_fini(hr_crew *crew)
{
    hr_helpers_destroy(crew->threads);
    if (crew->rooms.addr != NULL)
        crew->memory->ops->release(crew->memory, &crew->rooms);
    if (crew->seats != NULL)
        hr_release(crew->env, crew->seats);
    *crew = (hr_crew){0};
}

void hr_crew_work(hr_crew *crew, hr_seat *seat, void (*run)(hr_job *job), void (*done)(hr_job *job))
{
    seat->state = HR_SEAT_WORKING;
    seat->job = (hr_job){.run = run, .done = done, .loop = crew->loop};
    hr_helpers_submit(crew->threads, &seat->job);
}
