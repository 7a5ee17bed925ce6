/* SPDX-License-Identifier: Apache-2.0 */
#include "result.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const hr_bench_latency_keys[HR_BENCH_PS] = {"p50", "p90", "p99", "p99_9", "p99_99"};
const char *const hr_bench_latency_titles[HR_BENCH_PS] = {"50 %", "90 %", "99 %", "99.9 %",
                                                          "99.99 %"};

/* ---- reading ---- */

/* A member that is missing or too long is cut or empty: what it is for is shown, not counted with.
 */
static void take_text(const json_t *object, const char *key, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));
    snprintf(out, size, "%s", text != NULL ? text : "");
}

static double number(const json_t *object, const char *key)
{
    double value = json_number_value(json_object_get(object, key));
    return isfinite(value) ? value : 0;
}

static bool take_rates(json_t *rounds, hr_bench_sample *rates)
{
    json_t *value;
    size_t i;
    if (!json_is_array(rounds) || json_array_size(rounds) > HR_BENCH_ROUNDS_MAX)
        return false;
    json_array_foreach(rounds, i, value)
    {
        bool failed = json_is_null(value);
        if (!failed && (!json_is_number(value) || !(json_number_value(value) >= 0)))
            return false;
        hr_bench_sample_add(rates, failed ? NAN : json_number_value(value));
    }
    return true;
}

static bool take_row(const json_t *object, hr_bench_result_row *row)
{
    const json_t *latency = json_object_get(object, "latency_us");
    take_text(object, "name", row->name, sizeof row->name);
    take_text(object, "title", row->title, sizeof row->title);
    take_text(object, "transport_class", row->transport, sizeof row->transport);
    take_text(object, "memory_class", row->memory, sizeof row->memory);
    take_text(object, "in_use", row->in_use, sizeof row->in_use);
    const json_t *sweep = json_object_get(object, "sweep");
    take_text(sweep, "parameter", row->parameter, sizeof row->parameter);
    take_text(sweep, "value", row->value, sizeof row->value);
    take_text(sweep, "contender", row->base, sizeof row->base);
    take_text(sweep, "title", row->base_title, sizeof row->base_title);
    take_text(object, "impossible", row->impossible, sizeof row->impossible);
    row->utilisation = number(json_object_get(object, "utilisation"), "median");
    row->has_latency = json_is_object(latency);
    for (int i = 0; i < HR_BENCH_PS; i++)
        row->latency_us[i] = number(latency, hr_bench_latency_keys[i]);
    return row->name[0] != '\0' && take_rates(json_object_get(object, "rounds"), &row->rates);
}

static void take_machine(const json_t *machine, hr_bench_result *result)
{
    take_text(machine, "kernel", result->kernel, sizeof result->kernel);
    take_text(machine, "cpu", result->cpu, sizeof result->cpu);
    take_text(machine, "drives", result->drives, sizeof result->drives);
    take_text(machine, "nics", result->nics, sizeof result->nics);
    take_text(machine, "gpu", result->gpu, sizeof result->gpu);
    take_text(machine, "utc", result->utc, sizeof result->utc);
    take_text(machine, "fingerprint", result->fingerprint, sizeof result->fingerprint);
}

static void take_where(const json_t *where, hr_bench_result_where *out)
{
    json_t *object, *stages = json_object_get(where, "stages");
    size_t i;
    take_text(where, "text", out->text, sizeof out->text);
    take_text(where, "bound", out->bound, sizeof out->bound);
    json_array_foreach(stages, i, object)
    {
        if (out->stage_count == HR_BENCH_STAGES_MAX)
            break;
        hr_bench_result_stage *stage = &out->stages[out->stage_count++];
        take_text(object, "stage", stage->name, sizeof stage->name);
        stage->busy = number(object, "busy_percent");
        stage->starved = number(object, "starved_percent");
        stage->blocked = number(object, "blocked_percent");
        stage->full = number(object, "full_percent");
    }
}

