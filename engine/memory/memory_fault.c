/* SPDX-License-Identifier: Apache-2.0 */
/* Wraps another memory: the nth allocation fails, so that a test can walk through every place where
 * there may be none. */
#include <stdbool.h>

#include "memory.h"

typedef struct fault_memory {
    hr_memory base;
    hr_memory_ops ops; /* the kind is the inner one's */
    hr_memory *inner;
    uint64_t nth, count; /* count: atomic, memory may be taken by any thread */
} fault_memory;

static bool is_the_nth(fault_memory *fault)
{
    return __atomic_add_fetch(&fault->count, 1, __ATOMIC_RELAXED) == fault->nth;
}

static hr_status fault_alloc(hr_memory *memory, size_t len, hr_span *span_out,
                             hr_page_kind *pages_out)
{
    fault_memory *fault = (fault_memory *)memory;
    if (is_the_nth(fault))
        return HR_NO_MEMORY;
    return fault->inner->ops->alloc(fault->inner, len, span_out, pages_out);
}

static hr_status fault_reserve(hr_memory *memory, size_t len, hr_span *span_out,
                               hr_page_kind *pages_out)
{
    fault_memory *fault = (fault_memory *)memory;
    if (is_the_nth(fault))
        return HR_NO_MEMORY;
    return fault->inner->ops->reserve(fault->inner, len, span_out, pages_out);
}

static hr_status fault_touch(hr_memory *memory, const hr_span *span)
{
    fault_memory *fault = (fault_memory *)memory;
    if (is_the_nth(fault))
        return HR_NO_MEMORY;
    return fault->inner->ops->touch(fault->inner, span);
}

static void fault_release(hr_memory *memory, hr_span *span)
{
    fault_memory *fault = (fault_memory *)memory;
    fault->inner->ops->release(fault->inner, span);
}

static hr_status fault_copy(hr_memory *memory, const hr_span *target, const hr_span *source)
{
    fault_memory *fault = (fault_memory *)memory;
    return fault->inner->ops->copy(fault->inner, target, source);
}

static hr_status fault_dmabuf(hr_memory *memory, const hr_span *span, hr_span *dmabuf_out)
{
    fault_memory *fault = (fault_memory *)memory;
    return fault->inner->ops->dmabuf(fault->inner, span, dmabuf_out);
}

static void fault_destroy(hr_memory *memory)
{
    fault_memory *fault = (fault_memory *)memory;
    hr_memory_destroy(fault->inner);
    hr_release(memory->env, fault);
}

hr_status hr_memory_fault_create(hr_memory *inner, uint64_t nth, hr_memory **memory_out)
{
    fault_memory *fault = hr_alloc(inner->env, sizeof *fault);
    if (fault == NULL)
        return HR_NO_MEMORY;
    fault->ops = (hr_memory_ops){
        .name = "fault",
        .kind = inner->ops->kind,
        .destroy = fault_destroy,
        .alloc = fault_alloc,
        .reserve = inner->ops->reserve != NULL ? fault_reserve : NULL,
        .touch = inner->ops->touch != NULL ? fault_touch : NULL,
        .release = fault_release,
        .copy = fault_copy,
        .dmabuf = inner->ops->dmabuf != NULL ? fault_dmabuf : NULL,
    };
    fault->base = (hr_memory){.ops = &fault->ops, .env = inner->env};
    fault->inner = inner;
    fault->nth = nth;
    *memory_out = &fault->base;
    return HR_OK;
}
