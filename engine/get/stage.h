/* SPDX-License-Identifier: Apache-2.0 */
/* hr_stage: where the small files of a tree are until they have their names: a directory
 * .headrace-<16 hex> in the tree's own, with a lock in it. They get their names in batches: one
 * sync of the file system for all that was written, then every rename, then a sync of each
 * directory. Files that are all that a new directory is to hold lie in a drawer, a directory in the
 * stage, and one rename puts it in the place of the empty one that has the name; if that one is
 * not empty any more, they are renamed one by one. A killed run leaves files there that nobody else
 * makes; the next one into the same directory, whatever it brings, removes them. On worker 0.
 *
 *   closed -open-> open -publish-> publishing -published-> open -close-> closed */
#ifndef HR_STAGE_H
#define HR_STAGE_H

#include "env.h"
#include "list.h"
#include "storage.h"

/* Files that were written and are to be published together: path is the stage's, path_to the name
 * that it is to get. Those of a drawer follow each other. The status of each says how it ended. */
typedef struct hr_stage_load {
    hr_list node;
    hr_io_file *files;
    size_t file_count;
} hr_stage_load;

typedef struct hr_stage_events {
    /* HR_NOT_FOUND: there is none, and none was to be made. */
    void (*opened)(void *context, hr_status status, const char *text);
    /* Once for each load; it is the caller's again. */
    void (*load_done)(void *context, hr_stage_load *load);
    /* After the last of them. */
    void (*published)(void *context);
    void (*closed)(void *context, hr_status status);
} hr_stage_events;

#define HR_STAGE_DIRS_MAX 16

typedef struct hr_stage {
    const hr_env *env;
    hr_storage *storage;
    hr_dir *dir; /* of the tree */
    const char *shown;
    const hr_stage_events *events;
    void *context;
    bool is_open, busy, exclusive, create, closing;
    hr_io io;
    hr_file *lock;
    hr_status failure; /* to be told once the lock is closed */
    uint64_t lock_inode;
    uint64_t removal_ns; /* of an empty directory; while it is removed: since when */
    unsigned tries;
    uint8_t *page; /* of what an earlier run left */
    size_t page_at;
    char removed[2 * HR_NAME_MAX + 40];
    char drawer[HR_NAME_MAX + 40]; /* of the request under way; "": there is none */

    hr_list publishing;   /* of hr_stage_load */
    hr_stage_load *named; /* whose files get their names */
    hr_io_file *drawers;  /* of it, while they do */
    const char *dirs[HR_STAGE_DIRS_MAX];
    size_t dir_lens[HR_STAGE_DIRS_MAX], dir_count; /* more than fit: the file system as a whole */
    char dir_path[HR_PATH_MAX];                    /* of the request under way */
} hr_stage;

/* dir and shown are lent until closed. */
void hr_stage_init(hr_stage *stage, const hr_env *env, hr_storage *storage, hr_dir *dir,
                   const char *shown, const hr_stage_events *events, void *context);
/* opened follows. What an earlier run left is removed. */
void hr_stage_open(hr_stage *stage, bool create);
/* Whether a path below the tree's directory is the stage itself: nothing of a tree may be. */
bool hr_stage_is_at(const char *path);
/* "NAME/00000012": the temporary name of a file, or of a drawer. */
#define HR_STAGE_PATH_MAX 64
void hr_stage_path(uint64_t number, char path_out[HR_STAGE_PATH_MAX]);
/* How many files of one directory are worth a drawer here: less, and a rename each costs less than
 * the empty directory that the drawer takes the place of. Once it is open. */
size_t hr_stage_drawer_min(const hr_stage *stage);
/* Publishes these loads, all that are in the list, which is empty after it. Of each the files whose
 * status is HR_OK. exclusive: none may be there. */
void hr_stage_publish(hr_stage *stage, hr_list *loads, bool exclusive);
/* Not while something is under way. Removes what is left and the directory; closed follows. */
void hr_stage_close(hr_stage *stage);

#endif
