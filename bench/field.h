/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_field: what the contenders of a race run on: files and a server, made when the settings
 * of a point need others than those that are there. */
#ifndef HR_BENCH_FIELD_H
#define HR_BENCH_FIELD_H

#include "bench_settings.h"
#include "counters.h"
#include "line.h"
#include "material.h"
#include "serving.h"

typedef struct hr_bench_field {
    const hr_bench_settings *settings;
    hr_bench_material material;
    hr_bench_serving serving;
    hr_bench_counters counters; /* of the devices below the directory, and of the network */
    hr_bench_line line;         /* that bytes come in by */
} hr_bench_field;

/* Zeroed memory at first. What the settings want of a verb is then there. */
HR_CHECKED hr_status hr_bench_field_prepare(hr_bench_field *field, unsigned verb,
                                            const hr_bench_settings *settings, hr_error *error);
void hr_bench_field_release(hr_bench_field *field);
/* Whether a verb measures with files here; with a server here. */
bool hr_bench_field_has_files(unsigned verb, const hr_bench_settings *settings);
bool hr_bench_field_has_server(unsigned verb, const hr_bench_settings *settings);

#endif
