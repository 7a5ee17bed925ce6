/* SPDX-License-Identifier: Apache-2.0 */
#include "planted.h"

#include <stdlib.h>
#include <string.h>

#include "crc32c.h"

/* ---- storage ---- */

typedef struct planted_storage {
    hr_storage base;
    hr_storage_ops ops;
    hr_storage *inner;
    hr_io_kind wanted;
} planted_storage;

/* One kind of request becomes another, harmless one. */
static void submit(hr_storage *base, hr_io *io)
{
    planted_storage *storage = (planted_storage *)base;
    if (io->kind == storage->wanted)
        io->kind =
            io->kind == HR_IO_SYNC_DIR || io->kind == HR_IO_REMOVE ? HR_IO_LOOKUP : HR_IO_STAT;
    hr_storage_submit(storage->inner, io);
}

/* A request that is looked at when it comes back. The wrapper below uses scratch[2] and [3]; so an
 * io of our own goes there. */
typedef struct planted_io {
    hr_io io;
    hr_io *outer;
    planted_storage *storage;
} planted_io;

static void give_back(planted_io *passed)
{
    hr_io *outer = passed->outer;
    void (*done)(hr_io *) = outer->done;
    void *context = outer->context;
    *outer = passed->io;
    outer->done = done;
    outer->context = context;
    hr_release(hr_loop_env(passed->storage->base.loop), passed);
    done(outer);
}

static void pass_io(planted_storage *storage, hr_io *io, void (*done)(hr_io *io))
{
    planted_io *passed = hr_alloc(hr_loop_env(storage->base.loop), sizeof *passed);
    if (passed == NULL) {
        hr_storage_submit(storage->inner, io);
        return;
    }
    *passed = (planted_io){.io = *io, .outer = io, .storage = storage};
    passed->io.done = done;
    passed->io.context = passed;
    hr_storage_submit(storage->inner, &passed->io);
}

static void call_it_good(hr_io *io)
{
    planted_io *passed = io->context;
    if (io->kind == HR_IO_WRITE)
        io->bytes = io->len;
    io->status = HR_OK;
    io->error = 0;
    give_back(passed);
}

static void submit_ignoring(hr_storage *base, hr_io *io)
{
    planted_storage *storage = (planted_storage *)base;
    if (io->kind == storage->wanted)
        pass_io(storage, io, call_it_good);
    else
        hr_storage_submit(storage->inner, io);
}

/* As it was when somebody first looked. */
static void look_once(hr_io *io)
{
    static hr_file_info first;
    planted_io *passed = io->context;
    if (io->kind == HR_IO_OPEN)
        first = io->info;
    else if (io->status == HR_OK && io->info.inode == first.inode)
        io->info = first;
    give_back(passed);
}

static void submit_blind(hr_storage *base, hr_io *io)
{
    planted_storage *storage = (planted_storage *)base;
    if (io->kind == HR_IO_OPEN || io->kind == HR_IO_STAT)
        pass_io(storage, io, look_once);
    else
        hr_storage_submit(storage->inner, io);
}

/* The sync that the rename should have waited for. */
static struct {
    hr_file *file;
} late_sync;

static void was_synced_late(hr_io *io)
{
    give_back(io->context);
}

static void was_renamed(hr_io *io)
{
    planted_io *passed = io->context;
    if (io->status != HR_OK || late_sync.file == NULL) {
        give_back(passed);
        return;
    }
    passed->io = (hr_io){
        .kind = HR_IO_SYNC, .file = late_sync.file, .done = was_synced_late, .context = passed};
    late_sync.file = NULL;
    hr_storage_submit(passed->storage->inner, &passed->io);
}

