/* SPDX-License-Identifier: Apache-2.0 */
/* Which NIC serves which bytes: the one nearest to a drive that holds them, by PCI ancestry; of
 * NICs as near as each other the fastest; of the fastest the one that was first. Pure. */
#ifndef HR_NEARNESS_H
#define HR_NEARNESS_H

#include "transport.h"

/* How far a rail is from the nearest of the drives; HR_DISTANCE_UNKNOWN of none. */
hr_distance hr_nearness(const hr_rail_info *rail, const hr_site *drives, size_t drive_count);
/* Less than 0: a is nearer, or as near and faster; 0: neither is better. */
int hr_nearness_compare(const hr_rail_info *a, const hr_rail_info *b, const hr_site *drives,
                        size_t drive_count);
/* Best first. rails: by their number, which each address has. */
void hr_nearness_sort(hr_rail_address *addresses, size_t count, const hr_rail_info *rails,
                      const hr_site *drives, size_t drive_count);

#endif
