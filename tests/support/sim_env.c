/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* splitmix64: every seed, 0 too, gives a good sequence. */
uint64_t hr_sim_random(hr_sim *sim)
{
    uint64_t value = sim->random_state += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
    return value ^ (value >> 31);
}

uint64_t hr_sim_below(hr_sim *sim, uint64_t bound)
{
    return hr_sim_random(sim) % bound;
}

/* FNV-1a. */
static void mix(hr_sim *sim, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++)
        sim->hash = (sim->hash ^ at[i]) * UINT64_C(0x100000001B3);
}

void hr_sim_note(hr_sim *sim, const char *what, uint64_t value)
{
    mix(sim, &sim->now_ns, sizeof sim->now_ns);
    mix(sim, what, strlen(what));
    mix(sim, &value, sizeof value);
}

static uint64_t sim_now_ns(void *context)
{
    return ((hr_sim *)context)->now_ns;
}

static void sim_random(void *context, void *bytes, size_t len)
{
    unsigned char *at = bytes;
    for (size_t i = 0; i < len; i++)
        at[i] = (unsigned char)hr_sim_random(context);
}

static void *sim_alloc(void *context, size_t len)
{
    hr_sim *sim = context;
    uint64_t nth = __atomic_add_fetch(&sim->allocations, 1, __ATOMIC_RELAXED);
    void *memory = nth == sim->fail_nth ? NULL : calloc(1, len);
    if (memory != NULL)
        __atomic_add_fetch(&sim->allocated, 1, __ATOMIC_RELAXED);
    return memory;
}

static void sim_release(void *context, void *memory)
{
    hr_sim *sim = context;
    if (memory != NULL)
        __atomic_sub_fetch(&sim->allocated, 1, __ATOMIC_RELAXED);
    free(memory);
}

static void sim_log(void *context, hr_log_level level, const char *line)
{
    hr_sim *sim = context;
    hr_sim_note(sim, line, (uint64_t)level);
    snprintf(sim->last_line, sizeof sim->last_line, "%s", line);
    if (sim->echo)
        fprintf(stderr, "%12.6f %s\n", (double)sim->now_ns / 1e9, line);
}

void hr_sim_init(hr_sim *sim, uint64_t seed)
{
    *sim = (hr_sim){
        .env =
            {
                .context = sim,
                .now_ns = sim_now_ns,
                .random = sim_random,
                .alloc = sim_alloc,
                .release = sim_release,
                .log = sim_log,
                .log_level = HR_LOG_DEBUG,
            },
        .now_ns = HR_NS_PER_S, /* not 0: that means "do not wait" as a deadline */
        .random_state = seed,
        .hash = UINT64_C(0xCBF29CE484222325),
    };
    hr_list_init(&sim->loops);
}
