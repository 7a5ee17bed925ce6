/* SPDX-License-Identifier: Apache-2.0 */
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of the whole interface, which headers know only in part: network since version 4 (Linux 6.7),
 * scopes since 6 (6.12). */
struct attributes {
    uint64_t files, network, scopes;
};

#define CONNECT_TCP (UINT64_C(1) << 1)
#define SCOPES      (UINT64_C(1) << 0 | UINT64_C(1) << 1) /* abstract sockets, signals */

/* What a file can have, beside a directory. */
#define OF_FILES                                                                                   \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |   \
     HR_LANDLOCK_IOCTL)

/* All rights over files that this version of the kernel's knows. */
static uint64_t rights_of(long version)
{
    static const unsigned counts[] = {0, 13, 14, 15, 15, 16};
    unsigned last = sizeof counts / sizeof counts[0] - 1;
    return (UINT64_C(1) << counts[version < (long)last ? version : (long)last]) - 1;
}

static long version(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

bool hr_landlock_has_network(void)
{
    return version() >= 4;
}

int hr_landlock_begin(int *rules_out)
{
    long known = version();
    if (known < 1)
        return errno;
    struct attributes all = {
        .files = rights_of(known),
        .network = known >= 4 ? CONNECT_TCP : 0,
        .scopes = known >= 6 ? SCOPES : 0,
    };
    size_t len = known >= 6 ? sizeof all : known >= 4 ? 2 * sizeof all.files : sizeof all.files;
    long rules = syscall(SYS_landlock_create_ruleset, &all, len, 0);
    if (rules < 0)
        return errno;
    *rules_out = (int)rules;
    return 0;
}

void hr_landlock_allow(int rules, const char *path, uint64_t rights)
{
    struct stat info;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return;
    struct landlock_path_beneath_attr rule = {
        .allowed_access = rights & rights_of(version()),
        .parent_fd = fd,
    };
    if (fstat(fd, &info) == 0 && !S_ISDIR(info.st_mode))
        rule.allowed_access &= OF_FILES;
    (void)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    close(fd);
}

int hr_landlock_end(int rules)
{
    int error = syscall(SYS_landlock_restrict_self, rules, 0) == 0 ? 0 : errno;
    close(rules);
    return error;
}
