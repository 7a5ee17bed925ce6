/* SPDX-License-Identifier: Apache-2.0 */
#include "routes.h"

#include <stdio.h>

#include "nearness.h"

void hr_routes_init(hr_routes *routes, const hr_transport *rdma)
{
    hr_transport_caps caps;
    *routes = (hr_routes){0};
    if (rdma == NULL)
        return;
    rdma->ops->query(rdma, &caps);
    routes->count = caps.rails;
    for (unsigned i = 0; i < caps.rails; i++)
        rdma->ops->rail(rdma, i, &routes->nics[i]);
}

static hr_distance distance_of(const hr_routes *routes, unsigned nic)
{
    return hr_nearness(&routes->nics[nic], &routes->target, routes->has_target ? 1 : 0);
}

static bool is_in(uint32_t nics, unsigned nic)
{
    return (nics >> nic & 1) != 0;
}

/* Less than 0: a is better. */
static int compare(const hr_routes *routes, unsigned a, unsigned b)
{
    return hr_nearness_compare(&routes->nics[a], &routes->nics[b], &routes->target,
                               routes->has_target ? 1 : 0);
}

unsigned hr_routes_choose(const hr_routes *routes, uint32_t nics, unsigned number)
{
    unsigned best[HR_RAILS_MAX], count = 0;
    for (unsigned nic = 0; nic < routes->count; nic++) {
        if (!is_in(nics, nic))
            continue;
        int order = count == 0 ? -1 : compare(routes, nic, best[0]);
        if (order < 0)
            count = 0;
        if (order <= 0)
            best[count++] = nic;
    }
    return count == 0 ? HR_RAIL_ANY : best[number % count];
}

/* A rail that none of our NICs shares a network with comes last. */
static bool is_better(const hr_routes *routes, const hr_route *a, const hr_route *b)
{
    unsigned to_a = hr_routes_choose(routes, a->nics, 0);
    unsigned to_b = hr_routes_choose(routes, b->nics, 0);
    if (to_a == HR_RAIL_ANY || to_b == HR_RAIL_ANY)
        return to_a != HR_RAIL_ANY;
    return compare(routes, to_a, to_b) < 0;
}

void hr_routes_sort(hr_routes *routes, hr_route *found, size_t count)
{
    routes->used = 0;
    for (size_t i = 0; i < count; i++) {
        hr_route moved = found[i];
        size_t at = i;
        routes->used |= moved.nics;
        for (; at > 0 && is_better(routes, &moved, &found[at - 1]); at--)
            found[at] = found[at - 1];
        found[at] = moved;
    }
}

void hr_routes_explain(const hr_routes *routes, unsigned nic, char *text_out, size_t text_len)
{
    unsigned used = 0, nearer = 0, as_near = 0;
    hr_distance own = nic < routes->count ? distance_of(routes, nic) : HR_DISTANCE_UNKNOWN;
    for (unsigned i = 0; i < routes->count; i++) {
        if (!is_in(routes->used, i))
            continue;
        used++;
        nearer += distance_of(routes, i) < own;
        as_near += distance_of(routes, i) == own;
    }
    text_out[0] = '\0';
    if (routes->count < 2)
        return;
    if (!is_in(routes->used, nic))
        snprintf(text_out, text_len, ", of %u NICs the routing table's choice", routes->count);
    else if (used == 1)
        snprintf(text_out, text_len, ", of %u NICs the one in a network of the server's",
                 routes->count);
    else if (own == HR_DISTANCE_UNKNOWN)
        snprintf(text_out, text_len, ", one of %u NICs", used);
    else if (nearer == 0 && as_near == 1)
        snprintf(text_out, text_len, ", of %u NICs the nearest to the target: %s", used,
                 hr_distance_text(own));
    else if (nearer == 0)
        snprintf(text_out, text_len, ", of %u NICs one of the %u nearest to the target: %s", used,
                 as_near, hr_distance_text(own));
    else
        snprintf(text_out, text_len, ", of %u NICs not the nearest to the target: %s", used,
                 hr_distance_text(own));
}
