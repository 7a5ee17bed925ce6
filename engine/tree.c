/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a get through a tree: directories are listed one after the other and a few transfers
 * run at a time, while the listing still goes on. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "get.h"

static hr_get_folder *make_folder(hr_get *get, const char *path)
{
    size_t len = strlen(path) + 1;
    hr_get_folder *folder = hr_alloc(get->env, sizeof *folder + len);
    if (folder == NULL)
        hr_get_end(get, HR_NO_MEMORY, "remembering a directory: out of memory");
    else
        memcpy(folder->path, path, len);
    return folder;
}

/* Before all that were remembered when the page began, so that what a directory holds comes before
 * what lies beside it: never more are remembered than a page of each level above. */
void hr_tree_push(hr_get *get, const char *path)
{
    hr_get_folder *folder = make_folder(get, path);
    if (folder != NULL)
        hr_list_append(get->folders_mark, &folder->node);
}

/* The directories of a page are gone through before the next page is asked for. */
static void put_off_pages(hr_get *get)
{
    assert(get->listed != NULL);
    hr_get_folder *rest = get->listed;
    rest->cookie = hr_listing_cookie(get->listing);
    hr_listing_destroy(get->listing);
    get->listing = NULL;
    get->listed = NULL;
    hr_list_append(get->folders_mark, &rest->node);
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
    if (hr_stage_is_at(path)) {
        hr_get_skip(get, path, HR_POLICY,
                    "this name is where headrace keeps what has no name yet; a get that was killed "
                    "left it in the source");
        return;
    }
    switch (entry->type) {
    case HR_ENTRY_FILE:
        hr_sift_add(get, path, entry);
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
    get->folders_mark = get->folders.next;
    hr_status status =
        hr_listing_open_at(get->client, full, get->listed->cookie, &get->listing, &error);
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
    bool is_there = get->listed->path[0] == '\0' || get->listed->cookie != 0;
    if (get->dir == NULL || get->options.dry_run || is_there) {
        start_listing(get);
        return;
    }
    unsigned unsynced = get->flow.syncs_all ? HR_IO_UNSYNCED : 0;
    get->flow.directories_unsynced |= unsynced != 0;
    get->io_busy = true;
    get->io = (hr_io){
        .kind = HR_IO_OPEN_DIR,
        .flags = HR_IO_CREATE | HR_IO_NO_SYMLINKS | unsynced,
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

bool hr_tree_is_listed(const hr_get *get)
{
    return get->listing == NULL && hr_list_is_empty(&get->folders) &&
           (get->sift == NULL || get->sift->count == 0);
}

/* Nothing is begun with a client that has failed, as it would never be answered. What was begun
 * before ends by itself, well or badly, and after that the request, if there is more of it. */
static bool is_cut_off(hr_get *get)
{
    const hr_client *client = get->client;
    if (client->status == HR_OK)
        return false;
    const hr_flow *flow = &get->flow;
    bool idle = get->item_count == 0 && flow->moving_count == 0 && !flow->stage.busy;
    bool more = !hr_tree_is_listed(get) || flow->collecting != NULL || flow->waiting_count > 0;
    if (idle && more)
        hr_get_end(get, client->error.status, "%s", client->error.text);
    return true;
}

/* One step of the listing. False: it has to wait, or there is no more of it. */
static bool go_on_listing(hr_get *get)
{
    hr_entry entry;
    if (get->listing == NULL && hr_list_is_empty(&get->folders))
        return false;
    if (get->listing == NULL)
        next_folder(get);
    else if (hr_listing_is_at_page_end(get->listing) && get->folders.next != get->folders_mark)
        put_off_pages(get);
    else if (hr_listing_next(get->listing, &entry))
        take_entry(get, &entry);
    else if (hr_listing_status(get->listing) != HR_AGAIN)
        finish_listing(get);
    else
        return false;
    return true;
}

static bool begin(hr_get *get)
{
    get->sift = hr_alloc(get->env, sizeof *get->sift);
    if (get->sift == NULL)
        hr_get_end(get, HR_NO_MEMORY, "starting a tree: out of memory");
    else
        hr_flow_begin(get);
    return get->sift != NULL;
}

/* The files of a page are compared with the target together, or as soon as there is nothing else to
 * do for them. */
static bool go_on(hr_get *get)
{
    hr_sift *sift = get->sift;
    if (sift->looked)
        return hr_sift_decide(get);
    if (!hr_sift_is_full(sift) && go_on_listing(get))
        return true;
    if (sift->count == 0 || get->io_busy || get->ending)
        return false;
    hr_sift_look(get);
    return !get->io_busy;
}

static bool may_go_on(hr_get *get)
{
    return get->is_tree && !get->ending && !get->io_busy && get->opened_item == NULL &&
           !is_cut_off(get);
}

/* Goes on with a tree as far as there is room. */
void hr_tree_pump(hr_get *get)
{
    if (may_go_on(get) && !get->flow.begun)
        begin(get);
    do
        hr_flow_pump(get);
    while (may_go_on(get) && get->flow.probed && go_on(get));
    get->progress.listing = get->is_tree && !hr_tree_is_listed(get);
    hr_get_finish_if_over(get);
}