/* NULL, or what is wrong with it. */
static const char *take_result(const json_t *object, hr_bench_result *result)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    json_t *row, *rows = json_object_get(object, "contenders");
    size_t i;
    if (type == NULL || strcmp(type, "bench") != 0 || !json_is_array(rows))
        return "is no result of headrace-bench; --output FILE writes one";
    if (json_integer_value(json_object_get(object, "schema")) != HR_BENCH_SCHEMA)
        return "is of another version of headrace-bench; measure again, or read it with that one";
    json_array_foreach(rows, i, row)
    {
        if (result->row_count == HR_BENCH_ROWS_MAX)
            return "has more contenders than can be";
        if (!take_row(row, &result->rows[result->row_count]))
            return "has a contender without a name or with rounds that are no rates";
        result->row_count++;
    }
    take_text(object, "verb", result->verb, sizeof result->verb);
    take_text(object, "version", result->version, sizeof result->version);
    take_text(object, "command", result->command, sizeof result->command);
    take_machine(json_object_get(object, "machine"), result);
    take_where(json_object_get(object, "where"), &result->wheres[0]);
    take_where(json_object_get(object, "where_file"), &result->wheres[1]);
    return NULL;
}

hr_status hr_bench_result_read(const char *path, hr_bench_result *result_out, hr_error *error)
{
    json_error_t where;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return hr_error_set(error, hr_status_from_errno(errno), "reading the result %s: %s", path,
                            strerror(errno));
    json_t *object = json_loadf(file, 0, &where);
    fclose(file);
    if (object == NULL)
        return hr_error_set(error, HR_INVALID,
                            "%s is no whole JSON (line %d: %s); was it cut short?", path,
                            where.line, where.text);
    hr_bench_result *result = calloc(1, sizeof *result);
    if (result == NULL) {
        json_decref(object);
        return hr_error_set(error, HR_NO_MEMORY, "reading %s: out of memory", path);
    }
    const char *wrong = take_result(object, result);
    json_decref(object);
    snprintf(result->path, sizeof result->path, "%s", path);
    if (wrong == NULL)
        *result_out = *result;
    free(result);
    return wrong == NULL ? HR_OK : hr_error_set(error, HR_INVALID, "%s %s", path, wrong);
}

/* ---- writing ---- */

static int write_all(int file, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t wrote = write(file, text, len);
        if (wrote < 0 && errno != EINTR)
            return errno;
        text += wrote > 0 ? wrote : 0;
        len -= wrote > 0 ? (size_t)wrote : 0;
    }
    return fsync(file) == 0 ? 0 : errno;
}

hr_status hr_bench_save_check(const char *path, hr_error *error)
{
    char temporary[600];
    snprintf(temporary, sizeof temporary, "%.500s.XXXXXX", path);
    int file = mkstemp(temporary), failure = file < 0 ? errno : 0;
    if (file >= 0) {
        close(file);
        unlink(temporary);
        return HR_OK;
    }
    return hr_error_set(error, hr_status_from_errno(failure),
                        "--output %s: %s; nothing was measured, name another file", path,
                        strerror(failure));
}

hr_status hr_bench_save(const char *path, const char *text, size_t len, hr_error *error)
{
    char temporary[600];
    snprintf(temporary, sizeof temporary, "%.500s.XXXXXX", path);
    int file = mkstemp(temporary), failure = file < 0 ? errno : 0;
    if (file >= 0) {
        failure = fchmod(file, 0644) == 0 ? write_all(file, text, len) : errno;
        close(file);
        if (failure == 0 && rename(temporary, path) != 0)
            failure = errno;
        if (failure != 0)
            unlink(temporary);
    }
    if (failure == 0)
        return HR_OK;
    return hr_error_set(error, hr_status_from_errno(failure),
                        "writing %s: %s; nothing is left of it", path, strerror(failure));
}
