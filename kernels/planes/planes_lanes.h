/* SPDX-License-Identifier: Apache-2.0 */
/* A block of planes (docs/FORMAT.md) by a group of lanes: a lane joins eight values at a time. The
 * escapes of a row of lanes are counted by a scan, and what each tile says about them is checked
 * and not believed. */
#ifndef HR_PLANES_LANES_H
#define HR_PLANES_LANES_H

#include "lane.h"

#define HR_PLANES_HEADER_LEN 4u
#define HR_PLANES_BASE_MAX   249u
#define HR_PLANES_GROUP      8u /* values whose codes are three bytes */
#define HR_PLANES_ROW        (HR_LANES * HR_PLANES_GROUP)
#define HR_PLANES_ROWS       4u /* of a tile of 1024 values */

typedef struct hr_planes_state {
    const uint8_t *stored;
    uint8_t *values; /* of content */
    uint32_t stored_len, count, base, escapes;
    uint32_t width; /* bytes of a value: 2 or 4 */
    uint32_t mantissas_at, codes_at, escapes_at;
} hr_planes_state;

HR_LANE_FN uint32_t hr_planes_load_u16(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8;
}

/* Three bits of each byte: four codes out of twelve bits. */
HR_LANE_FN uint32_t hr_planes_spread(uint32_t bits)
{
    bits = (bits | bits << 10) & 0x003F003Fu;
    return (bits | bits << 5) & 0x07070707u;
}

/* A bit a byte: the codes that are 7. */
HR_LANE_FN uint32_t hr_planes_escaped(uint32_t codes)
{
    return codes & codes >> 1 & codes >> 2 & 0x01010101u;
}

/* Two bytes to the low halves of two values each. */
HR_LANE_FN uint32_t hr_planes_widen(uint32_t bytes, uint32_t pair)
{
    uint32_t two = bytes >> 16 * pair;
    return (two & 0xFF) | (two & 0xFF00) << 8;
}

HR_LANE_FN uint32_t hr_planes_join(uint32_t exponents, uint32_t mantissas, uint32_t pair)
{
    uint32_t both = hr_planes_widen(mantissas, pair);
    return (both & 0x007F007Fu) | (both & 0x00800080u) << 8 | hr_planes_widen(exponents, pair) << 7;
}

/* The exponents of four codes, those that escape read from next on. Returns the next escape. */
HR_LANE_FN uint32_t hr_planes_exponents(const hr_planes_state *state, uint32_t codes, uint32_t next,
                                        uint32_t *exponents_out)
{
    uint32_t escaped = hr_planes_escaped(codes);
    uint32_t exponents = (codes & ~(escaped * 7)) + state->base * 0x01010101u;
    for (; escaped != 0; escaped &= escaped - 1, next++) {
        uint32_t shift = hr_lowest_bit(escaped);
        exponents &= ~(0xFFu << shift);
        exponents |= (uint32_t)state->stored[state->escapes_at + next] << shift;
    }
    *exponents_out = exponents;
    return next;
}

/* Up to four words, of which len bytes count. */
HR_LANE_FN void hr_planes_write(uint8_t *to, const uint32_t words[4], uint32_t len)
{
    if (len == 16 && ((uintptr_t)to & 15) == 0) {
        hr_lane_store_u128(to, words);
        return;
    }
    HR_UNROLL
    for (uint32_t i = 0; i < 16; i++)
        if (i < len)
            to[i] = (uint8_t)(words[i / 4] >> 8 * (i % 4));
}

/* The upper halves of up to eight values, and the lower ones as they are. */
HR_LANE_FN void hr_planes_write_wide(const hr_planes_state *state, uint32_t first,
                                     const uint32_t heads[4], uint32_t count)
{
    const uint32_t rests_at = state->mantissas_at + state->count;
    const uint32_t end = rests_at + 2 * state->count;
    uint32_t words[4];
    uint8_t *to = state->values + 4 * (size_t)first;
    HR_UNROLL
    for (uint32_t half = 0; half < 2; half++) {
        HR_UNROLL
        for (uint32_t i = 0; i < 2; i++) {
            uint32_t at = rests_at + 2 * first + 8 * half + 4 * i;
            uint32_t rests = at < end ? hr_lane_load_end(state->stored, at, end) : 0;
            uint32_t pair = heads[2 * half + i];
            words[2 * (size_t)i] = pair << 16 | (rests & 0xFFFF);
            words[2 * (size_t)i + 1] = (pair & 0xFFFF0000u) | rests >> 16;
        }
        uint32_t left = count > 4 * half ? count - 4 * half : 0;
        hr_planes_write(to + (size_t)16 * half, words, 4 * (left < 4 ? left : 4));
    }
}

