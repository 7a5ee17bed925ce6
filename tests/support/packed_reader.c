/* SPDX-License-Identifier: Apache-2.0 */
#include "packed_reader.h"

#include <lz4.h>
#include <lz4frame.h>
#include <string.h>
#include <zstd.h>

static uint64_t number(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    while (bytes-- > 0)
        value = value << 8 | at[bytes];
    return value;
}

/* Four bits at a time. */
static uint32_t crc32c(uint32_t crc, const uint8_t *bytes, size_t len)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3,
        0x61C69362, 0x7198540D, 0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9,
        0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75,
    };
    crc = ~crc;
    for (; len > 0; len--) {
        crc ^= *bytes++;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static bool zero(const uint8_t *bytes, size_t len)
{
    while (len > 0 && bytes[len - 1] == 0)
        len--;
    return len == 0;
}

/* ---- the tail ---- */

typedef struct shard_tail {
    uint32_t container, chunk_count, chunk_len, pages_crc, pages;
    uint64_t content_len, index_offset, file_len;
} shard_tail;

/* Chunks lie in another file; in one that another tool has made. */
static bool is_beside(const shard_tail *tail)
{
    return tail->container == 0 || tail->container >= 4;
}
static bool is_foreign(const shard_tail *tail)
{
    return tail->container >= 4;
}

static bool read_tail(const uint8_t *shard, size_t len, shard_tail *out)
{
    if (len < 64)
        return false;
    const uint8_t *at = shard + len - 64;
    if (memcmp(at, "HRPACKED", 8) != 0 || number(at + 8, 4) != 1 ||
        number(at + 60, 4) != crc32c(0, at, 60) || !zero(at + 52, 8))
        return false;
    out->container = (uint32_t)number(at + 12, 4);
    out->content_len = number(at + 16, 8);
    out->index_offset = number(at + 24, 8);
    out->chunk_count = (uint32_t)number(at + 32, 4);
    out->chunk_len = (uint32_t)number(at + 36, 4);
    out->pages_crc = (uint32_t)number(at + 40, 4);
    out->file_len = number(at + 44, 8);
    if (out->container > 5 || (!is_foreign(out) && out->file_len != 0) ||
        out->chunk_count > 1u << 25 || out->chunk_len < 1 || out->chunk_len > 4194304)
        return false;
    uint64_t chunks = out->content_len / out->chunk_len + (out->content_len % out->chunk_len != 0);
    out->pages = out->chunk_count == 0 ? 1 : (out->chunk_count + 62) / 63;
    return out->chunk_count == chunks && out->index_offset % 4096 == 0 &&
           out->index_offset <= len && len - out->index_offset == 4096ull * out->pages + 64 &&
           (!is_beside(out) || out->index_offset == 0);
}

/* ---- pages and rows ---- */

typedef struct shard_row {
    uint64_t stored_offset;
    uint32_t stored_len, content_len, stored_crc, content_crc, content_at, codec, block_log2;
} shard_row;

static uint32_t rows_of(const shard_tail *tail, uint32_t page)
{
    uint32_t left = tail->chunk_count - page * 63;
    return left < 63 ? left : 63;
}

static bool page_is_right(const uint8_t *page, const shard_tail *tail, uint32_t page_number)
{
    uint8_t frame[8] = {0};
    uint32_t frame_len = 4096 * tail->pages + 56, rows = rows_of(tail, page_number);
    if (page_number == 0) {
        memcpy(frame, "\x5B\x2A\x4D\x18", 4);
        for (int i = 0; i < 4; i++)
            frame[4 + i] = (uint8_t)(frame_len >> 8 * i);
    }
    uint32_t crc = crc32c(crc32c(0, page, 60), page + 64, 4096 - 64);
    return memcmp(page, frame, 8) == 0 && number(page + 8, 4) == page_number &&
           number(page + 12, 4) == rows && zero(page + 16, 44) && number(page + 60, 4) == crc &&
           zero(page + 64 + 64ull * rows, 64ull * (63 - rows));
}

static bool codec_fits(uint32_t container, uint32_t codec)
{
    static const char *const codecs[] = {"0", "01", "2", "03", "1", "2"};
    return codec < 10 && strchr(codecs[container], '0' + (int)codec) != NULL;
}

static bool read_row(const uint8_t *at, const shard_tail *tail, uint32_t chunk, shard_row *out)
{
    uint64_t before = (uint64_t)chunk * tail->chunk_len, left = tail->content_len - before;
    out->stored_offset = number(at, 8);
    out->stored_len = (uint32_t)number(at + 8, 4);
    out->content_len = (uint32_t)number(at + 12, 4);
    out->stored_crc = (uint32_t)number(at + 16, 4);
    out->content_crc = (uint32_t)number(at + 20, 4);
    out->content_at = (uint32_t)number(at + 24, 2);
    out->codec = at[26];
    out->block_log2 = at[28];
    if (!zero(at + 29, 3) || (at[27] == 0 && !zero(at + 32, 32)))
        return false;
    uint32_t stored_max = is_foreign(tail) ? 4194304 + 61440 : 4194304 + 65536;
    if (out->stored_len < 1 || out->stored_len > stored_max ||
        out->content_len != (left < tail->chunk_len ? left : tail->chunk_len) ||
        !codec_fits(tail->container, out->codec))
        return false;
    if (out->codec != 0)
        return out->content_at == 0 && out->block_log2 <= 22;
    return out->block_log2 == 0 && out->content_at + out->content_len <= out->stored_len;
}

/* ---- files of others ---- */

/* Blocks, each with its length before it. */
static bool read_blocks(const shard_row *row, const uint8_t *stored, uint8_t *content)
{
    uint32_t at = 0, made = 0, full = 1u << row->block_log2;
    while (made < row->content_len) {
        uint32_t left = row->content_len - made, due = left < full ? left : full;
        if (row->stored_len - at < 4)
            return false;
        uint32_t word = (uint32_t)number(stored + at, 4), len = word & 0x7FFFFFFF;
        at += 4;
        if (len > row->stored_len - at || (word >> 31 && len != due))
            return false;
        if (word >> 31)
            memcpy(content + made, stored + at, due);
        else if (LZ4_decompress_safe((const char *)stored + at, (char *)content + made, (int)len,
                                     (int)due) != (int)due)
            return false;
        at += len;
        made += due;
    }
    return at == row->stored_len;
}

/* ---- gaps ---- */

static uint32_t gap_len(const shard_tail *tail, uint32_t stored_len)
{
    uint32_t gap = is_beside(tail) ? 0 : (4096 - stored_len % 4096) % 4096;
    return gap > 0 && gap < 8 ? gap + 4096 : gap;
}

static bool gap_is_right(const uint8_t *gap, uint32_t len)
{
    return len == 0 || (memcmp(gap, "\x5A\x2A\x4D\x18", 4) == 0 && number(gap + 4, 4) == len - 8 &&
                        zero(gap + 8, len - 8));
}

/* ---- chunks ---- */

static bool read_lz4(const uint8_t *stored, size_t len, uint8_t *content, size_t content_len)
{
    LZ4F_dctx *context;
    size_t at = 0, made = 0, hint = 1;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)))
        return false;
    while (hint != 0 && !LZ4F_isError(hint) && at < len) {
        size_t room = content_len - made, used = len - at;
        hint = LZ4F_decompress(context, content + made, &room, stored + at, &used, NULL);
        made += room;
        at += used;
        if (room == 0 && used == 0)
            break;
    }
    LZ4F_freeDecompressionContext(context);
    return hint == 0 && at == len && made == content_len;
}

