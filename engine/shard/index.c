/* SPDX-License-Identifier: Apache-2.0 */
#include "index.h"

#include <assert.h>
#include <string.h>

#include "bytes.h"
#include "chunk.h"
#include "crc32c.h"

#define VERSION         1u
#define FRAME_MAGIC     UINT32_C(0x184D2A5B)
#define GAP_MAGIC       UINT32_C(0x184D2A5A)
#define FRAME_HEADER    8u
#define ROW_LEN         64u
#define PAGE_HEADER_LEN 64u

static const uint8_t magic[8] = {'H', 'R', 'P', 'A', 'C', 'K', 'E', 'D'};

/* Offsets in the tail. */
enum {
    MAGIC_AT = 0,
    VERSION_AT = 8,
    CONTAINER_AT = 12,
    SHARD_CONTENT_LEN_AT = 16,
    INDEX_OFFSET_AT = 24,
    CHUNK_COUNT_AT = 32,
    CHUNK_LEN_AT = 36,
    PAGES_CRC_AT = 40,
    FILE_LEN_AT = 44,
    TAIL_ZERO_AT = 52,
    TAIL_CRC_AT = 60,
};

/* Offsets in the header of a page. */
enum {
    FRAME_AT = 0,
    FRAME_LEN_AT = 4,
    PAGE_AT = 8,
    ROWS_AT = 12,
    PAGE_ZERO_AT = 16,
    PAGE_CRC_AT = 60,
};

/* Offsets in a row. */
enum {
    STORED_OFFSET_AT = 0,
    STORED_LEN_AT = 8,
    CONTENT_LEN_AT = 12,
    STORED_CRC_AT = 16,
    CONTENT_CRC_AT = 20,
    CONTENT_AT_AT = 24,
    CODEC_AT = 26,
    DIGEST_KIND_AT = 27,
    BLOCK_LOG2_AT = 28,
    ROW_ZERO_AT = 29,
    DIGEST_AT = 32,
};

static bool is_zero(const uint8_t *bytes, size_t len)
{
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++)
        any |= bytes[i];
    return any == 0;
}

static uint32_t page_rows(uint32_t chunk_count, uint32_t page)
{
    return (uint32_t)hr_min_u64(chunk_count - page * HR_INDEX_PAGE_ROWS, HR_INDEX_PAGE_ROWS);
}

/* Fits: 2^25 chunks make 2^31 bytes of pages. */
static uint32_t frame_len(uint32_t chunk_count)
{
    return hr_index_pages(chunk_count) * HR_INDEX_PAGE_LEN + HR_INDEX_TAIL_LEN - FRAME_HEADER;
}

static uint32_t page_crc(const uint8_t *page)
{
    uint32_t crc = hr_crc32c(0, page, PAGE_CRC_AT);
    return hr_crc32c(crc, page + PAGE_HEADER_LEN, HR_INDEX_PAGE_LEN - PAGE_HEADER_LEN);
}

/* ---- writing ---- */

void hr_index_row_pack(const hr_index_row *row, uint32_t chunk, uint8_t page[HR_INDEX_PAGE_LEN])
{
    uint8_t *at = page + PAGE_HEADER_LEN + (size_t)(chunk % HR_INDEX_PAGE_ROWS) * ROW_LEN;
    memset(at, 0, ROW_LEN);
    hr_put_u64(at + STORED_OFFSET_AT, row->stored_offset);
    hr_put_u32(at + STORED_LEN_AT, row->stored_len);
    hr_put_u32(at + CONTENT_LEN_AT, row->content_len);
    hr_put_u32(at + STORED_CRC_AT, row->stored_crc);
    hr_put_u32(at + CONTENT_CRC_AT, row->content_crc);
    hr_put_u16(at + CONTENT_AT_AT, row->content_at);
    at[CODEC_AT] = row->codec;
    at[DIGEST_KIND_AT] = row->digest_kind;
    at[BLOCK_LOG2_AT] = row->block_log2;
    memcpy(at + DIGEST_AT, row->digest, sizeof row->digest);
}

