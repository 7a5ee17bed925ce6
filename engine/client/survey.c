/* SPDX-License-Identifier: Apache-2.0 */
#include "survey.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

#define GPU_PREFIX "cuda:"

static bool find_target(hr_platform *platform, const char *target, hr_site *site_out)
{
    size_t len = strlen(GPU_PREFIX);
    if (strncmp(target, GPU_PREFIX, len) == 0)
        return platform->gpu_site != NULL &&
               platform->gpu_site(platform, (int)strtol(target + len, NULL, 10), site_out);
    return platform->drive_site != NULL && platform->drive_site(platform, target, site_out);
}

static void run(hr_job *job)
{
    hr_survey *survey = HR_CONTAINER(job, hr_survey, job);
    hr_transport *rdma = survey->rdma;
    for (size_t i = 0; i < survey->count; i++)
        survey->found[i].nics = rdma->ops->neighbours(rdma, survey->found[i].address);
    if (survey->target != NULL)
        survey->has_site = find_target(survey->platform, survey->target, &survey->site);
}

static void ended(hr_job *job)
{
    hr_survey *survey = HR_CONTAINER(job, hr_survey, job);
    survey->busy = false;
    hr_survey_fini(survey); /* the target is known now, or will never be */
    survey->done(survey->context);
}

hr_status hr_survey_init(hr_survey *survey, hr_platform *platform, hr_transport *rdma,
                         const char *target, void (*done)(void *context), void *context)
{
    hr_transport_caps caps = {0};
    *survey = (hr_survey){
        .job = {.run = run, .done = ended, .loop = rdma == NULL ? NULL : rdma->loop},
        .platform = platform,
        .rdma = rdma,
        .done = done,
        .context = context,
    };
    if (rdma != NULL)
        rdma->ops->query(rdma, &caps);
    return hr_engine_copy_text(platform->env, caps.rails > 1 ? target : NULL, &survey->target);
}

void hr_survey_start(hr_survey *survey)
{
    assert(!survey->busy && survey->rdma != NULL);
    survey->busy = true;
    hr_helpers_submit(survey->platform->helpers, &survey->job);
}

void hr_survey_fini(hr_survey *survey)
{
    if (survey->platform != NULL)
        hr_release(survey->platform->env, survey->target);
    survey->target = NULL;
}
