/* SPDX-License-Identifier: Apache-2.0 */
/* Little-endian numbers in bytes from outside, and arithmetic that cannot overflow unnoticed. */
#ifndef HR_BYTES_H
#define HR_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline void hr_put_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static inline void hr_put_u32(uint8_t *at, uint32_t value)
{
    hr_put_u16(at, (uint16_t)value);
    hr_put_u16(at + 2, (uint16_t)(value >> 16));
}

static inline void hr_put_u64(uint8_t *at, uint64_t value)
{
    hr_put_u32(at, (uint32_t)value);
    hr_put_u32(at + 4, (uint32_t)(value >> 32));
}

static inline uint16_t hr_get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t hr_get_u32(const uint8_t *at)
{
    return (uint32_t)hr_get_u16(at) | (uint32_t)hr_get_u16(at + 2) << 16;
}

static inline uint64_t hr_get_u64(const uint8_t *at)
{
    return (uint64_t)hr_get_u32(at) | (uint64_t)hr_get_u32(at + 4) << 32;
}

/* align is a power of two; value must leave room above it. */
static inline uint64_t hr_round_up(uint64_t value, uint64_t align)
{
    return (value + align - 1) & ~(align - 1);
}

static inline uint64_t hr_round_down(uint64_t value, uint64_t align)
{
    return value & ~(align - 1);
}

static inline uint64_t hr_min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

#endif