void hr_index_page_seal(hr_index_tail *tail, uint32_t number, uint8_t page[HR_INDEX_PAGE_LEN])
{
    uint32_t rows = page_rows(tail->chunk_count, number);
    uint8_t *end = page + PAGE_HEADER_LEN + (size_t)rows * ROW_LEN;
    memset(end, 0, (size_t)(HR_INDEX_PAGE_ROWS - rows) * ROW_LEN);
    memset(page, 0, PAGE_HEADER_LEN);
    if (number == 0) {
        hr_put_u32(page + FRAME_AT, FRAME_MAGIC);
        hr_put_u32(page + FRAME_LEN_AT, frame_len(tail->chunk_count));
    }
    hr_put_u32(page + PAGE_AT, number);
    hr_put_u32(page + ROWS_AT, rows);
    hr_put_u32(page + PAGE_CRC_AT, page_crc(page));
    tail->pages_crc = hr_crc32c(tail->pages_crc, page + PAGE_CRC_AT, 4);
}

void hr_index_tail_pack(const hr_index_tail *tail, uint8_t bytes_out[HR_INDEX_TAIL_LEN])
{
    memset(bytes_out, 0, HR_INDEX_TAIL_LEN);
    memcpy(bytes_out + MAGIC_AT, magic, sizeof magic);
    hr_put_u32(bytes_out + VERSION_AT, VERSION);
    hr_put_u32(bytes_out + CONTAINER_AT, (uint32_t)tail->container);
    hr_put_u64(bytes_out + SHARD_CONTENT_LEN_AT, tail->content_len);
    hr_put_u64(bytes_out + INDEX_OFFSET_AT, tail->index_offset);
    hr_put_u32(bytes_out + CHUNK_COUNT_AT, tail->chunk_count);
    hr_put_u32(bytes_out + CHUNK_LEN_AT, tail->chunk_len);
    hr_put_u32(bytes_out + PAGES_CRC_AT, tail->pages_crc);
    hr_put_u64(bytes_out + FILE_LEN_AT, tail->file_len);
    hr_put_u32(bytes_out + TAIL_CRC_AT, hr_crc32c(0, bytes_out, TAIL_CRC_AT));
}

/* ---- the tail ---- */

/* The numbers agree with each other and with the file; none of the sums can overflow, since counts
 * and lengths are capped first. */
static bool tail_fits(const hr_index_tail *tail, uint64_t file_len)
{
    if (tail->chunk_len == 0 || tail->chunk_len > HR_INDEX_CHUNK_MAX ||
        tail->chunk_count > HR_CHUNKS_MAX)
        return false;
    if (tail->content_len > (uint64_t)tail->chunk_count * tail->chunk_len ||
        (tail->chunk_count > 0 &&
         tail->content_len <= (uint64_t)(tail->chunk_count - 1) * tail->chunk_len))
        return false;
    uint64_t pages_len = (uint64_t)hr_index_pages(tail->chunk_count) * HR_INDEX_PAGE_LEN;
    if (file_len < pages_len + HR_INDEX_TAIL_LEN ||
        tail->index_offset != file_len - pages_len - HR_INDEX_TAIL_LEN)
        return false;
    return tail->index_offset % HR_INDEX_ALIGN == 0 &&
           (!hr_container_is_beside(tail->container) || tail->index_offset == 0) &&
           (hr_container_is_foreign(tail->container) || tail->file_len == 0);
}

