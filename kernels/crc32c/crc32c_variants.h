/* SPDX-License-Identifier: Apache-2.0 */
/* What the implementations of CRC32C share. Inside the folder only. */
#ifndef HR_CRC32C_VARIANTS_H
#define HR_CRC32C_VARIANTS_H

#include <stddef.h>
#include <stdint.h>

/* The polynomial, bit-reflected: the highest bit is the coefficient of x^0. */
#define HR_CRC32C_POLYNOMIAL 0x82F63B78u

int hr_crc32c_portable_works(void);
uint32_t hr_crc32c_portable(uint32_t crc, const void *bytes, size_t len);

#if defined(__x86_64__)
int hr_crc32c_avx512_works(void);
uint32_t hr_crc32c_avx512(uint32_t crc, const void *bytes, size_t len);
int hr_crc32c_sse42_works(void);
uint32_t hr_crc32c_sse42(uint32_t crc, const void *bytes, size_t len);
#endif

#endif
