/* SPDX-License-Identifier: Apache-2.0 */
#include "disk_io.h"

#include <assert.h>
#include <string.h>

#include "bytes.h"

static hr_disk_handle *file_of(const hr_io *io)
{
    return (hr_disk_handle *)io->file;
}

/* The node that paths of io start at; NULL if a crash took it. */
static hr_disk_node *start_of(const hr_disk *disk, const hr_io *io)
{
    return io->dir == NULL ? disk->root : ((hr_disk_handle *)io->dir)->target;
}

/* A path that starts with a slash is meant from the root, which only the process's view has. */
static hr_status find_start(const hr_disk *disk, const hr_io *io, hr_disk_node **start)
{
    *start = start_of(disk, io);
    if (*start == NULL)
        return HR_IO;
    return io->dir != NULL && io->path[0] == '/' ? HR_POLICY : HR_OK;
}

hr_status hr_disk_io_find(const hr_disk *disk, const hr_io *io, hr_disk_node **node)
{
    hr_disk_node *start;
    hr_status status = find_start(disk, io, &start);
    return status == HR_OK ? hr_disk_find(start, io->path, node) : status;
}

/* ---- opening and closing ---- */

static hr_status open_dir(hr_disk *disk, hr_io *io)
{
    hr_disk_node *start, *node;
    hr_status status = find_start(disk, io, &start);
    io->changed = status == HR_OK && hr_disk_find(start, io->path, &node) == HR_NOT_FOUND;
    if (status == HR_OK)
        status = io->flags & HR_IO_CREATE ? hr_disk_make_path(disk, start, io->path,
                                                              !(io->flags & HR_IO_UNSYNCED), &node)
                                          : hr_disk_find(start, io->path, &node);
    if (status != HR_OK)
        return status;
    if (node->info.type != HR_FILE_DIRECTORY)
        return HR_NOT_DIRECTORY;
    if (io->flags & HR_IO_CREATE && io->flags & HR_IO_MODE)
        node->info.mode = 0700 | ((io->changed ? io->info.mode : node->info.mode) & 07777);
    hr_disk_handle *handle;
    status = hr_disk_open(disk, node, io->flags, &handle);
    if (status == HR_OK)
        io->dir_out = (hr_dir *)handle;
    return status;
}

static hr_status make_dir(hr_disk *disk, hr_io *io)
{
    io->flags |= HR_IO_CREATE;
    hr_status status = open_dir(disk, io);
    if (status == HR_OK)
        hr_disk_close(disk, (hr_disk_handle *)io->dir_out);
    io->dir_out = NULL;
    return status;
}

static hr_status close_dir(hr_disk *disk, hr_io *io)
{
    hr_disk_close(disk, (hr_disk_handle *)io->dir);
    return HR_OK;
}

hr_status hr_disk_io_make(hr_disk *disk, hr_io *io, hr_disk_node **node)
{
    hr_disk_node *start, *parent;
    char name[HR_NAME_MAX + 1];
    hr_status status = find_start(disk, io, &start);
    if (status == HR_OK)
        status = hr_disk_find(start, io->path, node);
    if (status == HR_OK && (io->flags & HR_IO_CREATE) && (io->flags & HR_IO_EXCLUSIVE))
        return HR_EXISTS;
    if (status != HR_NOT_FOUND || !(io->flags & HR_IO_CREATE))
        return status;
    status = hr_disk_find_parent(start, io->path, &parent, name);
    if (status != HR_OK)
        return status;
    status = hr_disk_make(disk, parent, name, HR_FILE_REGULAR, node);
    if (status == HR_OK && io->flags & HR_IO_MODE)
        (*node)->info.mode = io->info.mode;
    return status;
}

static hr_file_info info_of(const hr_disk_handle *handle)
{
    hr_file_info info = handle->target->info;
    info.direct_align = handle->flags & HR_IO_DIRECT ? HR_DIRECT_ALIGN : 0;
    return info;
}

static hr_status open_file(hr_disk *disk, hr_io *io)
{
    hr_disk_node *node;
    hr_status status = hr_disk_io_make(disk, io, &node);
    if (status != HR_OK)
        return status;
    if (node->info.type == HR_FILE_DIRECTORY)
        return HR_IS_DIRECTORY;
    if (node->info.type == HR_FILE_SYMLINK)
        return HR_POLICY; /* no path leads through one here */
    if (io->flags & HR_IO_EMPTY)
        status = hr_disk_resize(disk, node, 0);
    hr_disk_handle *handle;
    if (status == HR_OK)
        status = hr_disk_open(disk, node, io->flags, &handle);
    if (status != HR_OK)
        return status;
    io->file_out = (hr_file *)handle;
    io->info = info_of(handle);
    return HR_OK;
}

