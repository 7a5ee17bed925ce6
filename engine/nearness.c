/* SPDX-License-Identifier: Apache-2.0 */
#include "nearness.h"

hr_distance hr_nearness(const hr_rail_info *rail, const hr_site *drives, size_t drive_count)
{
    hr_distance best = HR_DISTANCE_UNKNOWN;
    for (size_t i = 0; i < drive_count; i++) {
        hr_distance distance = hr_site_distance(&rail->site, &drives[i]);
        if (distance < best)
            best = distance;
    }
    return best;
}

int hr_nearness_compare(const hr_rail_info *a, const hr_rail_info *b, const hr_site *drives,
                        size_t drive_count)
{
    hr_distance to_a = hr_nearness(a, drives, drive_count);
    hr_distance to_b = hr_nearness(b, drives, drive_count);
    if (to_a != to_b)
        return to_a < to_b ? -1 : 1;
    return (a->bits_per_s < b->bits_per_s) - (a->bits_per_s > b->bits_per_s);
}

void hr_nearness_sort(hr_rail_address *addresses, size_t count, const hr_rail_info *rails,
                      const hr_site *drives, size_t drive_count)
{
    for (size_t i = 1; i < count; i++) {
        hr_rail_address moved = addresses[i];
        size_t at = i;
        for (; at > 0 && hr_nearness_compare(&rails[moved.rail], &rails[addresses[at - 1].rail],
                                             drives, drive_count) < 0;
             at--)
            addresses[at] = addresses[at - 1];
        addresses[at] = moved;
    }
}
