/* SPDX-License-Identifier: Apache-2.0 */
#include "planted.h"

#include "crc32c.h"

/* ---- storage: one kind of request becomes another, harmless one ---- */

typedef struct planted_storage {
    hr_storage base;
    hr_storage_ops ops;
    hr_storage *inner;
    hr_io_kind wanted;
} planted_storage;

static void submit(hr_storage *base, hr_io *io)
{
    planted_storage *storage = (planted_storage *)base;
    if (io->kind == storage->wanted)
        io->kind = io->kind == HR_IO_SYNC_DIR ? HR_IO_LOOKUP : HR_IO_STAT;
    hr_storage_submit(storage->inner, io);
}

static void storage_query(const hr_storage *base, hr_storage_caps *caps_out)
{
    const hr_storage *inner = ((const planted_storage *)base)->inner;
    inner->ops->query(inner, caps_out);
}

static hr_status register_buffers(hr_storage *base, const struct iovec *iov, unsigned count)
{
    hr_storage *inner = ((planted_storage *)base)->inner;
    return inner->ops->register_buffers(inner, iov, count);
}

static void attach(hr_storage *base, hr_file *file)
{
    hr_storage *inner = ((planted_storage *)base)->inner;
    inner->ops->attach(inner, file);
}

static void detach(hr_storage *base, hr_file *file)
{
    hr_storage *inner = ((planted_storage *)base)->inner;
    inner->ops->detach(inner, file);
}

static void storage_destroy(hr_storage *base)
{
    planted_storage *storage = (planted_storage *)base;
    storage->inner->ops->destroy(storage->inner);
    hr_release(hr_loop_env(base->loop), storage);
}

static hr_status plant_storage(hr_storage *inner, hr_io_kind wanted, hr_storage **storage_out)
{
    planted_storage *storage = hr_alloc(hr_loop_env(inner->loop), sizeof *storage);
    if (storage == NULL)
        return HR_NO_MEMORY;
    storage->ops = (hr_storage_ops){
        .name = "planted",
        .destroy = storage_destroy,
        .query = storage_query,
        .submit = submit,
        .register_buffers = register_buffers,
        .attach = attach,
        .detach = detach,
    };
    storage->base = (hr_storage){.ops = &storage->ops, .loop = inner->loop};
    storage->inner = inner;
    storage->wanted = wanted;
    *storage_out = &storage->base;
    return HR_OK;
}

hr_status hr_planted_lying_sync(hr_storage *inner, hr_storage **storage_out)
{
    return plant_storage(inner, HR_IO_SYNC, storage_out);
}

hr_status hr_planted_no_directory_sync(hr_storage *inner, hr_storage **storage_out)
{
    return plant_storage(inner, HR_IO_SYNC_DIR, storage_out);
}

hr_status hr_planted_no_lock(hr_storage *inner, hr_storage **storage_out)
{
    return plant_storage(inner, HR_IO_LOCK, storage_out);
}

/* ---- transports: links and channels are the inner one's, so only what names the transport is
 * passed on here ---- */

typedef struct planted_transport {
    hr_transport base;
    hr_transport_ops ops;
    hr_transport *inner;
    hr_span late; /* of the place that was armed last */
} planted_transport;

static hr_transport *inner_of(hr_transport *base)
{
    return ((planted_transport *)base)->inner;
}

static void transport_query(const hr_transport *base, hr_transport_caps *caps_out)
{
    const hr_transport *inner = ((const planted_transport *)base)->inner;
    inner->ops->query(inner, caps_out);
}

static hr_status listen_inner(hr_transport *base, const char *address,
                              const hr_listener_events *events, void *context,
                              hr_listener **listener_out, char bound_out[64])
{
    hr_transport *inner = inner_of(base);
    return inner->ops->listen(inner, address, events, context, listener_out, bound_out);
}

static void refuse(hr_transport *base, hr_incoming *incoming)
{
    inner_of(base)->ops->refuse(inner_of(base), incoming);
}

static hr_status connect_channel(hr_transport *base, const char *address,
                                 const hr_greeting *greeting, const hr_channel_events *events,
                                 void *context, hr_channel **channel_out)
{
    hr_transport *inner = inner_of(base);
    return inner->ops->channel.connect(inner, address, greeting, events, context, channel_out);
}

static hr_status adopt_channel(hr_transport *base, hr_incoming *incoming,
                               const hr_channel_events *events, void *context,
                               hr_channel **channel_out)
{
    hr_transport *inner = inner_of(base);
    return inner->ops->channel.adopt(inner, incoming, events, context, channel_out);
}

