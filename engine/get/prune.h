/* SPDX-License-Identifier: Apache-2.0 */
/* hr_prune: removes from a directory what the source of its tree does not have any more. Only to be
 * started when the whole source was listed. Nothing is followed out of the directory; what the
 * rules exclude stays, and so do directories in which something stays. On worker 0.
 *
 * Memory: one record, with its name, for each thing that goes, of one directory at a time, and for
 * each directory that is still to be looked at or that one of these lies in. */
#ifndef HR_PRUNE_H
#define HR_PRUNE_H

#include "list.h"
#include "names.h"
#include "pattern.h"
#include "storage.h"

typedef struct hr_prune_options {
    hr_dir *dir;
    const hr_names *names; /* of the source, all of them */
    const hr_rule *rules;
    size_t rule_count;
    bool look;         /* says what would go, and removes nothing, */
    hr_names *staying; /* and adds those directories in which something stays */
} hr_prune_options;

typedef struct hr_prune_events {
    void (*removed)(void *context, const char *path);
    /* path is there still, or was not looked at. */
    void (*failed)(void *context, const char *path, hr_status status, const char *text);
    void (*over)(void *context);
} hr_prune_events;

typedef struct hr_prune_folder hr_prune_folder;

typedef struct hr_prune {
    const hr_env *env;
    hr_storage *storage;
    hr_prune_options options;
    const hr_prune_events *events;
    void *context;
    hr_list folders; /* still to be looked at; those that go themselves are first within */
    hr_list victims; /* of the directory at hand */
    hr_list emptied; /* directories that go, the deepest first */
    hr_prune_folder *folder;
    uint8_t *page;
    hr_io io;
    bool stopped;
    char path[HR_PATH_MAX]; /* of the request under way */
} hr_prune;

/* over follows, perhaps from within. HR_NO_MEMORY: it does not. */
HR_CHECKED hr_status hr_prune_start(hr_prune *prune, const hr_env *env, hr_storage *storage,
                                    const hr_prune_options *options, const hr_prune_events *events,
                                    void *context);
/* Ends it after what is under way. */
void hr_prune_stop(hr_prune *prune);

#endif
