/* SPDX-License-Identifier: Apache-2.0 */
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Open for reading only, so that writing to one that was closed fails as it would have. */
void hr_streams_hold(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

hr_status hr_streams_finish(int *failure, hr_error *error)
{
    errno = 0;
    bool failed = fflush(stdout) != 0 || ferror(stdout) != 0;
    if (failed && *failure == 0)
        *failure = errno != 0 ? errno : EIO;
    if (*failure == 0)
        return HR_OK;
    bool closed = *failure == EBADF;
    return hr_error_set(error, closed ? HR_IO : hr_status_from_errno(*failure),
                        "writing to standard output: %s",
                        closed ? "it is closed" : strerror(*failure));
}
