/* SPDX-License-Identifier: Apache-2.0 */
/* hr_flow: what of a tree moves now. Small files are collected into parcels, moved as bundles and
 * published in batches; the others are transfers of their own, a few at a time, beside them. A
 * small file that does not make it is tried once more as a transfer of its own, which says why. On
 * worker 0, part of an hr_get. */
#ifndef HR_FLOW_H
#define HR_FLOW_H

#include "parcel.h"
#include "stage.h"

/* A file that waits for its turn as a transfer of its own. */
typedef struct hr_flow_waiting {
    hr_list node;
    bool fresh;
    char path[]; /* below the request's */
} hr_flow_waiting;

typedef struct hr_flow {
    bool begun, takes_bundles;
    hr_parcel *collecting;
    bool full;  /* what is collected has to leave before more can come */
    bool turns; /* it had better leave where a directory ends */
    hr_list moving, landed;
    unsigned moving_count;
    size_t landed_files;
    uint64_t landed_bytes;
    hr_list waiting;
    unsigned waiting_count;

    bool to_disk, probed;
    hr_stage stage;
    uint64_t next_number;      /* of a temporary file */
    bool directories_unsynced; /* some were made since the file system was last synced */
    bool syncs_all;
} hr_flow;

#endif
