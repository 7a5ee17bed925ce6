/* SPDX-License-Identifier: Apache-2.0 */
/* One server, several clients: that fetch as fast as they can, or as accelerators want it. */
#include <stdio.h>

#include "client.h"
#include "crowd.h"

/* What --source names, or what the server has that was started. */
static void name_source(const hr_bench_field *field, const char *path,
                        char source_out[HR_BENCH_SOURCE_MAX])
{
    if (hr_bench_is_served_elsewhere(field->settings))
        snprintf(source_out, HR_BENCH_SOURCE_MAX, "%s", hr_bench_field_source(field));
    else
        snprintf(source_out, HR_BENCH_SOURCE_MAX, "hr://%s/shards/%s", field->serving.address,
                 path);
}

hr_status hr_bench_run_fanout(hr_bench_field *field, const hr_bench_contender *contender,
                              hr_bench_measure *measure_out, hr_error *error)
{
    char source[HR_BENCH_SOURCE_MAX];
    hr_bench_crowd crowd = {.source = source, .count = field->settings->clients};
    (void)contender;
    name_source(field, "small", source);
    return hr_bench_crowd_run(field, &crowd, measure_out, error);
}

hr_status hr_bench_run_loader(hr_bench_field *field, const hr_bench_contender *contender,
                              hr_bench_measure *measure_out, hr_error *error)
{
    char source[HR_BENCH_SOURCE_MAX];
    hr_bench_crowd crowd = {
        .source = source,
        .count = field->settings->accelerators,
        .trains = true,
        .to_gpu = contender->gpu,
    };
    name_source(field, "tree", source);
    return hr_bench_crowd_run(field, &crowd, measure_out, error);
}
