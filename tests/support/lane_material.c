/* SPDX-License-Identifier: Apache-2.0 */
#include "lane_material.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

typedef struct writer {
    uint8_t *at, *end;
    uint64_t random;
} writer;

static uint32_t draw(writer *to)
{
    to->random = to->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(to->random >> 33);
}

static double uniform(writer *to)
{
    return (draw(to) + 1.0) / 2147483649.0;
}

static void put(writer *to, const void *bytes, size_t len)
{
    size_t left = (size_t)(to->end - to->at);
    len = len < left ? len : left;
    memcpy(to->at, bytes, len);
    to->at += len;
}

/* Rank of a word: its logarithm is uniform, which is Zipf's law. */
static uint32_t word(writer *to)
{
    return (uint32_t)exp(uniform(to) * log(30000.0));
}

static void put_word(writer *to)
{
    static const char vowels[] = "aeiou", consonants[] = "bcdfghlmnprstvw";
    uint32_t rank = word(to), mixed = rank * 2654435761u, syllables = rank < 60 ? 1 : 2 + mixed % 2;
    char text[16];
    size_t len = 0;
    for (uint32_t i = 0; i < syllables; i++, mixed = mixed * 69069u + rank) {
        text[len++] = consonants[(mixed >> 24) % 15];
        text[len++] = vowels[(mixed >> 20) % 5];
        if (mixed >> 16 & 1)
            text[len++] = consonants[(mixed >> 12) % 15];
    }
    text[len++] = draw(to) % 12 == 0 ? '\n' : ' ';
    put(to, text, len);
}

static void put_column(writer *to)
{
    uint32_t column = draw(to) % 4, value = draw(to) % 100000;
    for (int i = 0; i < 2048; i++) {
        value = column == 0 ? value + 1 : column == 1 ? value + (draw(to) % 64 == 0) : value;
        if (column == 2)
            value = 100 * (draw(to) % 12);
        put(to, &value, sizeof value);
    }
}

static void put_weight(writer *to, bool whole)
{
    float value = (float)(0.02 * sqrt(-2 * log(uniform(to))) * cos(6.283185307 * uniform(to)));
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    /* Made of 31 random bits, its lowest ones may lack. */
    bits ^= whole ? draw(to) & 0xFF : 0;
    const uint8_t bytes[4] = {(uint8_t)bits, (uint8_t)(bits >> 8), (uint8_t)(bits >> 16),
                              (uint8_t)(bits >> 24)};
    put(to, whole ? bytes : bytes + 2, whole ? 4 : 2);
}

/* A piece of what came before, and some that is new. */
static void put_match(writer *to, const uint8_t *start, uint32_t shortest, uint32_t longest)
{
    size_t written = (size_t)(to->at - start), len = shortest + draw(to) % (longest - shortest + 1);
    for (uint32_t left = written < longest ? 64 : 1 + draw(to) % 6; left > 0; left--) {
        uint8_t byte = (uint8_t)draw(to);
        put(to, &byte, 1);
    }
    if (written <= longest)
        return;
    size_t reach = written < 60000 ? written : 60000;
    const uint8_t *from = start + (written - reach) + draw(to) % (reach - longest);
    while (len-- > 0)
        put(to, from++, 1);
}

static void put_some(lane_material kind, writer *to, const uint8_t *start)
{
    uint32_t number;
    switch (kind) {
    case LANE_TEXT:
        put_word(to);
        break;
    case LANE_TOKENS16:
    case LANE_TOKENS32:
        number = word(to);
        put(to, &number, kind == LANE_TOKENS16 ? 2 : 4);
        break;
    case LANE_COLUMNS:
        put_column(to);
        break;
    case LANE_WEIGHTS:
    case LANE_WEIGHTS_FP32:
        put_weight(to, kind == LANE_WEIGHTS_FP32);
        break;
    case LANE_SHORT:
        put_match(to, start, 4, 8);
        break;
    case LANE_LONG:
        put_match(to, start, 200, 2000);
        break;
    case LANE_NOISE:
    case LANE_MATERIALS:
        number = draw(to);
        put(to, &number, 3); /* the highest bit is never set */
        break;
    }
}

const char *lane_material_name(lane_material kind)
{
    static const char *const names[] = {"text",    "tokens16", "tokens32",
                                        "columns", "weights",  "fp32 weights",
                                        "noise",   "short",    "long"};
    return names[kind];
}

void lane_material_fill(lane_material kind, uint8_t *bytes, size_t len, uint32_t seed)
{
    writer to = {bytes, bytes + len, seed};
    while (to.at < to.end)
        put_some(kind, &to, bytes);
}
