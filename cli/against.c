/* SPDX-License-Identifier: Apache-2.0 */
/* verify --against: a tree and what it was brought from, each through a client of its own, so that
 * either may be here or on a server. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "interrupt.h"
#include "launch.h"
#include "output.h"
#include "rules.h"
#include "units.h"
#include "verbs.h"

typedef struct against_job {
    const hr_cli_settings *settings;
    hr_cli_source tree, source;
    hr_engine *engine;
    hr_client *tree_client, *source_client;
    hr_compare *compare;
} against_job;

static void tell_difference(void *context, const char *path, hr_status status, const char *text)
{
    const against_job *job = context;
    char quoted[300];
    if (!job->settings->json) {
        hr_cli_print("%s: %s\n", hr_quote(quoted, sizeof quoted, path, strlen(path)), text);
        return;
    }
    json_t *object =
        json_pack("{s:s, s:s, s:o}", "type", "difference", "status", hr_status_name(status), "text",
                  hr_cli_json_text(text, strlen(text)));
    hr_cli_json_name(object, "path", path, strlen(path));
    hr_cli_print_json(object);
}

static hr_status read_source(const char *text, hr_cli_source *source_out, hr_error *error)
{
    hr_status status = hr_cli_source_parse(text, source_out, error);
    if (status == HR_OK)
        status = hr_cli_source_resolve(source_out, error);
    return status;
}

static hr_status start(against_job *job, const char *tree, hr_error *error)
{
    const hr_cli_settings *settings = job->settings;
    hr_status status = read_source(tree, &job->tree, error);
    if (status == HR_OK)
        status = read_source(settings->against, &job->source, error);
    if (status == HR_OK)
        status = hr_cli_engine_create(settings, 0, false, &job->engine, error);
    if (status == HR_OK)
        status =
            hr_cli_client_open(settings, job->engine, &job->tree, NULL, &job->tree_client, error);
    if (status == HR_OK)
        status = hr_cli_client_open(settings, job->engine, &job->source, NULL, &job->source_client,
                                    error);
    return status;
}

/* What is on a server is taken for a tree. */
static bool is_file(const hr_cli_source *tree)
{
    char path[2 * HR_CLI_PATH_MAX];
    const char *slash = strchr(tree->path, '/');
    struct stat info;
    snprintf(path, sizeof path, "%s%s", tree->root, slash != NULL ? slash : "");
    return tree->local && stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

static hr_status follow(against_job *job, hr_error *error)
{
    hr_rule rules[HR_OPTION_LIST_MAX];
    const hr_compare_options options = {
        .tree = job->tree_client,
        .source = job->source_client,
        .tree_path = job->tree.path,
        .source_path = job->source.path,
        .file = is_file(&job->tree),
        .owner = job->settings->preserve,
        .rules = rules,
        .rule_count = hr_cli_rules(job->settings, rules),
        .differs = tell_difference,
        .context = job,
    };
    bool canceled = false;
    hr_status status = hr_compare_start(&options, &job->compare, error);
    if (status != HR_OK)
        return status;
    while ((status = hr_compare_status(job->compare)) == HR_AGAIN) {
        hr_engine_step(job->engine, HR_WAIT_FOREVER);
        if (!canceled && (hr_cli_interrupted() || hr_cli_reader_is_gone())) {
            hr_compare_cancel(job->compare);
            canceled = true;
        }
    }
    if (status != HR_OK)
        *error = *hr_compare_error(job->compare);
    return status;
}

static void sum_up(const against_job *job, hr_status status, const hr_error *error)
{
    hr_compare_progress count = {0};
    char bytes[HR_CLI_UNIT_MAX];
    if (job->compare != NULL)
        count = hr_compare_count(job->compare);
    if (job->settings->json)
        hr_cli_print_json(
            json_pack("{s:s, s:s, s:i, s:o, s:I, s:I, s:I}", "type", "summary", "status",
                      hr_status_name(status), "exit", hr_status_exit_code(status), "text",
                      hr_cli_json_text(error->text, strlen(error->text)), "files",
                      (json_int_t)count.files, "bytes_compared", (json_int_t)count.bytes_compared,
                      "differences", (json_int_t)count.differences));
    else if (status == HR_OK && !job->settings->quiet)
        hr_cli_print("the same: %llu file%s, %s compared\n", (unsigned long long)count.files,
                     count.files == 1 ? "" : "s", hr_cli_bytes(bytes, count.bytes_compared));
}

hr_status hr_cli_against(const hr_cli_settings *settings, const char *tree, hr_error *error)
{
    against_job job = {.settings = settings};
    hr_status status = start(&job, tree, error);
    if (status == HR_OK)
        status = follow(&job, error);
    sum_up(&job, status, error);
    hr_compare_destroy(job.compare);
    hr_client_destroy(job.source_client);
    hr_client_destroy(job.tree_client);
    hr_cli_engine_destroy(job.engine);
    return status;
}