static hr_status close_file(hr_disk *disk, hr_io *io)
{
    hr_disk_close(disk, file_of(io));
    return HR_OK;
}

/* ---- looking ---- */

static hr_status stat_file(hr_disk *disk, hr_io *io)
{
    (void)disk;
    io->info = info_of(file_of(io));
    return HR_OK;
}

static hr_status lookup(hr_disk *disk, hr_io *io)
{
    hr_disk_node *node;
    hr_status status = hr_disk_io_find(disk, io, &node);
    if (status == HR_OK)
        io->info = node->info;
    return status;
}

static size_t first_after(const hr_disk_names *names, uint64_t id)
{
    size_t low = 0, high = names->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (names->entries[middle].id <= id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static hr_status list(hr_disk *disk, hr_io *io)
{
    hr_disk_node *node;
    hr_status status = hr_disk_io_find(disk, io, &node);
    if (status != HR_OK)
        return status;
    if (node->info.type != HR_FILE_DIRECTORY)
        return HR_NOT_DIRECTORY;
    size_t used = 0;
    io->last = true;
    for (size_t i = first_after(&node->names, io->cookie); i < node->names.count; i++) {
        const hr_disk_entry *entry = &node->names.entries[i];
        size_t name_len = strlen(entry->name);
        bool is_symlink = entry->node->info.type == HR_FILE_SYMLINK;
        size_t target_len = is_symlink ? entry->node->bytes.len : 0;
        size_t size = hr_dir_entry_size(name_len, target_len, 0);
        io->last = size <= io->len - used;
        if (!io->last)
            break;
        hr_dir_entry *out = (hr_dir_entry *)(void *)((uint8_t *)io->data + used);
        out->size = (uint32_t)size;
        out->name_len = (uint16_t)name_len;
        out->target_len = (uint16_t)target_len;
        out->xattrs_len = 0;
        out->xattrs_lost = false;
        out->info = entry->node->info;
        memcpy(out->name, entry->name, name_len + 1);
        if (target_len > 0)
            memcpy(out->name + name_len + 1, entry->node->bytes.data, target_len);
        out->name[name_len + 1 + target_len] = '\0';
        used += size;
        io->cookie = entry->id;
    }
    if (used == 0 && first_after(&node->names, io->cookie) < node->names.count)
        return HR_INVALID; /* no room for a single entry */
    io->bytes = used;
    return HR_OK;
}

static hr_status list_dirs(hr_disk *disk, hr_io *io)
{
    bool goes_on = true;
    size_t used = 0;
    for (size_t i = 0; i < io->file_count; i++) {
        hr_io_file *folder = &io->files[i];
        hr_io one = *io;
        folder->status = HR_AGAIN;
        if (!goes_on)
            continue;
        one.path = folder->path;
        one.data = (uint8_t *)io->data + used;
        one.len = io->len - used;
        one.cookie = i == 0 ? io->cookie : 0;
        one.bytes = 0;
        one.last = false;
        hr_status status = list(disk, &one);
        goes_on = status == HR_OK && one.last;
        if (status != HR_OK && i > 0 && one.len < HR_DIR_ENTRY_MAX)
            continue; /* perhaps for want of room */
        folder->status = status;
        folder->info.size = one.bytes;
        used += one.bytes;
        io->cookie = one.cookie;
        io->last = one.last;
    }
    io->bytes = used;
    return HR_OK;
}

/* ---- content ---- */

static bool is_aligned(const hr_io *io)
{
    uint64_t all = io->offset | io->len | (uintptr_t)io->data;
    return !(file_of(io)->flags & HR_IO_DIRECT) || all % HR_DIRECT_ALIGN == 0;
}

static hr_status read_file(hr_disk *disk, hr_io *io)
{
    (void)disk;
    const hr_disk_bytes *bytes = &file_of(io)->target->bytes;
    if (!(file_of(io)->flags & HR_IO_READABLE) || !is_aligned(io))
        return HR_INVALID;
    uint64_t left = io->offset < bytes->len ? bytes->len - io->offset : 0;
    io->bytes = (size_t)hr_min_u64(left, io->len);
    if (io->bytes > 0)
        memcpy(io->data, bytes->data + io->offset, io->bytes);
    return HR_OK;
}

static bool is_writable(const hr_io *io)
{
    return file_of(io)->flags & HR_IO_WRITABLE;
}

static hr_status write_file(hr_disk *disk, hr_io *io)
{
    hr_disk_node *node = file_of(io)->target;
    if (!is_writable(io) || !is_aligned(io))
        return HR_INVALID;
    uint64_t offset = file_of(io)->flags & HR_IO_APPEND ? node->bytes.len : io->offset;
    hr_status status = hr_disk_write(disk, node, offset, io->data, io->len);
    if (status == HR_OK)
        io->bytes = io->len;
    return status;
}

static hr_status sync_file(hr_disk *disk, hr_io *io)
{
    return hr_disk_sync_bytes(disk, file_of(io)->target);
}

static hr_status set_len(hr_disk *disk, hr_io *io)
{
    return is_writable(io) ? hr_disk_resize(disk, file_of(io)->target, io->len) : HR_INVALID;
}

/* Lives in the inode, which a crash may lose: see hr_disk_crash. */
static bool is_other(const hr_file_info *now, const hr_io *io)
{
    const hr_file_info *wanted = &io->info;
    bool mode = io->flags & HR_IO_MODE && now->mode != wanted->mode;
    bool owner = io->flags & HR_IO_OWNER && (now->uid != wanted->uid || now->gid != wanted->gid);
    return now->mtime_ns != wanted->mtime_ns || mode || owner;
}

static hr_status stamp(hr_disk *disk, hr_io *io)
{
    hr_disk_node *node = io->file != NULL ? file_of(io)->target : NULL;
    hr_status status = HR_OK;
    if (io->file == NULL)
        status = hr_disk_io_find(disk, io, &node);
    if (status != HR_OK || node == NULL)
        return status != HR_OK ? status : HR_IO;
    if (io->flags & HR_IO_ONLY_DIR && node->info.type != HR_FILE_DIRECTORY)
        return HR_NOT_DIRECTORY;
    io->changed = !(io->flags & HR_IO_IF_OTHER) || is_other(&node->info, io);
    if (!io->changed)
        return HR_OK;
    node->info.mtime_ns = io->info.mtime_ns;
    if (io->flags & HR_IO_MODE)
        node->info.mode = io->info.mode;
    if (io->flags & HR_IO_OWNER) {
        node->info.uid = io->info.uid;
        node->info.gid = io->info.gid;
    }
    return HR_OK;
}

static hr_status lock_file(hr_disk *disk, hr_io *io)
{
    (void)disk;
    hr_disk_node *node = file_of(io)->target;
    if (node->lock != NULL && node->lock != file_of(io))
        return HR_BUSY;
    node->lock = file_of(io);
    return HR_OK;
}

/* ---- names ---- */

static hr_status rename_entry(hr_disk *disk, hr_io *io)
{
    hr_disk_node *start;
    hr_status status = find_start(disk, io, &start);
    if (status != HR_OK)
        return status;
    if (io->dir != NULL && io->path_to[0] == '/')
        return HR_POLICY;
    return hr_disk_rename(disk, start, io->path, io->path_to, io->flags & HR_IO_EXCLUSIVE);
}

static hr_status remove_entry(hr_disk *disk, hr_io *io)
{
    hr_disk_node *start, *parent;
    char name[HR_NAME_MAX + 1];
    hr_status status = find_start(disk, io, &start);
    if (status == HR_OK)
        status = hr_disk_find_parent(start, io->path, &parent, name);
    if (status != HR_OK)
        return status;
    const hr_disk_entry *entry = hr_disk_entry_of(&parent->names, name);
    if (io->flags & HR_IO_ONLY_DIR && entry != NULL && entry->node->info.type != HR_FILE_DIRECTORY)
        return HR_NOT_DIRECTORY;
    return hr_disk_remove(disk, parent, name);
}

hr_status hr_disk_io_new_name(const hr_disk *disk, const hr_io *io, const char *path,
                              hr_disk_node **parent, char name[HR_NAME_MAX + 1])
{
    hr_disk_node *start;
    hr_status status = find_start(disk, io, &start);
    if (status == HR_OK)
        status = hr_disk_find_parent(start, path, parent, name);
    if (status == HR_OK && hr_disk_entry_of(&(*parent)->names, name) != NULL)
        status = HR_EXISTS;
    return status;
}

static hr_status make_symlink(hr_disk *disk, hr_io *io)
{
    hr_disk_node *parent, *node;
    char name[HR_NAME_MAX + 1];
    hr_status status = hr_disk_io_new_name(disk, io, io->path, &parent, name);
    size_t len = strlen(io->path_to);
    if (status == HR_OK && len == 0)
        status = HR_NOT_FOUND; /* as symlink(2) has it */
    if (status != HR_OK)
        return status;
    status = hr_disk_make(disk, parent, name, HR_FILE_SYMLINK, &node);
    if (status == HR_OK)
        status = hr_disk_write(disk, node, 0, io->path_to, len);
    return status == HR_OK ? hr_disk_sync_bytes(disk, node) : status;
}

static hr_status read_symlink(hr_disk *disk, hr_io *io)
{
    hr_disk_node *node;
    hr_status status = hr_disk_io_find(disk, io, &node);
    if (status != HR_OK)
        return status;
    if (node->info.type != HR_FILE_SYMLINK)
        return HR_INVALID;
    io->bytes = (size_t)hr_min_u64(node->bytes.len, io->len);
    memcpy(io->data, node->bytes.data, io->bytes);
    return HR_OK;
}

static hr_status link_entry(hr_disk *disk, hr_io *io)
{
    hr_disk_node *node, *parent;
    char name[HR_NAME_MAX + 1];
    hr_status status = hr_disk_io_find(disk, io, &node);
    if (status == HR_OK)
        status = hr_disk_io_new_name(disk, io, io->path_to, &parent, name);
    if (status != HR_OK)
        return status;
    if (node->info.type == HR_FILE_DIRECTORY)
        return HR_DENIED;
    return hr_disk_link(disk, parent, name, node);
}

static hr_status set_xattrs(hr_disk *disk, hr_io *io)
{
    (void)disk, (void)io;
    return HR_UNSUPPORTED;
}

static hr_status sync_dir(hr_disk *disk, hr_io *io)
{
    hr_disk_node *node;
    hr_status status = hr_disk_io_find(disk, io, &node);
    if (status != HR_OK)
        return status;
    if (node->info.type != HR_FILE_DIRECTORY)
        return HR_NOT_DIRECTORY;
    return hr_disk_sync_names(disk, node);
}

static hr_status sync_all(hr_disk *disk, hr_io *io)
{
    (void)io;
    return hr_disk_sync_all(disk);
}

/* ---- all of them ---- */

static const struct {
    hr_status (*act)(hr_disk *disk, hr_io *io);
    bool on_file; /* needs io->file, and that no crash took it */
} acts[] = {
    [HR_IO_OPEN_DIR] = {open_dir, false},     [HR_IO_CLOSE_DIR] = {close_dir, false},
    [HR_IO_MAKE_DIR] = {make_dir, false},     [HR_IO_OPEN] = {open_file, false},
    [HR_IO_CLOSE] = {close_file, false},      [HR_IO_STAT] = {stat_file, true},
    [HR_IO_LOOKUP] = {lookup, false},         [HR_IO_LIST] = {list, false},
    [HR_IO_READ] = {read_file, true},         [HR_IO_WRITE] = {write_file, true},
    [HR_IO_SYNC] = {sync_file, true},         [HR_IO_ALLOCATE] = {set_len, true},
    [HR_IO_TRUNCATE] = {set_len, true},       [HR_IO_RENAME] = {rename_entry, false},
    [HR_IO_REMOVE] = {remove_entry, false},   [HR_IO_SYNC_DIR] = {sync_dir, false},
    [HR_IO_LOCK] = {lock_file, true},         [HR_IO_STAMP] = {stamp, false},
    [HR_IO_SYMLINK] = {make_symlink, false},  [HR_IO_READLINK] = {read_symlink, false},
    [HR_IO_LINK] = {link_entry, false},       [HR_IO_SYNC_ALL] = {sync_all, false},
    [HR_IO_SET_XATTRS] = {set_xattrs, false}, [HR_IO_LIST_DIRS] = {list_dirs, false},
};

hr_status hr_disk_io(hr_disk *disk, hr_io *io)
{
    assert((size_t)io->kind < sizeof acts / sizeof acts[0] && acts[io->kind].act != NULL);
    if (acts[io->kind].on_file && file_of(io)->target == NULL)
        return HR_IO;
    return acts[io->kind].act(disk, io);
}
