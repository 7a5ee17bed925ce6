/* SPDX-License-Identifier: Apache-2.0 */
/* hr_folders: the directories of a tree. Each knows its own name and the one that it lies in, so
 * that thousands of levels do not cost a path each. On worker 0.
 *
 * Memory: one record a directory, until it is taken. */
#ifndef HR_FOLDERS_H
#define HR_FOLDERS_H

#include "headrace.h"
#include "list.h"
#include "storage.h"

typedef struct hr_folder {
    hr_list node;
    const struct hr_folder *parent; /* NULL: it is the tree itself */
    int64_t mtime_ns;
    uint32_t mode, uid, gid;
    bool made; /* by this run, in the tree itself or in one that was */
    char name[];
} hr_folder;

typedef struct hr_folders {
    const hr_env *env;
    hr_list all; /* each before the one that it lies in */
} hr_folders;

void hr_folders_init(hr_folders *folders, const hr_env *env);
void hr_folders_release(hr_folders *folders);
/* entry: what is said of it. Lent until it is taken. NULL: out of memory. */
hr_folder *hr_folders_add(hr_folders *folders, const hr_folder *parent, const hr_entry *entry);
/* The caller's then, to hr_release; NULL: there is none. What lies in it was taken before. */
hr_folder *hr_folders_take(hr_folders *folders);

/* Its path below the tree, "" for the tree itself. HR_INVALID: it is too long. */
HR_CHECKED hr_status hr_folder_path(const hr_folder *folder, char path_out[HR_PATH_MAX]);

#endif
