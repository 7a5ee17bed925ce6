/* SPDX-License-Identifier: Apache-2.0 */
/* hr_listing: a directory of the server, page after page, or a page of many of them. A few pages of
 * a client are under way at a time, of one listing each; other listings wait for their turn. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "client.h"

/* A server that lives and does not answer. */
#define PATIENCE_NS (60 * HR_NS_PER_S)

struct hr_listing {
    hr_client *client;
    hr_client_waiter waiter;
    hr_list node; /* in client->listing or client->listings */
    uint32_t request;
    hr_status status;
    hr_error error;
    uint64_t cookie;
    uint8_t *page; /* of packed_entry: the entries of the last page, copied */
    size_t page_len, page_at;
    size_t folders_end; /* on the page; behind it there are none */
    char *names;        /* of many: their names below path, each with a 0 behind it */
    size_t names_len, name_count;
    uint32_t *counts; /* of many, on the page: entries of each */
    size_t count, turn;
    uint32_t left; /* of the one whose turn it is */
    bool last_page, asked, sent, abandoned, xattrs;
    bool watched; /* no get has an eye on it */
    hr_timer patience;
    void (*changed)(void *context); /* may be NULL */
    void *context;
    char path[HR_MESSAGE_PATH_MAX + 1];
};

typedef struct packed_entry {
    uint32_t size; /* of this record */
    uint32_t name_len;
    uint64_t bytes;
    int64_t mtime_ns, ctime_ns;
    uint64_t inode, device;
    uint32_t uid, gid;
    uint32_t mode;
    uint32_t type;
    uint32_t xattrs_len;
    bool xattrs_lost, sparse;
    char name[]; /* then a 0, then the target and a 0, then the extended attributes */
} packed_entry;

static size_t packed_size(const hr_message_entry *entry)
{
    return (sizeof(packed_entry) + entry->name.len + entry->target.len + entry->xattrs.len + 2 +
            7) &
           ~(size_t)7;
}

static void release(hr_listing *listing)
{
    const hr_env *env = listing->client->env;
    hr_release(env, listing->page);
    hr_release(env, listing->names);
    hr_release(env, listing->counts);
    hr_release(env, listing);
}

/* What was asked for has come to an end: somebody waits for that, or nobody any more. */
static void answered(hr_listing *listing)
{
    listing->asked = false;
    hr_loop_timer_clear(hr_engine_home(listing->client->engine)->loop, &listing->patience);
    if (listing->abandoned)
        release(listing);
    else if (listing->changed != NULL)
        listing->changed(listing->context);
}

static void fail(hr_listing *listing, hr_status status, const char *text)
{
    if (listing->status == HR_AGAIN)
        listing->status = hr_error_set(&listing->error, status, "%s", text);
    answered(listing);
}

void hr_listing_fail_all(hr_client *client, hr_status status, const char *text)
{
    hr_list *node;
    client->listing_count = 0;
    while ((node = hr_list_take_first(&client->listing)) != NULL ||
           (node = hr_list_take_first(&client->listings)) != NULL) {
        hr_listing *listing = HR_CONTAINER(node, hr_listing, node);
        listing->sent = false;
        fail(listing, status, text);
    }
}

/* Has the server list while it sends, and while the answer is looked at here. */
static unsigned most_under_way(const hr_client *client)
{
    return (client->features & HR_FEATURE_LISTS) != 0 ? HR_MESSAGE_LISTS_MAX : 1;
}

static void is_late(hr_timer *timer)
{
    hr_client *client = HR_CONTAINER(timer, hr_listing, patience)->client;
    hr_control_close(&client->control, HR_STALLED,
                     "%s did not answer for %llu s when it was asked for a directory",
                     client->address, (unsigned long long)(PATIENCE_NS / HR_NS_PER_S));
}

static void be_patient(hr_listing *listing)
{
    hr_client *client = listing->client;
    hr_loop *loop = hr_engine_home(client->engine)->loop;
    if (listing->watched &&
        hr_loop_timer_set(loop, &listing->patience, hr_now_ns(client->env) + PATIENCE_NS) != HR_OK)
        hr_control_close(&client->control, HR_NO_MEMORY, "asking for a directory: out of memory");
}

