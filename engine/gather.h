/* SPDX-License-Identifier: Apache-2.0 */
/* hr_gather: the files of a transfer of bundles, on the server. A session makes it from what the
 * client listed; senders read its bundles, each by one of them at a time. */
#ifndef HR_GATHER_H
#define HR_GATHER_H

#include "bundle.h"
#include "message.h"

/* Bytes of the paths of one transfer: more directories than this is worth are for the client to
 * ask for apart. */
#define HR_GATHER_NAMES_MAX (512u << 10)

typedef struct hr_gather {
    hr_bundles bundles; /* files[].path: below dir */
    hr_dir *dir;        /* the session's to open and to close */
    size_t len;         /* of all this */
    bool *busy;         /* through __atomic, one a bundle: some sender has it */
} hr_gather;

/* Copies the names. HR_LIMIT: they are too long together. */
HR_CHECKED hr_status hr_gather_create(const hr_env *env, const hr_message_open_bundles *open,
                                      hr_gather **gather_out);
void hr_gather_destroy(const hr_env *env, hr_gather *gather);

/* Before a bundle's files are touched. False: another sender still has it, whose link may be dead.
 */
static inline bool hr_gather_take(hr_gather *gather, uint32_t bundle)
{
    return !__atomic_exchange_n(&gather->busy[bundle], true, __ATOMIC_ACQUIRE);
}

static inline void hr_gather_give(hr_gather *gather, uint32_t bundle)
{
    __atomic_store_n(&gather->busy[bundle], false, __ATOMIC_RELEASE);
}

#endif
