/* SPDX-License-Identifier: Apache-2.0 */
/* Which implementation this CPU gets, and the arithmetic on digests that none of them needs. */
#include "crc32c.h"

#include "crc32c_lanes.h"
#include "crc32c_variants.h"

const hr_crc32c_variant hr_crc32c_variants[] = {
#if defined(__x86_64__)
    {"avx512", hr_crc32c_avx512_works, hr_crc32c_avx512},
    {"sse4.2", hr_crc32c_sse42_works, hr_crc32c_sse42},
#endif
    {"portable", hr_crc32c_portable_works, hr_crc32c_portable},
    {NULL, NULL, NULL},
};

/* Threads that come first at the same time all find the same answer, so a relaxed store of it is
 * enough. */
static const hr_crc32c_variant *chosen_variant(void)
{
    static const hr_crc32c_variant *chosen;
    const hr_crc32c_variant *variant = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
    if (variant != NULL)
        return variant;
    variant = hr_crc32c_variants;
    while (!variant->works_here())
        variant++;
    __atomic_store_n(&chosen, variant, __ATOMIC_RELAXED);
    return variant;
}

uint32_t hr_crc32c(uint32_t crc, const void *bytes, size_t len)
{
    return chosen_variant()->update(crc, bytes, len);
}

const char *hr_crc32c_name(void)
{
    return chosen_variant()->name;
}

/* Appending n bytes multiplies what the CRC stands for by x^(8n). The two inversions, before and
 * after, cancel out between the three digests. */
uint32_t hr_crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t len_b)
{
    uint32_t power = 1u << 23; /* x^8, squared at each turn */
    for (; len_b != 0; len_b >>= 1) {
        if (len_b & 1)
            crc_a = hr_crc32c_multiply(crc_a, power);
        power = hr_crc32c_multiply(power, power);
    }
    return crc_a ^ crc_b;
}

uint32_t hr_crc32c_linear(uint32_t crc, uint64_t len)
{
    return ~crc ^ hr_crc32c_combine(UINT32_MAX, 0, len);
}

void hr_crc32c_lane_table_make(hr_crc32c_lane_table *table_out)
{
    uint32_t power = 1u << 30; /* x */
    for (int i = 0; i < 32; i++, power = hr_crc32c_multiply(power, power))
        table_out->power[i] = power;
    power = table_out->power[5]; /* x^32, one word */
    for (int lane = 31; lane >= 0; lane--, power = hr_crc32c_multiply(power, table_out->power[5]))
        table_out->past_lane[lane] = power;
    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t byte = 0; byte < 256; byte++)
            table_out->past_row[k][byte] =
                hr_crc32c_multiply(byte << 8 * k, table_out->power[10]); /* x^1024, a row */
}
