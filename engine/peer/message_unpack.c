/* SPDX-License-Identifier: Apache-2.0 */
/* From the structs of protobuf-c to ours, field by field. Bytes stay where protobuf-c put them: in
 * the arena, each followed by a zero byte. */
#include "message_wire.h"

static hr_bytes bytes_of(ProtobufCBinaryData from)
{
    static const uint8_t nothing[1];
    return hr_bytes_make(from.len > 0 ? from.data : nothing, from.len);
}

/* A failure that comes without a sentence gets ours: nobody ends in silence. */
static hr_bytes text_of(int32_t status, ProtobufCBinaryData from)
{
    const char *text = hr_status_text(hr_status_from_wire(status));
    return from.len > 0 || status == 0 ? bytes_of(from) : hr_bytes_make(text, strlen(text));
}

static bool copy_exactly(ProtobufCBinaryData from, uint8_t *to, size_t len)
{
    if (from.len != len)
        return false;
    memcpy(to, from.data, len);
    return true;
}

static void unpack_hello(const Headrace__Hello *from, hr_message_hello *to)
{
    *to = (hr_message_hello){
        .major = from->major,
        .minor = from->minor,
        .features = from->features,
        .name = bytes_of(from->name),
    };
}

static bool unpack_welcome(const Headrace__Welcome *from, hr_message_welcome *to)
{
    *to = (hr_message_welcome){
        .major = from->major,
        .minor = from->minor,
        .features = from->features,
        .session = from->session,
        .links_max = from->links_max,
        .heartbeat_ms = from->heartbeat_ms,
    };
    return copy_exactly(from->boot, to->boot, sizeof to->boot);
}

static bool unpack_list(const Headrace__List *from, hr_arena *arena, hr_message_list *to)
{
    if (from->n_folders > HR_MESSAGE_FOLDERS_MAX)
        return false;
    hr_bytes *folders = hr_arena_take(arena, from->n_folders * sizeof *folders);
    if (folders == NULL)
        return false;
    for (size_t i = 0; i < from->n_folders; i++)
        folders[i] = bytes_of(from->folders[i]);
    *to = (hr_message_list){
        .request = from->request,
        .path = bytes_of(from->path),
        .cookie = from->cookie,
        .entries_max = from->entries_max,
        .xattrs = from->xattrs,
        .folders = folders,
        .folder_count = from->n_folders,
    };
    return true;
}

static bool unpack_entries(const Headrace__Entries *from, hr_arena *arena, hr_message_entries *to)
{
    hr_message_entry *entries = hr_arena_take(arena, from->n_entries * sizeof *entries);
    if (entries == NULL)
        return false;
    for (size_t i = 0; i < from->n_entries; i++) {
        const Headrace__Entry *entry = from->entries[i];
        entries[i] = (hr_message_entry){
            .name = bytes_of(entry->name),
            .type = entry->type,
            .mode = entry->mode,
            .size = entry->size,
            .mtime_ns = entry->mtime_ns,
            .ctime_ns = entry->ctime_ns,
            .target = bytes_of(entry->target),
            .uid = entry->uid,
            .gid = entry->gid,
            .inode = entry->inode,
            .links = entry->links,
            .device = entry->device,
            .xattrs = bytes_of(entry->xattrs),
            .xattrs_lost = entry->xattrs_lost,
            .sparse = entry->sparse,
        };
    }
    *to = (hr_message_entries){
        .request = from->request,
        .status = hr_status_from_wire(from->status),
        .text = text_of(from->status, from->text),
        .cookie = from->cookie,
        .entries = entries,
        .count = from->n_entries,
        .counts = from->counts, /* in the arena */
        .folder_count = from->n_counts,
    };
    return true;
}

static void unpack_open(const Headrace__Open *from, hr_message_open *to)
{
    *to = (hr_message_open){
        .transfer = from->transfer,
        .path = bytes_of(from->path),
        .content = from->content != 0,
        .listed = from->listed != 0,
    };
}

