/* SPDX-License-Identifier: Apache-2.0 */
/* hr_names: which paths were seen. It keeps 8 bytes of each, a keyed hash, so two different paths
 * are taken for one about once in 10^19 pairs: whoever uses it must be on the safe side then. */
#ifndef HR_NAMES_H
#define HR_NAMES_H

#include <stdbool.h>

#include "env.h"
#include "status.h"

typedef struct hr_names {
    const hr_env *env;
    uint64_t key;
    uint64_t *hashes; /* open addressing; 0: free */
    size_t count, capacity;
} hr_names;

void hr_names_init(hr_names *names, const hr_env *env);
void hr_names_release(hr_names *names);
void hr_names_clear(hr_names *names);
/* *added_out: it was not there yet. HR_NO_MEMORY. */
HR_CHECKED hr_status hr_names_add(hr_names *names, const char *path, bool *added_out);
bool hr_names_has(const hr_names *names, const char *path);

#endif
