/* SPDX-License-Identifier: Apache-2.0 */
/* The storage seam over an hr_disk: the reference implementation. Requests wait in a queue and are
 * carried out, in order, by a deferred task of the loop, as a disk would carry them out later. It
 * is as strict as the strictest file system: O_DIRECT wants everything aligned. */
#include "storage_memory.h"

#include <assert.h>
#include <string.h>

#include "bytes.h"
#include "disk.h"

typedef struct memory_storage {
    hr_storage base;
    hr_disk *disk;
    hr_task task;
    hr_io *first, *last; /* linked through scratch[0] */
} memory_storage;

static hr_disk_handle *file_of(const hr_io *io)
{
    return (hr_disk_handle *)io->file;
}

/* The node that paths of io start at; NULL if a crash took it. */
static hr_disk_node *start_of(const memory_storage *storage, const hr_io *io)
{
    return io->dir == NULL ? storage->disk->root : ((hr_disk_handle *)io->dir)->target;
}

/* A path that starts with a slash is meant from the root, which only the process's view has. */
static hr_status find_start(const memory_storage *storage, const hr_io *io, hr_disk_node **start)
{
    *start = start_of(storage, io);
    if (*start == NULL)
        return HR_IO;
    return io->dir != NULL && io->path[0] == '/' ? HR_POLICY : HR_OK;
}

static hr_status find_node(const memory_storage *storage, const hr_io *io, hr_disk_node **node)
{
    hr_disk_node *start;
    hr_status status = find_start(storage, io, &start);
    return status == HR_OK ? hr_disk_find(start, io->path, node) : status;
}

/* ---- opening and closing ---- */

static hr_status open_dir(memory_storage *storage, hr_io *io)
{
    hr_disk_node *start, *node;
    hr_status status = find_start(storage, io, &start);
    io->changed = status == HR_OK && hr_disk_find(start, io->path, &node) == HR_NOT_FOUND;
    if (status == HR_OK)
        status = io->flags & HR_IO_CREATE ? hr_disk_make_path(storage->disk, start, io->path,
                                                              !(io->flags & HR_IO_UNSYNCED), &node)
                                          : hr_disk_find(start, io->path, &node);
    if (status != HR_OK)
        return status;
    if (node->info.type != HR_FILE_DIRECTORY)
        return HR_NOT_DIRECTORY;
    if (io->flags & HR_IO_CREATE && io->flags & HR_IO_MODE)
        node->info.mode = 0700 | ((io->changed ? io->info.mode : node->info.mode) & 07777);
    hr_disk_handle *handle;
    status = hr_disk_open(storage->disk, node, io->flags, &handle);
    if (status == HR_OK)
        io->dir_out = (hr_dir *)handle;
    return status;
}

static hr_status make_dir(memory_storage *storage, hr_io *io)
{
    io->flags |= HR_IO_CREATE;
    hr_status status = open_dir(storage, io);
    if (status == HR_OK)
        hr_disk_close(storage->disk, (hr_disk_handle *)io->dir_out);
    io->dir_out = NULL;
    return status;
}

static hr_status close_dir(memory_storage *storage, hr_io *io)
{
    hr_disk_close(storage->disk, (hr_disk_handle *)io->dir);
    return HR_OK;
}

