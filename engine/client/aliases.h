/* SPDX-License-Identifier: Apache-2.0 */
/* hr_aliases: the files of a tree that have several names, by what the source calls them. The first
 * name that is met is brought, the others are made from it. On worker 0. */
#ifndef HR_ALIASES_H
#define HR_ALIASES_H

#include <stdbool.h>

#include "env.h"
#include "status.h"

typedef struct hr_alias {
    uint64_t inode, device;
    bool failed; /* it could not be brought */
    char path[]; /* of the name that is brought */
} hr_alias;

typedef struct hr_aliases {
    const hr_env *env;
    hr_alias **files; /* open addressing; NULL: free */
    size_t count, capacity;
} hr_aliases;

void hr_aliases_init(hr_aliases *aliases, const hr_env *env);
void hr_aliases_release(hr_aliases *aliases);
/* *file_out: the file, lent until release; with another path than this if it was known. */
HR_CHECKED hr_status hr_aliases_add(hr_aliases *aliases, uint64_t inode, uint64_t device,
                                    const char *path, bool *known_out, hr_alias **file_out);
/* The file that is brought under this path, if there is one, failed. */
void hr_aliases_fail(hr_aliases *aliases, const char *path);

#endif
