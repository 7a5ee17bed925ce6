/* SPDX-License-Identifier: Apache-2.0 */
#include "tally.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "interrupt.h"
#include "launch.h"
#include "output.h"
#include "units.h"

static double ratio(const hr_packed_progress *count)
{
    return count->stored_bytes == 0 ? 1 : (double)count->bytes / (double)count->stored_bytes;
}

/* What is the same in every object. Consumes nothing; the caller adds what is its own. */
static json_t *object_of(const char *type, const hr_packed_progress *count)
{
    json_t *object =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "type", type, "bytes_total",
                  (json_int_t)count->bytes, "bytes_done", (json_int_t)count->bytes_done,
                  "stored_bytes", (json_int_t)count->stored_bytes, "chunks",
                  (json_int_t)count->chunks, "chunks_done", (json_int_t)count->chunks_done,
                  "chunks_stored", (json_int_t)count->chunks_stored, "codec", count->codec);
    if (count->files == 0)
        return object;
    json_object_set_new(object, "files", json_integer((json_int_t)count->files));
    json_object_set_new(object, "files_failed", json_integer((json_int_t)count->files_failed));
    json_object_set_new(object, "files_kept", json_integer((json_int_t)count->files_kept));
    return object;
}

void hr_cli_tally_file(void *context, const hr_file_report *file)
{
    const hr_cli_tally *tally = context;
    char quoted[300];
    if (tally->settings->json && (file->status != HR_OK || !tally->settings->quiet)) {
        json_t *object = json_pack(
            "{s:s, s:s, s:o, s:I}", "type", "file", "status", hr_status_name(file->status), "text",
            hr_cli_json_text(file->text, strlen(file->text)), "bytes", (json_int_t)file->bytes);
        hr_cli_json_name(object, "path", file->path, strlen(file->path));
        hr_cli_print_json(object);
        return;
    }
    hr_quote(quoted, sizeof quoted, file->path, strlen(file->path));
    if (file->status != HR_OK && !tally->settings->json)
        hr_cli_say("%s: %s", quoted, file->text);
    else if (!tally->settings->json && !tally->settings->quiet && file->text[0] != '\0')
        hr_cli_print("%s: %s\n", quoted, file->text);
}

void hr_cli_tally_step(hr_cli_tally *tally, const hr_packed_progress *count)
{
    uint64_t now_ns;
    if (!hr_cli_ticker_is_due(&tally->ticker, &now_ns))
        return;
    const hr_get_progress shown = {.bytes = count->bytes, .bytes_verified = count->bytes_done};
    hr_cli_progress_sample(&tally->ticker.progress, now_ns, &shown);
    uint64_t rate = hr_cli_progress_rate(&tally->ticker.progress);
    if (tally->settings->json) {
        json_t *object = object_of("progress", count);
        json_object_set_new(object, "rate_bytes_per_second", json_integer((json_int_t)rate));
        hr_cli_print_json(object);
    } else {
        char line[HR_CLI_LINE_MAX];
        hr_cli_progress_line(line, &shown, rate,
                             hr_cli_progress_left(&tally->ticker.progress, &shown), count->codec);
        hr_cli_live(line);
    }
}

static void end_json(const hr_cli_tally *tally, const hr_packed_progress *count, const char *choice,
                     hr_status status, const char *text, double seconds)
{
    json_t *message = hr_cli_json_text(text, strlen(text));
    json_t *object = object_of("summary", count);
    json_object_set_new(object, "status", json_string(hr_status_name(status)));
    json_object_set_new(object, "exit", json_integer(hr_status_exit_code(status)));
    json_object_set_new(object, "ratio", json_real(ratio(count)));
    json_object_set_new(object, "choice", json_string(choice));
    json_object_set_new(object, "seconds", json_real(seconds));
    json_object_set_new(object, "cpu_seconds", json_real(hr_cli_cpu_seconds()));
    hr_cli_json_name(object, "source", tally->source, strlen(tally->source));
    if (tally->target != NULL)
        hr_cli_json_name(object, "target", tally->target, strlen(tally->target));
    if (status != HR_OK)
        hr_cli_print_json(json_pack("{s:s, s:s, s:i, s:O}", "type", "error", "status",
                                    hr_status_name(status), "exit", hr_status_exit_code(status),
                                    "text", message));
    json_object_set_new(object, "text", message);
    hr_cli_print_json(object);
}

