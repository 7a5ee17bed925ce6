/* SPDX-License-Identifier: Apache-2.0 */
/* What it costs to make memory known to a device: to a NIC, of the host's memory or a GPU's, and to
 * a GPU, of the host's. */
#ifndef HR_BENCH_REGISTER_DEVICE_H
#define HR_BENCH_REGISTER_DEVICE_H

#include "measure.h"
#include "transport.h"

#define HR_BENCH_POOL_LEN ((size_t)64 << 20) /* a worker's */

typedef struct hr_bench_register_work {
    uint64_t duration_ns;
    bool by_nic;  /* registered with the first RDMA device; else pinned for the GPU */
    bool of_gpu;  /* the GPU's memory, as a dma-buf */
    unsigned gpu; /* cuda:N, where one takes part */
    const hr_verbs_calls *calls; /* NULL: the system's */
    hr_bench_histogram *latency; /* of each registration */
} hr_bench_register_work;

/* In a process of its own, if a GPU takes part. Giving back is not counted. */
HR_CHECKED hr_status hr_bench_register_device(const hr_bench_register_work *work,
                                              hr_bench_measure *measure_out, hr_error *error);

#endif