static hr_status connect_link(hr_transport *base, const char *address, const hr_greeting *greeting,
                              const hr_link_events *events, void *context, hr_link **link_out)
{
    hr_transport *inner = inner_of(base);
    return inner->ops->link.connect(inner, address, greeting, events, context, link_out);
}

static hr_status adopt_link(hr_transport *base, hr_incoming *incoming, const hr_link_events *events,
                            void *context, hr_link **link_out)
{
    hr_transport *inner = inner_of(base);
    return inner->ops->link.adopt(inner, incoming, events, context, link_out);
}

static void transport_destroy(hr_transport *base)
{
    planted_transport *transport = (planted_transport *)base;
    if (transport->late.len > 0)
        *(uint8_t *)transport->late.addr = 0;
    transport->inner->ops->destroy(transport->inner);
    hr_release(hr_loop_env(base->loop), transport);
}

static void rail(const hr_transport *base, unsigned index, hr_rail_info *info_out)
{
    const hr_transport *inner = ((const planted_transport *)base)->inner;
    inner->ops->rail(inner, index, info_out);
}

static hr_status lend(hr_transport *base, hr_span span)
{
    return inner_of(base)->ops->region->lend(inner_of(base), span);
}

static void reclaim(hr_transport *base, hr_span span)
{
    inner_of(base)->ops->region->reclaim(inner_of(base), span);
}

static void expose(hr_transport *base, hr_region *region)
{
    inner_of(base)->ops->region->expose(inner_of(base), region);
}

static void withdraw(hr_transport *base, hr_region *region)
{
    inner_of(base)->ops->region->withdraw(inner_of(base), region);
}

static const hr_region_ops region_ops = {
    .lend = lend,
    .reclaim = reclaim,
    .expose = expose,
    .withdraw = withdraw,
};

static hr_status plant_transport(hr_transport *inner, planted_transport **transport_out)
{
    planted_transport *transport = hr_alloc(hr_loop_env(inner->loop), sizeof *transport);
    if (transport == NULL)
        return HR_NO_MEMORY;
    transport->ops = *inner->ops;
    transport->ops.destroy = transport_destroy;
    transport->ops.query = transport_query;
    transport->ops.listen = listen_inner;
    transport->ops.refuse = refuse;
    transport->ops.rail = rail;
    transport->ops.region = &region_ops;
    transport->ops.channel.connect = connect_channel;
    transport->ops.channel.adopt = adopt_channel;
    transport->ops.link.connect = connect_link;
    transport->ops.link.adopt = adopt_link;
    transport->base = (hr_transport){.ops = &transport->ops, .loop = inner->loop};
    transport->inner = inner;
    *transport_out = transport;
    return HR_OK;
}

/* Only every third payload: a source that is wrong from the start would be too easy. */
static void write_damage(hr_link *link, hr_link_write *write)
{
    if (write->payload.len > 0 && write->receipt.stored_crc % 3 == 0) {
        ((uint8_t *)write->payload.addr)[write->payload.len / 2] ^= 4;
        write->receipt.stored_crc = write->receipt.content_crc =
            hr_crc32c(0, write->payload.addr, write->payload.len);
    }
    link->transport->ops->link.write(link, write);
}

hr_status hr_planted_digest_of_damage(hr_transport *inner, hr_transport **transport_out)
{
    planted_transport *transport;
    hr_status status = plant_transport(inner, &transport);
    if (status != HR_OK)
        return status;
    transport->ops.link.write = write_damage;
    *transport_out = &transport->base;
    return HR_OK;
}

static planted_transport *armed_by; /* a link does not know who is planted around its transport */

static hr_status arm_and_remember(hr_link *link, hr_place *place)
{
    if (armed_by != NULL)
        armed_by->late = place->span;
    return link->transport->ops->link.arm(link, place);
}

static void destroy_late(hr_transport *base)
{
    armed_by = NULL;
    transport_destroy(base);
}

hr_status hr_planted_late_landing(hr_transport *inner, hr_transport **transport_out)
{
    planted_transport *transport;
    hr_status status = plant_transport(inner, &transport);
    if (status != HR_OK)
        return status;
    transport->ops.link.arm = arm_and_remember;
    transport->ops.destroy = destroy_late;
    armed_by = transport;
    *transport_out = &transport->base;
    return HR_OK;
}

hr_status hr_planted_transport(
    hr_transport *inner, hr_status (*send)(hr_channel *channel, const void *bytes, size_t len),
    void (*write)(hr_link *link, hr_link_write *write), hr_transport **transport_out)
{
    planted_transport *transport;
    hr_status status = plant_transport(inner, &transport);
    if (status != HR_OK)
        return status;
    transport->ops.channel.send = send;
    if (write != NULL)
        transport->ops.link.write = write;
    *transport_out = &transport->base;
    return HR_OK;
}
