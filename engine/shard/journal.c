/* SPDX-License-Identifier: Apache-2.0 */
/* A record counts only behind good ones of the same journal: its CRC starts from the CRC of the
 * header, and it holds its own number. So neither a torn write nor old blocks of the disk can stand
 * for a record.
 *
 * While reading, chunks whose VERIFIED record was seen but not settled yet wait in a list: FLUSHED
 * settles them as verified, BOOT as doubtful, and the end by the boot that it is. Each is settled
 * at most once for each of its records, so the time is linear in the bytes, whatever they say. */
#include "journal.h"

#include <assert.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"

#define VERSION 1u

static const uint8_t magic[8] = {'H', 'R', 'J', 'O', 'U', 'R', 'N', 'L'};

/* Offsets in the header. */
enum {
    MAGIC_AT = 0,
    VERSION_AT = 8,
    CHUNK_LEN_AT = 12,
    IDENTITY_AT = 16,
    CONTENT_LEN_AT = 32,
    BOOT_AT = 40,
    TARGET_AT = 56,
    HEADER_CRC_AT = 60,
};

/* Offsets in a record. The body is 16 bytes; what its kind does not use is zero. */
enum {
    KIND_AT = 0,
    SEQUENCE_AT = 4,
    BODY_AT = 8, /* of BOOT: the boot id */
    CHUNK_AT = 8,
    CHUNK_CONTENT_LEN_AT = 12,
    CHUNK_CRC_AT = 16,
    RECORD_ZERO_AT = 24,
    RECORD_CRC_AT = 28,
};

enum {
    RECORD_VERIFIED = 1,
    RECORD_FLUSHED = 2,
    RECORD_BOOT = 3,
};

/* ---- writing ---- */

void hr_journal_begin(hr_journal *journal, const hr_journal_header *header,
                      uint8_t bytes_out[HR_JOURNAL_HEADER_LEN])
{
    memcpy(bytes_out + MAGIC_AT, magic, sizeof magic);
    hr_put_u32(bytes_out + VERSION_AT, VERSION);
    hr_put_u32(bytes_out + CHUNK_LEN_AT, header->chunk_len);
    memcpy(bytes_out + IDENTITY_AT, header->identity, sizeof header->identity);
    hr_put_u64(bytes_out + CONTENT_LEN_AT, header->content_len);
    memcpy(bytes_out + BOOT_AT, header->boot, sizeof header->boot);
    hr_put_u32(bytes_out + TARGET_AT, header->target);
    uint32_t crc = hr_crc32c(0, bytes_out, HEADER_CRC_AT);
    hr_put_u32(bytes_out + HEADER_CRC_AT, crc);
    *journal = (hr_journal){.seed = crc};
}

static void begin_record(const hr_journal *journal, uint32_t kind, uint8_t *bytes)
{
    memset(bytes, 0, HR_JOURNAL_RECORD_LEN);
    hr_put_u32(bytes + KIND_AT, kind);
    hr_put_u32(bytes + SEQUENCE_AT, journal->sequence);
}

static void end_record(hr_journal *journal, uint8_t *bytes)
{
    hr_put_u32(bytes + RECORD_CRC_AT, hr_crc32c(journal->seed, bytes, RECORD_CRC_AT));
    journal->sequence++;
}

void hr_journal_verified(hr_journal *journal, uint32_t chunk, uint32_t content_len, uint32_t crc,
                         uint8_t bytes_out[HR_JOURNAL_RECORD_LEN])
{
    begin_record(journal, RECORD_VERIFIED, bytes_out);
    hr_put_u32(bytes_out + CHUNK_AT, chunk);
    hr_put_u32(bytes_out + CHUNK_CONTENT_LEN_AT, content_len);
    hr_put_u32(bytes_out + CHUNK_CRC_AT, crc);
    end_record(journal, bytes_out);
}

void hr_journal_flushed(hr_journal *journal, uint8_t bytes_out[HR_JOURNAL_RECORD_LEN])
{
    begin_record(journal, RECORD_FLUSHED, bytes_out);
    end_record(journal, bytes_out);
}

void hr_journal_boot(hr_journal *journal, const uint8_t boot[16],
                     uint8_t bytes_out[HR_JOURNAL_RECORD_LEN])
{
    begin_record(journal, RECORD_BOOT, bytes_out);
    memcpy(bytes_out + BODY_AT, boot, 16);
    end_record(journal, bytes_out);
}

/* ---- reading ---- */

