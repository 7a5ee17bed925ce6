/* SPDX-License-Identifier: Apache-2.0 */
/* hr_region_numbers: which numbers of its session's keyring a client has given to regions. Pure. */
#ifndef HR_REGION_NUMBERS_H
#define HR_REGION_NUMBERS_H

#include <stdbool.h>

#include "keyring.h"

/* All zero: none is taken. */
typedef struct hr_region_numbers {
    uint64_t taken[HR_KEYRING_MAX / 64]; /* a bit each */
} hr_region_numbers;

/* count of them in a row, the lowest there are. False: there are none. */
bool hr_region_numbers_take(hr_region_numbers *numbers, unsigned count, uint32_t *first_out);
void hr_region_numbers_give(hr_region_numbers *numbers, uint32_t first, unsigned count);

#endif
