/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "interrupt.h"
#include "launch.h"
#include "output.h"
#include "tally.h"
#include "verbs.h"

#define QUOTED_MAX (4 * 255 + 1) /* of a name, each byte written as \xNN */

/* Only a file of such a length can end with an index (docs/FORMAT.md). */
#define PACKED_ALIGN 4096u
#define PACKED_REST  64u

typedef struct list_job {
    const hr_cli_settings *settings;
    hr_cli_source source;
    bool is_local_file;
    hr_engine *engine;
    hr_client *client;
} list_job;

static const struct {
    char letter;
    const char *word;
    const char *suffix; /* so that a directory is seen without --long */
} types[] = {
    [HR_ENTRY_FILE] = {'-', "file", ""},       [HR_ENTRY_DIRECTORY] = {'d', "directory", "/"},
    [HR_ENTRY_SYMLINK] = {'l', "symlink", ""}, [HR_ENTRY_SPECIAL] = {'?', "special", ""},
    [HR_ENTRY_EXPORT] = {'e', "export", "/"},
};

static void print_json(const hr_entry *entry)
{
    char mode[8];
    snprintf(mode, sizeof mode, "%04o", entry->mode & 07777u);
    json_t *object = json_pack("{s:s, s:s, s:s, s:I, s:I}", "type", "entry", "kind",
                               types[entry->type].word, "mode", mode, "size",
                               (json_int_t)entry->size, "mtime_ns", (json_int_t)entry->mtime_ns);
    hr_cli_json_name(object, "name", entry->name, entry->name_len);
    hr_cli_print_json(object);
}

/* "drwxr-xr-x  4194304  2026-01-31 12:00:00  " */
static void print_details(const hr_entry *entry)
{
    static const char bits[] = "rwxrwxrwx";
    char mode[sizeof bits];
    char when[40] = "?";
    time_t seconds = (time_t)(entry->mtime_ns / 1000000000);
    struct tm local;
    for (unsigned i = 0; i < sizeof bits; i++)
        mode[i] = bits[i] == '\0' || (entry->mode >> (8 - i) & 1) != 0 ? bits[i] : '-';
    if (localtime_r(&seconds, &local) != NULL)
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &local);
    hr_cli_print("%c%s %15llu  %s  ", types[entry->type].letter, mode,
                 (unsigned long long)entry->size, when);
}

static void print_entry(const hr_cli_settings *settings, const hr_entry *entry)
{
    char quoted[QUOTED_MAX];
    if (settings->json) {
        print_json(entry);
        return;
    }
    if (settings->long_form)
        print_details(entry);
    if (settings->print0)
        hr_cli_print_bytes(entry->name, entry->name_len + 1);
    else
        hr_cli_print("%s%s\n", hr_quote(quoted, sizeof quoted, entry->name, entry->name_len),
                     types[entry->type].suffix);
}

/* Asks the server what is packed at this path. False: it is no such file, or the server does not
 * say. */
static bool probe(const list_job *job, const char *path)
{
    hr_get *get;
    hr_error ignored = {0}; /* what cannot be opened is no failure of a listing */
    hr_get_options options = {.path = path, .target_host = true, .dry_run = true};
    if (hr_get_start(job->client, &options, &get, &ignored) != HR_OK)
        return false;
    while (hr_get_status(get) == HR_AGAIN && !hr_cli_interrupted())
        hr_engine_step(job->engine, HR_WAIT_FOREVER);
    hr_get_progress progress = hr_get_count(get);
    bool found = hr_get_status(get) == HR_OK;
    hr_get_destroy(get);
    hr_packed_progress count = {
        .bytes = progress.bytes,
        .bytes_done = progress.bytes,
        .stored_bytes = progress.stored_bytes,
        .chunks = progress.chunks,
        .chunks_done = progress.chunks,
        .chunks_stored = progress.chunks_stored,
        .codec = progress.codec,
    };
    if (found && progress.codec[0] != '\0')
        hr_cli_print_facts(job->settings, &count);
    return found;
}

/* A file lists itself: then the source is its path, else that of its directory. */
static void print_packing(const list_job *job, const hr_entry *entry)
{
    char path[sizeof job->source.path + 256];
    bool can_be = entry->type == HR_ENTRY_FILE && entry->size % PACKED_ALIGN == PACKED_REST;
    if (!can_be || !job->settings->long_form || job->settings->print0 || job->is_local_file)
        return;
    snprintf(path, sizeof path, "%s/%s", job->source.path, entry->name);
    if (!probe(job, path))
        probe(job, job->source.path);
}

static hr_status print_all(const list_job *job, hr_listing *listing, uint64_t *count_out,
                           hr_error *error)
{
    const hr_cli_settings *settings = job->settings;
    hr_engine *engine = job->engine;
    hr_entry entry;
    uint64_t count = 0;
    for (;;) {
        while (!hr_cli_reader_is_gone() && hr_listing_next(listing, &entry)) {
            print_entry(settings, &entry);
            print_packing(job, &entry);
            count++;
        }
        hr_status status = hr_listing_status(listing);
        if (status == HR_OK || hr_cli_reader_is_gone())
            break;
        if (status != HR_AGAIN) {
            *error = *hr_listing_error(listing);
            return status;
        }
        if (hr_cli_interrupted())
            return hr_error_set(error, HR_INTERRUPTED, "interrupted while listing");
        hr_engine_step(engine, HR_WAIT_FOREVER);
    }
    *count_out = count;
    return HR_OK;
}

static hr_status list(const hr_cli_settings *settings, const char *text, uint64_t *count_out,
                      hr_error *error)
{
    struct stat info;
    list_job job = {.settings = settings};
    hr_listing *listing = NULL;
    hr_status status = hr_cli_source_parse(text, &job.source, error);
    if (status == HR_OK)
        status = hr_cli_source_resolve(&job.source, error);
    job.is_local_file = job.source.local && stat(text, &info) == 0 && S_ISREG(info.st_mode);
    if (status == HR_OK)
        status = hr_cli_engine_create(settings, 1, false, &job.engine, error);
    if (status == HR_OK)
        status = hr_cli_client_open(settings, job.engine, &job.source, NULL, &job.client, error);
    if (status == HR_OK)
        status = hr_listing_open(job.client, job.source.path, &listing, error);
    if (status == HR_OK)
        status = print_all(&job, listing, count_out, error);
    if (status == HR_OK && job.is_local_file && !settings->print0)
        hr_cli_print_packed(settings, job.engine, text);
    hr_listing_destroy(listing);
    hr_client_destroy(job.client);
    hr_cli_engine_destroy(job.engine);
    return status;
}

hr_status hr_cli_ls(const hr_cli_settings *settings, char **arguments, unsigned argument_count,
                    hr_error *error)
{
    uint64_t count = 0;
    (void)argument_count;
    hr_status status = list(settings, arguments[0], &count, error);
    if (settings->json)
        hr_cli_print_json(json_pack("{s:s, s:s, s:i, s:o, s:I}", "type", "summary", "status",
                                    hr_status_name(status), "exit", hr_status_exit_code(status),
                                    "text", hr_cli_json_text(error->text, strlen(error->text)),
                                    "entries", (json_int_t)count));
    return status;
}
