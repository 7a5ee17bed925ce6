/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_race: the contenders of a verb, each once a round, and what they came to. */
#ifndef HR_BENCH_RACE_H
#define HR_BENCH_RACE_H

#include "contender.h"
#include "counters.h"
#include "sample.h"

/* One contender's way through the rounds. A round that failed holds NAN. */
typedef struct hr_bench_lane {
    bool missing;               /* its program is not installed, or its device is not there */
    char why[HR_BENCH_WHY_MAX]; /* it is missing */
    bool unwanted;              /* the settings leave it out */
    hr_bench_sample rates;
    hr_bench_sample costs[HR_BENCH_SIDES]; /* CPU seconds per GB */
    hr_bench_sample item_rates;            /* per second; none where items are not counted */
    hr_bench_sample utilisations;          /* of accelerators; none where there are none */
    hr_bench_counted counted;              /* by devices, over all rounds that succeeded */
    uint64_t bytes;                        /* of the same rounds */
    double measuring;           /* the largest part of a round that measuring took; 0: not known */
    char impossible[160];       /* a rate above what the hardware can; "": none was */
    hr_bench_histogram latency; /* of all rounds; of those that tell it */
    char note[HR_BENCH_NOTE];   /* of the last round */
    hr_error failure;           /* the first */
} hr_bench_lane;

typedef struct hr_bench_race hr_bench_race;
struct hr_bench_race {
    unsigned verb;
    const char *parameter, *value; /* of the sweep that it is a point of; NULL: of none */
    unsigned rounds;               /* whole ones */
    hr_bench_lane lanes[HR_BENCH_CONTENDERS];
    /* After each measurement that succeeded; may be NULL. */
    void (*measured)(const hr_bench_race *race, const hr_bench_measure *measure);
};

/* Nothing was run yet; of zeroed memory. */
void hr_bench_race_begin(hr_bench_race *race, unsigned verb, const hr_bench_settings *settings);
/* Those that are compared with each other run one after the other, and in every second round the
 * other way round: a drift within a round is against one in one round and for it in the next, and
 * so is what the drive still does of what ran before them. */
void hr_bench_race_order(unsigned round, int order_out[HR_BENCH_CONTENDERS]);
/* Above what the drive's PCIe link or the line carries; text_out: which. */
bool hr_bench_race_is_impossible(const hr_bench_contender *contender, const hr_bench_field *field,
                                 double rate, char text_out[160]);
/* One more round. HR_OK whatever became of the single measurements: their lanes tell.
 * HR_INTERRUPTED. */
HR_CHECKED hr_status hr_bench_race_round(hr_bench_race *race, hr_bench_field *field);
/* A measurement failed, of a program that is here. */
bool hr_bench_race_failed(const hr_bench_race *race);
/* What it needs is not there. */
bool hr_bench_race_misses(const hr_bench_race *race, int contender);
/* Whether the verb measures it, and all that the goal compares. */
bool hr_bench_race_has(const hr_bench_race *race, int contender);
bool hr_bench_race_asks(const hr_bench_race *race, const hr_bench_goal *goal);

typedef struct hr_bench_verdict {
    hr_bench_spread ratio; /* count 0: nothing to compare */
    bool met;
} hr_bench_verdict;

hr_bench_verdict hr_bench_race_judge(const hr_bench_race *race, const hr_bench_goal *goal);

#endif
