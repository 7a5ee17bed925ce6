/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "interrupt.h"
#include "launch.h"
#include "output.h"
#include "verbs.h"

#define EXPORTS_MAX (HR_OPTION_LIST_MAX + 1)
#define QUOTED_MAX  300

typedef struct exports {
    hr_export list[EXPORTS_MAX];
    size_t count;
    char names[EXPORTS_MAX][HR_CLI_NAME_MAX];
    char *real; /* of DIR */
} exports;

/* What a name may be is the engine's to say. */
static hr_status add(exports *all, const char *name, size_t name_len, const char *path,
                     hr_error *error)
{
    if (name_len >= HR_CLI_NAME_MAX)
        return hr_error_set(error, HR_INVALID, "the name of an export is longer than %d bytes",
                            HR_CLI_NAME_MAX - 1);
    memcpy(all->names[all->count], name, name_len);
    all->names[all->count][name_len] = '\0';
    all->list[all->count] = (hr_export){.name = all->names[all->count], .path = path};
    all->count++;
    return HR_OK;
}

/* DIR under its last name, also where it is written as "." or through symlinks. */
static hr_status add_directory(exports *all, const char *path, hr_error *error)
{
    char quoted[QUOTED_MAX];
    hr_quote(quoted, sizeof quoted, path, strlen(path));
    all->real = realpath(path, NULL);
    if (all->real == NULL)
        return hr_error_set(error, hr_status_from_errno(errno), "serving '%s': %s", quoted,
                            strerror(errno));
    const char *name = strrchr(all->real, '/') + 1;
    if (name[0] == '\0')
        return hr_error_set(error, HR_INVALID, "/ has no name: serve it as --export NAME=/");
    return add(all, name, strlen(name), all->real, error);
}

/* After all exports are known. */
static hr_status protect(const hr_cli_settings *settings, exports *all, hr_error *error)
{
    char quoted[QUOTED_MAX];
    for (unsigned i = 0; i < settings->protect.count; i++) {
        const char *text = settings->protect.values[i];
        const char *equals = strchr(text, '=');
        hr_quote(quoted, sizeof quoted, text, strlen(text));
        if (equals == NULL || (strcmp(equals, "=aead") != 0 && strcmp(equals, "=clear") != 0))
            return hr_error_set(error, HR_INVALID,
                                "--protect takes NAME=aead or NAME=clear, not '%s'", quoted);
        size_t len = (size_t)(equals - text), at = 0;
        while (at < all->count &&
               (strlen(all->list[at].name) != len || memcmp(all->list[at].name, text, len) != 0))
            at++;
        if (at == all->count)
            return hr_error_set(error, HR_INVALID, "--protect %s: no export has this name", quoted);
        all->list[at].aead = strcmp(equals, "=aead") == 0;
    }
    return HR_OK;
}

static hr_status collect(const hr_cli_settings *settings, const char *directory, exports *all,
                         hr_error *error)
{
    char quoted[QUOTED_MAX];
    for (unsigned i = 0; i < settings->exports.count; i++) {
        const char *text = settings->exports.values[i];
        const char *equals = strchr(text, '=');
        if (equals == NULL || equals == text || equals[1] == '\0')
            return hr_error_set(error, HR_INVALID, "--export takes NAME=DIR, not '%s'",
                                hr_quote(quoted, sizeof quoted, text, strlen(text)));
        hr_status status = add(all, text, (size_t)(equals - text), equals + 1, error);
        if (status != HR_OK)
            return status;
    }
    if (directory != NULL)
        return add_directory(all, directory, error);
    if (all->count == 0)
        return hr_error_set(error, HR_INVALID,
                            "nothing to serve: name a directory, or --export NAME=DIR");
    return HR_OK;
}

static void announce(const hr_cli_settings *settings, hr_engine *engine, const hr_server *server,
                     const exports *all)
{
    char quoted[QUOTED_MAX];
    if (settings->json) {
        json_t *list = json_array();
        for (size_t i = 0; i < all->count; i++) {
            json_t *row = json_object();
            hr_cli_json_name(row, "name", all->list[i].name, strlen(all->list[i].name));
            hr_cli_json_name(row, "path", all->list[i].path, strlen(all->list[i].path));
            json_array_append_new(list, row);
        }
        hr_cli_print_json(json_pack("{s:s, s:s, s:o, s:s, s:b}", "type", "listening", "address",
                                    hr_server_address(server), "exports", list, "io",
                                    hr_engine_describe(engine), "insecure", settings->insecure));
        return;
    }
    if (settings->quiet)
        return;
    hr_cli_print("headrace: serving");
    for (size_t i = 0; i < all->count; i++) {
        const hr_export *one = &all->list[i];
        hr_cli_print(" %s=", hr_quote(quoted, sizeof quoted, one->name, strlen(one->name)));
        hr_cli_print("%s", hr_quote(quoted, sizeof quoted, one->path, strlen(one->path)));
    }
    hr_cli_print(" on %s (%s)\n", hr_server_address(server), hr_engine_describe(engine));
}

