/* SPDX-License-Identifier: Apache-2.0 */
/* hr_direct: a target in memory, the host's or a GPU's, that the server reaches by RDMA, so that
 * content which is stored as it is lands where it belongs: one region a rail, for as long as the
 * transfer lasts. On a rail where that could not be had chunks land in slots and are copied. On
 * worker 0. */
#ifndef HR_DIRECT_H
#define HR_DIRECT_H

#include "client.h"

#define HR_DIRECT_SPANS_MAX 64

typedef struct hr_direct {
    hr_client *client;
    void (*changed)(void *context);
    void *context;
    unsigned count; /* exposures that are not closed */
    bool closing;
    hr_status failure;                    /* of the last that could not be had; HR_OK: all could */
    hr_exposure *exposures[HR_RAILS_MAX]; /* by our rail; NULL: none */
} hr_direct;

/* On the rails of the links that are up: the target, and whatever else chunks may land in, a region
 * each. changed follows, from a later step, when that has been tried for all; if there are none,
 * hr_direct_is_settled at once and it does not. */
void hr_direct_open(hr_direct *direct, hr_client *client, const hr_span *spans, unsigned count,
                    void (*changed)(void *context), void *context);
bool hr_direct_is_settled(const hr_direct *direct);
/* Any worker, after it was settled and until it is closed: that of the first span, behind which
 * come the others. False: there is none on this rail. */
bool hr_direct_region(const hr_direct *direct, unsigned rail, uint32_t *region_out);
/* No place lies in it any more. changed follows when it is closed, if it is not at once. */
void hr_direct_close(hr_direct *direct);
bool hr_direct_is_closed(const hr_direct *direct);

#endif
