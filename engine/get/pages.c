/* SPDX-License-Identifier: Apache-2.0 */
/* The pages of a tree's listing, each of as many directories as it has room for, and which comes
 * next. */
#include <stdio.h>
#include <string.h>

#include "get.h"

static void listing_changed(void *context)
{
    hr_tree_pump(context);
}

/* A page that is to be asked for: of the first from cookie on, then of those from next on up to
 * end, as far as they fit. */
typedef struct page_place {
    const hr_folder *folder;
    uint64_t cookie;
    hr_list *next, *end;
} page_place;

/* Adds the name of one; false: there is no room for it. */
static bool add_name(const hr_get *get, const hr_folder *folder, hr_listing_place *place,
                     char names[HR_PATH_MAX])
{
    char path[HR_PATH_MAX];
    size_t room = HR_PATH_MAX - strlen(get->path) - place->names_len;
    if (place->name_count == HR_MESSAGE_FOLDERS_MAX || hr_folder_path(folder, path) != HR_OK ||
        strlen(path) >= room)
        return false;
    memcpy(names + place->names_len, path, strlen(path) + 1);
    place->names_len += strlen(path) + 1;
    place->name_count++;
    return true;
}

static hr_status open_many(hr_get *get, const page_place *page, hr_listing **listing_out,
                           hr_error *error)
{
    char names[HR_PATH_MAX];
    hr_listing_place place = {
        .path = get->path, .cookie = page->cookie, .xattrs = get->options.owner, .names = names};
    bool room = add_name(get, page->folder, &place, names);
    for (hr_list *node = page->next; room && node != page->end; node = node->next) {
        const hr_get_folder *pending = HR_CONTAINER(node, hr_get_folder, node);
        room = pending->cookie == 0 && add_name(get, pending->folder, &place, names);
    }
    if (place.name_count == 0)
        return hr_error_set(error, HR_INVALID, "its path is too long");
    return hr_listing_open_at(get->client, &place, listing_out, error);
}

static hr_status open_one(hr_get *get, const page_place *page, hr_listing **listing_out,
                          hr_error *error)
{
    char path[HR_PATH_MAX], full[HR_MESSAGE_PATH_MAX + 1];
    hr_status status = hr_folder_path(page->folder, path);
    int len = snprintf(full, sizeof full, "%s%s%s", get->path, path[0] != '\0' ? "/" : "", path);
    if (status != HR_OK || len < 0 || (size_t)len >= sizeof full)
        return hr_error_set(error, HR_INVALID, "its path is too long");
    return hr_listing_open_at(
        get->client,
        &(hr_listing_place){.path = full, .cookie = page->cookie, .xattrs = get->options.owner},
        listing_out, error);
}

/* The tree itself is not below itself. */
static hr_status open_listing(hr_get *get, const page_place *page, hr_listing **listing_out,
                              hr_error *error)
{
    bool many = (get->client->features & HR_FEATURE_FOLDERS) != 0 && page->folder->parent != NULL;
    hr_status status =
        many ? open_many(get, page, listing_out, error) : open_one(get, page, listing_out, error);
    if (status == HR_OK)
        hr_listing_watch(*listing_out, listing_changed, get);
    return status;
}

static void drop_ahead(hr_get *get)
{
    hr_listing_destroy(get->ahead.listing);
    get->ahead.listing = NULL;
}

void hr_pages_open(hr_get *get)
{
    hr_get_folder *first = HR_CONTAINER(get->folders.next, hr_get_folder, node);
    hr_get_ahead *ahead = &get->ahead;
    get->folders_mark = get->folders.next;
    if (ahead->listing != NULL && ahead->folder == first->folder &&
        ahead->cookie == first->cookie) {
        get->listing = ahead->listing;
        ahead->listing = NULL;
        return;
    }
    drop_ahead(get);
    const page_place page = {first->folder, first->cookie, first->node.next, &get->folders};
    hr_error error = {.status = HR_OK};
    hr_status status = open_listing(get, &page, &get->listing, &error);
    if (status != HR_OK)
        hr_get_end(get, status, "%s", error.text);
}

/* What comes after the page: what was found on it, else the rest of it, else what is behind it.
 * False: nothing that is known. */
static bool find_next(hr_get *get, page_place *next_out)
{
    uint64_t cookie = hr_listing_cookie(get->listing);
    const hr_get_folder *first = get->listed;
    hr_list *node = get->folders_mark, *end = &get->folders;
    if (get->folders.next != node) {
        end = node;
        node = get->folders.next;
        cookie = 0;
    } else {
        for (size_t turns = hr_listing_turns(get->listing); turns > 0; turns--) {
            first = HR_CONTAINER(node, hr_get_folder, node);
            node = node->next;
        }
    }
    if (cookie == 0 && node == end)
        return false;
    if (cookie == 0) {
        first = HR_CONTAINER(node, hr_get_folder, node);
        cookie = first->cookie;
        node = node->next;
    }
    *next_out = (page_place){first->folder, cookie, node, end};
    return true;
}

void hr_pages_look_ahead(hr_get *get)
{
    page_place next;
    hr_error error;
    if (get->ahead.listing != NULL || get->listing == NULL || get->listed == NULL ||
        !hr_listing_is_past_folders(get->listing) || !find_next(get, &next) ||
        open_listing(get, &next, &get->ahead.listing, &error) != HR_OK)
        return; /* it will be told in its turn why it cannot be listed */
    get->ahead.folder = next.folder;
    get->ahead.cookie = next.cookie;
}

void hr_pages_drop(hr_get *get)
{
    drop_ahead(get);
    hr_listing_destroy(get->listing);
    get->listing = NULL;
}
