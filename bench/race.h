/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_race: the contenders of a verb, each once a round, and what they came to. */
#ifndef HR_BENCH_RACE_H
#define HR_BENCH_RACE_H

#include "contender.h"
#include "sample.h"

/* One contender's way through the rounds. A round that failed holds NAN. */
typedef struct hr_bench_lane {
    bool missing; /* its program is not installed */
    hr_bench_sample rates;
    hr_bench_sample costs[HR_BENCH_SIDES]; /* CPU seconds per GB */
    hr_bench_histogram latency;            /* of all rounds; of those that tell it */
    char note[160];                        /* of the last round */
    hr_error failure;                      /* the first */
} hr_bench_lane;

typedef struct hr_bench_race hr_bench_race;
struct hr_bench_race {
    unsigned verb;
    unsigned rounds; /* whole ones */
    hr_bench_lane lanes[HR_BENCH_CONTENDERS];
    /* After each measurement that succeeded; may be NULL. */
    void (*measured)(const hr_bench_race *race, const hr_bench_measure *measure);
};

/* HR_OK whatever became of the single measurements: their lanes tell. HR_INTERRUPTED. */
HR_CHECKED hr_status hr_bench_race_run(hr_bench_race *race, unsigned verb, hr_bench_field *field);
/* A measurement failed, of a program that is here. */
bool hr_bench_race_failed(const hr_bench_race *race);
/* Whether the verb measures it, and all that the goal compares. */
bool hr_bench_race_has(const hr_bench_race *race, int contender);
bool hr_bench_race_asks(const hr_bench_race *race, const hr_bench_goal *goal);

typedef struct hr_bench_verdict {
    hr_bench_spread ratio; /* count 0: nothing to compare */
    bool met;
} hr_bench_verdict;

hr_bench_verdict hr_bench_race_judge(const hr_bench_race *race, const hr_bench_goal *goal);

#endif
