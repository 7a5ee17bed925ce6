/* SPDX-License-Identifier: Apache-2.0 */
/* hr_cli_tally: what pack and verify tell while they run and at their end, and what ls tells of a
 * packed shard: on a terminal a live line and a line of summary, with --json the objects progress,
 * error and summary. */
#ifndef HR_CLI_TALLY_H
#define HR_CLI_TALLY_H

#include "settings.h"
#include "ticker.h"

typedef struct hr_cli_tally {
    const hr_cli_settings *settings;
    const char *done;   /* "packed" */
    const char *source; /* as on the command line */
    const char *target; /* NULL: there is none */
    hr_cli_ticker ticker;
} hr_cli_tally;

/* After each step. */
void hr_cli_tally_step(hr_cli_tally *tally, const hr_packed_progress *count);
/* file_done of hr_pack_options; context is the tally. */
void hr_cli_tally_file(void *context, const hr_file_report *file);
/* choice: why this codec; may be "". */
void hr_cli_tally_end(const hr_cli_tally *tally, const hr_packed_progress *count,
                      const char *choice, hr_status status, const hr_error *error);

/* An engine for work on local files: one worker, and no more slots than it must have. */
HR_CHECKED hr_status hr_cli_tally_engine(const hr_cli_settings *settings, hr_engine **engine_out,
                                         hr_error *error);

/* What ls tells of a packed shard. */
void hr_cli_print_facts(const hr_cli_settings *settings, const hr_packed_progress *count);

/* If path is a packed shard, or has an index beside it: its codec, ratio and chunks. */
void hr_cli_print_packed(const hr_cli_settings *settings, hr_engine *engine, const char *path);

#endif
