/* SPDX-License-Identifier: Apache-2.0 */
/* hr_sift: files that were listed, compared with what the target has of them, many at a time, and
 * several such at once. Part of an hr_get; on worker 0. */
#ifndef HR_SIFT_H
#define HR_SIFT_H

#include "storage.h"

#define HR_SIFT_FILES_MAX 256
#define HR_SIFT_NAMES_LEN (48u << 10)
/* Each is looked at by one thread: as many at once as the disk has use for. Meanwhile the next is
 * filled, and the one before decided on. */
#define HR_SIFTS 8

typedef struct hr_sift {
    hr_io io;
    hr_io_file files[HR_SIFT_FILES_MAX];      /* the target's, once looked at */
    hr_file_info listed[HR_SIFT_FILES_MAX];   /* the source's */
    bool twins[HR_SIFT_FILES_MAX];            /* of another one that was listed, by case */
    const hr_folder *made[HR_SIFT_FILES_MAX]; /* its directory, if this run has made it */
    bool left[HR_SIFT_FILES_MAX]; /* beside it lies what an earlier run left of a larger one */
    hr_io_file *drafts;           /* while that is looked for; their paths lie behind them */
    bool all_made;                /* that is so of all: nothing is there that could be looked at */
    size_t count, next;
    bool looking, looked;
    bool told_apart, folds; /* of the next one, if it is a twin */
    size_t names_len;
    char names[HR_SIFT_NAMES_LEN];
} hr_sift;

/* In the order in which they were listed. */
typedef struct hr_sifts {
    hr_sift all[HR_SIFTS];
    unsigned first, count; /* in use; the last of them may still be filled */
} hr_sifts;

#endif
