/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs share: an engine and a client as the settings want them. */
#ifndef HR_CLI_LAUNCH_H
#define HR_CLI_LAUNCH_H

#include "headrace.h"
#include "location.h"
#include "settings.h"

/* workers 0: as the settings say. The engine has its threads and is woken by signals. Only one that
 * serves takes all of its memory at the start. */
HR_CHECKED hr_status hr_cli_engine_create(const hr_cli_settings *settings, unsigned workers,
                                          bool serves, hr_engine **engine_out, hr_error *error);
/* NULL is accepted. */
void hr_cli_engine_destroy(hr_engine *engine);
/* What peers are shown and have to show. */
hr_trust hr_cli_trust(const hr_cli_settings *settings);
/* The source must be resolved. target: where the data will go, as hr_client_options has it. */
HR_CHECKED hr_status hr_cli_client_open(const hr_cli_settings *settings, hr_engine *engine,
                                        const hr_cli_source *source, const char *target,
                                        hr_client **client_out, hr_error *error);
/* --footprint: on stdout. gpu: with what a get into a GPU's memory takes. */
void hr_cli_print_footprint(const hr_cli_settings *settings, const hr_engine *engine, bool gpu);
/* --stages: on stdout. */
void hr_cli_print_stages(const hr_cli_settings *settings, const hr_engine *engine);

#endif