static bool unpack_open_bundles(const Headrace__OpenBundles *from, hr_arena *arena,
                                hr_message_open_bundles *to)
{
    if (from->n_files > HR_MESSAGE_SMALL_MAX)
        return false;
    hr_message_small *files = hr_arena_take(arena, from->n_files * sizeof *files);
    if (files == NULL)
        return false;
    for (size_t i = 0; i < from->n_files; i++) {
        const Headrace__Small *file = from->files[i];
        files[i] = (hr_message_small){
            .directory = bytes_of(file->directory),
            .name = bytes_of(file->name),
            .size = file->size,
            .mtime_ns = file->mtime_ns,
            .ctime_ns = file->ctime_ns,
        };
    }
    *to = (hr_message_open_bundles){
        .transfer = from->transfer,
        .path = bytes_of(from->path),
        .files = files,
        .count = from->n_files,
    };
    return true;
}

static bool unpack_opened(const Headrace__Opened *from, hr_message_opened *to)
{
    *to = (hr_message_opened){
        .transfer = from->transfer,
        .status = hr_status_from_wire(from->status),
        .text = text_of(from->status, from->text),
    };
    if (to->status != HR_OK)
        return true;
    to->type = from->type;
    to->mode = from->mode;
    to->size = from->size;
    to->mtime_ns = from->mtime_ns;
    to->chunk_len = from->chunk_len;
    to->codec = from->codec;
    to->stored_len = from->stored_len;
    to->direct = bytes_of(from->direct);
    to->sparse = from->sparse;
    to->uid = from->uid;
    to->gid = from->gid;
    to->cipher = from->cipher;
    if (to->cipher != HR_CIPHER_NONE && !copy_exactly(from->salt, to->salt, sizeof to->salt))
        return false;
    return copy_exactly(from->identity, to->identity, sizeof to->identity);
}

static bool unpack_keys(const Headrace__Keys *from, hr_arena *arena, hr_message_keys *to)
{
    hr_region_key *regions = hr_arena_take(arena, from->n_regions * sizeof *regions);
    hr_ring_key *rings = hr_arena_take(arena, from->n_rings * sizeof *rings);
    if (regions == NULL || rings == NULL)
        return false;
    for (size_t i = 0; i < from->n_regions; i++) {
        const Headrace__Region *region = from->regions[i];
        regions[i] = (hr_region_key){
            .index = region->index,
            .address = region->address,
            .len = region->len,
            .rkey = region->rkey,
        };
    }
    for (size_t i = 0; i < from->n_rings; i++) {
        const Headrace__Ring *ring = from->rings[i];
        rings[i] = (hr_ring_key){
            .link = ring->link,
            .address = ring->address,
            .rkey = ring->rkey,
        };
    }
    *to = (hr_message_keys){
        .first_link = from->first_link,
        .links = from->links,
        .regions = regions,
        .region_count = from->n_regions,
        .rings = rings,
        .ring_count = from->n_rings,
    };
    return true;
}

static bool unpack_tickets(const Headrace__Tickets *from, hr_arena *arena, hr_message_tickets *to)
{
    hr_ticket *tickets = hr_arena_take(arena, from->n_tickets * sizeof *tickets);
    hr_rail *rails = hr_arena_take(arena, from->n_rails * sizeof *rails);
    if (tickets == NULL || rails == NULL)
        return false;
    for (size_t i = 0; i < from->n_tickets; i++) {
        tickets[i].link = from->tickets[i]->link;
        if (!copy_exactly(from->tickets[i]->ticket, tickets[i].ticket, HR_TICKET_LEN))
            return false;
    }
    for (size_t i = 0; i < from->n_rails; i++) {
        rails[i].family = bytes_of(from->rails[i]->family);
        rails[i].address = bytes_of(from->rails[i]->address);
    }
    *to = (hr_message_tickets){
        .status = hr_status_from_wire(from->status),
        .text = text_of(from->status, from->text),
        .tickets = tickets,
        .ticket_count = from->n_tickets,
        .rails = rails,
        .rail_count = from->n_rails,
    };
    return true;
}

static bool unpack_grants(const Headrace__Grants *from, hr_arena *arena, hr_message_grant *to)
{
    hr_grant *grants = hr_arena_take(arena, from->n_grants * sizeof *grants);
    if (grants == NULL)
        return false;
    for (size_t i = 0; i < from->n_grants; i++) {
        const Headrace__Grant *grant = from->grants[i];
        grants[i] = (hr_grant){
            .transfer = grant->transfer,
            .chunk = grant->chunk,
            .generation = grant->generation,
            .link = grant->link,
            .region = grant->region,
            .offset = grant->offset,
            .flags = grant->flags,
        };
    }
    *to = (hr_message_grant){.grants = grants, .count = from->n_grants};
    return true;
}

