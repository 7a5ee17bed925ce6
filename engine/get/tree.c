/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a get through a tree: directories are listed page after page, as many on one as it has
 * room for, and a few transfers run at a time, while the listing still goes on. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "get.h"

/* Before all that were remembered when the page began, so that what a directory holds comes before
 * what lies beside it: never more are remembered than a page of each level above. */
void hr_tree_push(hr_get *get, const hr_folder *parent, const hr_entry *entry, bool twin)
{
    hr_get_folder *pending = hr_alloc(get->env, sizeof *pending);
    hr_folder *folder = hr_folders_add(&get->keep.folders, parent, entry);
    if (pending == NULL || folder == NULL) {
        hr_release(get->env, pending);
        hr_get_end(get, HR_NO_MEMORY, "remembering a directory: out of memory");
        return;
    }
    pending->folder = folder;
    pending->twin = twin;
    hr_list_append(get->folders_mark, &pending->node);
}

static void close_page(hr_get *get)
{
    hr_listing_destroy(get->listing);
    hr_release(get->env, get->listed);
    get->listing = NULL;
    get->listed = NULL;
    get->listed_lost = false;
}

/* The directories of a page are gone through before the next page, which may be of the same one. */
static void put_off_rest(hr_get *get)
{
    assert(get->listed != NULL);
    if (!get->listed_lost) {
        get->listed->cookie = hr_listing_cookie(get->listing);
        hr_list_append(get->folders_mark, &get->listed->node);
        get->listed = NULL;
    }
    close_page(get);
}

/* Names come from the server: one that could lead anywhere else is an attack or a defect. */
static bool is_plain_name(const hr_entry *entry)
{
    return entry->name_len > 0 && memchr(entry->name, '/', entry->name_len) == NULL &&
           memchr(entry->name, '\0', entry->name_len) == NULL &&
           !(entry->name[0] == '.' &&
             (entry->name_len == 1 || (entry->name_len == 2 && entry->name[1] == '.')));
}

/* A directory that changes while it is listed may do this, and a server that does it on purpose
 * gets no further. */
static bool is_listed_twice(hr_get *get, const char *path)
{
    bool added = false;
    hr_status status = hr_names_add(&get->names, path, &added);
    if (status != HR_OK)
        hr_get_end(get, status, "remembering a name: out of memory");
    else if (!added)
        hr_get_skip(get, path, HR_CHANGED,
                    "the source listed this name twice; if it was changed meanwhile, run the same "
                    "command again");
    return !added;
}

static void check_noted(hr_get *get, hr_status status)
{
    if (status != HR_OK)
        hr_get_end(get, status, "remembering what the tree holds: out of memory");
}

/* Of the two names that it may get one will be there; of the other nothing is told. */
static void take_xattrs_unpacked(hr_get *get, const char *path, const hr_entry *entry)
{
    char unpacked[HR_PATH_MAX];
    snprintf(unpacked, sizeof unpacked, "%.*s", (int)hr_unpacked_len(path), path);
    check_noted(get, hr_keep_xattrs(&get->keep, path, entry));
    check_noted(get, hr_keep_xattrs(&get->keep, unpacked, entry));
}

static void take_xattrs(hr_get *get, const char *path, const hr_entry *entry)
{
    if (entry->xattrs_lost)
        hr_get_skip(get, path, HR_UNSUPPORTED,
                    "its extended attributes are not told: there are more than 16 KiB of them, or "
                    "whoever runs that side may not read them, or has no /proc to do so through");
    else if (entry->type == HR_ENTRY_FILE && hr_get_may_rename(get, path))
        take_xattrs_unpacked(get, path, entry);
    else
        check_noted(get, hr_keep_xattrs(&get->keep, path, entry));
}

static void take_file(hr_get *get, const char *path, const hr_entry *entry, bool twin)
{
    bool noted = false;
    hr_status status = HR_OK;
    if (!hr_get_claim_name(get, path))
        return;
    if (!hr_get_may_rename(get, path)) /* else each is a file of its own */
        status = hr_keep_name(&get->keep, path, entry, &noted);
    bool is_new = get->dir == NULL || get->listed->folder->made;
    bool checked = !noted && get->options.checksum && !is_new;
    get->progress.files += noted || checked; /* others are counted when it is decided on them */
    const hr_file_info listed = hr_sift_info(get, entry);
    if (status == HR_OK && checked)
        status = hr_check_add(get, path, &listed);
    else if (status == HR_OK && !noted)
        hr_sift_add(get, path, &listed, twin);
    check_noted(get, status);
}

