/* SPDX-License-Identifier: Apache-2.0 */
/* hr_probe: the bytes that are sent over a new RDMA link before anything else is: what they must be
 * is known to both ends, so that a link that connects and then corrupts, loses or writes elsewhere
 * is found before it carries a shard. docs/PROTOCOL.md, section 4, "grant". Pure. */
#ifndef HR_PROBE_H
#define HR_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HR_PROBE_TRANSFER 0 /* the number that stands for it in grants and receipts */
/* More than one packet of any MTU, and more than one page. A fuzzer has less. */
#ifndef HR_PROBE_LEN
#define HR_PROBE_LEN (128u << 10)
#endif

/* The link's number makes the bytes different for each link. */
void hr_probe_fill(uint32_t link, void *bytes, size_t len);
bool hr_probe_matches(uint32_t link, const void *bytes, size_t len);

#endif
