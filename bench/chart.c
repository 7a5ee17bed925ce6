/* SPDX-License-Identifier: Apache-2.0 */
/* Charts as inline SVG. Colours come from the page's style sheet, so that they follow a dark one,
 * and every mark has a title: what a pointer rests on is said in numbers. */
#include <math.h>

#include "page.h"

enum {
    WIDTH = 720,  /* of the viewBox: the page makes it as wide as it is */
    LABELS = 210, /* of them for the names at the left */
    VALUES = 70,  /* and for the numbers at the right */
    BAR = 16,
    GAP = 10,
    TOP = 8,
};

void hr_bench_html(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc(*text, out);
        }
    }
}

static void begin(FILE *out, double height, const char *title)
{
    fprintf(out, "<svg viewBox=\"0 0 %d %.0f\" role=\"img\" aria-label=\"", WIDTH, height);
    hr_bench_html(out, title);
    fputs("\">\n", out);
}

static void label(FILE *out, double x, double y, const char *anchor, const char *text)
{
    fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    hr_bench_html(out, text);
    fputs("</text>\n", out);
}

static double highest(const hr_bench_bars *bars)
{
    double most = 0;
    for (unsigned r = 0; r < bars->series_count; r++)
        for (unsigned i = 0; i < bars->label_count; i++)
            most = fmax(most, fmax(bars->values[r][i], bars->high[r][i])); /* NAN loses */
    return most > 0 ? most : 1;
}

static void bar(FILE *out, const hr_bench_bars *bars, unsigned r, unsigned i, double y, double most)
{
    double scale = (WIDTH - LABELS - VALUES) / most;
    double value = bars->values[r][i], low = bars->low[r][i], high = bars->high[r][i];
    char text[32];
    if (isnan(value))
        return;
    fprintf(out, "<g><title>%.3f %s (%.3f to %.3f)</title>", value, bars->unit, low, high);
    fprintf(out,
            "<rect class=\"mark s%u\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>",
            r, LABELS, y, fmax(1, value * scale), BAR);
    fprintf(out, "<path class=\"whisker\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv8M%.1f %.1fv8\"/></g>\n",
            LABELS + low * scale, y + BAR / 2.0, LABELS + high * scale, LABELS + low * scale,
            y + BAR / 2.0 - 4, LABELS + high * scale, y + BAR / 2.0 - 4);
    snprintf(text, sizeof text, "%.2f", value);
    label(out, WIDTH - VALUES + 10, y + BAR - 4, "start", text);
}

static unsigned bars_of(const hr_bench_bars *bars, unsigned i)
{
    unsigned count = 0;
    for (unsigned r = 0; r < bars->series_count; r++)
        count += isnan(bars->values[r][i]) ? 0 : 1;
    return count;
}

void hr_bench_chart_bars(FILE *out, const hr_bench_bars *bars)
{
    double y = TOP, height = TOP, most = highest(bars);
    for (unsigned i = 0; i < bars->label_count; i++)
        height += bars_of(bars, i) * (BAR + 2.0) + GAP;
    begin(out, height, bars->title);
    for (unsigned i = 0; i < bars->label_count; i++) {
        label(out, LABELS - 8, y + bars_of(bars, i) * (BAR + 2.0) / 2 + 4, "end", bars->labels[i]);
        for (unsigned r = 0; r < bars->series_count; r++) {
            bar(out, bars, r, i, y, most);
            y += isnan(bars->values[r][i]) ? 0 : BAR + 2.0;
        }
        y += GAP;
    }
    fputs("</svg>\n", out);
}

/* ---- stages ---- */

static double part(FILE *out, const char *class, const char *name, double share, double x, double y)
{
    double width = share / 100 * (WIDTH - LABELS - VALUES);
    fprintf(out,
            "<rect class=\"mark %s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"><title>%s "
            "%.1f %%</title></rect>\n",
            class, x, y, fmax(0, width), BAR, name, share);
    return x + width;
}

void hr_bench_chart_stages(FILE *out, const hr_bench_result_where *where)
{
    double y = TOP;
    begin(out, TOP + where->stage_count * (BAR + GAP), "where the time goes");
    for (unsigned i = 0; i < where->stage_count; i++) {
        const hr_bench_result_stage *stage = &where->stages[i];
        char text[32];
        label(out, LABELS - 8, y + BAR - 4, "end", stage->name);
        double x = part(out, "busy", "busy", stage->busy, LABELS, y);
        x = part(out, "blocked", "blocked", stage->blocked, x, y);
        part(out, "starved", "starved", stage->starved, x, y);
        snprintf(text, sizeof text, "%.0f %%", stage->busy);
        label(out, WIDTH - VALUES + 10, y + BAR - 4, "start", text);
        y += BAR + GAP;
    }
    fputs("</svg>\n", out);
}

/* ---- latency ---- */

enum { PLOT_HEIGHT = 240, PLOT_LEFT = 70, PLOT_RIGHT = 20, PLOT_BOTTOM = 28 };

/* The percentiles stand at equal distances: each is ten times rarer than the one before it. */
static double x_of(int percentile)
{
    return PLOT_LEFT + (double)(WIDTH - PLOT_LEFT - PLOT_RIGHT) * percentile / (HR_BENCH_PS - 1);
}

static double y_of(double us, double least, double most)
{
    double at = log10(fmax(us, least) / least) / log10(most / least);
    return TOP + (PLOT_HEIGHT - TOP - PLOT_BOTTOM) * (1 - at);
}

