/* SPDX-License-Identifier: Apache-2.0 */
/* A tree of files in memory that remembers, beside what is, what would be left after a power loss.
 * Bytes become durable by hr_disk_sync_bytes, names by hr_disk_sync_names, and neither by the
 * other: stricter than most file systems, as strict as POSIX. */
#include "disk.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

/* ---- nodes ---- */

/* Every change has a time of its own, also when the clock of a test stands still, so that a file
 * that changed never looks as if it had not. */
static int64_t next_time(hr_disk *disk)
{
    int64_t now = (int64_t)hr_now_ns(disk->env);
    disk->last_time_ns = now > disk->last_time_ns ? now : disk->last_time_ns + 1;
    return disk->last_time_ns;
}

static void changed(hr_disk *disk, hr_disk_node *node)
{
    node->info.mtime_ns = node->info.ctime_ns = next_time(disk);
}

static hr_disk_node *make_node(hr_disk *disk, hr_file_type type)
{
    hr_disk_node *node = hr_alloc(disk->env, sizeof *node);
    if (node == NULL)
        return NULL;
    node->info = (hr_file_info){
        .type = type,
        .mode = type == HR_FILE_DIRECTORY ? 0755 : 0644,
        .inode = ++disk->last_inode,
    };
    if (disk->root != NULL)
        memcpy(node->info.filesystem, disk->root->info.filesystem, sizeof node->info.filesystem);
    changed(disk, node);
    hr_list_append(&disk->nodes, &node->node);
    return node;
}

static void drop_names(hr_disk *disk, hr_disk_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        hr_disk_unref(disk, names->entries[i].node);
    hr_release(disk->env, names->entries);
    *names = (hr_disk_names){0};
}

static void free_node(hr_disk *disk, hr_disk_node *node)
{
    drop_names(disk, &node->names);
    drop_names(disk, &node->durable_names);
    hr_release(disk->env, node->bytes.data);
    hr_release(disk->env, node->durable_bytes.data);
    hr_list_remove(&node->node);
    hr_release(disk->env, node);
}

void hr_disk_ref(hr_disk_node *node)
{
    node->refs++;
}

void hr_disk_unref(hr_disk *disk, hr_disk_node *node)
{
    assert(node->refs > 0);
    if (--node->refs == 0)
        free_node(disk, node);
}

/* Its space is given back when neither a name nor a handle is left, even if a crash could still
 * bring the name back. */
static void unuse(hr_disk *disk, hr_disk_node *node)
{
    if (--node->users == 0)
        disk->used -= node->bytes.len;
    hr_disk_unref(disk, node);
}

static void use(hr_disk_node *node)
{
    node->users++;
    node->refs++;
}

/* ---- handles ---- */

hr_status hr_disk_open(hr_disk *disk, hr_disk_node *node, unsigned flags,
                       hr_disk_handle **handle_out)
{
    hr_disk_handle *handle = hr_alloc(disk->env, sizeof *handle);
    if (handle == NULL)
        return HR_NO_MEMORY;
    handle->target = node;
    handle->flags = flags;
    use(node);
    hr_list_append(&disk->handles, &handle->node);
    *handle_out = handle;
    return HR_OK;
}

void hr_disk_detach(hr_disk *disk, hr_disk_handle *handle)
{
    hr_disk_node *node = handle->target;
    if (node == NULL)
        return;
    if (node->lock == handle)
        node->lock = NULL;
    handle->target = NULL;
    unuse(disk, node);
}

void hr_disk_close(hr_disk *disk, hr_disk_handle *handle)
{
    hr_disk_detach(disk, handle);
    hr_list_remove(&handle->node);
    hr_release(disk->env, handle);
}

/* ---- names ---- */

hr_disk_entry *hr_disk_entry_of(hr_disk_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if ((names->folds ? strcasecmp : strcmp)(names->entries[i].name, name) == 0)
            return &names->entries[i];
    return NULL;
}

static hr_status grow_names(const hr_disk *disk, hr_disk_names *names, size_t count)
{
    if (count <= names->capacity)
        return HR_OK;
    size_t capacity = count < 8 ? 8 : 2 * count;
    hr_disk_entry *entries = hr_alloc(disk->env, capacity * sizeof *entries);
    if (entries == NULL)
        return HR_NO_MEMORY;
    if (names->count > 0)
        memcpy(entries, names->entries, names->count * sizeof *entries);
    hr_release(disk->env, names->entries);
    names->entries = entries;
    names->capacity = capacity;
    return HR_OK;
}

hr_status hr_disk_names_add(const hr_disk *disk, hr_disk_names *names, const hr_disk_entry *entry)
{
    hr_status status = grow_names(disk, names, names->count + 1);
    if (status != HR_OK)
        return status;
    names->entries[names->count++] = *entry;
    hr_disk_ref(entry->node);
    return HR_OK;
}

