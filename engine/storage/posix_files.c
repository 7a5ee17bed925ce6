/* SPDX-License-Identifier: Apache-2.0 */
/* Requests for many small files. One system call is not much more than a walk along a path, so the
 * directory of the file before is kept: most of a request's files lie side by side. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "path.h"
#include "posix.h"

/* The directory that was opened last. */
typedef struct opened_parent {
    const char *path; /* a path whose first len bytes named it */
    size_t len;
    int fd;             /* -1: none */
    bool judged, exact; /* whether files that are made in it with judged_mode have that mode */
    mode_t judged_mode;
    bool group_known;
    gid_t group; /* of what is made in it */
} opened_parent;

static void forget(opened_parent *parent)
{
    if (parent->fd >= 0)
        close(parent->fd);
    parent->fd = -1;
    parent->judged = parent->group_known = false;
}

/* Several threads may come to it at once. */
static int make_parent(const hr_io *io, const char *path, size_t len, uint32_t mode)
{
    char parent[HR_PATH_MAX];
    const char *name;
    int above;
    if (len >= sizeof parent)
        return ENAMETOOLONG;
    memcpy(parent, path, len);
    parent[len] = '\0';
    int error = hr_posix_open_parent(io, parent, &above, &name);
    if (error != 0)
        return error;
    error = mkdirat(above, name, hr_posix_folder_mode(mode)) == 0 || errno == EEXIST ? 0 : errno;
    close(above);
    return error;
}

static int find_parent(const hr_io *io, const hr_io_file *file, const char *path,
                       opened_parent *parent, const char **name_out)
{
    size_t name_at = hr_path_name_at(path), len = name_at > 0 ? name_at - 1 : 0;
    const char *name = path + name_at;
    if (parent->fd < 0 || parent->len != len || memcmp(parent->path, path, len) != 0) {
        forget(parent);
        int error = hr_posix_open_parent(io, path, &parent->fd, name_out);
        if (error == ENOENT && io->flags & HR_IO_CREATE && path == file->path && len > 0 &&
            (error = make_parent(io, path, len, file->folder_mode)) == 0)
            error = hr_posix_open_parent(io, path, &parent->fd, name_out);
        if (error != 0)
            return error;
        parent->path = path;
        parent->len = len;
    }
    *name_out = name;
    return 0;
}

static int lookup(int parent, const char *name, hr_io_file *file)
{
    struct statx stat;
    int error = hr_posix_stat(parent, name, &stat);
    if (error == 0)
        file->info = hr_posix_info(&stat);
    return error;
}

/* ---- reading ---- */

