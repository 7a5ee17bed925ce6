/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of a batch. Warps stay and take blocks from a counter, so that blocks of any length
 * share the multiprocessors, and so that their number can be bounded. */
#include "batch.h"

#include <cuda_runtime.h>

#include "batch_lanes.h"
extern "C" {
#include "crc32c.h"
}

#define WARPS         4u /* a thread block */
#define THREADS       (WARPS * HR_LANES)
#define BLOCKS_PER_SM 8u /* 32 warps: at most 64 registers a thread */

static __global__ void __launch_bounds__(THREADS) start_jobs(hr_batch batch, hr_batch_memory memory)
{
    hr_lanes lanes = {threadIdx.x % HR_LANES};
    uint32_t number = blockIdx.x * WARPS + threadIdx.x / HR_LANES;
    if (number == 0 && lanes.lane == 0)
        ((hr_batch_table *)memory.scratch)->next = 0;
    if (number >= batch.jobs)
        return;
    const hr_batch_view view = hr_batch_view_of(&batch, &memory);
    hr_batch_start_job(&lanes, &view, number);
}

static __global__ void __launch_bounds__(THREADS, BLOCKS_PER_SM)
    run_blocks(hr_batch batch, hr_batch_memory memory,
               const __grid_constant__ hr_crc32c_lane_table given)
{
    __shared__ hr_crc32c_lane_table table;
    __shared__ hr_batch_work works[WARPS];
    __shared__ hr_batch_view view; /* here and not in registers, of which there are just enough */
    if (threadIdx.x == 0)
        view = hr_batch_view_of(&batch, &memory);
    const uint32_t *words = (const uint32_t *)&given;
    for (uint32_t i = threadIdx.x; i < sizeof table / sizeof *words; i += THREADS)
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

static hr_status status_of(cudaError_t error)
{
    switch (error) {
    case cudaSuccess:
        return HR_OK;
    case cudaErrorMemoryAllocation:
        return HR_NO_MEMORY;
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorNoKernelImageForDevice:
        return HR_UNSUPPORTED;
    case cudaErrorInvalidValue:
    case cudaErrorInvalidResourceHandle:
        return HR_INVALID;
    default:
        return HR_IO;
    }
}

hr_status hr_batch_cuda_decode(void *stream, const hr_batch *batch, const hr_batch_memory *memory,
                               unsigned max_sms)
{
    int device = 0, sms = 0;
    if (batch->jobs == 0)
        return HR_OK;
    cudaError_t error = cudaGetDevice(&device);
    if (error == cudaSuccess)
        error = cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, device);
    if (error != cudaSuccess)
        return status_of(error);
    if (max_sms != 0 && max_sms < (unsigned)sms)
        sms = (int)max_sms;
    const unsigned needed = (batch->blocks + WARPS - 1) / WARPS;
    unsigned grid = (unsigned)sms * BLOCKS_PER_SM;
    grid = needed < grid ? needed : grid;
    hr_crc32c_lane_table table;
    hr_crc32c_lane_table_make(&table);
    start_jobs<<<(batch->jobs + WARPS - 1) / WARPS, THREADS, 0, (cudaStream_t)stream>>>(*batch,
                                                                                        *memory);
    if (grid > 0)
        run_blocks<<<grid, THREADS, 0, (cudaStream_t)stream>>>(*batch, *memory, table);
    return status_of(cudaGetLastError());
}
