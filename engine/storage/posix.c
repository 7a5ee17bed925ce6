/* SPDX-License-Identifier: Apache-2.0 */
#include "posix.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

const hr_posix_calls hr_posix_system_calls = {
    .pread = pread,
    .pwrite = pwrite,
    .fdatasync = fdatasync,
    .flock = flock,
};

/* The kernel takes a killed process's rings apart after it is gone, and its locks live as long as
 * they: 40 times 50 ms are waited for them. */
#define LOCK_TRIES    40
#define LOCK_PAUSE_NS (50 * HR_NS_PER_MS)

/* ---- opening and closing ---- */

/* One that its owner may not write to can still get what the source has in it, as others do who
 * bring a tree; nobody else may change it, and root needs no leave. */
static void open_to_owner(int fd, const struct statx *stat)
{
    if (geteuid() != 0 && (stat->stx_mode & 0700) != 0700 &&
        fchmod(fd, (stat->stx_mode & 07777) | 0700) != 0)
        return; /* what is refused in it will be told */
}

static int open_dir(const hr_env *env, hr_io *io)
{
    int fd, error = io->flags & HR_IO_CREATE ? hr_posix_make_path(io) : 0;
    if (error == 0)
        error = hr_posix_open_path(io, io->path, O_RDONLY | O_DIRECTORY, &fd);
    if (error != 0)
        return error;
    struct statx stat;
    hr_dir *dir = hr_alloc(env, sizeof *dir);
    error = dir == NULL ? ENOMEM : hr_posix_stat(fd, "", &stat);
    if (error != 0) {
        close(fd);
        hr_release(env, dir);
        return error;
    }
    if (io->flags & HR_IO_CREATE && io->flags & HR_IO_MODE)
        open_to_owner(fd, &stat);
    dir->fd = fd;
    dir->device_major = stat.stx_dev_major;
    dir->device_minor = stat.stx_dev_minor;
    hr_posix_filesystem(fd, &stat, io->dir, dir->filesystem);
    io->dir_out = dir;
    return 0;
}

/* One of many, that somebody else syncs, most often lies in a directory that is there. */
static int make_dir(hr_io *io)
{
    struct statx stat;
    int fd = -1, error = io->flags & HR_IO_UNSYNCED ? hr_posix_open_made(io, &fd) : ENOENT;
    if (error == ENOENT || error == EINVAL) { /* more is missing, or it has no last name */
        error = hr_posix_make_path(io);
        if (error == 0)
            error = hr_posix_open_path(io, io->path, O_RDONLY | O_DIRECTORY, &fd);
    }
    if (error != 0)
        return error;
    if (io->flags & HR_IO_MODE && hr_posix_stat(fd, "", &stat) == 0)
        open_to_owner(fd, &stat);
    close(fd);
    return 0;
}

static int close_dir(const hr_env *env, hr_io *io)
{
    close(io->dir->fd);
    hr_release(env, io->dir);
    return 0;
}

static uint64_t open_flags(unsigned flags)
{
    bool readable = flags & HR_IO_READABLE, writable = flags & HR_IO_WRITABLE;
    /* O_NONBLOCK, because opening a FIFO would wait for its other end. */
    uint64_t opened = O_NONBLOCK | O_NOCTTY;
    opened |= (uint64_t)(writable ? (readable ? O_RDWR : O_WRONLY) : O_RDONLY);
    opened |= (uint64_t)(flags & HR_IO_CREATE ? O_CREAT : 0);
    opened |= (uint64_t)(flags & HR_IO_EXCLUSIVE ? O_EXCL : 0);
    opened |= (uint64_t)(flags & HR_IO_EMPTY ? O_TRUNC : 0);
    opened |= (uint64_t)(flags & HR_IO_APPEND ? O_APPEND : 0);
    return opened;
}

/* Leaves fd as reads and writes need it. O_DIRECT is set here and not by open, which on some file
 * systems creates the file and then refuses. */
static int settle_flags(int fd, bool direct, bool *is_direct)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return errno;
    flags &= ~O_NONBLOCK; /* io_uring takes it as a wish for -EAGAIN */
    *is_direct = direct && fcntl(fd, F_SETFL, flags | O_DIRECT) == 0;
    return *is_direct || fcntl(fd, F_SETFL, flags) == 0 ? 0 : errno;
}

static int check_type(const hr_file_info *info)
{
    if (info->type == HR_FILE_DIRECTORY)
        return EISDIR;
    return info->type == HR_FILE_REGULAR ? 0 : EOPNOTSUPP;
}

