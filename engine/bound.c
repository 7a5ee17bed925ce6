/* SPDX-License-Identifier: Apache-2.0 */
/* What the gauges of an engine say: which stage holds up the others. A stage that bounds is as full
 * as it ever is, all the time: those before it are blocked and those behind it starve. A stage that
 * only takes long, such as a wire with a high latency, is busy all the time and not full. */
#include <stdio.h>
#include <string.h>

#include "engine.h"

static const char *const names[HR_GAUGE_STAGES] = {
    [HR_GAUGE_GRANT] = "grant",     [HR_GAUGE_TURN] = "turn",   [HR_GAUGE_READ] = "read",
    [HR_GAUGE_DIGEST] = "digest",   [HR_GAUGE_WIRE] = "wire",   [HR_GAUGE_VERIFY] = "verify",
    [HR_GAUGE_DECODE] = "decode",   [HR_GAUGE_WRITE] = "write", [HR_GAUGE_DEVICE] = "device",
    [HR_GAUGE_PUBLISH] = "publish",
};

static uint64_t active_ns(const hr_stage_time *row)
{
    return row->busy_ns + row->starved_ns + row->blocked_ns;
}

static hr_stage_time time_of(const hr_gauge_row *row, const char *name)
{
    hr_stage_time time = {
        .stage = name,
        .busy_ns = row->busy_ns,
        .starved_ns = row->starved_ns,
        .blocked_ns = row->blocked_ns,
        .chunks = row->chunks,
        .bytes = row->bytes,
    };
    double most_ns = (double)active_ns(&time) * row->most;
    time.full = most_ns > 0 ? (double)row->chunk_ns / most_ns : 0;
    return time;
}

size_t hr_engine_stages(const hr_engine *engine, hr_stage_time *rows, size_t rows_max)
{
    hr_gauge_row sums[HR_GAUGE_STAGES] = {{0}};
    size_t count = 0;
    for (unsigned i = 0; i < engine->worker_count; i++)
        hr_gauge_sum(&engine->workers[i].gauge, sums);
    for (int i = 0; i < HR_GAUGE_STAGES && count < rows_max; i++)
        if (sums[i].chunks > 0)
            rows[count++] = time_of(&sums[i], names[i]);
    return count;
}

uint64_t hr_engine_system_calls(const hr_engine *engine)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < engine->worker_count; i++)
        sum += hr_loop_count(engine->workers[i].loop).syscalls;
    return sum;
}

/* Of two processes one may have had something to do for longer: what counts is how full a stage was
 * in all of that time. */
static double weight(const hr_stage_time *rows, size_t count, size_t index)
{
    uint64_t longest_ns = 1;
    for (size_t i = 0; i < count; i++)
        longest_ns = active_ns(&rows[i]) > longest_ns ? active_ns(&rows[i]) : longest_ns;
    return rows[index].full * (double)active_ns(&rows[index]) / (double)longest_ns;
}

/* Chunks in them wait for others. */
static bool is_waiting(const hr_stage_time *row)
{
    return strcmp(row->stage, names[HR_GAUGE_GRANT]) == 0 ||
           strcmp(row->stage, names[HR_GAUGE_TURN]) == 0;
}

static size_t fullest(const hr_stage_time *rows, size_t count, size_t but)
{
    size_t best = count;
    for (size_t i = 0; i < count; i++)
        if (i != but && !is_waiting(&rows[i]) &&
            (best == count || weight(rows, count, i) > weight(rows, count, best)))
            best = i;
    return best;
}

static size_t find(const hr_stage_time *rows, size_t count, const char *name)
{
    size_t i = 0;
    while (i < count && strcmp(rows[i].stage, name) != 0)
        i++;
    return i;
}

size_t hr_stages_bound(const hr_stage_time *rows, size_t count)
{
    size_t best = fullest(rows, count, count);
    bool client_alone = find(rows, count, names[HR_GAUGE_READ]) == count;
    /* Its own stages have room: what it waits for is not seen from here. */
    if (client_alone && best < count && weight(rows, count, best) < 0.5)
        return find(rows, count, names[HR_GAUGE_GRANT]);
    return best;
}

static double share(uint64_t part_ns, uint64_t all_ns)
{
    return all_ns > 0 ? 100.0 * (double)part_ns / (double)all_ns : 0;
}

/* The stage after it that works. */
static size_t successor(const hr_stage_time *rows, size_t count, size_t bound)
{
    size_t i = bound + 1;
    while (i < count && is_waiting(&rows[i]))
        i++;
    return i;
}

void hr_stages_describe(const hr_stage_time *rows, size_t count, char *out, size_t out_size)
{
    size_t bound = hr_stages_bound(rows, count);
    out[0] = '\0';
    if (bound == count)
        return;
    const hr_stage_time *row = &rows[bound];
    if (is_waiting(row)) {
        snprintf(
            out, out_size,
            "bound by the server or the wire: this side had nothing to do for %.0f %% of the time",
            share(row->busy_ns, active_ns(row)));
        return;
    }
    size_t next = successor(rows, count, bound), second = fullest(rows, count, bound);
    int len = snprintf(out, out_size, "bound by %s: busy for %.0f %% of the time", row->stage,
                       share(row->busy_ns, active_ns(row)));
    if (next < count && (size_t)len < out_size)
        len +=
            snprintf(out + len, out_size - (size_t)len, ", while %s had nothing to do for %.0f %%",
                     rows[next].stage, share(rows[next].starved_ns, active_ns(&rows[next])));
    double other = second < count ? weight(rows, count, second) : 0;
    if (other > 0 && (size_t)len < out_size)
        snprintf(out + len, out_size - (size_t)len,
                 "; if it took no time, %s would be the bound, at up to %.1f times the rate",
                 rows[second].stage, weight(rows, count, bound) / other);
}
