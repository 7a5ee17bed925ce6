/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

#include <stdio.h>

#include "child.h"
#include "env.h"
#include "headrace.h"
#include "helpers.h"
#include "transport.h"

#define LOOK_NS (60 * HR_NS_PER_S) /* the first context of a large machine takes seconds */

typedef struct device_look {
    hr_status (*look)(void *why);
    bool is_known, is_there;
    char why[HR_BENCH_WHY_MAX];
} device_look;

static hr_status look_for_gpu(void *context)
{
    const hr_gpu_options options = {.chunks_max = 1};
    hr_error error = {0};
    hr_gpu *gpu = NULL;
    (void)context;
    hr_status status = hr_gpu_open(&options, &gpu, &error);
    if (status != HR_OK)
        fprintf(stderr, "%s\n", error.text);
    hr_gpu_close(gpu);
    return status;
}

static hr_status look_for_nic(void *context)
{
    hr_error error = {0};
    hr_helpers *helpers = NULL;
    hr_verbs *verbs = NULL;
    (void)context;
    hr_status status = hr_helpers_create(hr_env_system(), 1, &helpers);
    if (status == HR_OK)
        status = hr_verbs_create(hr_env_system(), helpers, NULL, &verbs, &error);
    if (status != HR_OK)
        fprintf(stderr, "%s\n", error.text[0] != '\0' ? error.text : hr_status_text(status));
    hr_verbs_destroy(verbs);
    hr_helpers_destroy(helpers);
    return status;
}

static bool is_there(device_look *it, char why_out[HR_BENCH_WHY_MAX])
{
    hr_bench_child child = {0};
    hr_error error = {0};
    if (!it->is_known) {
        hr_status status = hr_bench_child_fork(&child, "a look", it->look, NULL, &error);
        if (status == HR_OK)
            status = hr_bench_child_wait(&child, LOOK_NS, &error);
        it->is_there = status == HR_OK;
        it->is_known = true;
        const char *words = child.name != NULL ? hr_bench_child_last_words(&child) : "";
        snprintf(it->why, sizeof it->why, "%.190s", words[0] != '\0' ? words : error.text);
        hr_bench_child_stop(&child);
    }
    snprintf(why_out, HR_BENCH_WHY_MAX, "%s", it->is_there ? "" : it->why);
    return it->is_there;
}

bool hr_bench_has_gpu(char why_out[HR_BENCH_WHY_MAX])
{
    static device_look gpu = {.look = look_for_gpu};
    return is_there(&gpu, why_out);
}

bool hr_bench_has_nic(char why_out[HR_BENCH_WHY_MAX])
{
    static device_look nic = {.look = look_for_nic};
    return is_there(&nic, why_out);
}

bool hr_bench_has_gpu_and_nic(char why_out[HR_BENCH_WHY_MAX])
{
    return hr_bench_has_gpu(why_out) && hr_bench_has_nic(why_out);
}
