/* SPDX-License-Identifier: Apache-2.0 */
/* What the program does. Each returns its status, with the sentence in error, once everything is
 * over and destroyed. */
#ifndef HR_CLI_VERBS_H
#define HR_CLI_VERBS_H

#include "settings.h"

HR_CHECKED hr_status hr_cli_serve(const hr_cli_settings *settings, char **arguments,
                                  unsigned argument_count, hr_error *error);
HR_CHECKED hr_status hr_cli_get(const hr_cli_settings *settings, char **arguments,
                                unsigned argument_count, hr_error *error);
HR_CHECKED hr_status hr_cli_ls(const hr_cli_settings *settings, char **arguments,
                               unsigned argument_count, hr_error *error);
HR_CHECKED hr_status hr_cli_pack(const hr_cli_settings *settings, char **arguments,
                                 unsigned argument_count, hr_error *error);
/* verify --against. */
HR_CHECKED hr_status hr_cli_against(const hr_cli_settings *settings, const char *tree,
                                    hr_error *error);
HR_CHECKED hr_status hr_cli_key(const hr_cli_settings *settings, char **arguments,
                                unsigned argument_count, hr_error *error);
HR_CHECKED hr_status hr_cli_verify(const hr_cli_settings *settings, char **arguments,
                                   unsigned argument_count, hr_error *error);
HR_CHECKED hr_status hr_cli_doctor(const hr_cli_settings *settings, char **arguments,
                                   unsigned argument_count, hr_error *error);

#endif
