/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of hr_pack: one request of the caller's, a file or a tree of them, packed one after
 * the other. pack.c has what both share, pack_tree.c the way through the directories. On worker 0.
 */
#ifndef HR_PACK_H
#define HR_PACK_H

#include "packing.h"

/* A directory of the source that has not been listed yet. */
typedef struct hr_pack_folder {
    hr_list node;
    char path[]; /* below the source, "" for itself */
} hr_pack_folder;

struct hr_pack {
    hr_engine *engine;
    const hr_env *env;
    hr_pack_options options;
    char *source_path, *target_path; /* target: NULL in a tree whose indexes lie beside files */
    hr_status status;
    hr_error error;
    hr_packing packing; /* of the file whose turn it is */
    bool packing_runs;
    hr_packed_progress over; /* sums of files that are done */

    /* of a tree */
    hr_io io;
    bool is_tree;
    hr_dir *dir;
    hr_file_info target_info;
    hr_list folders;
    hr_pack_folder *folder; /* the one being listed */
    uint8_t *page;          /* of its entries */
    size_t page_at, page_len;
    uint64_t cookie;
    bool folder_ends;
    char source_file[HR_PATH_MAX], target_file[HR_PATH_MAX];
    const char *name; /* below the source, in source_file */

    hr_letter cancel_letter;
    bool cancel_posted, cancel_taken; /* posted: through __atomic */
};

/* ---- of pack.c ---- */

/* Packs one file; hr_pack_tree_next follows, or the end if it is no tree. */
void hr_pack_file(hr_pack *pack, const char *source, const char *target);

/* ---- of pack_tree.c ---- */

/* The source is a directory, pack->dir. */
void hr_pack_tree_start(hr_pack *pack);
/* The source is a directory, and the request is none that a directory can have. */
void hr_pack_tree_refuse(hr_pack *pack, const char *why);
/* The file whose turn it was is done. */
void hr_pack_tree_next(hr_pack *pack);
void hr_pack_tree_release(hr_pack *pack);

#endif
