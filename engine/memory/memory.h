/* SPDX-License-Identifier: Apache-2.0 */
/* The memory seam: where bytes are held. Taken at start, given back at the end, never per chunk.
 * Implementations: memory_host.c (huge pages, then transparent huge pages, then plain pages),
 * memory_cuda.c (a GPU's, and host memory that is pinned for it), memory_fault.c (wraps another,
 * the nth allocation fails). */
#ifndef HR_MEMORY_H
#define HR_MEMORY_H

#include "cuda.h"
#include "env.h"
#include "span.h"
#include "status.h"

typedef struct hr_memory hr_memory;

typedef enum hr_page_kind {
    HR_PAGES_PLAIN,
    HR_PAGES_TRANSPARENT_HUGE, /* asked for; the kernel may have given fewer */
    HR_PAGES_HUGE,             /* reserved huge pages */
    HR_PAGES_DEVICE,
} hr_page_kind;

typedef struct hr_memory_ops {
    const char *name;
    hr_memory_kind kind;
    void (*destroy)(hr_memory *memory);
    /* len bytes, touched (so that no page fault is left for the data path), aligned to 4096 at
     * least. */
    hr_status (*alloc)(hr_memory *memory, size_t len, hr_span *span_out, hr_page_kind *pages_out);
    /* The same, touched piece by piece when it is needed: until then it costs nothing but
     * addresses. NULL: no memory of this kind can. */
    hr_status (*reserve)(hr_memory *memory, size_t len, hr_span *span_out, hr_page_kind *pages_out);
    /* Of what was reserved; a lack of memory shows here, or when it is written to. */
    hr_status (*touch)(hr_memory *memory, const hr_span *span);
    void (*release)(hr_memory *memory, hr_span *span);
    /* Both directions between this kind and host memory; may block. */
    hr_status (*copy)(hr_memory *memory, const hr_span *target, const hr_span *source);
    /* The same bytes as a dma-buf, by which a NIC can register them (HR_MEMORY_DMABUF). Its
     * descriptor is the caller's to close, after all that was registered by it and before the
     * memory is released. HR_UNSUPPORTED: this GPU or its driver has none. NULL: no memory of this
     * kind has. */
    hr_status (*dmabuf)(hr_memory *memory, const hr_span *span, hr_span *dmabuf_out);
} hr_memory_ops;

struct hr_memory {
    const hr_memory_ops *ops;
    const hr_env *env;
};

HR_CHECKED hr_status hr_memory_host_create(const hr_env *env, hr_memory **memory_out);
/* Memory of the GPU with this number; host memory that it reads and writes by itself. cuda outlives
 * both. HR_NOT_FOUND: there is no such GPU. */
HR_CHECKED hr_status hr_memory_cuda_create(const hr_env *env, const hr_cuda *cuda, int device,
                                           hr_memory **memory_out);
HR_CHECKED hr_status hr_memory_pinned_create(const hr_env *env, const hr_cuda *cuda, int device,
                                             hr_memory **memory_out);
/* Owns inner. The nth allocation (from 1) is HR_NO_MEMORY. */
HR_CHECKED hr_status hr_memory_fault_create(hr_memory *inner, uint64_t nth, hr_memory **memory_out);

static inline void hr_memory_destroy(hr_memory *memory)
{
    if (memory != NULL)
        memory->ops->destroy(memory);
}

#endif
