/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bytes.h"
#include "planes.h"

#define HEADER_LEN 4u
#define HEAD_LEN   2u /* of a value: its last bytes */
#define ESCAPE     7u /* the code of an exponent that has none */
#define BASE_MAX   (256u - ESCAPE)
#define GROUP      8u /* values whose codes fill whole bytes */
#define SAMPLE     1024u

/* Where the parts of a block begin. */
typedef struct layout {
    uint32_t width, lead, trail, values, tiles;
    uint32_t starts_at, lead_at, mantissas_at, rests_at, codes_at, escapes_at;
} layout;

static layout lay_out(uint32_t width, uint32_t content_len, uint32_t lead)
{
    layout at = {.width = width, .lead = lead, .starts_at = HEADER_LEN};
    at.values = (content_len - lead) / width;
    at.trail = (content_len - lead) % width;
    at.tiles = (at.values + HR_PLANES_TILE - 1) / HR_PLANES_TILE;
    at.lead_at = at.starts_at + 2 * at.tiles;
    at.mantissas_at = at.lead_at + lead;
    at.rests_at = at.mantissas_at + at.values;
    at.codes_at = at.rests_at + (width - HEAD_LEN) * at.values;
    at.escapes_at = at.codes_at + (at.values + GROUP - 1) / GROUP * 3;
    return at;
}

/* head: the two bytes of a value that hold sign and exponent. */
static uint8_t exponent_of(const uint8_t *head)
{
    return (uint8_t)(hr_get_u16(head) >> 7);
}

