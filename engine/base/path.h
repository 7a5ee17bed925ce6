/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of entries below some directory: names with a slash between them, none before or behind. */
#ifndef HR_PATH_H
#define HR_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Where its last name starts, behind the slash of its directory; 0: it has only one. */
static inline size_t hr_path_name_at(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

/* Whether both are entries of one directory. */
static inline bool hr_path_is_beside(const char *path, const char *other)
{
    size_t at = hr_path_name_at(path);
    return at == hr_path_name_at(other) && memcmp(path, other, at) == 0;
}

#endif
