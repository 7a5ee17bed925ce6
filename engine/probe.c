/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

/* Byte i is the top byte of (i + 1) * odd modulo 2^64, where odd = (2 * link + 1) *
 * 0x9E3779B97F4A7C15: neither two pages of a probe look alike nor those of two links. */
static uint8_t byte_at(uint32_t link, size_t i)
{
    uint64_t odd = UINT64_C(0x9E3779B97F4A7C15) * (2 * (uint64_t)link + 1);
    return (uint8_t)(((uint64_t)i + 1) * odd >> 56);
}

void hr_probe_fill(uint32_t link, void *bytes, size_t len)
{
    uint8_t *to = bytes;
    for (size_t i = 0; i < len; i++)
        to[i] = byte_at(link, i);
}

bool hr_probe_matches(uint32_t link, const void *bytes, size_t len)
{
    const uint8_t *from = bytes;
    for (size_t i = 0; i < len; i++)
        if (from[i] != byte_at(link, i))
            return false;
    return true;
}
