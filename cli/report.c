/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <stdio.h>
#include <string.h>

#include "output.h"
#include "units.h"

/* A full disk fails one file after the other: so many are named, and the last sentence counts them.
 */
#define WITHOUT_SPACE_TOLD 3

#define QUOTED_MAX 8192

static json_t *text_of(const char *text)
{
    return hr_cli_json_text(text, strlen(text));
}

void hr_cli_report_begin(hr_cli_report *report, const hr_cli_settings *settings, const char *source,
                         const char *target)
{
    *report = (hr_cli_report){
        .settings = settings,
        .source = source,
        .target = target,
    };
    hr_cli_ticker_begin(&report->ticker, settings);
}

static void tell_plan(hr_cli_report *report, const hr_get_progress *count, const char *path)
{
    report->plan_told = true;
    if (!report->settings->json)
        return;
    json_t *plan = json_pack("{s:s, s:I, s:I, s:I, s:b, s:o}", "type", "plan", "files",
                             (json_int_t)count->files, "bytes_total", (json_int_t)count->bytes,
                             "bytes_reused", (json_int_t)count->bytes_reused, "dry_run",
                             report->settings->dry_run, "path", text_of(path));
    hr_cli_json_name(plan, "source", report->source, strlen(report->source));
    hr_cli_json_name(plan, "target", report->target, strlen(report->target));
    hr_cli_print_json(plan);
}

static void tell_progress(const hr_cli_report *report, const hr_get_progress *count,
                          const char *path)
{
    uint64_t rate = hr_cli_progress_rate(&report->ticker.progress);
    double left = hr_cli_progress_left(&report->ticker.progress, count);
    if (report->settings->json) {
        json_t *object = json_pack(
            "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:o}", "type", "progress", "files",
            (json_int_t)count->files, "files_done", (json_int_t)count->files_done, "files_failed",
            (json_int_t)count->files_failed, "bytes_total", (json_int_t)count->bytes,
            "bytes_verified", (json_int_t)count->bytes_verified, "bytes_moved",
            (json_int_t)count->bytes_moved, "bytes_reused", (json_int_t)count->bytes_reused,
            "rate_bytes_per_second", (json_int_t)rate, "links", (int)count->links, "path",
            text_of(path));
        if (left >= 0)
            json_object_set_new(object, "seconds_left", json_real(left));
        hr_cli_print_json(object);
    } else {
        char line[HR_CLI_LINE_MAX];
        hr_cli_progress_line(line, count, rate, left, path);
        hr_cli_live(line);
    }
}

void hr_cli_report_step(hr_cli_report *report, const hr_get *get)
{
    uint64_t now_ns;
    bool is_due = hr_cli_ticker_is_due(&report->ticker, &now_ns);
    if (report->plan_told && !is_due)
        return;
    hr_get_progress count = hr_get_count(get);
    if (!report->plan_told && !count.listing && count.files > 0)
        tell_plan(report, &count, hr_get_path(get));
    if (!is_due)
        return;
    hr_cli_progress_sample(&report->ticker.progress, now_ns, &count);
    tell_progress(report, &count, hr_get_path(get));
}

/* To somebody who asked for each name. */
static void tell_name(const char *what, const char *path)
{
    char quoted[QUOTED_MAX];
    hr_cli_live(NULL);
    hr_cli_print("%s %s\n", what, hr_quote(quoted, sizeof quoted, path, strlen(path)));
}

void hr_cli_report_removed(void *context, const char *path)
{
    const hr_cli_report *report = context;
    const hr_cli_settings *settings = report->settings;
    if (settings->quiet)
        return;
    if (settings->json) {
        json_t *object =
            json_pack("{s:s, s:b}", "type", "removed", "dry_run", (int)settings->dry_run);
        hr_cli_json_name(object, "path", path, strlen(path));
        hr_cli_print_json(object);
    } else if (settings->dry_run || settings->verbose > 0) {
        tell_name(settings->dry_run ? "would remove" : "removed", path);
    }
}

void hr_cli_report_file(void *context, const hr_file_report *file)
{
    hr_cli_report *report = context;
    char quoted[300];
    if (report->settings->json) {
        if (report->settings->quiet && file->status == HR_OK)
            return;
        json_t *object =
            json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:b}", "type", "file", "status",
                      hr_status_name(file->status), "text", text_of(file->text), "bytes",
                      (json_int_t)file->bytes, "bytes_moved", (json_int_t)file->bytes_moved,
                      "bytes_reused", (json_int_t)file->bytes_reused, "kept", (int)file->kept);
        hr_cli_json_name(object, "path", file->path, strlen(file->path));
        hr_cli_print_json(object);
    } else if (file->status != HR_OK && file->path[0] == '\0') {
        snprintf(report->top, sizeof report->top, "%s", file->text);
    } else if (file->status == HR_NO_SPACE && ++report->without_space > WITHOUT_SPACE_TOLD) {
        return;
    } else if (file->status != HR_OK) {
        hr_quote(quoted, sizeof quoted, file->path, strlen(file->path));
        hr_cli_say("%s: %s", quoted, file->text);
    } else if (report->settings->verbose > 0 && !report->settings->quiet && file->path[0] != '\0' &&
               file->status == HR_OK && !file->kept) {
        tell_name(report->settings->dry_run ? "would move" : "verified", file->path);
    }
}