/* ---- planes ---- */

static bool read_block(size_t width, const uint8_t *stored, size_t len, uint8_t *content,
                       size_t content_len)
{
    if (len < 4 || stored[0] > 249 || stored[1] >= width || content_len < width + stored[1])
        return false;
    size_t lead = stored[1], values = (content_len - lead) / width, escapes = number(stored + 2, 2);
    size_t tiles = (values + 1023) / 1024, groups = (values + 7) / 8;
    const uint8_t *starts = stored + 4, *mantissas = starts + 2 * tiles + lead;
    const uint8_t *rests = mantissas + values, *codes = rests + (width - 2) * values;
    const uint8_t *escape = codes + 3 * groups;
    size_t trail = (content_len - lead) % width, met = 0;
    if (escapes > values ||
        len != 4 + 2 * tiles + lead + (width - 1) * values + 3 * groups + escapes + trail)
        return false;
    memcpy(content, mantissas - lead, lead);
    for (size_t i = 0; i < 8 * groups; i++) {
        uint32_t code = (uint32_t)(number(codes + 3 * (i / 8), 3) >> 3 * (i % 8)) & 7;
        if (i >= values) {
            if (code != 0)
                return false;
            continue;
        }
        if ((i % 1024 == 0 && number(starts + 2 * (i / 1024), 2) != met) ||
            (code == 7 && met == escapes))
            return false;
        uint32_t exponent = code == 7 ? escape[met++] : stored[0] + code;
        uint32_t head = (mantissas[i] & 0x80u) << 8 | exponent << 7 | (mantissas[i] & 0x7Fu);
        uint8_t *value = content + lead + width * i;
        memcpy(value, rests + (width - 2) * i, width - 2);
        value[width - 2] = (uint8_t)head;
        value[width - 1] = (uint8_t)(head >> 8);
    }
    memcpy(content + content_len - trail, stored + len - trail, trail);
    return met == escapes;
}

