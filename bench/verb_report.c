/* SPDX-License-Identifier: Apache-2.0 */
/* report: results as a page, or as rows for a spreadsheet. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_verbs.h"
#include "page.h"

/* Quoted as RFC 4180 has it. */
static void csv_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputs("\",", out);
}

static void csv_row(FILE *out, const hr_bench_result *result, const hr_bench_result_row *row)
{
    hr_bench_spread rate = hr_bench_sample_spread(&row->rates);
    csv_text(out, result->path);
    csv_text(out, result->utc);
    csv_text(out, result->fingerprint);
    csv_text(out, row->name);
    csv_text(out, row->transport);
    csv_text(out, row->memory);
    fprintf(out, "%u,%.6g,%.6g,%.6g", rate.count, rate.median, rate.min, rate.max);
    for (int i = 0; i < HR_BENCH_PS; i++) {
        if (row->has_latency)
            fprintf(out, ",%.6g", row->latency_us[i]);
        else
            fputc(',', out);
    }
    fputs("\r\n", out);
}

static void write_csv(FILE *out, const hr_bench_result *results, unsigned count)
{
    fputs("result,utc,fingerprint,contender,transport,memory,rounds,gb_per_second,min,max", out);
    for (int i = 0; i < HR_BENCH_PS; i++)
        fprintf(out, ",%s_us", hr_bench_latency_keys[i]);
    fputs("\r\n", out);
    for (unsigned r = 0; r < count; r++)
        for (unsigned i = 0; i < results[r].row_count; i++)
            if (hr_bench_sample_spread(&results[r].rows[i].rates).count > 0)
                csv_row(out, &results[r], &results[r].rows[i]);
}

static hr_status write_report(const hr_bench_settings *settings, const hr_bench_result *results,
                              unsigned count, hr_error *error)
{
    char *text = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&text, &len);
    if (memory == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "making the report: out of memory");
    if (settings->csv)
        write_csv(memory, results, count);
    else
        hr_bench_page_write(memory, results, count);
    hr_status status = HR_OK;
    if (fclose(memory) != 0)
        status = hr_error_set(error, HR_NO_MEMORY, "making the report: out of memory");
    else if (settings->output != NULL)
        status = hr_bench_save(settings->output, text, len, error);
    else
        fwrite(text, 1, len, stdout); /* main looks whether stdout took all of it */
    free(text);
    return status;
}

hr_status hr_bench_verb_report(const hr_bench_settings *settings, char **paths, unsigned count,
                               hr_error *error)
{
    hr_status status = HR_OK;
    hr_bench_result *results = calloc(count, sizeof *results);
    if (results == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "making the report: out of memory");
    for (unsigned i = 0; i < count && status == HR_OK; i++)
        status = hr_bench_result_read(paths[i], &results[i], error);
    if (status == HR_OK)
        status = write_report(settings, results, count, error);
    free(results);
    return status;
}
