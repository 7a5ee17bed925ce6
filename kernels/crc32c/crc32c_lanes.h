/* SPDX-License-Identifier: Apache-2.0 */
/* CRC32C by a group of lanes, without tables on the way.
 *
 * A row is 128 bytes, a word a lane. The rows of a lane are the coefficients of a polynomial in
 * z = x^1024. As 1024 is a power of two, taking x to z is a field automorphism, and z satisfies the
 * equation that x does: z^32 is the sum of the lower powers that the CRC's own polynomial names. So
 * 32 rows are enough to keep, and a row that falls out at the top is XORed into 17 others, 32 bits
 * at a time and without a look-up. Four rows at once are one three-way XOR a row kept.
 *
 * What comes out is linear: the CRC without its two inversions (hr_crc32c_linear). Parts are
 * shifted to their places and XORed. */
#ifndef HR_CRC32C_LANES_H
#define HR_CRC32C_LANES_H

#include "lane.h"

/* The polynomial as it is written, bit i the coefficient of x^i, and bit-reflected. */
#define HR_CRC32C_TAPS      0x1EDC6F41u
#define HR_CRC32C_REFLECTED 0x82F63B78u

#define HR_CRC32C_ROW_LEN 128u
#define HR_CRC32C_ROWS    32u
/* x^(2^31 - 1) = 1, so that bytes behind the end are taken away by more of x. */
#define HR_CRC32C_ORDER 0x7FFFFFFFu

/* Read by all lanes; made once by hr_crc32c_lane_table_make. */
typedef struct hr_crc32c_lane_table {
    uint32_t past_row[4][256]; /* byte k of a value, times z */
    uint32_t past_lane[32];    /* x^(32 x (32 - lane)) */
    uint32_t power[32];        /* x^(2^i); the last one is not used */
} hr_crc32c_lane_table;

/* a * b modulo the polynomial, all three bit-reflected. */
HR_LANE_FN uint32_t hr_crc32c_multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (uint32_t i = 0; i < 32; i++) {
        product ^= b & (0u - (a >> 31));
        a <<= 1;
        b = (b >> 1) ^ (HR_CRC32C_REFLECTED & (0u - (b & 1)));
    }
    return product;
}

/* Four rows come in: rows[k] stands for z^k. */
HR_LANE_FN void hr_crc32c_fold(uint32_t rows[HR_CRC32C_ROWS], const uint32_t words[4])
{
    const uint32_t top0 = rows[28], top1 = rows[29], top2 = rows[30], top3 = rows[31];
    HR_UNROLL
    for (int k = 31; k >= 0; k--) {
        uint64_t taps = (uint64_t)HR_CRC32C_TAPS << 3 >> k; /* of top0 in bit 3, of top3 in bit 0 */
        uint32_t row = k >= 4 ? rows[k >= 4 ? k - 4 : 0] : words[k < 4 ? 3 - k : 0];
        row ^= (taps >> 3 & 1 ? top0 : 0) ^ (taps >> 2 & 1 ? top1 : 0);
        rows[k] = row ^ (taps >> 1 & 1 ? top2 : 0) ^ (taps & 1 ? top3 : 0);
    }
}

HR_LANE_FN void hr_crc32c_store(uint8_t *target, uint32_t at, const uint32_t words[4])
{
    if (target == NULL)
        return;
    HR_UNROLL
    for (uint32_t i = 0; i < 4; i++)
        hr_lane_store_u32(target + at + (size_t)i * HR_CRC32C_ROW_LEN, words[i]);
}

/* The words of four rows at a place of source; copies them on the way if there is a target. Both
 * addresses are multiples of 4. */
HR_LANE_FN void hr_crc32c_take(const uint8_t *source, uint8_t *target, uint32_t at,
                               uint32_t words[4])
{
    HR_UNROLL
    for (uint32_t i = 0; i < 4; i++)
        words[i] = hr_lane_load_word(source + at + (size_t)i * HR_CRC32C_ROW_LEN);
    hr_crc32c_store(target, at, words);
}

