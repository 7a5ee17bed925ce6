/* SPDX-License-Identifier: Apache-2.0 */
#include "sweep.h"

#include <stdio.h>
#include <string.h>

#define WORDS_MAX 256

/* The words of the command line with one more, which counts because it is the last. */
static hr_status parse_with(const hr_bench_settings *settings, char *assignment,
                            hr_bench_settings *settings_out, hr_error *error)
{
    char *words[WORDS_MAX + 2];
    hr_invocation invocation = {0};
    if (settings->word_count > WORDS_MAX)
        return hr_error_set(error, HR_INVALID, "--sweep: the command line has too many words");
    for (int i = 0; i < settings->word_count; i++)
        words[i] = settings->words[i];
    words[settings->word_count] = assignment;
    words[settings->word_count + 1] = NULL;
    *settings_out = (hr_bench_settings){0};
    hr_status status = hr_options_parse(&hr_bench_syntax, settings->word_count + 1, words,
                                        settings_out, &invocation, error);
    if (status != HR_OK)
        return status;
    /* What a config file says lies in the invocation; that of the first parse is still there. */
    settings_out->command = settings->command;
    settings_out->words = settings->words;
    settings_out->word_count = settings->word_count;
    settings_out->directory = settings->directory;
    settings_out->program = settings->program;
    if (settings->softroce) /* of the device that was made */
        settings_out->address = settings->address;
    hr_invocation_release(&invocation);
    return HR_OK;
}

hr_status hr_bench_sweep_add(hr_bench_sweep *sweep, const hr_bench_settings *settings,
                             const char *value, size_t value_len, hr_error *error)
{
    char assignment[2 * HR_BENCH_VALUE_MAX + 8];
    if (sweep->count == HR_BENCH_POINTS_MAX)
        return hr_error_set(error, HR_INVALID, "--sweep takes at most %d values",
                            HR_BENCH_POINTS_MAX);
    if (value_len == 0 || value_len >= HR_BENCH_VALUE_MAX)
        return hr_error_set(error, HR_INVALID, "--sweep %s: a value is empty or too long",
                            sweep->parameter);
    hr_bench_point *point = &sweep->points[sweep->count];
    snprintf(point->value, sizeof point->value, "%.*s", (int)value_len, value);
    snprintf(assignment, sizeof assignment, "--%s=%s", sweep->parameter, point->value);
    hr_status status = parse_with(settings, assignment, &point->settings, error);
    if (status == HR_OK)
        sweep->count++;
    return status;
}

hr_status hr_bench_sweep_plan(hr_bench_sweep *sweep, const hr_bench_settings *settings,
                              hr_error *error)
{
    *sweep = (hr_bench_sweep){.count = 0};
    if (settings->sweep == NULL) {
        sweep->points[0].settings = *settings;
        sweep->count = 1;
        return HR_OK;
    }
    const char *values = strchr(settings->sweep, '=');
    size_t len = values != NULL ? (size_t)(values - settings->sweep) : 0;
    if (len == 0 || len >= HR_BENCH_VALUE_MAX)
        return hr_error_set(error, HR_INVALID,
                            "--sweep %s: it is --sweep OPTION=VALUE,VALUE..., as in "
                            "--sweep block=64KiB,1MiB",
                            settings->sweep);
    snprintf(sweep->parameter, sizeof sweep->parameter, "%.*s", (int)len, settings->sweep);
    hr_status status = HR_OK;
    for (const char *at = values; status == HR_OK && *at != '\0';) {
        size_t value_len = strcspn(++at, ",");
        status = hr_bench_sweep_add(sweep, settings, at, value_len, error);
        at += value_len;
    }
    return status;
}
