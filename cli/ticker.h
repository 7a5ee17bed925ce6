/* SPDX-License-Identifier: Apache-2.0 */
/* hr_cli_ticker: when something is told of work that goes on, and what the work took. */
#ifndef HR_CLI_TICKER_H
#define HR_CLI_TICKER_H

#include "progress.h"
#include "settings.h"

typedef struct hr_cli_ticker {
    uint64_t start_ns;
    bool ticks; /* something is shown while it runs */
    hr_cli_progress progress;
} hr_cli_ticker;

void hr_cli_ticker_begin(hr_cli_ticker *ticker, const hr_cli_settings *settings);
/* How long a step may wait before something must be told. */
uint64_t hr_cli_ticker_wait_ns(const hr_cli_ticker *ticker);
/* Whether something is to be told now, at *now_ns_out, which is then a sample of progress. */
bool hr_cli_ticker_is_due(const hr_cli_ticker *ticker, uint64_t *now_ns_out);
/* Since begin. */
double hr_cli_ticker_seconds(const hr_cli_ticker *ticker);
/* Of this process, all threads, user and system. */
double hr_cli_cpu_seconds(void);

#endif
