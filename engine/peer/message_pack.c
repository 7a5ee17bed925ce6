/* SPDX-License-Identifier: Apache-2.0 */
/* From our structs to those of protobuf-c, field by field. Nothing is copied but numbers: the bytes
 * stay where the caller has them until they are packed. */
#include "message_wire.h"

static ProtobufCBinaryData wire_bytes(const void *at, size_t len)
{
    /* The packer only reads through this pointer; the type of the library knows no const. */
    union {
        const void *readable;
        uint8_t *wire;
    } pointer = {.readable = at};
    return (ProtobufCBinaryData){.len = len, .data = pointer.wire};
}

static ProtobufCBinaryData wire_name(hr_bytes bytes)
{
    return wire_bytes(bytes.at, bytes.len);
}

/* count structs of size bytes, and pointers to them, as protobuf-c wants a repeated message. */
static void **take_array(hr_arena *arena, size_t count, size_t size)
{
    void **pointers = (void **)hr_arena_take(arena, count * sizeof *pointers);
    uint8_t *structs = (uint8_t *)hr_arena_take(arena, count * size);
    if (pointers == NULL || structs == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        pointers[i] = structs + i * size;
    return pointers;
}

static void pack_hello(const hr_message_hello *from, Headrace__Hello *to)
{
    headrace__hello__init(to);
    to->major = from->major;
    to->minor = from->minor;
    to->features = from->features;
    to->name = wire_name(from->name);
}

static void pack_welcome(const hr_message_welcome *from, Headrace__Welcome *to)
{
    headrace__welcome__init(to);
    to->major = from->major;
    to->minor = from->minor;
    to->features = from->features;
    to->boot = wire_bytes(from->boot, sizeof from->boot);
    to->session = from->session;
    to->links_max = from->links_max;
    to->heartbeat_ms = from->heartbeat_ms;
}

static bool pack_list(const hr_message_list *from, hr_arena *arena, Headrace__List *to)
{
    headrace__list__init(to);
    to->request = from->request;
    to->path = wire_name(from->path);
    to->cookie = from->cookie;
    to->entries_max = from->entries_max;
    to->xattrs = from->xattrs;
    to->n_folders = from->folder_count;
    to->folders = hr_arena_take(arena, from->folder_count * sizeof *to->folders);
    if (to->folders == NULL)
        return false;
    for (size_t i = 0; i < from->folder_count; i++)
        to->folders[i] = wire_name(from->folders[i]);
    return true;
}

static void pack_entry(const hr_message_entry *from, Headrace__Entry *to)
{
    headrace__entry__init(to);
    to->name = wire_name(from->name);
    to->type = from->type;
    to->mode = from->mode;
    to->size = from->size;
    to->mtime_ns = from->mtime_ns;
    to->ctime_ns = from->ctime_ns;
    to->target = wire_name(from->target);
    to->uid = from->uid;
    to->gid = from->gid;
    to->inode = from->inode;
    to->links = from->links;
    to->device = from->device;
    to->xattrs = wire_name(from->xattrs);
    to->xattrs_lost = from->xattrs_lost;
    to->sparse = from->sparse;
}

static bool pack_entries(const hr_message_entries *from, hr_arena *arena, Headrace__Entries *to)
{
    headrace__entries__init(to);
    to->request = from->request;
    to->status = from->status;
    to->text = wire_name(from->text);
    to->cookie = from->cookie;
    to->n_entries = from->count;
    to->entries = (Headrace__Entry **)take_array(arena, from->count, sizeof *to->entries[0]);
    to->n_counts = from->folder_count;
    to->counts = hr_arena_take(arena, from->folder_count * sizeof *to->counts);
    if (to->entries == NULL || to->counts == NULL)
        return false;
    for (size_t i = 0; i < from->folder_count; i++)
        to->counts[i] = from->counts[i];
    for (size_t i = 0; i < from->count; i++)
        pack_entry(&from->entries[i], to->entries[i]);
    return true;
}

static void pack_open(const hr_message_open *from, Headrace__Open *to)
{
    headrace__open__init(to);
    to->transfer = from->transfer;
    to->path = wire_name(from->path);
    to->content = from->content;
    to->listed = from->listed;
}

static bool pack_open_bundles(const hr_message_open_bundles *from, hr_arena *arena,
                              Headrace__OpenBundles *to)
{
    headrace__open_bundles__init(to);
    to->transfer = from->transfer;
    to->path = wire_name(from->path);
    to->n_files = from->count;
    to->files = (Headrace__Small **)take_array(arena, from->count, sizeof *to->files[0]);
    if (to->files == NULL)
        return false;
    for (size_t i = 0; i < from->count; i++) {
        Headrace__Small *file = to->files[i];
        headrace__small__init(file);
        file->directory = wire_name(from->files[i].directory);
        file->name = wire_name(from->files[i].name);
        file->size = from->files[i].size;
        file->mtime_ns = from->files[i].mtime_ns;
        file->ctime_ns = from->files[i].ctime_ns;
    }
    return true;
}

static void pack_opened(const hr_message_opened *from, Headrace__Opened *to)
{
    headrace__opened__init(to);
    to->transfer = from->transfer;
    to->status = from->status;
    to->text = wire_name(from->text);
    if (from->status != HR_OK)
        return;
    to->identity = wire_bytes(from->identity, sizeof from->identity);
    to->type = from->type;
    to->mode = from->mode;
    to->size = from->size;
    to->mtime_ns = from->mtime_ns;
    to->chunk_len = from->chunk_len;
    to->codec = from->codec;
    to->stored_len = from->stored_len;
    to->direct = wire_name(from->direct);
    to->sparse = from->sparse;
    to->uid = from->uid;
    to->gid = from->gid;
    to->cipher = from->cipher;
    if (from->cipher != HR_CIPHER_NONE)
        to->salt = wire_bytes(from->salt, sizeof from->salt);
}

static bool pack_keys(const hr_message_keys *from, hr_arena *arena, Headrace__Keys *to)
{
    headrace__keys__init(to);
    to->first_link = from->first_link;
    to->links = from->links;
    to->n_regions = from->region_count;
    to->regions =
        (Headrace__Region **)take_array(arena, from->region_count, sizeof *to->regions[0]);
    if (to->regions == NULL)
        return false;
    for (size_t i = 0; i < from->region_count; i++) {
        Headrace__Region *region = to->regions[i];
        headrace__region__init(region);
        region->index = from->regions[i].index;
        region->address = from->regions[i].address;
        region->len = from->regions[i].len;
        region->rkey = from->regions[i].rkey;
    }
    to->n_rings = from->ring_count;
    to->rings = (Headrace__Ring **)take_array(arena, from->ring_count, sizeof *to->rings[0]);
    if (to->rings == NULL)
        return false;
    for (size_t i = 0; i < from->ring_count; i++) {
        headrace__ring__init(to->rings[i]);
        to->rings[i]->link = from->rings[i].link;
        to->rings[i]->address = from->rings[i].address;
        to->rings[i]->rkey = from->rings[i].rkey;
    }
    return true;
}

static bool pack_tickets(const hr_message_tickets *from, hr_arena *arena, Headrace__Tickets *to)
{
    headrace__tickets__init(to);
    to->status = from->status;
    to->text = wire_name(from->text);
    to->n_tickets = from->ticket_count;
    to->tickets =
        (Headrace__Ticket **)take_array(arena, from->ticket_count, sizeof *to->tickets[0]);
    to->n_rails = from->rail_count;
    to->rails = (Headrace__Rail **)take_array(arena, from->rail_count, sizeof *to->rails[0]);
    if (to->tickets == NULL || to->rails == NULL)
        return false;
    for (size_t i = 0; i < from->ticket_count; i++) {
        headrace__ticket__init(to->tickets[i]);
        to->tickets[i]->link = from->tickets[i].link;
        to->tickets[i]->ticket = wire_bytes(from->tickets[i].ticket, HR_TICKET_LEN);
    }
    for (size_t i = 0; i < from->rail_count; i++) {
        headrace__rail__init(to->rails[i]);
        to->rails[i]->family = wire_name(from->rails[i].family);
        to->rails[i]->address = wire_name(from->rails[i].address);
    }
    return true;
}

static bool pack_grants(const hr_message_grant *from, hr_arena *arena, Headrace__Grants *to)
{
    headrace__grants__init(to);
    to->n_grants = from->count;
    to->grants = (Headrace__Grant **)take_array(arena, from->count, sizeof *to->grants[0]);
    if (to->grants == NULL)
        return false;
    for (size_t i = 0; i < from->count; i++) {
        const hr_grant *source = &from->grants[i];
        Headrace__Grant *grant = to->grants[i];
        headrace__grant__init(grant);
        grant->transfer = source->transfer;
        grant->chunk = source->chunk;
        grant->generation = source->generation;
        grant->link = source->link;
        grant->region = source->region;
        grant->offset = source->offset;
        grant->flags = source->flags;
    }
    return true;
}

static void pack_failed(const hr_message_failed *from, Headrace__Failed *to)
{
    headrace__failed__init(to);
    to->transfer = from->transfer;
    to->chunk = from->chunk;
    to->generation = from->generation;
    to->status = from->status;
    to->text = wire_name(from->text);
}

static void pack_transfer(uint64_t transfer, Headrace__Transfer *to)
{
    headrace__transfer__init(to);
    to->transfer = transfer;
}

static void pack_closed(const hr_message_closed *from, Headrace__Closed *to)
{
    headrace__closed__init(to);
    to->transfer = from->transfer;
    to->status = from->status;
    to->text = wire_name(from->text);
}

static void pack_error(const hr_message_error *from, Headrace__Error *to)
{
    headrace__error__init(to);
    to->status = from->status;
    to->text = wire_name(from->text);
}

static void pack_ping(const hr_message_ping *from, Headrace__Ping *to)
{
    headrace__ping__init(to);
    to->number = from->number;
}

static void pack_digest(const hr_message_digest *from, Headrace__Digest *to)
{
    headrace__digest__init(to);
    to->request = from->request;
    to->path = wire_name(from->path);
    to->offset = from->offset;
    to->len = from->len;
}

static void pack_digested(const hr_message_digested *from, Headrace__Digested *to)
{
    headrace__digested__init(to);
    to->request = from->request;
    to->status = from->status;
    to->text = wire_name(from->text);
    if (from->status != HR_OK)
        return;
    to->identity = wire_bytes(from->identity, sizeof from->identity);
    to->size = from->size;
    to->crc32c = from->crc32c;
}

static bool pack_body(const hr_message *message, hr_arena *arena, hr_message_body *body)
{
    switch (message->kind) {
    case HR_MESSAGE_HELLO:
        pack_hello(&message->hello, &body->hello);
        return true;
    case HR_MESSAGE_WELCOME:
        pack_welcome(&message->welcome, &body->welcome);
        return true;
    case HR_MESSAGE_LIST:
        return pack_list(&message->list, arena, &body->list);
    case HR_MESSAGE_ENTRIES:
        return pack_entries(&message->entries, arena, &body->entries);
    case HR_MESSAGE_OPEN:
        pack_open(&message->open, &body->open);
        return true;
    case HR_MESSAGE_OPEN_BUNDLES:
        return pack_open_bundles(&message->open_bundles, arena, &body->open_bundles);
    case HR_MESSAGE_OPENED:
        pack_opened(&message->opened, &body->opened);
        return true;
    case HR_MESSAGE_KEYS:
        return pack_keys(&message->keys, arena, &body->keys);
    case HR_MESSAGE_TICKETS:
        return pack_tickets(&message->tickets, arena, &body->tickets);
    case HR_MESSAGE_GRANT:
        return pack_grants(&message->grant, arena, &body->grants);
    case HR_MESSAGE_FAILED:
        pack_failed(&message->failed, &body->failed);
        return true;
    case HR_MESSAGE_CANCEL:
        pack_transfer(message->cancel.transfer, &body->transfer);
        return true;
    case HR_MESSAGE_CLOSE:
        pack_transfer(message->close.transfer, &body->transfer);
        return true;
    case HR_MESSAGE_CLOSED:
        pack_closed(&message->closed, &body->closed);
        return true;
    case HR_MESSAGE_ERROR:
        pack_error(&message->error, &body->error);
        return true;
    case HR_MESSAGE_PING:
    case HR_MESSAGE_PONG:
        pack_ping(&message->ping, &body->ping);
        return true;
    case HR_MESSAGE_JOINED:
        headrace__joined__init(&body->joined);
        body->joined.link = message->joined.link;
        return true;
    case HR_MESSAGE_PARTED:
        headrace__parted__init(&body->parted);
        body->parted.link = message->parted.link;
        return true;
    case HR_MESSAGE_DIGEST:
        pack_digest(&message->digest, &body->digest);
        return true;
    case HR_MESSAGE_DIGESTED:
        pack_digested(&message->digested, &body->digested);
        return true;
    case HR_MESSAGE_HINT:
        break;
    }
    return false;
}

bool hr_message_to_wire(const hr_message *message, hr_arena *arena, hr_message_body *body,
                        Headrace__Envelope *envelope)
{
    if (!pack_body(message, arena, body))
        return false;
    headrace__envelope__init(envelope);
    envelope->body_case = (Headrace__Envelope__BodyCase)message->kind;
    /* All members are pointers to messages, so any of them stands for the one meant. */
    envelope->hello = &body->hello;
    return true;
}
