/* SPDX-License-Identifier: Apache-2.0 */
/* hr_pattern: which paths of a tree are meant, in the language of rsync's --include and --exclude.
 * Pure.
 *
 *   foo        a last name, in any directory       *      any bytes but a slash
 *   /foo       from the top of the tree            **     any bytes
 *   a/b        the last names of a path            ?      one byte but a slash
 *   foo/       directories only                    [a-c]  one of these, [!a-c] one of the others
 *   foo/ ***   (without the space) the directory and all in it
 *   \*         the star itself, in a pattern that has any of * ? [
 */
#ifndef HR_PATTERN_H
#define HR_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "headrace.h"

#define HR_PATTERN_MAX 1023 /* bytes */

/* HR_INVALID, with a sentence, for what can be no pattern. */
HR_CHECKED hr_status hr_pattern_check(const char *pattern, hr_error *error);
/* path: below the top of the tree, without a slash at either end. */
bool hr_pattern_matches(const char *pattern, const char *path, bool is_dir);
/* The first rule whose pattern matches decides; without one a path is included. What is beneath an
 * excluded directory is never asked about. */
bool hr_rules_exclude(const hr_rule *rules, size_t count, const char *path, bool is_dir);

#endif
