/* SPDX-License-Identifier: Apache-2.0 */
/* hr_parcel: small files of a tree that are brought by one transfer, whose chunks are bundles. They
 * are collected as they are listed, moved, and then, if they go to a disk, published. On worker 0.
 */
#ifndef HR_PARCEL_H
#define HR_PARCEL_H

#include "folders.h"
#include "gather.h"
#include "stage.h"
#include "transfer.h"

#define HR_PARCEL_FILES_MAX HR_MESSAGE_SMALL_MAX
#define HR_PARCEL_NAMES_LEN (256u << 10)
#define HR_PARCEL_BYTES_MAX (32u << 20) /* of content */

static_assert(HR_PARCEL_NAMES_LEN <= HR_GATHER_NAMES_MAX, "a server takes every parcel");

typedef struct hr_parcel {
    void *owner;
    hr_transfer transfer;
    hr_bundles bundles;
    hr_stage_load load; /* also the node in the owner's lists */
    uint64_t bytes;     /* of content */
    size_t message_len; /* that open_bundles will have at most */
    size_t names_len;   /* used, */
    size_t staged_len;  /* and will be by hr_parcel_stage */
    hr_io_file files[HR_PARCEL_FILES_MAX];
    bool made[HR_PARCEL_FILES_MAX]; /* the directory it is for, by this run */
    char names[HR_PARCEL_NAMES_LEN];
} hr_parcel;

/* base_len: of the path that its files lie below. NULL: out of memory. */
hr_parcel *hr_parcel_create(const hr_env *env, size_t base_len);
void hr_parcel_destroy(const hr_env *env, hr_parcel *parcel);
/* path: of the file below the base. exclusive: it replaces nothing. made: its directory, if this
 * run has made it and there is nothing in it yet, or NULL. False: it is full. */
bool hr_parcel_add(hr_parcel *parcel, const char *path, const hr_file_info *info, bool exclusive,
                   const hr_folder *made);
/* Whether a file of this path would be the first of its directory, and not of the parcel. */
bool hr_parcel_is_turning(const hr_parcel *parcel, const char *path);
/* All are there: says where each is written first, under numbers that nobody else has. The files of
 * a directory that this run has made lie in a drawer if there are so many, which gets its name as a
 * whole. */
void hr_parcel_stage(hr_parcel *parcel, size_t drawer_min, uint64_t *next_number);
/* Asks for it: transfer is opening then. */
HR_CHECKED hr_status hr_parcel_open(hr_parcel *parcel, hr_client *client, const char *base,
                                    const hr_transfer_events *events);

static inline hr_parcel *hr_parcel_of(hr_list *node)
{
    return HR_CONTAINER(node, hr_parcel, load.node);
}

#endif
