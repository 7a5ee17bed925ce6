/* SPDX-License-Identifier: Apache-2.0 */
/* Extended attributes, as one row after the other: u16 length of the name, u32 of the value, both
 * without a zero. Those that people and programs set: user.*, access control lists, capabilities
 * and trusted.*; what a security module labels is this machine's own affair. */
#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "bytes.h"
#include "posix.h"

#define NAMES_LEN (16u << 10)
#define ROW_LEN   6u

static bool is_kept(const char *name)
{
    static const char *const starts[] = {"user.", "trusted.", "system.posix_acl_",
                                         "security.capability"};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++)
        if (strncmp(name, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

/* 0 where the file system has none. */
static ssize_t list_names(const char *path, char names_out[NAMES_LEN])
{
    ssize_t len = llistxattr(path, names_out, NAMES_LEN);
    return len < 0 && errno == ENOTSUP ? 0 : len;
}

/* One row, or 0 for one that is gone or may not be read; ERANGE: it does not fit. */
static int put_row(const char *path, const char *name, uint8_t *out, size_t size, size_t *len_out)
{
    size_t name_len = strlen(name);
    *len_out = 0;
    if (size <= ROW_LEN + name_len) /* asked for no bytes, lgetxattr tells how many there are */
        return ERANGE;
    ssize_t value_len = lgetxattr(path, name, out + ROW_LEN + name_len, size - ROW_LEN - name_len);
    if (value_len < 0)
        return errno == ERANGE ? ERANGE : 0;
    hr_put_u16(out, (uint16_t)name_len);
    hr_put_u32(out + 2, (uint32_t)value_len);
    /* Its length stands before it. NOLINTNEXTLINE(bugprone-not-null-terminated-result) */
    memcpy(out + ROW_LEN, name, name_len);
    *len_out = ROW_LEN + name_len + (size_t)value_len;
    return 0;
}

int hr_posix_get_xattrs(int dir_fd, const char *name, uint8_t out[HR_XATTRS_MAX], size_t *len_out)
{
    char path[40 + HR_NAME_MAX], names[NAMES_LEN];
    snprintf(path, sizeof path, "/proc/self/fd/%d/%s", dir_fd, name);
    ssize_t names_len = list_names(path, names);
    if (names_len < 0)
        return errno;
    size_t used = 0;
    for (ssize_t at = 0; at < names_len; at += (ssize_t)strlen(names + at) + 1) {
        size_t len = 0;
        int error = 0;
        if (is_kept(names + at))
            error = put_row(path, names + at, out + used, HR_XATTRS_MAX - used, &len);
        if (error != 0)
            return error;
        used += len;
    }
    *len_out = used;
    return 0;
}

/* The next row of data; false: there is none, or it is cut short. */
static bool take_row(const hr_io *io, size_t *at, char name_out[XATTR_NAME_MAX + 1],
                     const uint8_t **value_out, size_t *value_len_out)
{
    const uint8_t *row = (const uint8_t *)io->data + *at;
    size_t left = io->len - *at;
    if (left < ROW_LEN)
        return false;
    size_t name_len = hr_get_u16(row), value_len = hr_get_u32(row + 2);
    if (name_len == 0 || name_len > XATTR_NAME_MAX || left - ROW_LEN < name_len ||
        left - ROW_LEN - name_len < value_len)
        return false;
    memcpy(name_out, row + ROW_LEN, name_len);
    name_out[name_len] = '\0';
    *value_out = row + ROW_LEN + name_len;
    *value_len_out = value_len;
    *at += ROW_LEN + name_len + value_len;
    return true;
}

static bool is_wanted(const hr_io *io, const char *name)
{
    char wanted[XATTR_NAME_MAX + 1];
    const uint8_t *value;
    size_t at = 0, len;
    while (take_row(io, &at, wanted, &value, &len))
        if (strcmp(wanted, name) == 0)
            return true;
    return false;
}

static int remove_others(const hr_io *io, const char *path)
{
    char names[NAMES_LEN];
    ssize_t names_len = listxattr(path, names, sizeof names);
    for (ssize_t at = 0; at < names_len; at += (ssize_t)strlen(names + at) + 1)
        if (is_kept(names + at) && !is_wanted(io, names + at) &&
            removexattr(path, names + at) != 0 && errno != ENODATA)
            return errno;
    return 0;
}

/* Names that come from a server and would set what is not kept are refused. */
int hr_posix_set_xattrs(hr_io *io)
{
    char path[40], name[XATTR_NAME_MAX + 1];
    const uint8_t *value;
    size_t at = 0, len;
    int fd, error = hr_posix_open_path(io, io->path, O_PATH | O_NOFOLLOW, &fd);
    if (error != 0)
        return error;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    error = remove_others(io, path);
    while (error == 0 && take_row(io, &at, name, &value, &len)) {
        if (!is_kept(name))
            error = EINVAL;
        else if (setxattr(path, name, value, len, 0) != 0)
            error =
                errno == ENOENT ? ENOSYS : errno; /* the file is there: it is /proc that is not */
    }
    close(fd);
    return error == 0 && at != io->len ? EINVAL : error;
}