hr_status hr_index_tail_unpack(const uint8_t bytes[HR_INDEX_TAIL_LEN], uint64_t file_len,
                               hr_index_tail *tail_out)
{
    if (memcmp(bytes + MAGIC_AT, magic, sizeof magic) != 0)
        return HR_NOT_FOUND;
    if (hr_crc32c(0, bytes, TAIL_CRC_AT) != hr_get_u32(bytes + TAIL_CRC_AT))
        return HR_INTEGRITY;
    uint32_t container = hr_get_u32(bytes + CONTAINER_AT);
    if (hr_get_u32(bytes + VERSION_AT) != VERSION || container > HR_CONTAINER_ZSTD_BESIDE ||
        !is_zero(bytes + TAIL_ZERO_AT, TAIL_CRC_AT - TAIL_ZERO_AT))
        return HR_VERSION;
    hr_index_tail tail = {
        .container = (hr_container)container,
        .chunk_count = hr_get_u32(bytes + CHUNK_COUNT_AT),
        .chunk_len = hr_get_u32(bytes + CHUNK_LEN_AT),
        .content_len = hr_get_u64(bytes + SHARD_CONTENT_LEN_AT),
        .index_offset = hr_get_u64(bytes + INDEX_OFFSET_AT),
        .pages_crc = hr_get_u32(bytes + PAGES_CRC_AT),
        .file_len = hr_get_u64(bytes + FILE_LEN_AT),
    };
    if (!tail_fits(&tail, file_len))
        return HR_INTEGRITY;
    *tail_out = tail;
    return HR_OK;
}

/* ---- rows ---- */

void hr_index_reader_init(hr_index_reader *reader, const hr_index_tail *tail)
{
    *reader = (hr_index_reader){.tail = *tail, .chunk = HR_INDEX_NO_ROW, .what = ""};
}

static hr_status refuse(hr_index_reader *reader, hr_status status, uint32_t chunk, const char *what)
{
    reader->chunk = chunk;
    reader->what = what;
    return status;
}

static bool codec_belongs(hr_container container, unsigned codec)
{
    switch (container) {
    case HR_CONTAINER_BESIDE:
        return codec == HR_CODEC_STORED;
    case HR_CONTAINER_LZ4:
        return codec == HR_CODEC_STORED || codec == HR_CODEC_LZ4;
    case HR_CONTAINER_ZSTD:
        return codec == HR_CODEC_ZSTD;
    case HR_CONTAINER_HEADRACE:
        return codec == HR_CODEC_STORED || codec == HR_CODEC_PLANES;
    case HR_CONTAINER_LZ4_BESIDE:
        return codec == HR_CODEC_LZ4;
    case HR_CONTAINER_ZSTD_BESIDE:
        return codec == HR_CODEC_ZSTD;
    }
    return false;
}

static void unpack_row(const uint8_t *at, hr_index_row *row)
{
    *row = (hr_index_row){
        .stored_offset = hr_get_u64(at + STORED_OFFSET_AT),
        .stored_len = hr_get_u32(at + STORED_LEN_AT),
        .content_len = hr_get_u32(at + CONTENT_LEN_AT),
        .stored_crc = hr_get_u32(at + STORED_CRC_AT),
        .content_crc = hr_get_u32(at + CONTENT_CRC_AT),
        .content_at = hr_get_u16(at + CONTENT_AT_AT),
        .codec = at[CODEC_AT],
        .block_log2 = at[BLOCK_LOG2_AT],
        .digest_kind = at[DIGEST_KIND_AT],
    };
    memcpy(row->digest, at + DIGEST_AT, sizeof row->digest);
}

/* Where the chunk lies: exactly where the gap of the one before ends, and inside of what may hold
 * it. */
static hr_status check_place(hr_index_reader *reader, const hr_index_row *row, uint32_t chunk)
{
    hr_container container = reader->tail.container;
    bool beside = hr_container_is_beside(container), foreign = hr_container_is_foreign(container);
    uint64_t limit = foreign  ? reader->tail.file_len
                     : beside ? reader->tail.content_len
                              : reader->tail.index_offset;
    /* Of a foreign file chunks are read with what is around them in their pages. */
    uint32_t stored_max = foreign ? HR_INDEX_STORED_MAX - HR_INDEX_ALIGN : HR_INDEX_STORED_MAX;
    if (row->stored_len == 0 || row->stored_len > stored_max)
        return refuse(reader, HR_INTEGRITY, chunk, "its stored length is over the limit, or zero");
    if (row->stored_offset < reader->end)
        return refuse(reader, HR_INTEGRITY, chunk, "it overlaps the chunk before it");
    if (row->stored_offset > reader->end && !foreign)
        return refuse(reader, HR_INTEGRITY, chunk, "it does not follow the chunk before it");
    /* Below 2^23, so that it cannot overflow where it is added to less than limit. */
    uint64_t len = row->stored_len + (beside ? 0 : hr_index_gap_len(row->stored_len));
    if (row->stored_offset > limit || len > limit - row->stored_offset)
        return refuse(reader, HR_INTEGRITY, chunk, "it reaches past the end of the chunks");
    if (beside && !foreign && row->stored_len != row->content_len)
        return refuse(reader, HR_INTEGRITY, chunk, "it is not where a plain file has it");
    reader->end = row->stored_offset + len;
    return HR_OK;
}

