/* SPDX-License-Identifier: Apache-2.0 */
/* Host memory straight from the system. Huge pages make a chunk two pages instead of a thousand:
 * TCP receives into them 1.5 times as fast, and io_uring and the NIC map it in two pieces. Reserved
 * ones are tried first, then transparent ones, then the plain pages that are always there. */
#include "memory.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE_LEN ((size_t)2 << 20)
#define PAGE_LEN      ((size_t)4096)

#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26) /* log2 of the page, in the bits from 26 on */
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

static size_t round_up(size_t value, size_t align)
{
    return (value + align - 1) / align * align;
}

/* What is mapped for len bytes. It depends on nothing else, so that release knows it too: huge
 * pages can only be unmapped whole. */
static size_t mapped_len(size_t len)
{
    return round_up(len, len >= HUGE_PAGE_LEN ? HUGE_PAGE_LEN : PAGE_LEN);
}

static void *map(size_t len, int flags)
{
    void *addr =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
    return addr == MAP_FAILED ? NULL : addr;
}

/* Asking the kernel reports a lack of memory; where it does not know the request (before 5.14), the
 * pages are written to, and a lack of memory ends in a signal as it does everywhere. */
static hr_status touch(void *addr, size_t len)
{
    if (madvise(addr, len, MADV_POPULATE_WRITE) == 0)
        return HR_OK;
    if (errno != EINVAL)
        return hr_status_from_errno(errno);
    for (size_t at = 0; at < len; at += PAGE_LEN)
        ((volatile uint8_t *)addr)[at] = 0;
    return HR_OK;
}

static void *map_reserved(size_t len)
{
    void *addr = map(len, MAP_HUGETLB | MAP_HUGE_2MB);
    /* The pages may be reserved and yet be out of reach: another NUMA node, a cgroup's limit. */
    if (addr != NULL && touch(addr, len) != HR_OK) {
        munmap(addr, len);
        return NULL;
    }
    return addr;
}

/* Maps more than is needed and cuts off what is not aligned: older kernels do not align large
 * mappings, and an unaligned one gets no huge page at its ends. */
static void *map_aligned(size_t len)
{
    uint8_t *start = map(len + HUGE_PAGE_LEN, 0);
    if (start == NULL)
        return NULL;
    size_t before = round_up((uintptr_t)start, HUGE_PAGE_LEN) - (uintptr_t)start;
    if (before > 0)
        munmap(start, before);
    munmap(start + before + len, HUGE_PAGE_LEN - before);
    return start + before;
}

static hr_status map_ordinary(size_t len, bool touched, void **addr_out, hr_page_kind *pages_out)
{
    bool large = len >= HUGE_PAGE_LEN;
    void *addr = large ? map_aligned(len) : map(len, 0);
    if (addr == NULL)
        return hr_status_from_errno(errno);
    bool huge = large && madvise(addr, len, MADV_HUGEPAGE) == 0;
    hr_status status = touched ? touch(addr, len) : HR_OK;
    if (status != HR_OK) {
        munmap(addr, len);
        return status;
    }
    *addr_out = addr;
    *pages_out = huge ? HR_PAGES_TRANSPARENT_HUGE : HR_PAGES_PLAIN;
    return HR_OK;
}

/* Reserved huge pages are touched in any case: only that tells whether they can be had. */
static hr_status take(size_t len, bool touched, hr_span *span_out, hr_page_kind *pages_out)
{
    assert(len > 0);
    if (len > SIZE_MAX / 2)
        return HR_NO_MEMORY;
    size_t mapped = mapped_len(len);
    void *addr = mapped >= HUGE_PAGE_LEN ? map_reserved(mapped) : NULL;
    if (addr != NULL) {
        *pages_out = HR_PAGES_HUGE;
    } else {
        hr_status status = map_ordinary(mapped, touched, &addr, pages_out);
        if (status != HR_OK)
            return status;
    }
    *span_out = hr_span_host(addr, len);
    return HR_OK;
}

static hr_status host_alloc(hr_memory *memory, size_t len, hr_span *span_out,
                            hr_page_kind *pages_out)
{
    (void)memory;
    return take(len, true, span_out, pages_out);
}

static hr_status host_reserve(hr_memory *memory, size_t len, hr_span *span_out,
                              hr_page_kind *pages_out)
{
    (void)memory;
    return take(len, false, span_out, pages_out);
}

static hr_status host_touch(hr_memory *memory, const hr_span *span)
{
    (void)memory;
    assert((uintptr_t)span->addr % PAGE_LEN == 0);
    return touch(span->addr, span->len);
}

static void host_release(hr_memory *memory, hr_span *span)
{
    (void)memory;
    if (span->addr == NULL)
        return;
    munmap(span->addr, mapped_len(span->len));
    *span = hr_span_host(NULL, 0);
}

static hr_status host_copy(hr_memory *memory, const hr_span *target, const hr_span *source)
{
    (void)memory;
    assert(target->len == source->len);
    if (target->kind != HR_MEMORY_HOST || source->kind != HR_MEMORY_HOST)
        return HR_UNSUPPORTED;
    memcpy(target->addr, source->addr, source->len);
    return HR_OK;
}

static void host_destroy(hr_memory *memory)
{
    hr_release(memory->env, memory);
}

static const hr_memory_ops host_ops = {
    .name = "host",
    .kind = HR_MEMORY_HOST,
    .destroy = host_destroy,
    .alloc = host_alloc,
    .reserve = host_reserve,
    .touch = host_touch,
    .release = host_release,
    .copy = host_copy,
};

hr_status hr_memory_host_create(const hr_env *env, hr_memory **memory_out)
{
    hr_memory *memory = hr_alloc(env, sizeof *memory);
    if (memory == NULL)
        return HR_NO_MEMORY;
    *memory = (hr_memory){.ops = &host_ops, .env = env};
    *memory_out = memory;
    return HR_OK;
}
