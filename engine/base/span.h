/* SPDX-License-Identifier: Apache-2.0 */
/* hr_span: borrowed bytes and where they live. Borrowed until the event of the operation that it
 * was given to. */
#ifndef HR_SPAN_H
#define HR_SPAN_H

#include <stddef.h>
#include <stdint.h>

typedef enum hr_memory_kind {
    HR_MEMORY_HOST,
    HR_MEMORY_CUDA,
    HR_MEMORY_DMABUF, /* addr is an offset into the file descriptor dmabuf_fd */
} hr_memory_kind;

typedef struct hr_span {
    void *addr;
    size_t len; /* bytes */
    hr_memory_kind kind;
    int16_t device; /* GPU index; 0 for host */
    int dmabuf_fd;  /* only for HR_MEMORY_DMABUF */
} hr_span;

static inline hr_span hr_span_host(void *addr, size_t len)
{
    hr_span span = {addr, len, HR_MEMORY_HOST, 0, -1}; /* in order: C++ reads this too */
    return span;
}

#endif