/* Returns how long it is; if that is too long it is the path of the directory. */
static size_t listed_path_of(const hr_get *get, const hr_entry *entry, char path_out[HR_PATH_MAX])
{
    assert(get->listed != NULL);
    size_t base_len = strlen(get->listed_path), at = base_len + (base_len > 0);
    memcpy(path_out, get->listed_path, base_len + 1);
    if (at + entry->name_len >= HR_PATH_MAX)
        return at + entry->name_len;
    if (base_len > 0)
        path_out[base_len] = '/';
    memcpy(path_out + at, entry->name, entry->name_len);
    path_out[at + entry->name_len] = '\0';
    return at + entry->name_len;
}

static void take_entry(hr_get *get, const hr_entry *entry)
{
    if (get->listed_lost)
        return;
    if (!is_plain_name(entry)) {
        hr_get_end(get, HR_PROTOCOL, "the server sent a name that is none");
        return;
    }
    char path[HR_PATH_MAX];
    size_t len = listed_path_of(get, entry, path);
    if (len >= sizeof path) {
        hr_get_skip(get, path, HR_INVALID, "its path is too long");
        return;
    }
    hr_error error = {.status = HR_OK};
    if (hr_client_check_path(get->client, strlen(get->path) + 1 + len, &error) != HR_OK) {
        hr_get_skip(get, path, error.status, error.text);
        return;
    }
    if (hr_stage_is_at(path)) {
        hr_get_skip(get, path, HR_POLICY,
                    "this name is where headrace keeps what has no name yet; a get that was killed "
                    "left it in the source");
        return;
    }
    if (hr_rules_exclude(get->rules, get->options.rule_count, path,
                         entry->type == HR_ENTRY_DIRECTORY) ||
        is_listed_twice(get, path))
        return;
    bool twin = false;
    check_noted(get, hr_twins_add(&get->twins, path, &twin));
    if (get->options.owner && get->dir != NULL)
        take_xattrs(get, path, entry);
    switch (entry->type) {
    case HR_ENTRY_FILE:
        take_file(get, path, entry, twin);
        break;
    case HR_ENTRY_DIRECTORY:
    case HR_ENTRY_EXPORT:
        hr_tree_push(get, get->listed->folder, entry, twin);
        break;
    case HR_ENTRY_SYMLINK:
        get->progress.files++;
        check_noted(get, hr_keep_symlink(&get->keep, path, entry));
        break;
    case HR_ENTRY_SPECIAL:
        hr_get_skip(get, path, HR_UNSUPPORTED, "it is neither a file nor a directory");
        break;
    }
}

/* ---- one directory of it ---- */

#define IN_THE_WAY_TEXT                                                                            \
    "the target has something else than a directory under this name; --overwrite replaces it"

static void make_listed(hr_get *get);

static void give_up_listed(hr_get *get, hr_status status, const char *text)
{
    get->io_busy = false;
    hr_get_skip(get, get->listed_path, status, text);
    get->listed_lost = true;
    hr_tree_pump(get);
}

static void fail_to_make(hr_get *get, const hr_io *io, const char *what)
{
    char text[200];
    snprintf(text, sizeof text, "%s: %s", what,
             io->status == HR_POLICY ? "in the target a symlink is on the way to it, and none is "
                                       "followed"
                                     : hr_io_why(io));
    give_up_listed(get, io->status, text);
}

static void made_way(hr_io *io)
{
    hr_get *get = io->context;
    if (io->status == HR_OK || io->status == HR_NOT_FOUND)
        make_listed(get);
    else
        fail_to_make(get, io, "replacing what has the name of its directory");
}

/* What has its name is another version of it, as a file may be of a file. */
static void looked_in_the_way(hr_io *io)
{
    hr_get *get = io->context;
    bool in_the_way = io->status == HR_OK && io->info.type != HR_FILE_DIRECTORY;
    if (!in_the_way || get->made_way) {
        get->io.status = get->made_way ? HR_CHANGED : get->refusal;
        get->io.error = 0;
        fail_to_make(get, &get->io, "making its directory");
    } else if (!get->options.overwrite) {
        give_up_listed(get, HR_EXISTS, IN_THE_WAY_TEXT);
    } else {
        get->made_way = true;
        get->io = (hr_io){
            .kind = HR_IO_REMOVE,
            .flags = HR_IO_NO_SYMLINKS,
            .dir = get->dir,
            .path = get->listed_path,
            .done = made_way,
            .context = get,
        };
        hr_storage_submit(hr_get_home(get)->storage, &get->io);
    }
}

