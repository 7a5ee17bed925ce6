/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on a real file system, carried out by the calling thread, which they may block. Inside
 * the folder only: storage_uring.c and storage_threads.c run them on helper threads. */
#ifndef HR_POSIX_H
#define HR_POSIX_H

#include <sys/stat.h>
#include <sys/types.h>

#include "storage.h"

/* The handles of this family. Written by OPEN and OPEN_DIR and then only read, but for direct. */
struct hr_dir {
    int fd;
    uint32_t device_major, device_minor;
    uint8_t filesystem[16];
};

struct hr_file {
    int fd;
    uint32_t direct_align; /* as in hr_file_info; 0 from the moment that O_DIRECT was given up.
                              Through __atomic: all workers read it. */
    bool appends;
    uint8_t filesystem[16];
};

/* The system calls that move bytes or wait, so that tests can let them hang, stop short and fail.
 */
typedef struct hr_posix_calls {
    ssize_t (*pread)(int fd, void *data, size_t len, off_t offset);
    ssize_t (*pwrite)(int fd, const void *data, size_t len, off_t offset);
    int (*fdatasync)(int fd);
    int (*flock)(int fd, int operation);
} hr_posix_calls;

extern const hr_posix_calls hr_posix_system_calls;

/* Answers without progress (-EAGAIN, a signal, a write of nothing) that are taken in a row. */
#define HR_POSIX_ATTEMPTS_MAX 8

/* ---- posix.c ---- */

/* Carries out any request and sets its results; calls no done. */
void hr_posix_act(const hr_env *env, const hr_posix_calls *calls, hr_io *io);
/* 0, or EINVAL for a READ or WRITE that breaks the rules of O_DIRECT. Does not block. */
int hr_posix_check_aligned(const hr_io *io);
bool hr_posix_is_direct(const hr_file *file);
/* The file system took O_DIRECT when the file was opened and refuses it now: goes on without, for
 * all workers, and says so. False if that failed. Does not block. */
bool hr_posix_give_up_direct(const hr_env *env, hr_file *file);
/* Sets the results of a request that failed with this errno, or succeeded with 0. */
void hr_posix_finish(hr_io *io, int error);

/* How far all is zeros, or nothing is, from the start of data on; len is not 0. */
size_t hr_posix_run_len(const uint8_t *data, size_t len, bool *zero_out);
int hr_posix_rename_exclusive(int from, const char *name, int to, const char *name_to);
int hr_posix_stamp_time(int fd, int64_t mtime_ns);

/* ---- posix_path.c: what the others return is 0 or an errno ---- */

#define HR_POSIX_FD(dir) ((dir) == NULL ? AT_FDCWD : (dir)->fd)

/* openat2 beneath io->dir (anywhere if it is NULL). "" is the directory itself. */
int hr_posix_open_path(const hr_io *io, const char *path, uint64_t flags, int *fd_out);
/* The directory that holds, or would hold, the last name of path; name_out points into path. */
int hr_posix_open_parent(const hr_io *io, const char *path, int *fd_out, const char **name_out);
/* Makes the directories of io->path that are missing. */
int hr_posix_make_path(hr_io *io);
/* Opens the directory that io->path names, and makes it first if only that is missing: the path is
 * walked once. */
int hr_posix_open_made(hr_io *io, int *fd_out);
/* While it is filled its owner has to write to it. */
static inline mode_t hr_posix_folder_mode(uint32_t mode)
{
    return (mode_t)(mode & 0777) | 0700;
}

/* ---- posix_info.c ---- */

int hr_posix_stat(int fd, const char *name, struct statx *stat_out);
/* Of an open file that is to be read. Times of files move in ticks (mostly of 4 ms; since
 * Linux 6.13 some file systems know better): two changes within one look like one, so the tick of
 * the last one is waited for, and what changes from now on has another time. */
int hr_posix_stat_settled(int fd, struct statx *stat_out);
/* Whether another change at this moment would have the time of this one. */
bool hr_posix_is_in_its_tick(int64_t changed_ns);
/* All but filesystem and direct_align. */
hr_file_info hr_posix_info(const struct statx *stat);
/* 0: O_DIRECT cannot be had, or not with HR_DIRECT_ALIGN. */
uint32_t hr_posix_direct_align(const struct statx *stat);
/* fd may be O_PATH. dir: whose file system it probably is; may be NULL. */
void hr_posix_filesystem(int fd, const struct statx *stat, const hr_dir *dir,
                         uint8_t filesystem_out[16]);

/* ---- posix_attributes.c ---- */

/* fd may be O_PATH. Not permitted is no failure: see HR_IO_OWNER. */
int hr_posix_give_owner(int fd, hr_file_info *info, bool *lost_out);
int hr_posix_stamp(hr_io *io);
/* As hr_posix_stamp does it; fd may be O_PATH. */
int hr_posix_stamp_opened(int fd, hr_io *io);
/* ---- posix_files.c ---- */

/* Files first to end of a request for many. Several threads may each carry out a share of it. */
void hr_posix_act_files(const hr_io *io, size_t first, size_t end);
static inline bool hr_posix_is_of_files(const hr_io *io)
{
    return io->kind >= HR_IO_LOOKUP_FILES && io->kind <= HR_IO_STAMP_FILES;
}
int hr_posix_sync_all(const hr_io *io);
/* Whether this kernel tells syncfs of failed writes. */
bool hr_posix_can_sync_all(void);

/* ---- posix_xattrs.c ---- */

/* Of an entry of an open directory. ERANGE: there are more than fit. */
int hr_posix_get_xattrs(int dir_fd, const char *name, uint8_t out[HR_XATTRS_MAX], size_t *len_out);
int hr_posix_set_xattrs(hr_io *io);

/* ---- posix_list.c ---- */

int hr_posix_list(hr_io *io);
int hr_posix_list_dirs(hr_io *io);

#endif
