/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_material: the files that are read and moved, in a folder of our own. Content is random,
 * so that no layer below can make less of it, but for the one shard that is all hole. */
#ifndef HR_BENCH_MATERIAL_H
#define HR_BENCH_MATERIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

#define HR_BENCH_PATH_MAX  512
#define HR_BENCH_SMALL_LEN ((uint64_t)64 << 20) /* sixteen chunks: a window, and soon over */

typedef struct hr_bench_material {
    bool made;
    uint64_t size;
    char folder[HR_BENCH_PATH_MAX];
    char shards[HR_BENCH_PATH_MAX]; /* the export: "large", "small", perhaps "sparse" */
    char large[HR_BENCH_PATH_MAX];
    char target[HR_BENCH_PATH_MAX]; /* not there between measurements */
    bool direct;                    /* the file system takes O_DIRECT */
} hr_bench_material;

/* sparse_size 0: no such shard. */
HR_CHECKED hr_status hr_bench_material_make(hr_bench_material *material, const char *directory,
                                            uint64_t size, uint64_t sparse_size, hr_error *error);
/* Removes the target. */
void hr_bench_material_reset(const hr_bench_material *material);
/* Takes the large file out of the page cache. Its pages are clean: nothing keeps them there. */
void hr_bench_material_drop_cache(const hr_bench_material *material);
/* Removes everything. Also for what was never made, or half. */
void hr_bench_material_remove(hr_bench_material *material);

#endif
