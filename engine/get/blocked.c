/* SPDX-License-Identifier: Apache-2.0 */
#include "blocked.h"

#include <stdio.h>
#include <string.h>

#include "get.h"

typedef struct blocked_file {
    hr_list node;
    uint64_t size;
    char path[]; /* below the request's */
} blocked_file;

static blocked_file *file_of(hr_list *node)
{
    return HR_CONTAINER(node, blocked_file, node);
}

void hr_blocked_init(hr_get *get)
{
    hr_list_init(&get->blocked.files);
}

void hr_blocked_release(hr_get *get)
{
    hr_list *node;
    while ((node = hr_list_take_first(&get->blocked.files)) != NULL)
        hr_release(get->env, file_of(node));
    hr_release(get->env, get->blocked.page);
}

void hr_blocked_add(hr_get *get, const char *path, uint64_t size)
{
    if (!get->options.overwrite) {
        hr_get_report(get, path, HR_EXISTS,
                      "in the target a directory has its name; --overwrite replaces it if it is "
                      "empty, together with --delete also if it is not",
                      0);
        return;
    }
    size_t len = strlen(path) + 1;
    blocked_file *file = hr_alloc(get->env, sizeof *file + len);
    if (file == NULL) {
        hr_get_end(get, HR_NO_MEMORY, "remembering a file: out of memory");
        return;
    }
    memcpy(file->path, path, len);
    file->size = size;
    hr_list_append(&get->blocked.files, &file->node);
    get->blocked.count++;
}

static void take_next(hr_get *get);

static blocked_file *take(hr_get *get)
{
    get->blocked.busy = false;
    return file_of(hr_list_take_first(&get->blocked.files));
}

static const char *why_it_stays(const hr_get *get)
{
    if (!get->options.remove)
        return "in the target a directory that is not empty has its name; remove it, or let "
               "--delete remove what it holds";
    return get->pruned ? "in the target a directory has its name, and something in it stays: what "
                         "is excluded, or came meanwhile"
                       : "in the target a directory has its name, and as not everything came "
                         "nothing is removed";
}

static void fail(hr_get *get, const blocked_file *file, const hr_io *io)
{
    bool stays = io->status == HR_EXISTS;
    char text[200];
    snprintf(text, sizeof text, "removing the empty directory that has its name: %s",
             hr_io_why(io));
    hr_get_report(get, file->path, io->status, stays ? why_it_stays(get) : text, 0);
}

static void removed(hr_io *io)
{
    hr_get *get = io->context;
    blocked_file *file = take(get);
    /* Or something else came there: that stays, and the transfer says so. */
    bool gone = io->status == HR_OK || io->status == HR_NOT_FOUND || io->status == HR_NOT_DIRECTORY;
    if (!gone)
        fail(get, file, io);
    else if (!get->ending && !hr_flow_wait(get, file->path, true) && !get->ending)
        hr_get_start_item(get, file->path, true);
    hr_release(get->env, file);
    take_next(get);
}

/* Of a dry run, which has removed nothing. */
static void listed(hr_io *io)
{
    hr_get *get = io->context;
    blocked_file *file = take(get);
    bool goes = (io->status == HR_OK && io->bytes == 0) || hr_tree_empties(get, file->path);
    get->progress.bytes += goes ? file->size : 0;
    if (goes)
        hr_get_report(get, file->path, HR_OK, "", file->size);
    else
        hr_get_report(get, file->path, HR_EXISTS, why_it_stays(get), 0);
    hr_release(get->env, file);
    take_next(get);
}

static void ask(hr_get *get, const hr_io *wanted, void (*done)(hr_io *io))
{
    hr_blocked *blocked = &get->blocked;
    blocked->busy = true;
    blocked->io = *wanted;
    blocked->io.flags |= HR_IO_NO_SYMLINKS;
    blocked->io.dir = get->dir;
    blocked->io.path = file_of(blocked->files.next)->path;
    blocked->io.done = done;
    blocked->io.context = get;
    hr_storage_submit(hr_get_home(get)->storage, &blocked->io);
}

static void take_next(hr_get *get)
{
    hr_blocked *blocked = &get->blocked;
    if (hr_list_is_empty(&blocked->files) || get->ending) {
        hr_tree_pump(get);
    } else if (!get->options.dry_run) {
        ask(get, &(hr_io){.kind = HR_IO_REMOVE, .flags = HR_IO_ONLY_DIR}, removed);
    } else {
        if (blocked->page == NULL)
            blocked->page = hr_alloc(get->env, HR_DIR_ENTRY_MAX);
        if (blocked->page == NULL) {
            hr_get_end(get, HR_NO_MEMORY, "looking into a directory: out of memory");
            return;
        }
        ask(get, &(hr_io){.kind = HR_IO_LIST, .data = blocked->page, .len = HR_DIR_ENTRY_MAX},
            listed);
    }
}

void hr_blocked_bring(hr_get *get)
{
    take_next(get);
}
