/* SPDX-License-Identifier: Apache-2.0 */
#include "content.h"

#include <math.h>
#include <string.h>

/* splitmix64 */
static uint64_t next_u64(uint64_t *state)
{
    uint64_t mixed = *state += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ mixed >> 31;
}

static double next_unit(uint64_t *state)
{
    return (double)(next_u64(state) >> 11) * 0x1p-53;
}

void hr_bench_fill_random(uint8_t *out, size_t len, uint64_t seed)
{
    uint64_t state = seed, word = 0;
    for (size_t at = 0; at < len; at += sizeof word) {
        word = next_u64(&state);
        memcpy(out + at, &word, len - at < sizeof word ? len - at : sizeof word);
    }
}

void hr_bench_fill_text(uint8_t *out, size_t len, uint64_t seed)
{
    enum { WORDS = 4096, LETTERS = 12 };
    uint64_t state = seed;
    for (size_t at = 0; at < len;) {
        uint64_t word = (uint64_t)pow(WORDS, next_unit(&state)), letters = word + 1;
        size_t word_len = 1 + next_u64(&letters) % LETTERS;
        for (size_t i = 0; i < word_len && at < len; i++)
            out[at++] = (uint8_t)('a' + next_u64(&letters) % 26);
        if (at < len)
            out[at++] = ' ';
    }
}

void hr_bench_fill_weights(uint8_t *out, size_t len, uint64_t seed)
{
    uint64_t state = seed;
    for (size_t at = 0; at + 2 <= len; at += 2) {
        double radius = sqrt(-2 * log(1 - next_unit(&state)));
        float weight = (float)(0.02 * radius * cos(6.283185307179586 * next_unit(&state)));
        uint32_t bits;
        memcpy(&bits, &weight, sizeof bits);
        out[at] = (uint8_t)(bits >> 16);
        out[at + 1] = (uint8_t)(bits >> 24);
    }
}
