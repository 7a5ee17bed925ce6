/* SPDX-License-Identifier: Apache-2.0 */
/* The directory that files would be read from or written to: whether its file system takes
 * O_DIRECT, tried on a file without a name. */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "doctor.h"

#define TOPIC   "storage"
#define TRY_LEN ((size_t)64 << 10)

/* Reads through a ring where there is one. The result of the read, or -errno. */
static ssize_t read_through_ring(int file, void *buffer, bool *ring_out)
{
    struct io_uring ring;
    struct io_uring_cqe *cqe;
    *ring_out = io_uring_queue_init(8, &ring, 0) == 0;
    if (!*ring_out) {
        ssize_t got = pread(file, buffer, TRY_LEN, 0);
        return got < 0 ? -errno : got;
    }
    io_uring_prep_read(io_uring_get_sqe(&ring), file, buffer, TRY_LEN, 0);
    ssize_t result = io_uring_submit_and_wait(&ring, 1);
    if (result >= 0)
        result = io_uring_peek_cqe(&ring, &cqe) == 0 ? cqe->res : -EIO;
    io_uring_queue_exit(&ring);
    return result;
}

/* 0, or the errno of what was refused; *what_out says what that was. */
static int try_direct(int file, const char **what_out, bool *ring_out)
{
    uint8_t *buffer = aligned_alloc(4096, TRY_LEN);
    if (buffer == NULL)
        return ENOMEM;
    memset(buffer, 0x5A, TRY_LEN);
    *what_out = "setting O_DIRECT";
    int flags = fcntl(file, F_GETFL);
    int error = fcntl(file, F_SETFL, flags | O_DIRECT) == 0 ? 0 : errno;
    if (error == 0) {
        *what_out = "writing with O_DIRECT";
        error = pwrite(file, buffer, TRY_LEN, 0) == (ssize_t)TRY_LEN ? 0 : errno != 0 ? errno : EIO;
    }
    if (error == 0) {
        *what_out = "reading with O_DIRECT";
        memset(buffer, 0, TRY_LEN);
        ssize_t got = read_through_ring(file, buffer, ring_out);
        error = got < 0                                                  ? (int)-got
                : got == (ssize_t)TRY_LEN && buffer[TRY_LEN - 1] == 0x5A ? 0
                                                                         : EIO;
    }
    free(buffer);
    return error;
}

static void note_direct(const hr_doctor *doctor, const char *directory, int file)
{
    const char *what = "taking memory";
    bool ring = false;
    int error = try_direct(file, &what, &ring);
    if (error == 0)
        hr_doctor_ok(doctor, TOPIC, "O_DIRECT", "%s: written, and read back %s", directory,
                     ring ? "through io_uring" : "by a system call");
    else if (error == ENOSPC || error == EDQUOT)
        hr_doctor_unknown(doctor, TOPIC, "O_DIRECT", "headrace doctor --dir DIRECTORY", "%s: %s",
                          directory, strerror(error));
    else
        hr_doctor_lacking(
            doctor, TOPIC, "O_DIRECT", "findmnt -T DIRECTORY   (ext4 and xfs have it)",
            "%s: %s: %s; bytes go through the page cache", directory, what, strerror(error));
}

static void note_space(const hr_doctor *doctor, const char *directory)
{
    struct statvfs space;
    if (statvfs(directory, &space) == 0)
        hr_doctor_ok(doctor, TOPIC, "space", "%s: %.1f GiB free", directory,
                     (double)space.f_bavail * (double)space.f_frsize / (1 << 30));
}

void hr_doctor_directory(hr_doctor *doctor)
{
    const char *directory = doctor->options->directory != NULL ? doctor->options->directory : ".";
    int file = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0)
        hr_doctor_unknown(doctor, TOPIC, "O_DIRECT", "headrace doctor --dir DIRECTORY",
                          "%s: a file without a name could not be made there (%s), so nothing was "
                          "tried; name a directory that you may write to",
                          directory, strerror(errno));
    else
        note_direct(doctor, directory, file);
    if (file >= 0)
        close(file);
    note_space(doctor, directory);
}