/* The entry's reference goes with it: the caller's to drop. */
static void cut_entry(hr_disk_names *names, hr_disk_entry *entry)
{
    size_t at = (size_t)(entry - names->entries);
    names->count--;
    memmove(entry, entry + 1, (names->count - at) * sizeof *entry);
}

hr_status hr_disk_link(hr_disk *disk, hr_disk_node *parent, const char *name, hr_disk_node *node)
{
    hr_disk_entry entry = {.node = node, .id = disk->last_id + 1};
    memcpy(entry.name, name, strlen(name) + 1);
    hr_status status = hr_disk_names_add(disk, &parent->names, &entry);
    if (status != HR_OK)
        return status;
    disk->last_id++;
    node->users++;
    node->info.links++;
    if (node->info.type == HR_FILE_DIRECTORY)
        node->names.folds = parent->names.folds;
    changed(disk, parent);
    return HR_OK;
}

static void unlink_entry(hr_disk *disk, hr_disk_node *parent, hr_disk_entry *entry)
{
    hr_disk_node *node = entry->node;
    cut_entry(&parent->names, entry);
    node->info.links--;
    changed(disk, parent);
    node->info.ctime_ns = next_time(disk);
    unuse(disk, node);
}

/* ---- paths ---- */

typedef struct path_walk {
    hr_disk_node *passed[HR_PATH_MAX / 2 + 1]; /* from start on; ".." goes back along it */
    size_t depth;
    char name[HR_NAME_MAX + 1]; /* the last name, not yet looked up; "" if it was "." or ".." */
} path_walk;

static hr_status step_into(path_walk *walk)
{
    if (walk->name[0] == '\0')
        return HR_OK;
    hr_disk_node *directory = walk->passed[walk->depth];
    if (directory->info.type != HR_FILE_DIRECTORY)
        return HR_NOT_DIRECTORY;
    if (strcmp(walk->name, "..") == 0) {
        walk->name[0] = '\0';
        return walk->depth-- > 0 ? HR_OK : HR_POLICY;
    }
    hr_disk_entry *entry = hr_disk_entry_of(&directory->names, walk->name);
    if (entry == NULL)
        return HR_NOT_FOUND;
    walk->passed[++walk->depth] = entry->node;
    walk->name[0] = '\0';
    return HR_OK;
}

/* Goes along path as far as before its last name, which is left in walk->name. */
static hr_status walk_path(path_walk *walk, hr_disk_node *start, const char *path)
{
    walk->passed[0] = start;
    walk->depth = 0;
    walk->name[0] = '\0';
    if (strlen(path) >= HR_PATH_MAX)
        return HR_INVALID;
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        if (len > HR_NAME_MAX)
            return HR_INVALID;
        if (len > 0 && !(len == 1 && path[0] == '.')) {
            hr_status status = step_into(walk);
            if (status != HR_OK)
                return status;
            memcpy(walk->name, path, len);
            walk->name[len] = '\0';
        }
        path += len + (path[len] == '/');
    }
    return strcmp(walk->name, "..") == 0 ? step_into(walk) : HR_OK;
}

hr_status hr_disk_find(hr_disk_node *start, const char *path, hr_disk_node **node_out)
{
    path_walk walk;
    hr_status status = walk_path(&walk, start, path);
    if (status == HR_OK)
        status = step_into(&walk);
    if (status == HR_OK)
        *node_out = walk.passed[walk.depth];
    return status;
}

static hr_status named_parent(const path_walk *walk)
{
    if (walk->name[0] == '\0')
        return HR_INVALID;
    return walk->passed[walk->depth]->info.type == HR_FILE_DIRECTORY ? HR_OK : HR_NOT_DIRECTORY;
}

hr_status hr_disk_find_parent(hr_disk_node *start, const char *path, hr_disk_node **parent_out,
                              char name_out[HR_NAME_MAX + 1])
{
    path_walk walk;
    hr_status status = walk_path(&walk, start, path);
    if (status == HR_OK)
        status = named_parent(&walk);
    if (status != HR_OK)
        return status;
    *parent_out = walk.passed[walk.depth];
    memcpy(name_out, walk.name, sizeof walk.name);
    return HR_OK;
}

/* ---- changing the tree ---- */

hr_status hr_disk_make(hr_disk *disk, hr_disk_node *parent, const char *name, hr_file_type type,
                       hr_disk_node **node_out)
{
    hr_disk_node *node = make_node(disk, type);
    if (node == NULL)
        return HR_NO_MEMORY;
    hr_status status = hr_disk_link(disk, parent, name, node);
    if (status != HR_OK) {
        free_node(disk, node);
        return status;
    }
    *node_out = node;
    return HR_OK;
}