static void look_up_listed(hr_get *get, void (*done)(hr_io *io))
{
    get->io = (hr_io){
        .kind = HR_IO_LOOKUP,
        .flags = HR_IO_NO_SYMLINKS,
        .dir = get->dir,
        .path = get->listed_path,
        .done = done,
        .context = get,
    };
    hr_storage_submit(hr_get_home(get)->storage, &get->io);
}

static void note_made(hr_get *get, hr_folder *folder, bool changed)
{
    folder->made = changed && (folder->parent->parent == NULL || folder->parent->made);
    /* What was there before this run is synced with what it holds, once. */
    get->flow.directories_unsynced |= get->flow.syncs_all && (changed || !get->names_synced);
}

static void begin_listed(hr_get *get)
{
    get->io_busy = false;
    hr_tree_pump(get);
}

static void made_folder(hr_io *io)
{
    hr_get *get = io->context;
    if (io->status == HR_NOT_DIRECTORY || io->status == HR_POLICY) {
        get->refusal = io->status;
        look_up_listed(get, looked_in_the_way);
        return;
    }
    if (io->status != HR_OK) {
        fail_to_make(get, io, "making its directory");
        return;
    }
    note_made(get, get->listed->folder, io->changed);
    begin_listed(get);
}

/* Each directory is made before it is listed, so that empty ones are kept too. */
static void make_listed(hr_get *get)
{
    if (get->listed->there) {
        begin_listed(get);
        return;
    }
    unsigned unsynced = get->flow.syncs_all ? HR_IO_UNSYNCED : 0;
    get->io_busy = true;
    get->io = (hr_io){
        .kind = HR_IO_MAKE_DIR,
        .flags = HR_IO_NO_SYMLINKS | HR_IO_MODE | unsynced,
        .dir = get->dir,
        .path = get->listed_path,
        .info.mode = get->listed->folder->mode, /* what it holds may be private */
        .done = made_folder,
        .context = get,
    };
    hr_storage_submit(hr_get_home(get)->storage, &get->io);
}

/* ---- many at once: those that are next ---- */

static bool may_be_made(const hr_get_folder *pending)
{
    return !pending->twin && !pending->tried && pending->cookie == 0;
}

/* False: there is no more room. */
static bool add_to_make(hr_get *get, hr_get_folder *pending)
{
    hr_get_making *making = get->making;
    const hr_io_file *last = making->count > 0 ? &making->files[making->count - 1] : NULL;
    size_t used = last == NULL ? 0 : (size_t)(last->path - making->paths) + strlen(last->path) + 1;
    char *path = making->paths + used;
    if (making->count == HR_GET_MADE_MAX || used > sizeof making->paths - HR_PATH_MAX ||
        hr_folder_path(pending->folder, path) != HR_OK)
        return false;
    pending->tried = true;
    making->folders[making->count] = pending;
    making->files[making->count++] =
        (hr_io_file){.path = path, .status = HR_AGAIN, .folder_mode = pending->folder->mode};
    return true;
}

/* What did not become one is tried by itself in its turn, which does more, or says why not. */
static void made_folders(hr_io *io)
{
    hr_get *get = io->context;
    for (size_t i = 0; i < get->making->count; i++) {
        hr_get_folder *pending = get->making->folders[i];
        const hr_io_file *file = &get->making->files[i];
        pending->there = io->status == HR_OK && file->status == HR_OK;
        if (pending->there)
            note_made(get, pending->folder, file->changed);
    }
    make_listed(get);
}

static void make_folders(hr_get *get)
{
    get->making->count = 0;
    bool room = add_to_make(get, get->listed);
    for (hr_list *node = get->folders_mark; room && node != &get->folders; node = node->next) {
        hr_get_folder *pending = HR_CONTAINER(node, hr_get_folder, node);
        if (may_be_made(pending))
            room = add_to_make(get, pending);
    }
    get->io_busy = true;
    get->io = (hr_io){
        .kind = HR_IO_MAKE_DIRS,
        .flags = HR_IO_NO_SYMLINKS,
        .dir = get->dir,
        .files = get->making->files,
        .file_count = get->making->count,
        .done = made_folders,
        .context = get,
    };
    hr_storage_submit(hr_get_home(get)->storage, &get->io);
}

/* Two directories that become one would mix what is in them. */
static void told_folder_apart(void *context, bool folds)
{
    hr_get *get = context;
    get->io_busy = false;
    if (!folds && !get->ending) {
        make_listed(get);
        return;
    }
    give_up_listed(get, HR_EXISTS, HR_TWINS_TEXT);
}

