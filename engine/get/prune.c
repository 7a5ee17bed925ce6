/* SPDX-License-Identifier: Apache-2.0 */
#include "prune.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define PAGE_LEN ((size_t)64 << 10)

/* A directory to look at, or one thing that goes. It knows its own name and what it lies in, so
 * that thousands of levels do not cost a path each. */
struct hr_prune_folder {
    hr_list node;
    hr_prune_folder *parent; /* NULL: it is the tree itself */
    size_t users;            /* itself, and what lies in it */
    bool goes;               /* it is not in the source itself */
    bool stays;              /* something in it does, and so it does too */
    char name[];
};

static hr_prune_folder *folder_of(hr_list *node)
{
    return node == NULL ? NULL : HR_CONTAINER(node, hr_prune_folder, node);
}

/* And what it lies in, if nothing else does. */
static void let_go(hr_prune *prune, hr_prune_folder *record)
{
    while (record != NULL && --record->users == 0) {
        hr_prune_folder *parent = record->parent;
        hr_release(prune->env, record);
        record = parent;
    }
}

static void drop(hr_prune *prune, hr_list *list)
{
    hr_list *node;
    while ((node = hr_list_take_first(list)) != NULL)
        let_go(prune, folder_of(node));
}

static hr_prune_folder *make_record(hr_prune *prune, hr_prune_folder *parent, const char *name,
                                    bool goes)
{
    size_t len = strlen(name) + 1;
    hr_prune_folder *record = hr_alloc(prune->env, sizeof *record + len);
    if (record == NULL)
        return NULL;
    record->parent = parent;
    record->users = 1;
    record->goes = goes;
    memcpy(record->name, name, len);
    if (parent != NULL)
        parent->users++;
    return record;
}

/* From its end to its start; it was a path when it was listed. */
static const char *path_of(hr_prune *prune, const hr_prune_folder *record)
{
    char *at = prune->path + sizeof prune->path - 1;
    *at = '\0';
    for (; record->parent != NULL; record = record->parent) {
        size_t len = strlen(record->name);
        assert(len + 1 <= (size_t)(at - prune->path));
        if (*at != '\0')
            *--at = '/';
        at -= len;
        memcpy(at, record->name, len);
    }
    return at;
}

static void end(hr_prune *prune)
{
    drop(prune, &prune->folders);
    drop(prune, &prune->victims);
    drop(prune, &prune->emptied);
    let_go(prune, prune->folder);
    hr_release(prune->env, prune->page);
    prune->folder = NULL;
    prune->page = NULL;
    prune->events->over(prune->context);
}

static void step(hr_prune *prune, const hr_io *wanted, void (*done)(hr_io *io))
{
    prune->io = *wanted;
    prune->io.dir = prune->options.dir;
    prune->io.flags |= HR_IO_NO_SYMLINKS;
    prune->io.buffer = -1;
    prune->io.done = done;
    prune->io.context = prune;
    hr_storage_submit(prune->storage, &prune->io);
}

static void fail(hr_prune *prune, const char *path, const char *what, const hr_io *io)
{
    char text[200];
    snprintf(text, sizeof text, "%s: %s", what, hr_io_why(io));
    prune->events->failed(prune->context, path, io->status, text);
}

/* ---- removing ---- */

static void remove_next(hr_prune *prune, hr_list *list);

static void removed(hr_io *io)
{
    hr_prune *prune = io->context;
    hr_list *list = hr_list_is_empty(&prune->victims) ? &prune->emptied : &prune->victims;
    hr_prune_folder *record = folder_of(hr_list_take_first(list));
    /* Of a directory in which something stays, so does the rest of the way to it; and so does what
       has come in its place. */
    bool stays =
        list == &prune->emptied && (io->status == HR_EXISTS || io->status == HR_NOT_DIRECTORY);
    if (io->status == HR_OK)
        prune->events->removed(prune->context, io->path);
    else if (io->status != HR_NOT_FOUND && !stays)
        fail(prune, io->path, "removing it, which the source does not have any more", io);
    let_go(prune, record);
    remove_next(prune, list);
}

static void next_folder(hr_prune *prune);

/* What was looked at is not looked at again; what goes itself goes after all that was in it. */
static void leave_folder(hr_prune *prune)
{
    hr_prune_folder *folder = prune->folder;
    prune->folder = NULL;
    if (folder != NULL && folder->goes)
        hr_list_append(prune->emptied.next, &folder->node);
    else
        let_go(prune, folder);
}

