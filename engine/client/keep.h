/* SPDX-License-Identifier: Apache-2.0 */
/* hr_keep: what a tree holds beside the content of its files: symlinks, further names of files,
 * extended attributes, and what its directories are. It is noted while the tree is listed and made
 * when all files are there: further names, then symlinks, so that no file is ever written through
 * one, then the permissions and times of directories, the deepest first, because all that came
 * before changes them. On worker 0.
 *
 * Memory: one record a directory, a symlink, a file with several names; none for other files. */
#ifndef HR_KEEP_H
#define HR_KEEP_H

#include "aliases.h"
#include "folders.h"
#include "headrace.h"
#include "list.h"
#include "storage.h"

typedef struct hr_kept hr_kept;
typedef struct hr_keep_stamping hr_keep_stamping;

typedef struct hr_keep_events {
    /* A symlink or further name was made, or was there already, or why not. */
    void (*made)(void *context, const char *path, bool was_there, hr_status status,
                 const char *text);
    /* A directory did not become what it is to be. */
    void (*failed)(void *context, const char *path, hr_status status, const char *text);
    /* In a look: whether all that this directory holds will have been removed. */
    bool (*empties)(void *context, const char *path);
    void (*over)(void *context);
} hr_keep_events;

typedef struct hr_keep {
    const hr_env *env;
    hr_storage *storage;
    const hr_keep_events *events;
    void *context;
    bool overwrite, owner, prunes;
    uint64_t owners_lost, xattrs_lost;      /* what is there without them, */
    const char *xattrs_why;                 /* and why it has not the latter */
    bool look;                              /* tells what would be made, and makes nothing */
    hr_list names, symlinks, xattrs, files; /* of hr_kept */
    hr_list late;                           /* of them, what is made while finishing */
    hr_folders folders;                     /* the caller adds them */
    hr_aliases aliases;

    hr_dir *dir;
    hr_io io;
    hr_kept *kept;              /* under way */
    hr_keep_stamping *stamping; /* directories */
    bool was_there;             /* as it is to be */
    bool changed, stopped, finishing, names_wait, made_way;
    uint64_t inode;
    hr_status failure; /* why a replacement failed, while its temporary name is removed */
    int failure_error;
    _Alignas(hr_dir_entry) char temporary[HR_PATH_MAX]; /* or what a directory holds, in a look */
    char said[HR_SYMLINK_MAX];
} hr_keep;

/* What of a source's mode a file gets: all permissions, whatever the umask, as cp -a and rsync -a
 * have it. The bits beyond them mean something only together with the owner. */
static inline uint32_t hr_kept_mode(uint32_t mode, bool owner)
{
    return mode & (owner ? 07777 : 0777);
}

void hr_keep_init(hr_keep *keep, const hr_env *env, hr_storage *storage,
                  const hr_keep_events *events, void *context);
void hr_keep_release(hr_keep *keep);

/* Notes. Paths are below the tree; HR_NO_MEMORY. */
/* A file that is there already and has other permissions, or another owner. */
HR_CHECKED hr_status hr_keep_file(hr_keep *keep, const char *path, const hr_file_info *info);
HR_CHECKED hr_status hr_keep_symlink(hr_keep *keep, const char *path, const hr_entry *entry);
/* Of a regular file: *noted_out says that it is a further name of one that is known, and that it
 * was noted. If not, it is to be brought. */
HR_CHECKED hr_status hr_keep_name(hr_keep *keep, const char *path, const hr_entry *entry,
                                  bool *noted_out);
/* Of a file or directory; nothing is noted where there are none. */
HR_CHECKED hr_status hr_keep_xattrs(hr_keep *keep, const char *path, const hr_entry *entry);
/* The file could not be brought: neither are its other names made. */
void hr_keep_failed(hr_keep *keep, const char *path);

/* Makes names and symlinks beneath dir (NULL: only reports), and after that what the directories
 * are and a sync; over follows each of the two, perhaps from within. names_wait: not all of their
 * files are there yet, and names are made while finishing. An empty directory that has the name of
 * one is replaced too; if what it holds may be removed between the two (prunes), one that is not
 * empty waits. */
void hr_keep_make(hr_keep *keep, hr_dir *dir, bool names_wait);
void hr_keep_finish(hr_keep *keep, hr_dir *dir);
/* Ends it after what is under way. */
void hr_keep_stop(hr_keep *keep);

#endif
