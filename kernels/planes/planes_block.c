/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bytes.h"
#include "planes.h"

#define HEADER_LEN 4u
#define ESCAPE     7u /* the code of an exponent that has none */
#define BASE_MAX   (256u - ESCAPE)
#define GROUP      8u /* values whose codes fill whole bytes */
#define SAMPLE     1024u

/* Where the parts of a block begin. */
typedef struct layout {
    uint32_t lead, values, tiles;
    uint32_t starts_at, lead_at, mantissas_at, codes_at, escapes_at;
} layout;

static layout lay_out(uint32_t content_len, uint32_t lead)
{
    layout at = {.lead = lead, .values = (content_len - lead) / 2, .starts_at = HEADER_LEN};
    at.tiles = (at.values + HR_PLANES_TILE - 1) / HR_PLANES_TILE;
    at.lead_at = at.starts_at + 2 * at.tiles;
    at.mantissas_at = at.lead_at + lead;
    at.codes_at = at.mantissas_at + at.values;
    at.escapes_at = at.codes_at + (at.values + GROUP - 1) / GROUP * 3;
    return at;
}

static uint8_t exponent_of(const uint8_t *value)
{
    return (uint8_t)(hr_get_u16(value) >> 7);
}

static uint8_t mantissa_of(const uint8_t *value)
{
    return (uint8_t)((value[1] & 0x80) | (value[0] & 0x7f));
}

/* ---- encoding ---- */

/* The first of seven exponents in a row that together are the most. */
static uint32_t best_base(const uint32_t counts[256], uint32_t *covered_out)
{
    uint32_t sum = 0, best = 0, most = 0;
    for (uint32_t i = 0; i < 256; i++) {
        sum += counts[i];
        if (i >= ESCAPE)
            sum -= counts[i - ESCAPE];
        if (i + 1 >= ESCAPE && sum > most) {
            most = sum;
            best = i + 1 - ESCAPE;
        }
    }
    *covered_out = most;
    return best;
}

static uint32_t count_exponents(const uint8_t *values, uint32_t count, uint32_t *covered_out)
{
    /* Four tables: the same exponent twice in a row would wait for its own counter. */
    uint32_t counts[4][256] = {{0}};
    uint32_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (uint32_t j = 0; j < 4; j++)
            counts[j][exponent_of(values + 2 * (size_t)(i + j))]++;
    for (; i < count; i++)
        counts[0][exponent_of(values + 2 * (size_t)i)]++;
    for (i = 0; i < 256; i++)
        counts[0][i] += counts[1][i] + counts[2][i] + counts[3][i];
    return best_base(counts[0], covered_out);
}

/* A file may have its values at odd offsets: then what looks like exponents is noise. */
static uint32_t find_lead(const uint8_t *content, uint32_t content_len)
{
    uint32_t count = (uint32_t)hr_min_u64((content_len - 1) / 2, SAMPLE);
    uint32_t even, odd;
    count_exponents(content, count, &even);
    count_exponents(content + 1, count, &odd);
    return odd > even;
}

/* The codes of up to 8 values, as 24 bits; appends what escapes. */
static uint32_t encode_group(const uint8_t *values, uint32_t count, uint32_t base,
                             uint8_t *mantissas, uint8_t **escapes)
{
    uint32_t codes = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t exponent = exponent_of(values + 2 * i);
        uint32_t code = (uint32_t)exponent - base;
        mantissas[i] = mantissa_of(values + 2 * i);
        if (code >= ESCAPE) {
            code = ESCAPE;
            *(*escapes)++ = exponent;
        }
        codes |= code << 3 * i;
    }
    return codes;
}

static void encode_values(const layout *at, const uint8_t *values, uint32_t base, uint8_t *stored)
{
    uint8_t *codes = stored + at->codes_at, *escapes = stored + at->escapes_at;
    for (uint32_t i = 0; i < at->values; i += GROUP) {
        if (i % HR_PLANES_TILE == 0)
            hr_put_u16(stored + at->starts_at + (size_t)2 * (i / HR_PLANES_TILE),
                       (uint16_t)(escapes - stored - at->escapes_at));
        uint32_t count = (uint32_t)hr_min_u64(at->values - i, GROUP);
        uint32_t group = encode_group(values + 2 * (size_t)i, count, base,
                                      stored + at->mantissas_at + i, &escapes);
        hr_put_u16(codes, (uint16_t)group);
        codes[2] = (uint8_t)(group >> 16);
        codes += 3;
    }
}