static hr_status check_row(hr_index_reader *reader, const hr_index_row *row, uint32_t chunk)
{
    const hr_index_tail *tail = &reader->tail;
    uint64_t before = (uint64_t)chunk * tail->chunk_len;
    if (row->content_len != hr_min_u64(tail->content_len - before, tail->chunk_len))
        return refuse(reader, HR_INTEGRITY, chunk, "its content has not the length that is due");
    if (!codec_belongs(tail->container, row->codec))
        return hr_codec_find(row->codec) == NULL
                   ? refuse(reader, HR_UNSUPPORTED, chunk, "its codec is unknown to this version")
                   : refuse(reader, HR_INTEGRITY, chunk, "its codec is not one of this container");
    bool stored = row->codec == HR_CODEC_STORED;
    if (stored ? row->block_log2 != 0 : row->block_log2 > 22 || row->content_at != 0)
        return refuse(reader, HR_INTEGRITY, chunk, "its blocks have no length that can be");
    if (stored && (uint64_t)row->content_at + row->content_len > row->stored_len)
        return refuse(reader, HR_INTEGRITY, chunk, "its content is longer than what is stored");
    if (row->digest_kind == 0 && !is_zero(row->digest, sizeof row->digest))
        return refuse(reader, HR_INTEGRITY, chunk, "it has a digest of no kind");
    return check_place(reader, row, chunk);
}

static hr_status check_page(hr_index_reader *reader, const uint8_t *page, uint32_t rows)
{
    const hr_index_tail *tail = &reader->tail;
    if (hr_get_u32(page + PAGE_CRC_AT) != page_crc(page))
        return refuse(reader, HR_INTEGRITY, HR_INDEX_NO_ROW, "a page does not match its digest");
    bool first = reader->page == 0;
    const uint8_t *rest = page + PAGE_HEADER_LEN + (size_t)rows * ROW_LEN;
    if (hr_get_u32(page + FRAME_AT) != (first ? FRAME_MAGIC : 0) ||
        hr_get_u32(page + FRAME_LEN_AT) != (first ? frame_len(tail->chunk_count) : 0) ||
        hr_get_u32(page + PAGE_AT) != reader->page || hr_get_u32(page + ROWS_AT) != rows ||
        !is_zero(rest, (size_t)(HR_INDEX_PAGE_ROWS - rows) * ROW_LEN))
        return refuse(reader, HR_INTEGRITY, HR_INDEX_NO_ROW, "a page is not the one that is due");
    if (!is_zero(page + PAGE_ZERO_AT, PAGE_CRC_AT - PAGE_ZERO_AT))
        return refuse(reader, HR_UNSUPPORTED, HR_INDEX_NO_ROW,
                      "a page has what this version does not know");
    return HR_OK;
}