hr_status hr_journal_open(hr_journal_reader *reader, const uint8_t bytes[HR_JOURNAL_HEADER_LEN],
                          const hr_journal_header *now, hr_chunk *chunks, uint32_t chunk_count)
{
    assert(hr_chunk_count(now->content_len, now->chunk_len) == chunk_count);
    assert(chunk_count <= HR_CHUNKS_MAX);
    uint32_t crc = hr_get_u32(bytes + HEADER_CRC_AT);
    if (memcmp(bytes + MAGIC_AT, magic, sizeof magic) != 0 ||
        hr_crc32c(0, bytes, HEADER_CRC_AT) != crc)
        return HR_INTEGRITY;
    if (hr_get_u32(bytes + VERSION_AT) != VERSION ||
        hr_get_u32(bytes + CHUNK_LEN_AT) != now->chunk_len ||
        memcmp(bytes + IDENTITY_AT, now->identity, sizeof now->identity) != 0 ||
        hr_get_u64(bytes + CONTENT_LEN_AT) != now->content_len ||
        hr_get_u32(bytes + TARGET_AT) != now->target)
        return HR_CHANGED;
    *reader = (hr_journal_reader){
        .journal = {.seed = crc},
        .chunks = chunks,
        .chunk_count = chunk_count,
        .content_len = now->content_len,
        .chunk_len = now->chunk_len,
        .pending_first = HR_CHUNK_NONE,
    };
    memcpy(reader->boot_now, now->boot, sizeof reader->boot_now);
    memcpy(reader->boot, bytes + BOOT_AT, sizeof reader->boot);
    return HR_OK;
}

static void settle(hr_journal_reader *reader, hr_chunk_state state)
{
    while (reader->pending_first != HR_CHUNK_NONE) {
        hr_chunk *chunk = &reader->chunks[reader->pending_first];
        reader->pending_first = chunk->next;
        chunk->state = state;
    }
}

/* A chunk may come again, with another digest too: the last record is about the bytes that were
 * written last. */
static bool read_verified(hr_journal_reader *reader, const uint8_t *record)
{
    uint32_t number = hr_get_u32(record + CHUNK_AT);
    if (number >= reader->chunk_count ||
        hr_get_u32(record + CHUNK_CONTENT_LEN_AT) !=
            hr_chunk_content_len(reader->content_len, reader->chunk_len, number))
        return false;
    hr_chunk *chunk = &reader->chunks[number];
    chunk->crc = hr_get_u32(record + CHUNK_CRC_AT);
    if (chunk->state != HR_CHUNK_PENDING) {
        chunk->state = HR_CHUNK_PENDING;
        chunk->next = reader->pending_first;
        reader->pending_first = number;
    }
    return true;
}

/* False: no record that this journal's writer can have written here. */
static bool read_record(hr_journal_reader *reader, const uint8_t *record)
{
    if (hr_crc32c(reader->journal.seed, record, RECORD_CRC_AT) !=
            hr_get_u32(record + RECORD_CRC_AT) ||
        hr_get_u32(record + SEQUENCE_AT) != reader->journal.sequence ||
        hr_get_u32(record + RECORD_ZERO_AT) != 0)
        return false;
    switch (hr_get_u32(record + KIND_AT)) {
    case RECORD_VERIFIED:
        return read_verified(reader, record);
    case RECORD_FLUSHED:
        settle(reader, HR_CHUNK_VERIFIED);
        return true;
    case RECORD_BOOT:
        settle(reader, HR_CHUNK_DOUBTFUL);
        memcpy(reader->boot, record + BODY_AT, sizeof reader->boot);
        return true;
    default:
        return false;
    }
}

bool hr_journal_read(hr_journal_reader *reader, const uint8_t *bytes, size_t len)
{
    for (; len > 0 && !reader->ended; bytes += HR_JOURNAL_RECORD_LEN) {
        /* The last number is not used, so that a writer can always say where it is. */
        if (len < HR_JOURNAL_RECORD_LEN || reader->journal.sequence == UINT32_MAX ||
            !read_record(reader, bytes)) {
            reader->ended = true;
            break;
        }
        reader->journal.sequence++;
        len -= HR_JOURNAL_RECORD_LEN;
    }
    return !reader->ended;
}

bool hr_journal_finish(hr_journal_reader *reader, hr_journal *journal_out)
{
    bool same_boot = memcmp(reader->boot, reader->boot_now, sizeof reader->boot) == 0;
    settle(reader, same_boot ? HR_CHUNK_VERIFIED : HR_CHUNK_DOUBTFUL);
    reader->ended = true;
    *journal_out = reader->journal;
    return !same_boot;
}
