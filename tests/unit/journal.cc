/* SPDX-License-Identifier: Apache-2.0 */
/* What a resumed transfer relies on: a chunk is believed only if its bytes must still be there,
 * whatever was torn, lost, repeated or left over. */
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include "bytes.h"
#include "crc32c.h"
#include "journal.h"
}

namespace
{

constexpr uint32_t kChunkLen = 4u << 20;
constexpr uint64_t kContentLen = 9 * uint64_t{kChunkLen} + 1234; /* ten chunks, the last short */
constexpr uint32_t kChunks = 10;

hr_journal_header Header(uint8_t boot)
{
    hr_journal_header header = {};
    memset(header.identity, 0x1d, sizeof header.identity);
    memset(header.boot, boot, sizeof header.boot);
    header.content_len = kContentLen;
    header.chunk_len = kChunkLen;
    header.target = 0x7a46e7;
    return header;
}

/* The file, as a writer leaves it. */
class File
{
  public:
    explicit File(uint8_t boot)
    {
        hr_journal_header header = Header(boot);
        bytes.resize(HR_JOURNAL_HEADER_LEN);
        hr_journal_begin(&writer, &header, bytes.data());
    }

    File &Verified(uint32_t chunk, uint32_t crc)
    {
        return Verified(chunk, crc, hr_chunk_content_len(kContentLen, kChunkLen, chunk));
    }

    File &Verified(uint32_t chunk, uint32_t crc, uint32_t content_len)
    {
        hr_journal_verified(&writer, chunk, content_len, crc, Next());
        return *this;
    }

    File &Flushed()
    {
        hr_journal_flushed(&writer, Next());
        return *this;
    }

    File &Boot(uint8_t boot)
    {
        std::vector<uint8_t> id(16, boot);
        hr_journal_boot(&writer, id.data(), Next());
        return *this;
    }

    hr_journal writer;
    std::vector<uint8_t> bytes;

  private:
    uint8_t *Next()
    {
        EXPECT_EQ(bytes.size(), hr_journal_offset(&writer));
        bytes.resize(bytes.size() + HR_JOURNAL_RECORD_LEN);
        return bytes.data() + bytes.size() - HR_JOURNAL_RECORD_LEN;
    }
};

/* What a run on boot finds in the bytes. */
struct Found {
    hr_status status;
    bool other_boot;
    hr_journal writer;
    std::vector<hr_chunk> chunks;

