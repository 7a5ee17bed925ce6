/* SPDX-License-Identifier: Apache-2.0 */
#include "rate.h"

#define NS_PER_S UINT64_C(1000000000)

void hr_rate_init(hr_rate *rate, uint64_t bytes_per_s, uint64_t burst, uint64_t now_ns)
{
    *rate = (hr_rate){.bytes_per_s = bytes_per_s, .burst = burst, .since_ns = now_ns};
}

/* 128 bits, since bytes a second times nanoseconds passes 64 after some seconds at 1 GB/s. */
__extension__ typedef unsigned __int128 wide;

static void fill(hr_rate *rate, uint64_t now_ns)
{
    uint64_t passed_ns = now_ns - rate->since_ns;
    wide earned = (wide)passed_ns * rate->bytes_per_s / NS_PER_S;
    if (earned == 0)
        return;
    rate->since_ns = now_ns;
    wide room = (wide)((int64_t)rate->burst - rate->tokens);
    rate->tokens += (int64_t)(earned < room ? earned : room);
}

bool hr_rate_take(hr_rate *rate, uint64_t bytes, uint64_t now_ns, uint64_t *due_ns_out)
{
    if (rate->bytes_per_s == 0)
        return true;
    fill(rate, now_ns);
    if (rate->tokens >= 0) {
        rate->tokens -= (int64_t)bytes;
        return true;
    }
    wide wait = (wide)(uint64_t)-rate->tokens * NS_PER_S / rate->bytes_per_s;
    *due_ns_out = now_ns + (uint64_t)wait + 1;
    return false;
}

void hr_rate_give(hr_rate *rate, uint64_t bytes)
{
    if (rate->bytes_per_s != 0)
        rate->tokens += (int64_t)bytes;
}

void hr_common_rate_init(hr_common_rate *common)
{
    *common = (hr_common_rate){.rate = {.bytes_per_s = 0}};
    pthread_mutex_init(&common->mutex, NULL);
}

void hr_common_rate_fini(hr_common_rate *common)
{
    pthread_mutex_destroy(&common->mutex);
}

void hr_common_rate_set(hr_common_rate *common, uint64_t bytes_per_s, uint64_t now_ns)
{
    pthread_mutex_lock(&common->mutex);
    if (common->rate.bytes_per_s == 0)
        hr_rate_init(&common->rate, bytes_per_s, bytes_per_s / 10, now_ns);
    common->rate.bytes_per_s = bytes_per_s;
    common->rate.burst = bytes_per_s / 10;
    pthread_mutex_unlock(&common->mutex);
}

bool hr_common_rate_take(hr_common_rate *common, uint64_t bytes, uint64_t now_ns,
                         uint64_t *due_ns_out)
{
    pthread_mutex_lock(&common->mutex);
    bool taken = hr_rate_take(&common->rate, bytes, now_ns, due_ns_out);
    pthread_mutex_unlock(&common->mutex);
    return taken;
}