static void sum_up(const hr_cli_settings *settings, const hr_server *server)
{
    hr_server_counters count = hr_server_count(server);
    hr_status status = hr_server_status(server);
    if (settings->json)
        hr_cli_print_json(json_pack(
            "{s:s, s:s, s:i, s:I, s:I, s:I, s:I}", "type", "summary", "status",
            hr_status_name(status), "exit", hr_status_exit_code(status), "sessions",
            (json_int_t)count.sessions, "transfers", (json_int_t)count.transfers, "bytes_sent",
            (json_int_t)count.bytes_sent, "refused", (json_int_t)count.refused));
    else if (settings->verbose > 0)
        hr_cli_say("served %llu transfers of %llu sessions, refused %llu",
                   (unsigned long long)count.transfers, (unsigned long long)count.sessions,
                   (unsigned long long)count.refused);
}

static void reload(const hr_cli_settings *settings, hr_server *server)
{
    hr_error error = {.status = HR_OK};
    hr_status status = hr_server_reload(server, &error);
    if (status != HR_OK)
        hr_cli_say("keys and rules stay as they were: %s", error.text);
    else if (!settings->quiet)
        hr_cli_say("read keys and rules again");
    if (settings->json)
        hr_cli_print_json(
            json_pack("{s:s, s:s}", "type", "reloaded", "status", hr_status_name(status)));
}

/* Steps until a signal, until the server fails, or until nobody reads what is announced. */
static hr_status attend(const hr_cli_settings *settings, hr_engine *engine, hr_server *server,
                        const exports *all, hr_error *error)
{
    hr_status status;
    while ((status = hr_server_status(server)) == HR_AGAIN && !hr_cli_interrupted())
        hr_engine_step(engine, HR_WAIT_FOREVER);
    if (status == HR_OK) {
        announce(settings, engine, server, all);
        hr_cli_print_footprint(settings, engine, false);
        status = hr_cli_print_end(error);
        if (status != HR_OK)
            return status;
    }
    while (hr_server_status(server) == HR_OK && !hr_cli_interrupted()) {
        hr_engine_step(engine, HR_WAIT_FOREVER);
        if (hr_cli_hung_up())
            reload(settings, server);
    }
    hr_cli_print_stages(settings, engine);
    sum_up(settings, server);
    status = hr_server_status(server);
    if (status == HR_OK || status == HR_AGAIN)
        return HR_OK;
    *error = *hr_server_error(server);
    return status;
}

static void told(void *context, bool lacking, const char *line)
{
    const hr_cli_settings *settings = *(const hr_cli_settings **)context;
    if ((lacking && !settings->quiet) || settings->verbose > 0)
        hr_cli_say("%s", line);
}

/* Before any thread is made. */
static hr_status confine(const hr_cli_settings *settings, const hr_server_options *options,
                         hr_error *error)
{
    if (settings->unconfined) {
        hr_cli_say("--unconfined: this server can open and do whatever its user can");
        return HR_OK;
    }
    return hr_server_confine(options, told, &settings, error);
}

static hr_status serve(const hr_cli_settings *settings, const exports *all, hr_error *error)
{
    hr_engine *engine = NULL;
    hr_server *server = NULL;
    hr_server_options options = {
        .listen = settings->listen,
        .exports = all->list,
        .export_count = all->count,
        .trust = hr_cli_trust(settings),
        .rules_path = settings->rules_path,
        .audit_path = settings->audit,
    };
    hr_status status = confine(settings, &options, error);
    if (status == HR_OK)
        status = hr_cli_engine_create(settings, 0, true, &engine, error);
    hr_cli_hang_up_wakes();
    if (status == HR_OK)
        status = hr_server_open(engine, &options, &server, error);
    if (status == HR_OK)
        status = attend(settings, engine, server, all, error);
    hr_server_destroy(server);
    hr_cli_engine_destroy(engine);
    return status;
}

hr_status hr_cli_serve(const hr_cli_settings *settings, char **arguments, unsigned argument_count,
                       hr_error *error)
{
    exports all = {.count = 0};
    hr_status status = collect(settings, argument_count > 0 ? arguments[0] : NULL, &all, error);
    if (status == HR_OK)
        status = protect(settings, &all, error);
    if (status == HR_OK)
        status = serve(settings, &all, error);
    free(all.real);
    return status;
}
