/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of io_uring, with as much of what makes it fast as this kernel takes, found by trying. All
 * return 0 or -errno. */
#ifndef HR_RING_H
#define HR_RING_H

#include <liburing.h>

/* A disabled one: the thread that enables it is the one that may use it. The largest that the
 * locked-memory limit allows: some kernels charge rings to it (6.18 does, seen with 64 KiB). */
int hr_ring_open(struct io_uring *ring);
/* To the operations of a loop; before it is enabled. -EINVAL before Linux 5.10. */
int hr_ring_restrict(const struct io_uring *ring);
int hr_ring_enable(struct io_uring *ring);

#endif
