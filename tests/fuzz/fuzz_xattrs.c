/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes as a server sends them, on their way to a file: no byte outside of them is
 * read, none is set or removed that is not kept here, and rows that do not end where they should
 * are an error. The system's calls are ours. */
#include <stdint.h>
#include <stdlib.h>

#define setxattr           fuzz_setxattr
#define removexattr        fuzz_removexattr
#define listxattr          fuzz_listxattr
#define hr_posix_open_path fuzz_open_path
/* The parser is static. NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "posix_xattrs.c"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static size_t taken; /* bytes of rows that were set */

int fuzz_open_path(const hr_io *io, const char *path, uint64_t flags, int *fd_out)
{
    (void)io;
    (void)path;
    (void)flags;
    *fd_out = dup(1);
    return 0;
}

int fuzz_setxattr(const char *path, const char *name, const void *value, size_t len, int flags)
{
    static volatile uint8_t sum;
    (void)path;
    (void)flags;
    if (!is_kept(name) || strlen(name) > XATTR_NAME_MAX)
        abort();
    for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)value)[i]);
    taken += len;
    return 0;
}

int fuzz_removexattr(const char *path, const char *name)
{
    (void)path;
    if (!is_kept(name))
        abort();
    return 0;
}

ssize_t fuzz_listxattr(const char *path, char *names, size_t size)
{
    static const char there[] = "user.a\0security.selinux\0user.long";
    (void)path;
    if (size < sizeof there)
        abort();
    memcpy(names, there, sizeof there);
    return (ssize_t)sizeof there;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    hr_io io = {.kind = HR_IO_STAMP, .path = "file", .data = (void *)(uintptr_t)bytes, .len = len};
    taken = 0;
    if (hr_posix_set_xattrs(&io) == 0 && taken > len)
        abort();
    return 0;
}
