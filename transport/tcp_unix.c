/* SPDX-License-Identifier: Apache-2.0 */
/* The same streams over a socket of the file system, between processes of one machine. The kernel
 * says which user is on the other side. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tcp.h"

#define PREFIX "unix:"

bool hr_unix_is(const char *address)
{
    return strncmp(address, PREFIX, sizeof PREFIX - 1) == 0;
}

hr_status hr_unix_parse(const char *address, struct sockaddr_un *parsed_out)
{
    const char *path = address + sizeof PREFIX - 1;
    size_t len = strlen(path);
    if (path[0] != '/' || len >= sizeof parsed_out->sun_path)
        return HR_INVALID;
    *parsed_out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(parsed_out->sun_path, path, len + 1);
    return HR_OK;
}

bool hr_unix_peer(int fd, uint32_t *uid_out, char text_out[64])
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    int family = 0;
    socklen_t family_len = sizeof family;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &family_len) != 0 || family != AF_UNIX ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return false;
    /* The part behind the last colon is to the user what a port is to a host. */
    snprintf(text_out, 64, "uid:%u:%d", (unsigned)peer.uid, (int)peer.pid);
    *uid_out = peer.uid;
    return true;
}

/* What a server that was killed has left; one that lives answers. */
static void remove_stale(const struct sockaddr_un *address)
{
    struct stat info;
    if (lstat(address->sun_path, &info) != 0 || !S_ISSOCK(info.st_mode))
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
        errno == ECONNREFUSED)
        unlink(address->sun_path);
    close(fd);
}

int hr_unix_listen(const struct sockaddr_un *address, int backlog, int *fd_out)
{
    remove_stale(address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    /* Everybody may knock: who is let in is decided by his user and the rules. */
    if (bind(fd, (const struct sockaddr *)address, sizeof *address) != 0 ||
        chmod(address->sun_path, 0666) != 0 || listen(fd, backlog) != 0) {
        int error = errno;
        close(fd);
        return error;
    }
    *fd_out = fd;
    return 0;
}
