/* SPDX-License-Identifier: Apache-2.0 */
/* The GPU of a trial: the driver of tests/fake_cuda, without threads, so that a story with it is
 * the same each time. */
#include <stdio.h>
#include <stdlib.h>

#include "fake_cuda.h"
#include "trial_parts.h"

static void must(bool went_well)
{
    if (!went_well)
        abort();
}

static void set(const char *name, const char *value)
{
    must((value != NULL ? setenv(name, value, 1) : unsetenv(name)) == 0);
}

static void set_faults(const hr_trial *trial, bool any)
{
    const hr_scenario *scenario = trial->scenario;
    char fail[80], flip[80];
    snprintf(fail, sizeof fail, "%s:%u:%u", scenario->gpu_fails, scenario->gpu_fail_nth,
             scenario->gpu_result);
    snprintf(flip, sizeof flip, "%u:%u", scenario->gpu_flip_nth, scenario->gpu_flips);
    set("FAKE_CUDA_FAIL", any && scenario->gpu_fails != NULL ? fail : NULL);
    set("FAKE_CUDA_FLIP", any && scenario->gpu_flips > 0 ? flip : NULL);
}

/* The spans of all gets, of this attempt or a later player's. */
static void for_spans(hr_trial *trial, void (*what)(const hr_cuda *cuda, hr_trial_get *get))
{
    const hr_cuda *cuda = fake_cuda();
    for (unsigned p = 0; p < trial->scenario->clients; p++)
        for (unsigned i = 0; i < trial->players[p].get_count; i++)
            what(cuda, &trial->players[p].gets[i]);
}

static void take(const hr_cuda *cuda, hr_trial_get *get)
{
    must(cuda->mem_alloc(&get->gpu_span, get->span_len + HR_TRIAL_SPAN_GUARD) == HR_CUDA_SUCCESS);
    get->span = fake_cuda_bytes(get->gpu_span);
    hr_trial_poison(get);
}

static void give(const hr_cuda *cuda, hr_trial_get *get)
{
    (void)cuda->mem_free(get->gpu_span); /* also in a context that is lost */
    get->span = NULL;
}

void hr_trial_gpu_begin(hr_trial *trial)
{
    const hr_cuda *cuda = fake_cuda();
    hr_cuda_context *context;
    char seed[40];
    if (trial->scenario->target != HR_SCENARIO_TO_GPU)
        return;
    snprintf(seed, sizeof seed, "%llu",
             (unsigned long long)(trial->scenario->seed * 16 + trial->attempt));
    set("FAKE_CUDA_SEED", seed);
    set("FAKE_CUDA_FLUSHES", "0"); /* no rail of the simulator's writes into a GPU */
    set_faults(trial, false);
    must(cuda->context_retain(&context, 0) == HR_CUDA_SUCCESS &&
         cuda->context_push(context) == HR_CUDA_SUCCESS);
    for_spans(trial, take);
    set_faults(trial, !trial->clean);
}

void hr_trial_gpu_end(hr_trial *trial)
{
    const hr_cuda *cuda = fake_cuda();
    hr_cuda_context *context;
    if (trial->scenario->target != HR_SCENARIO_TO_GPU)
        return;
    set_faults(trial, false);
    for_spans(trial, give);
    (void)cuda->context_pop(&context);
    (void)cuda->context_release(0);
    int left = fake_cuda_left();
    if (left != 0)
        hr_trial_fail(trial, "%d things of the GPU were never given back", left);
}