/* Of a dry run: nothing is there of what lies in a directory that would be made. */
static void looked_at_folder(hr_io *io)
{
    hr_get *get = io->context;
    bool in_the_way = io->status == HR_OK && io->info.type != HR_FILE_DIRECTORY;
    if (in_the_way && !get->options.overwrite) {
        give_up_listed(get, HR_EXISTS, IN_THE_WAY_TEXT);
    } else if (io->status == HR_OK || io->status == HR_NOT_FOUND) {
        get->listed->folder->made = in_the_way || io->status == HR_NOT_FOUND;
        begin_listed(get);
    } else {
        fail_to_make(get, io, "looking for its directory");
    }
}

static void look_at_folder(hr_get *get)
{
    hr_folder *folder = get->listed->folder;
    folder->made = folder->parent->made;
    if (folder->made)
        return;
    get->io_busy = true;
    look_up_listed(get, looked_at_folder);
}

/* The next one of the page. */
static void enter_folder(hr_get *get)
{
    hr_list *node = get->folders_mark;
    assert(node != &get->folders);
    get->folders_mark = node->next;
    hr_list_remove(node);
    get->listed = HR_CONTAINER(node, hr_get_folder, node);
    get->made_way = false;
    hr_status status = hr_folder_path(get->listed->folder, get->listed_path);
    assert(status == HR_OK); /* it was a path when it was listed */
    (void)status;
    if (!get->options.remove && get->listed->cookie == 0) { /* then the whole tree's are needed */
        hr_names_clear(&get->names);
        hr_twins_clear(&get->twins);
    }
    bool is_there = get->listed_path[0] == '\0' || get->listed->cookie != 0 || get->listed->there;
    if (get->dir == NULL || is_there)
        return;
    if (get->options.dry_run) {
        look_at_folder(get);
    } else if (may_be_made(get->listed) && get->flow.syncs_all) {
        make_folders(get);
    } else if (get->listed->twin) {
        get->io_busy = true;
        hr_twins_look(&get->twins, hr_get_home(get)->storage, get->dir, get->listed_path,
                      told_folder_apart, get);
    } else {
        make_listed(get);
    }
}

static void leave_folder(hr_get *get)
{
    hr_status status = hr_listing_status(get->listing);
    const hr_error *error = hr_listing_error(get->listing);
    assert(get->listed != NULL);
    if (status != HR_OK && get->client->status == HR_OK && get->listed_path[0] != '\0') {
        if (!get->listed_lost)
            hr_get_skip(get, get->listed_path, status, error->text);
    } else if (status != HR_OK) {
        hr_get_end(get, status, "%s", error->text);
    }
    hr_release(get->env, get->listed);
    get->listed = NULL;
    get->listed_lost = false;
    if (get->listing != NULL && !hr_listing_turn(get->listing)) /* it may have ended the get */
        close_page(get);
}

bool hr_tree_is_listed(const hr_get *get)
{
    return get->listing == NULL && hr_list_is_empty(&get->folders) && hr_sift_is_over(get);
}

/* Nothing is begun with a client that has failed, as it would never be answered. What was begun
 * before ends by itself, well or badly, and after that the request, if there is more of it. */
static bool is_cut_off(hr_get *get)
{
    const hr_client *client = get->client;
    if (client->status == HR_OK)
        return false;
    const hr_flow *flow = &get->flow;
    bool idle = get->item_count == 0 && flow->moving_count == 0 && hr_check_is_over(&get->check) &&
                !flow->stage.busy;
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
        hr_pages_open(get);
    else if (get->listed == NULL)
        enter_folder(get);
    else if (hr_listing_is_at_page_end(get->listing))
        put_off_rest(get);
    else if (hr_listing_next(get->listing, &entry))
        take_entry(get, &entry);
    else if (hr_listing_status(get->listing) != HR_AGAIN)
        leave_folder(get);
    else
        return false;
    return true;
}

static bool begin(hr_get *get)
{
    get->sifts = hr_alloc(get->env, sizeof *get->sifts);
    get->making = hr_alloc(get->env, sizeof *get->making);
    bool begun = get->sifts != NULL && get->making != NULL;
    if (begun)
        hr_flow_begin(get);
    else
        hr_get_end(get, HR_NO_MEMORY, "starting a tree: out of memory");
    return begun;
}

/* Files are looked at in the target as soon as there are many of them, or nothing else to do for
 * them; meanwhile the listing goes on. */
static bool go_on(hr_get *get)
{
    if (hr_sift_has_room(get) && go_on_listing(get))
        return true;
    hr_sift_look(get);
    return hr_sift_decide(get);
}

static bool may_go_on(hr_get *get)
{
    return get->is_tree && !get->ending && !get->io_busy && get->opened_item == NULL &&
           !hr_check_is_full(&get->check) && !is_cut_off(get);
}

