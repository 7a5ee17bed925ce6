/* SPDX-License-Identifier: Apache-2.0 */
/* hr_gpudirect: the target in a GPU's memory as something that the server reaches by RDMA. Two ways
 * are tried, a dma-buf and then peer memory: the target is registered on each rail, and a probe is
 * written into its beginning over each, which the GPU digests. What the probe overwrites is content
 * that has not come yet. On worker 0.
 *
 *   exposing --> probing --> open --> withdrawing --> closed
 *      `-----------`--> withdrawing --> exposing, the next way; closed after the last
 *
 * Where none passes, chunks are copied from slots. */
#ifndef HR_GPUDIRECT_H
#define HR_GPUDIRECT_H

#include "part.h"

typedef enum hr_gpudirect_state {
    HR_GPUDIRECT_CLOSED,
    HR_GPUDIRECT_EXPOSING,
    HR_GPUDIRECT_PROBING,
    HR_GPUDIRECT_OPEN,
    HR_GPUDIRECT_WITHDRAWING,
} hr_gpudirect_state;

typedef struct hr_gpudirect {
    hr_client *client;
    hr_upload *upload;
    void (*changed)(void *context);
    void *context;
    hr_gpudirect_state state;
    bool closing;
    unsigned way; /* that is being tried */
    hr_direct direct;
    hr_part *probes[HR_RAILS_MAX]; /* NULL: none, or over */
    unsigned probing;
    hr_status status; /* of the probes: the first that failed */
    hr_timer timer;   /* until they are over */
    char why[400];    /* what was tried did not work; "": it did */
} hr_gpudirect;

/* The upload is open, has offered its target, and stays open until this is closed. changed follows,
 * from a later step, when it is open, or closed because no way works; if it is closed at once it
 * does not. */
void hr_gpudirect_open(hr_gpudirect *it, hr_client *client, hr_upload *upload,
                       void (*changed)(void *context), void *context);
/* "GPUDirect by a dma-buf" */
const char *hr_gpudirect_way(const hr_gpudirect *it);
/* No place lies in it any more. changed follows when it is closed, if it is not at once. */
void hr_gpudirect_close(hr_gpudirect *it);

#endif