/* The same for a source at any address. */
HR_LANE_FN void hr_crc32c_take_odd(const uint8_t *source, uint8_t *target, uint32_t at,
                                   uint32_t len, uint32_t words[4])
{
    HR_UNROLL
    for (uint32_t i = 0; i < 4; i++)
        words[i] = hr_lane_load_u32(source, at + i * HR_CRC32C_ROW_LEN, len);
    hr_crc32c_store(target, at, words);
}

/* The same where the source may end. */
HR_LANE_FN void hr_crc32c_take_end(const uint8_t *source, uint8_t *target, uint32_t at,
                                   uint32_t len, uint32_t words[4])
{
    HR_UNROLL
    for (uint32_t i = 0; i < 4; i++, at += HR_CRC32C_ROW_LEN) {
        words[i] = hr_lane_load_end(source, at, len);
        if (target == NULL)
            continue;
        for (uint32_t k = 0; k < 4 && at + k < len; k++)
            target[at + k] = (uint8_t)(words[i] >> 8 * k);
    }
}

/* x^exponent: each lane brings the power of one bit, and pairs are multiplied. */
HR_LANE_FN uint32_t hr_crc32c_power(hr_lanes *lanes, const hr_crc32c_lane_table *table,
                                    uint32_t exponent)
{
    uint32_t factor[HR_HELD], other[HR_HELD];
    HR_FOR_LANES(lanes, lane)
    factor[HR_AT(lane)] = exponent >> lane & 1 ? table->power[lane] : 1u << 31;
    for (uint32_t distance = 1; distance < HR_LANES; distance *= 2) {
        HR_FOR_LANES(lanes, lane)
        other[HR_AT(lane)] = factor[HR_AT(lane)];
        hr_lanes_swap(other, distance);
        HR_FOR_LANES(lanes, lane)
        factor[HR_AT(lane)] = hr_crc32c_multiply(factor[HR_AT(lane)], other[HR_AT(lane)]);
    }
    return hr_lanes_get(factor, 0);
}

/* The linear CRC of len bytes that are followed by after others (together fewer than 2^27), which
 * is their share of the whole. With a target they are copied there in the same pass. */
HR_LANE_FN uint32_t hr_crc32c_lanes(hr_lanes *lanes, const hr_crc32c_lane_table *table,
                                    const uint8_t *source, uint8_t *target, uint32_t len,
                                    uint32_t after)
{
    const uint32_t turn = 4 * HR_CRC32C_ROW_LEN;
    uint32_t sum[HR_HELD];
    if (len == 0)
        return 0;
    HR_FOR_LANES(lanes, lane)
    {
        uint32_t rows[HR_CRC32C_ROWS], words[4], more[4], at = 4 * lane, crc = 0;
        HR_UNROLL
        for (uint32_t k = 0; k < HR_CRC32C_ROWS; k++)
            rows[k] = 0;
        /* Two turns' loads are under way at once, if a word is one load: else there are not enough
           registers. */
        uint32_t left = len;
        for (; left >= 2 * turn && ((uintptr_t)source & 3) == 0; left -= 2 * turn, at += 2 * turn) {
            hr_crc32c_take(source, target, at, words);
            hr_crc32c_take(source, target, at + turn, more);
            hr_crc32c_fold(rows, words);
            hr_crc32c_fold(rows, more);
        }
        for (; left >= turn; left -= turn, at += turn) {
            hr_crc32c_take_odd(source, target, at, len, words);
            hr_crc32c_fold(rows, words);
        }
        if (left > 0) {
            hr_crc32c_take_end(source, target, at, len, words);
            hr_crc32c_fold(rows, words);
        }
        HR_UNROLL
        for (int k = HR_CRC32C_ROWS - 1; k >= 0; k--)
            crc = rows[k] ^ table->past_row[0][crc & 255] ^ table->past_row[1][crc >> 8 & 255] ^
                  table->past_row[2][crc >> 16 & 255] ^ table->past_row[3][crc >> 24];
        sum[HR_AT(lane)] = hr_crc32c_multiply(crc, table->past_lane[lane]);
    }
    uint32_t shift = 8 * after, pad = 8 * ((turn - len % turn) % turn);
    shift = shift >= pad ? shift - pad : HR_CRC32C_ORDER - (pad - shift);
    return hr_crc32c_multiply(hr_lanes_xor(sum), hr_crc32c_power(lanes, table, shift));
}

#endif