static hr_status find_or_create(memory_storage *storage, hr_io *io, hr_disk_node **node)
{
    hr_disk_node *start, *parent;
    char name[HR_NAME_MAX + 1];
    hr_status status = find_start(storage, io, &start);
    if (status == HR_OK)
        status = hr_disk_find(start, io->path, node);
    if (status == HR_OK && (io->flags & HR_IO_CREATE) && (io->flags & HR_IO_EXCLUSIVE))
        return HR_EXISTS;
    if (status != HR_NOT_FOUND || !(io->flags & HR_IO_CREATE))
        return status;
    status = hr_disk_find_parent(start, io->path, &parent, name);
    if (status != HR_OK)
        return status;
    status = hr_disk_make(storage->disk, parent, name, HR_FILE_REGULAR, node);
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

static hr_status open_file(memory_storage *storage, hr_io *io)
{
    hr_disk_node *node;
    hr_status status = find_or_create(storage, io, &node);
    if (status != HR_OK)
        return status;
    if (node->info.type == HR_FILE_DIRECTORY)
        return HR_IS_DIRECTORY;
    if (node->info.type == HR_FILE_SYMLINK)
        return HR_POLICY; /* no path leads through one here */
    if (io->flags & HR_IO_EMPTY)
        status = hr_disk_resize(storage->disk, node, 0);
    hr_disk_handle *handle;
    if (status == HR_OK)
        status = hr_disk_open(storage->disk, node, io->flags, &handle);
    if (status != HR_OK)
        return status;
    io->file_out = (hr_file *)handle;
    io->info = info_of(handle);
    return HR_OK;
}

static hr_status close_file(memory_storage *storage, hr_io *io)
{
    hr_disk_close(storage->disk, file_of(io));
    return HR_OK;
}

/* ---- looking ---- */

static hr_status stat_file(memory_storage *storage, hr_io *io)
{
    (void)storage;
    io->info = info_of(file_of(io));
    return HR_OK;
}

static hr_status lookup(memory_storage *storage, hr_io *io)
{
    hr_disk_node *node;
    hr_status status = find_node(storage, io, &node);
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

static hr_status list(memory_storage *storage, hr_io *io)
{
    hr_disk_node *node;
    hr_status status = find_node(storage, io, &node);
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

/* ---- content ---- */

static bool is_aligned(const hr_io *io)
{
    uint64_t all = io->offset | io->len | (uintptr_t)io->data;
    return !(file_of(io)->flags & HR_IO_DIRECT) || all % HR_DIRECT_ALIGN == 0;
}

static hr_status read_file(memory_storage *storage, hr_io *io)
{
    (void)storage;
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

static hr_status write_file(memory_storage *storage, hr_io *io)
{
    hr_disk_node *node = file_of(io)->target;
    if (!is_writable(io) || !is_aligned(io))
        return HR_INVALID;
    uint64_t offset = file_of(io)->flags & HR_IO_APPEND ? node->bytes.len : io->offset;
    hr_status status = hr_disk_write(storage->disk, node, offset, io->data, io->len);
    if (status == HR_OK)
        io->bytes = io->len;
    return status;
}

static hr_status sync_file(memory_storage *storage, hr_io *io)
{
    return hr_disk_sync_bytes(storage->disk, file_of(io)->target);
}

static hr_status set_len(memory_storage *storage, hr_io *io)
{
    return is_writable(io) ? hr_disk_resize(storage->disk, file_of(io)->target, io->len)
                           : HR_INVALID;
}

/* Lives in the inode, which a crash may lose: see hr_disk_crash. */
static bool is_other(const hr_file_info *now, const hr_io *io)
{
    const hr_file_info *wanted = &io->info;
    bool mode = io->flags & HR_IO_MODE && now->mode != wanted->mode;
    bool owner = io->flags & HR_IO_OWNER && (now->uid != wanted->uid || now->gid != wanted->gid);
    return now->mtime_ns != wanted->mtime_ns || mode || owner;
}

static hr_status stamp(memory_storage *storage, hr_io *io)
{
    hr_disk_node *node = io->file != NULL ? file_of(io)->target : NULL;
    hr_status status = HR_OK;
    if (io->file == NULL)
        status = find_node(storage, io, &node);
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

static hr_status lock_file(memory_storage *storage, hr_io *io)
{
    (void)storage;
    hr_disk_node *node = file_of(io)->target;
    if (node->lock != NULL && node->lock != file_of(io))
        return HR_BUSY;
    node->lock = file_of(io);
    return HR_OK;
}

/* ---- names ---- */

static hr_status rename_entry(memory_storage *storage, hr_io *io)
{
    hr_disk_node *start;
    hr_status status = find_start(storage, io, &start);
    if (status != HR_OK)
        return status;
    if (io->dir != NULL && io->path_to[0] == '/')
        return HR_POLICY;
    return hr_disk_rename(storage->disk, start, io->path, io->path_to, io->flags & HR_IO_EXCLUSIVE);
}

static hr_status remove_entry(memory_storage *storage, hr_io *io)
{
    hr_disk_node *start, *parent;
    char name[HR_NAME_MAX + 1];
    hr_status status = find_start(storage, io, &start);
    if (status == HR_OK)
        status = hr_disk_find_parent(start, io->path, &parent, name);
    return status == HR_OK ? hr_disk_remove(storage->disk, parent, name) : status;
}

static hr_status find_new_name(const memory_storage *storage, const hr_io *io, const char *path,
                               hr_disk_node **parent, char name[HR_NAME_MAX + 1])
{
    hr_disk_node *start;
    hr_status status = find_start(storage, io, &start);
    if (status == HR_OK)
        status = hr_disk_find_parent(start, path, parent, name);
    if (status == HR_OK && hr_disk_entry_of(&(*parent)->names, name) != NULL)
        status = HR_EXISTS;
    return status;
}

static hr_status make_symlink(memory_storage *storage, hr_io *io)
{
    hr_disk_node *parent, *node;
    char name[HR_NAME_MAX + 1];
    hr_status status = find_new_name(storage, io, io->path, &parent, name);
    size_t len = strlen(io->path_to);
    if (status == HR_OK && len == 0)
        status = HR_NOT_FOUND; /* as symlink(2) has it */
    if (status != HR_OK)
        return status;
    status = hr_disk_make(storage->disk, parent, name, HR_FILE_SYMLINK, &node);
    if (status == HR_OK)
        status = hr_disk_write(storage->disk, node, 0, io->path_to, len);
    return status == HR_OK ? hr_disk_sync_bytes(storage->disk, node) : status;
}

static hr_status read_symlink(memory_storage *storage, hr_io *io)
{
    hr_disk_node *node;
    hr_status status = find_node(storage, io, &node);
    if (status != HR_OK)
        return status;
    if (node->info.type != HR_FILE_SYMLINK)
        return HR_INVALID;
    io->bytes = (size_t)hr_min_u64(node->bytes.len, io->len);
    memcpy(io->data, node->bytes.data, io->bytes);
    return HR_OK;
}

static hr_status link_entry(memory_storage *storage, hr_io *io)
{
    hr_disk_node *node, *parent;
    char name[HR_NAME_MAX + 1];
    hr_status status = find_node(storage, io, &node);
    if (status == HR_OK)
        status = find_new_name(storage, io, io->path_to, &parent, name);
    if (status != HR_OK)
        return status;
    if (node->info.type == HR_FILE_DIRECTORY)
        return HR_DENIED;
    return hr_disk_link(storage->disk, parent, name, node);
}

static hr_status set_xattrs(memory_storage *storage, hr_io *io)
{
    (void)storage, (void)io;
    return HR_UNSUPPORTED;
}

static hr_status sync_dir(memory_storage *storage, hr_io *io)
{
    hr_disk_node *node;
    hr_status status = find_node(storage, io, &node);
    if (status != HR_OK)
        return status;
    if (node->info.type != HR_FILE_DIRECTORY)
        return HR_NOT_DIRECTORY;
    return hr_disk_sync_names(storage->disk, node);
}

static hr_status sync_all(memory_storage *storage, hr_io *io)
{
    (void)io;
    return hr_disk_sync_all(storage->disk);
}

/* ---- many files ---- */

/* Request kind for this one of io's files, and what of it the other acts look at. */
static hr_io request_of(const hr_io *io, const hr_io_file *file)
{
    return (hr_io){
        .flags = io->flags, .dir = io->dir, .path = file->path, .path_to = file->path_to};
}

static hr_status lookup_one(memory_storage *storage, const hr_io *io, hr_io_file *file)
{
    hr_io one = request_of(io, file);
    hr_status status = lookup(storage, &one);
    if (status == HR_OK)
        file->info = one.info;
    return status;
}

static hr_status read_one(memory_storage *storage, const hr_io *io, hr_io_file *file)
{
    hr_io one = request_of(io, file);
    hr_disk_node *node;
    hr_status status = find_node(storage, &one, &node);
    if (status != HR_OK)
        return status;
    if (node->info.type != HR_FILE_REGULAR || node->info.size != file->info.size ||
        node->info.mtime_ns != file->info.mtime_ns)
        return HR_CHANGED;
    if (node->bytes.len > 0)
        memcpy(file->data, node->bytes.data, node->bytes.len);
    return HR_OK;
}

static hr_status make_parent(memory_storage *storage, const hr_io *io, uint32_t mode)
{
    char parent[HR_PATH_MAX], name[HR_NAME_MAX + 1];
    const char *slash = strrchr(io->path, '/');
    hr_disk_node *above, *node;
    if (slash == NULL || (size_t)(slash - io->path) >= sizeof parent)
        return HR_NOT_FOUND;
    memcpy(parent, io->path, (size_t)(slash - io->path));
    parent[slash - io->path] = '\0';
    hr_status status = find_new_name(storage, io, parent, &above, name);
    if (status == HR_OK)
        status = hr_disk_make(storage->disk, above, name, HR_FILE_DIRECTORY, &node);
    if (status == HR_OK)
        node->info.mode = (mode & 0777) | 0700;
    return status;
}

static hr_status write_one(memory_storage *storage, const hr_io *io, hr_io_file *file)
{
    hr_io one = request_of(io, file);
    hr_disk_node *node;
    if (file->status != HR_OK)
        return file->status;
    one.flags |= HR_IO_CREATE | HR_IO_EXCLUSIVE;
    hr_status status = find_or_create(storage, &one, &node);
    if (status == HR_NOT_FOUND && io->flags & HR_IO_CREATE &&
        make_parent(storage, &one, file->folder_mode) == HR_OK)
        status = find_or_create(storage, &one, &node);
    if (status == HR_OK)
        status = hr_disk_write(storage->disk, node, 0, file->data, (size_t)file->info.size);
    if (status == HR_OK) {
        node->info.mode = file->info.mode & 07777;
        node->info.mtime_ns = file->info.mtime_ns;
        node->info.uid = io->flags & HR_IO_OWNER ? file->info.uid : node->info.uid;
        node->info.gid = io->flags & HR_IO_OWNER ? file->info.gid : node->info.gid;
    }
    return status;
}

static hr_status rename_one(memory_storage *storage, const hr_io *io, hr_io_file *file)
{
    hr_io one = request_of(io, file);
    one.flags |= file->exclusive ? HR_IO_EXCLUSIVE : 0;
    return file->status == HR_OK ? rename_entry(storage, &one) : file->status;
}

static hr_status act_on_files(memory_storage *storage, hr_io *io)
{
    static hr_status (*const acts_on_one[])(memory_storage *, const hr_io *, hr_io_file *) = {
        [HR_IO_LOOKUP_FILES] = lookup_one,
        [HR_IO_READ_FILES] = read_one,
        [HR_IO_WRITE_FILES] = write_one,
        [HR_IO_RENAME_FILES] = rename_one,
    };
    for (size_t i = 0; i < io->file_count; i++)
        io->files[i].status = acts_on_one[io->kind](storage, io, &io->files[i]);
    return HR_OK;
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

/* ---- requests ---- */

static const struct {
    hr_status (*act)(memory_storage *storage, hr_io *io);
    bool on_file; /* needs io->file, and that no crash took it */
} acts[] = {
    [HR_IO_OPEN_DIR] = {open_dir, false},
    [HR_IO_CLOSE_DIR] = {close_dir, false},
    [HR_IO_MAKE_DIR] = {make_dir, false},
    [HR_IO_OPEN] = {open_file, false},
    [HR_IO_CLOSE] = {close_file, false},
    [HR_IO_STAT] = {stat_file, true},
    [HR_IO_LOOKUP] = {lookup, false},
    [HR_IO_LIST] = {list, false},
    [HR_IO_READ] = {read_file, true},
    [HR_IO_WRITE] = {write_file, true},
    [HR_IO_SYNC] = {sync_file, true},
    [HR_IO_ALLOCATE] = {set_len, true},
    [HR_IO_TRUNCATE] = {set_len, true},
    [HR_IO_RENAME] = {rename_entry, false},
    [HR_IO_REMOVE] = {remove_entry, false},
    [HR_IO_SYNC_DIR] = {sync_dir, false},
    [HR_IO_LOCK] = {lock_file, true},
    [HR_IO_STAMP] = {stamp, false},
    [HR_IO_SYMLINK] = {make_symlink, false},
    [HR_IO_READLINK] = {read_symlink, false},
    [HR_IO_LINK] = {link_entry, false},
    [HR_IO_SYNC_ALL] = {sync_all, false},
    [HR_IO_SET_XATTRS] = {set_xattrs, false},
    [HR_IO_LOOKUP_FILES] = {act_on_files, false},
    [HR_IO_READ_FILES] = {act_on_files, false},
    [HR_IO_WRITE_FILES] = {act_on_files, false},
    [HR_IO_RENAME_FILES] = {act_on_files, false},
};

/* A handle is given back whatever the disk is. */
static bool is_close(const hr_io *io)
{
    return io->kind == HR_IO_CLOSE || io->kind == HR_IO_CLOSE_DIR;
}

static void carry_out(memory_storage *storage, hr_io *io)
{
    hr_disk *disk = storage->disk;
    bool is_last = ++disk->operations == disk->stop_at;
    disk->stopped = disk->stopped || (is_last && !disk->stop_after);
    io->error = 0;
    io->bytes = 0;
    if ((disk->stopped && !is_close(io)) || (acts[io->kind].on_file && file_of(io)->target == NULL))
        io->status = HR_IO;
    else
        io->status = acts[io->kind].act(storage, io);
    disk->stopped = disk->stopped || is_last;
    io->done(io);
}

/* Takes what is there now: what done submits waits for the next turn. */
static void run_queue(hr_task *task)
{
    memory_storage *storage = HR_CONTAINER(task, memory_storage, task);
    hr_io *io = storage->first;
    storage->first = storage->last = NULL;
    while (io != NULL) {
        hr_io *next = io->scratch[0];
        carry_out(storage, io);
        io = next;
    }
}

static void memory_submit(hr_storage *base, hr_io *io)
{
    memory_storage *storage = (memory_storage *)base;
    assert((size_t)io->kind < sizeof acts / sizeof acts[0]);
    io->scratch[0] = NULL;
    if (storage->last == NULL)
        storage->first = io;
    else
        storage->last->scratch[0] = io;
    storage->last = io;
    hr_loop_defer(base->loop, &storage->task);
}

static void memory_query(const hr_storage *storage, hr_storage_caps *caps_out)
{
    (void)storage;
    *caps_out = (hr_storage_caps){.sync_all = true, .why = ""};
}

static hr_status memory_register_buffers(hr_storage *storage, const struct iovec *iov,
                                         unsigned count)
{
    (void)storage, (void)iov, (void)count;
    return HR_UNSUPPORTED;
}

static void memory_attach(hr_storage *storage, hr_file *file)
{
    (void)storage, (void)file;
}

static void memory_destroy(hr_storage *base)
{
    memory_storage *storage = (memory_storage *)base;
    assert(storage->first == NULL);
    hr_release(storage->disk->env, storage);
}

static const hr_storage_ops memory_ops = {
    .name = "memory",
    .destroy = memory_destroy,
    .query = memory_query,
    .submit = memory_submit,
    .register_buffers = memory_register_buffers,
    .attach = memory_attach,
    .detach = memory_attach,
};

hr_status hr_storage_memory_create(hr_loop *loop, hr_disk *disk, hr_storage **storage_out)
{
    memory_storage *storage = hr_alloc(disk->env, sizeof *storage);
    if (storage == NULL)
        return HR_NO_MEMORY;
    storage->base = (hr_storage){.ops = &memory_ops, .loop = loop};
    storage->disk = disk;
    storage->task.run = run_queue;
    *storage_out = &storage->base;
    return HR_OK;
}
