/* SPDX-License-Identifier: Apache-2.0 */
/* The driver without a GPU of tests/fake_cuda (its fake.h says what it can be told) in a test's own
 * process; another process finds it with its folder in LD_LIBRARY_PATH. */
#ifndef HR_FAKE_CUDA_H
#define HR_FAKE_CUDA_H

#ifdef __cplusplus
extern "C" {
#endif

#include "cuda.h"

#define FAKE_CUDA_DEVICES 2

const char *fake_cuda_folder(void);
/* Loaded by its path, and left open. Aborts where that fails. From then on hr_cuda_open of
 * HR_CUDA_LIBRARY finds it too. */
const hr_cuda *fake_cuda(void);
/* Allocations, streams, events, modules, contexts and pushes that were not taken back. */
int fake_cuda_left(void);
/* What is in the stream and comes into it does not happen until it is let go. */
void fake_cuda_hold(hr_cuda_stream *stream, int held);
/* Thread blocks of the widest launch of the kernel that decodes, since it was last asked. */
unsigned fake_cuda_grid(void);

#ifdef __cplusplus
}
#endif

#endif
