/* SPDX-License-Identifier: Apache-2.0 */
/* hr_gpudirect: the target in a GPU's memory as something that the server reaches by RDMA. Two ways
 * are tried, a dma-buf and then peer memory: the target is registered on each rail, and a probe is
 * written into its beginning over each in turn, which the GPU digests. What the probe overwrites is
 * content that has not come yet. On worker 0.
 *
 *   exposing --> probing --> open --> withdrawing --> closed
 *      `-----------`--> withdrawing --> exposing, the next way; closed after the last
 *
 * Where none passes, chunks are copied from slots.
 *
 * What comes compressed lands in slots on the GPU. Nobody but its kernels can look at it there, and
 * LZ4 of others, which they do not read, is no different to them from damage: a chunk that they
 * refuse comes once more through a slot of the host's, and until it is known there what it was so
 * do the others. */
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
    hr_part *probe;   /* that is under way; NULL: none */
    unsigned rail;    /* it goes over this one */
    hr_status status; /* of the probes: the first that failed */
    hr_timer timer;   /* until it is over */
    uint32_t slots;   /* a bit for each that is free */
    bool has_slots;
    bool doubted;    /* what the kernels refused has not come through the host yet */
    unsigned doubts; /* how often that was */
    char why[400];   /* what was tried did not work; "": it did */
} hr_gpudirect;

/* The upload is open, has offered its target, and stays open until this is closed. changed follows,
 * from a later step, when it is open, or closed because no way works; if it is closed at once it
 * does not. */
void hr_gpudirect_open(hr_gpudirect *it, hr_client *client, hr_upload *upload,
                       void (*changed)(void *context), void *context);
/* Open, and a chunk that is compressed goes into a slot on the GPU: there is one; none is free now.
 */
typedef enum hr_gpudirect_room {
    HR_GPUDIRECT_ELSEWHERE, /* through the host */
    HR_GPUDIRECT_ROOM,
    HR_GPUDIRECT_FULL,
} hr_gpudirect_room;
hr_gpudirect_room hr_gpudirect_find_room(const hr_gpudirect *it);
/* With room. */
int hr_gpudirect_take_slot(hr_gpudirect *it);
/* Of every landing that is free again, with its slot or without. True: the kernels refused it, and
 * it is to come once more; that is no mismatch yet. */
bool hr_gpudirect_learn(hr_gpudirect *it, const hr_landing *landing);
/* "GPUDirect by a dma-buf" */
const char *hr_gpudirect_way(const hr_gpudirect *it);
/* No place lies in it any more. changed follows when it is closed, if it is not at once. */
void hr_gpudirect_close(hr_gpudirect *it);

#endif
