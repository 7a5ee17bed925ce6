/* SPDX-License-Identifier: Apache-2.0 */
/* hr_foreign: a file that lz4 or zstd made by itself, seen as chunks that can be decoded one by
 * one: runs of independent LZ4 blocks, or of zstd frames. Pure; nothing is decoded here. */
#ifndef HR_FOREIGN_H
#define HR_FOREIGN_H

#include "index.h"

typedef struct hr_foreign {
    hr_container container; /* HR_CONTAINER_LZ4_BESIDE or HR_CONTAINER_ZSTD_BESIDE */
    uint32_t block_len;     /* content of each block or frame but the last */
    uint32_t chunk_len;
    bool has_checksum; /* of LZ4: after the last block */
    bool over;         /* the last block was seen */
    const char *why;   /* it cannot be seen so */
} hr_foreign;

/* The bytes of a chunk, from where the one before it ended. */
typedef struct hr_foreign_chunk {
    uint32_t skip, len; /* len 0: there is no other */
} hr_foreign_chunk;

/* Bytes that next must be given, if the file has them. */
#define HR_FOREIGN_WINDOW (HR_INDEX_STORED_MAX - HR_INDEX_ALIGN)

/* By the first bytes of a file; the first chunk begins *at_out later. HR_NOT_FOUND: neither has
 * made it. HR_UNSUPPORTED: see why. */
HR_CHECKED hr_status hr_foreign_begin(hr_foreign *foreign, const uint8_t *bytes, size_t len,
                                      uint32_t *at_out);
/* ends: the file ends with these bytes. HR_UNSUPPORTED: see why. */
HR_CHECKED hr_status hr_foreign_next(hr_foreign *foreign, const uint8_t *bytes, size_t len,
                                     bool ends, hr_foreign_chunk *chunk_out);

#endif
