/* SPDX-License-Identifier: Apache-2.0 */
/* Setting what a file is beside its content: owner, permissions, time. In this order, because a new
 * owner takes permissions away, and both are changes that have a time. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "posix.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 /* of all architectures but alpha */
#endif

/* Of a file that is open. */
static int set_mode(int fd, uint32_t mode)
{
    return fchmod(fd, (mode_t)mode) == 0 ? 0 : errno;
}

/* A descriptor that only names the file (O_PATH) can be changed through since Linux 6.6; before,
 * and where a container's filter does not know the call, its entry in /proc can, if that is
 * mounted. */
static int set_named_mode(int fd, hr_io *io)
{
    char path[40];
    mode_t mode = (mode_t)io->info.mode;
    if (syscall(SYS_fchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno != ENOSYS && errno != EPERM)
        return errno;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (chmod(path, mode) == 0)
        return 0;
    if (errno != ENOENT)
        return errno;
    int open_fd,
        error = hr_posix_open_path(io, io->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, &open_fd);
    if (error != 0)
        return error;
    error = set_mode(open_fd, io->info.mode);
    close(open_fd);
    return error;
}

static void put_times(int64_t mtime_ns, struct timespec times_out[2])
{
    int64_t second = (int64_t)HR_NS_PER_S;
    int64_t rest = mtime_ns % second;
    if (rest < 0) /* before 1970: the nanoseconds still count upwards */
        rest += second;
    times_out[0] = (struct timespec){.tv_nsec = UTIME_OMIT};
    times_out[1] = (struct timespec){
        .tv_sec = (time_t)((mtime_ns - rest) / second),
        .tv_nsec = (long)rest,
    };
}

int hr_posix_stamp_time(int fd, int64_t mtime_ns)
{
    struct timespec times[2];
    put_times(mtime_ns, times);
    return futimens(fd, times) == 0 ? 0 : errno;
}

/* Also of a descriptor that only names the file; the walk along its empty path costs as much as the
 * change. */
static int stamp_named_time(int fd, int64_t mtime_ns)
{
    struct timespec times[2];
    put_times(mtime_ns, times);
    return utimensat(fd, "", times, AT_EMPTY_PATH) == 0 ? 0 : errno;
}

static bool is_so(int fd, const hr_io *io)
{
    struct statx stat;
    if (hr_posix_stat(fd, "", &stat) != 0)
        return false;
    const hr_file_info now = hr_posix_info(&stat), *wanted = &io->info;
    bool mode = !(io->flags & HR_IO_MODE) || now.mode == wanted->mode;
    bool owner = !(io->flags & HR_IO_OWNER) || (now.uid == wanted->uid && now.gid == wanted->gid);
    return now.mtime_ns == wanted->mtime_ns && mode && owner;
}

/* EINVAL: a user namespace has no such user. A group that whoever runs this is in may be given
 * without its owner. */
int hr_posix_give_owner(int fd, hr_file_info *info, bool *lost_out)
{
    *lost_out = false;
    if (fchownat(fd, "", info->uid, info->gid, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno != EPERM && errno != EINVAL)
        return errno;
    *lost_out = true;
    info->mode &= 0777;
    bool group_given = fchownat(fd, "", (uid_t)-1, info->gid, AT_EMPTY_PATH) == 0;
    (void)group_given;
    return 0;
}

int hr_posix_stamp_opened(int fd, hr_io *io)
{
    hr_file_info *info = &io->info;
    int error = 0;
    if (io->flags & HR_IO_IF_OTHER && is_so(fd, io))
        return 0;
    io->changed = true;
    if (io->flags & HR_IO_OWNER)
        error = hr_posix_give_owner(fd, info, &io->owner_lost);
    if (error == 0 && io->flags & HR_IO_MODE)
        error = io->file != NULL ? set_mode(fd, info->mode) : set_named_mode(fd, io);
    return error == 0 ? stamp_named_time(fd, info->mtime_ns) : error;
}

int hr_posix_stamp(hr_io *io)
{
    if (io->file != NULL)
        return hr_posix_stamp_opened(io->file->fd, io);
    int fd, error = hr_posix_open_path(
                io, io->path, O_PATH | O_NOFOLLOW | (io->flags & HR_IO_ONLY_DIR ? O_DIRECTORY : 0),
                &fd);
    if (error != 0)
        return error;
    error = hr_posix_stamp_opened(fd, io);
    close(fd);
    return error;
}