uint32_t hr_planes_block_encode(const uint8_t *content, uint32_t content_len, uint8_t *stored,
                                uint32_t most)
{
    if (content_len < 2 * GROUP)
        return 0;
    layout at = lay_out(content_len, find_lead(content, content_len));
    uint32_t covered, base = count_exponents(content + at.lead, at.values, &covered);
    uint32_t escapes = at.values - covered;
    uint32_t trail = (content_len - at.lead) % 2;
    uint32_t len = at.escapes_at + escapes + trail;
    if (len > most)
        return 0;
    stored[0] = (uint8_t)base;
    stored[1] = (uint8_t)at.lead;
    hr_put_u16(stored + 2, (uint16_t)escapes);
    memcpy(stored + at.lead_at, content, at.lead);
    encode_values(&at, content + at.lead, base, stored);
    memcpy(stored + len - trail, content + content_len - trail, trail);
    return len;
}

/* ---- decoding ---- */

/* Three bits of each byte: the codes of a group, side by side. */
static uint64_t spread(const uint8_t *codes)
{
    uint64_t bits = (uint64_t)codes[0] | (uint64_t)codes[1] << 8 | (uint64_t)codes[2] << 16;
    bits = (bits | bits << 20) & UINT64_C(0x00000fff00000fff);
    bits = (bits | bits << 10) & UINT64_C(0x003f003f003f003f);
    return (bits | bits << 5) & UINT64_C(0x0707070707070707);
}

/* The exponents of a tile's groups, as bytes. Returns how many escapes were met; those beyond left
 * are not read. */
static uint32_t decode_exponents(const uint8_t *codes, uint32_t groups, uint32_t base,
                                 const uint8_t *escapes, uint32_t left, uint8_t *exponents)
{
    uint32_t met = 0;
    uint64_t bases = base * UINT64_C(0x0101010101010101);
    for (uint32_t i = 0; i < groups; i++, codes += 3, exponents += GROUP) {
        uint64_t wide = spread(codes);
        uint64_t escaped = wide & wide >> 1 & wide >> 2 & UINT64_C(0x0101010101010101);
        /* Without the escapes, which would carry into their neighbours above base 248. */
        hr_put_u64(exponents, (wide & ~(escaped * ESCAPE)) + bases);
        for (; escaped != 0; escaped &= escaped - 1, met++)
            if (met < left)
                exponents[__builtin_ctzll(escaped) / 8] = escapes[met];
    }
    return met;
}

/* restrict, so that this becomes vector instructions. */
static void join(const uint8_t *restrict exponents, const uint8_t *restrict mantissas,
                 uint32_t count, uint8_t *restrict values)
{
    for (size_t i = 0; i < count; i++) {
        values[2 * i] = (uint8_t)((mantissas[i] & 0x7f) | exponents[i] << 7);
        values[2 * i + 1] = (uint8_t)((mantissas[i] & 0x80) | exponents[i] >> 1);
    }
}

/* Codes without a value are zero, so that nothing escapes there. */
static hr_status decode_values(const layout *at, const uint8_t *stored, uint32_t escapes,
                               uint8_t *values)
{
    uint8_t exponents[HR_PLANES_TILE] = {0};
    uint32_t met = 0;
    for (uint32_t tile = 0; tile < at->tiles; tile++) {
        uint32_t first = tile * HR_PLANES_TILE;
        uint32_t count = (uint32_t)hr_min_u64(at->values - first, HR_PLANES_TILE);
        if (hr_get_u16(stored + at->starts_at + (size_t)2 * tile) != met)
            return HR_INTEGRITY;
        met += decode_exponents(stored + at->codes_at + (size_t)first / GROUP * 3,
                                (count + GROUP - 1) / GROUP, stored[0],
                                stored + at->escapes_at + met, escapes - met, exponents);
        if (met > escapes)
            return HR_INTEGRITY;
        join(exponents, stored + at->mantissas_at + first, count, values + 2 * (size_t)first);
    }
    uint32_t unused = at->values % GROUP;
    if (unused != 0 && spread(stored + at->escapes_at - 3) >> 8 * unused != 0)
        return HR_INTEGRITY;
    return met == escapes ? HR_OK : HR_INTEGRITY;
}

hr_status hr_planes_block_decode(const uint8_t *stored, uint32_t stored_len, uint8_t *content,
                                 uint32_t content_len)
{
    if (stored_len < HEADER_LEN || stored[0] > BASE_MAX || stored[1] > 1 ||
        content_len < 2u + stored[1] || content_len > HR_PLANES_BLOCK_LEN)
        return HR_INTEGRITY;
    layout at = lay_out(content_len, stored[1]);
    uint32_t escapes = hr_get_u16(stored + 2);
    uint32_t trail = (content_len - at.lead) % 2;
    if (escapes > at.values || stored_len != at.escapes_at + escapes + trail)
        return HR_INTEGRITY;
    memcpy(content, stored + at.lead_at, at.lead);
    memcpy(content + content_len - trail, stored + stored_len - trail, trail);
    return decode_values(&at, stored, escapes, content + at.lead);
}