static void unpack_failed(const Headrace__Failed *from, hr_message_failed *to)
{
    *to = (hr_message_failed){
        .transfer = from->transfer,
        .chunk = from->chunk,
        .generation = from->generation,
        /* A chunk may be asked for again: that ends nothing. */
        .status = from->status == HR_AGAIN ? HR_AGAIN : hr_status_from_wire(from->status),
        .text = text_of(from->status, from->text),
    };
}

static void unpack_closed(const Headrace__Closed *from, hr_message_closed *to)
{
    *to = (hr_message_closed){
        .transfer = from->transfer,
        .status = hr_status_from_wire(from->status),
        .text = text_of(from->status, from->text),
    };
}

static void unpack_error(const Headrace__Error *from, hr_message_error *to)
{
    *to = (hr_message_error){
        .status = hr_status_from_wire(from->status),
        .text = text_of(from->status, from->text),
    };
}

static void unpack_digest(const Headrace__Digest *from, hr_message_digest *to)
{
    *to = (hr_message_digest){
        .request = from->request,
        .path = bytes_of(from->path),
        .offset = from->offset,
        .len = from->len,
    };
}

static bool unpack_digested(const Headrace__Digested *from, hr_message_digested *to)
{
    *to = (hr_message_digested){
        .request = from->request,
        .status = hr_status_from_wire(from->status),
        .text = text_of(from->status, from->text),
    };
    if (to->status != HR_OK)
        return true;
    to->size = from->size;
    to->crc32c = from->crc32c;
    return copy_exactly(from->identity, to->identity, sizeof to->identity);
}

bool hr_message_from_wire(const Headrace__Envelope *from, hr_arena *arena, hr_message *to)
{
    to->kind = (hr_message_kind)from->body_case;
    switch (to->kind) {
    case HR_MESSAGE_HELLO:
        unpack_hello(from->hello, &to->hello);
        return true;
    case HR_MESSAGE_WELCOME:
        return unpack_welcome(from->welcome, &to->welcome);
    case HR_MESSAGE_LIST:
        return unpack_list(from->list, arena, &to->list);
    case HR_MESSAGE_ENTRIES:
        return unpack_entries(from->entries, arena, &to->entries);
    case HR_MESSAGE_OPEN:
        unpack_open(from->open, &to->open);
        return true;
    case HR_MESSAGE_OPEN_BUNDLES:
        return unpack_open_bundles(from->open_bundles, arena, &to->open_bundles);
    case HR_MESSAGE_OPENED:
        return unpack_opened(from->opened, &to->opened);
    case HR_MESSAGE_KEYS:
        return unpack_keys(from->keys, arena, &to->keys);
    case HR_MESSAGE_TICKETS:
        return unpack_tickets(from->tickets, arena, &to->tickets);
    case HR_MESSAGE_GRANT:
        return unpack_grants(from->grant, arena, &to->grant);
    case HR_MESSAGE_FAILED:
        unpack_failed(from->failed, &to->failed);
        return true;
    case HR_MESSAGE_CANCEL:
        to->cancel.transfer = from->cancel->transfer;
        return true;
    case HR_MESSAGE_CLOSE:
        to->close.transfer = from->close->transfer;
        return true;
    case HR_MESSAGE_CLOSED:
        unpack_closed(from->closed, &to->closed);
        return true;
    case HR_MESSAGE_ERROR:
        unpack_error(from->error, &to->error);
        return true;
    case HR_MESSAGE_PING:
        to->ping.number = from->ping->number;
        return true;
    case HR_MESSAGE_PONG:
        to->ping.number = from->pong->number;
        return true;
    case HR_MESSAGE_JOINED:
        to->joined.link = from->joined->link;
        return true;
    case HR_MESSAGE_PARTED:
        to->parted.link = from->parted->link;
        return true;
    case HR_MESSAGE_DIGEST:
        unpack_digest(from->digest, &to->digest);
        return true;
    case HR_MESSAGE_DIGESTED:
        return unpack_digested(from->digested, &to->digested);
    case HR_MESSAGE_HINT:
        break;
    }
    return false;
}