/* Its name is synced whoever made it: that one may not have come to it. */
static hr_status make_and_sync(hr_disk *disk, hr_disk_node *start, const char *path, bool exists,
                               bool synced)
{
    hr_disk_node *parent, *node;
    char name[HR_NAME_MAX + 1];
    hr_status status = hr_disk_find_parent(start, path, &parent, name);
    if (status == HR_INVALID && exists) /* start itself */
        return HR_OK;
    if (status == HR_OK && !exists)
        status = hr_disk_make(disk, parent, name, HR_FILE_DIRECTORY, &node);
    return status == HR_OK && synced ? hr_disk_sync_names(disk, parent) : status;
}

hr_status hr_disk_make_path(hr_disk *disk, hr_disk_node *start, const char *path, bool synced,
                            hr_disk_node **node_out)
{
    char part[HR_PATH_MAX];
    if (strlen(path) >= sizeof part)
        return HR_INVALID;
    for (size_t end = 0; path[end] != '\0';) {
        end += strspn(path + end, "/");
        end += strcspn(path + end, "/");
        memcpy(part, path, end);
        part[end] = '\0';
        hr_disk_node *node;
        hr_status status = hr_disk_find(start, part, &node);
        bool exists = status == HR_OK;
        if (status == HR_NOT_FOUND || (exists && path[end] == '\0'))
            status = make_and_sync(disk, start, part, exists, synced);
        if (status != HR_OK)
            return status;
    }
    hr_status status = hr_disk_find(start, path, node_out);
    return status == HR_OK && (*node_out)->info.type != HR_FILE_DIRECTORY ? HR_NOT_DIRECTORY
                                                                          : status;
}

hr_status hr_disk_remove(hr_disk *disk, hr_disk_node *parent, const char *name)
{
    hr_disk_entry *entry = hr_disk_entry_of(&parent->names, name);
    if (entry == NULL)
        return HR_NOT_FOUND;
    if (entry->node->names.count > 0)
        return HR_EXISTS;
    unlink_entry(disk, parent, entry);
    return HR_OK;
}

static hr_status may_replace(const hr_disk_node *old, const hr_disk_node *moved, bool exclusive)
{
    if (exclusive)
        return HR_EXISTS;
    bool is_folder = old->info.type == HR_FILE_DIRECTORY;
    if (is_folder != (moved->info.type == HR_FILE_DIRECTORY))
        return is_folder ? HR_IS_DIRECTORY : HR_NOT_DIRECTORY;
    return old->names.count > 0 ? HR_EXISTS : HR_OK;
}

hr_status hr_disk_rename(hr_disk *disk, hr_disk_node *start, const char *path, const char *path_to,
                         bool exclusive)
{
    hr_disk_node *parent;
    char name[HR_NAME_MAX + 1];
    path_walk to;
    hr_status status = hr_disk_find_parent(start, path, &parent, name);
    if (status == HR_OK)
        status = walk_path(&to, start, path_to);
    if (status == HR_OK)
        status = named_parent(&to);
    if (status != HR_OK)
        return status;
    hr_disk_entry *from = hr_disk_entry_of(&parent->names, name);
    if (from == NULL)
        return HR_NOT_FOUND;
    hr_disk_node *moved = from->node, *parent_to = to.passed[to.depth];
    for (size_t i = 0; i <= to.depth; i++)
        if (to.passed[i] == moved) /* a directory cannot move into itself */
            return HR_INVALID;
    hr_disk_entry *old = hr_disk_entry_of(&parent_to->names, to.name);
    if (old != NULL && old->node == moved && !exclusive)
        return HR_OK;
    if (old != NULL && (status = may_replace(old->node, moved, exclusive)) != HR_OK)
        return status;

    /* The new name comes first: it may fail for lack of memory, and removing does not. */
    status = hr_disk_link(disk, parent_to, to.name, moved);
    if (status != HR_OK)
        return status;
    if (old != NULL)
        unlink_entry(disk, parent_to, hr_disk_entry_of(&parent_to->names, to.name));
    unlink_entry(disk, parent, hr_disk_entry_of(&parent->names, name));
    return HR_OK;
}

hr_status hr_disk_sync_names(hr_disk *disk, hr_disk_node *directory)
{
    hr_disk_names synced = {0};
    hr_status status = grow_names(disk, &synced, directory->names.count);
    if (status != HR_OK)
        return status;
    for (size_t i = 0; i < directory->names.count; i++) {
        synced.entries[synced.count++] = directory->names.entries[i];
        hr_disk_ref(directory->names.entries[i].node);
    }
    hr_disk_names before = directory->durable_names;
    directory->durable_names = synced;
    drop_names(disk, &before);
    return HR_OK;
}