static void ask(hr_listing *listing)
{
    hr_client *client = listing->client;
    listing->asked = true;
    if (client->listing_count >= most_under_way(client)) {
        hr_list_append(&client->listings, &listing->node);
        return;
    }
    client->listing_count++;
    hr_list_append(&client->listing, &listing->node);
    listing->sent = true;
    listing->request = ++client->next_request;
    hr_bytes folders[HR_MESSAGE_FOLDERS_MAX];
    const char *name = listing->names;
    for (size_t i = 0; i < listing->name_count; i++, name += strlen(name) + 1)
        folders[i] = hr_bytes_make(name, strlen(name));
    hr_client_send(client, &(hr_message){
                               .kind = HR_MESSAGE_LIST,
                               .list = {.request = listing->request,
                                        .path = hr_bytes_make(listing->path, strlen(listing->path)),
                                        .cookie = listing->cookie,
                                        .entries_max = HR_MESSAGE_ENTRIES_MAX,
                                        .xattrs = listing->xattrs,
                                        .folders = folders,
                                        .folder_count = listing->name_count},
                           });
    be_patient(listing);
}

static uint32_t entry_type(uint32_t node_type)
{
    switch (node_type) {
    case HR_NODE_REGULAR:
        return HR_ENTRY_FILE;
    case HR_NODE_DIRECTORY:
        return HR_ENTRY_DIRECTORY;
    case HR_NODE_SYMLINK:
        return HR_ENTRY_SYMLINK;
    default:
        return HR_ENTRY_SPECIAL;
    }
}

static bool copy_page(hr_listing *listing, const hr_message_entries *page)
{
    size_t len = 0;
    for (size_t i = 0; i < page->count; i++)
        len += packed_size(&page->entries[i]);
    hr_release(listing->client->env, listing->page);
    listing->page = hr_alloc(listing->client->env, len + 8);
    if (listing->page == NULL)
        return false;
    listing->page_len = len;
    listing->page_at = listing->folders_end = 0;
    uint8_t *at = listing->page;
    for (size_t i = 0; i < page->count; i++) {
        const hr_message_entry *from = &page->entries[i];
        packed_entry *to = (void *)at;
        to->size = (uint32_t)packed_size(from);
        to->name_len = (uint32_t)from->name.len;
        to->bytes = from->size;
        to->mtime_ns = from->mtime_ns;
        to->ctime_ns = from->ctime_ns;
        to->inode = from->inode;
        to->device = from->device;
        to->uid = from->uid;
        to->gid = from->gid;
        to->mode = from->mode;
        to->type = listing->path[0] == '\0' ? (uint32_t)HR_ENTRY_EXPORT : entry_type(from->type);
        memcpy(to->name, from->name.at, from->name.len);
        if (from->target.len > 0) /* the page was zeroed */
            memcpy(to->name + from->name.len + 1, from->target.at, from->target.len);
        char *xattrs = to->name + from->name.len + from->target.len + 2;
        if (from->xattrs.len > 0)
            memcpy(xattrs, from->xattrs.at, from->xattrs.len);
        to->xattrs_len = (uint32_t)from->xattrs.len;
        to->xattrs_lost = from->xattrs_lost;
        to->sparse = from->sparse;
        at += to->size;
        if (to->type == HR_ENTRY_DIRECTORY || to->type == HR_ENTRY_EXPORT)
            listing->folders_end = (size_t)(at - listing->page);
    }
    return true;
}

/* Of many: how many entries each of them has. */
static hr_status take_counts(hr_listing *listing, const hr_message_entries *page)
{
    size_t len = page->folder_count * sizeof *listing->counts;
    listing->counts = hr_alloc(listing->client->env, len);
    if (listing->counts == NULL)
        return hr_error_set(&listing->error, HR_NO_MEMORY,
                            "keeping a page of the listing: out of memory");
    memcpy(listing->counts, page->counts, len);
    listing->count = page->folder_count;
    listing->left = listing->counts[0];
    if (page->status != HR_OK)
        hr_error_set(&listing->error, page->status, "%.*s", (int)page->text.len,
                     (const char *)page->text.at);
    return HR_AGAIN;
}

