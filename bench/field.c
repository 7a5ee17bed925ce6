/* SPDX-License-Identifier: Apache-2.0 */
#include "field.h"

#include "demand.h"
#include "live.h"

bool hr_bench_field_has_server(unsigned verb, const hr_bench_settings *settings)
{
    switch (verb) {
    case HR_BENCH_TRANSFER:
    case HR_BENCH_PEERS:
    case HR_BENCH_FILES:
        return true;
    case HR_BENCH_FANOUT:
    case HR_BENCH_LOADER:
        return settings->source == NULL;
    default:
        return false;
    }
}

bool hr_bench_field_has_files(unsigned verb, const hr_bench_settings *settings)
{
    return verb == HR_BENCH_STORAGE || hr_bench_field_has_server(verb, settings);
}

static hr_bench_material_wish wish_of(unsigned verb, const hr_bench_settings *settings)
{
    hr_bench_material_wish wish = {.directory = settings->directory};
    switch (verb) {
    case HR_BENCH_FILES:
        wish.tree_files = settings->files;
        wish.tree_file_len = settings->file_len;
        break;
    case HR_BENCH_LOADER:
        wish.tree_files = hr_bench_demand_files(settings);
        wish.tree_file_len = hr_bench_demand_file_len(settings);
        wish.packs = settings->codec != 0;
        wish.codec = hr_bench_codec_names[settings->codec];
        break;
    case HR_BENCH_TRANSFER:
    case HR_BENCH_PEERS:
        wish.sparse_size = settings->big_size;
        wish.size = settings->size;
        break;
    default:
        wish.size = settings->size;
    }
    return wish;
}

hr_status hr_bench_field_prepare(hr_bench_field *field, unsigned verb,
                                 const hr_bench_settings *settings, hr_error *error)
{
    field->settings = settings;
    field->counters = hr_bench_counters_find("/sys", settings->directory);
    field->line = hr_bench_line_find("/sys", settings);
    if (!hr_bench_field_has_files(verb, settings))
        return HR_OK;
    hr_bench_material_wish wish = wish_of(verb, settings);
    hr_status status = HR_OK;
    bool serves = hr_bench_field_has_server(verb, settings);
    bool kept = hr_bench_material_is(&field->material, &wish);
    if (!kept) {
        hr_bench_field_release(field);
        hr_bench_live(settings, "making files in %s", settings->directory);
        status = hr_bench_material_make(&field->material, &wish, error);
    }
    if (status == HR_OK && !kept && wish.packs)
        status = hr_bench_serving_pack(settings, field->material.tree, wish.codec,
                                       field->material.packed, error);
    if (status == HR_OK && !kept && serves)
        status = hr_bench_serving_start(&field->serving, settings, field->material.shards, error);
    hr_bench_live(settings, NULL);
    return status;
}

void hr_bench_field_release(hr_bench_field *field)
{
    hr_bench_serving_stop(&field->serving);
    hr_bench_material_remove(&field->material);
}
