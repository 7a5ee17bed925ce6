/* SPDX-License-Identifier: Apache-2.0 */
/* --include and --exclude, as the engine takes them. */
#ifndef HR_CLI_RULES_H
#define HR_CLI_RULES_H

#include <string.h>

#include "headrace.h"
#include "settings.h"

/* Fills rules_out in the order of the command line and returns how many there are. */
static inline size_t hr_cli_rules(const hr_cli_settings *settings,
                                  hr_rule rules_out[HR_OPTION_LIST_MAX])
{
    for (unsigned i = 0; i < settings->rules.count; i++)
        rules_out[i] = (hr_rule){.include = strcmp(settings->rules.names[i], "include") == 0,
                                 .pattern = settings->rules.values[i]};
    return settings->rules.count;
}

#endif
