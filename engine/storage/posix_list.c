/* SPDX-License-Identifier: Apache-2.0 */
/* A page of a directory. The cookie is the file system's own position behind an entry (d_off), and
 * each page opens the directory again: that is how a network file server reads directories, so file
 * systems find such a position without starting over, a million entries cost a million steps, and
 * a listing that nobody finishes leaves nothing open. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bytes.h"
#include "posix.h"

/* What getdents64 fills. */
typedef struct raw_entry {
    uint64_t inode;
    int64_t position; /* behind this entry */
    uint16_t size;
    uint8_t type;
    char name[];
} raw_entry;

/* Whatever does not fit on the page is read again for the next one: smaller than a page. */
#define RAW_LEN (32u << 10)

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* What is mounted on an entry has a file system of its own, which only a descriptor of it tells. */
static void find_filesystem(const hr_dir *listed, const char *name, const struct statx *stat,
                            uint8_t filesystem_out[16])
{
    bool same =
        stat->stx_dev_major == listed->device_major && stat->stx_dev_minor == listed->device_minor;
    int fd = same ? listed->fd : openat(listed->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    hr_posix_filesystem(fd, stat, listed, filesystem_out);
    if (!same && fd >= 0)
        close(fd);
}

/* A symlink that was replaced meanwhile says nothing any more. */
static size_t read_target(const hr_dir *listed, const char *name, const struct statx *stat,
                          char target_out[HR_SYMLINK_MAX])
{
    ssize_t len = 0;
    if (S_ISLNK(stat->stx_mode))
        len = readlinkat(listed->fd, name, target_out, HR_SYMLINK_MAX - 1);
    target_out[len > 0 ? len : 0] = '\0';
    return len > 0 ? (size_t)len : 0;
}

/* ENOBUFS: no room left on the page. ENOENT: removed meanwhile, so not part of the listing. */
static int put_entry(hr_io *io, const hr_dir *listed, const char *name, size_t *used)
{
    size_t name_len = strlen(name);
    struct statx stat;
    char target[HR_SYMLINK_MAX];
    if (hr_dir_entry_size(name_len, 0, 0) > io->len - *used)
        return ENOBUFS;
    int error = hr_posix_stat(listed->fd, name, &stat);
    if (error != 0)
        return error;
    size_t target_len = read_target(listed, name, &stat, target);
    uint8_t xattrs[HR_XATTRS_MAX];
    size_t xattrs_len = 0;
    bool wanted = io->flags & HR_IO_XATTRS && (S_ISREG(stat.stx_mode) || S_ISDIR(stat.stx_mode));
    error = wanted ? hr_posix_get_xattrs(listed->fd, name, xattrs, &xattrs_len) : 0;
    size_t size = hr_dir_entry_size(name_len, target_len, xattrs_len);
    if (size > io->len - *used)
        return ENOBUFS;
    hr_dir_entry *entry = (hr_dir_entry *)(void *)((uint8_t *)io->data + *used);
    entry->size = (uint32_t)size;
    entry->name_len = (uint16_t)name_len;
    entry->target_len = (uint16_t)target_len;
    entry->xattrs_len = (uint16_t)xattrs_len;
    entry->xattrs_lost = error != 0;
    entry->info = hr_posix_info(&stat);
    find_filesystem(listed, name, &stat, entry->info.filesystem);
    memcpy(entry->name, name, name_len + 1);
    memcpy(entry->name + name_len + 1, target, target_len + 1);
    memcpy(entry->name + name_len + 1 + target_len + 1, xattrs, xattrs_len);
    *used += size;
    return 0;
}

static int put_raw(hr_io *io, const hr_dir *listed, const uint8_t *raw, size_t raw_len,
                   size_t *used)
{
    for (size_t at = 0; at < raw_len;) {
        const raw_entry *entry = (const raw_entry *)(const void *)(raw + at);
        int error = is_dots(entry->name) ? 0 : put_entry(io, listed, entry->name, used);
        if (error != 0 && error != ENOENT)
            return error;
        io->cookie = (uint64_t)entry->position;
        at += entry->size;
    }
    return 0;
}

static int fill_page(hr_io *io, const hr_dir *listed, size_t *used)
{
    _Alignas(raw_entry) uint8_t raw[RAW_LEN];
    if (io->cookie != 0 && lseek(listed->fd, (off_t)io->cookie, SEEK_SET) < 0)
        return errno;
    for (;;) {
        long raw_len = syscall(SYS_getdents64, listed->fd, raw, sizeof raw);
        io->last = raw_len == 0;
        if (raw_len <= 0)
            return raw_len < 0 ? errno : 0;
        int error = put_raw(io, listed, raw, (size_t)raw_len, used);
        if (error != 0)
            return error;
    }
}

static int open_listed(const hr_io *io, hr_dir *listed)
{
    struct statx stat;
    int error = hr_posix_open_path(io, io->path, O_RDONLY | O_DIRECTORY, &listed->fd);
    if (error != 0)
        return error;
    error = hr_posix_stat(listed->fd, "", &stat);
    if (error != 0) {
        close(listed->fd);
        return error;
    }
    listed->device_major = stat.stx_dev_major;
    listed->device_minor = stat.stx_dev_minor;
    hr_posix_filesystem(listed->fd, &stat, io->dir, listed->filesystem);
    return 0;
}

int hr_posix_list(hr_io *io)
{
    hr_dir listed;
    int error = open_listed(io, &listed);
    if (error != 0)
        return error;
    uint64_t cookie = io->cookie;
    size_t used = 0;
    error = fill_page(io, &listed, &used);
    close(listed.fd);
    if (error == ENOBUFS && used > 0)
        error = 0; /* a full page; a page without room for one entry is an error of the caller */
    if (error != 0) {
        io->cookie = cookie;
        return error == ENOBUFS ? EINVAL : error;
    }
    io->bytes = used;
    return 0;
}

/* The request for this one of io's directories alone, into what is left of the page. */
static hr_io list_of(const hr_io *io, const hr_io_file *folder)
{
    return (hr_io){
        .kind = HR_IO_LIST,
        .flags = io->flags,
        .dir = io->dir,
        .path = folder->path,
        .data = (uint8_t *)io->data + io->bytes,
        .len = io->len - io->bytes,
        .cookie = folder == io->files ? io->cookie : 0,
    };
}

int hr_posix_list_dirs(hr_io *io)
{
    bool goes_on = true;
    for (size_t i = 0; i < io->file_count; i++) {
        hr_io_file *folder = &io->files[i];
        folder->status = HR_AGAIN;
        if (!goes_on)
            continue;
        hr_io one = list_of(io, folder);
        int error = hr_posix_list(&one);
        goes_on = error == 0 && one.last;
        if (error != 0 && i > 0 && one.len < HR_DIR_ENTRY_MAX)
            continue; /* perhaps for want of room */
        folder->status = error == 0 ? HR_OK : hr_status_from_errno(error);
        folder->info.size = one.bytes;
        io->bytes += one.bytes;
        io->cookie = one.cookie;
        io->last = one.last;
    }
    return 0;
}
