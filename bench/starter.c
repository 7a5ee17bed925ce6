/* SPDX-License-Identifier: Apache-2.0 */
#include "starter.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static ssize_t read_stdin(void)
{
    char line[64];
    return read(STDIN_FILENO, line, sizeof line);
}

hr_status hr_bench_starter_await(void)
{
    puts("ready");
    fflush(stdout);
    return read_stdin() > 0 ? HR_OK : HR_INTERRUPTED;
}

bool hr_bench_starter_is_gone(void)
{
    struct pollfd end = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&end, 1, 0) > 0 && read_stdin() <= 0;
}
