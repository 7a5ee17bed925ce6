/* SPDX-License-Identifier: Apache-2.0 */
/* Many small files, from a server here and by the tools that people copy trees with. Each finds
 * them on the drive and not in the page cache. */
#include <stdio.h>

#include "child.h"
#include "contender.h"
#include "env.h"

#define COPY_NS (600 * HR_NS_PER_S)

hr_status hr_bench_run_files_get(hr_bench_field *field, const hr_bench_contender *contender,
                                 hr_bench_measure *measure_out, hr_error *error)
{
    (void)contender;
    hr_bench_material_drop_cache(field->material);
    hr_status status =
        hr_bench_serving_get(&field->serving, "tree", field->material->target, measure_out, error);
    measure_out->items = hr_bench_settings_files(field->settings, HR_BENCH_FILES);
    return status;
}

static hr_status copy(hr_bench_field *field, const char *const *argv, const char *note,
                      hr_bench_measure *measure_out, hr_error *error)
{
    const hr_bench_settings *settings = field->settings;
    unsigned files = hr_bench_settings_files(settings, HR_BENCH_FILES);
    hr_bench_child child = {0};
    hr_bench_material_drop_cache(field->material);
    hr_status status = hr_bench_child_exec(&child, argv, error);
    if (status == HR_OK)
        status = hr_bench_child_wait(&child, COPY_NS, error);
    if (status == HR_OK) {
        *measure_out = (hr_bench_measure){
            .bytes = files * settings->file_len,
            .items = files,
            .seconds = child.seconds,
            .cpu_seconds = {child.cpu_seconds},
            .latency = measure_out->latency,
        };
        snprintf(measure_out->note, sizeof measure_out->note, "%s", note);
    }
    hr_bench_child_stop(&child);
    return status;
}

hr_status hr_bench_run_files_rsync(hr_bench_field *field, const hr_bench_contender *contender,
                                   hr_bench_measure *measure_out, hr_error *error)
{
    char source[HR_BENCH_PATH_MAX + 2];
    const char *argv[] = {"rsync", "-a", source, field->material->target, NULL};
    (void)contender;
    snprintf(source, sizeof source, "%s/", field->material->tree);
    return copy(field, argv, "without a sync at its end", measure_out, error);
}

hr_status hr_bench_run_files_cp(hr_bench_field *field, const hr_bench_contender *contender,
                                hr_bench_measure *measure_out, hr_error *error)
{
    const char *argv[] = {"sh",
                          "-c",
                          "cp -a \"$1\" \"$2\" && sync -f \"$2\"",
                          "sh",
                          field->material->tree,
                          field->material->target,
                          NULL};
    (void)contender;
    return copy(field, argv, "and a sync of the file system", measure_out, error);
}