/* A lane's group: the escapes before it are known and all inside. */
HR_LANE_FN void hr_planes_group(const hr_planes_state *state, uint32_t first, uint32_t low,
                                uint32_t high, uint32_t next)
{
    uint32_t count = state->count - first, words[4], exponents[2];
    uint32_t from = state->mantissas_at + first, end = state->mantissas_at + state->count;
    count = count < HR_PLANES_GROUP ? count : HR_PLANES_GROUP;
    next = hr_planes_exponents(state, low, next, &exponents[0]);
    hr_planes_exponents(state, high, next, &exponents[1]);
    HR_UNROLL
    for (uint32_t half = 0; half < 2; half++) {
        uint32_t at = from + 4 * half;
        uint32_t mantissas = at < end ? hr_lane_load_end(state->stored, at, end) : 0;
        words[(size_t)2 * half] = hr_planes_join(exponents[half], mantissas, 0);
        words[(size_t)2 * half + 1] = hr_planes_join(exponents[half], mantissas, 1);
    }
    if (state->width == 2)
        hr_planes_write(state->values + 2 * (size_t)first, words, 2 * count);
    else
        hr_planes_write_wide(state, first, words, count);
}

/* 256 values. Returns false if more escapes are met than there are, or a code without a value is
 * not zero. */
HR_LANE_FN bool hr_planes_row(hr_lanes *lanes, const hr_planes_state *state, uint32_t row,
                              uint32_t *met)
{
    uint32_t low[HR_HELD], high[HR_HELD], upto[HR_HELD], wrong[HR_HELD];
    HR_FOR_LANES(lanes, lane)
    {
        uint32_t first = row + lane * HR_PLANES_GROUP, codes = 0;
        if (first < state->count)
            codes = hr_lane_load_end(state->stored, state->codes_at + first / HR_PLANES_GROUP * 3,
                                     state->stored_len) &
                    0xFFFFFF;
        uint32_t count = first < state->count ? state->count - first : 0;
        wrong[HR_AT(lane)] = count < HR_PLANES_GROUP && codes >> 3 * count != 0;
        low[HR_AT(lane)] = hr_planes_spread(codes & 0xFFF);
        high[HR_AT(lane)] = hr_planes_spread(codes >> 12 & 0xFFF);
        upto[HR_AT(lane)] = hr_count_bits(hr_planes_escaped(low[HR_AT(lane)])) +
                            hr_count_bits(hr_planes_escaped(high[HR_AT(lane)]));
    }
    uint32_t here = hr_lanes_scan(lanes, upto);
    if (here > state->escapes - *met || hr_lanes_ballot(wrong) != 0)
        return false;
    HR_FOR_LANES(lanes, lane)
    {
        uint32_t first = row + lane * HR_PLANES_GROUP;
        uint32_t own = hr_count_bits(hr_planes_escaped(low[HR_AT(lane)])) +
                       hr_count_bits(hr_planes_escaped(high[HR_AT(lane)]));
        if (first < state->count)
            hr_planes_group(state, first, low[HR_AT(lane)], high[HR_AT(lane)],
                            *met + upto[HR_AT(lane)] - own);
    }
    *met += here;
    return true;
}

/* The bytes before the first value and those after the last: fewer than a value has. */
HR_LANE_FN void hr_planes_edges(hr_lanes *lanes, const hr_planes_state *state, uint32_t lead,
                                uint8_t *content, uint32_t content_len)
{
    const uint32_t trail = (content_len - lead) % state->width;
    HR_FOR_LANES(lanes, lane)
    {
        if (lane < lead)
            content[lane] = state->stored[state->mantissas_at - lead + lane];
        if (lane < trail)
            content[content_len - trail + lane] = state->stored[state->stored_len - trail + lane];
    }
}

/* Exactly content_len bytes of content, at most 65536, of values of 2 or 4 bytes. False: the block
 * is not right; content may then hold some of it. */
HR_LANE_FN bool hr_planes_lanes(hr_lanes *lanes, uint32_t width, const uint8_t *stored,
                                uint32_t stored_len, uint8_t *content, uint32_t content_len)
{
    if (stored_len < HR_PLANES_HEADER_LEN || content_len > 65536)
        return false;
    const uint32_t head =
        hr_lanes_agree(hr_planes_load_u16(stored) | hr_planes_load_u16(stored + 2) << 16);
    const uint32_t base = head & 0xFF, lead = head >> 8 & 0xFF, escapes = head >> 16;
    if (base > HR_PLANES_BASE_MAX || lead >= width || content_len < width + lead)
        return false;
    const uint32_t count = (content_len - lead) / width, tile = HR_PLANES_ROW * HR_PLANES_ROWS;
    const uint32_t mantissas_at = HR_PLANES_HEADER_LEN + 2 * ((count + tile - 1) / tile) + lead;
    const uint32_t codes_at = mantissas_at + (width - 1) * count;
    const uint32_t escapes_at = codes_at + (count + 7) / 8 * 3;
    const hr_planes_state state = {stored,  content + lead, stored_len,   count,    base,
                                   escapes, width,          mantissas_at, codes_at, escapes_at};
    if (escapes > count || stored_len != escapes_at + escapes + (content_len - lead) % width)
        return false;
    uint32_t met = 0;
    for (uint32_t row = 0; row < count; row += HR_PLANES_ROW) {
        if (row % tile == 0 && hr_lanes_agree(hr_planes_load_u16(stored + HR_PLANES_HEADER_LEN +
                                                                 (size_t)2 * (row / tile))) != met)
            return false;
        if (!hr_planes_row(lanes, &state, row, &met))
            return false;
    }
    hr_planes_edges(lanes, &state, lead, content, content_len);
    return met == escapes;
}

#endif
