/* SPDX-License-Identifier: Apache-2.0 */
#include "ring.h"

#include <errno.h>
#include <string.h>

int hr_ring_enable(struct io_uring *ring)
{
    /* Not io_uring_enable_rings: the shared library of liburing 2.3 does not export it. */
    return io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

/* ---- what a ring may do ---- */

/* seccomp does not see what goes through a ring, so the ring itself is told what it is for: what
 * loop_uring.c submits, and no opening, renaming or unlinking of files. */
static const uint8_t allowed_operations[] = {
    IORING_OP_NOP,          IORING_OP_POLL_ADD, IORING_OP_ACCEPT,      IORING_OP_CONNECT,
    IORING_OP_RECV,         IORING_OP_SEND,     IORING_OP_SENDMSG,     IORING_OP_READ,
    IORING_OP_READ_FIXED,   IORING_OP_WRITE,    IORING_OP_WRITE_FIXED, IORING_OP_FSYNC,
    IORING_OP_ASYNC_CANCEL,
};
static const uint8_t allowed_registrations[] = {
    IORING_REGISTER_BUFFERS,   IORING_UNREGISTER_BUFFERS,    IORING_REGISTER_FILES,
    IORING_UNREGISTER_FILES,   IORING_REGISTER_FILES_UPDATE, IORING_REGISTER_EVENTFD,
    IORING_UNREGISTER_EVENTFD,
};

int hr_ring_restrict(const struct io_uring *ring)
{
    struct io_uring_restriction list[sizeof allowed_operations + sizeof allowed_registrations + 1];
    unsigned count = 0;
    memset(list, 0, sizeof list);
    for (size_t i = 0; i < sizeof allowed_operations; i++) {
        list[count].opcode = IORING_RESTRICTION_SQE_OP;
        list[count++].sqe_op = allowed_operations[i];
    }
    for (size_t i = 0; i < sizeof allowed_registrations; i++) {
        list[count].opcode = IORING_RESTRICTION_REGISTER_OP;
        list[count++].register_op = allowed_registrations[i];
    }
    list[count].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    list[count++].sqe_flags = IOSQE_FIXED_FILE | IOSQE_ASYNC;
    /* Not io_uring_register_restrictions, for the same reason. */
    return io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_RESTRICTIONS, list, count);
}

/* ---- making one ---- */

/* How a ring is asked for. Beyond cq_entries the kernel keeps completions aside: slower, not lost.
 */
typedef struct ring_shape {
    unsigned flags, sq_entries, cq_entries;
} ring_shape;

static int open_ring(struct io_uring *ring, const ring_shape *shape)
{
    struct io_uring_params params = {
        .flags = shape->flags | IORING_SETUP_R_DISABLED,
        .cq_entries = shape->cq_entries,
    };
    int result = io_uring_queue_init_params(shape->sq_entries, ring, &params);
    if (result < 0)
        return result;
    /* The timed wait of sleep_until (Linux 5.11). */
    if ((params.features & IORING_FEAT_EXT_ARG) != 0)
        return 0;
    io_uring_queue_exit(ring);
    return -ENOSYS;
}

/* Sends one empty operation through such a ring: a filter may allow the set-up and forbid the rest.
 * 0 or -errno. */
static int try_ring(const ring_shape *shape)
{
    struct io_uring ring;
    int result = open_ring(&ring, shape);
    if (result < 0)
        return result;
    struct io_uring_cqe *cqe;
    result = hr_ring_enable(&ring);
    if (result >= 0) {
        io_uring_prep_nop(io_uring_get_sqe(&ring));
        result = io_uring_submit_and_wait(&ring, 1);
    }
    if (result >= 0)
        result = io_uring_peek_cqe(&ring, &cqe);
    io_uring_queue_exit(&ring);
    return result;
}

/* The most flags that this kernel takes; the newest go first. 0 or -errno. */
static int find_flags(ring_shape *shape)
{
    static const unsigned optional[] = {
        IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_SINGLE_ISSUER, IORING_SETUP_COOP_TASKRUN,
        IORING_SETUP_SUBMIT_ALL,    IORING_SETUP_CLAMP,         IORING_SETUP_CQSIZE,
    };
    const size_t count = sizeof optional / sizeof optional[0];
    shape->flags = 0;
    for (size_t i = 0; i < count; i++)
        shape->flags |= optional[i];
    int result = try_ring(shape);
    for (size_t i = 0; i < count && result == -EINVAL; i++) {
        shape->flags &= ~optional[i];
        result = try_ring(shape);
    }
    return result;
}

int hr_ring_open(struct io_uring *ring)
{
    static const struct {
        unsigned sq_entries, cq_entries;
    } sizes[] = {{256, 4096}, {128, 1024}, {64, 256}};
    int result = -ENOMEM;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && result == -ENOMEM; i++) {
        ring_shape shape = {.sq_entries = sizes[i].sq_entries, .cq_entries = sizes[i].cq_entries};
        result = find_flags(&shape);
        if (result == 0)
            result = open_ring(ring, &shape);
    }
    return result;
}
