/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <stdio.h>
#include <string.h>

#include "get.h"
#include "same.h"

#define RUNNING_MAX 4

typedef struct checked_file {
    hr_list node;
    hr_get *get;
    hr_file_info listed;
    hr_io io;
    hr_same same;
    const char *path; /* below the request's: the end of full */
    char full[];      /* as the server knows it */
} checked_file;

static checked_file *file_of(hr_list *node)
{
    return HR_CONTAINER(node, checked_file, node);
}

void hr_check_init(hr_check *check)
{
    *check = (hr_check){0};
    hr_list_init(&check->waiting);
    hr_list_init(&check->running);
}

hr_status hr_check_add(hr_get *get, const char *path, const hr_file_info *listed)
{
    size_t base_len = strlen(get->path) + 1, len = base_len + strlen(path) + 1;
    checked_file *file = hr_alloc(get->env, sizeof *file + len);
    if (file == NULL)
        return HR_NO_MEMORY;
    snprintf(file->full, len, "%s/%s", get->path, path);
    file->path = file->full + base_len;
    file->get = get;
    file->listed = *listed;
    hr_list_append(&get->check.waiting, &file->node);
    get->check.waiting_count++;
    return HR_OK;
}

static void release(checked_file *file)
{
    hr_get *get = file->get;
    get->check.compared += file->same.compared;
    get->check.running_count--;
    hr_list_remove(&file->node);
    hr_release(get->env, file);
    hr_tree_pump(get);
}

/* In its turn; those that would wait for too many begin at once. */
static void start(hr_get *get, const char *path)
{
    if (!hr_flow_wait(get, path, false) && !get->ending)
        hr_get_start_item(get, path, false);
}

/* It is not what the source has, or nobody can tell: the transfer will meet that too. */
static void bring(checked_file *file, bool differs)
{
    hr_get *get = file->get;
    bool added;
    if (!get->ending && differs && hr_names_add(&get->different, file->path, &added) != HR_OK)
        hr_get_end(get, HR_NO_MEMORY, "remembering what differs: out of memory");
    const hr_client *client = get->client;
    if (!get->ending && client->status == HR_OK)
        start(get, file->path);
    else if (!get->ending) /* nothing that is begun now would be answered */
        hr_get_report(get, file->path, client->error.status, client->error.text, 0);
    release(file);
}

static void keep(checked_file *file)
{
    hr_get_keep(file->get, file->path);
    release(file);
}

static void stamped(hr_io *io)
{
    checked_file *file = io->context;
    char text[200];
    if (io->status == HR_OK) {
        file->get->owners_lost += io->owner_lost;
        keep(file);
        return;
    }
    snprintf(text, sizeof text, "setting permissions, time or owner: %s", hr_io_why(io));
    hr_get_report(file->get, file->path, io->status, text, 0);
    release(file);
}

static void step(checked_file *file, const hr_io *wanted, void (*done)(hr_io *io))
{
    hr_get *get = file->get;
    file->io = *wanted;
    file->io.flags |= HR_IO_NO_SYMLINKS;
    file->io.dir = get->dir;
    file->io.path = file->path;
    file->io.done = done;
    file->io.context = file;
    hr_storage_submit(hr_get_home(get)->storage, &file->io);
}

/* The same content under another time or for other people: that is put right, also because it says
 * the next time that nothing needs to be read. */
static void was_compared(hr_same *same)
{
    checked_file *file = same->context;
    hr_get *get = file->get;
    if (same->status != HR_OK || !same->equal || get->ending) {
        bring(file, same->status == HR_OK);
        return;
    }
    if (get->options.dry_run) {
        keep(file);
        return;
    }
    step(file,
         &(hr_io){
             .kind = HR_IO_STAMP,
             .flags = HR_IO_MODE | (get->options.owner ? HR_IO_OWNER : 0),
             .info = {.mtime_ns = file->listed.mtime_ns,
                      .mode = file->listed.mode,
                      .uid = file->listed.uid,
                      .gid = file->listed.gid},
         },
         stamped);
}

static void looked_up(hr_io *io)
{
    checked_file *file = io->context;
    hr_get *get = file->get;
    if (!get->ending && io->status == HR_OK && io->info.type == HR_FILE_DIRECTORY) {
        hr_blocked_add(get, file->path, file->listed.size);
        release(file);
        return;
    }
    if (get->ending || io->status != HR_OK || io->info.type != HR_FILE_REGULAR ||
        io->info.size != file->listed.size) {
        bring(file, false);
        return;
    }
    file->same.home = hr_get_home(get);
    file->same.done = was_compared;
    file->same.context = file;
    file->same.sides[0] = (hr_same_side){.client = get->client, .path = file->full};
    file->same.sides[1] = (hr_same_side){.dir = get->dir, .path = file->path};
    hr_same_start(&file->same);
}

void hr_check_pump(hr_get *get)
{
    hr_check *check = &get->check;
    while (check->running_count < RUNNING_MAX && check->waiting_count > 0) {
        checked_file *file = file_of(hr_list_take_first(&check->waiting));
        check->waiting_count--;
        check->running_count++;
        hr_list_append(&check->running, &file->node);
        step(file, &(hr_io){.kind = HR_IO_LOOKUP}, looked_up);
    }
}

void hr_check_stop(hr_get *get)
{
    hr_check *check = &get->check;
    hr_list *node;
    while ((node = hr_list_take_first(&check->waiting)) != NULL)
        hr_release(get->env, file_of(node));
    check->waiting_count = 0;
    for (node = check->running.next; node != &check->running; node = node->next)
        hr_same_stop(&file_of(node)->same);
}

uint64_t hr_check_compared(const hr_check *check)
{
    uint64_t sum = check->compared;
    for (hr_list *node = check->running.next; node != &check->running; node = node->next)
        sum += file_of(node)->same.compared;
    return sum;
}
