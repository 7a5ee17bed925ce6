/* SPDX-License-Identifier: Apache-2.0 */
/* hr_arena: memory of the caller that is handed out front to back and taken back all at once. It
 * never grows, so what is unpacked into it is bounded by its owner and not by the sender. Pure. */
#ifndef HR_ARENA_H
#define HR_ARENA_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct hr_arena {
    uint8_t *memory; /* aligned to 8 */
    size_t len;
    size_t used; /* never more than len */
} hr_arena;

static inline hr_arena hr_arena_make(void *memory, size_t len)
{
    assert((uintptr_t)memory % 8 == 0);
    hr_arena arena = {(uint8_t *)memory, len, 0};
    return arena;
}

/* len zeroed bytes, aligned to 8, with at least one more zero behind them, so that bytes copied
 * into them end like a C string. NULL: the arena is used up. */
static inline void *hr_arena_take(hr_arena *arena, size_t len)
{
    if (len >= arena->len - arena->used)
        return NULL;
    size_t taken = (len + 8) & ~(size_t)7;
    if (taken > arena->len - arena->used)
        return NULL;
    void *memory = arena->memory + arena->used;
    arena->used += taken;
    return memset(memory, 0, taken);
}

#endif