/* Some of the directories that were asked for, if many were. */
static bool is_answer(const hr_listing *listing, const hr_message_entries *page)
{
    return page->folder_count <= listing->name_count &&
           (page->folder_count == 0) == (listing->name_count == 0);
}

static hr_status take_page(hr_listing *listing, const hr_message_entries *page)
{
    if (page->status != HR_OK && listing->name_count == 0)
        return hr_error_set(&listing->error, page->status, "%.*s", (int)page->text.len,
                            (const char *)page->text.at);
    if (page->count == 0 && page->cookie != 0) /* of many too: there is room for one */
        return hr_error_set(&listing->error, HR_PROTOCOL,
                            "the server sent an empty page that is not the last");
    if (!copy_page(listing, page))
        return hr_error_set(&listing->error, HR_NO_MEMORY,
                            "keeping a page of the listing: out of memory");
    listing->cookie = page->cookie;
    listing->last_page = page->cookie == 0;
    if (listing->name_count > 0)
        return take_counts(listing, page);
    return listing->last_page && page->count == 0 ? HR_OK : HR_AGAIN;
}

static hr_listing *find_asked(hr_client *client, uint32_t request)
{
    for (hr_list *node = client->listing.next; node != &client->listing; node = node->next) {
        hr_listing *listing = HR_CONTAINER(node, hr_listing, node);
        if (listing->request == request)
            return listing;
    }
    return NULL;
}

/* The next question leaves before anything is done with the answer. */
void hr_listing_take(hr_client *client, const hr_message_entries *page)
{
    hr_listing *listing = find_asked(client, page->request);
    if (listing == NULL || !is_answer(listing, page)) { /* fails it with all others */
        hr_client_fail(client, HR_PROTOCOL,
                       listing == NULL ? "%s listed a directory that nobody asked for"
                                       : "%s listed other directories than it was asked for",
                       client->address);
        return;
    }
    hr_list_remove(&listing->node);
    client->listing_count--;
    listing->sent = false;
    hr_list *node = hr_list_take_first(&client->listings);
    if (node != NULL)
        ask(HR_CONTAINER(node, hr_listing, node));
    if (!listing->abandoned)
        listing->status = take_page(listing, page);
    answered(listing);
}

bool hr_listing_next(hr_listing *listing, hr_entry *entry_out)
{
    if (listing->page == NULL || listing->asked || listing->status != HR_AGAIN)
        return false;
    if (listing->name_count > 0) {
        if (listing->left == 0)
            return false;
        listing->left--;
    } else if (listing->page_at == listing->page_len) { /* all of it was taken */
        const hr_client *client = listing->client;
        if (listing->last_page)
            listing->status = HR_OK;
        else if (client->status != HR_OK) /* it ended since the page came: nobody would answer */
            listing->status =
                hr_error_set(&listing->error, client->error.status, "%s", client->error.text);
        else
            ask(listing);
        return false;
    }
    const packed_entry *entry = (const void *)(listing->page + listing->page_at);
    listing->page_at += entry->size;
    const char *target = entry->name + entry->name_len + 1;
    *entry_out = (hr_entry){
        .name = entry->name,
        .name_len = entry->name_len,
        .type = (hr_entry_type)entry->type,
        .mode = entry->mode,
        .size = entry->bytes,
        .mtime_ns = entry->mtime_ns,
        .ctime_ns = entry->ctime_ns,
        .target = target,
        .uid = entry->uid,
        .gid = entry->gid,
        .inode = entry->inode,
        .device = entry->device,
        .xattrs = target + strlen(target) + 1,
        .xattrs_len = entry->xattrs_len,
        .xattrs_lost = entry->xattrs_lost,
        .sparse = entry->sparse,
    };
    return true;
}

/* Of many: the one whose turn it is is the last of them, and all of it was taken. */
static bool is_at_last_end(const hr_listing *listing)
{
    return listing->counts != NULL && listing->left == 0 && listing->turn + 1 == listing->count;
}

