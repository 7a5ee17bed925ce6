/* SPDX-License-Identifier: Apache-2.0 */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env.h"

static hr_status fail(hr_error *error, const char *what, const char *path, int number)
{
    return hr_error_set(error, hr_status_from_errno(number), "%s %.300s: %s", what, path,
                        strerror(number));
}

/* ---- reading ---- */

static hr_status check_owner(const char *path, const struct stat *info, bool is_private,
                             hr_error *error)
{
    if (!S_ISREG(info->st_mode))
        return hr_error_set(error, HR_INVALID, "%.300s is no regular file", path);
    if (info->st_uid != geteuid() && info->st_uid != 0)
        return hr_error_set(error, HR_POLICY,
                            "%.300s belongs to user %u, who could change it: keep it in a file of "
                            "your own",
                            path, (unsigned)info->st_uid);
    unsigned loose = is_private ? 0077 : 0022;
    if ((info->st_mode & loose) != 0)
        return hr_error_set(error, HR_POLICY,
                            "%.300s can be %s by others (its mode is %04o): chmod %s %.100s", path,
                            is_private ? "read or changed" : "changed",
                            (unsigned)info->st_mode & 07777, is_private ? "600" : "go-w", path);
    if (info->st_size > HR_SECRET_LEN_MAX)
        return hr_error_set(error, HR_INVALID, "%.300s is longer than %u bytes", path,
                            HR_SECRET_LEN_MAX);
    return HR_OK;
}

static hr_status read_text(const hr_env *env, int fd, const char *path, char **text_out,
                           hr_error *error)
{
    char *text = hr_alloc(env, HR_SECRET_LEN_MAX + 1);
    if (text == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "reading %.300s: out of memory", path);
    size_t len = 0;
    ssize_t got = 1;
    while (got > 0 && len < HR_SECRET_LEN_MAX) {
        got = read(fd, text + len, HR_SECRET_LEN_MAX - len);
        len += got > 0 ? (size_t)got : 0;
    }
    hr_status status = HR_OK;
    if (got < 0)
        status = fail(error, "reading", path, errno);
    else if (memchr(text, 0, len) != NULL)
        status = hr_error_set(error, HR_INVALID, "%.300s is no text", path);
    if (status != HR_OK)
        hr_secret_release(env, text);
    else
        *text_out = text;
    return status;
}

hr_status hr_secret_read(const hr_env *env, const char *path, bool is_private, char **text_out,
                         hr_error *error)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return fail(error, "opening", path, errno);
    hr_status status = fstat(fd, &info) == 0 ? check_owner(path, &info, is_private, error)
                                             : fail(error, "looking at", path, errno);
    if (status == HR_OK)
        status = read_text(env, fd, path, text_out, error);
    close(fd);
    return status;
}

void hr_secret_release(const hr_env *env, char *text)
{
    if (text != NULL)
        explicit_bzero(text, HR_SECRET_LEN_MAX);
    hr_release(env, text);
}

/* ---- making ---- */

static hr_status write_all(int fd, const char *path, const char *text, hr_error *error)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t written = write(fd, text, len);
        if (written < 0)
            return fail(error, "writing", path, errno);
        text += written;
        len -= (size_t)written;
    }
    return fsync(fd) == 0 ? HR_OK : fail(error, "writing", path, errno);
}

/* Under a name of its own beside path, so that nobody ever reads half of it. */
static hr_status write_beside(const char *path, const char *text,
                              char beside_out[HR_SECRET_PATH_MAX], hr_error *error)
{
    int len = snprintf(beside_out, HR_SECRET_PATH_MAX, "%s.XXXXXX", path);
    if (len < 0 || len >= HR_SECRET_PATH_MAX)
        return hr_error_set(error, HR_INVALID, "the path of a key is longer than %d bytes",
                            HR_SECRET_PATH_MAX - 8);
    int fd = mkostemp(beside_out, O_CLOEXEC); /* O_EXCL, 0600 */
    if (fd < 0)
        return fail(error, "making", path, errno);
    hr_status status = write_all(fd, path, text, error);
    close(fd);
    if (status != HR_OK)
        unlink(beside_out);
    return status;
}

hr_status hr_secret_create(const char *path, const char *text, hr_error *error)
{
    char beside[HR_SECRET_PATH_MAX];
    hr_status status = write_beside(path, text, beside, error);
    if (status != HR_OK)
        return status;
    if (link(beside, path) != 0)
        status = fail(error, "making", path, errno);
    unlink(beside);
    return status;
}

hr_status hr_secret_replace(const char *path, const char *text, hr_error *error)
{
    char beside[HR_SECRET_PATH_MAX];
    hr_status status = write_beside(path, text, beside, error);
    if (status != HR_OK)
        return status;
    if (rename(beside, path) != 0) {
        status = fail(error, "making", path, errno);
        unlink(beside);
    }
    return status;
}

hr_status hr_secret_own_path(char path_out[HR_SECRET_PATH_MAX], hr_error *error)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    const char *middle = "";
    if (config == NULL || config[0] != '/') {
        config = home;
        middle = "/.config";
    }
    if (config == NULL || config[0] != '/')
        return hr_error_set(error, HR_UNSUPPORTED,
                            "there is no place for the key of this user, since neither HOME nor "
                            "XDG_CONFIG_HOME is set: name a key with --key FILE");
    int len = snprintf(path_out, HR_SECRET_PATH_MAX, "%s%s/headrace/key", config, middle);
    if (len < 0 || len >= HR_SECRET_PATH_MAX)
        return hr_error_set(error, HR_INVALID, "HOME is too long");
    return HR_OK;
}

hr_status hr_secret_make_directories(const char *path, hr_error *error)
{
    char directory[HR_SECRET_PATH_MAX];
    snprintf(directory, sizeof directory, "%s", path);
    for (char *at = strchr(directory + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(directory, 0700) != 0 && errno != EEXIST && errno != EISDIR)
            return fail(error, "making", directory, errno);
        *at = '/';
    }
    return HR_OK;
}
