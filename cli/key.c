/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "headrace.h"
#include "output.h"
#include "verbs.h"

static hr_status make_key(const hr_cli_settings *settings, const char *path, hr_error *error)
{
    char made[HR_KEY_PATH_MAX];
    hr_status status = hr_key_file_make(path, settings->overwrite, made, error);
    if (status == HR_OK && !settings->quiet)
        hr_cli_print("%s\n", made);
    return status;
}

static hr_status make_certificates(const hr_cli_settings *settings, char **names, unsigned count,
                                   hr_error *error)
{
    if (count == 0)
        return hr_error_set(error, HR_INVALID,
                            "key new --cluster %.200s: name the machines, as others reach them",
                            settings->cluster);
    for (unsigned i = 0; i < count; i++) {
        hr_status status =
            hr_certificate_issue(settings->cluster, names[i], settings->overwrite, error);
        if (status != HR_OK)
            return status;
        if (!settings->quiet)
            hr_cli_print("%s/%s.pem\n", settings->cluster, names[i]);
    }
    return HR_OK;
}

static hr_status show(const char *path, hr_error *error)
{
    static char text[HR_KEY_TEXT_MAX];
    hr_status status = hr_key_file_show(path, text, sizeof text, error);
    if (status == HR_OK)
        hr_cli_print("%s", text);
    return status;
}

hr_status hr_cli_key(const hr_cli_settings *settings, char **arguments, unsigned argument_count,
                     hr_error *error)
{
    const char *what = arguments[0], *path = argument_count > 1 ? arguments[1] : NULL;
    bool is_new = strcmp(what, "new") == 0;
    if (!is_new && strcmp(what, "show") != 0)
        return hr_error_set(error, HR_INVALID,
                            "key takes new or show; headrace help key tells more");
    if (is_new && settings->cluster != NULL)
        return make_certificates(settings, arguments + 1, argument_count - 1, error);
    if (argument_count > 2)
        return hr_error_set(error, HR_INVALID, "key %s takes one FILE", what);
    return is_new ? make_key(settings, path, error) : show(path, error);
}