hr_status hr_listing_status(const hr_listing *listing)
{
    if (listing->counts == NULL)
        return listing->status;
    if (is_at_last_end(listing) && listing->error.status != HR_OK)
        return listing->error.status;
    return listing->left > 0 || hr_listing_is_at_page_end(listing) ? HR_AGAIN : HR_OK;
}

size_t hr_listing_turns(const hr_listing *listing)
{
    return listing->counts != NULL ? listing->count - listing->turn - 1 : 0;
}

bool hr_listing_turn(hr_listing *listing)
{
    if (hr_listing_turns(listing) == 0)
        return false;
    listing->left = listing->counts[++listing->turn];
    return true;
}

static void settled(hr_client_waiter *waiter)
{
    hr_listing *listing = HR_CONTAINER(waiter, hr_listing, waiter);
    hr_client *client = listing->client;
    hr_error error = client->error;
    if (client->status == HR_OK &&
        hr_client_check_path(client, strlen(listing->path), &error) == HR_OK)
        ask(listing);
    else
        fail(listing, error.status, error.text);
}

static hr_status open_listing(hr_client *client, const char *path, hr_listing **listing_out,
                              hr_error *error)
{
    if (strlen(path) > HR_MESSAGE_PATH_MAX)
        return hr_error_set(error, HR_INVALID, "the path is longer than %u bytes",
                            HR_MESSAGE_PATH_MAX);
    hr_listing *listing = hr_alloc(client->env, sizeof *listing);
    if (listing == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "listing: out of memory");
    listing->client = client;
    listing->status = HR_AGAIN;
    memcpy(listing->path, path, strlen(path) + 1);
    hr_list_init(&listing->node);
    listing->waiter.settled = settled;
    listing->patience.fire = is_late;
    *listing_out = listing;
    return HR_OK;
}

hr_status hr_listing_open_at(hr_client *client, const hr_listing_place *place,
                             hr_listing **listing_out, hr_error *error)
{
    hr_status status = open_listing(client, place->path, listing_out, error);
    if (status != HR_OK)
        return status;
    hr_listing *listing = *listing_out;
    listing->cookie = place->cookie;
    listing->xattrs = place->xattrs;
    listing->name_count = place->name_count;
    if (place->name_count > 0) {
        listing->names = hr_alloc(client->env, place->names_len);
        if (listing->names == NULL) {
            release(listing);
            *listing_out = NULL;
            return hr_error_set(error, HR_NO_MEMORY, "listing: out of memory");
        }
        memcpy(listing->names, place->names, place->names_len);
    }
    hr_client_wait(client, &listing->waiter);
    return HR_OK;
}

hr_status hr_listing_open(hr_client *client, const char *path, hr_listing **listing_out,
                          hr_error *error)
{
    hr_status status = open_listing(client, path, listing_out, error);
    if (status != HR_OK)
        return status;
    (*listing_out)->watched = true;
    hr_client_wait(client, &(*listing_out)->waiter);
    return HR_OK;
}

bool hr_listing_is_at_page_end(const hr_listing *listing)
{
    if (listing->name_count > 0)
        return is_at_last_end(listing) && listing->cookie != 0 && listing->error.status == HR_OK;
    return listing->page != NULL && !listing->asked && listing->status == HR_AGAIN &&
           listing->page_at == listing->page_len && !listing->last_page;
}

bool hr_listing_is_past_folders(const hr_listing *listing)
{
    return listing->page != NULL && !listing->asked && listing->page_at >= listing->folders_end;
}

uint64_t hr_listing_cookie(const hr_listing *listing)
{
    return listing->cookie;
}

const hr_error *hr_listing_error(const hr_listing *listing)
{
    return &listing->error;
}

void hr_listing_watch(hr_listing *listing, void (*changed)(void *context), void *context)
{
    listing->changed = changed;
    listing->context = context;
}

void hr_listing_destroy(hr_listing *listing)
{
    if (listing == NULL)
        return;
    if (listing->sent) {
        listing->abandoned = true; /* released when its page comes */
        return;
    }
    hr_list_remove(&listing->node);
    if (listing->client->status == HR_AGAIN)
        hr_list_remove(&listing->waiter.node);
    release(listing);
}