static void submit_renaming_first(hr_storage *base, hr_io *io)
{
    planted_storage *storage = (planted_storage *)base;
    if (io->kind == HR_IO_SYNC) {
        late_sync.file = io->file;
        io->kind = HR_IO_STAT;
    } else if (io->kind == HR_IO_CLOSE && io->file == late_sync.file) {
        late_sync.file = NULL;
    } else if (io->kind == HR_IO_RENAME) {
        pass_io(storage, io, was_renamed);
        return;
    }
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

static hr_status plant_submit(hr_storage *inner, void (*submit_by)(hr_storage *, hr_io *),
                              hr_io_kind wanted, hr_storage **storage_out)
{
    planted_storage *storage = hr_alloc(hr_loop_env(inner->loop), sizeof *storage);
    if (storage == NULL)
        return HR_NO_MEMORY;
    storage->ops = (hr_storage_ops){
        .name = "planted",
        .destroy = storage_destroy,
        .query = storage_query,
        .submit = submit_by,
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

static hr_status plant_storage(hr_storage *inner, hr_io_kind wanted, hr_storage **storage_out)
{
    return plant_submit(inner, submit, wanted, storage_out);
}

hr_status hr_planted_sync_error_ignored(hr_storage *inner, hr_storage **storage_out)
{
    return plant_submit(inner, submit_ignoring, HR_IO_SYNC, storage_out);
}

hr_status hr_planted_write_error_ignored(hr_storage *inner, hr_storage **storage_out)
{
    return plant_submit(inner, submit_ignoring, HR_IO_WRITE, storage_out);
}

hr_status hr_planted_rename_before_sync(hr_storage *inner, hr_storage **storage_out)
{
    return plant_submit(inner, submit_renaming_first, HR_IO_SYNC, storage_out);
}

hr_status hr_planted_no_removal(hr_storage *inner, hr_storage **storage_out)
{
    return plant_storage(inner, HR_IO_REMOVE, storage_out);
}

hr_status hr_planted_blind_source(hr_storage *inner, hr_storage **storage_out)
{
    return plant_submit(inner, submit_blind, HR_IO_STAT, storage_out);
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

static hr_status connect_link(hr_transport *base, const char *address, unsigned rail,
                              const hr_greeting *greeting, const hr_link_events *events,
                              void *context, hr_link **link_out)
{
    hr_transport *inner = inner_of(base);
    return inner->ops->link.connect(inner, address, rail, greeting, events, context, link_out);
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

static uint32_t neighbours(hr_transport *base, const char *address)
{
    hr_transport *inner = inner_of(base);
    return inner->ops->neighbours(inner, address);
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
    transport->ops.neighbours = neighbours;
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

/* What was written first for each chunk is what a later grant of it gets, under its own receipt: as
 * if the old one had come late, and nobody had looked for whom. */
#define STALE_CHUNKS 8
static struct {
    uint8_t *bytes;
    size_t len;
    hr_receipt receipt;
} stale[STALE_CHUNKS];

static void remember(unsigned chunk, const hr_link_write *write)
{
    stale[chunk].bytes = malloc(write->payload.len);
    if (stale[chunk].bytes == NULL)
        abort();
    memcpy(stale[chunk].bytes, write->payload.addr, write->payload.len);
    stale[chunk].len = write->payload.len;
    stale[chunk].receipt = write->receipt;
}

static void write_stale(hr_link *link, hr_link_write *write)
{
    const unsigned chunk = write->receipt.chunk;
    if (chunk < STALE_CHUNKS && write->payload.len > 0 && stale[chunk].bytes == NULL) {
        remember(chunk, write);
    } else if (chunk < STALE_CHUNKS && stale[chunk].len == write->payload.len &&
               (stale[chunk].receipt.transfer != write->receipt.transfer ||
                stale[chunk].receipt.generation != write->receipt.generation)) {
        memcpy(write->payload.addr, stale[chunk].bytes, stale[chunk].len);
        write->receipt.stored_crc = stale[chunk].receipt.stored_crc;
        write->receipt.content_crc = stale[chunk].receipt.content_crc;
    }
    link->transport->ops->link.write(link, write);
}

static void forget_stale(hr_transport *base)
{
    for (unsigned chunk = 0; chunk < STALE_CHUNKS; chunk++) {
        free(stale[chunk].bytes);
        stale[chunk].bytes = NULL;
        stale[chunk].len = 0;
    }
    transport_destroy(base);
}

hr_status hr_planted_generation_ignored(hr_transport *inner, hr_transport **transport_out)
{
    planted_transport *transport;
    hr_status status = plant_transport(inner, &transport);
    if (status != HR_OK)
        return status;
    transport->ops.link.write = write_stale;
    transport->ops.destroy = forget_stale;
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

/* What a client is told of its links passes here. One client at a time, and few links. */
#define EARS_MAX 64

typedef struct ear {
    const hr_link_events *events;
    void *context;
    bool used;
} ear;

static ear ears[EARS_MAX];
static bool twice;

static void hear_up(void *context)
{
    ear *own = context;
    own->events->up(own->context);
}

static void hear_down(void *context, hr_status status)
{
    ear *own = context;
    own->used = false;
    own->events->down(own->context, status);
}

static void hear_landed(void *context, hr_place *place, const hr_receipt *receipt)
{
    ear *own = context;
    hr_receipt changed = *receipt;
    if (!twice && receipt->codec == 0)
        changed.stored_crc = changed.content_crc =
            hr_crc32c(0, place->span.addr, receipt->stored_len);
    own->events->landed(own->context, place, &changed);
    if (twice)
        own->events->landed(own->context, place, &changed);
}

static const hr_link_events hearing = {.up = hear_up, .landed = hear_landed, .down = hear_down};

static hr_status connect_hearing(hr_transport *base, const char *address, unsigned rail,
                                 const hr_greeting *greeting, const hr_link_events *events,
                                 void *context, hr_link **link_out)
{
    ear *own = ears;
    while (own < ears + EARS_MAX && own->used)
        own++;
    if (own == ears + EARS_MAX)
        return HR_LIMIT;
    *own = (ear){.events = events, .context = context, .used = true};
    hr_transport *inner = inner_of(base);
    hr_status status =
        inner->ops->link.connect(inner, address, rail, greeting, &hearing, own, link_out);
    own->used = status == HR_OK;
    return status;
}

static hr_status plant_hearing(hr_transport *inner, bool accepts_twice,
                               hr_transport **transport_out)
{
    planted_transport *transport;
    hr_status status = plant_transport(inner, &transport);
    if (status != HR_OK)
        return status;
    twice = accepts_twice;
    transport->ops.link.connect = connect_hearing;
    *transport_out = &transport->base;
    return HR_OK;
}

hr_status hr_planted_no_comparison(hr_transport *inner, hr_transport **transport_out)
{
    return plant_hearing(inner, false, transport_out);
}

hr_status hr_planted_receipt_twice(hr_transport *inner, hr_transport **transport_out)
{
    return plant_hearing(inner, true, transport_out);
}
