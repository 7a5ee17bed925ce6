/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "verbs.h"

static void verbs_destroy(hr_transport *transport)
{
    assert(hr_list_is_empty(&((hr_verbs_transport *)transport)->lent));
    hr_release(hr_loop_env(transport->loop), transport);
}

static void verbs_query(const hr_transport *transport, hr_transport_caps *caps_out)
{
    const hr_verbs *verbs = ((const hr_verbs_transport *)transport)->verbs;
    *caps_out = (hr_transport_caps){
        .rdma = true,
        .regions = true,
        .rails = verbs->device_count,
        .gpu = true,
    };
}

static void verbs_rail(const hr_transport *transport, unsigned rail, hr_rail_info *info_out)
{
    const hr_verbs *verbs = ((const hr_verbs_transport *)transport)->verbs;
    assert(rail < verbs->device_count);
    *info_out = verbs->devices[rail].info;
}

/* The ends share no memory. */
static bool verbs_peek(hr_link *link, uint64_t transfer, uint32_t chunk, uint32_t generation,
                       hr_span *span_out)
{
    (void)link;
    (void)transfer;
    (void)chunk;
    (void)generation;
    (void)span_out;
    return false;
}

static const hr_transport_ops verbs_ops = {
    .name = "verbs",
    .destroy = verbs_destroy,
    .query = verbs_query,
    .listen = hr_verbs_listen,
    .unlisten = hr_verbs_unlisten,
    .refuse = hr_verbs_refuse,
    .addresses = hr_verbs_addresses,
    .rail = verbs_rail,
    .neighbours = hr_verbs_neighbours,
    .region = &hr_verbs_region_ops,
    .link =
        {
            .connect = hr_verbs_link_connect,
            .adopt = hr_verbs_link_adopt,
            .aim = hr_verbs_link_aim,
            .write = hr_verbs_link_write,
            .arm = hr_verbs_link_arm,
            .disarm = hr_verbs_link_disarm,
            .peek = verbs_peek,
            .close = hr_verbs_link_close,
            .destroy = hr_verbs_link_destroy,
        },
};

hr_status hr_transport_verbs_create(hr_loop *loop, hr_verbs *verbs, hr_transport **transport_out)
{
    hr_verbs_transport *transport = hr_alloc(hr_loop_env(loop), sizeof *transport);
    if (transport == NULL)
        return HR_NO_MEMORY;
    transport->base = (hr_transport){.ops = &verbs_ops, .loop = loop};
    transport->verbs = verbs;
    hr_list_init(&transport->lent);
    *transport_out = &transport->base;
    return HR_OK;
}
