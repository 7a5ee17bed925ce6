/* SPDX-License-Identifier: Apache-2.0 */
/* hr_cli_report: what a get tells while it runs and at its end: on a terminal a live line and a
 * line of summary, with --json the objects plan, progress, file, error and summary. */
#ifndef HR_CLI_REPORT_H
#define HR_CLI_REPORT_H

#include "settings.h"
#include "ticker.h"

typedef struct hr_cli_report {
    const hr_cli_settings *settings;
    const char *source, *target; /* as on the command line */
    hr_cli_ticker ticker;
    bool plan_told;
    uint64_t without_space; /* files that failed for want of it */
    char top[300];          /* why the target as a whole is not what it is to be; "": it is */
} hr_cli_report;

void hr_cli_report_begin(hr_cli_report *report, const hr_cli_settings *settings, const char *source,
                         const char *target);
/* After each step. */
void hr_cli_report_step(hr_cli_report *report, const hr_get *get);
/* file_done of hr_get_options; context is the report. */
void hr_cli_report_file(void *context, const hr_file_report *file);
/* removed of hr_get_options. */
void hr_cli_report_removed(void *context, const char *path);
/* get NULL: it has never started. */
void hr_cli_report_end(hr_cli_report *report, const hr_get *get, hr_status status,
                       const hr_error *error);

#endif
