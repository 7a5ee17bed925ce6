/* SPDX-License-Identifier: Apache-2.0 */
/* hr_rails: which of the server's rails a client's links take, and which not for a while. A rail on
 * which three links failed within ten seconds rests for ten, and so does one whose first link
 * fails; its links go elsewhere, and come back afterwards. Without a rail that can be used the
 * network carries the links. Pure. */
#ifndef HR_RAILS_H
#define HR_RAILS_H

#include <stdbool.h>
#include <stdint.h>

#include "transport.h"

#define HR_RAIL_NONE       UINT32_MAX /* the network: TCP */
#define HR_RAIL_ERRORS_MAX 3
#define HR_RAIL_WINDOW_NS  (UINT64_C(10) * 1000 * 1000 * 1000)
#define HR_RAIL_REST_NS    (UINT64_C(10) * 1000 * 1000 * 1000)

typedef struct hr_rail_health {
    char address[64];
    uint32_t nics; /* of ours that share a network with it, a bit each */
    bool proved;   /* a link of it was up */
    unsigned errors;
    uint64_t errors_since_ns;
    uint64_t rests_until_ns; /* 0: it does not */
} hr_rail_health;

/* All zero: no rail. */
typedef struct hr_rails {
    hr_rail_health rails[HR_RAILS_MAX];
    unsigned count;
} hr_rails;

/* A rail that is known keeps its health; more than HR_RAILS_MAX are left out. */
void hr_rails_add(hr_rails *rails, const char *address, uint32_t nics);
/* For the link in place number of a client; HR_RAIL_NONE where no rail can be used now. */
uint32_t hr_rails_choose(const hr_rails *rails, unsigned number, uint64_t now_ns);
/* The one it would take if all were well. */
uint32_t hr_rails_prefer(const hr_rails *rails, unsigned number);
/* A link of it is up. */
void hr_rails_worked(hr_rails *rails, uint32_t rail);
/* A link of it failed. True: it rests now, which one that has never worked does at once. */
bool hr_rails_failed(hr_rails *rails, uint32_t rail, uint64_t now_ns);
/* When the next rail has rested; UINT64_MAX: none rests. Those that have by now_ns are well again.
 */
uint64_t hr_rails_wake(hr_rails *rails, uint64_t now_ns);
/* No link of any rail was ever up. */
bool hr_rails_never_worked(const hr_rails *rails);

#endif