static int read_all(int fd, uint8_t *data, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t got = pread(fd, data + at, len - at, (off_t)at);
        if (got < 0 && errno != EINTR) /* a fifo, a directory: no file any more */
            return errno == ESPIPE || errno == EISDIR ? ESTALE : errno;
        if (got == 0)
            return ESTALE; /* it is shorter by now */
        at += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static bool is_as_it_was(int fd, const hr_file_info *listed, bool settled, int64_t *ctime_ns_out)
{
    struct statx stat;
    if ((settled ? hr_posix_stat_settled(fd, &stat) : hr_posix_stat(fd, "", &stat)) != 0)
        return false;
    hr_file_info now = hr_posix_info(&stat);
    *ctime_ns_out = now.ctime_ns;
    return now.type == HR_FILE_REGULAR && now.size == listed->size &&
           now.mtime_ns == listed->mtime_ns;
}

static int read_and_look(int fd, const hr_io_file *file, int64_t *ctime_ns_out)
{
    int error = read_all(fd, file->data, (size_t)file->info.size);
    if (error == 0 && !is_as_it_was(fd, &file->info, false, ctime_ns_out))
        error = ESTALE;
    return error;
}

/* Between two looks. If it was listed with its ctime, and not in the tick of that, that was the
 * first one. It is read again if something else of it was changed since: a further name, who may
 * read it. */
static int read_still(int fd, const hr_io_file *file)
{
    int64_t first_ns = file->info.ctime_ns, last_ns = 0;
    int error;
    if (first_ns != 0 && !hr_posix_is_in_its_tick(first_ns)) {
        error = read_and_look(fd, file, &last_ns);
        if (error != 0 || first_ns == last_ns)
            return error;
    }
    if (!is_as_it_was(fd, &file->info, true, &first_ns))
        return ESTALE;
    error = read_and_look(fd, file, &last_ns);
    return error != 0 || first_ns == last_ns ? error : ESTALE;
}

/* ESTALE stands for HR_CHANGED. What was listed as a file and is a symlink or a fifo by now has
 * changed too; neither is followed or waited for. */
static int read_file(int parent, const char *name, hr_io_file *file)
{
    int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return errno == ELOOP || errno == ENXIO ? ESTALE : errno;
    int error = read_still(fd, file);
    close(fd);
    return error;
}

/* ---- writing ---- */

static int write_run(int fd, const uint8_t *data, size_t from, size_t end)
{
    for (size_t at = from; at < end;) {
        ssize_t put = pwrite(fd, data + at, end - at, (off_t)at);
        if (put < 0 && errno != EINTR)
            return errno;
        at += put > 0 ? (size_t)put : 0;
    }
    return 0;
}

/* The file is new: what is left out is a hole. */
static int write_sparse(int fd, const uint8_t *data, size_t len)
{
    int error = ftruncate(fd, (off_t)len) == 0 ? 0 : errno;
    for (size_t at = 0, run; at < len && error == 0; at += run) {
        bool zero = false;
        run = hr_posix_run_len(data + at, len - at, &zero);
        if (!zero)
            error = write_run(fd, data, at, at + run);
    }
    return error;
}

/* What umask and default access lists leave of a mode is the same for all files of a directory: one
 * is looked at, and only if it came out otherwise they are changed. */
static bool has_mode(int fd, mode_t mode, opened_parent *parent)
{
    if (parent->judged && parent->judged_mode == mode)
        return parent->exact;
    struct stat stat;
    parent->judged_mode = mode;
    parent->judged = fstat(fd, &stat) == 0;
    parent->exact = parent->judged && (stat.st_mode & 07777) == mode;
    return parent->exact;
}

/* The owner first: changing it takes setuid and setgid away. */
static int settle_file(int fd, hr_io_file *file, bool owner, opened_parent *parent)
{
    hr_file_info info = file->info;
    int error = owner ? hr_posix_give_owner(fd, &info, &file->owner_lost) : 0;
    if (error != 0)
        return error;
    mode_t mode = info.mode & 07777;
    if (!has_mode(fd, mode, parent) && fchmod(fd, mode) != 0)
        return errno;
    return hr_posix_stamp_time(fd, info.mtime_ns);
}

static int read_group(opened_parent *parent)
{
    struct stat stat;
    if (parent->group_known)
        return 0;
    if (fstat(parent->fd, &stat) != 0)
        return errno;
    parent->group_known = true;
    parent->group = stat.st_mode & S_ISGID ? stat.st_gid : getegid();
    return 0;
}

/* A directory may pass its group on to what is made in it, and this one was made in another. */
static int take_group(const hr_io *io, int fd, const hr_io_file *file, opened_parent *parent,
                      opened_parent *parent_to)
{
    const char *name_to;
    int error = find_parent(io, file, file->path_to, parent_to, &name_to);
    if (error == 0)
        error = read_group(parent);
    if (error == 0)
        error = read_group(parent_to);
    if (error != 0 || parent->group == parent_to->group)
        return error;
    return fchown(fd, (uid_t)-1, parent_to->group) == 0 ? 0 : errno;
}

static int write_file(const hr_io *io, opened_parent *parent, const char *name, hr_io_file *file,
                      opened_parent *parent_to)
{
    const hr_file_info *info = &file->info;
    int fd = openat(parent->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    info->mode & 0777);
    if (fd < 0)
        return errno;
    int error = info->allocated_len < info->size ? write_sparse(fd, file->data, (size_t)info->size)
                                                 : write_run(fd, file->data, 0, (size_t)info->size);
    if (error == 0 && file->group_of_path_to && !(io->flags & HR_IO_OWNER))
        error = take_group(io, fd, file, parent, parent_to);
    if (error == 0)
        error = settle_file(fd, file, io->flags & HR_IO_OWNER, parent);
    if (close(fd) != 0 && error == 0)
        error = errno; /* over a network this is where a full disk may show */
    return error;
}

/* ---- directories ---- */

static int make_folder(int parent, const char *name, hr_io_file *file)
{
    file->changed = mkdirat(parent, name, hr_posix_folder_mode(file->folder_mode)) == 0;
    if (!file->changed && errno != EEXIST)
        return errno;
    if (file->changed && geteuid() == 0)
        return 0;
    struct statx stat;
    int error = hr_posix_stat(parent, name, &stat);
    if (error != 0)
        return error;
    if (!S_ISDIR(stat.stx_mode))
        return ENOTDIR;
    return geteuid() == 0 || (stat.stx_mode & 0700) == 0700 ? 0 : EACCES;
}

static int stamp_file(const hr_io *io, int parent, const char *name, hr_io_file *file)
{
    hr_io one = {
        .kind = HR_IO_STAMP,
        .flags = io->flags,
        .dir = io->dir,
        .path = file->path,
        .info = file->info,
    };
    int only = io->flags & HR_IO_ONLY_DIR ? O_DIRECTORY : 0;
    int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC | only);
    if (fd < 0)
        return errno;
    int error = hr_posix_stamp_opened(fd, &one);
    close(fd);
    file->changed = one.changed;
    file->owner_lost = one.owner_lost;
    return error;
}