    /* One letter a chunk: '.' missing, '?' doubtful, '!' believed. */
    std::string States() const
    {
        std::string states;
        for (const hr_chunk &chunk : chunks)
            states += chunk.state == HR_CHUNK_MISSING    ? '.'
                      : chunk.state == HR_CHUNK_DOUBTFUL ? '?'
                      : chunk.state == HR_CHUNK_VERIFIED ? '!'
                                                         : 'X';
        return states;
    }
};

Found Read(const std::vector<uint8_t> &bytes, uint8_t boot, size_t piece = SIZE_MAX)
{
    hr_journal_header now = Header(boot);
    Found found = {HR_OK, false, {}, std::vector<hr_chunk>(kChunks)};
    hr_journal_reader reader;
    found.status = hr_journal_open(&reader, bytes.data(), &now, found.chunks.data(), kChunks);
    if (found.status != HR_OK)
        return found;
    for (size_t at = HR_JOURNAL_HEADER_LEN; at < bytes.size();) {
        size_t len = std::min(piece, bytes.size() - at);
        /* On the heap and exactly that long, for the sanitizer. */
        std::vector<uint8_t> part(bytes.data() + at, bytes.data() + at + len);
        if (!hr_journal_read(&reader, part.data(), part.size()))
            break;
        at += len;
    }
    found.other_boot = hr_journal_finish(&reader, &found.writer);
    return found;
}

TEST(Journal, BelievesChunksOfTheSameBoot)
{
    File file(1);
    file.Verified(0, 10).Verified(3, 13).Verified(9, 19);
    Found found = Read(file.bytes, 1);
    ASSERT_EQ(HR_OK, found.status);
    EXPECT_EQ("!..!.....!", found.States());
    EXPECT_EQ(13u, found.chunks[3].crc);
    EXPECT_FALSE(found.other_boot);
}

TEST(Journal, DoubtsUnflushedChunksAfterAnotherBoot)
{
    File file(1);
    file.Verified(0, 10).Verified(1, 11).Flushed().Verified(2, 12);
    Found found = Read(file.bytes, 2);
    EXPECT_EQ("!!?.......", found.States());
    EXPECT_EQ(12u, found.chunks[2].crc) << "to be compared with what is read";
    EXPECT_TRUE(found.other_boot);
}

TEST(Journal, AFlushVouchesOnlyForItsOwnBoot)
{
    File file(1);
    file.Verified(0, 10).Flushed().Verified(1, 11).Boot(2).Verified(2, 12).Flushed().Verified(3,
                                                                                              13);
    EXPECT_EQ("!?!!......", Read(file.bytes, 2).States());
    EXPECT_EQ("!?!?......", Read(file.bytes, 3).States());
    /* The first boot is over for ever: its id at the end would be a lie, and helps nobody. */
    EXPECT_EQ("!?!?......", Read(file.bytes, 1).States());
}

TEST(Journal, TheLastRecordOfAChunkCounts)
{
    File file(1);
    file.Verified(4, 1).Verified(4, 2);
    Found found = Read(file.bytes, 1);
    EXPECT_EQ("....!.....", found.States());
    EXPECT_EQ(2u, found.chunks[4].crc);

    /* It was written again after the flush, and those bytes may be lost. */
    file.Flushed().Verified(4, 3);
    EXPECT_EQ("....?.....", Read(file.bytes, 2).States());

    /* Checked and found good on the next boot, then flushed. */
    file.Boot(2).Verified(4, 3).Flushed();
    EXPECT_EQ("....!.....", Read(file.bytes, 3).States());
}

TEST(Journal, GoesOnWhereItEnded)
{
    File file(1);
    file.Verified(0, 10);
    Found found = Read(file.bytes, 2);
    ASSERT_TRUE(found.other_boot);
    EXPECT_EQ(file.bytes.size(), hr_journal_offset(&found.writer));
    file.writer = found.writer;
    file.Boot(2).Verified(1, 11);
    found = Read(file.bytes, 2);
    EXPECT_EQ("?!........", found.States());
    EXPECT_FALSE(found.other_boot);
}

TEST(Journal, ReadsInPiecesAsInOne)
{
    File file(1);
    for (uint32_t i = 0; i < kChunks; i++)
        file.Verified(i, i);
    file.Flushed().Verified(0, 7);
    std::string whole = Read(file.bytes, 2).States();
    EXPECT_EQ("?!!!!!!!!!", whole);
    for (size_t piece : {1, 2, 5})
        EXPECT_EQ(whole, Read(file.bytes, 2, piece * HR_JOURNAL_RECORD_LEN).States());
}

TEST(Journal, EndsAtATornRecordWhereverItIsTorn)
{
    File file(1);
    file.Verified(0, 10).Verified(1, 11).Flushed().Verified(2, 12);
    const std::vector<std::string> after = {"..........", "!.........", "!!........", "!!........",
                                            "!!!......."};
    for (size_t len = HR_JOURNAL_HEADER_LEN; len <= file.bytes.size(); len++) {
        size_t records = (len - HR_JOURNAL_HEADER_LEN) / HR_JOURNAL_RECORD_LEN;
        std::vector<uint8_t> torn(file.bytes.begin(), file.bytes.begin() + static_cast<long>(len));
        Found found = Read(torn, 1);
        EXPECT_EQ(after[records], found.States()) << len;
        EXPECT_EQ(HR_JOURNAL_HEADER_LEN + records * HR_JOURNAL_RECORD_LEN,
                  hr_journal_offset(&found.writer));
        /* The file system kept its length and lost the bytes. */
        torn.resize(file.bytes.size(), 0);
        EXPECT_EQ(after[records], Read(torn, 1).States()) << len;
    }
}

TEST(Journal, EndsAtEveryWrongBit)
{
    File file(1);
    file.Verified(0, 10).Verified(1, 11).Verified(2, 12);
    for (size_t bit = 0; bit < file.bytes.size() * 8; bit++) {
        std::vector<uint8_t> wrong = file.bytes;
        wrong[bit / 8] = static_cast<uint8_t>(wrong[bit / 8] ^ (1 << bit % 8));
        Found found = Read(wrong, 1);
        if (bit / 8 < HR_JOURNAL_HEADER_LEN) {
            EXPECT_EQ(HR_INTEGRITY, found.status) << bit;
            continue;
        }
        size_t record = (bit / 8 - HR_JOURNAL_HEADER_LEN) / HR_JOURNAL_RECORD_LEN;
        std::string expected(kChunks, '.');
        expected.replace(0, record, record, '!');
        EXPECT_EQ(expected, found.States()) << bit;
    }
}

TEST(Journal, IsOfOneShardAndOneTarget)
{
    File file(1);
    std::vector<hr_chunk> chunks(kChunks);
    hr_journal_reader reader;
    auto open = [&](const hr_journal_header &now, uint32_t count) {
        return hr_journal_open(&reader, file.bytes.data(), &now, chunks.data(), count);
    };
    hr_journal_header now = Header(1);
    EXPECT_EQ(HR_OK, open(now, kChunks));
    now.identity[15] ^= 1;
    EXPECT_EQ(HR_CHANGED, open(now, kChunks));
    now = Header(1);
    now.content_len -= 1;
    EXPECT_EQ(HR_CHANGED, open(now, kChunks));
    now = Header(1);
    now.chunk_len *= 2;
    EXPECT_EQ(HR_CHANGED, open(now, 5));
    now = Header(1);
    now.target += 1;
    EXPECT_EQ(HR_CHANGED, open(now, kChunks));
    memcpy(file.bytes.data(), "#!/bin/sh", 8);
    EXPECT_EQ(HR_INTEGRITY, open(Header(1), kChunks));
}

/* Blocks of a deleted journal can come back in a file that was extended before a crash. */
TEST(Journal, RecordsOfAnotherJournalOrAnotherPlaceEndIt)
{
    File old(9), file(1);
    old.Verified(0, 1).Verified(1, 2);
    file.Verified(0, 1);
    std::vector<uint8_t> bytes = file.bytes;
    bytes.insert(bytes.end(), old.bytes.begin() + HR_JOURNAL_HEADER_LEN + HR_JOURNAL_RECORD_LEN,
                 old.bytes.end());
    EXPECT_EQ("!.........", Read(bytes, 1).States());

    bytes = file.bytes;
    file.Verified(5, 5);
    bytes.insert(bytes.end(), file.bytes.begin() + HR_JOURNAL_HEADER_LEN, file.bytes.end());
    EXPECT_EQ("!.........", Read(bytes, 1).States()) << "the first record, a second time";
}

TEST(Journal, ChunksThatTheShardDoesNotHaveEndIt)
{
    for (uint32_t chunk : {kChunks, HR_CHUNK_NONE}) {
        File file(1);
        file.Verified(0, 1).Verified(chunk, 1, kChunkLen).Verified(2, 1);
        EXPECT_EQ("!.........", Read(file.bytes, 1).States());
    }
    File longer(1), shorter(1);
    longer.Verified(9, 1, kChunkLen); /* the last one is short */
    EXPECT_EQ("..........", Read(longer.bytes, 1).States());
    shorter.Verified(0, 1, 1234);
    EXPECT_EQ("..........", Read(shorter.bytes, 1).States());
}

/* With right digests: what only another version, or a writer that is wrong, can have written. */
TEST(Journal, WhatItsWriterCannotHaveWrittenEndsIt)
{
    for (size_t at : {0u, 4u, 24u}) { /* kind, sequence, what is zero */
        File file(1);
        file.Verified(0, 1).Verified(1, 2);
        uint8_t *record = file.bytes.data() + HR_JOURNAL_HEADER_LEN + HR_JOURNAL_RECORD_LEN;
        record[at] = 9;
        hr_put_u32(record + 28, hr_crc32c(file.writer.seed, record, 28));
        EXPECT_EQ("!.........", Read(file.bytes, 1).States()) << at;
    }
    File later(1);
    later.bytes[8] = 2;
    hr_put_u32(later.bytes.data() + 60, hr_crc32c(0, later.bytes.data(), 60));
    EXPECT_EQ(HR_CHANGED, Read(later.bytes, 1).status);
}

TEST(Journal, WhatComesBehindItsEndIsNotRead)
{
    File file(1);
    file.Verified(0, 1).Verified(1, 2);
    const uint8_t *records = file.bytes.data() + HR_JOURNAL_HEADER_LEN;
    std::vector<hr_chunk> chunks(kChunks);
    hr_journal_header now = Header(1);
    hr_journal_reader reader;
    hr_journal writer;
    ASSERT_EQ(HR_OK, hr_journal_open(&reader, file.bytes.data(), &now, chunks.data(), kChunks));
    EXPECT_FALSE(hr_journal_read(&reader, records, 5)) << "torn";
    EXPECT_FALSE(hr_journal_read(&reader, records, HR_JOURNAL_RECORD_LEN));
    hr_journal_finish(&reader, &writer);
    EXPECT_EQ(uint64_t{HR_JOURNAL_HEADER_LEN}, hr_journal_offset(&writer));
    EXPECT_EQ(HR_CHUNK_MISSING, chunks[0].state);
    /* Nor has it more records than can be counted. */
    ASSERT_EQ(HR_OK, hr_journal_open(&reader, file.bytes.data(), &now, chunks.data(), kChunks));
    reader.journal.sequence = UINT32_MAX;
    EXPECT_FALSE(hr_journal_read(&reader, records, HR_JOURNAL_RECORD_LEN));
}

TEST(Journal, OfAnEmptyShardHoldsNothing)
{
    hr_journal_header header = Header(1);
    header.content_len = 0;
    uint8_t bytes[HR_JOURNAL_HEADER_LEN + HR_JOURNAL_RECORD_LEN];
    hr_journal writer;
    hr_journal_begin(&writer, &header, bytes);
    hr_journal_verified(&writer, 0, 0, 0, bytes + HR_JOURNAL_HEADER_LEN);
    hr_journal_reader reader;
    ASSERT_EQ(HR_OK, hr_journal_open(&reader, bytes, &header, nullptr, 0));
    EXPECT_FALSE(hr_journal_read(&reader, bytes + HR_JOURNAL_HEADER_LEN, HR_JOURNAL_RECORD_LEN));
}

/* The rule of the format, written down the slow way: a chunk is what the last record of it says,
 * and that is believed if a flush stands between it and the next boot, or if there is no next boot
 * and now is the same. */
std::string StatesTheSlowWay(const std::string &records, uint8_t boot, uint8_t now)
{
    std::string states(kChunks, '.');
    for (uint32_t chunk = 0; chunk < kChunks; chunk++) {
        size_t last = records.rfind(static_cast<char>('0' + chunk));
        if (last == std::string::npos)
            continue;
        size_t mark = records.find_first_of("FABC", last);
        bool flushed = mark != std::string::npos && records[mark] == 'F';
        size_t last_boot = records.find_last_of("ABC");
        uint8_t at_end =
            last_boot == std::string::npos ? boot : static_cast<uint8_t>(records[last_boot]);
        bool same = mark == std::string::npos && at_end == now;
        states[chunk] = flushed || same ? '!' : '?';
    }
    return states;
}

TEST(Journal, DecidesAsItsRuleSaysForAnyRecords)
{
    for (unsigned seed = 0; seed < 3000; seed++) {
        std::mt19937 random(seed);
        File file('A');
        std::string records;
        for (unsigned count = random() % 40; count > 0; count--) {
            unsigned pick = random() % 16;
            if (pick < kChunks) {
                file.Verified(pick, random());
                records += static_cast<char>('0' + pick);
            } else if (pick < 14) {
                file.Flushed();
                records += 'F';
            } else {
                char boot = static_cast<char>('A' + random() % 3);
                file.Boot(static_cast<uint8_t>(boot));
                records += boot;
            }
        }
        for (uint8_t now : {'A', 'B', 'C'})
            ASSERT_EQ(StatesTheSlowWay(records, 'A', now), Read(file.bytes, now).States())
                << "seed " << seed << ": " << records << " read on " << now;
    }
}

/* A file of today is read by every later version. */
TEST(Journal, BytesAreThoseOfVersionOne)
{
    File file(1);
    file.Verified(2, 0x01020304);
    std::string header(file.bytes.begin(), file.bytes.begin() + HR_JOURNAL_HEADER_LEN);
    std::string record(file.bytes.begin() + HR_JOURNAL_HEADER_LEN, file.bytes.end());
    EXPECT_EQ(std::string("HRJOURNL\1\0\0\0\0\0\x40\0", 16), header.substr(0, 16));
    EXPECT_EQ(std::string(16, 0x1d), header.substr(16, 16));
    EXPECT_EQ(std::string("\xd2\x04\x40\x02\0\0\0\0", 8), header.substr(32, 8));
    EXPECT_EQ(std::string(16, 1), header.substr(40, 16));
    EXPECT_EQ(std::string("\xe7\x46\x7a\0", 4), header.substr(56, 4));
    EXPECT_EQ(std::string("\1\0\0\0\0\0\0\0\2\0\0\0\0\0\x40\0\4\3\2\1", 20) + std::string(8, 0),
              record.substr(0, 28));
}

/* Makes the seeds of fuzz_journal anew: HEADRACE_CORPUS=tests/fuzz/corpus/fuzz_journal. */
TEST(JournalCorpus, IsMadeFromJournals)
{
    const char *folder = std::getenv("HEADRACE_CORPUS");
    if (folder == nullptr)
        GTEST_SKIP() << "HEADRACE_CORPUS names no folder to write seeds into";
    File empty(1), flushed(1), booted(1), bad(1);
    flushed.Verified(0, 1).Verified(1, 2).Flushed().Verified(9, 3);
    booted.Verified(0, 1).Boot(2).Verified(0, 1).Verified(3, 4).Flushed();
    bad.Verified(0, 1).Verified(kChunks, 1, kChunkLen);
    const std::pair<const char *, const File *> files[] = {
        {"empty", &empty}, {"flushed", &flushed}, {"booted", &booted}, {"bad", &bad}};
    for (const auto &named : files)
        std::ofstream(std::string(folder) + "/" + named.first, std::ios::binary)
            << std::string(named.second->bytes.begin(), named.second->bytes.end());
}

} // namespace
