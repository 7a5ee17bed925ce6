/* SPDX-License-Identifier: Apache-2.0 */
/* hr_gpus: the GPUs that an engine has opened. They stay open until it ends: a context costs a
 * second, and requests come one after the other. The slots of all workers are pinned with the first
 * one, so that a GPU copies from them by itself. */
#ifndef HR_GPUS_H
#define HR_GPUS_H

#include <pthread.h>

#include "gpu.h"

#define HR_GPUS_MAX 16

typedef struct hr_engine hr_engine;

typedef struct hr_gpus {
    pthread_mutex_t lock; /* guards all of it: requests open GPUs from threads of their own */
    hr_gpu *open[HR_GPUS_MAX];
    hr_gpu *pinner;     /* in whose context slots were pinned; NULL: in none */
    unsigned pinned;    /* workers whose slots are */
    char unpinned[120]; /* why those of the others are not */
} hr_gpus;

void hr_gpus_init(hr_gpus *gpus);
/* Nothing is under way on them. Before the workers go. */
void hr_gpus_fini(hr_gpus *gpus, hr_engine *engine);
/* Any thread; blocks. The engine's until it ends. */
HR_CHECKED hr_status hr_gpus_open(hr_gpus *gpus, hr_engine *engine, unsigned number,
                                  hr_gpu **gpu_out, hr_error *error);

#endif
