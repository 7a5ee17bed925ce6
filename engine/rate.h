/* SPDX-License-Identifier: Apache-2.0 */
/* hr_rate: a token bucket in bytes: time is given. */
#ifndef HR_RATE_H
#define HR_RATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct hr_rate {
    uint64_t bytes_per_s; /* 0: no limit */
    uint64_t burst;       /* bytes */
    int64_t tokens;       /* may be negative: one take is never refused halfway */
    uint64_t since_ns;
} hr_rate;

void hr_rate_init(hr_rate *rate, uint64_t bytes_per_s, uint64_t burst, uint64_t now_ns);
/* Takes bytes if the bucket is not in debt. False: not before the time that due_ns_out gets. */
bool hr_rate_take(hr_rate *rate, uint64_t bytes, uint64_t now_ns, uint64_t *due_ns_out);
/* Gives back what was taken and not used. */
void hr_rate_give(hr_rate *rate, uint64_t bytes);

/* One bucket that several threads take from. */
typedef struct hr_common_rate {
    pthread_mutex_t mutex;
    hr_rate rate;
} hr_common_rate;

void hr_common_rate_init(hr_common_rate *common);
void hr_common_rate_fini(hr_common_rate *common);
/* 0: no limit. What was taken so far stays taken. */
void hr_common_rate_set(hr_common_rate *common, uint64_t bytes_per_s, uint64_t now_ns);
bool hr_common_rate_take(hr_common_rate *common, uint64_t bytes, uint64_t now_ns,
                         uint64_t *due_ns_out);

#endif
