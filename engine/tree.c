/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a get through a tree: directories are listed one after the other and a few transfers
 * run at a time, while the listing still goes on. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "get.h"

#define TRANSFERS_MAX 8 /* at once */

void hr_tree_push(hr_get *get, const char *path)
{
    size_t len = strlen(path) + 1;
    hr_get_folder *folder = hr_alloc(get->env, sizeof *folder + len);
    if (folder == NULL) {
        hr_get_end(get, HR_NO_MEMORY, "remembering a directory: out of memory");
        return;
    }
    memcpy(folder->path, path, len);
    hr_list_append(&get->folders, &folder->node);
}

/* Names come from the server: one that could lead anywhere else is an attack or a defect. */
static bool is_plain_name(const hr_entry *entry)
{
    return entry->name_len > 0 && memchr(entry->name, '/', entry->name_len) == NULL &&
           memchr(entry->name, '\0', entry->name_len) == NULL &&
           !(entry->name[0] == '.' &&
             (entry->name_len == 1 || (entry->name_len == 2 && entry->name[1] == '.')));
}

static void take_entry(hr_get *get, const hr_entry *entry)
{
    if (!is_plain_name(entry)) {
        hr_get_end(get, HR_PROTOCOL, "the server sent a name that is none");
        return;
    }
    char path[HR_PATH_MAX];
    assert(get->listed != NULL);
    const char *base = get->listed->path;
    int len = snprintf(path, sizeof path, "%s%s%.*s", base, base[0] != '\0' ? "/" : "",
                       (int)entry->name_len, entry->name);
    if (len < 0 || (size_t)len >= sizeof path) {
        hr_get_skip(get, path, HR_INVALID, "its path is too long");
        return;
    }
    switch (entry->type) {
    case HR_ENTRY_FILE:
        get->progress.files++;
        hr_get_start_item(get, path);
        break;
    case HR_ENTRY_DIRECTORY:
    case HR_ENTRY_EXPORT:
        hr_tree_push(get, path);
        break;
    case HR_ENTRY_SYMLINK:
        hr_get_skip(get, path, HR_UNSUPPORTED, "it is a symbolic link, which is not brought yet");
        break;
    case HR_ENTRY_SPECIAL:
        hr_get_skip(get, path, HR_UNSUPPORTED, "it is neither a file nor a directory");
        break;
    }
}

static void listing_changed(void *context)
{
    hr_tree_pump(context);
}

static void start_listing(hr_get *get)
{
    char full[HR_MESSAGE_PATH_MAX + 1];
    assert(get->listed != NULL);
    const char *path = get->listed->path;
    int len = snprintf(full, sizeof full, "%s%s%s", get->path, path[0] != '\0' ? "/" : "", path);
    if (len < 0 || (size_t)len >= sizeof full) {
        hr_get_skip(get, path, HR_INVALID, "its path is too long");
        return;
    }
    hr_error error = {.status = HR_OK};
    hr_status status = hr_listing_open(get->client, full, &get->listing, &error);
    if (status != HR_OK)
        hr_get_end(get, status, "%s", error.text);
    else
        hr_listing_watch(get->listing, listing_changed, get);
}

static void made_folder_closed(hr_io *io)
{
    hr_get *get = io->context;
    get->io_busy = false;
    if (!get->ending)
        start_listing(get);
    hr_tree_pump(get);
}

static void made_folder(hr_io *io)
{
    hr_get *get = io->context;
    if (io->status != HR_OK) {
        get->io_busy = false;
        hr_get_skip(get, get->listed->path, io->status, "its directory cannot be made");
        hr_release(get->env, get->listed);
        get->listed = NULL;
        hr_tree_pump(get);
        return;
    }
    get->io = (hr_io){
        .kind = HR_IO_CLOSE_DIR,
        .dir = io->dir_out,
        .done = made_folder_closed,
        .context = get,
    };
    hr_storage_submit(hr_get_home(get)->storage, &get->io);
}

/* Each directory is made before it is listed, so that empty ones are kept too. */
static void next_folder(hr_get *get)
{
    hr_list *node = hr_list_take_first(&get->folders);
    if (node == NULL)
        return;
    get->listed = HR_CONTAINER(node, hr_get_folder, node);
    if (get->dir == NULL || get->options.dry_run || get->listed->path[0] == '\0') {
        start_listing(get);
        return;
    }
    get->io_busy = true;
    get->io = (hr_io){
        .kind = HR_IO_OPEN_DIR,
        .flags = HR_IO_CREATE | HR_IO_NO_SYMLINKS,
        .dir = get->dir,
        .path = get->listed->path,
        .done = made_folder,
        .context = get,
    };
    hr_storage_submit(hr_get_home(get)->storage, &get->io);
}

static void finish_listing(hr_get *get)
{
    const hr_error *error = hr_listing_error(get->listing);
    assert(get->listed != NULL);
    if (hr_listing_status(get->listing) != HR_OK) {
        if (get->client->status != HR_OK || get->listed->path[0] == '\0')
            hr_get_end(get, error->status, "%s", error->text);
        else
            hr_get_skip(get, get->listed->path, error->status, error->text);
    }
    hr_listing_destroy(get->listing);
    get->listing = NULL;
    hr_release(get->env, get->listed);
    get->listed = NULL;
}

static bool is_listed(const hr_get *get)
{
    return get->listing == NULL && hr_list_is_empty(&get->folders);
}

/* Nothing is begun with a client that has failed, as it would never be answered. What was begun
 * before ends by itself, well or badly, and after that the request, if there is more of it. */
static bool is_cut_off(hr_get *get)
{
    const hr_client *client = get->client;
    if (client->status == HR_OK)
        return false;
    if (get->item_count == 0)
        hr_get_end(get, client->error.status, "%s", client->error.text);
    return true;
}

/* Goes on with a tree as far as there is room. */
void hr_tree_pump(hr_get *get)
{
    while (get->is_tree && !get->ending && !get->io_busy && get->item_count < TRANSFERS_MAX &&
           !is_listed(get) && !is_cut_off(get)) {
        hr_entry entry;
        if (get->listing == NULL)
            next_folder(get);
        else if (hr_listing_next(get->listing, &entry))
            take_entry(get, &entry);
        else if (hr_listing_status(get->listing) != HR_AGAIN)
            finish_listing(get);
        else
            break;
    }
    get->progress.listing = get->is_tree && !is_listed(get);
    hr_get_finish_if_over(get);
}
