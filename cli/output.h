/* SPDX-License-Identifier: Apache-2.0 */
/* The two streams. On stdout goes what was asked for, and a write that fails there is remembered
 * and told at the end. On stderr go sentences for people, and on a terminal one live line below
 * them. Any thread may call hr_cli_say and hr_cli_log. */
#ifndef HR_CLI_OUTPUT_H
#define HR_CLI_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>

#include "status.h"

/* ---- stdout ---- */

void hr_cli_print(const char *format, ...) HR_PRINTF(1, 2);
/* Bytes as they are. */
void hr_cli_print_bytes(const void *bytes, size_t len);
/* One object a line, written at once: somebody waits for it. Consumes it. NULL, which is how
 * jansson says that memory is used up, counts as a failed write. */
void hr_cli_print_json(json_t *object);
/* The reader of stdout went away: there is nobody to work for. */
bool hr_cli_reader_is_gone(void);
/* Writes what is left. HR_OK, or why not all that was printed has been written. */
HR_CHECKED hr_status hr_cli_print_end(hr_error *error);

/* ---- stderr ---- */

/* A line that starts with "headrace: ". */
void hr_cli_say(const char *format, ...) HR_PRINTF(1, 2);
/* Of hr_engine_options. */
void hr_cli_log(void *context, int level, const char *line);
bool hr_cli_has_terminal(void);
/* Draws the live line, cut to the terminal's width; NULL takes it away. */
void hr_cli_live(const char *line);

/* ---- JSON ---- */

/* A string of what may be any bytes: those that are not UTF-8 become U+FFFD. */
json_t *hr_cli_json_text(const void *bytes, size_t len);
/* Adds a name from outside. One that is not UTF-8 is added a second time as KEY_hex, exactly. */
void hr_cli_json_name(json_t *object, const char *key, const char *name, size_t len);

#endif
