/* SPDX-License-Identifier: Apache-2.0 */
/* What the system says about a file, in our words. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <time.h>

#include "bytes.h"
#include "posix.h"

#ifndef STATX_DIOALIGN
#define STATX_DIOALIGN 0 /* headers before Linux 6.1 */
#endif

#define TICKS_MAX 3 /* of a file that changes all the time, which will be seen anyhow */

/* Linux 6.9; the number and the layout are part of its interface. */
struct uuid_answer {
    uint8_t len;
    uint8_t uuid[16];
};
#define GET_FILESYSTEM_UUID _IOR(0x15, 0, struct uuid_answer)

int hr_posix_stat(int fd, const char *name, struct statx *stat_out)
{
    int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name[0] == '\0' ? AT_EMPTY_PATH : 0);
    return statx(fd, name, flags, STATX_BASIC_STATS | STATX_DIOALIGN, stat_out) == 0 ? 0 : errno;
}

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now = {0};
    (void)clock_gettime(clock, &now);
    return now.tv_sec * (int64_t)HR_NS_PER_S + now.tv_nsec;
}

static int64_t time_ns(const struct statx_timestamp *time)
{
    return time->tv_sec * (int64_t)HR_NS_PER_S + time->tv_nsec;
}

/* A time to come is none of this clock. */
bool hr_posix_is_in_its_tick(int64_t changed_ns)
{
    return changed_ns >= clock_ns(CLOCK_REALTIME_COARSE) && changed_ns <= clock_ns(CLOCK_REALTIME);
}

int hr_posix_stat_settled(int fd, struct statx *stat_out)
{
    int error = hr_posix_stat(fd, "", stat_out);
    for (int tries = 0;
         error == 0 && tries < TICKS_MAX && hr_posix_is_in_its_tick(time_ns(&stat_out->stx_ctime));
         tries++) {
        struct timespec tick = {.tv_nsec = 1};
        (void)clock_getres(CLOCK_REALTIME_COARSE, &tick);
        (void)nanosleep(&tick, NULL);
        error = hr_posix_stat(fd, "", stat_out);
    }
    return error;
}

static hr_file_type type_of(unsigned mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return HR_FILE_REGULAR;
    case S_IFDIR:
        return HR_FILE_DIRECTORY;
    case S_IFLNK:
        return HR_FILE_SYMLINK;
    default:
        return HR_FILE_SPECIAL;
    }
}

hr_file_info hr_posix_info(const struct statx *stat)
{
    return (hr_file_info){
        .type = type_of(stat->stx_mode),
        .mode = stat->stx_mode & 07777,
        .size = stat->stx_size,
        .mtime_ns = time_ns(&stat->stx_mtime),
        .ctime_ns = time_ns(&stat->stx_ctime),
        .inode = stat->stx_ino,
        .links = stat->stx_nlink,
        .uid = stat->stx_uid,
        .gid = stat->stx_gid,
        .allocated_len = stat->stx_blocks * 512,
    };
}

/* Kernels before 6.1 and some file systems do not say: then it is tried, with what nearly all of
 * them accept, and a refusal at the first read or write is not the end. */
uint32_t hr_posix_direct_align(const struct statx *stat)
{
#if STATX_DIOALIGN != 0
    if (stat->stx_mask & STATX_DIOALIGN) {
        uint32_t offset = stat->stx_dio_offset_align, memory = stat->stx_dio_mem_align;
        return offset <= HR_DIRECT_ALIGN && memory <= HR_DIRECT_ALIGN ? offset : 0;
    }
#else
    (void)stat;
#endif
    return HR_DIRECT_ALIGN;
}

/* The uuid is what survives a reboot and a move of the disk. Without it the id of statfs does on
 * most file systems, and the device number at least until the next boot. Each of these
 * starts with a number of its own, so that one kind is never taken for another. */
#define KIND_STATFS UINT64_C(1)
#define KIND_DEVICE UINT64_C(2)

void hr_posix_filesystem(int fd, const struct statx *stat, const hr_dir *dir,
                         uint8_t filesystem_out[16])
{
    if (dir != NULL && dir->device_major == stat->stx_dev_major &&
        dir->device_minor == stat->stx_dev_minor) {
        memcpy(filesystem_out, dir->filesystem, 16);
        return;
    }
    struct uuid_answer answer = {0};
    static const uint8_t none[16];
    if (ioctl(fd, GET_FILESYSTEM_UUID, &answer) == 0 && answer.len == 16 &&
        memcmp(answer.uuid, none, 16) != 0) {
        memcpy(filesystem_out, answer.uuid, 16);
        return;
    }
    struct statfs statistics;
    uint64_t id = 0;
    bool has_id = fstatfs(fd, &statistics) == 0;
    if (has_id)
        memcpy(&id, &statistics.f_fsid, sizeof id);
    hr_put_u64(filesystem_out, id != 0 ? KIND_STATFS : KIND_DEVICE);
    hr_put_u64(filesystem_out + 8,
               id != 0 ? id : (uint64_t)stat->stx_dev_major << 32 | stat->stx_dev_minor);
}
