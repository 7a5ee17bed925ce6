/* SPDX-License-Identifier: Apache-2.0 */
/* hr_exposure: spans of memory that the NIC of one rail may write into, each a region of its own
 * with a number that grants name. Of a worker's landing slots it lasts as long as the session, of a
 * target as long as the transfer.
 *
 *   opening --> open --> closing --> closed
 *      `-> failed: what had been exposed is withdrawn first
 *
 * It is made on home; the transport is the worker's, which does the rest. */
#ifndef HR_EXPOSURE_H
#define HR_EXPOSURE_H

#include "transport.h"
#include "worker.h"

typedef struct hr_exposure hr_exposure;

typedef enum hr_exposure_state {
    HR_EXPOSURE_OPENING,
    HR_EXPOSURE_OPEN,
    HR_EXPOSURE_CLOSING,
    HR_EXPOSURE_CLOSED,
} hr_exposure_state;

typedef struct hr_exposure_events {
    /* On home. HR_OK: it is open. Else it is closed, and may be freed. */
    void (*opened)(void *context, hr_exposure *exposure, hr_status status);
    /* On home, after hr_exposure_close: nothing can be written any more; it may be freed. */
    void (*closed)(void *context, hr_exposure *exposure);
} hr_exposure_events;

struct hr_exposure {
    hr_worker *worker, *home;
    const hr_exposure_events *events;
    void *context;
    hr_list node;            /* the owner's */
    hr_exposure_state state; /* home's */
    bool told;               /* home's: the peer knows the keys */
    unsigned rail;
    uint32_t first; /* number of the first region; the others follow */
    hr_status status;
    hr_letter letter, close_letter;
    unsigned count, busy; /* the worker's while it opens and closes */
    hr_region regions[];
};

/* One region for each span. NULL: out of memory. */
hr_exposure *hr_exposure_create(hr_worker *worker, hr_worker *home, unsigned rail, uint32_t first,
                                unsigned count, const hr_exposure_events *events, void *context);
/* After each region's span was set. */
void hr_exposure_open(hr_exposure *exposure);
/* Once, when it is open. */
void hr_exposure_close(hr_exposure *exposure);

#endif