static int open_file(const hr_env *env, hr_io *io)
{
    int fd, error = hr_posix_open_path(io, io->path, open_flags(io->flags), &fd);
    /* A directory that was empty may have been replaced by another one just then. */
    if (error == ENOENT && io->flags & HR_IO_CREATE)
        error = hr_posix_open_path(io, io->path, open_flags(io->flags), &fd);
    if (error == ENXIO)
        return EOPNOTSUPP; /* a FIFO without a reader, a device without a driver */
    if (error != 0)
        return error;
    struct statx stat;
    hr_file_info info;
    bool direct = false;
    hr_file *file = hr_alloc(env, sizeof *file);
    bool is_source = (io->flags & (HR_IO_READABLE | HR_IO_WRITABLE)) == HR_IO_READABLE;
    error = file == NULL ? ENOMEM
            : is_source  ? hr_posix_stat_settled(fd, &stat)
                         : hr_posix_stat(fd, "", &stat);
    if (error == 0) {
        info = hr_posix_info(&stat);
        error = check_type(&info);
    }
    uint32_t align = error == 0 && io->flags & HR_IO_DIRECT ? hr_posix_direct_align(&stat) : 0;
    if (error == 0)
        error = settle_flags(fd, align != 0, &direct);
    if (error != 0) {
        close(fd);
        hr_release(env, file);
        return error;
    }
    file->fd = fd;
    file->appends = io->flags & HR_IO_APPEND;
    file->direct_align = info.direct_align = direct ? align : 0;
    hr_posix_filesystem(fd, &stat, io->dir, file->filesystem);
    memcpy(info.filesystem, file->filesystem, sizeof info.filesystem);
    io->file_out = file;
    io->info = info;
    return 0;
}

static int close_file(const hr_env *env, hr_io *io)
{
    close(io->file->fd);
    hr_release(env, io->file);
    return 0;
}

/* ---- looking ---- */

static int stat_file(hr_io *io)
{
    struct statx stat;
    int error = hr_posix_stat(io->file->fd, "", &stat);
    if (error != 0)
        return error;
    io->info = hr_posix_info(&stat);
    io->info.direct_align = __atomic_load_n(&io->file->direct_align, __ATOMIC_ACQUIRE);
    memcpy(io->info.filesystem, io->file->filesystem, sizeof io->info.filesystem);
    return 0;
}

static int lookup(hr_io *io)
{
    int fd, error = hr_posix_open_path(io, io->path, O_PATH | O_NOFOLLOW, &fd);
    if (error != 0)
        return error;
    struct statx stat;
    error = hr_posix_stat(fd, "", &stat);
    if (error == 0) {
        io->info = hr_posix_info(&stat);
        hr_posix_filesystem(fd, &stat, io->dir, io->info.filesystem);
    }
    close(fd);
    return error;
}

/* ---- content ---- */

int hr_posix_check_aligned(const hr_io *io)
{
    uint64_t all = io->offset | io->len | (uintptr_t)io->data;
    return all % HR_DIRECT_ALIGN != 0 && hr_posix_is_direct(io->file) ? EINVAL : 0;
}

bool hr_posix_is_direct(const hr_file *file)
{
    return __atomic_load_n(&file->direct_align, __ATOMIC_ACQUIRE) != 0;
}

bool hr_posix_give_up_direct(const hr_env *env, hr_file *file)
{
    int flags = fcntl(file->fd, F_GETFL);
    if (flags < 0 || fcntl(file->fd, F_SETFL, flags & ~O_DIRECT) != 0)
        return false;
    /* In this order: whoever sees that O_DIRECT was given up may rely on it. */
    __atomic_store_n(&file->direct_align, 0, __ATOMIC_RELEASE);
    static bool said; /* once is enough, however many files and workers meet it */
    if (!__atomic_exchange_n(&said, true, __ATOMIC_RELAXED))
        hr_log(env, HR_LOG_WARN,
               "the file system took O_DIRECT and refuses it now: going on through the page cache");
    return true;
}

static ssize_t move(const hr_posix_calls *calls, const hr_io *io)
{
    uint8_t *data = (uint8_t *)io->data + io->bytes;
    size_t len = io->len - io->bytes;
    off_t offset = (off_t)(io->offset + io->bytes);
    return io->kind == HR_IO_READ ? calls->pread(io->file->fd, data, len, offset)
                                  : calls->pwrite(io->file->fd, data, len, offset);
}

/* 0: asking again may help. */
static int judge(const hr_env *env, ssize_t moved, bool direct, hr_io *io, unsigned *attempts)
{
    int error = moved < 0 ? errno : 0;
    if (error == EINVAL && direct && hr_posix_give_up_direct(env, io->file))
        return 0;
    if (error != 0 && error != EINTR && error != EAGAIN)
        return error;
    return ++*attempts < HR_POSIX_ATTEMPTS_MAX ? 0 : EIO;
}

