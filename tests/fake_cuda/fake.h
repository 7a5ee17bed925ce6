/* SPDX-License-Identifier: Apache-2.0 */
/* A driver without a GPU: a library with the entry points of libcuda.so.1 that engine/cuda asks
 * for. A program that finds it in LD_LIBRARY_PATH has GPUs whose memory is the host's and whose
 * kernels run on the host's lanes, and whose name says so. It is no model of speed; it is one of
 * what is allowed:
 *
 *   memory    a device's addresses cannot be touched by the host at all, and every address that a
 *             copy or a kernel names is looked up with its length: outside is an illegal address
 *   streams   a thread each: what was put into one happens later, and in order only within it
 *   contexts  must be current, a thread each; one that was lost stays so
 *   the end   fake_cuda_left counts what was not given back
 *
 * FAKE_CUDA_DEVICES=N   how many there are (2)
 * FAKE_CUDA_VERSION=N   of the driver (12080)
 * FAKE_CUDA_MEMORY=N    bytes of each (1 GiB)
 * FAKE_CUDA_DMABUF=0    memory cannot be handed out as a dma-buf
 * FAKE_CUDA_ORDERING=N  how far what a NIC writes is ordered (0: a kernel sees it after a flush
 *                       only)
 * FAKE_CUDA_FLUSHES=N   what can flush (1: the call that does)
 * FAKE_CUDA_FAIL=CALL:N:RESULT
 *                       the Nth call of this name comes back with RESULT; "kernel" and "copy" are
 *                       those that fail when they run
 * FAKE_CUDA_FAILED=FILE is written when that has happened
 * FAKE_CUDA_FLIP=N:M    from the Nth on M copies to a device, of more than a page each, have a bit
 *                       wrong
 * FAKE_CUDA_BLIND=1     the kernels find every chunk right
 * FAKE_CUDA_SEED=N      no threads: what is in streams happens while somebody waits, or calls; the
 *                       seed decides which stream is next, and how much happens */
#ifndef HR_FAKE_H
#define HR_FAKE_H

/* Entry points are found by their names, and nobody includes them. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "cuda.h"
#include "list.h"

enum {
    FAKE_INVALID_VALUE = 1,
    FAKE_NOT_INITIALIZED = 3,
    FAKE_INVALID_DEVICE = 101,
    FAKE_INVALID_CONTEXT = 201,
    FAKE_INVALID_HANDLE = 400,
    FAKE_NOT_FOUND = 500,
    FAKE_ILLEGAL_ADDRESS = 700,
    FAKE_ALREADY_REGISTERED = 712,
};

#define FAKE_DEVICES_MAX 8

/* hr_cuda_context */
typedef struct fake_context {
    int device;
    int retained;
    hr_cuda_result lost; /* what every call comes back with */
    uint64_t used;       /* bytes of the device */
} fake_context;

typedef enum fake_kind {
    FAKE_DEVICE,
    FAKE_PINNED,
    FAKE_REGISTERED,
} fake_kind;

typedef struct fake_memory {
    hr_list node;
    fake_kind kind;
    int device;
    uint8_t *address; /* as it is named */
    uint8_t *bytes;   /* where they are */
    size_t len;
} fake_memory;

/* One lock for everything, which is held wherever something below is looked at. */
extern pthread_mutex_t fake_lock;
extern pthread_cond_t fake_changed;

/* The context that is current, if it can be used: else the result. */
hr_cuda_result fake_current(fake_context **context_out);
/* The number that the environment has under this name. */
unsigned long fake_setting(const char *name, unsigned long otherwise);
/* Counts the call; what FAKE_CUDA_FAIL has for it. */
hr_cuda_result fake_fail(const char *call);
void fake_lose(fake_context *context, hr_cuda_result result);
/* All len bytes lie in one piece of memory that the device reaches; NULL: they do not. */
void *fake_reach(int device, uint64_t address, size_t len);
/* What the address lies in; NULL: in nothing that was taken or registered here. */
fake_memory *fake_find(uint64_t address);
/* With the first context: the seed and the count of copies begin anew. */
void fake_begin(void);
/* Streams and events that were not given back. */
extern int fake_handles;

/* For tests in the same process (support/fake_cuda.h). */
int fake_cuda_left(void);
void fake_cuda_hold(hr_cuda_stream *stream, int held);
unsigned fake_cuda_grid(void);
/* A NIC's, which reaches memory of a device by its address, or by that of its dma-buf and an
 * offset: whether all len bytes are there; and a write, which no kernel or copy sees before it is
 * flushed where the platform does not order it. 0: not there. */
uint64_t fake_cuda_dmabuf(int fd, uint64_t offset);
int fake_cuda_has(uint64_t address, size_t len);
int fake_cuda_write(uint64_t address, const void *bytes, size_t len);
/* Where the bytes are that have this address. */
void *fake_cuda_bytes(uint64_t address);
/* Calls of cuFlushGPUDirectRDMAWrites since it was last asked. */
unsigned fake_cuda_flushes(void);
/* What a NIC wrote there goes with the memory. */
void fake_forget_writes(const fake_memory *memory);
/* Waits until nothing is under way in any stream of the device. */
void fake_drain(int device);

/* A kernel of a batch; false: it named an address that it does not reach. Without the lock. */
bool fake_run_kernel(int device, const char *name, unsigned grid, const void *arguments);
#define FAKE_ARGUMENTS_LEN 64u
/* Copies what the arguments of a launch point to; false: there is no such kernel. */
bool fake_take_arguments(const char *name, void **arguments, void *taken);

#endif
