/* SPDX-License-Identifier: Apache-2.0 */
/* hr_blocked: files of a tree whose name a directory has in the target. They come last, after what
 * the source does not have any more was removed, which may have been all that the directory held:
 * one that is empty goes, and its file comes after it. Nothing else is ever removed for a file. On
 * worker 0, part of an hr_get.
 *
 * Memory: a record with its path for each. */
#ifndef HR_BLOCKED_H
#define HR_BLOCKED_H

#include "list.h"
#include "storage.h"

typedef struct hr_blocked {
    hr_list files;
    size_t count;
    hr_io io;
    bool busy;
    uint8_t *page; /* of a dry run: what the directory holds */
} hr_blocked;

#endif
