/* SPDX-License-Identifier: Apache-2.0 */
#include "await.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "env.h"

static int signals_fd = -1;
static sigset_t mask_before;
static bool interrupted;

hr_status hr_bench_await_open(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, &mask_before);
    signals_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return signals_fd >= 0 ? HR_OK : hr_status_from_errno(errno);
}

void hr_bench_await_restore(void)
{
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

static void take_signals(void)
{
    struct signalfd_siginfo info;
    while (read(signals_fd, &info, sizeof info) == (ssize_t)sizeof info)
        interrupted = true;
}

bool hr_bench_interrupted(void)
{
    if (!interrupted && signals_fd >= 0)
        take_signals();
    return interrupted;
}

/* Milliseconds until then, rounded up so that a wait does not end before its deadline. */
static int left_ms(uint64_t deadline_ns)
{
    uint64_t now_ns = hr_now_ns(hr_env_system());
    if (now_ns >= deadline_ns)
        return 0;
    uint64_t ms = (deadline_ns - now_ns + HR_NS_PER_MS - 1) / HR_NS_PER_MS;
    return ms < INT32_MAX ? (int)ms : INT32_MAX;
}

hr_status hr_bench_await_end(int fd, uint64_t deadline_ns)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    for (;;) {
        int ready = poll(&wanted, 1, left_ms(deadline_ns));
        if (ready > 0)
            return HR_OK;
        if (ready < 0 && errno != EINTR)
            return hr_status_from_errno(errno);
        if (left_ms(deadline_ns) == 0)
            return HR_DEADLINE;
    }
}

hr_status hr_bench_await(int fd, uint64_t deadline_ns)
{
    for (;;) {
        struct pollfd wanted[2] = {
            {.fd = signals_fd, .events = POLLIN},
            {.fd = fd, .events = POLLIN},
        };
        if (hr_bench_interrupted())
            return HR_INTERRUPTED;
        int ready = poll(wanted, 2, left_ms(deadline_ns));
        if (ready < 0 && errno != EINTR)
            return hr_status_from_errno(errno);
        if (ready > 0 && wanted[1].revents != 0)
            return HR_OK;
        if (left_ms(deadline_ns) == 0)
            return HR_DEADLINE;
    }
}
