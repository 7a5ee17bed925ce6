/* SPDX-License-Identifier: Apache-2.0 */
/* hr_gauge: in which stage the chunks of a worker are, and for how long: what says where the time
 * goes. A chunk that moves costs one look at the clock. Written by its worker, read by whoever
 * wants to know, through __atomic: a reading may be some nanoseconds older in one row than in
 * another. */
#ifndef HR_GAUGE_H
#define HR_GAUGE_H

#include "env.h"

/* In the order of a chunk's way. */
typedef enum hr_gauge_stage {
    HR_GAUGE_GRANT,   /* client: its place is armed, and nothing has come */
    HR_GAUGE_TURN,    /* server: granted, and no slot or no turn to be read yet */
    HR_GAUGE_READ,    /* server: by the storage */
    HR_GAUGE_DIGEST,  /* server: by the processor */
    HR_GAUGE_WIRE,    /* server: by the link */
    HR_GAUGE_VERIFY,  /* client: by the processor */
    HR_GAUGE_DECODE,  /* client: by threads, and verified; or it waits for one of them */
    HR_GAUGE_WRITE,   /* client: by the storage */
    HR_GAUGE_DEVICE,  /* client: copied to a GPU's memory, decoded and verified there */
    HR_GAUGE_PUBLISH, /* client: a file is synced and gets its name; of small ones a batch */
    HR_GAUGE_STAGES,
    HR_GAUGE_NONE = HR_GAUGE_STAGES,
} hr_gauge_stage;

/* At each instant with a chunk in any stage, a stage is one of three: busy; starved, since none has
 * come so far; or blocked, since all that came are further on and hold what it needs. While the
 * processor digests or verifies, the others are blocked by it: what they have finished is not seen.
 */
typedef struct hr_gauge_row {
    uint64_t busy_ns, starved_ns, blocked_ns;
    uint64_t chunk_ns; /* chunks times nanoseconds, within busy_ns */
    uint64_t chunks, bytes;
    unsigned now, most; /* chunks in it */
} hr_gauge_row;

typedef struct hr_gauge {
    const hr_env *env;
    uint64_t changed_ns;
    hr_gauge_row rows[HR_GAUGE_STAGES];
} hr_gauge;

/* A chunk of len bytes goes on. HR_GAUGE_NONE stands for outside, at both ends. */
void hr_gauge_move(hr_gauge *gauge, hr_gauge_stage from, hr_gauge_stage to, uint64_t len);
/* Adds what one gauge has counted to rows, which starts from zero. From any thread. */
void hr_gauge_sum(const hr_gauge *gauge, hr_gauge_row rows[HR_GAUGE_STAGES]);

#endif
