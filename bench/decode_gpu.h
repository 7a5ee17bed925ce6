/* SPDX-License-Identifier: Apache-2.0 */
/* Packed chunks that lie in a GPU's memory, decoded and verified there, batch after batch. */
#ifndef HR_BENCH_DECODE_GPU_H
#define HR_BENCH_DECODE_GPU_H

#include "measure.h"

#define HR_BENCH_GPU_BATCH_MAX 256

typedef struct hr_bench_gpu_work {
    unsigned gpu;           /* cuda:N */
    unsigned batch;         /* chunks of a batch: 1 to HR_BENCH_GPU_BATCH_MAX */
    unsigned chunks;        /* different ones; a batch has them in turn */
    uint8_t *const *stored; /* of each, in host memory */
    const size_t *stored_len;
    const uint8_t *content; /* of all of them, one after the other */
    uint32_t content_len;   /* of each */
    uint32_t codec;         /* hr_codec_id */
    uint64_t duration_ns;
    hr_bench_histogram *latency; /* of each batch */
} hr_bench_gpu_work;

/* In a process of its own. The first batch warms up, and what it made is compared. */
HR_CHECKED hr_status hr_bench_decode_gpu(const hr_bench_gpu_work *work,
                                         hr_bench_measure *measure_out, hr_error *error);

#endif
