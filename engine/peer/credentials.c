/* SPDX-License-Identifier: Apache-2.0 */
/* The public functions that make and show keys and certificates. */
#include <stdio.h>
#include <string.h>

#include "authority.h"
#include "headrace.h"
#include "key.h"
#include "secret.h"

static hr_status choose_path(const char *path, char path_out[HR_SECRET_PATH_MAX], hr_error *error)
{
    if (path == NULL)
        return hr_secret_own_path(path_out, error);
    if (strlen(path) >= HR_SECRET_PATH_MAX)
        return hr_error_set(error, HR_INVALID, "the path of the key is too long");
    memcpy(path_out, path, strlen(path) + 1);
    return HR_OK;
}

hr_status hr_key_file_make(const char *path, bool overwrite, char path_out[HR_KEY_PATH_MAX],
                           hr_error *error)
{
    hr_key key;
    char line[HR_KEY_LINE_MAX];
    hr_status status = choose_path(path, path_out, error);
    if (status == HR_OK && path == NULL)
        status = hr_secret_make_directories(path_out, error);
    if (status != HR_OK)
        return status;
    hr_key_make(hr_env_system(), &key);
    hr_key_print(&key, line);
    hr_error why = {.status = HR_OK};
    status = overwrite ? hr_secret_replace(path_out, line, &why)
                       : hr_secret_create(path_out, line, &why);
    explicit_bzero(&key, sizeof key);
    explicit_bzero(line, sizeof line);
    if (status == HR_EXISTS)
        hr_error_set(error, status,
                     "%.300s exists already; --overwrite replaces it, and who has the old one is "
                     "let in no more",
                     path_out);
    else if (status != HR_OK)
        hr_error_set(error, status, "%s", why.text);
    return status;
}

static hr_status show_keys(const char *path, const char *text, char *out, size_t out_max,
                           hr_error *error)
{
    const hr_env *env = hr_env_system();
    hr_error why = {.status = HR_OK};
    size_t count = 0, used = 0;
    hr_key *list = hr_alloc(env, HR_KEYS_MAX * sizeof *list);
    if (list == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "showing %.200s: out of memory", path);
    hr_status status = hr_keys_parse(text, list, &count, &why);
    if (status != HR_OK)
        hr_error_set(error, status, "%.200s: %s", path, why.text);
    for (size_t i = 0; i < count && used < out_max; i++)
        used += (size_t)snprintf(out + used, out_max - used, "key:%s\n", list[i].id);
    explicit_bzero(list, HR_KEYS_MAX * sizeof *list);
    hr_release(env, list);
    return status;
}

hr_status hr_key_file_show(const char *path, char *out, size_t out_max, hr_error *error)
{
    char chosen[HR_SECRET_PATH_MAX], *text;
    const hr_env *env = hr_env_system();
    hr_status status = choose_path(path, chosen, error);
    if (status == HR_OK)
        status = hr_secret_read(env, chosen, false, &text, error);
    if (status != HR_OK)
        return status;
    out[0] = '\0';
    if (strstr(text, "-----BEGIN ") == NULL)
        status = show_keys(chosen, text, out, out_max, error);
    else if (hr_authority_describe(text, out, out_max) != HR_OK)
        status = hr_error_set(error, HR_INVALID, "%.300s holds no certificate%s", chosen,
                              strstr(text, "PRIVATE KEY-----") != NULL
                                  ? ", only a private key, of which nothing is shown"
                                  : "");
    else if (strlen(out) + 1 < out_max)
        memcpy(out + strlen(out), "\n", 2);
    hr_secret_release(env, text);
    return status;
}

hr_status hr_certificate_issue(const char *directory, const char *name, bool overwrite,
                               hr_error *error)
{
    return hr_authority_issue(hr_env_system(), directory, name, overwrite, error);
}