/* ---- requests ---- */

static int rename_file(const hr_io *io, int parent, const char *name, const hr_io_file *file,
                       opened_parent *parent_to)
{
    const char *name_to;
    int error = find_parent(io, file, file->path_to, parent_to, &name_to);
    if (error != 0)
        return error;
    if (io->flags & HR_IO_EXCLUSIVE || file->exclusive)
        error = hr_posix_rename_exclusive(parent, name, parent_to->fd, name_to);
    else if (renameat(parent, name, parent_to->fd, name_to) != 0)
        error = errno;
    return error == EXDEV ? EOPNOTSUPP : error; /* something is mounted between the two */
}

static int act(const hr_io *io, hr_io_file *file, opened_parent *parent, opened_parent *parent_to)
{
    const char *name;
    int error = find_parent(io, file, file->path, parent, &name);
    if (error != 0)
        return error;
    if (io->kind == HR_IO_LOOKUP_FILES)
        return lookup(parent->fd, name, file);
    if (io->kind == HR_IO_READ_FILES)
        return read_file(parent->fd, name, file);
    if (io->kind == HR_IO_WRITE_FILES)
        return write_file(io, parent, name, file, parent_to);
    if (io->kind == HR_IO_MAKE_DIRS)
        return make_folder(parent->fd, name, file);
    if (io->kind == HR_IO_STAMP_FILES)
        return stamp_file(io, parent->fd, name, file);
    return rename_file(io, parent->fd, name, file, parent_to);
}

void hr_posix_act_files(const hr_io *io, size_t first, size_t end)
{
    opened_parent parent = {.fd = -1}, parent_to = {.fd = -1};
    for (size_t i = first; i < end; i++) {
        hr_io_file *file = &io->files[i];
        bool goes_on = io->kind == HR_IO_WRITE_FILES || io->kind == HR_IO_RENAME_FILES;
        if (goes_on && file->status != HR_OK)
            continue; /* it has failed before */
        int error = act(io, file, &parent, &parent_to);
        file->status = error == 0        ? HR_OK
                       : error == ESTALE ? HR_CHANGED
                                         : hr_status_from_errno(error);
    }
    forget(&parent);
    forget(&parent_to);
}

int hr_posix_sync_all(const hr_io *io)
{
    return syncfs(io->dir->fd) == 0 ? 0 : errno;
}

/* Linux 5.8 is the first; before it a write that failed was told to the file's own descriptor
 * alone. Nothing but the version tells the two apart. */
bool hr_posix_can_sync_all(void)
{
    struct utsname name;
    if (uname(&name) != 0)
        return false;
    char *end;
    unsigned long major = strtoul(name.release, &end, 10);
    unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
    return major > 5 || (major == 5 && minor >= 8);
}
