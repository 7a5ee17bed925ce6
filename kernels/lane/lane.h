/* SPDX-License-Identifier: Apache-2.0 */
/* A group of 32 lanes that decode one block together. The same source is a warp's code under nvcc
 * and plain C on the host, where it is tested and fuzzed:
 *
 *   plain statements     every lane does the same: on the host they run once
 *   HR_FOR_LANES         the lanes differ: on the host one after the other, in an order that a seed
 *                        chooses anew each time, so that lanes which count on each other are found.
 *                        Its end is a sync point: what lanes wrote, all lanes see.
 *   T name[HR_HELD]      a value a lane, name[HR_AT(lane)]; hr_lanes_... exchange such values, and
 *                        stand outside of HR_FOR_LANES
 *
 * The common subset of C and CUDA C++: casts are explicit, nothing is designated. */
#ifndef HR_LANE_H
#define HR_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HR_LANES 32u

#if defined(__CUDACC__)

#define HR_LANE_FN   static __device__ inline
#define HR_UNROLL    _Pragma("unroll")
#define HR_HELD      1
#define HR_AT(lane)  0
#define HR_ALL_LANES 0xFFFFFFFFu

typedef struct hr_lanes {
    uint32_t lane;
} hr_lanes;

#define HR_FOR_LANES(lanes, lane_name)                                                             \
    for (uint32_t lane_name = (lanes)->lane, once_##lane_name = 1; once_##lane_name != 0;          \
         once_##lane_name = 0, __syncwarp())

#else

#define HR_LANE_FN static inline
#define HR_UNROLL
#define HR_HELD     32
#define HR_AT(lane) (lane)

typedef struct hr_lanes {
    uint32_t seed; /* anything; the result must not depend on it */
} hr_lanes;

/* An order of the lanes: five bits each of a factor, a start and a mask. */
static inline uint32_t hr_lanes_order(hr_lanes *lanes)
{
    lanes->seed = lanes->seed * 1664525u + 1013904223u;
    return lanes->seed >> 8;
}

static inline uint32_t hr_lanes_turn(uint32_t order, uint32_t turn)
{
    return ((turn * (order | 1u) + (order >> 5)) ^ order >> 10) % HR_LANES;
}

/* NOLINTBEGIN(bugprone-macro-parentheses): lane_name is declared here */
#define HR_FOR_LANES(lanes, lane_name)                                                             \
    for (uint32_t order_##lane_name = hr_lanes_order(lanes), turn_##lane_name = 0, lane_name;      \
         turn_##lane_name < HR_LANES &&                                                            \
         (lane_name = hr_lanes_turn(order_##lane_name, turn_##lane_name), true);                   \
         turn_##lane_name++)
/* NOLINTEND(bugprone-macro-parentheses) */

#endif

/* Bit n: lane n's value is not zero. */
HR_LANE_FN uint32_t hr_lanes_ballot(const uint32_t values[HR_HELD])
{
#if defined(__CUDACC__)
    return __ballot_sync(HR_ALL_LANES, values[0] != 0);
#else
    uint32_t mask = 0;
    for (uint32_t lane = 0; lane < HR_LANES; lane++)
        mask |= (uint32_t)(values[lane] != 0) << lane;
    return mask;
#endif
}

/* The value of one lane, for all. */
HR_LANE_FN uint32_t hr_lanes_get(const uint32_t values[HR_HELD], uint32_t from)
{
#if defined(__CUDACC__)
    return __shfl_sync(HR_ALL_LANES, values[0], (int)from);
#else
    return values[from];
#endif
}

/* What one lane has read, for all: memory that others write meanwhile may show each lane something
 * else, and lanes that go different ways from there wait for each other for ever. */
HR_LANE_FN uint32_t hr_lanes_agree(uint32_t value)
{
#if defined(__CUDACC__)
    return __shfl_sync(HR_ALL_LANES, value, 0);
#else
    return value;
#endif
}

/* Each lane gets the value of the lane whose number differs by distance's bit. */
HR_LANE_FN void hr_lanes_swap(uint32_t values[HR_HELD], uint32_t distance)
{
#if defined(__CUDACC__)
    values[0] = __shfl_xor_sync(HR_ALL_LANES, values[0], (int)distance);
#else
    for (uint32_t lane = 0; lane < HR_LANES; lane++)
        if ((lane & distance) == 0) {
            uint32_t kept = values[lane];
            values[lane] = values[lane | distance];
            values[lane | distance] = kept;
        }
#endif
}

HR_LANE_FN uint32_t hr_lanes_xor(const uint32_t values[HR_HELD])
{
#if defined(__CUDACC__)
    return __reduce_xor_sync(HR_ALL_LANES, values[0]);
#else
    uint32_t sum = 0;
    for (uint32_t lane = 0; lane < HR_LANES; lane++)
        sum ^= values[lane];
    return sum;
#endif
}

/* Each lane's value becomes the sum of those up to its own; returns the sum of all. */
HR_LANE_FN uint32_t hr_lanes_scan(hr_lanes *lanes, uint32_t values[HR_HELD])
{
#if defined(__CUDACC__)
    HR_UNROLL
    for (uint32_t distance = 1; distance < HR_LANES; distance *= 2) {
        uint32_t below = __shfl_up_sync(HR_ALL_LANES, values[0], distance);
        values[0] += lanes->lane >= distance ? below : 0;
    }
#else
    (void)lanes;
    for (uint32_t lane = 1; lane < HR_LANES; lane++)
        values[lane] += values[lane - 1];
#endif
    return hr_lanes_get(values, HR_LANES - 1);
}

/* The lowest bit that is set; value is not 0. */
HR_LANE_FN uint32_t hr_lowest_bit(uint32_t value)
{
#if defined(__CUDACC__)
    return (uint32_t)__ffs((int)value) - 1;
#else
    return (uint32_t)__builtin_ctz(value);
#endif
}

HR_LANE_FN uint32_t hr_count_bits(uint32_t value)
{
#if defined(__CUDACC__)
    return (uint32_t)__popc(value);
#else
    return (uint32_t)__builtin_popcount(value);
#endif
}

/* Four bytes from an address that is a multiple of four. */
HR_LANE_FN uint32_t hr_lane_load_word(const uint8_t *from)
{
#if defined(__CUDACC__)
    return *(const uint32_t *)from;
#else
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
#endif
}

/* Four bytes at any address, little-endian, all of them inside the len bytes at base. A GPU loads
 * aligned words only: two of them are joined, unless one would reach outside. */
HR_LANE_FN uint32_t hr_lane_load_u32(const uint8_t *base, uint32_t at, uint32_t len)
{
    const uint8_t *from = base + at;
#if defined(__CUDACC__)
    uint32_t odd = (uint32_t)((uintptr_t)from & 3);
    if (odd == 0)
        return hr_lane_load_word(from);
    if (at >= 3 && len - at >= 7) {
        const uint32_t *words = (const uint32_t *)(from - odd);
        return __funnelshift_r(words[0], words[1], 8 * odd);
    }
#endif
    (void)len;
    return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}

/* The same at the end of a span: bytes behind it are zero. */
HR_LANE_FN uint32_t hr_lane_load_end(const uint8_t *base, uint32_t at, uint32_t len)
{
    uint32_t value = 0;
    if (at + 4 <= len)
        return hr_lane_load_u32(base, at, len);
    for (uint32_t i = 0; at + i < len; i++)
        value |= (uint32_t)base[at + i] << 8 * i;
    return value;
}

/* Four bytes to an address that is a multiple of four. */
HR_LANE_FN void hr_lane_store_u32(uint8_t *at, uint32_t value)
{
#if defined(__CUDACC__)
    *(uint32_t *)at = value;
#else
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    at[2] = (uint8_t)(value >> 16);
    at[3] = (uint8_t)(value >> 24);
#endif
}

/* Sixteen bytes to an address that is a multiple of sixteen. */
HR_LANE_FN void hr_lane_store_u128(uint8_t *at, const uint32_t words[4])
{
#if defined(__CUDACC__)
    *(uint4 *)at = make_uint4(words[0], words[1], words[2], words[3]);
#else
    for (uint32_t i = 0; i < 4; i++)
        hr_lane_store_u32(at + 4 * (size_t)i, words[i]);
#endif
}

#endif
