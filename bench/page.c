/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1b2733;--paper:#fbfbf9;--soft:#5c6b79;--rule:#d8dde2;"
    "--c0:#1f6fb2;--c1:#d9822b;--c2:#2f9e6e;--c3:#a14ea8;--c4:#b5483f;--c5:#7a8a20;--c6:#3f8f9e;"
    "--c7:#8a6a4a;--starved:#e3e7eb;--blocked:#e3b76f;--bad:#b3261e;--good:#22754a}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e9ee;--paper:#14191f;--soft:#9aa8b5;"
    "--rule:#33404c;--c0:#5aa7e6;--c1:#f0a355;--c2:#5cc998;--c3:#cf8bd6;--c4:#e5867d;--c5:#b3c45a;"
    "--c6:#74c3d2;--c7:#c2a182;--starved:#2a333c;--blocked:#7d6131;--bad:#ff8a80;--good:#7fd6a8}}\n"
    "body{margin:0 auto;max-width:58rem;padding:1rem;background:var(--paper);color:var(--ink);"
    "font:16px/1.5 system-ui,sans-serif}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem;"
    "border-top:1px solid var(--rule);padding-top:1rem;overflow-wrap:anywhere}p{overflow-wrap:"
    "anywhere}p.note{color:var(--soft)}\n"
    "p.warning{border-left:4px solid var(--c1);padding-left:.8rem}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem}"
    "th,td{text-align:left;padding:.25rem .8rem .25rem 0;border-bottom:1px solid var(--rule);"
    "vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}"
    "td.slower{color:var(--bad)}td.faster{color:var(--good)}\n"
    "svg{display:block;width:100%;height:auto;min-width:36rem}svg text{font-size:13px;fill:"
    "var(--ink)}.grid{stroke:var(--rule);fill:none}.whisker{stroke:var(--ink);stroke-width:1.2;"
    "fill:none;opacity:.7}.line{fill:none;stroke-width:2}circle{fill:var(--paper)}\n"
    ".busy{fill:var(--c0)}.blocked{fill:var(--blocked)}.starved{fill:var(--starved)}\n"
    "td .name{overflow-wrap:normal;word-break:normal}\n"
    ".key{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 0}.name{display:inline-block;"
    "margin-right:1em;overflow-wrap:anywhere}\n"
    ".s0{fill:var(--c0)}.s1{fill:var(--c1)}.s2{fill:var(--c2)}.s3{fill:var(--c3)}.s4{fill:var(--c4)"
    "}"
    ".s5{fill:var(--c5)}.s6{fill:var(--c6)}.s7{fill:var(--c7)}\n"
    ".l0{stroke:var(--c0)}.l1{stroke:var(--c1)}.l2{stroke:var(--c2)}.l3{stroke:var(--c3)}"
    ".l4{stroke:var(--c4)}.l5{stroke:var(--c5)}.l6{stroke:var(--c6)}.l7{stroke:var(--c7)}\n";

static void cell(FILE *out, const char *text)
{
    fputs("<td>", out);
    hr_bench_html(out, text);
    fputs("</td>", out);
}

static void key(FILE *out, unsigned index, const char *text)
{
    fprintf(out,
            "<span class=\"name\"><svg class=\"key\" viewBox=\"0 0 1 1\" "
            "style=\"min-width:0\"><rect class=\"s%u\" "
            "width=\"1\" height=\"1\"/></svg>",
            index % HR_BENCH_PAGE_RESULTS_MAX);
    hr_bench_html(out, text);
    fputs("</span> ", out);
}

/* ---- what was measured, where ---- */

static void write_machines(FILE *out, const hr_bench_result *results, unsigned count)
{
    bool differ = false;
    fputs("<h2>What was measured</h2>\n<div class=\"scroll\"><table><tr><th>result<th>when<th>"
          "machine<th>devices<th>command</tr>\n",
          out);
    for (unsigned i = 0; i < count; i++) {
        const hr_bench_result *one = &results[i];
        fputs("<tr><td>", out);
        key(out, i, one->path);
        fputs("</td>", out);
        cell(out, one->utc);
        fputs("<td>", out);
        hr_bench_html(out, one->cpu);
        fputs("<br>", out);
        hr_bench_html(out, one->kernel);
        fprintf(out, "<br>%s</td><td>drives: ", one->fingerprint);
        hr_bench_html(out, one->drives);
        fputs("<br>NICs: ", out);
        hr_bench_html(out, one->nics);
        fputs("<br>GPU: ", out);
        hr_bench_html(out, one->gpu);
        fputs("</td>", out);
        cell(out, one->command);
        fputs("</tr>\n", out);
        differ = differ || strcmp(one->fingerprint, results[0].fingerprint) != 0;
    }
    fputs("</table></div>\n", out);
    if (differ)
        fputs("<p class=\"warning\">The machines differ: what looks like a change may be "
              "theirs.</p>\n",
              out);
}

