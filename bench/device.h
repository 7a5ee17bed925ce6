/* SPDX-License-Identifier: Apache-2.0 */
/* Whether this machine has what some contenders need. It is tried once, and in a process of its
 * own: a driver that was started cannot be used by the processes that are forked afterwards. */
#ifndef HR_BENCH_DEVICE_H
#define HR_BENCH_DEVICE_H

#include <stdbool.h>

#define HR_BENCH_WHY_MAX 200

/* A GPU that this build has kernels for. why_out: the sentence, where there is none. */
bool hr_bench_has_gpu(char why_out[HR_BENCH_WHY_MAX]);
/* An RDMA device. */
bool hr_bench_has_nic(char why_out[HR_BENCH_WHY_MAX]);
bool hr_bench_has_gpu_and_nic(char why_out[HR_BENCH_WHY_MAX]);

#endif