/* ---- content ---- */

static hr_status resize_bytes(const hr_disk *disk, hr_disk_bytes *bytes, size_t len)
{
    if (len > bytes->capacity) {
        size_t capacity = len < 4096 ? 4096 : len + len / 2;
        uint8_t *data = hr_alloc(disk->env, capacity);
        if (data == NULL)
            return HR_NO_MEMORY;
        if (bytes->len > 0)
            memcpy(data, bytes->data, bytes->len);
        hr_release(disk->env, bytes->data);
        bytes->data = data;
        bytes->capacity = capacity;
    }
    if (len < bytes->len)
        memset(bytes->data + len, 0, bytes->len - len); /* what is behind the end stays zero */
    bytes->len = len;
    return HR_OK;
}

static void touched(hr_disk *disk, hr_disk_node *file, size_t from, size_t to)
{
    if (from < to) {
        bool clean = file->dirty_from == file->dirty_to;
        file->dirty_from = clean || from < file->dirty_from ? from : file->dirty_from;
        file->dirty_to = clean || to > file->dirty_to ? to : file->dirty_to;
    }
    changed(disk, file);
}

/* A hole takes as much space as data does. */
hr_status hr_disk_resize(hr_disk *disk, hr_disk_node *file, uint64_t len)
{
    size_t before = file->bytes.len;
    if (len > before && len - before > disk->capacity - disk->used)
        return HR_NO_SPACE;
    hr_status status = resize_bytes(disk, &file->bytes, (size_t)len);
    if (status != HR_OK)
        return status;
    disk->used = disk->used - before + len;
    file->info.size = file->info.allocated_len = len;
    touched(disk, file, before < len ? before : (size_t)len, before < len ? (size_t)len : before);
    return HR_OK;
}

hr_status hr_disk_write(hr_disk *disk, hr_disk_node *file, uint64_t offset, const void *data,
                        size_t len)
{
    if (len == 0)
        return HR_OK;
    if (offset > SIZE_MAX - len)
        return HR_NO_SPACE;
    uint64_t end = offset + len;
    if (end > file->bytes.len) {
        hr_status status = hr_disk_resize(disk, file, end);
        if (status != HR_OK)
            return status;
    }
    memcpy(file->bytes.data + offset, data, len);
    touched(disk, file, (size_t)offset, (size_t)end);
    return HR_OK;
}

hr_status hr_disk_sync_bytes(hr_disk *disk, hr_disk_node *file)
{
    hr_status status = resize_bytes(disk, &file->durable_bytes, file->bytes.len);
    if (status != HR_OK)
        return status;
    size_t to = file->dirty_to < file->bytes.len ? file->dirty_to : file->bytes.len;
    if (file->dirty_from < to)
        memcpy(file->durable_bytes.data + file->dirty_from, file->bytes.data + file->dirty_from,
               to - file->dirty_from);
    file->dirty_from = file->dirty_to = 0;
    return HR_OK;
}

hr_status hr_disk_sync_all(hr_disk *disk)
{
    hr_status status = HR_OK;
    for (hr_list *at = disk->nodes.next; at != &disk->nodes && status == HR_OK; at = at->next) {
        hr_disk_node *node = HR_CONTAINER(at, hr_disk_node, node);
        status = node->info.type == HR_FILE_DIRECTORY ? hr_disk_sync_names(disk, node)
                                                      : hr_disk_sync_bytes(disk, node);
    }
    return status;
}

/* ---- the disk ---- */

hr_status hr_disk_create(const hr_env *env, uint64_t capacity, hr_disk **disk_out)
{
    hr_disk *disk = hr_alloc(env, sizeof *disk);
    if (disk == NULL)
        return HR_NO_MEMORY;
    *disk = (hr_disk){.env = env, .capacity = capacity};
    hr_list_init(&disk->nodes);
    hr_list_init(&disk->handles);
    disk->root = make_node(disk, HR_FILE_DIRECTORY);
    if (disk->root == NULL) {
        hr_release(env, disk);
        return HR_NO_MEMORY;
    }
    env->random(env->context, disk->root->info.filesystem, sizeof disk->root->info.filesystem);
    use(disk->root);
    *disk_out = disk;
    return HR_OK;
}

void hr_disk_destroy(hr_disk *disk)
{
    if (disk == NULL)
        return;
    while (!hr_list_is_empty(&disk->handles))
        hr_disk_close(disk, HR_CONTAINER(disk->handles.next, hr_disk_handle, node));
    hr_disk_unref(disk, disk->root);
    assert(hr_list_is_empty(&disk->nodes));
    hr_release(disk->env, disk);
}
