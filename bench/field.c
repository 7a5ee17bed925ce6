/* SPDX-License-Identifier: Apache-2.0 */
#include "field.h"

#include <assert.h>

#include "bytes.h"
#include "chunk_len.h"
#include "demand.h"
#include "live.h"

#define SMALL_LEN ((uint64_t)64 << 20) /* sixteen chunks: a window, and soon over */

static bool has_server(unsigned verb, const hr_bench_settings *settings)
{
    switch (verb) {
    case HR_BENCH_PEERS:
    case HR_BENCH_FILES:
        return true;
    case HR_BENCH_TRANSFER:
    case HR_BENCH_FANOUT:
    case HR_BENCH_LOADER:
        return !hr_bench_is_served_elsewhere(settings);
    default:
        return false;
    }
}

bool hr_bench_field_has_files(unsigned verb, const hr_bench_settings *settings)
{
    return verb == HR_BENCH_STORAGE || verb == HR_BENCH_TRANSFER || has_server(verb, settings);
}

static hr_bench_material_wish wish_of(const hr_bench_field *field, unsigned verb,
                                      const hr_bench_settings *settings)
{
    hr_bench_material_wish wish = {.directory = settings->directory};
    switch (verb) {
    case HR_BENCH_FILES:
        wish.tree_files = hr_bench_settings_files(settings, verb);
        wish.tree_file_len = settings->file_len;
        break;
    case HR_BENCH_LOADER:
        wish.tree_files = hr_bench_demand_files(settings);
        wish.tree_file_len = hr_bench_demand_file_len(settings);
        wish.packs = settings->codec != 0;
        wish.codec = hr_bench_codec_names[settings->codec];
        break;
    case HR_BENCH_TRANSFER:
    case HR_BENCH_PEERS: /* a get and a copy take all of a file */
        if (hr_bench_is_served_elsewhere(settings))
            break; /* only the target is here */
        wish.sparse_size = settings->big_size;
        wish.size = settings->size;
        wish.small_size = SMALL_LEN;
        break;
    case HR_BENCH_FANOUT:
        wish.small_size = settings->shard_len;
        break;
    default:
        wish.pieces = hr_bench_settings_files(settings, verb);
        wish.size = settings->size > field->longest ? settings->size : field->longest;
    }
    return wish;
}

static hr_bench_material *find_made(hr_bench_field *field, const hr_bench_material_wish *wish)
{
    for (unsigned i = 0; i < field->made_count; i++)
        if (hr_bench_material_is(&field->made[i], wish))
            return &field->made[i];
    return NULL;
}

hr_status hr_bench_field_make(hr_bench_field *field, unsigned verb,
                              const hr_bench_settings *settings, hr_error *error)
{
    hr_bench_material_wish wish = wish_of(field, verb, settings);
    if (!hr_bench_field_has_files(verb, settings) || find_made(field, &wish) != NULL)
        return HR_OK;
    assert(field->made_count < HR_BENCH_POINTS_MAX); /* one a point, at most */
    hr_bench_material *material = &field->made[field->made_count++];
    hr_bench_live(settings, "making files in %s", settings->directory);
    hr_status status = hr_bench_material_make(material, &wish, error);
    if (status == HR_OK && wish.packs)
        status =
            hr_bench_serving_pack(settings, material->tree, wish.codec, material->packed, error);
    hr_bench_live(settings, NULL);
    return status;
}

/* From another machine: the clients of a crowd tell theirs themselves. */
static hr_bench_line find_line(unsigned verb, const hr_bench_settings *settings)
{
    const char *address = settings->host;
    if (verb != HR_BENCH_WIRE && verb != HR_BENCH_TRANSFER)
        return (hr_bench_line){.name = ""};
    if (address == NULL)
        address = verb == HR_BENCH_WIRE ? settings->from : settings->source;
    hr_bench_line line = hr_bench_line_to("/sys", address != NULL ? address : "");
    line.gb_per_second *= settings->both ? 2 : 1;
    return line;
}

hr_status hr_bench_field_prepare(hr_bench_field *field, unsigned verb,
                                 const hr_bench_settings *settings, hr_error *error)
{
    bool elsewhere = verb != HR_BENCH_WIRE && hr_bench_is_served_elsewhere(settings);
    hr_status status = HR_OK;
    field->settings = settings;
    /* What comes from elsewhere comes from no drive of ours. */
    field->counters = hr_bench_counters_find("/sys", elsewhere ? NULL : settings->directory);
    field->line = find_line(verb, settings);
    if (elsewhere && settings->host != NULL)
        status = hr_bench_remote_start(&field->remote, settings, verb, error);
    if (status != HR_OK || !hr_bench_field_has_files(verb, settings))
        return status;
    hr_bench_material_wish wish = wish_of(field, verb, settings);
    status = hr_bench_field_make(field, verb, settings, error);
    const hr_bench_material *served = field->material;
    field->material = find_made(field, &wish);
    if (status == HR_OK && elsewhere)
        return hr_bench_serving_join(&field->serving, settings, hr_bench_field_source(field),
                                     error);
    if (status != HR_OK || field->material == served || !has_server(verb, settings))
        return status;
    hr_bench_serving_stop(&field->serving);
    return hr_bench_serving_start(&field->serving, settings, field->material->shards, error);
}

const char *hr_bench_field_source(const hr_bench_field *field)
{
    return field->settings->source != NULL ? field->settings->source : field->remote.source;
}

uint64_t hr_bench_field_size(const hr_bench_field *field)
{
    uint64_t pieces = field->material->wish.pieces > 1 ? field->material->wish.pieces : 1;
    return pieces * hr_round_down(field->settings->size / pieces, HR_CHUNK_LEN);
}

void hr_bench_field_release(hr_bench_field *field)
{
    hr_bench_serving_stop(&field->serving);
    hr_bench_remote_stop(&field->remote);
    for (unsigned i = 0; i < field->made_count; i++)
        hr_bench_material_remove(&field->made[i]);
    field->made_count = 0;
}