/* Powers of ten around all values. */
static void find_range(const hr_bench_lines *lines, double *least, double *most)
{
    double low = INFINITY, high = 1;
    for (unsigned i = 0; i < lines->line_count; i++) {
        for (int p = 0; p < HR_BENCH_PS; p++) {
            low = fmin(low, fmax(lines->latency_us[i][p], 0.1));
            high = fmax(high, lines->latency_us[i][p]);
        }
    }
    *least = pow(10, floor(log10(low)));
    *most = pow(10, ceil(log10(high)));
    if (*most <= *least)
        *most = *least * 10;
}

static void grid(FILE *out, double least, double most)
{
    char text[32];
    int decades = (int)lround(log10(most / least));
    for (int i = 0; i <= decades; i++) {
        double us = least * pow(10, i), y = y_of(us, least, most);
        fprintf(out, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>\n", PLOT_LEFT, y,
                WIDTH - PLOT_RIGHT);
        snprintf(text, sizeof text, us < 1000 ? "%.4g us" : "%.4g ms", us < 1000 ? us : us / 1000);
        label(out, PLOT_LEFT - 8, y + 4, "end", text);
    }
    for (int p = 0; p < HR_BENCH_PS; p++)
        label(out, x_of(p), PLOT_HEIGHT - 8, p == HR_BENCH_PS - 1 ? "end" : "middle",
              hr_bench_latency_titles[p]);
}

void hr_bench_chart_latency(FILE *out, const hr_bench_lines *lines)
{
    double least, most;
    find_range(lines, &least, &most);
    begin(out, PLOT_HEIGHT, lines->title);
    grid(out, least, most);
    for (unsigned i = 0; i < lines->line_count; i++) {
        const double *us = lines->latency_us[i];
        fprintf(out, "<path class=\"mark line l%u\" d=\"", i % HR_BENCH_PAGE_RESULTS_MAX);
        for (int p = 0; p < HR_BENCH_PS; p++)
            fprintf(out, "%c%.1f %.1f", p == 0 ? 'M' : 'L', x_of(p), y_of(us[p], least, most));
        fputs("\"/>\n", out);
        for (int p = 0; p < HR_BENCH_PS; p++)
            fprintf(out,
                    "<circle class=\"l%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>%.1f us"
                    "</title></circle>\n",
                    i % HR_BENCH_PAGE_RESULTS_MAX, x_of(p), y_of(us[p], least, most), us[p]);
    }
    fputs("</svg>\n", out);
}

/* ---- a sweep ---- */

static double highest_point(const hr_bench_curves *curves)
{
    double most = 0;
    for (unsigned c = 0; c < curves->curve_count; c++)
        for (unsigned v = 0; v < curves->value_count; v++)
            most = fmax(most, curves->points[c][v]); /* NAN loses */
    return most > 0 ? most : 1;
}

/* 1, 2 or 5 times a power of ten: about five of them fit. */
static double step_for(double most)
{
    double power = pow(10, floor(log10(most / 5))), rest = most / 5 / power;
    return power * (rest > 5 ? 10 : rest > 2 ? 5 : rest > 1 ? 2 : 1);
}

static double x_of_value(const hr_bench_curves *curves, unsigned value)
{
    double part = curves->value_count > 1 ? (double)value / (curves->value_count - 1) : 0.5;
    return PLOT_LEFT + 10 + (WIDTH - PLOT_LEFT - PLOT_RIGHT - 40) * part;
}

static double y_of_point(double point, double most)
{
    return TOP + (PLOT_HEIGHT - TOP - PLOT_BOTTOM) * (1 - point / most);
}

static void curve_axes(FILE *out, const hr_bench_curves *curves, double most)
{
    char text[48];
    double step = step_for(most);
    for (int i = 0; i * step <= most * 1.0001; i++) {
        double y = y_of_point(i * step, most);
        fprintf(out, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>\n", PLOT_LEFT, y,
                WIDTH - PLOT_RIGHT);
        snprintf(text, sizeof text, "%.4g %s", i * step, curves->unit);
        label(out, PLOT_LEFT - 8, y + 4, "end", text);
    }
    /* As many of the values as can be read beside each other. */
    unsigned every = (curves->value_count + 9) / 10;
    for (unsigned v = 0; v < curves->value_count; v += every)
        label(out, x_of_value(curves, v), PLOT_HEIGHT - 8, "middle", curves->values[v]);
}

void hr_bench_chart_curves(FILE *out, const hr_bench_curves *curves)
{
    double most = highest_point(curves);
    begin(out, PLOT_HEIGHT, curves->title);
    curve_axes(out, curves, most);
    for (unsigned c = 0; c < curves->curve_count; c++) {
        char command = 'M';
        fprintf(out, "<path class=\"mark line l%u\" d=\"", c);
        for (unsigned v = 0; v < curves->value_count; v++) {
            if (isnan(curves->points[c][v]))
                continue;
            fprintf(out, "%c%.1f %.1f", command, x_of_value(curves, v),
                    y_of_point(curves->points[c][v], most));
            command = 'L';
        }
        fputs("\"/>\n", out);
        for (unsigned v = 0; v < curves->value_count; v++)
            if (!isnan(curves->points[c][v]))
                fprintf(out,
                        "<circle class=\"l%u\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>%.3f %s"
                        "</title></circle>\n",
                        c, x_of_value(curves, v), y_of_point(curves->points[c][v], most),
                        curves->points[c][v], curves->unit);
    }
    fputs("</svg>\n", out);
}
