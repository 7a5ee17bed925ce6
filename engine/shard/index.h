/* SPDX-License-Identifier: Apache-2.0 */
/* hr_index: the table at the end of a packed shard: where each chunk lies, how long it is, which
 * codec, its digests. docs/FORMAT.md has the layout. Pure: bytes in, rows out and back, and no
 * number is believed before it was checked. */
#ifndef HR_INDEX_H
#define HR_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "chunk_len.h"
#include "codec.h"
#include "status.h"

#define HR_INDEX_PAGE_LEN  4096u
#define HR_INDEX_PAGE_ROWS 63u
#define HR_INDEX_TAIL_LEN  64u

#define HR_INDEX_ALIGN      4096u
#define HR_INDEX_CHUNK_MAX  HR_CHUNK_LEN                       /* content of a chunk */
#define HR_INDEX_STORED_MAX (HR_INDEX_CHUNK_MAX + (64u << 10)) /* its stored bytes */

/* What the chunks of a shard are, taken together; never reused. */
typedef enum hr_container {
    HR_CONTAINER_BESIDE = 0, /* a plain file that the index lies beside */
    HR_CONTAINER_LZ4 = 1,
    HR_CONTAINER_ZSTD = 2,
    HR_CONTAINER_HEADRACE = 3,
    HR_CONTAINER_LZ4_BESIDE = 4,  /* an LZ4 file of others, that the index lies beside */
    HR_CONTAINER_ZSTD_BESIDE = 5, /* a zstd file of others */
} hr_container;

/* The chunks lie in another file than the index. */
static inline bool hr_container_is_beside(hr_container container)
{
    return container == HR_CONTAINER_BESIDE || container >= HR_CONTAINER_LZ4_BESIDE;
}

/* That file is one that others have compressed. */
static inline bool hr_container_is_foreign(hr_container container)
{
    return container >= HR_CONTAINER_LZ4_BESIDE;
}

typedef struct hr_index_tail {
    hr_container container;
    uint32_t chunk_count, chunk_len;
    uint64_t content_len;
    uint64_t index_offset; /* where page 0 begins, and chunks end (but beside) */
    uint32_t pages_crc;
    uint64_t file_len; /* foreign containers: of the file that chunks lie in; else 0 */
} hr_index_tail;

typedef struct hr_index_row {
    uint64_t stored_offset;
    uint32_t stored_len, content_len;
    uint32_t stored_crc, content_crc;
    uint16_t content_at; /* codec stored: the content within the stored bytes */
    uint8_t codec;       /* hr_codec_id */
    uint8_t block_log2;
    uint8_t digest_kind;
    uint8_t digest[32];
} hr_index_row;

/* At least one: page 0 opens the frame that holds all of them and the tail. */
static inline uint32_t hr_index_pages(uint32_t chunk_count)
{
    return chunk_count == 0 ? 1 : (chunk_count - 1) / HR_INDEX_PAGE_ROWS + 1;
}

/* ---- writing ---- */

/* Rows are added in order, by number. A page is sealed once all of its rows are there; sealing all
 * of them in order makes tail->pages_crc, which starts as 0. */
void hr_index_row_pack(const hr_index_row *row, uint32_t chunk, uint8_t page[HR_INDEX_PAGE_LEN]);
void hr_index_page_seal(hr_index_tail *tail, uint32_t number, uint8_t page[HR_INDEX_PAGE_LEN]);
void hr_index_tail_pack(const hr_index_tail *tail, uint8_t bytes_out[HR_INDEX_TAIL_LEN]);

/* ---- reading ---- */

/* The last bytes of a file of file_len bytes. HR_NOT_FOUND: it is no packed shard. HR_VERSION: of a
 * later version. HR_INTEGRITY: damaged, cut, or somebody else's with the same magic. */
HR_CHECKED hr_status hr_index_tail_unpack(const uint8_t bytes[HR_INDEX_TAIL_LEN], uint64_t file_len,
                                          hr_index_tail *tail_out);

/* Reads all pages, in order. When it refuses, what says why and chunk which row it was, which is
 * HR_INDEX_NO_ROW when it was no row's fault. */
#define HR_INDEX_NO_ROW UINT32_MAX

typedef struct hr_index_reader {
    hr_index_tail tail;
    uint32_t page; /* the next one */
    uint32_t crc;  /* over the CRCs of those before */
    uint64_t end;  /* where the last chunk so far and its gap end */
    uint32_t chunk;
    const char *what;
} hr_index_reader;

void hr_index_reader_init(hr_index_reader *reader, const hr_index_tail *tail);
/* HR_INTEGRITY, or HR_UNSUPPORTED for a codec that is not known. rows_out holds *count_out rows
 * from success on. */
HR_CHECKED hr_status hr_index_page_read(hr_index_reader *reader,
                                        const uint8_t page[HR_INDEX_PAGE_LEN],
                                        hr_index_row rows_out[HR_INDEX_PAGE_ROWS],
                                        uint32_t *count_out);
/* After the last page. */
HR_CHECKED hr_status hr_index_reader_finish(hr_index_reader *reader);

/* Whether a file that begins so may be a packed shard, or an LZ4 or zstd file of others. */
bool hr_index_begins(const uint8_t *head, size_t len);
/* Whether a whole file ends as a packed shard does, damaged or not. */
bool hr_index_ends(const uint8_t *bytes, size_t len);

/* ---- between the chunks ---- */

/* Bytes from the end of a chunk of this length to the start of what follows. */
uint32_t hr_index_gap_len(uint32_t stored_len);
void hr_index_gap_pack(uint8_t *gap, uint32_t gap_len);
/* Nothing, or one skippable frame of zeros. */
bool hr_index_gap_is_right(const uint8_t *gap, size_t gap_len);

/* "lz4" */
const char *hr_container_name(hr_container container);

#endif
