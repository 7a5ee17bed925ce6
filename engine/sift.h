/* SPDX-License-Identifier: Apache-2.0 */
/* hr_sift: files that were listed, compared with what the target has of them, many at a time. Part
 * of an hr_get; on worker 0. */
#ifndef HR_SIFT_H
#define HR_SIFT_H

#include "storage.h"

#define HR_SIFT_FILES_MAX 1024
#define HR_SIFT_NAMES_LEN (128u << 10)

typedef struct hr_sift {
    hr_io_file files[HR_SIFT_FILES_MAX];      /* the target's, once looked at */
    hr_file_info listed[HR_SIFT_FILES_MAX];   /* the source's */
    bool twins[HR_SIFT_FILES_MAX];            /* of another one that was listed, by case */
    const hr_folder *made[HR_SIFT_FILES_MAX]; /* its directory, if this run has made it */
    size_t count, next;
    bool looked, told_apart, folds; /* the last two: of the next one, if it is a twin */
    size_t names_len;
    char names[HR_SIFT_NAMES_LEN];
} hr_sift;

static inline bool hr_sift_is_full(const hr_sift *sift)
{
    return sift->count == HR_SIFT_FILES_MAX || sift->looked ||
           sizeof sift->names - sift->names_len < HR_PATH_MAX;
}

#endif
