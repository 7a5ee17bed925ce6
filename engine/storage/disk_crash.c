/* SPDX-License-Identifier: Apache-2.0 */
/* Power that fails on an hr_disk, and processes that die. Each sector, size and name that was not
 * synced is decided on its own, except that a rename never loses the file and never leaves a
 * directory in two places: journaling file systems do neither, and both would be stranger than what
 * any of them does. */
#include "disk.h"

#include <stdlib.h>
#include <string.h>

#define SECTOR_LEN 512 /* what a drive writes whole or not at all */

typedef struct crash_dice {
    uint64_t state;
    uint64_t mode; /* 0: nothing unsynced survives, 1: all of it does, 2: half, else most of it */
} crash_dice;

/* splitmix64 */
static uint64_t next_u64(crash_dice *dice)
{
    uint64_t mixed = dice->state += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ mixed >> 31;
}

static bool survives(crash_dice *dice)
{
    switch (dice->mode) {
    case 0:
        return false;
    case 1:
        return true;
    case 2:
        return next_u64(dice) >> 63;
    default: /* what tempts to believe the rest too */
        return next_u64(dice) >> 60 != 0;
    }
}

/* A crash cannot fail: a test without memory for it may as well end here. */
static void must(hr_status status)
{
    if (status != HR_OK)
        abort();
}

static void crash_bytes(hr_disk *disk, hr_disk_node *file, crash_dice *dice)
{
    hr_disk_bytes *now = &file->bytes, *durable = &file->durable_bytes;
    if (file->dirty_from == file->dirty_to)
        return;
    const hr_file_info info = file->info;
    size_t len = survives(dice) ? now->len : durable->len;
    size_t from = file->dirty_from / SECTOR_LEN * SECTOR_LEN;
    for (size_t at = from; at < file->dirty_to && at < now->len; at += SECTOR_LEN) {
        size_t sector = now->len - at < SECTOR_LEN ? now->len - at : SECTOR_LEN;
        if (survives(dice))
            continue;
        size_t old = at < durable->len ? durable->len - at : 0;
        old = old < sector ? old : sector;
        if (old > 0)
            memcpy(now->data + at, durable->data + at, old);
        memset(now->data + at + old, 0, sector - old);
    }
    /* What was cut off and whose cutting did not survive is there again. */
    size_t before = now->len;
    must(hr_disk_resize(disk, file, len));
    if (len > before)
        memcpy(now->data + before, durable->data + before, len - before);
    must(hr_disk_sync_bytes(disk, file));
    /* Times do not tell what happened: the journal may have kept them when it lost the data. */
    file->info.mtime_ns = info.mtime_ns;
    file->info.ctime_ns = info.ctime_ns;
}

static void choose_names(hr_disk *disk, hr_disk_node *directory, crash_dice *dice)
{
    hr_disk_names *now = &directory->names, *durable = &directory->durable_names;
    for (size_t i = 0; i < durable->count; i++) {
        hr_disk_entry *old = &durable->entries[i], *new = hr_disk_entry_of(now, old->name);
        old->node->was_durable = true;
        bool same = new != NULL &&new->node == old->node;
        if (same || !survives(dice))
            must(hr_disk_names_add(disk, &directory->left, old));
        else if (new != NULL)
            must(hr_disk_names_add(disk, &directory->left, new));
    }
    for (size_t i = 0; i < now->count; i++)
        if (hr_disk_entry_of(durable, now->entries[i].name) == NULL && survives(dice))
            must(hr_disk_names_add(disk, &directory->left, &now->entries[i]));
    for (size_t i = 0; i < directory->left.count; i++)
        directory->left.entries[i].node->is_left = true;
}

/* Of a renamed file the old name went and the new one did not come: let it come. */
static void keep_renamed(hr_disk *disk, hr_disk_node *directory)
{
    for (size_t i = 0; i < directory->names.count; i++) {
        hr_disk_entry *entry = &directory->names.entries[i];
        if (!entry->node->was_durable || entry->node->is_left)
            continue;
        hr_disk_entry *other = hr_disk_entry_of(&directory->left, entry->name);
        if (other != NULL) {
            hr_disk_unref(disk, other->node); /* its durable entry still holds it */
            *other = *entry;
            hr_disk_ref(entry->node);
        } else {
            must(hr_disk_names_add(disk, &directory->left, entry));
        }
    }
}

static bool is_left_elsewhere(hr_disk *disk, const hr_disk_entry *but)
{
    for (hr_list *at = disk->nodes.next; at != &disk->nodes; at = at->next) {
        const hr_disk_names *left = &HR_CONTAINER(at, hr_disk_node, node)->left;
        for (size_t i = 0; i < left->count; i++)
            if (left->entries[i].node == but->node && &left->entries[i] != but)
                return true;
    }
    return false;
}

