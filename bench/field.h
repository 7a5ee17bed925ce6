/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_field: what the contenders of a race run on: files and a server. The files of each point
 * of a sweep are made once and stay until the end; points that can share them do. */
#ifndef HR_BENCH_FIELD_H
#define HR_BENCH_FIELD_H

#include "bench_settings.h"
#include "counters.h"
#include "line.h"
#include "material.h"
#include "remote.h"
#include "serving.h"
#include "sweep.h"

typedef struct hr_bench_field {
    const hr_bench_settings *settings;
    const hr_bench_material *material; /* of the point that is measured */
    hr_bench_serving serving;          /* of the same */
    hr_bench_remote remote;            /* with --host: the server, and its files */
    hr_bench_counters counters;        /* of the devices below the directory, and of the network */
    hr_bench_line line;                /* that bytes come in by; with --both both directions */

    uint64_t longest; /* of all points: a file of that length is read by each as far as it wants */
    unsigned made_count;
    hr_bench_material made[HR_BENCH_POINTS_MAX];
} hr_bench_field;

/* The files of a point, if they are not there yet. */
HR_CHECKED hr_status hr_bench_field_make(hr_bench_field *field, unsigned verb,
                                         const hr_bench_settings *settings, hr_error *error);

/* Zeroed memory at first. What the settings want of a verb is then there, with its server. */
HR_CHECKED hr_status hr_bench_field_prepare(hr_bench_field *field, unsigned verb,
                                            const hr_bench_settings *settings, hr_error *error);
void hr_bench_field_release(hr_bench_field *field);
/* What is moved of the large file, or of its pieces: --size, of each in whole chunks. */
uint64_t hr_bench_field_size(const hr_bench_field *field);
/* Where it is served elsewhere: "hr://host:port/export/path". */
const char *hr_bench_field_source(const hr_bench_field *field);
/* Whether a verb measures with files here, be it only its target. */
bool hr_bench_field_has_files(unsigned verb, const hr_bench_settings *settings);

#endif
