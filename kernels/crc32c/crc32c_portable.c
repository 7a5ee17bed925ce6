/* SPDX-License-Identifier: Apache-2.0 */
/* CRC32C with tables, eight bytes at a turn ("slicing by 8"): for CPUs without an instruction, and
 * what the others are compared with. */
#include "crc32c_variants.h"

#include <pthread.h>

/* slices[k][b]: what byte b does to the CRC when k more bytes follow it in the same turn. */
static uint32_t slices[8][256];

static void make_slices(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (crc & 1 ? HR_CRC32C_POLYNOMIAL : 0);
        slices[0][byte] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t before = slices[k - 1][byte];
            slices[k][byte] = (before >> 8) ^ slices[0][before & 0xFF];
        }
}

static uint32_t load_u32(const uint8_t *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

int hr_crc32c_portable_works(void)
{
    return 1;
}

uint32_t hr_crc32c_portable(uint32_t crc, const void *bytes, size_t len)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_slices);

    const uint8_t *at = bytes;
    crc = ~crc;
    for (; len >= 8; len -= 8, at += 8) {
        uint32_t low = crc ^ load_u32(at), high = load_u32(at + 4);
        crc = slices[7][low & 0xFF] ^ slices[6][low >> 8 & 0xFF] ^ slices[5][low >> 16 & 0xFF] ^
              slices[4][low >> 24] ^ slices[3][high & 0xFF] ^ slices[2][high >> 8 & 0xFF] ^
              slices[1][high >> 16 & 0xFF] ^ slices[0][high >> 24];
    }
    for (; len > 0; len--, at++)
        crc = (crc >> 8) ^ slices[0][(crc ^ *at) & 0xFF];
    return ~crc;
}
