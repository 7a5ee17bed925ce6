/* SPDX-License-Identifier: Apache-2.0 */
/* CRC32C (Castagnoli, RFC 3720 appendix B.4), the digest of chunks and blocks. It protects from
 * accidents, never from a person. */
#ifndef HR_CRC32C_H
#define HR_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of bytes appended to what crc covers; start with 0. Takes the fastest implementation that
 * this CPU has. */
uint32_t hr_crc32c(uint32_t crc, const void *bytes, size_t len);
/* The CRC of A followed by B, from that of A, that of B, and the length of B in bytes. */
uint32_t hr_crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t len_b);
/* The CRC without its inversions, as crc32c_lanes.h computes it: the remainder of the bytes alone.
 */
uint32_t hr_crc32c_linear(uint32_t crc, uint64_t len);
/* What a group of lanes needs beside the bytes. */
typedef struct hr_crc32c_lane_table hr_crc32c_lane_table;
void hr_crc32c_lane_table_make(hr_crc32c_lane_table *table_out);
/* "avx512", "sse4.2", "portable" */
const char *hr_crc32c_name(void);

/* One implementation. */
typedef struct hr_crc32c_variant {
    const char *name;
    int (*works_here)(void);
    uint32_t (*update)(uint32_t crc, const void *bytes, size_t len);
} hr_crc32c_variant;

/* All that this build has, best first, the portable one last; ends with a row without a name. For
 * tests and the benchmark. */
extern const hr_crc32c_variant hr_crc32c_variants[];

#endif