/* "lz4, 954 chunks, 12 of them stored as they are" */
static void describe(char *out, size_t size, const hr_packed_progress *count)
{
    const char *codec = count->codec[0] != '\0' ? count->codec : "nothing to do";
    int used = snprintf(out, size, "%s, %llu chunk%s", codec, (unsigned long long)count->chunks,
                        count->chunks == 1 ? "" : "s");
    if (count->chunks_stored > 0 && strcmp(count->codec, "none") != 0)
        used += snprintf(out + used, size - (size_t)used, ", %llu of them stored as they are",
                         (unsigned long long)count->chunks_stored);
    if (count->files > 0)
        used += snprintf(out + used, size - (size_t)used, ", %llu files",
                         (unsigned long long)count->files);
    if (count->files_kept > 0)
        snprintf(out + used, size - (size_t)used, " (%llu kept, not older than their sources)",
                 (unsigned long long)count->files_kept);
}

void hr_cli_tally_end(const hr_cli_tally *tally, const hr_packed_progress *count,
                      const char *choice, hr_status status, const hr_error *error)
{
    double seconds = hr_cli_ticker_seconds(&tally->ticker);
    char quoted[300], bytes[HR_CLI_UNIT_MAX], stored[HR_CLI_UNIT_MAX], time[HR_CLI_UNIT_MAX];
    char rate[HR_CLI_UNIT_MAX], what[200];
    hr_cli_live(NULL);
    if (tally->settings->json) {
        end_json(tally, count, choice, status, error->text, seconds);
        return;
    }
    if (status != HR_OK || tally->settings->quiet)
        return;
    if (choice[0] != '\0')
        hr_cli_print("%s\n", choice);
    describe(what, sizeof what, count);
    hr_cli_print("%s %s: %s in %s, ratio %.2f; %s; %s (%s)\n", tally->done,
                 hr_quote(quoted, sizeof quoted, tally->source, strlen(tally->source)),
                 hr_cli_bytes(bytes, count->bytes), hr_cli_bytes(stored, count->stored_bytes),
                 ratio(count), what, hr_cli_duration(time, seconds),
                 hr_cli_rate(rate, seconds > 0 ? (uint64_t)((double)count->bytes / seconds) : 0));
}

hr_status hr_cli_tally_engine(const hr_cli_settings *settings, hr_engine **engine_out,
                              hr_error *error)
{
    hr_cli_settings own = *settings;
    own.pool_len = 1;
    return hr_cli_engine_create(&own, 1, false, engine_out, error);
}

/* ---- ls ---- */

void hr_cli_print_facts(const hr_cli_settings *settings, const hr_packed_progress *count)
{
    char bytes[HR_CLI_UNIT_MAX], what[200];
    if (settings->json) {
        json_t *object = object_of("packed", count);
        json_object_set_new(object, "ratio", json_real(ratio(count)));
        hr_cli_print_json(object);
        return;
    }
    describe(what, sizeof what, count);
    if (strcmp(count->codec, "none") == 0)
        hr_cli_print("  digests beside it: %s\n", what);
    else
        hr_cli_print("  packed: %s of content, ratio %.2f; %s\n", hr_cli_bytes(bytes, count->bytes),
                     ratio(count), what);
}

void hr_cli_print_packed(const hr_cli_settings *settings, hr_engine *engine, const char *path)
{
    struct stat info;
    hr_verify *verify;
    hr_error ignored = {0}; /* what is no packed shard is no failure of a listing */
    hr_verify_options options = {.path = path, .index_only = true};
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode) ||
        hr_verify_start(engine, &options, &verify, &ignored) != HR_OK)
        return;
    while (hr_verify_status(verify) == HR_AGAIN && !hr_cli_interrupted())
        hr_engine_step(engine, HR_WAIT_FOREVER);
    if (hr_verify_status(verify) == HR_OK) {
        hr_packed_progress count = hr_verify_count(verify);
        hr_cli_print_facts(settings, &count);
    }
    hr_verify_destroy(verify);
}