static void sum_up_json(const hr_get_progress *count, const char *path, hr_status status,
                        const char *text, double seconds)
{
    double rate = seconds > 0 ? (double)count->bytes_moved / seconds : 0;
    int exit_code = hr_status_exit_code(status);
    if (status != HR_OK)
        hr_cli_print_json(json_pack("{s:s, s:s, s:i, s:o}", "type", "error", "status",
                                    hr_status_name(status), "exit", exit_code, "text",
                                    text_of(text)));
    hr_cli_print_json(json_pack(
        "{s:s, s:s, s:i, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:f, "
        "s:f, s:o}",
        "type", "summary", "status", hr_status_name(status), "exit", exit_code, "text",
        text_of(text), "files", (json_int_t)count->files, "files_failed",
        (json_int_t)count->files_failed, "files_kept", (json_int_t)count->files_kept, "removed",
        (json_int_t)count->removed, "owners_lost", (json_int_t)count->owners_lost, "xattrs_lost",
        (json_int_t)count->xattrs_lost, "bytes_total", (json_int_t)count->bytes, "bytes_moved",
        (json_int_t)count->bytes_moved, "bytes_reused", (json_int_t)count->bytes_reused,
        "control_messages", (json_int_t)count->control_messages, "seconds", seconds,
        "rate_bytes_per_second", (json_int_t)rate, "first_byte_seconds",
        (double)count->first_byte_ns / 1e9, "cpu_seconds", hr_cli_cpu_seconds(), "path",
        text_of(path)));
}

/* ", 12 kept (same size and time), 3 removed", as much of it as there is. */
static void sum_up_others(const hr_cli_report *report, const hr_get_progress *count)
{
    const hr_cli_settings *settings = report->settings;
    if (count->files_kept > 0)
        hr_cli_print(", %llu kept (%s)", (unsigned long long)count->files_kept,
                     settings->checksum ? "same content" : "same size and time");
    if (settings->remove)
        hr_cli_print(", %llu %s", (unsigned long long)count->removed,
                     settings->dry_run ? "to be removed" : "removed");
}

static void sum_up_dry(const hr_cli_report *report, const hr_get_progress *count, uint64_t files)
{
    char bytes[HR_CLI_UNIT_MAX], reused[HR_CLI_UNIT_MAX];
    if (files == 0)
        hr_cli_print("would move nothing");
    else
        hr_cli_print("would move %llu file%s, %s", (unsigned long long)files, files == 1 ? "" : "s",
                     hr_cli_bytes(bytes, count->bytes - count->bytes_reused));
    if (count->bytes_reused > 0)
        hr_cli_print(", %s already there", hr_cli_bytes(reused, count->bytes_reused));
    sum_up_others(report, count);
    hr_cli_print("\n");
}

static void sum_up(const hr_cli_report *report, const hr_get_progress *count, const char *path,
                   double seconds)
{
    char bytes[HR_CLI_UNIT_MAX], reused[HR_CLI_UNIT_MAX], moved[HR_CLI_UNIT_MAX];
    char time[HR_CLI_UNIT_MAX], rate[HR_CLI_UNIT_MAX];
    uint64_t files = count->files - count->files_kept;
    if (report->settings->dry_run) {
        sum_up_dry(report, count, files);
        return;
    }
    hr_cli_duration(time, seconds);
    if (files == 0 && count->files_kept > 0)
        hr_cli_print("nothing to move, after %s", time);
    else
        hr_cli_print(
            "verified %llu file%s, %s: moved %s in %s (%s)", (unsigned long long)files,
            files == 1 ? "" : "s", hr_cli_bytes(bytes, count->bytes),
            hr_cli_bytes(moved, count->bytes_moved), time,
            hr_cli_rate(rate, seconds > 0 ? (uint64_t)((double)count->bytes_moved / seconds) : 0));
    if (count->bytes_reused > 0)
        hr_cli_print(", %s already there", hr_cli_bytes(reused, count->bytes_reused));
    sum_up_others(report, count);
    hr_cli_print("; %s\n", path);
}

/* Of a tree: its own directory, or its file system. */
static void tell_top(const hr_cli_report *report)
{
    char quoted[300];
    hr_cli_say("%s: %s", hr_quote(quoted, sizeof quoted, report->target, strlen(report->target)),
               report->top);
}

void hr_cli_report_end(hr_cli_report *report, const hr_get *get, hr_status status,
                       const hr_error *error)
{
    hr_get_progress count = {0};
    const char *path = "";
    double seconds = hr_cli_ticker_seconds(&report->ticker);
    if (get != NULL) {
        count = hr_get_count(get);
        path = hr_get_path(get);
        if (!report->plan_told && status == HR_OK)
            tell_plan(report, &count, path);
    }
    /* A single file's failure is that of the whole, which is told anyway. */
    if (report->top[0] != '\0' && strncmp(error->text, report->top, sizeof report->top - 1) != 0)
        tell_top(report);
    if (report->without_space > WITHOUT_SPACE_TOLD)
        hr_cli_say("%llu more files had no room; --json names each",
                   (unsigned long long)(report->without_space - WITHOUT_SPACE_TOLD));
    if (report->settings->json)
        sum_up_json(&count, path, status, error->text, seconds);
    else if (status == HR_OK && !report->settings->quiet)
        sum_up(report, &count, path, seconds);
}
