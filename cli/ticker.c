/* SPDX-License-Identifier: Apache-2.0 */
#include "ticker.h"

#include <sys/resource.h>
#include <time.h>

#include "output.h"

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void hr_cli_ticker_begin(hr_cli_ticker *ticker, const hr_cli_settings *settings)
{
    *ticker = (hr_cli_ticker){
        .start_ns = now_ns(),
        .ticks = !settings->quiet && (settings->json || hr_cli_has_terminal()),
    };
    /* The first line comes when there is something to tell. */
    hr_cli_progress_sample(&ticker->progress, ticker->start_ns, &(hr_get_progress){.files = 0});
}

uint64_t hr_cli_ticker_wait_ns(const hr_cli_ticker *ticker)
{
    return ticker->ticks ? HR_CLI_PROGRESS_NS : HR_WAIT_FOREVER;
}

bool hr_cli_ticker_is_due(const hr_cli_ticker *ticker, uint64_t *now_ns_out)
{
    *now_ns_out = ticker->ticks ? now_ns() : 0;
    return ticker->ticks && hr_cli_progress_is_due(&ticker->progress, *now_ns_out);
}

double hr_cli_ticker_seconds(const hr_cli_ticker *ticker)
{
    return (double)(now_ns() - ticker->start_ns) / 1e9;
}

double hr_cli_cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}