/* Of a renamed directory both names are left: the old one goes. */
static void drop_moved(hr_disk *disk, hr_disk_node *directory)
{
    hr_disk_names *left = &directory->left;
    for (size_t i = left->count; i-- > 0;) {
        hr_disk_entry *entry = &left->entries[i];
        const hr_disk_entry *now = hr_disk_entry_of(&directory->names, entry->name);
        bool moved = now == NULL || now->node != entry->node;
        if (!moved || entry->node->info.type != HR_FILE_DIRECTORY ||
            !is_left_elsewhere(disk, entry))
            continue;
        hr_disk_unref(disk, entry->node); /* its durable entry still holds it */
        left->count--;
        memmove(entry, entry + 1, (left->count - i) * sizeof *entry);
    }
}

static int by_id(const void *a, const void *b)
{
    uint64_t first = ((const hr_disk_entry *)a)->id, second = ((const hr_disk_entry *)b)->id;
    return first < second ? -1 : first > second;
}

static void drop_names(hr_disk *disk, hr_disk_names *names)
{
    hr_disk_names dropped = *names;
    *names = (hr_disk_names){0};
    for (size_t i = 0; i < dropped.count; i++)
        hr_disk_unref(disk, dropped.entries[i].node);
    hr_release(disk->env, dropped.entries);
}

/* What is left is what is, and what is durable. */
static void settle_names(hr_disk *disk, hr_disk_node *directory)
{
    if (directory->left.count > 0)
        qsort(directory->left.entries, directory->left.count, sizeof(hr_disk_entry), by_id);
    drop_names(disk, &directory->names);
    directory->names = directory->left;
    directory->left = (hr_disk_names){0};
    must(hr_disk_sync_names(disk, directory));
}

static void count_users(hr_disk *disk)
{
    disk->used = 0;
    for (hr_list *at = disk->nodes.next; at != &disk->nodes; at = at->next) {
        hr_disk_node *node = HR_CONTAINER(at, hr_disk_node, node);
        node->users = node == disk->root;
        node->info.links = 0;
        node->was_durable = node->is_left = false;
        disk->used += node->bytes.len;
    }
    for (hr_list *at = disk->nodes.next; at != &disk->nodes; at = at->next) {
        hr_disk_node *node = HR_CONTAINER(at, hr_disk_node, node);
        for (size_t i = 0; i < node->names.count; i++) {
            node->names.entries[i].node->users++;
            node->names.entries[i].node->info.links++;
        }
    }
}

static void each_node(hr_disk *disk, hr_file_type type, crash_dice *dice,
                      void (*act)(hr_disk *, hr_disk_node *, crash_dice *))
{
    for (hr_list *at = disk->nodes.next; at != &disk->nodes; at = at->next) {
        hr_disk_node *node = HR_CONTAINER(at, hr_disk_node, node);
        if (node->info.type == type)
            act(disk, node, dice);
    }
}

void hr_disk_stop_at(hr_disk *disk, uint64_t nth, bool after)
{
    disk->stop_at = nth != 0 ? disk->operations + nth : 0;
    disk->stop_after = after;
}

bool hr_disk_is_stopped(const hr_disk *disk)
{
    return disk->stopped;
}

void hr_disk_resume(hr_disk *disk)
{
    disk->stop_at = 0;
    disk->stopped = false;
}

void hr_disk_kill(hr_disk *disk)
{
    hr_disk_resume(disk);
    for (hr_list *at = disk->handles.next; at != &disk->handles; at = at->next)
        hr_disk_detach(disk, HR_CONTAINER(at, hr_disk_handle, node));
}

void hr_disk_crash(hr_disk *disk, uint64_t seed)
{
    crash_dice dice = {.state = seed};
    dice.mode = next_u64(&dice) % 4;
    hr_disk_kill(disk);
    uint64_t capacity = disk->capacity;
    /* What comes back had its space before; count_users opens the books anew. */
    disk->capacity = UINT64_MAX;
    disk->used = UINT64_MAX / 2;
    /* Nodes that are let go must not vanish from the list while it is walked. */
    for (hr_list *at = disk->nodes.next; at != &disk->nodes; at = at->next)
        hr_disk_ref(HR_CONTAINER(at, hr_disk_node, node));
    each_node(disk, HR_FILE_REGULAR, &dice, crash_bytes);
    each_node(disk, HR_FILE_DIRECTORY, &dice, choose_names);
    for (hr_list *at = disk->nodes.next; at != &disk->nodes; at = at->next)
        keep_renamed(disk, HR_CONTAINER(at, hr_disk_node, node));
    for (hr_list *at = disk->nodes.next; at != &disk->nodes; at = at->next)
        drop_moved(disk, HR_CONTAINER(at, hr_disk_node, node));
    for (hr_list *at = disk->nodes.next; at != &disk->nodes; at = at->next)
        settle_names(disk, HR_CONTAINER(at, hr_disk_node, node));
    for (hr_list *at = disk->nodes.next, *next; at != &disk->nodes; at = next) {
        next = at->next;
        hr_disk_unref(disk, HR_CONTAINER(at, hr_disk_node, node));
    }
    count_users(disk);
    disk->capacity = capacity;
}
