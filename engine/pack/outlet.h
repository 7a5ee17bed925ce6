/* SPDX-License-Identifier: Apache-2.0 */
/* hr_outlet: a file that is made in one run and gets its name when it is whole. It is written as
 * .headrace-<16 hex> beside its target, under a lock, and that name depends on the target's: what a
 * killed run left is taken over by the next one. On worker 0.
 *
 * Every call is answered once by done, from a step; one call at a time. */
#ifndef HR_OUTLET_H
#define HR_OUTLET_H

#include "env.h"
#include "storage.h"

typedef struct hr_outlet hr_outlet;
typedef void (*hr_outlet_done)(hr_outlet *outlet, hr_status status);

struct hr_outlet {
    const hr_env *env;
    hr_storage *storage;
    hr_outlet_done done;
    void *context;  /* the caller's */
    hr_file *file;  /* after open: to be written, in the ways of O_DIRECT where that can be */
    char text[500]; /* the sentence of the last failure */

    hr_io io;
    hr_dir *dir;
    unsigned flags;
    bool owned, published;
    int64_t found_mtime_ns; /* with HR_EXISTS: of what is there */
    uint64_t inode;
    unsigned tries;
    char parent[HR_PATH_MAX], name[HR_NAME_MAX + 1], temporary[40];
    char shown[4 * 80];
};

enum {
    HR_OUTLET_OVERWRITE = 1 << 0,
    HR_OUTLET_MAKE_PARENT = 1 << 1, /* the directory, and those above it */
};

/* path: of the target, as the process sees it. HR_EXISTS if it is there, without overwrite. */
void hr_outlet_open(hr_outlet *outlet, const hr_env *env, hr_storage *storage, const char *path,
                    unsigned flags, hr_outlet_done done, void *context);
/* All is written: cuts it to len bytes, syncs it, gives it its name and syncs the directory. */
void hr_outlet_publish(hr_outlet *outlet, uint64_t len, hr_outlet_done done);
/* Closes everything, and removes what was not published. Always HR_OK; also after a failed open. */
void hr_outlet_close(hr_outlet *outlet, hr_outlet_done done);

#endif