/* ---- rates ---- */

static void find_names(const hr_bench_result *results, unsigned count,
                       const hr_bench_result_row *rows[HR_BENCH_BARS_MAX], unsigned *row_count)
{
    *row_count = 0;
    for (unsigned r = 0; r < count; r++) {
        for (unsigned i = 0; i < results[r].row_count; i++) {
            const hr_bench_result_row *row = &results[r].rows[i];
            bool known =
                hr_bench_sample_spread(&row->rates).count == 0 || row->parameter[0] != '\0';
            for (unsigned k = 0; k < *row_count; k++)
                known = known || strcmp(rows[k]->name, row->name) == 0;
            if (!known && *row_count < HR_BENCH_BARS_MAX)
                rows[(*row_count)++] = row;
        }
    }
}

static void write_rates(FILE *out, const hr_bench_result *results, unsigned count)
{
    const hr_bench_result_row *rows[HR_BENCH_BARS_MAX];
    hr_bench_bars bars = {.title = "rates", .unit = "GB/s", .series_count = count};
    find_names(results, count, rows, &bars.label_count);
    if (bars.label_count == 0)
        return; /* all of it are sweeps */
    for (unsigned i = 0; i < bars.label_count; i++) {
        bars.labels[i] = rows[i]->title;
        for (unsigned r = 0; r < count; r++) {
            const hr_bench_result_row *row = hr_bench_result_find(&results[r], rows[i]->name);
            hr_bench_spread rate = {.count = 0};
            if (row != NULL)
                rate = hr_bench_sample_spread(&row->rates);
            bars.values[r][i] = rate.count > 0 ? rate.median : NAN;
            bars.low[r][i] = rate.count > 0 ? rate.min : NAN;
            bars.high[r][i] = rate.count > 0 ? rate.max : NAN;
        }
    }
    fputs("<h2>Rates</h2>\n<p class=\"note\">GB/s, a GB being 10<sup>9</sup> bytes: the median of "
          "the rounds; the whisker is from the slowest to the fastest.</p>\n<p>",
          out);
    for (unsigned r = 0; r < count; r++)
        key(out, r, results[r].path);
    fputs("</p>\n<div class=\"scroll\">\n", out);
    hr_bench_chart_bars(out, &bars);
    fputs("</div>\n", out);
}

static void write_classes(FILE *out, const hr_bench_result *results, unsigned count)
{
    fputs("<div class=\"scroll\"><table><tr><th>contender<th>transport<th>memory<th>in use</tr>\n",
          out);
    for (unsigned r = 0; r < count; r++) {
        for (unsigned i = 0; i < results[r].row_count; i++) {
            const hr_bench_result_row *row = &results[r].rows[i];
            if (hr_bench_sample_spread(&row->rates).count == 0)
                continue;
            fputs("<tr><td>", out);
            key(out, r, row->title);
            fputs("</td>", out);
            cell(out, row->transport);
            cell(out, row->memory);
            cell(out, row->in_use);
            fputs("</tr>\n", out);
        }
    }
    fputs("</table></div>\n", out);
}

/* ---- sweeps ---- */

static unsigned index_of(const char **list, unsigned *count, unsigned max, const char *text)
{
    for (unsigned i = 0; i < *count; i++)
        if (strcmp(list[i], text) == 0)
            return i;
    if (*count == max)
        return max;
    list[(*count)++] = text;
    return *count - 1;
}

static bool is_of_sweep(const hr_bench_result_row *row, bool utilisation)
{
    return row->parameter[0] != '\0' && hr_bench_sample_spread(&row->rates).count > 0 &&
           (!utilisation || row->utilisation > 0);
}