static void remove_next(hr_prune *prune, hr_list *list)
{
    while (prune->options.look && !hr_list_is_empty(list)) {
        hr_prune_folder *record = folder_of(hr_list_take_first(list));
        if (!record->stays)
            prune->events->removed(prune->context, path_of(prune, record));
        let_go(prune, record);
    }
    bool over = prune->stopped || hr_list_is_empty(list);
    if (!over) {
        const char *path = path_of(prune, folder_of(list->next));
        unsigned flags = list == &prune->emptied ? HR_IO_ONLY_DIR : 0;
        step(prune, &(hr_io){.kind = HR_IO_REMOVE, .flags = flags, .path = path}, removed);
    } else if (list == &prune->victims) {
        leave_folder(prune);
        next_folder(prune);
    } else {
        end(prune);
    }
}

/* ---- looking ---- */

static bool is_temporary(const char *name)
{
    return strncmp(name, ".headrace-", sizeof ".headrace-" - 1) == 0;
}

static void note_name(hr_prune *prune, const char *path)
{
    bool added;
    if (prune->options.look && hr_names_add(prune->options.staying, path, &added) != HR_OK)
        prune->events->failed(prune->context, path, HR_NO_MEMORY, "out of memory");
}

/* Up to what the source has too. */
static void note_staying(hr_prune *prune, hr_prune_folder *folder)
{
    for (bool goes = true; goes && folder != NULL && !folder->stays; folder = folder->parent) {
        folder->stays = true;
        goes = folder->goes;
        note_name(prune, path_of(prune, folder));
    }
}

static void sort_out(hr_prune *prune, const char *base, const hr_dir_entry *entry)
{
    const hr_prune_options *options = &prune->options;
    bool is_dir = entry->info.type == HR_FILE_DIRECTORY;
    char path[HR_PATH_MAX];
    int len = snprintf(path, sizeof path, "%s%s%s", base, base[0] != '\0' ? "/" : "", entry->name);
    /* What is under way here is somebody's who holds its lock, or is found by the next get. */
    if (len >= (int)sizeof path || is_temporary(entry->name) ||
        hr_rules_exclude(options->rules, options->rule_count, path, is_dir)) {
        note_staying(prune, prune->folder);
        if (is_dir)
            note_name(prune, path); /* nobody looks into it */
        return;
    }
    bool goes = prune->folder->goes || !hr_names_has(options->names, path);
    if (!goes && !is_dir)
        return;
    hr_prune_folder *record = make_record(prune, prune->folder, entry->name, goes);
    if (record == NULL)
        prune->events->failed(prune->context, path, HR_NO_MEMORY, "out of memory");
    else if (is_dir)
        hr_list_append(prune->folders.next, &record->node);
    else
        hr_list_append(&prune->victims, &record->node);
}

static void list_page(hr_prune *prune, uint64_t cookie);

/* All pages come before the first removal: not every file system goes on with a listing where it
 * was when what it had listed is gone. */
static void listed(hr_io *io)
{
    hr_prune *prune = io->context;
    if (io->status != HR_OK && !(io->status == HR_NOT_FOUND && io->path[0] != '\0'))
        fail(prune, io->path, "listing what is there", io);
    for (size_t at = 0; io->status == HR_OK && at < io->bytes;) {
        const hr_dir_entry *entry = (const void *)(prune->page + at);
        sort_out(prune, io->path, entry);
        at += entry->size;
    }
    if (io->status != HR_OK || io->last || io->bytes == 0)
        remove_next(prune, &prune->victims);
    else
        list_page(prune, io->cookie);
}

static void list_page(hr_prune *prune, uint64_t cookie)
{
    step(prune,
         &(hr_io){.kind = HR_IO_LIST,
                  .path = path_of(prune, prune->folder),
                  .data = prune->page,
                  .len = PAGE_LEN,
                  .cookie = cookie},
         listed);
}

static void next_folder(hr_prune *prune)
{
    prune->folder = prune->stopped ? NULL : folder_of(hr_list_take_first(&prune->folders));
    if (prune->folder == NULL)
        remove_next(prune, &prune->emptied);
    else
        list_page(prune, 0);
}

hr_status hr_prune_start(hr_prune *prune, const hr_env *env, hr_storage *storage,
                         const hr_prune_options *options, const hr_prune_events *events,
                         void *context)
{
    *prune = (hr_prune){
        .env = env,
        .storage = storage,
        .options = *options,
        .events = events,
        .context = context,
        .page = hr_alloc(env, PAGE_LEN),
    };
    hr_list_init(&prune->folders);
    hr_list_init(&prune->victims);
    hr_list_init(&prune->emptied);
    hr_prune_folder *top = make_record(prune, NULL, "", false);
    if (prune->page == NULL || top == NULL) {
        hr_release(env, prune->page);
        hr_release(env, top); /* nothing lies in it yet */
        return HR_NO_MEMORY;
    }
    hr_list_append(&prune->folders, &top->node);
    next_folder(prune);
    return HR_OK;
}

void hr_prune_stop(hr_prune *prune)
{
    prune->stopped = true;
}
