/* SPDX-License-Identifier: Apache-2.0 */
/* A driver without a GPU: device memory is host memory, and every call is checked: a context must
 * be current, what is freed was allocated, and at the end nothing is left. One at a time. */
#ifndef HR_FAKE_CUDA_H
#define HR_FAKE_CUDA_H

#ifdef __cplusplus
extern "C" {
#endif

#include "cuda.h"

#define FAKE_CUDA_DEVICES 2

const hr_cuda *fake_cuda(void);
/* Allocations, streams, contexts and pushes that were not taken back. */
int fake_cuda_left(void);

#ifdef __cplusplus
}
#endif

#endif
