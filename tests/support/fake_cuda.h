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
/* What a NIC sees of a device's memory: by the dma-buf of a range and an offset in it, its address
 * (0: that is none); whether all of it is there; a write, false if it is not. Where
 * FAKE_CUDA_ORDERING is below 100 nobody sees it before it was flushed. */
uint64_t fake_cuda_dmabuf(int fd, uint64_t offset);
int fake_cuda_has(uint64_t address, size_t len);
int fake_cuda_write(uint64_t address, const void *bytes, size_t len);
/* Where the bytes are that have this address, for the host to look at. */
void *fake_cuda_bytes(uint64_t address);
/* Flushes since it was last asked. */
unsigned fake_cuda_flushes(void);

#ifdef __cplusplus
}
#endif

#endif
