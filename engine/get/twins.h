/* SPDX-License-Identifier: Apache-2.0 */
/* hr_twins: names of one directory that differ only in the case of ASCII letters. Where the file
 * system of the target folds case, the second one would be written over the first. What was not
 * there when it was looked for never replaces anything; for what was there, this tells whether it
 * is a file of its own: its name in the other case then leads elsewhere, or nowhere. On worker 0.
 */
#ifndef HR_TWINS_H
#define HR_TWINS_H

#include "names.h"
#include "storage.h"

typedef struct hr_twins {
    hr_names folded; /* names that were seen, without their case */
    hr_io_file files[2];
    hr_io io;
    void (*told)(void *context, bool folds);
    void *context;
    char other[HR_PATH_MAX]; /* also where names are folded */
} hr_twins;

#define HR_TWINS_TEXT                                                                              \
    "another name of the tree differs only in case, and this file system takes both for one"

void hr_twins_init(hr_twins *twins, const hr_env *env);
void hr_twins_release(hr_twins *twins);
void hr_twins_clear(hr_twins *twins);
/* *twin_out: one that differs only in case was added before. HR_NO_MEMORY. */
HR_CHECKED hr_status hr_twins_add(hr_twins *twins, const char *path, bool *twin_out);
/* Of a path beneath dir, the caller's until told: is what it leads to something else's too, by its
 * name in the other case? One at a time. */
void hr_twins_look(hr_twins *twins, hr_storage *storage, hr_dir *dir, const char *path,
                   void (*told)(void *context, bool folds), void *context);

#endif
