/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of docs/PROTOCOL.md, for what comes from outside and for what we are about to say. */
#include "bundle.h"
#include "chunk.h"
#include "message.h"
#include "transport.h"

static bool holds_zero(hr_bytes bytes)
{
    return bytes.len > 0 && memchr(bytes.at, 0, bytes.len) != NULL;
}

static bool is_path(hr_bytes path)
{
    return path.len <= HR_MESSAGE_PATH_MAX && !holds_zero(path);
}

static bool is_text(hr_bytes text)
{
    return text.len <= HR_MESSAGE_TEXT_MAX;
}

/* One component that can be created beneath a directory and nowhere else. */
static bool is_name(hr_bytes name)
{
    bool is_dots = (name.len == 1 || name.len == 2) && memcmp(name.at, "..", name.len) == 0;
    return name.len > 0 && name.len <= HR_MESSAGE_NAME_MAX && !is_dots && !holds_zero(name) &&
           memchr(name.at, '/', name.len) == NULL;
}

static bool is_version(uint32_t major, uint32_t minor)
{
    return major <= UINT16_MAX && minor <= UINT16_MAX;
}

static bool check_hello(const hr_message_hello *hello)
{
    return is_version(hello->major, hello->minor) && hello->name.len <= HR_MESSAGE_NAME_MAX;
}

static bool check_welcome(const hr_message_welcome *welcome)
{
    return is_version(welcome->major, welcome->minor) && welcome->links_max > 0 &&
           welcome->heartbeat_ms >= HR_MESSAGE_HEARTBEAT_MS_MIN &&
           welcome->heartbeat_ms <= HR_MESSAGE_HEARTBEAT_MS_MAX;
}

/* Each entry is of one of them, and of one that failed there is none. */
static bool check_counts(const hr_message_entries *page)
{
    uint64_t sum = 0;
    if (page->folder_count > HR_MESSAGE_FOLDERS_MAX)
        return false;
    for (size_t i = 0; i < page->folder_count; i++)
        sum += page->counts[i];
    return sum == page->count &&
           (page->status == HR_OK || page->counts[page->folder_count - 1] == 0);
}

static bool check_entries(const hr_message_entries *page)
{
    if (!is_text(page->text) || page->count > HR_MESSAGE_ENTRIES_MAX)
        return false;
    for (size_t i = 0; i < page->count; i++) {
        const hr_message_entry *entry = &page->entries[i];
        if (!is_name(entry->name) || entry->target.len > HR_MESSAGE_TARGET_MAX ||
            holds_zero(entry->target) || entry->type == 0 || entry->mode > 07777 ||
            entry->size > INT64_MAX || entry->xattrs.len > HR_MESSAGE_XATTRS_MAX)
            return false;
    }
    return page->folder_count == 0 || check_counts(page);
}

/* "a/b": names, each as in a listing, below the path of the message. "." is that path itself. */
static bool is_directory_below(hr_bytes directory)
{
    if (!is_path(directory))
        return false;
    if (directory.len == 1 && directory.at[0] == '.')
        return true;
    for (size_t at = 0; at < directory.len;) {
        const uint8_t *slash = memchr(directory.at + at, '/', directory.len - at);
        size_t len = slash == NULL ? directory.len - at : (size_t)(slash - directory.at) - at;
        if (!is_name(hr_bytes_make(directory.at + at, len)) ||
            (slash != NULL && at + len + 1 == directory.len))
            return false;
        at += len + (slash != NULL);
    }
    return true;
}

static bool check_list(const hr_message_list *list)
{
    if (!is_path(list->path) || list->entries_max == 0 ||
        list->entries_max > HR_MESSAGE_ENTRIES_MAX || list->folder_count > HR_MESSAGE_FOLDERS_MAX ||
        (list->folder_count > 0 && list->path.len == 0))
        return false;
    for (size_t i = 0; i < list->folder_count; i++) {
        hr_bytes folder = list->folders[i];
        if (folder.len == 0 || !is_directory_below(folder) ||
            list->path.len + 1 + folder.len > HR_MESSAGE_PATH_MAX)
            return false;
    }
    return true;
}

static bool check_open_bundles(const hr_message_open_bundles *open)
{
    if (open->path.len == 0 || !is_path(open->path) || open->count == 0 ||
        open->count > HR_MESSAGE_SMALL_MAX || open->files[0].directory.len == 0)
        return false;
    for (size_t i = 0; i < open->count; i++) {
        const hr_message_small *file = &open->files[i];
        if (!is_name(file->name) || !is_directory_below(file->directory) ||
            file->size > HR_BUNDLE_FILE_MAX)
            return false;
    }
    return true;
}

static bool is_openable(uint32_t type)
{
    return type == HR_NODE_REGULAR || type == HR_NODE_DIRECTORY;
}

/* Of a packed shard it is the packer's choice, but chunks are written into files as pages. */
static bool is_chunk_len(uint32_t len, bool packed)
{
    return len == HR_CHUNK_LEN ||
           (packed && len != 0 && len < HR_CHUNK_LEN && len % HR_CHUNK_LEN_UNIT == 0);
}

