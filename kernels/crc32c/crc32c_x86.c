/* SPDX-License-Identifier: Apache-2.0 */
/* CRC32C with the crc32 instruction. It starts every cycle but takes three, so one stream alone
 * reaches a third of what the unit can do: long blocks are cut into three streams that run side by
 * side and are joined with two carry-less multiplications.
 *
 * Joining: a stream's CRC times x^(8n), n being the bytes that follow it. The carry-less product of
 * two reflected numbers stands one place too low, and reducing it with crc32 multiplies by x^32, so
 * the constants are x^(8n - 33) modulo the polynomial. */
#include "crc32c_variants.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define TARGET __attribute__((target("sse4.2,pclmul")))

#define LINE_LEN 64 /* bytes of a cache line */

typedef struct stream_plan {
    size_t len;      /* bytes of one stream, a multiple of LINE_LEN */
    uint32_t past_1; /* x^(8 * len - 33): past one stream */
    uint32_t past_2; /* x^(16 * len - 33): past two */
} stream_plan;

/* 4 KiB makes the join disappear in long blocks; 256 bytes still gain in short ones. */
static const stream_plan plans[] = {
    {4096, 0x82F89C77, 0x54A86326},
    {256, 0xB9E02B86, 0xDD7E3B0C},
};

static inline uint64_t load_u64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

TARGET static inline uint32_t shift(uint32_t crc, uint32_t constant)
{
    __m128i product =
        _mm_clmulepi64_si128(_mm_cvtsi32_si128((int)crc), _mm_cvtsi32_si128((int)constant), 0);
    return (uint32_t)_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* Lines of the next block, one for each stream. The hardware's own prefetch ends with a page, where
 * a stream ends too, and what a drive or a NIC has just written is in no cache: 20 per cent
 * (EXPERIMENTS.md). Behind the end of the bytes it costs nothing and never faults. */
TARGET static inline void prefetch(uintptr_t at, size_t stride)
{
    for (unsigned i = 0; i < 3; i++)
        _mm_prefetch((const void *)(at + i * stride), _MM_HINT_T0);
}

TARGET static inline uint32_t three_streams(uint32_t crc, const uint8_t *at, stream_plan plan)
{
    uint64_t first = crc, second = 0, third = 0;
    for (const uint8_t *end = at + plan.len; at < end;) {
        prefetch((uintptr_t)at + 3 * plan.len, plan.len);
        for (const uint8_t *line_end = at + LINE_LEN; at < line_end; at += 8) {
            first = _mm_crc32_u64(first, load_u64(at));
            second = _mm_crc32_u64(second, load_u64(at + plan.len));
            third = _mm_crc32_u64(third, load_u64(at + 2 * plan.len));
        }
    }
    return shift((uint32_t)first, plan.past_2) ^ shift((uint32_t)second, plan.past_1) ^
           (uint32_t)third;
}

int hr_crc32c_sse42_works(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

TARGET uint32_t hr_crc32c_sse42(uint32_t crc, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    crc = ~crc;
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++)
        for (; len >= 3 * plans[i].len; at += 3 * plans[i].len, len -= 3 * plans[i].len)
            crc = three_streams(crc, at, plans[i]);
    uint64_t wide = crc;
    for (; len >= 8; at += 8, len -= 8)
        wide = _mm_crc32_u64(wide, load_u64(at));
    crc = (uint32_t)wide;
    for (; len > 0; at++, len--)
        crc = _mm_crc32_u8(crc, *at);
    return ~crc;
}

#endif