static uint8_t mantissa_of(const uint8_t *head)
{
    return (uint8_t)((head[1] & 0x80) | (head[0] & 0x7f));
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

static uint32_t count_exponents(uint32_t width, const uint8_t *values, uint32_t count,
                                uint32_t *covered_out)
{
    /* Four tables: the same exponent twice in a row would wait for its own counter. */
    uint32_t counts[4][256] = {{0}};
    const uint8_t *heads = values + width - HEAD_LEN;
    uint32_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (uint32_t j = 0; j < 4; j++)
            counts[j][exponent_of(heads + width * (size_t)(i + j))]++;
    for (; i < count; i++)
        counts[0][exponent_of(heads + width * (size_t)i)]++;
    for (i = 0; i < 256; i++)
        counts[0][i] += counts[1][i] + counts[2][i] + counts[3][i];
    return best_base(counts[0], covered_out);
}

/* A file may have its values at any offset: with the wrong one what looks like exponents is noise.
 */
static uint32_t find_lead(uint32_t width, const uint8_t *content, uint32_t content_len)
{
    uint32_t count = (uint32_t)hr_min_u64((content_len - width + 1) / width, SAMPLE);
    uint32_t best = 0, most = 0, covered;
    for (uint32_t lead = 0; lead < width; lead++) {
        count_exponents(width, content + lead, count, &covered);
        if (covered > most)
            best = lead;
        most = covered > most ? covered : most;
    }
    return best;
}

/* The codes of up to 8 values, as 24 bits; appends what escapes. */
static uint32_t encode_group(uint32_t width, const uint8_t *values, uint32_t count, uint32_t base,
                             uint8_t *mantissas, uint8_t **escapes)
{
    uint32_t codes = 0;
    const uint8_t *head = values + width - HEAD_LEN;
    for (size_t i = 0; i < count; i++, head += width) {
        uint8_t exponent = exponent_of(head);
        uint32_t code = (uint32_t)exponent - base;
        mantissas[i] = mantissa_of(head);
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
        uint32_t group = encode_group(at->width, values + at->width * (size_t)i, count, base,
                                      stored + at->mantissas_at + i, &escapes);
        hr_put_u16(codes, (uint16_t)group);
        codes[2] = (uint8_t)(group >> 16);
        codes += 3;
    }
}

static void encode_rests(const layout *at, const uint8_t *values, uint8_t *restrict rests)
{
    if (at->width == HR_PLANES_FP32)
        for (size_t i = 0; i < at->values; i++)
            hr_put_u16(rests + 2 * i, hr_get_u16(values + 4 * i));
}

/* What the block will be. */
typedef struct draft {
    layout at;
    uint32_t base, escapes, len;
} draft;

static draft plan(uint32_t width, const uint8_t *content, uint32_t content_len)
{
    draft made = {.at = lay_out(width, content_len, find_lead(width, content, content_len))};
    uint32_t covered;
    made.base = count_exponents(width, content + made.at.lead, made.at.values, &covered);
    made.escapes = made.at.values - covered;
    made.len = made.at.escapes_at + made.escapes + made.at.trail;
    return made;
}

uint32_t hr_planes_block_estimate(hr_planes_width width, const uint8_t *content,
                                  uint32_t content_len)
{
    return content_len < width * GROUP ? content_len : plan(width, content, content_len).len;
}

uint32_t hr_planes_block_encode(hr_planes_width width, const uint8_t *content, uint32_t content_len,
                                uint8_t *stored, uint32_t most)
{
    if (content_len < width * GROUP)
        return 0;
    draft made = plan(width, content, content_len);
    const layout *at = &made.at;
    if (made.len > most)
        return 0;
    stored[0] = (uint8_t)made.base;
    stored[1] = (uint8_t)at->lead;
    hr_put_u16(stored + 2, (uint16_t)made.escapes);
    memcpy(stored + at->lead_at, content, at->lead);
    encode_values(at, content + at->lead, made.base, stored);
    encode_rests(at, content + at->lead, stored + at->rests_at);
    memcpy(stored + made.len - at->trail, content + content_len - at->trail, at->trail);
    return made.len;
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

/* restrict, so that these become vector instructions. */
static void join(const uint8_t *restrict exponents, const uint8_t *restrict mantissas,
                 uint32_t count, uint8_t *restrict values)
{
    for (size_t i = 0; i < count; i++) {
        values[2 * i] = (uint8_t)((mantissas[i] & 0x7f) | exponents[i] << 7);
        values[2 * i + 1] = (uint8_t)((mantissas[i] & 0x80) | exponents[i] >> 1);
    }
}

static void join_with_rests(const uint8_t *restrict exponents, const uint8_t *restrict mantissas,
                            const uint8_t *restrict rests, uint32_t count, uint8_t *restrict values)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t head =
            (mantissas[i] & 0x80u) << 8 | (uint32_t)exponents[i] << 7 | (mantissas[i] & 0x7fu);
        hr_put_u32(values + 4 * i, head << 16 | hr_get_u16(rests + 2 * i));
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
        const uint8_t *mantissas = stored + at->mantissas_at + first;
        if (hr_get_u16(stored + at->starts_at + (size_t)2 * tile) != met)
            return HR_INTEGRITY;
        met += decode_exponents(stored + at->codes_at + (size_t)first / GROUP * 3,
                                (count + GROUP - 1) / GROUP, stored[0],
                                stored + at->escapes_at + met, escapes - met, exponents);
        if (met > escapes)
            return HR_INTEGRITY;
        if (at->width == HR_PLANES_BF16)
            join(exponents, mantissas, count, values + 2 * (size_t)first);
        else
            join_with_rests(exponents, mantissas, stored + at->rests_at + 2 * (size_t)first, count,
                            values + 4 * (size_t)first);
    }
    uint32_t unused = at->values % GROUP;
    if (unused != 0 && spread(stored + at->escapes_at - 3) >> 8 * unused != 0)
        return HR_INTEGRITY;
    return met == escapes ? HR_OK : HR_INTEGRITY;
}

hr_status hr_planes_block_decode(hr_planes_width width, const uint8_t *stored, uint32_t stored_len,
                                 uint8_t *content, uint32_t content_len)
{
    if (stored_len < HEADER_LEN || stored[0] > BASE_MAX || stored[1] >= width ||
        content_len < (uint32_t)width + stored[1] || content_len > HR_PLANES_BLOCK_LEN)
        return HR_INTEGRITY;
    layout at = lay_out(width, content_len, stored[1]);
    uint32_t escapes = hr_get_u16(stored + 2);
    if (escapes > at.values || stored_len != at.escapes_at + escapes + at.trail)
        return HR_INTEGRITY;
    memcpy(content, stored + at.lead_at, at.lead);
    memcpy(content + content_len - at.trail, stored + stored_len - at.trail, at.trail);
    return decode_values(&at, stored, escapes, content + at.lead);
}
