/* SPDX-License-Identifier: Apache-2.0 */
/* hr_sim: the world of a simulated run, all of it decided by a seed: a clock that moves only when
 * it is told to, randomness, memory that is counted and can run out, and a log that is kept. For
 * one thread, but for alloc and release, which any thread may call. */
#ifndef HR_SIM_ENV_H
#define HR_SIM_ENV_H

#include "env.h"
#include "list.h"

typedef struct hr_sim {
    hr_env env; /* give &sim->env to what is tested */
    uint64_t now_ns;
    uint64_t random_state;
    hr_list loops;        /* of hr_loop_sim_create */
    uint64_t allocations; /* made so far */
    uint64_t allocated;   /* not released yet */
    uint64_t fail_nth;    /* this allocation (from 1) returns NULL; 0: none */
    uint64_t hash;        /* of every log line and hr_sim_note, in order, with its time */
    bool echo;            /* log lines also go to stderr */
    char last_line[1024]; /* of the log */
} hr_sim;

void hr_sim_init(hr_sim *sim, uint64_t seed);
/* Mixes an event into the hash: the same seed must give the same hash twice. */
void hr_sim_note(hr_sim *sim, const char *what, uint64_t value);
/* The next number of the seed; below: less than bound (which is not 0). */
uint64_t hr_sim_random(hr_sim *sim);
uint64_t hr_sim_below(hr_sim *sim, uint64_t bound);

#endif
