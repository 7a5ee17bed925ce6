/* SPDX-License-Identifier: Apache-2.0 */
/* hr_routes: which of a client's NICs its links go out by: of those that share a network with the
 * server's rail the one nearest to the target, by PCI ancestry; of NICs as near as each other the
 * fastest; of the fastest all, in turns. Where none shares a network the system's routing table
 * decides. Pure. */
#ifndef HR_ROUTES_H
#define HR_ROUTES_H

#include "transport.h"

/* Zero: one NIC, and nothing to choose. */
typedef struct hr_routes {
    hr_rail_info nics[HR_RAILS_MAX]; /* ours */
    unsigned count;
    hr_site target;
    bool has_target;
    uint32_t used; /* NICs that share a network with a rail of the server's, a bit each */
} hr_routes;

/* One of the server's rails. */
typedef struct hr_route {
    char address[64];
    uint32_t nics; /* of ours that share a network with it, a bit each */
} hr_route;

/* The NICs of rdma, or of NULL none; of the target nothing is known. */
void hr_routes_init(hr_routes *routes, const hr_transport *rdma);
/* Best first, as they came where two are as good: so the server named them. */
void hr_routes_sort(hr_routes *routes, hr_route *found, size_t count);
/* For a link in place number of those to one rail: of nics, or HR_RAIL_ANY. */
unsigned hr_routes_choose(const hr_routes *routes, uint32_t nics, unsigned number);
/* ", the nearest of 2 NICs to the target: ...": what there is to say of a NIC that was taken; ""
 * where there was no choice. */
void hr_routes_explain(const hr_routes *routes, unsigned nic, char *text_out, size_t text_len);

#endif
