/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "launch.h"
#include "output.h"

static double percent(uint64_t part_ns, const hr_stage_time *row)
{
    uint64_t all_ns = row->busy_ns + row->starved_ns + row->blocked_ns;
    return all_ns > 0 ? 100.0 * (double)part_ns / (double)all_ns : 0;
}

static void print_rows(const hr_stage_time *rows, size_t count, const char *bound)
{
    hr_cli_print("%-8s %7s %8s %8s %6s %8s\n", "stage", "busy", "starved", "blocked", "full",
                 "chunks");
    for (size_t i = 0; i < count; i++)
        hr_cli_print("%-8s %5.1f %% %6.1f %% %6.1f %% %4.0f %% %8llu\n", rows[i].stage,
                     percent(rows[i].busy_ns, &rows[i]), percent(rows[i].starved_ns, &rows[i]),
                     percent(rows[i].blocked_ns, &rows[i]), 100 * rows[i].full,
                     (unsigned long long)rows[i].chunks);
    hr_cli_print("%s\n", bound);
}

static void print_rows_json(const hr_engine *engine, const hr_stage_time *rows, size_t count,
                            const char *bound)
{
    json_t *list = json_array();
    size_t index = hr_stages_bound(rows, count);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:f, s:f, s:f, s:f, s:I, s:I}", "stage", rows[i].stage,
                            "busy_seconds", (double)rows[i].busy_ns / 1e9, "starved_seconds",
                            (double)rows[i].starved_ns / 1e9, "blocked_seconds",
                            (double)rows[i].blocked_ns / 1e9, "full", rows[i].full, "chunks",
                            (json_int_t)rows[i].chunks, "bytes", (json_int_t)rows[i].bytes));
    hr_cli_print_json(json_pack("{s:s, s:s, s:s, s:I, s:o}", "type", "stages", "bound",
                                index < count ? rows[index].stage : "", "text", bound,
                                "system_calls", (json_int_t)hr_engine_system_calls(engine), "rows",
                                list));
}

void hr_cli_print_stages(const hr_cli_settings *settings, const hr_engine *engine)
{
    hr_stage_time rows[HR_STAGES_MAX];
    char bound[300];
    if (!settings->stages)
        return;
    size_t count = hr_engine_stages(engine, rows, HR_STAGES_MAX);
    hr_stages_describe(rows, count, bound, sizeof bound);
    if (settings->json)
        print_rows_json(engine, rows, count, bound);
    else if (count > 0)
        print_rows(rows, count, bound);
}