/* So many files are listed or decided on before the loop has its turn again: what is asked of the
 * server leaves then. */
#define STEPS_MAX 128

/* Goes on with a tree as far as there is room. */
void hr_tree_pump(hr_get *get)
{
    if (may_go_on(get) && !get->flow.begun)
        begin(get);
    if (may_go_on(get))
        hr_pages_look_ahead(get);
    unsigned steps = 0;
    bool was_full;
    do {
        hr_flow_pump(get);
        was_full = get->flow.full;
        /* What became full by this leaves at once: nothing else may be under way that pumps. */
    } while (may_go_on(get) && get->flow.probed && steps++ < STEPS_MAX &&
             (go_on(get) || (!was_full && get->flow.full)));
    if (steps > STEPS_MAX)
        hr_loop_defer(hr_get_home(get)->loop, &get->pump_task);
    hr_check_pump(get);
    get->progress.listing = get->is_tree && !hr_tree_is_listed(get);
    hr_get_finish_if_over(get);
}

static void pump_again(hr_task *task)
{
    hr_tree_pump(HR_CONTAINER(task, hr_get, pump_task));
}

/* ---- what is no content ---- */

static void kept_made(void *context, const char *path, bool was_there, hr_status status,
                      const char *text)
{
    hr_get *get = context;
    if (was_there)
        hr_get_keep(get, path);
    else
        hr_get_report(get, path, status, text, 0);
}

bool hr_tree_empties(const hr_get *get, const char *path)
{
    return get->pruned && !hr_names_has(&get->staying, path);
}

static bool empties(void *context, const char *path)
{
    return hr_tree_empties(context, path);
}

static void kept_failed(void *context, const char *path, hr_status status, const char *text)
{
    hr_get_skip(context, path, status, text);
}

static void is_over(void *context)
{
    hr_get *get = context;
    get->io_busy = false;
    hr_get_finish_if_over(get);
}

static void prune_removed(void *context, const char *path)
{
    hr_get *get = context;
    get->progress.removed++;
    if (get->options.removed != NULL)
        get->options.removed(get->options.context, path);
}

static const hr_prune_events prune_events = {
    .removed = prune_removed,
    .failed = kept_failed,
    .over = is_over,
};

/* Only what is known to be complete says what is too much. */
static bool may_prune(const hr_get *get)
{
    return get->options.remove && get->dir != NULL && get->progress.files_failed == 0 &&
           !get->ending;
}

static void prune(hr_get *get)
{
    const hr_prune_options options = {
        .dir = get->dir,
        .names = &get->names,
        .rules = get->rules,
        .rule_count = get->options.rule_count,
        .look = get->options.dry_run,
        .staying = &get->staying,
    };
    get->pruned = true;
    hr_names_init(&get->staying, get->env);
    if (hr_prune_start(&get->prune, get->env, hr_get_home(get)->storage, &options, &prune_events,
                       get) == HR_OK)
        return;
    hr_get_skip(get, "", HR_NO_MEMORY, "removing what the source does not have: out of memory");
    is_over(get);
}

static const hr_keep_events keep_events = {
    .made = kept_made, .failed = kept_failed, .empties = empties, .over = is_over};

void hr_tree_init(hr_get *get)
{
    get->pump_task.run = pump_again;
    hr_keep_init(&get->keep, get->env, hr_get_home(get)->storage, &keep_events, get);
    get->keep.overwrite = get->options.overwrite;
    get->keep.owner = get->options.owner;
    get->keep.prunes = get->options.remove;
    get->keep.look = get->options.dry_run;
}

/* In memory there is nothing to make, and it counts as done. */
void hr_tree_go_on(hr_get *get)
{
    assert(get->phase < HR_GET_FINISHING);
    get->phase = get->ending ? HR_GET_FINISHING : get->phase + 1;
    bool skipped = (get->phase == HR_GET_PRUNING && !may_prune(get)) ||
                   (get->phase == HR_GET_UNBLOCKING && get->blocked.count == 0);
    get->io_busy = !skipped && get->phase != HR_GET_UNBLOCKING; /* that has its own */
    if (skipped)
        hr_tree_go_on(get);
    else if (get->phase == HR_GET_MAKING)
        hr_keep_make(&get->keep, get->dir, get->blocked.count > 0);
    else if (get->phase == HR_GET_PRUNING)
        prune(get);
    else if (get->phase == HR_GET_UNBLOCKING)
        hr_blocked_bring(get);
    else
        hr_keep_finish(&get->keep, get->dir);
}
