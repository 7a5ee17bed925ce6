/* SPDX-License-Identifier: Apache-2.0 */
/* From a path to a descriptor. The kernel resolves it (openat2): beneath the directory, not through
 * /proc, and where asked through no symlink at all. Calls without such a form (mkdirat, renameat2,
 * unlinkat) get the parent, opened that way, and a single name. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "posix.h"

/* A rename elsewhere in the tree makes the kernel give up a walk beneath (-EAGAIN). */
#define ATTEMPTS_MAX 64
/* The longest path that a system call takes. A longer one is walked in pieces, each beneath the one
 * before: a symlink in a later piece that leads above its start is refused, as if it led out. */
#define PIECE_MAX (PATH_MAX - 1)

static int open_at(int dir_fd, const char *path, const hr_io *io, uint64_t flags, int *fd_out)
{
    struct open_how how = {.flags = flags | O_CLOEXEC};
    if (flags & O_CREAT)
        how.mode = io->flags & HR_IO_MODE ? io->info.mode & 07777 : 0666;
    if (io->dir != NULL)
        how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    if (io->flags & HR_IO_NO_SYMLINKS)
        how.resolve |= RESOLVE_NO_SYMLINKS;
    const char *walked = path[0] == '\0' ? "." : path;
    long fd = -1;
    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        fd = syscall(SYS_openat2, dir_fd, walked, &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    if (fd < 0)
        return errno;
    *fd_out = (int)fd;
    return 0;
}

/* How much of a path goes into one call: whole names. 0: its first name is none. */
static size_t piece_len(const char *path)
{
    size_t len = PIECE_MAX;
    while (len > 0 && path[len] != '/')
        len--;
    return len;
}

/* Opens the directory that the first piece of path names, beneath dir_fd, which is closed if it was
 * opened here; path moves on behind the piece. */
static int open_piece(const hr_io *io, const char **path, int dir_fd, int *fd_out)
{
    char piece[PIECE_MAX + 1];
    size_t len = piece_len(*path);
    int error = len == 0 ? ENAMETOOLONG : 0;
    if (error == 0) {
        memcpy(piece, *path, len);
        piece[len] = '\0';
        *path += len + strspn(*path + len, "/");
        error = open_at(dir_fd, piece, io, O_PATH | O_DIRECTORY, fd_out);
    }
    if (dir_fd != HR_POSIX_FD(io->dir))
        close(dir_fd);
    return error;
}

int hr_posix_open_path(const hr_io *io, const char *path, uint64_t flags, int *fd_out)
{
    int dir_fd = HR_POSIX_FD(io->dir);
    while (strlen(path) > PIECE_MAX) {
        int error = open_piece(io, &path, dir_fd, &dir_fd);
        if (error != 0)
            return error;
    }
    int error = open_at(dir_fd, path, io, flags, fd_out);
    if (dir_fd != HR_POSIX_FD(io->dir))
        close(dir_fd);
    return error;
}

/* Where the last name of path starts; slashes behind it are none of its. */
static size_t last_name_at(const char *path)
{
    size_t at = strlen(path);
    while (at > 0 && path[at - 1] == '/')
        at--;
    while (at > 0 && path[at - 1] != '/')
        at--;
    return at;
}

static bool is_plain_name(const char *name)
{
    size_t len = strcspn(name, "/");
    return len > 0 && strncmp(name, ".", len) != 0 && strncmp(name, "..", len) != 0;
}

int hr_posix_open_parent(const hr_io *io, const char *path, int *fd_out, const char **name_out)
{
    char parent[HR_PATH_MAX];
    size_t len = last_name_at(path);
    if (len >= sizeof parent)
        return ENAMETOOLONG;
    if (!is_plain_name(path + len))
        return EINVAL;
    memcpy(parent, path, len);
    parent[len] = '\0';
    int error = hr_posix_open_path(io, parent, O_PATH | O_DIRECTORY, fd_out);
    if (error == 0)
        *name_out = path + len;
    return error;
}

/* A directory that a crash takes away takes with it what was synced into it. */
static int sync_names(int directory)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = fsync(fd) != 0 ? errno : 0;
    close(fd);
    return error;
}

static int make_one(hr_io *io, const char *path, bool last)
{
    bool said = last && io->flags & HR_IO_MODE;
    int parent = -1;
    const char *name;
    int error = hr_posix_open_parent(io, path, &parent, &name);
    if (error != 0)
        return error;
    if (mkdirat(parent, name, said ? hr_posix_folder_mode(io->info.mode) : 0777) == 0)
        io->changed = true;
    else if (errno != EEXIST)
        error = errno;
    if (error == 0 && !(io->flags & HR_IO_UNSYNCED))
        error = sync_names(parent);
    close(parent);
    return error;
}

/* Whoever made it may not have come to syncing its name. A parent that we may not read, as that of
 * many a home, had all the time it needed. */
static int sync_existing(const hr_io *io, const char *path)
{
    int parent = -1;
    const char *name;
    if (hr_posix_open_parent(io, path, &parent, &name) != 0 || parent < 0)
        return 0;
    int error = sync_names(parent);
    close(parent);
    return error == EACCES || error == EINVAL ? 0 : error;
}

int hr_posix_open_made(hr_io *io, int *fd_out)
{
    const mode_t mode = io->flags & HR_IO_MODE ? hr_posix_folder_mode(io->info.mode) : 0777;
    int parent = -1;
    const char *name;
    int error = hr_posix_open_parent(io, io->path, &parent, &name);
    if (error != 0)
        return error;
    error = open_at(parent, name, io, O_RDONLY | O_DIRECTORY, fd_out);
    if (error == ENOENT) {
        io->changed = mkdirat(parent, name, mode) == 0;
        error = io->changed || errno == EEXIST ? 0 : errno;
        if (error == 0)
            error = open_at(parent, name, io, O_RDONLY | O_DIRECTORY, fd_out);
    }
    close(parent);
    return error;
}

/* From the top, whatever exists already: only what is missing, and the last, cost more than a look.
 * Unsynced it is one of many, and its parent most often there. */
int hr_posix_make_path(hr_io *io)
{
    char part[HR_PATH_MAX];
    if (strlen(io->path) >= sizeof part)
        return ENAMETOOLONG;
    bool unsynced = io->flags & HR_IO_UNSYNCED;
    if (unsynced && make_one(io, io->path, true) == 0)
        return 0;
    for (size_t end = 0;;) {
        end += strspn(io->path + end, "/");
        end += strcspn(io->path + end, "/");
        memcpy(part, io->path, end);
        part[end] = '\0';
        int fd = -1, error = hr_posix_open_path(io, part, O_PATH | O_DIRECTORY, &fd);
        if (error == 0) {
            close(fd);
            error = io->path[end] == '\0' && !unsynced ? sync_existing(io, part) : 0;
        } else if (error == ENOENT) {
            error = make_one(io, part, io->path[end] == '\0');
        }
        if (error != 0 || io->path[end] == '\0')
            return error;
    }
}
