/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into a program, it adds up the bytes that the program copies by calls of memcpy and
 * memmove. The sum is the first 8 bytes of the file that COUNT_COPIES names, for others to read
 * while the program runs. x86-64: it copies with an instruction, since a loop would become a call
 * of itself. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t before_start;
static uint64_t *sum = &before_start;

__attribute__((constructor)) static void open_sum(void)
{
    const char *path = getenv("COUNT_COPIES");
    int file = path == NULL ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || ftruncate(file, sizeof *sum) != 0)
        abort();
    void *mapped = mmap(NULL, sizeof *sum, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED)
        abort();
    close(file);
    sum = mapped;
}

static void *copy(void *target, const void *source, size_t len)
{
    void *end = target;
    __atomic_fetch_add(sum, len, __ATOMIC_RELAXED);
    if ((uintptr_t)target <= (uintptr_t)source) {
        __asm__ volatile("rep movsb" : "+D"(end), "+S"(source), "+c"(len) : : "memory");
        return target;
    }
    const char *from = (const char *)source + len - 1;
    char *to = (char *)target + len - 1;
    __asm__ volatile("std; rep movsb; cld" : "+D"(to), "+S"(from), "+c"(len) : : "memory");
    return target;
}

#pragma GCC visibility push(default)

void *memcpy(void *target, const void *source, size_t len)
{
    return copy(target, source, len);
}

void *memmove(void *target, const void *source, size_t len)
{
    return copy(target, source, len);
}

#pragma GCC visibility pop
