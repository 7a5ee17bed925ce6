/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_material: the files that are read and moved, in a folder of our own. Content is random,
 * so that no layer below can make less of it, but for the one shard that is all hole. */
#ifndef HR_BENCH_MATERIAL_H
#define HR_BENCH_MATERIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

#define HR_BENCH_PATH_MAX   512
#define HR_BENCH_FLAT_MAX   1000 /* files of one folder of the tree */
#define HR_BENCH_PIECES_MAX 64

/* What is wanted. Strings are the caller's, and stay. */
typedef struct hr_bench_material_wish {
    const char *directory;
    uint64_t size;        /* of the large shard; 0: none */
    unsigned pieces;      /* that it is in; 0 stands for 1 */
    uint64_t small_size;  /* of another; 0: none */
    uint64_t sparse_size; /* 0: none */
    unsigned tree_files;  /* 0: no tree */
    uint64_t tree_file_len;
    bool packs; /* the tree will be packed: its content is text, or weights for planes */
    const char *codec;
} hr_bench_material_wish;

typedef struct hr_bench_material {
    bool made;
    hr_bench_material_wish wish;
    uint64_t size; /* of the large shard, in whole chunks */
    char folder[HR_BENCH_PATH_MAX];
    char shards[HR_BENCH_PATH_MAX]; /* the export: "large", "small", perhaps "sparse", "tree" */
    char large[HR_BENCH_PATH_MAX];
    char tree[HR_BENCH_PATH_MAX];   /* shards/tree, or beside the shards if it will be packed */
    char packed[HR_BENCH_PATH_MAX]; /* shards/tree: where it is packed to */
    char target[HR_BENCH_PATH_MAX]; /* not there between measurements */
    bool direct;                    /* the file system takes O_DIRECT */
} hr_bench_material;

HR_CHECKED hr_status hr_bench_material_make(hr_bench_material *material,
                                            const hr_bench_material_wish *wish, hr_error *error);
/* It is made, and as this wish wants it. */
bool hr_bench_material_is(const hr_bench_material *material, const hr_bench_material_wish *wish);
/* The index'th piece of the large shard or of the target, whose path this is. */
void hr_bench_material_piece(const char *path, unsigned index, char piece_out[HR_BENCH_PATH_MAX]);
/* Removes the target. NULL: there is none. */
void hr_bench_material_reset(const hr_bench_material *material);
/* Takes the shards out of the page cache. Their pages are clean: nothing keeps them there. */
void hr_bench_material_drop_cache(const hr_bench_material *material);
/* Removes everything. Also for what was never made, or half. */
void hr_bench_material_remove(hr_bench_material *material);

#endif