hr_status hr_index_page_read(hr_index_reader *reader, const uint8_t page[HR_INDEX_PAGE_LEN],
                             hr_index_row rows_out[HR_INDEX_PAGE_ROWS], uint32_t *count_out)
{
    assert(reader->page < hr_index_pages(reader->tail.chunk_count));
    uint32_t rows = page_rows(reader->tail.chunk_count, reader->page);
    hr_status status = check_page(reader, page, rows);
    for (uint32_t i = 0; status == HR_OK && i < rows; i++) {
        uint32_t chunk = reader->page * HR_INDEX_PAGE_ROWS + i;
        const uint8_t *at = page + PAGE_HEADER_LEN + (size_t)i * ROW_LEN;
        unpack_row(at, &rows_out[i]);
        if (!is_zero(at + ROW_ZERO_AT, DIGEST_AT - ROW_ZERO_AT))
            status =
                refuse(reader, HR_UNSUPPORTED, chunk, "it has what this version does not know");
        else
            status = check_row(reader, &rows_out[i], chunk);
    }
    if (status != HR_OK)
        return status;
    reader->crc = hr_crc32c(reader->crc, page + PAGE_CRC_AT, 4);
    reader->page++;
    *count_out = rows;
    return HR_OK;
}

hr_status hr_index_reader_finish(hr_index_reader *reader)
{
    assert(reader->page == hr_index_pages(reader->tail.chunk_count));
    const hr_index_tail *tail = &reader->tail;
    bool beside = hr_container_is_beside(tail->container);
    if (reader->crc != tail->pages_crc)
        return refuse(reader, HR_INTEGRITY, HR_INDEX_NO_ROW, "its pages are not those of its tail");
    if (!hr_container_is_foreign(tail->container) &&
        reader->end != (beside ? tail->content_len : tail->index_offset))
        return refuse(reader, HR_INTEGRITY, HR_INDEX_NO_ROW,
                      "something lies between the last chunk and the index");
    return HR_OK;
}

bool hr_index_begins(const uint8_t *head, size_t len)
{
    static const uint8_t heads[][4] = {
        {0x04, 0x22, 0x4D, 0x18}, /* LZ4 */
        {0x28, 0xB5, 0x2F, 0xFD}, /* zstd */
        {0x5B, 0x2A, 0x4D, 0x18}, /* the frame of an index without chunks */
        {'H', 'R', 'P', 'L'},
    };
    for (size_t i = 0; len >= 4 && i < sizeof heads / sizeof heads[0]; i++)
        if (memcmp(head, heads[i], 4) == 0)
            return true;
    return false;
}

bool hr_index_ends(const uint8_t *bytes, size_t len)
{
    hr_index_tail tail;
    if (len < HR_INDEX_TAIL_LEN)
        return false;
    hr_status status = hr_index_tail_unpack(bytes + len - HR_INDEX_TAIL_LEN, len, &tail);
    return status == HR_OK ? !hr_container_is_beside(tail.container) : status != HR_NOT_FOUND;
}

/* ---- between the chunks ---- */

uint32_t hr_index_gap_len(uint32_t stored_len)
{
    uint32_t gap = (HR_INDEX_ALIGN - stored_len % HR_INDEX_ALIGN) % HR_INDEX_ALIGN;
    return gap > 0 && gap < FRAME_HEADER ? gap + HR_INDEX_ALIGN : gap;
}

void hr_index_gap_pack(uint8_t *gap, uint32_t gap_len)
{
    assert(gap_len == 0 || gap_len >= FRAME_HEADER);
    if (gap_len == 0)
        return;
    memset(gap, 0, gap_len);
    hr_put_u32(gap, GAP_MAGIC);
    hr_put_u32(gap + 4, gap_len - FRAME_HEADER);
}

bool hr_index_gap_is_right(const uint8_t *gap, size_t gap_len)
{
    return gap_len == 0 || (gap_len >= FRAME_HEADER && hr_get_u32(gap) == GAP_MAGIC &&
                            hr_get_u32(gap + 4) == gap_len - FRAME_HEADER &&
                            is_zero(gap + FRAME_HEADER, gap_len - FRAME_HEADER));
}

const char *hr_container_name(hr_container container)
{
    switch (container) {
    case HR_CONTAINER_LZ4:
    case HR_CONTAINER_LZ4_BESIDE:
        return "lz4";
    case HR_CONTAINER_ZSTD:
    case HR_CONTAINER_ZSTD_BESIDE:
        return "zstd";
    case HR_CONTAINER_HEADRACE:
        return "planes";
    case HR_CONTAINER_BESIDE:
        break;
    }
    return "none";
}
