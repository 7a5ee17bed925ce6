/* SPDX-License-Identifier: Apache-2.0 */
#include "choose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "interrupt.h"

static bool is_directory(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Whether the listing is that of one file of this name, as a file lists itself. */
static hr_status look(hr_engine *engine, hr_listing *listing, const char *name, bool *alone_out,
                      hr_error *error)
{
    unsigned count = 0;
    hr_entry entry;
    for (;;) {
        bool alone = true;
        /* The second entry has said everything, however long the directory is. */
        while (alone && hr_listing_next(listing, &entry))
            alone = ++count == 1 && entry.type == HR_ENTRY_FILE && strcmp(entry.name, name) == 0;
        hr_status status = hr_listing_status(listing);
        if (!alone || status == HR_OK) {
            *alone_out = alone && count == 1;
            return HR_OK;
        }
        if (status != HR_AGAIN) {
            *error = *hr_listing_error(listing);
            return status;
        }
        if (hr_cli_interrupted())
            return hr_error_set(error, HR_INTERRUPTED, "interrupted before anything moved");
        hr_engine_step(engine, HR_WAIT_FOREVER);
    }
}

static hr_status lists_alone(hr_engine *engine, hr_client *client, const char *path,
                             const char *name, bool *alone_out, hr_error *error)
{
    hr_listing *listing = NULL;
    hr_status status = hr_listing_open(client, path, &listing, error);
    if (status == HR_OK)
        status = look(engine, listing, name, alone_out, error);
    hr_listing_destroy(listing);
    return status;
}

static hr_status is_file(hr_engine *engine, hr_client *client, const hr_cli_source *source,
                         bool *file_out, hr_error *error)
{
    char inside[HR_CLI_PATH_MAX + HR_CLI_NAME_MAX];
    hr_error ignored = {0};
    bool alone = false;
    const char *slash = strrchr(source->path, '/');
    if (slash == NULL) { /* an export as a whole */
        *file_out = false;
        return HR_OK;
    }
    hr_status status = lists_alone(engine, client, source->path, slash + 1, &alone, error);
    if (status != HR_OK)
        return status;
    if (alone) {
        /* A directory that holds but one file of its own name looks the same; only in that one
         * there is something beneath. */
        snprintf(inside, sizeof inside, "%s%s", source->path, slash);
        status = lists_alone(engine, client, inside, slash + 1, &alone, &ignored);
        alone = status != HR_OK;
    }
    *file_out = alone;
    return status == HR_INTERRUPTED ? hr_error_set(error, status, "%s", ignored.text) : HR_OK;
}

/* The real path of the part of path that is there; NULL where nothing can be said. */
static char *real_start(const char *path)
{
    char start[HR_CLI_PATH_MAX + 2];
    snprintf(start, sizeof start, "%s%s", path[0] == '/' ? "" : "./", path);
    char *real = realpath(start, NULL);
    for (char *slash; real == NULL && (slash = strrchr(start, '/')) != NULL;) {
        slash[slash == start] = '\0';
        real = realpath(start, NULL);
        if (slash == start)
            break;
    }
    return real;
}

/* A tree that is copied into itself would never end: what is written is found and copied again. */
static hr_status refuse_within_itself(const hr_cli_source *source, const hr_cli_target *target,
                                      hr_error *error)
{
    const char *name = strchr(source->path, '/');
    char from[2 * HR_CLI_PATH_MAX];
    if (!source->local)
        return HR_OK;
    snprintf(from, sizeof from, "%s%s", strcmp(source->root, "/") == 0 ? "" : source->root,
             name != NULL ? name : "");
    char *to = real_start(target->path);
    size_t len = strlen(from);
    bool within = to != NULL && strncmp(to, from, len) == 0 && (to[len] == '\0' || to[len] == '/');
    free(to);
    return within ? hr_error_set(error, HR_INVALID,
                                 "the target is the source itself or lies within it")
                  : HR_OK;
}

/* A single file that is unpacked gets the name that it had before it was packed. */
static hr_status descend_if_directory(hr_engine *engine, hr_client *client,
                                      const hr_cli_source *source, hr_cli_target *target,
                                      bool unpack, hr_error *error)
{
    hr_cli_source named = *source;
    size_t left = hr_unpacked_len(named.name);
    bool renames = unpack && named.name[left] != '\0', file = false;
    if (!target->below && !is_directory(target->path))
        return HR_OK;
    hr_status status = HR_OK;
    if (!target->below || renames)
        status = is_file(engine, client, source, &file, error);
    if (file && renames)
        named.name[left] = '\0';
    return status == HR_OK && (file || target->below) ? hr_cli_target_descend(target, &named, error)
                                                      : status;
}

hr_status hr_cli_choose_target(hr_engine *engine, hr_client *client, const hr_cli_source *source,
                               hr_cli_target *target, bool unpack, hr_error *error)
{
    if (target->kind != HR_CLI_TARGET_PATH)
        return HR_OK;
    hr_status status = descend_if_directory(engine, client, source, target, unpack, error);
    return status == HR_OK ? refuse_within_itself(source, target, error) : status;
}
