/* SPDX-License-Identifier: Apache-2.0 */
/* Which storage this machine gets, found out by doing: a file is read through a ring. Not through
 * the ring of the loop at hand, which would tie it to this thread (loop.h). */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "storage_posix.h"
#include "storage_threads.h"

#define TRIAL_LEN 4096
#define TRIAL_NS  HR_NS_PER_S /* the file lies in memory already: it is being run */

typedef struct trial_read {
    hr_op op;
    bool done;
} trial_read;

static void was_tried(hr_op *op)
{
    HR_CONTAINER(op, trial_read, op)->done = true;
}

static bool reads_like(hr_loop *loop, int fd, const uint8_t *expected, size_t len)
{
    uint8_t bytes[TRIAL_LEN] = {0};
    trial_read trial = {
        .op = {.kind = HR_OP_READ,
               .fd = fd,
               .buffer = -1,
               .data = bytes,
               .len = len,
               .done = was_tried},
    };
    hr_loop_submit(loop, &trial.op);
    while (!trial.done)
        (void)hr_loop_step(loop, hr_loop_now_ns(loop) + TRIAL_NS);
    return trial.op.result == (int)len && memcmp(bytes, expected, len) == 0;
}

static bool trial_read_works(const hr_env *env)
{
    bool works = false;
    uint8_t expected[TRIAL_LEN];
    hr_loop *loop = NULL;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : pread(fd, expected, sizeof expected, 0);
    if (len > 0 && hr_loop_uring_create(env, &loop) == HR_OK)
        works = reads_like(loop, fd, expected, (size_t)len);
    hr_loop_destroy(loop);
    if (fd >= 0)
        close(fd);
    return works;
}

hr_status hr_storage_create(hr_loop *loop, hr_helpers *helpers, hr_storage **storage_out)
{
    const char *why = "this loop has no io_uring";
    if (hr_loop_query(loop).files) {
        if (trial_read_works(hr_loop_env(loop)))
            return hr_storage_uring_create(loop, helpers, storage_out);
        why = "a read through io_uring did not bring what the file holds";
    }
    return hr_storage_threads_create_with(loop, helpers, &hr_posix_system_calls, why, storage_out);
}
