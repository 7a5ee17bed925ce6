/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "choose.h"
#include "interrupt.h"
#include "launch.h"
#include "output.h"
#include "report.h"
#include "rules.h"
#include "verbs.h"

/* What one get holds, in the order in which it is made. */
typedef struct get_job {
    hr_cli_source source;
    hr_cli_target target;
    hr_engine *engine;
    hr_client *client;
    hr_get *get;
    hr_cli_report report;
} get_job;

static hr_status read_arguments(get_job *job, char **arguments, hr_error *error)
{
    hr_status status = hr_cli_source_parse(arguments[0], &job->source, error);
    if (status == HR_OK)
        status = hr_cli_target_parse(arguments[1], &job->target, error);
    if (status == HR_OK && job->source.path[0] == '\0')
        return hr_error_set(error, HR_INVALID,
                            "the source %.200s names no export: it is "
                            "hr://host[:port]/EXPORT/path, or "
                            "hr+unix:///path/to/socket:EXPORT/path; headrace ls tells the exports",
                            arguments[0]);
    if (status == HR_OK)
        status = hr_cli_source_resolve(&job->source, error);
    return status;
}

static hr_status start(get_job *job, const hr_cli_settings *settings, hr_error *error)
{
    hr_status status = hr_cli_engine_create(settings, 0, false, &job->engine, error);
    char gpu[24];
    const char *target = job->target.kind == HR_CLI_TARGET_PATH ? job->target.path : NULL;
    snprintf(gpu, sizeof gpu, "cuda:%d", (int)job->target.device);
    if (job->target.kind == HR_CLI_TARGET_CUDA)
        target = gpu;
    if (status == HR_OK)
        status =
            hr_cli_client_open(settings, job->engine, &job->source, target, &job->client, error);
    if (status == HR_OK)
        status = hr_cli_choose_target(job->engine, job->client, &job->source, &job->target,
                                      settings->unpack, error);
    if (status != HR_OK)
        return status;
    hr_rule rules[HR_OPTION_LIST_MAX];
    hr_get_options options = {
        .path = job->source.path,
        .target_path = job->target.kind == HR_CLI_TARGET_PATH ? job->target.path : NULL,
        .target_host = job->target.kind == HR_CLI_TARGET_HOST,
        .target_cuda = job->target.kind == HR_CLI_TARGET_CUDA,
        .cuda_device = job->target.device,
        .max_sms = settings->max_sms,
        .unpack = settings->unpack,
        .as_is = settings->as_is,
        .overwrite = settings->overwrite,
        .strict = settings->strict,
        .dry_run = settings->dry_run,
        .read_back = settings->read_back,
        .checksum = settings->checksum,
        .remove = settings->remove,
        .rules = rules,
        .rule_count = hr_cli_rules(settings, rules),
        .owner = settings->preserve,
        .limit_bytes_per_s = settings->limit_bytes_per_s,
        .deadline_ns = settings->deadline_ns,
        .stall_ns = settings->stall_ns,
        .file_done = hr_cli_report_file,
        .removed = hr_cli_report_removed,
        .context = &job->report,
    };
    status = hr_get_start(job->client, &options, &job->get, error);
    if (status == HR_OK)
        hr_cli_interrupt_cancels(job->get);
    return status;
}

/* Steps until it is over, one way or the other. */
static hr_status follow(get_job *job, hr_error *error)
{
    bool canceled = false;
    hr_status status;
    while ((status = hr_get_status(job->get)) == HR_AGAIN) {
        hr_engine_step(job->engine, hr_cli_ticker_wait_ns(&job->report.ticker));
        hr_cli_report_step(&job->report, job->get);
        if (hr_cli_reader_is_gone() && !canceled) {
            hr_get_cancel(job->get);
            canceled = true;
        }
    }
    hr_cli_live(NULL);
    if (status == HR_OK)
        return status;
    if (status == HR_CANCELED && hr_cli_interrupted()) {
        bool resumable = job->target.kind == HR_CLI_TARGET_PATH;
        return hr_error_set(error, status, "interrupted%s",
                            resumable ? "; the same command given again goes on from here" : "");
    }
    *error = *hr_get_error(job->get);
    return status;
}

static void finish(get_job *job)
{
    hr_cli_interrupt_cancels(NULL);
    hr_get_destroy(job->get);
    hr_client_destroy(job->client);
    hr_cli_engine_destroy(job->engine);
}

hr_status hr_cli_get(const hr_cli_settings *settings, char **arguments, unsigned argument_count,
                     hr_error *error)
{
    get_job job = {0};
    (void)argument_count;
    hr_cli_report_begin(&job.report, settings, arguments[0], arguments[1]);
    hr_status status = read_arguments(&job, arguments, error);
    if (status == HR_OK)
        status = start(&job, settings, error);
    if (status == HR_OK)
        status = follow(&job, error);
    if (job.engine != NULL)
        hr_cli_print_footprint(settings, job.engine, job.target.kind == HR_CLI_TARGET_CUDA);
    if (job.engine != NULL)
        hr_cli_print_stages(settings, job.engine);
    hr_cli_report_end(&job.report, job.get, status, error);
    finish(&job);
    return status;
}
