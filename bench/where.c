/* SPDX-License-Identifier: Apache-2.0 */
#include "where.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "await.h"
#include "env.h"
#include "tool_output.h"

#define STOP_NS (10 * HR_NS_PER_S)

static bool read_row(json_t *object, hr_bench_where *where)
{
    double busy, starved, blocked, full;
    json_int_t chunks, bytes;
    const char *name;
    hr_stage_time *row = &where->rows[where->count];
    if (where->count == HR_BENCH_WHERE_ROWS ||
        json_unpack(object, "{s:s, s:F, s:F, s:F, s:F, s:I, s:I}", "stage", &name, "busy_seconds",
                    &busy, "starved_seconds", &starved, "blocked_seconds", &blocked, "full", &full,
                    "chunks", &chunks, "bytes", &bytes) != 0 ||
        strlen(name) >= HR_BENCH_STAGE_NAME || busy < 0 || starved < 0 || blocked < 0)
        return false;
    memcpy(where->names[where->count], name, strlen(name) + 1);
    *row = (hr_stage_time){
        .stage = where->names[where->count],
        .busy_ns = (uint64_t)(busy * 1e9),
        .starved_ns = (uint64_t)(starved * 1e9),
        .blocked_ns = (uint64_t)(blocked * 1e9),
        .chunks = (uint64_t)chunks,
        .bytes = (uint64_t)bytes,
        .full = full,
    };
    where->count++;
    return true;
}

/* What a byte's way makes necessary, with O_DIRECT at its start: a socket takes a copy and gives
 * one, and soft-RoCE fills packets and empties them. A NIC reads and writes the slots themselves,
 * and within a process the server's slot is the client's place. tests/vm counts what is copied
 * beside it: nothing. */
static int copies_of(const char *path)
{
    static const struct {
        const char *path;
        int copies;
    } ways[] = {{"tcp", 2}, {"soft-RoCE", 2}, {"verbs", 0}, {"rdma", 0}, {"local", 0}};
    char name[HR_BENCH_CLASS_MAX];
    hr_bench_path_class(path, name);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (strcmp(name, ways[i].path) == 0)
            return ways[i].copies;
    return -1;
}

/* A side's chunks went through each of its stages. */
static void read_calls(json_t *object, size_t first, hr_bench_where *where)
{
    int side = where->sides == 0 ? HR_BENCH_RECEIVER : HR_BENCH_SENDER;
    double calls = (double)json_integer_value(json_object_get(object, "system_calls"));
    uint64_t chunks = 0;
    for (size_t i = first; i < where->count; i++)
        chunks = where->rows[i].chunks > chunks ? where->rows[i].chunks : chunks;
    where->calls[side] = chunks > 0 ? calls / (double)chunks : 0;
    where->sides++;
}

/* Adds the rows of the object "stages" in what headrace printed. HR_PROTOCOL: there is none. */
static hr_status read_stages(hr_bench_where *where, const char *text, hr_error *error)
{
    size_t first = where->count;
    const char *line = strstr(text, "{\"type\":\"stages\"");
    json_t *object = line != NULL ? json_loads(line, JSON_DISABLE_EOF_CHECK, NULL) : NULL, *row;
    json_t *rows = json_object_get(object, "rows");
    hr_status status = HR_OK;
    size_t i;
    if (!json_is_array(rows))
        status = hr_error_set(error, HR_PROTOCOL, "headrace does not say where the time went");
    json_array_foreach(rows, i, row)
    {
        if (status == HR_OK && !read_row(row, where))
            status = hr_error_set(error, HR_PROTOCOL, "headrace names a stage without its times");
    }
    if (status == HR_OK)
        read_calls(object, first, where);
    json_decref(object);
    return status;
}

double hr_bench_where_share(const hr_stage_time *row, uint64_t part_ns)
{
    uint64_t all_ns = row->busy_ns + row->starved_ns + row->blocked_ns;
    return all_ns > 0 ? 100.0 * (double)part_ns / (double)all_ns : 0;
}

/* In the order of a chunk's way, so that a stage's successor is the next row: the server's stages,
 * which were read last, come behind the client's first, the grant. */
static void sort_by_way(hr_bench_where *where, size_t client_count)
{
    hr_stage_time sorted[HR_BENCH_WHERE_ROWS];
    size_t server_count = where->count - client_count;
    if (client_count == 0)
        return;
    sorted[0] = where->rows[0];
    memcpy(sorted + 1, where->rows + client_count, server_count * sizeof sorted[0]);
    memcpy(sorted + 1 + server_count, where->rows + 1, (client_count - 1) * sizeof sorted[0]);
    memcpy(where->rows, sorted, where->count * sizeof sorted[0]);
}

static hr_status run_client(hr_bench_where *where, const char *target, hr_bench_serving *serving,
                            hr_error *error)
{
    char *text = NULL;
    hr_status status =
        hr_bench_serving_get_stages(serving, "large", target, &where->measure, &text, error);
    if (status == HR_OK)
        status = read_stages(where, text, error);
    free(text);
    where->peaks[HR_BENCH_RECEIVER] = where->measure.peak;
    return status;
}

/* The server tells when it ends, so it is one of our own. */
static hr_status run_both(hr_bench_where *where, const hr_bench_field *field, const char *target,
                          hr_bench_serving *serving, hr_error *error)
{
    hr_status status =
        hr_bench_serving_start(serving, field->settings, field->material->shards, error);
    if (status == HR_OK)
        status = run_client(where, target, serving, error);
    if (status != HR_OK)
        return status;
    size_t client_count = where->count;
    where->copies = field->material->direct ? copies_of(where->measure.note) : -1;
    where->peaks[HR_BENCH_SENDER] = hr_bench_serving_peak(serving);
    kill(serving->server.pid, SIGTERM);
    status = hr_bench_child_wait(&serving->server, STOP_NS, error);
    if (status == HR_OK)
        status = read_stages(where, serving->server.text + serving->server.taken, error);
    if (status == HR_OK)
        sort_by_way(where, client_count);
    return status;
}

hr_status hr_bench_where_run(hr_bench_where *where, const hr_bench_field *field, int target)
{
    bool elsewhere = hr_bench_is_served_elsewhere(field->settings);
    hr_bench_serving serving = elsewhere ? field->serving : (hr_bench_serving){.pool_len = 0};
    *where = (hr_bench_where){.copies = -1};
    const char *path = target == HR_BENCH_WHERE_FILE ? field->material->target : "host:";
    hr_status status = elsewhere ? run_client(where, path, &serving, &where->failure)
                                 : run_both(where, field, path, &serving, &where->failure);
    hr_bench_material_reset(field->material);
    hr_bench_serving_stop(&serving);
    if (status == HR_INTERRUPTED || hr_bench_interrupted())
        return HR_INTERRUPTED;
    where->measured = status == HR_OK;
    where->bound = hr_stages_bound(where->rows, where->count);
    hr_stages_describe(where->rows, where->count, where->text, sizeof where->text);
    return HR_OK;
}
