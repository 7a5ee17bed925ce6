/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernels of a batch and those who start them have to agree on. */
#ifndef HR_BATCH_KERNELS_H
#define HR_BATCH_KERNELS_H

#define HR_BATCH_WARPS    4u /* of a thread block */
#define HR_BATCH_THREADS  (HR_BATCH_WARPS * 32u)
#define HR_BATCH_RESIDENT 8u /* thread blocks a multiprocessor: at most 64 registers a thread */

/* hr_batch_start(hr_batch, hr_batch_memory): a warp a job. hr_batch_run(hr_batch, hr_batch_memory,
 * const hr_crc32c_lane_table *): warps that take blocks until there are none. */
#define HR_BATCH_START_NAME "hr_batch_start"
#define HR_BATCH_RUN_NAME   "hr_batch_run"

/* Where the kernels would be, of a program that was built without nvcc. */
#define HR_BATCH_NO_KERNELS "// no kernels: built without nvcc\n"

#endif