static void gather_curves(const hr_bench_result *result, bool utilisation, hr_bench_curves *curves)
{
    for (unsigned c = 0; c < HR_BENCH_CURVES_MAX; c++)
        for (unsigned v = 0; v < HR_BENCH_VALUES_MAX; v++)
            curves->points[c][v] = NAN;
    for (unsigned i = 0; i < result->row_count; i++) {
        const hr_bench_result_row *row = &result->rows[i];
        if (!is_of_sweep(row, utilisation))
            continue;
        unsigned c =
            index_of(curves->labels, &curves->curve_count, HR_BENCH_CURVES_MAX, row->base_title);
        unsigned v =
            index_of(curves->values, &curves->value_count, HR_BENCH_VALUES_MAX, row->value);
        if (c < HR_BENCH_CURVES_MAX && v < HR_BENCH_VALUES_MAX)
            curves->points[c][v] =
                utilisation ? 100 * row->utilisation : hr_bench_sample_spread(&row->rates).median;
    }
}

/* A search tries values in the order in which it needs them; a chart wants them to grow. */
static void sort_values(hr_bench_curves *curves)
{
    for (unsigned i = 1; i < curves->value_count; i++) {
        for (unsigned k = i; k > 0; k--) {
            const char *left = curves->values[k - 1], *right = curves->values[k];
            char *end;
            if (strtod(left, &end) <= strtod(right, &end) || *end != '\0')
                break;
            curves->values[k - 1] = right;
            curves->values[k] = left;
            for (unsigned c = 0; c < curves->curve_count; c++) {
                double point = curves->points[c][k];
                curves->points[c][k] = curves->points[c][k - 1];
                curves->points[c][k - 1] = point;
            }
        }
    }
}

static const char *parameter_of(const hr_bench_result *result)
{
    for (unsigned i = 0; i < result->row_count; i++)
        if (result->rows[i].parameter[0] != '\0')
            return result->rows[i].parameter;
    return NULL;
}

static void write_sweep(FILE *out, const hr_bench_result *result, bool utilisation)
{
    hr_bench_curves curves = {
        .title = utilisation ? "utilisation of accelerators" : "rate against a parameter",
        .unit = utilisation ? "%" : "GB/s",
    };
    const char *parameter = parameter_of(result);
    gather_curves(result, utilisation, &curves);
    if (curves.value_count == 0 || parameter == NULL)
        return;
    sort_values(&curves);
    fprintf(out, "<h2>%s against ", utilisation ? "Utilisation" : "Rate");
    hr_bench_html(out, parameter);
    fputs(": ", out);
    hr_bench_html(out, result->path);
    fputs("</h2>\n<p>", out);
    for (unsigned i = 0; i < curves.curve_count; i++)
        key(out, i, curves.labels[i]);
    fputs("</p>\n<div class=\"scroll\">\n", out);
    hr_bench_chart_curves(out, &curves);
    fputs("</div>\n", out);
}

/* ---- what cannot be, and what must not be taken for more than it is ---- */

static void write_warnings(FILE *out, const hr_bench_result *result)
{
    bool software = false;
    for (unsigned i = 0; i < result->row_count; i++) {
        const hr_bench_result_row *row = &result->rows[i];
        software = software || strcmp(row->transport, "soft-RoCE") == 0;
        if (row->impossible[0] == '\0')
            continue;
        fputs("<p class=\"warning\">Impossible: ", out);
        hr_bench_html(out, row->title);
        fputs(": ", out);
        hr_bench_html(out, row->impossible);
        fputs("</p>\n", out);
    }
    if (software) {
        fputs("<p class=\"warning\">", out);
        hr_bench_html(out, result->path);
        fputs(": over soft-RoCE, which no hardware moves: it shows that it works, and never how "
              "fast.</p>\n",
              out);
    }
}

/* ---- changes ---- */

static void write_change(FILE *out, const hr_bench_result_row *row,
                         const hr_bench_result_row *other)
{
    static const char *const classes[] = {[HR_BENCH_TOO_FEW] = "",
                                          [HR_BENCH_SAME] = "",
                                          [HR_BENCH_FASTER] = "faster",
                                          [HR_BENCH_SLOWER] = "slower"};
    static const char *const texts[] = {[HR_BENCH_TOO_FEW] = "too few rounds to tell",
                                        [HR_BENCH_SAME] = "within the noise",
                                        [HR_BENCH_FASTER] = "faster",
                                        [HR_BENCH_SLOWER] = "slower"};
    hr_bench_change change = hr_bench_compare(&row->rates, &other->rates);
    fputs("<tr>", out);
    cell(out, row->title);
    fprintf(out, "<td class=\"n\">%.2f</td><td class=\"n\">%.2f</td><td class=\"n\">%+.1f %%</td>",
            change.before, change.after, 100 * change.part);
    fprintf(out, "<td class=\"n\">%.1f %%</td><td class=\"%s\">%s</td></tr>\n", 100 * change.noise,
            classes[change.kind], texts[change.kind]);
}

