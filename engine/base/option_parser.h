/* SPDX-License-Identifier: Apache-2.0 */
/* hr_option_parser: the state of one hr_options_parse, for the files option_*.c. */
#ifndef HR_OPTION_PARSER_H
#define HR_OPTION_PARSER_H

#include "option.h"

/* Where a value comes from; the later one counts. */
typedef enum hr_option_layer {
    HR_LAYER_DEFAULT,
    HR_LAYER_FILE,
    HR_LAYER_ENVIRONMENT,
    HR_LAYER_COMMAND_LINE,
} hr_option_layer;

typedef struct hr_option_parser {
    const hr_syntax *syntax;
    void *values;
    hr_invocation invocation;
    hr_option_layer layers[HR_OPTIONS_MAX]; /* who set it last */
    hr_error *error;
} hr_option_parser;

/* Checks the value and stores it unless a later layer has set the option already. where is how the
 * sentence of a refusal starts: "--links", "/etc/headrace.conf:3: links". */
HR_CHECKED hr_status hr_option_set(hr_option_parser *parser, const hr_option *option,
                                   hr_option_layer layer, const char *where, const char *value);
/* Reads the config file, if there is one. */
HR_CHECKED hr_status hr_option_read_file(hr_option_parser *parser);

#endif
