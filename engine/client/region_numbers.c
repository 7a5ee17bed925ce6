/* SPDX-License-Identifier: Apache-2.0 */
#include "region_numbers.h"

static bool is_taken(const hr_region_numbers *numbers, uint32_t number)
{
    return (numbers->taken[number / 64] >> number % 64 & 1) != 0;
}

bool hr_region_numbers_take(hr_region_numbers *numbers, unsigned count, uint32_t *first_out)
{
    for (uint32_t number = 0, free = 0; number < HR_KEYRING_MAX; number++) {
        free = is_taken(numbers, number) ? 0 : free + 1;
        if (free < count)
            continue;
        *first_out = number + 1 - count;
        for (uint32_t i = *first_out; i <= number; i++)
            numbers->taken[i / 64] |= UINT64_C(1) << i % 64;
        return true;
    }
    return false;
}

void hr_region_numbers_give(hr_region_numbers *numbers, uint32_t first, unsigned count)
{
    for (uint32_t i = first; i < first + count; i++)
        numbers->taken[i / 64] &= ~(UINT64_C(1) << i % 64);
}
