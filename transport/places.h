/* SPDX-License-Identifier: Apache-2.0 */
/* hr_places: the places armed on one link, found by the receipt that they wait for. Pure. */
#ifndef HR_PLACES_H
#define HR_PLACES_H

#include "transport.h"

typedef struct hr_places {
    hr_list armed; /* oldest first: what was granted first mostly lands first */
    unsigned count;
    bool gpu; /* they may lie in a GPU's memory */
} hr_places;

void hr_places_init(hr_places *places);
/* HR_AGAIN: HR_LINK_PLACES_MAX are armed. HR_UNSUPPORTED: not in memory that this link reaches. */
HR_CHECKED hr_status hr_places_arm(hr_places *places, hr_place *place);
/* False: it is not armed (any more). */
bool hr_places_disarm(hr_places *places, hr_place *place);
/* NULL: none is armed for it. */
hr_place *hr_places_find(hr_places *places, uint64_t transfer, uint32_t chunk, uint32_t generation);
/* Finds and disarms the place that the receipt was granted. HR_PROTOCOL: there is none, or it is
 * smaller than the payload. */
HR_CHECKED hr_status hr_places_take(hr_places *places, const hr_receipt *receipt,
                                    hr_place **place_out);
/* Disarms all. */
void hr_places_clear(hr_places *places);

#endif