/* Until all has moved, a read has met the end of the file, or nothing helps. An O_DIRECT read that
 * ends between alignments has met it: asking for more there would be refused. */
static int transfer(const hr_env *env, const hr_posix_calls *calls, hr_io *io)
{
    int error = hr_posix_check_aligned(io);
    unsigned attempts = 0;
    while (error == 0 && io->bytes < io->len) {
        bool direct = hr_posix_is_direct(io->file);
        ssize_t moved = move(calls, io);
        if (moved > 0) {
            io->bytes += (size_t)moved;
            attempts = 0;
        } else if (moved < 0 || io->kind == HR_IO_WRITE) {
            error = judge(env, moved, direct, io, &attempts);
        }
        bool between = direct && io->bytes % HR_DIRECT_ALIGN != 0;
        if (io->kind == HR_IO_READ && (moved == 0 || (moved > 0 && between)))
            break;
    }
    return error;
}

#define HOLE_LEN HR_DIRECT_ALIGN /* also the unit in which most file systems can leave out */

static bool is_zero(const uint8_t *data, size_t len)
{
    return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

size_t hr_posix_run_len(const uint8_t *data, size_t len, bool *zero_out)
{
    size_t at = 0;
    for (size_t piece; at < len; at += piece) {
        piece = len - at < HOLE_LEN ? len - at : HOLE_LEN;
        bool zero = is_zero(data + at, piece);
        if (at == 0)
            *zero_out = zero;
        if (zero != *zero_out)
            break;
    }
    return at;
}

/* Digs instead of leaving out: an earlier attempt may have written there. */
static int write_sparse(const hr_env *env, const hr_posix_calls *calls, hr_io *io)
{
    int error = hr_posix_check_aligned(io);
    while (error == 0 && io->bytes < io->len) {
        hr_io run = *io;
        bool zero = false;
        run.data = (uint8_t *)io->data + io->bytes;
        run.offset = io->offset + io->bytes;
        run.len = hr_posix_run_len(run.data, io->len - io->bytes, &zero);
        run.bytes = 0;
        bool dug = zero && fallocate(io->file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                     (off_t)run.offset, (off_t)run.len) == 0;
        if (!dug)
            error = transfer(env, calls, &run);
        io->bytes += run.len;
    }
    return error;
}

static int sync_file(const hr_posix_calls *calls, hr_io *io)
{
    return calls->fdatasync(io->file->fd) == 0 ? 0 : errno;
}

static int truncate_file(hr_io *io)
{
    return ftruncate(io->file->fd, (off_t)io->len) == 0 ? 0 : errno;
}

/* Where space cannot be reserved, its lack shows when the bytes are written. */
static int allocate(hr_io *io)
{
    int result = io->len > 0 ? fallocate(io->file->fd, 0, 0, (off_t)io->len) : 0;
    while (result != 0 && errno == EINTR)
        result = fallocate(io->file->fd, 0, 0, (off_t)io->len);
    if (result != 0 && errno != EOPNOTSUPP)
        return errno;
    return truncate_file(io);
}

static int lock_file(const hr_posix_calls *calls, hr_io *io)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
    int error = EWOULDBLOCK;
    for (int tries = 0; tries < LOCK_TRIES && error == EWOULDBLOCK; tries++) {
        if (tries > 0)
            nanosleep(&pause, NULL);
        error = calls->flock(io->file->fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    }
    return error;
}

/* ---- names ---- */

/* Some file systems cannot rename without replacing, but all that matter can link that way. */
int hr_posix_rename_exclusive(int from, const char *name, int to, const char *name_to)
{
    if (renameat2(from, name, to, name_to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    if (linkat(from, name, to, name_to, 0) != 0)
        return errno;
    return unlinkat(from, name, 0) == 0 ? 0 : errno;
}

static int rename_entry(hr_io *io)
{
    int from, to;
    const char *name, *name_to;
    int error = hr_posix_open_parent(io, io->path, &from, &name);
    if (error != 0)
        return error;
    error = hr_posix_open_parent(io, io->path_to, &to, &name_to);
    if (error == 0) {
        if (io->flags & HR_IO_EXCLUSIVE)
            error = hr_posix_rename_exclusive(from, name, to, name_to);
        else if (renameat(from, name, to, name_to) != 0)
            error = errno;
        close(to);
    }
    close(from);
    return error;
}

static int remove_entry(hr_io *io)
{
    int parent;
    const char *name;
    int error = hr_posix_open_parent(io, io->path, &parent, &name);
    if (error != 0)
        return error;
    bool is_dir = io->flags & HR_IO_ONLY_DIR;
    int result = is_dir ? 0 : unlinkat(parent, name, 0);
    if (is_dir || (result != 0 && errno == EISDIR))
        result = unlinkat(parent, name, AT_REMOVEDIR);
    error = result == 0 ? 0 : errno;
    close(parent);
    return error;
}

static int make_symlink(hr_io *io)
{
    int parent;
    const char *name;
    int error = hr_posix_open_parent(io, io->path, &parent, &name);
    if (error != 0)
        return error;
    error = symlinkat(io->path_to, parent, name) == 0 ? 0 : errno;
    close(parent);
    return error;
}

static int read_symlink(hr_io *io)
{
    int parent;
    const char *name;
    int error = hr_posix_open_parent(io, io->path, &parent, &name);
    if (error != 0)
        return error;
    ssize_t len = readlinkat(parent, name, io->data, io->len);
    error = len >= 0 ? 0 : errno;
    io->bytes = len >= 0 ? (size_t)len : 0;
    close(parent);
    return error;
}

static int link_entry(hr_io *io)
{
    int from, to;
    const char *name, *name_to;
    int error = hr_posix_open_parent(io, io->path, &from, &name);
    if (error != 0)
        return error;
    error = hr_posix_open_parent(io, io->path_to, &to, &name_to);
    if (error == 0) {
        error = linkat(from, name, to, name_to, 0) == 0 ? 0 : errno;
        close(to);
    }
    close(from);
    return error;
}

static int sync_dir(hr_io *io)
{
    int fd, error = hr_posix_open_path(io, io->path, O_RDONLY | O_DIRECTORY, &fd);
    if (error != 0)
        return error;
    if (fsync(fd) != 0)
        error = errno;
    close(fd);
    return error;
}

/* ---- requests ---- */

static int act(const hr_env *env, const hr_posix_calls *calls, hr_io *io)
{
    switch (io->kind) {
    case HR_IO_OPEN_DIR:
        return open_dir(env, io);
    case HR_IO_CLOSE_DIR:
        return close_dir(env, io);
    case HR_IO_MAKE_DIR:
        return make_dir(io);
    case HR_IO_OPEN:
        return open_file(env, io);
    case HR_IO_CLOSE:
        return close_file(env, io);
    case HR_IO_STAT:
        return stat_file(io);
    case HR_IO_LOOKUP:
        return lookup(io);
    case HR_IO_LIST:
        return hr_posix_list(io);
    case HR_IO_LIST_DIRS:
        return hr_posix_list_dirs(io);
    case HR_IO_READ:
    case HR_IO_WRITE:
        return io->flags & HR_IO_SPARSE ? write_sparse(env, calls, io) : transfer(env, calls, io);
    case HR_IO_SYNC:
        return sync_file(calls, io);
    case HR_IO_ALLOCATE:
        return allocate(io);
    case HR_IO_TRUNCATE:
        return truncate_file(io);
    case HR_IO_RENAME:
        return rename_entry(io);
    case HR_IO_REMOVE:
        return remove_entry(io);
    case HR_IO_SYNC_DIR:
        return sync_dir(io);
    case HR_IO_LOCK:
        return lock_file(calls, io);
    case HR_IO_STAMP:
        return hr_posix_stamp(io);
    case HR_IO_SYMLINK:
        return make_symlink(io);
    case HR_IO_READLINK:
        return read_symlink(io);
    case HR_IO_LINK:
        return link_entry(io);
    case HR_IO_SET_XATTRS:
        return hr_posix_set_xattrs(io);
    case HR_IO_SYNC_ALL:
        return hr_posix_sync_all(io);
    case HR_IO_LOOKUP_FILES:
    case HR_IO_READ_FILES:
    case HR_IO_WRITE_FILES:
    case HR_IO_RENAME_FILES:
    case HR_IO_MAKE_DIRS:
    case HR_IO_STAMP_FILES:
        hr_posix_act_files(io, 0, io->file_count);
        return 0;
    }
    assert(false);
    return EINVAL;
}

void hr_posix_finish(hr_io *io, int error)
{
    io->error = error;
    io->status = error == 0 ? HR_OK : hr_status_from_errno(error);
}

void hr_posix_act(const hr_env *env, const hr_posix_calls *calls, hr_io *io)
{
    io->bytes = 0;
    io->changed = false;
    int error = act(env, calls, io);
    if (error != 0)
        io->bytes = 0;
    hr_posix_finish(io, error);
}