/* What was measured in both; NULL: it was not. */
static const hr_bench_result_row *find_other(const hr_bench_result_row *row,
                                             const hr_bench_result *after)
{
    const hr_bench_result_row *other = hr_bench_result_find(after, row->name);
    bool both = other != NULL && hr_bench_sample_spread(&row->rates).count > 0 &&
                hr_bench_sample_spread(&other->rates).count > 0;
    return both ? other : NULL;
}

static void write_changes(FILE *out, const hr_bench_result *before, const hr_bench_result *after)
{
    unsigned common = 0;
    for (unsigned i = 0; i < before->row_count; i++)
        common += find_other(&before->rows[i], after) != NULL;
    if (common == 0)
        return;
    fputs("<h2>Changes: ", out);
    hr_bench_html(out, before->path);
    fputs(" to ", out);
    hr_bench_html(out, after->path);
    fputs("</h2>\n<div class=\"scroll\"><table><tr><th>contender<th>before<th>after<th>change<th>"
          "noise<th></tr>\n",
          out);
    for (unsigned i = 0; i < before->row_count; i++) {
        const hr_bench_result_row *other = find_other(&before->rows[i], after);
        if (other != NULL)
            write_change(out, &before->rows[i], other);
    }
    fputs("</table></div>\n", out);
}

/* ---- latencies, stages ---- */

static void write_latencies(FILE *out, const hr_bench_result *result)
{
    hr_bench_lines lines = {.title = "latency"};
    for (unsigned i = 0; i < result->row_count; i++) {
        if (!result->rows[i].has_latency || lines.line_count == HR_BENCH_PAGE_RESULTS_MAX)
            continue;
        lines.labels[lines.line_count] = result->rows[i].title;
        lines.latency_us[lines.line_count++] = result->rows[i].latency_us;
    }
    if (lines.line_count == 0)
        return;
    fputs("<h2>Latency of requests: ", out);
    hr_bench_html(out, result->path);
    fputs("</h2>\n<p>", out);
    for (unsigned i = 0; i < lines.line_count; i++)
        key(out, i, lines.labels[i]);
    fputs("</p>\n<div class=\"scroll\">\n", out);
    hr_bench_chart_latency(out, &lines);
    fputs("</div>\n", out);
}

static void write_stages(FILE *out, const hr_bench_result *result,
                         const hr_bench_result_where *where, const char *target)
{
    if (where->stage_count == 0)
        return;
    fprintf(out, "<h2>Where the time goes, %s: ", target);
    hr_bench_html(out, result->path);
    fputs("</h2>\n<p>", out);
    hr_bench_html(out, where->text);
    fputs(".</p>\n<p class=\"note\">Of the time with a chunk on its way: ", out);
    static const char *const names[] = {"busy", "blocked", "starved"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        fprintf(out,
                "<span class=\"name\"><svg class=\"key\" viewBox=\"0 0 1 1\" "
                "style=\"min-width:0\"><rect class=\"%s\" width=\"1\" height=\"1\"/></svg>"
                "%s</span>",
                names[i], names[i]);
    fputs("</p>\n<div class=\"scroll\">\n", out);
    hr_bench_chart_stages(out, where);
    fputs("</div>\n", out);
}

void hr_bench_page_write(FILE *out, const hr_bench_result *results, unsigned count)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
          "<title>headrace-bench</title><style>\n",
          out);
    fputs(style, out);
    fputs("</style></head><body>\n<h1>headrace-bench</h1>\n", out);
    for (unsigned i = 0; i < count; i++)
        write_warnings(out, &results[i]);
    write_rates(out, results, count);
    for (unsigned i = 0; i < count; i++) {
        write_sweep(out, &results[i], false);
        write_sweep(out, &results[i], true);
    }
    for (unsigned i = 1; i < count; i++)
        write_changes(out, &results[0], &results[i]);
    for (unsigned i = 0; i < count; i++)
        write_stages(out, &results[i], &results[i].wheres[0], "disk to memory");
    for (unsigned i = 0; i < count; i++)
        write_stages(out, &results[i], &results[i].wheres[1], "disk to file");
    for (unsigned i = 0; i < count; i++)
        write_latencies(out, &results[i]);
    write_machines(out, results, count);
    write_classes(out, results, count);
    fputs("<p class=\"note\">What each number means: "
          "docs/BENCHMARK-NUMBERS.md.</p>\n</body></html>\n",
          out);
}
