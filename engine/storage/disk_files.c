/* SPDX-License-Identifier: Apache-2.0 */
/* Requests for many files of an hr_disk: what each comes to stands in its own status. */
#include <string.h>

#include "disk_io.h"

/* The request for this one of io's files alone. */
static hr_io request_of(hr_io_kind kind, const hr_io *io, const hr_io_file *file)
{
    return (hr_io){
        .kind = kind,
        .flags = io->flags,
        .dir = io->dir,
        .path = file->path,
        .path_to = file->path_to,
    };
}

static hr_status lookup_one(hr_disk *disk, const hr_io *io, hr_io_file *file)
{
    hr_io one = request_of(HR_IO_LOOKUP, io, file);
    hr_status status = hr_disk_io(disk, &one);
    if (status == HR_OK)
        file->info = one.info;
    return status;
}

static hr_status read_one(hr_disk *disk, const hr_io *io, hr_io_file *file)
{
    hr_io one = request_of(HR_IO_LOOKUP, io, file);
    hr_disk_node *node;
    hr_status status = hr_disk_io_find(disk, &one, &node);
    if (status != HR_OK)
        return status;
    if (node->info.type != HR_FILE_REGULAR || node->info.size != file->info.size ||
        node->info.mtime_ns != file->info.mtime_ns)
        return HR_CHANGED;
    if (node->bytes.len > 0)
        memcpy(file->data, node->bytes.data, node->bytes.len);
    return HR_OK;
}

static hr_status make_parent(hr_disk *disk, const hr_io *io, uint32_t mode)
{
    char parent[HR_PATH_MAX], name[HR_NAME_MAX + 1];
    const char *slash = strrchr(io->path, '/');
    hr_disk_node *above, *node;
    if (slash == NULL || (size_t)(slash - io->path) >= sizeof parent)
        return HR_NOT_FOUND;
    memcpy(parent, io->path, (size_t)(slash - io->path));
    parent[slash - io->path] = '\0';
    hr_status status = hr_disk_io_new_name(disk, io, parent, &above, name);
    if (status == HR_OK)
        status = hr_disk_make(disk, above, name, HR_FILE_DIRECTORY, &node);
    if (status == HR_OK)
        node->info.mode = (mode & 0777) | 0700;
    return status;
}

static hr_status write_one(hr_disk *disk, const hr_io *io, hr_io_file *file)
{
    hr_io one = request_of(HR_IO_OPEN, io, file);
    hr_disk_node *node;
    if (file->status != HR_OK)
        return file->status;
    one.flags |= HR_IO_CREATE | HR_IO_EXCLUSIVE;
    hr_status status = hr_disk_io_make(disk, &one, &node);
    if (status == HR_NOT_FOUND && io->flags & HR_IO_CREATE &&
        make_parent(disk, &one, file->folder_mode) == HR_OK)
        status = hr_disk_io_make(disk, &one, &node);
    if (status == HR_OK)
        status = hr_disk_write(disk, node, 0, file->data, (size_t)file->info.size);
    if (status == HR_OK) {
        node->info.mode = file->info.mode & 07777;
        node->info.mtime_ns = file->info.mtime_ns;
        node->info.uid = io->flags & HR_IO_OWNER ? file->info.uid : node->info.uid;
        node->info.gid = io->flags & HR_IO_OWNER ? file->info.gid : node->info.gid;
    }
    return status;
}

static hr_status rename_one(hr_disk *disk, const hr_io *io, hr_io_file *file)
{
    hr_io one = request_of(HR_IO_RENAME, io, file);
    one.flags |= file->exclusive ? HR_IO_EXCLUSIVE : 0;
    return file->status == HR_OK ? hr_disk_io(disk, &one) : file->status;
}

static hr_status make_one(hr_disk *disk, const hr_io *io, hr_io_file *file)
{
    hr_disk_node *parent, *node;
    char name[HR_NAME_MAX + 1];
    hr_io one = request_of(HR_IO_LOOKUP, io, file);
    hr_status status = hr_disk_io_new_name(disk, &one, file->path, &parent, name);
    file->changed = status == HR_OK;
    if (status == HR_EXISTS) {
        status = hr_disk_io_find(disk, &one, &node);
        if (status == HR_OK && node->info.type != HR_FILE_DIRECTORY)
            return HR_NOT_DIRECTORY;
        return status == HR_OK && (node->info.mode & 0700) != 0700 ? HR_DENIED : status;
    }
    if (status == HR_OK)
        status = hr_disk_make(disk, parent, name, HR_FILE_DIRECTORY, &node);
    if (status == HR_OK)
        node->info.mode = (file->folder_mode & 0777) | 0700;
    return status;
}

static hr_status stamp_one(hr_disk *disk, const hr_io *io, hr_io_file *file)
{
    hr_io one = request_of(HR_IO_STAMP, io, file);
    one.info = file->info;
    hr_status status = hr_disk_io(disk, &one);
    file->changed = one.changed;
    return status;
}

void hr_disk_io_files(hr_disk *disk, hr_io *io)
{
    static hr_status (*const acts_on_one[])(hr_disk *, const hr_io *, hr_io_file *) = {
        [HR_IO_LOOKUP_FILES] = lookup_one, [HR_IO_READ_FILES] = read_one,
        [HR_IO_WRITE_FILES] = write_one,   [HR_IO_RENAME_FILES] = rename_one,
        [HR_IO_MAKE_DIRS] = make_one,      [HR_IO_STAMP_FILES] = stamp_one,
    };
    for (size_t i = 0; i < io->file_count; i++)
        io->files[i].status = acts_on_one[io->kind](disk, io, &io->files[i]);
}
