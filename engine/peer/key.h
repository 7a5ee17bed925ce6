/* SPDX-License-Identifier: Apache-2.0 */
/* hr_key: a secret that two peers share, with a name that may be known. A key file has one a line,
 *
 *     headrace-key-1 ID SECRET
 *
 * 16 and 64 digits in hex; # begins a comment. Pure. */
#ifndef HR_KEY_H
#define HR_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "env.h"
#include "status.h"

#define HR_KEY_ID_LEN     16 /* digits */
#define HR_KEY_SECRET_LEN 32
#define HR_KEYS_MAX       1024 /* in one file */
#define HR_KEY_LINE_MAX   128

typedef struct hr_key {
    char id[HR_KEY_ID_LEN + 1];
    uint8_t secret[HR_KEY_SECRET_LEN];
} hr_key;

typedef struct hr_keys {
    hr_key *list;
    size_t count;
} hr_keys;

void hr_key_make(const hr_env *env, hr_key *key_out);
/* The line of a file, with its newline. */
void hr_key_print(const hr_key *key, char line_out[HR_KEY_LINE_MAX]);
/* At most HR_KEYS_MAX of them go to list; what is in text instead of a key is told by its line, and
 * never shown: it may be a secret. */
HR_CHECKED hr_status hr_keys_parse(const char *text, hr_key *list, size_t *count_out,
                                   hr_error *error);
/* NULL: there is none of this id. */
const hr_key *hr_keys_find(const hr_keys *keys, const void *id, size_t id_len);

#endif