bool packed_reader_planes(const uint8_t *stored, size_t len, uint8_t *content, size_t content_len)
{
    size_t blocks = (content_len + 65535) / 65536, at = 16 + 4 * blocks;
    if (len < at || memcmp(stored, "HRPL\1", 5) != 0 || (stored[5] != 1 && stored[5] != 2) ||
        number(stored + 6, 2) != 0 || number(stored + 8, 4) != content_len ||
        number(stored + 12, 4) != blocks)
        return false;
    size_t width = stored[5] == 1 ? 2 : 4; /* bfloat16 or float32 */
    for (size_t i = 0; i < blocks; i++) {
        uint32_t length = (uint32_t)number(stored + 16 + 4 * i, 4);
        size_t due = content_len - 65536 * i < 65536 ? content_len - 65536 * i : 65536;
        bool raw = length >> 31;
        length &= 0x7FFFFFFF;
        if (length > len - at || (raw && length != due))
            return false;
        if (raw)
            memcpy(content + 65536 * i, stored + at, due);
        else if (!read_block(width, stored + at, length, content + 65536 * i, due))
            return false;
        at += length;
    }
    return at == len;
}

/* ---- all of it ---- */

static bool read_stored(const shard_tail *tail, const shard_row *row, const uint8_t *stored,
                        uint8_t *content)
{
    switch (row->codec) {
    case 0:
        memcpy(content, stored + row->content_at, row->content_len);
        return true;
    case 1:
        return is_foreign(tail) ? read_blocks(row, stored, content)
                                : read_lz4(stored, row->stored_len, content, row->content_len);
    case 2: /* it passes over skippable frames by itself */
        return ZSTD_decompress(content, row->content_len, stored, row->stored_len) ==
               row->content_len;
    default:
        return packed_reader_planes(stored, row->stored_len, content, row->content_len);
    }
}

static bool read_chunk(const shard_tail *tail, const shard_row *row, const uint8_t *stored,
                       uint8_t *content)
{
    return crc32c(0, stored, row->stored_len) == row->stored_crc &&
           read_stored(tail, row, stored, content) &&
           crc32c(0, content, row->content_len) == row->content_crc;
}

bool packed_reader_content_len(const uint8_t *shard, size_t len, uint64_t *content_len_out)
{
    shard_tail tail;
    if (!read_tail(shard, len, &tail))
        return false;
    *content_len_out = tail.content_len;
    return true;
}

bool packed_reader_read(const uint8_t *shard, size_t len, const uint8_t *chunks, size_t chunks_len,
                        uint8_t *content)
{
    shard_tail tail;
    shard_row row;
    uint32_t pages_crc = 0;
    uint64_t at = 0; /* where the next chunk is due */
    if (!read_tail(shard, len, &tail))
        return false;
    uint64_t limit = is_foreign(&tail)  ? tail.file_len
                     : is_beside(&tail) ? tail.content_len
                                        : tail.index_offset;
    for (uint32_t page_number = 0; page_number < tail.pages; page_number++) {
        const uint8_t *page = shard + tail.index_offset + 4096ull * page_number;
        if (!page_is_right(page, &tail, page_number))
            return false;
        pages_crc = crc32c(pages_crc, page + 60, 4);
        for (uint32_t i = 0; i < rows_of(&tail, page_number); i++) {
            uint32_t chunk = page_number * 63 + i;
            if (!read_row(page + 64 + 64ull * i, &tail, chunk, &row) || row.stored_offset < at ||
                row.stored_offset > limit || (row.stored_offset > at && !is_foreign(&tail)))
                return false;
            uint32_t gap = gap_len(&tail, row.stored_len);
            at = row.stored_offset + row.stored_len + gap;
            if (at > limit || at > chunks_len ||
                !gap_is_right(chunks + row.stored_offset + row.stored_len, gap) ||
                !read_chunk(&tail, &row, chunks + row.stored_offset,
                            content + (uint64_t)chunk * tail.chunk_len))
                return false;
        }
    }
    return pages_crc == tail.pages_crc && (at == limit || is_foreign(&tail));
}
