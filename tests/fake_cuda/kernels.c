/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels of kernels/batch do, on the host's lanes. They are given copies of the tables in
 * which every address is one that the host reaches. */
#include <stdlib.h>
#include <string.h>

#include "batch_kernels.h"
#include "batch_lanes.h"
#include "fake.h"

/* As batch_cuda.cu declares them. */
typedef struct arguments {
    hr_batch batch;
    hr_batch_memory memory;
    uint64_t table;
} arguments;

_Static_assert(sizeof(arguments) <= FAKE_ARGUMENTS_LEN, "arguments of a launch");

bool fake_take_arguments(const char *name, void **given, void *taken)
{
    arguments it = {.table = 0};
    bool runs = strcmp(name, HR_BATCH_RUN_NAME) == 0;
    if (!runs && strcmp(name, HR_BATCH_START_NAME) != 0)
        return false;
    if (given != NULL) {
        memcpy(&it.batch, given[0], sizeof it.batch);
        memcpy(&it.memory, given[1], sizeof it.memory);
        if (runs)
            memcpy(&it.table, given[2], sizeof it.table);
    }
    memcpy(taken, &it, sizeof it);
    return true;
}

static void *reach(int device, const void *address, size_t len)
{
    pthread_mutex_lock(&fake_lock);
    void *bytes = fake_reach(device, (uint64_t)(uintptr_t)address, len);
    pthread_mutex_unlock(&fake_lock);
    return bytes;
}

static bool reach_job(int device, hr_batch_job *job)
{
    bool right = true;
    if (job->source_len > 0) {
        void *source = reach(device, (void *)(uintptr_t)job->source, job->source_len);
        right = source != NULL;
        job->source = (uint64_t)(uintptr_t)source;
    }
    if (job->target != 0 && job->content_len > 0) {
        void *target = reach(device, (void *)(uintptr_t)job->target, job->content_len);
        right = right && target != NULL;
        job->target = (uint64_t)(uintptr_t)target;
    }
    return right;
}

static void run(const arguments *it, const hr_batch_view *view, const hr_crc32c_lane_table *table,
                unsigned grid)
{
    hr_lanes lanes = {.seed = grid + it->batch.jobs};
    hr_batch_work work = {.window = {.bytes = {0}}};
    uint32_t *next = &((hr_batch_table *)it->memory.scratch)->next;
    if (table == NULL) {
        *next = 0;
        for (uint32_t i = 0; i < it->batch.jobs && i < grid * HR_BATCH_WARPS; i++)
            hr_batch_start_job(&lanes, view, i);
        return;
    }
    while (*next < it->batch.blocks)
        hr_batch_run_block(&lanes, table, &work, view, (*next)++);
}

bool fake_run_kernel(int device, const char *name, unsigned grid, const void *taken)
{
    arguments it;
    memcpy(&it, taken, sizeof it);
    const size_t jobs_len = it.batch.jobs * sizeof(hr_batch_job);
    const hr_batch_job *jobs = reach(device, it.memory.jobs, jobs_len);
    const hr_crc32c_lane_table *table = NULL;
    bool right = jobs != NULL;
    it.memory.scratch = reach(device, it.memory.scratch, hr_batch_scratch_len(&it.batch));
    it.memory.statuses = reach(device, it.memory.statuses, it.batch.jobs * sizeof(int32_t));
    right = right && it.memory.scratch != NULL && it.memory.statuses != NULL;
    if (strcmp(name, HR_BATCH_RUN_NAME) == 0) {
        table = reach(device, (void *)(uintptr_t)it.table, sizeof *table);
        right = right && table != NULL;
    }
    hr_batch_job *reached = right ? malloc(jobs_len) : NULL;
    if (reached == NULL)
        return false;
    memcpy(reached, jobs, jobs_len);
    for (uint32_t i = 0; i < it.batch.jobs; i++)
        right = right && reach_job(device, &reached[i]);
    it.memory.jobs = reached;
    const hr_batch_view view = hr_batch_view_of(&it.batch, &it.memory);
    if (right)
        run(&it, &view, table, grid);
    for (uint32_t i = 0; right && i < it.batch.jobs && fake_setting("FAKE_CUDA_BLIND", 0) != 0; i++)
        it.memory.statuses[i] = HR_OK;
    free(reached);
    return right;
}
