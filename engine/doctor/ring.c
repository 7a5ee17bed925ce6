/* SPDX-License-Identifier: Apache-2.0 */
/* io_uring, feature by feature: a ring is made with each, and what a worker asks of it is asked. */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "doctor.h"
#include "sysfs.h"

#define TOPIC "io_uring"

/* 0 or -errno of a ring that is made and carries an empty request. */
static int try_flags(unsigned flags)
{
    struct io_uring ring;
    struct io_uring_params params = {.flags = flags, .cq_entries = 32};
    int result = io_uring_queue_init_params(8, &ring, &params);
    if (result < 0)
        return result;
    struct io_uring_cqe *cqe = NULL;
    io_uring_prep_nop(io_uring_get_sqe(&ring));
    result = io_uring_submit_and_wait(&ring, 1);
    if (result >= 0)
        result = io_uring_peek_cqe(&ring, &cqe);
    io_uring_queue_exit(&ring);
    return result < 0 ? result : 0;
}

/* Who forbids it: the kernel's own switch, or a filter around this process. */
static void say_refused(const hr_doctor *doctor, int error)
{
    long disabled = hr_sysfs_number(doctor->root, "/proc/sys/kernel/io_uring_disabled");
    const char *remedy = disabled > 0      ? "sudo sysctl -w kernel.io_uring_disabled=0"
                         : error == ENOMEM ? "ulimit -l 65536"
                         : error == ENOSYS ? "uname -r   (io_uring came with Linux 5.1)"
                                           : "docker run --security-opt seccomp=unconfined ...";
    hr_doctor_lacking(doctor, TOPIC, "rings", remedy,
                      "making one: %s; threads read and write instead, at a higher price",
                      strerror(error));
}

static void note_flags(const hr_doctor *doctor)
{
    static const struct {
        const char *name, *since;
        unsigned flags;
    } features[] = {
        {"CLAMP", "5.6", IORING_SETUP_CLAMP},
        {"CQSIZE", "5.5", IORING_SETUP_CQSIZE},
        {"SUBMIT_ALL", "5.18", IORING_SETUP_SUBMIT_ALL},
        {"COOP_TASKRUN", "5.19", IORING_SETUP_COOP_TASKRUN},
        {"SINGLE_ISSUER", "6.0", IORING_SETUP_SINGLE_ISSUER},
        {"DEFER_TASKRUN", "6.1", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN},
    };
    for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
        int result = try_flags(features[i].flags);
        if (result == 0)
            hr_doctor_ok(doctor, TOPIC, features[i].name, "a ring with it works");
        else
            hr_doctor_lacking(doctor, TOPIC, features[i].name,
                              "sudo apt-get install linux-image-amd64",
                              "%s; it came with Linux %s, and Headrace goes on without",
                              strerror(-result), features[i].since);
    }
}

/* As a worker has it: made disabled, told what it is for. */
static void note_restrictions(const hr_doctor *doctor)
{
    struct io_uring ring;
    struct io_uring_restriction only = {.opcode = IORING_RESTRICTION_SQE_OP,
                                        .sqe_op = IORING_OP_NOP};
    int result = io_uring_queue_init(8, &ring, IORING_SETUP_R_DISABLED);
    if (result == 0) {
        result = io_uring_register((unsigned)ring.ring_fd, IORING_REGISTER_RESTRICTIONS, &only, 1);
        io_uring_queue_exit(&ring);
    }
    if (result >= 0)
        hr_doctor_ok(doctor, TOPIC, "restrictions", "a ring can be told what it is for");
    else
        hr_doctor_lacking(doctor, TOPIC, "restrictions", "sudo apt-get install linux-image-amd64",
                          "%s; they came with Linux 5.10, and what a server does through its rings "
                          "is not confined without",
                          strerror(-result));
}

static void note_result(const hr_doctor *doctor, const char *name, int result, const char *remedy)
{
    if (result >= 0)
        hr_doctor_ok(doctor, TOPIC, name, "registered");
    else
        hr_doctor_lacking(doctor, TOPIC, name, remedy, "registering: %s", strerror(-result));
}

static void note_registrations(const hr_doctor *doctor)
{
    enum { LEN = 1 << 20 };
    struct io_uring ring;
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct iovec buffer = {.iov_len = LEN};
    buffer.iov_base = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer.iov_base != MAP_FAILED && io_uring_queue_init(8, &ring, 0) == 0) {
        note_result(doctor, "registered buffers", io_uring_register_buffers(&ring, &buffer, 1),
                    "ulimit -l unlimited");
        note_result(doctor, "registered files", io_uring_register_files(&ring, &file, 1),
                    "sudo apt-get install linux-image-amd64");
        io_uring_queue_exit(&ring);
    }
    if (buffer.iov_base != MAP_FAILED)
        munmap(buffer.iov_base, LEN);
    if (file >= 0)
        close(file);
}

void hr_doctor_ring(hr_doctor *doctor)
{
    int result = try_flags(0);
    if (result < 0) {
        say_refused(doctor, -result);
        return;
    }
    hr_doctor_ok(doctor, TOPIC, "rings", "one was made and carried a request");
    note_flags(doctor);
    note_restrictions(doctor);
    note_registrations(doctor);
}
