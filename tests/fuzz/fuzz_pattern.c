/* SPDX-License-Identifier: Apache-2.0 */
/* A pattern and, behind its first newline, a path. A plain name matches the last name of a path and
 * nothing else; a rule of a pattern excludes what the pattern matches. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static bool is_plain(const char *pattern)
{
    return pattern[strcspn(pattern, "/*?[\\")] == '\0';
}

static void match(const char *pattern, const char *path, bool is_dir)
{
    bool matches = hr_pattern_matches(pattern, path, is_dir);
    const char *slash = strrchr(path, '/');
    const char *last = slash != NULL ? slash + 1 : path;
    if (is_plain(pattern) && matches != (strcmp(pattern, last) == 0))
        abort();
    hr_rule rule = {.pattern = pattern, .include = false};
    if (hr_rules_exclude(&rule, 1, path, is_dir) != matches)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    hr_error error = {.status = HR_OK};
    char *text = calloc(1, len + 2);
    if (text == NULL)
        abort();
    memcpy(text, bytes, len);
    char *path = strchr(text, '\n');
    if (path == NULL)
        path = text + strlen(text);
    else
        *path++ = '\0';
    while (*path == '/')
        path++;
    for (size_t end = strlen(path); end > 0 && path[end - 1] == '/'; end--)
        path[end - 1] = '\0';
    if (hr_pattern_check(text, &error) != HR_OK) {
        if (error.text[0] == '\0')
            abort();
    } else if (path[0] != '\0') {
        match(text, path, false);
        match(text, path, true);
    }
    free(text);
    return 0;
}