static bool check_direct(const hr_message_opened *opened)
{
    uint64_t chunks = hr_chunk_count(opened->size, opened->chunk_len);
    return opened->direct.len == 0 ||
           (opened->codec != 0 && opened->direct.len == (chunks + 7) / 8 &&
            opened->direct.len <= HR_MESSAGE_DIRECT_MAX);
}

static bool check_opened(const hr_message_opened *opened)
{
    if (!is_text(opened->text))
        return false;
    if (opened->status != HR_OK)
        return true;
    return is_openable(opened->type) && opened->mode <= 07777 && opened->codec <= UINT8_MAX &&
           opened->cipher <= UINT8_MAX && is_chunk_len(opened->chunk_len, opened->codec != 0) &&
           hr_chunk_count(opened->size, opened->chunk_len) <= HR_CHUNKS_MAX && check_direct(opened);
}

static bool check_keys(const hr_message_keys *keys)
{
    if (keys->links > HR_MESSAGE_LINKS_MAX || keys->first_link > UINT32_MAX - keys->links ||
        keys->region_count > HR_MESSAGE_REGIONS_MAX || keys->ring_count > HR_MESSAGE_LINKS_MAX ||
        (keys->links == 0 && keys->region_count == 0 && keys->ring_count == 0))
        return false;
    for (size_t i = 0; i < keys->region_count; i++) {
        const hr_region_key *region = &keys->regions[i];
        if (region->len == 0 || region->address > UINT64_MAX - region->len)
            return false;
    }
    return true;
}

static bool check_tickets(const hr_message_tickets *tickets)
{
    if (!is_text(tickets->text) || tickets->ticket_count > HR_MESSAGE_LINKS_MAX ||
        tickets->rail_count > HR_MESSAGE_RAILS_MAX ||
        (tickets->ticket_count > 0 && tickets->rail_count == 0))
        return false;
    for (size_t i = 0; i < tickets->rail_count; i++) {
        const hr_rail *rail = &tickets->rails[i];
        if (rail->family.len == 0 || rail->family.len > HR_MESSAGE_FAMILY_MAX ||
            holds_zero(rail->family) || rail->address.len > HR_MESSAGE_ADDRESS_MAX ||
            holds_zero(rail->address))
            return false;
    }
    return true;
}

static bool check_grant(const hr_message_grant *grant)
{
    if (grant->count == 0 || grant->count > HR_MESSAGE_GRANTS_MAX)
        return false;
    for (size_t i = 0; i < grant->count; i++) {
        const hr_grant *one = &grant->grants[i];
        if (one->chunk >= HR_CHUNKS_MAX || one->offset > INT64_MAX ||
            (one->flags & ~(uint32_t)HR_GRANT_COMPLAIN) != 0)
            return false;
    }
    return true;
}

static bool check_failed(const hr_message_failed *failed)
{
    return failed->chunk < HR_CHUNKS_MAX && failed->status != HR_OK && is_text(failed->text);
}

static bool check_digest(const hr_message_digest *digest)
{
    return digest->path.len > 0 && is_path(digest->path) && digest->offset <= INT64_MAX &&
           digest->offset % HR_CHUNK_LEN == 0 && digest->len > 0 &&
           digest->len <= HR_MESSAGE_DIGEST_MAX;
}

static bool is_within_limits(const hr_message *message)
{
    switch (message->kind) {
    case HR_MESSAGE_HELLO:
        return check_hello(&message->hello);
    case HR_MESSAGE_WELCOME:
        return check_welcome(&message->welcome);
    case HR_MESSAGE_LIST:
        return check_list(&message->list);
    case HR_MESSAGE_ENTRIES:
        return check_entries(&message->entries);
    case HR_MESSAGE_OPEN:
        return message->open.path.len > 0 && is_path(message->open.path);
    case HR_MESSAGE_OPEN_BUNDLES:
        return check_open_bundles(&message->open_bundles);
    case HR_MESSAGE_OPENED:
        return check_opened(&message->opened);
    case HR_MESSAGE_KEYS:
        return check_keys(&message->keys);
    case HR_MESSAGE_TICKETS:
        return check_tickets(&message->tickets);
    case HR_MESSAGE_GRANT:
        return check_grant(&message->grant);
    case HR_MESSAGE_FAILED:
        return check_failed(&message->failed);
    case HR_MESSAGE_CLOSED:
        return is_text(message->closed.text);
    case HR_MESSAGE_ERROR:
        return message->error.status != HR_OK && is_text(message->error.text);
    case HR_MESSAGE_CANCEL:
    case HR_MESSAGE_CLOSE:
    case HR_MESSAGE_PING:
    case HR_MESSAGE_PONG:
    case HR_MESSAGE_JOINED:
    case HR_MESSAGE_PARTED:
        return true;
    case HR_MESSAGE_DIGEST:
        return check_digest(&message->digest);
    case HR_MESSAGE_DIGESTED:
        return is_text(message->digested.text);
    case HR_MESSAGE_HINT:
        break;
    }
    return false;
}

hr_status hr_message_check(const hr_message *message)
{
    return is_within_limits(message) ? HR_OK : HR_INVALID;
}
