/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of a batch, started by batch_cuda.c. Warps stay and take blocks from a counter, so
 * that blocks of any length share the multiprocessors, and so that their number can be bounded. */
#include "batch_kernels.h"
#include "batch_lanes.h"

extern "C" __global__ void __launch_bounds__(HR_BATCH_THREADS)
    hr_batch_start(hr_batch batch, hr_batch_memory memory)
{
    hr_lanes lanes = {threadIdx.x % HR_LANES};
    uint32_t number = blockIdx.x * HR_BATCH_WARPS + threadIdx.x / HR_LANES;
    if (number == 0 && lanes.lane == 0)
        ((hr_batch_table *)memory.scratch)->next = 0;
    if (number >= batch.jobs)
        return;
    const hr_batch_view view = hr_batch_view_of(&batch, &memory);
    hr_batch_start_job(&lanes, &view, number);
}

extern "C" __global__ void __launch_bounds__(HR_BATCH_THREADS, HR_BATCH_RESIDENT)
    hr_batch_run(hr_batch batch, hr_batch_memory memory,
                 const hr_crc32c_lane_table *__restrict__ given)
{
    __shared__ hr_crc32c_lane_table table;
    __shared__ hr_batch_work works[HR_BATCH_WARPS];
    __shared__ hr_batch_view view; /* here and not in registers, of which there are just enough */
    if (threadIdx.x == 0)
        view = hr_batch_view_of(&batch, &memory);
    const uint32_t *words = (const uint32_t *)given;
    for (uint32_t i = threadIdx.x; i < sizeof table / sizeof *words; i += HR_BATCH_THREADS)
        ((uint32_t *)&table)[i] = words[i];
    __syncthreads();
    hr_lanes lanes = {threadIdx.x % HR_LANES};
    hr_batch_work *work = &works[threadIdx.x / HR_LANES];
    for (;;) {
        uint32_t number[HR_HELD] = {0};
        if (lanes.lane == 0)
            number[0] = atomicAdd(&((hr_batch_table *)memory.scratch)->next, 1u);
        const uint32_t taken = hr_lanes_get(number, 0);
        if (taken >= batch.blocks)
            return;
        hr_batch_run_block(&lanes, &table, work, &view, taken);
    }
}
