// SPDX-License-Identifier: Apache-2.0
// The index of a packed shard: what is written is read again, and of what comes from outside no
// number is believed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

// The headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "bytes.h"
#include "crc32c.h"
#include "index.h"
}

namespace
{

constexpr uint32_t CHUNK = HR_INDEX_CHUNK_MAX;
constexpr uint32_t STORED = 3000001; // so that there is a gap

// An index in memory, as a writer makes it, and as somebody else may leave it.
struct Index {
    hr_index_tail tail = {};
    std::vector<std::vector<uint8_t>> pages;
    uint8_t tail_bytes[HR_INDEX_TAIL_LEN] = {};
    uint64_t file_len = 0;

    explicit Index(uint32_t chunks, uint64_t short_by = 5)
    {
        tail.container = HR_CONTAINER_LZ4;
        tail.chunk_len = CHUNK;
        tail.chunk_count = chunks;
        tail.content_len = chunks == 0 ? 0 : uint64_t(chunks) * CHUNK - short_by;
        pages.resize(hr_index_pages(chunks), std::vector<uint8_t>(HR_INDEX_PAGE_LEN, 0xEE));
        uint64_t at = 0;
        for (uint32_t i = 0; i < chunks; i++) {
            hr_index_row row = row_of(i, at);
            at += row.stored_len + hr_index_gap_len(row.stored_len);
            put(i, row);
        }
        tail.index_offset = at;
        seal();
    }
    hr_index_row row_of(uint32_t chunk, uint64_t at) const
    {
        hr_index_row row = {};
        row.stored_offset = at;
        row.stored_len = STORED + chunk;
        row.content_len = chunk + 1 == tail.chunk_count
                              ? uint32_t(tail.content_len - uint64_t(chunk) * CHUNK)
                              : CHUNK;
        row.stored_crc = 0x11111111 * (chunk % 8);
        row.content_crc = 77 + chunk;
        row.codec = HR_CODEC_LZ4;
        row.block_log2 = 16;
        return row;
    }
    void put(uint32_t chunk, const hr_index_row &row)
    {
        hr_index_row_pack(&row, chunk, pages[chunk / HR_INDEX_PAGE_ROWS].data());
    }
    uint8_t *row_bytes(uint32_t chunk)
    {
        return pages[chunk / HR_INDEX_PAGE_ROWS].data() + 64 + 64 * (chunk % HR_INDEX_PAGE_ROWS);
    }
    void seal()
    {
        tail.pages_crc = 0;
        for (uint32_t i = 0; i < pages.size(); i++)
            hr_index_page_seal(&tail, i, pages[i].data());
        hr_index_tail_pack(&tail, tail_bytes);
        file_len = tail.index_offset + pages.size() * HR_INDEX_PAGE_LEN + HR_INDEX_TAIL_LEN;
    }
    // The digests are right again, whatever was done to the rest.
    void mend()
    {
        uint32_t crc = 0;
        for (auto &page : pages) {
            uint32_t own = hr_crc32c(hr_crc32c(0, page.data(), 60), page.data() + 64, 4032);
            hr_put_u32(page.data() + 60, own);
            crc = hr_crc32c(crc, page.data() + 60, 4);
        }
        hr_put_u32(tail_bytes + 40, crc);
        mend_tail();
    }
    void mend_tail()
    {
        hr_put_u32(tail_bytes + 60, hr_crc32c(0, tail_bytes, 60));
    }
    hr_status unpack_tail(hr_index_tail *out) const
    {
        return hr_index_tail_unpack(tail_bytes, file_len, out);
    }
};

struct Outcome {
    hr_status status;
    uint32_t chunk;
    std::string what;
    std::vector<hr_index_row> rows;
};

Outcome read(const Index &index)
{
    Outcome outcome = {};
    hr_index_tail tail;
    hr_index_reader reader;
    outcome.status = index.unpack_tail(&tail);
    outcome.chunk = HR_INDEX_NO_ROW;
    if (outcome.status != HR_OK)
        return outcome;
    hr_index_reader_init(&reader, &tail);
    for (const auto &page : index.pages) {
        hr_index_row rows[HR_INDEX_PAGE_ROWS];
        uint32_t count = 0;
        outcome.status = hr_index_page_read(&reader, page.data(), rows, &count);
        if (outcome.status != HR_OK)
            break;
        outcome.rows.insert(outcome.rows.end(), rows, rows + count);
    }
    if (outcome.status == HR_OK)
        outcome.status = hr_index_reader_finish(&reader);
    outcome.chunk = reader.chunk;
    outcome.what = reader.what;
    return outcome;
}

TEST(Index, IsReadAsItWasWritten)
{
    for (uint32_t chunks : {0u, 1u, 62u, 63u, 64u, 126u, 127u, 1000u}) {
        Index index(chunks);
        Outcome outcome = read(index);
        ASSERT_EQ(outcome.status, HR_OK) << chunks << ": " << outcome.what;
        ASSERT_EQ(outcome.rows.size(), chunks);
        uint64_t at = 0;
        for (uint32_t i = 0; i < chunks; i++) {
            hr_index_row due = index.row_of(i, at);
            const hr_index_row &row = outcome.rows[i];
            EXPECT_EQ(row.stored_offset, due.stored_offset);
            EXPECT_EQ(row.stored_len, due.stored_len);
            EXPECT_EQ(row.content_len, due.content_len);
            EXPECT_EQ(row.stored_crc, due.stored_crc);
            EXPECT_EQ(row.content_crc, due.content_crc);
            EXPECT_EQ(row.codec, due.codec);
            EXPECT_EQ(row.block_log2, due.block_log2);
            at += due.stored_len + hr_index_gap_len(due.stored_len);
        }
    }
}

TEST(Index, OfAPlainFileHasChunksWhereTheFileHasThem)
{
    Index index(3);
    index.tail.container = HR_CONTAINER_BESIDE;
    index.tail.index_offset = 0;
    for (uint32_t i = 0; i < 3; i++) {
        hr_index_row row = index.row_of(i, uint64_t(i) * CHUNK);
        row.stored_len = row.content_len;
        row.codec = HR_CODEC_STORED;
        row.block_log2 = 0;
        index.put(i, row);
    }
    index.seal();
    EXPECT_EQ(read(index).status, HR_OK) << read(index).what;
    hr_put_u64(index.row_bytes(1), CHUNK + 1);
    index.mend();
    EXPECT_EQ(read(index).status, HR_INTEGRITY);
    EXPECT_EQ(read(index).chunk, 1u);
}

TEST(Index, NoBitOfItCanFlipUnseen)
{
    Index good(64);
    for (size_t bit = 0; bit < 8 * HR_INDEX_TAIL_LEN; bit++) {
        Index bad = good;
        bad.tail_bytes[bit / 8] ^= uint8_t(1u << bit % 8);
        EXPECT_NE(read(bad).status, HR_OK) << "bit " << bit << " of the tail";
    }
    for (uint32_t page = 0; page < 2; page++)
        for (size_t byte = 0; byte < HR_INDEX_PAGE_LEN; byte++) {
            Index bad = good;
            bad.pages[page][byte] ^= uint8_t(1u << byte % 8);
            EXPECT_EQ(read(bad).status, HR_INTEGRITY) << "byte " << byte << " of page " << page;
        }
}

TEST(Index, WhatHasNoMagicIsNoPackedShard)
{
    Index index(1);
    index.tail_bytes[0] = 'X';
    index.mend_tail();
    EXPECT_EQ(read(index).status, HR_NOT_FOUND);
}

TEST(Index, EndsAFileThatIsPackedAndNoOther)
{
    const Index index(0);
    std::vector<uint8_t> file;
    for (const auto &page : index.pages)
        file.insert(file.end(), page.begin(), page.end());
    file.insert(file.end(), index.tail_bytes, index.tail_bytes + HR_INDEX_TAIL_LEN);
    EXPECT_TRUE(hr_index_ends(file.data(), file.size()));
    EXPECT_FALSE(hr_index_ends(file.data(), HR_INDEX_TAIL_LEN - 1));
    EXPECT_FALSE(hr_index_ends(file.data(), file.size() - 1));
    file.back() ^= 1; // its digest
    EXPECT_TRUE(hr_index_ends(file.data(), file.size())) << "damaged";
    Index beside(1);
    beside.tail.container = HR_CONTAINER_BESIDE;
    beside.tail.index_offset = 0;
    beside.seal();
    file.assign(HR_INDEX_PAGE_LEN, 0);
    file.insert(file.end(), beside.tail_bytes, beside.tail_bytes + HR_INDEX_TAIL_LEN);
    EXPECT_FALSE(hr_index_ends(file.data(), file.size())) << "the index is a file of its own";
}

TEST(Index, AForeignFileWithTheMagicIsDamaged)
{
    Index index(1);
    memset(index.tail_bytes + 8, 0xA5, HR_INDEX_TAIL_LEN - 8);
    EXPECT_EQ(read(index).status, HR_INTEGRITY);
}

TEST(Index, ALaterVersionIsSaidToBeOne)
{
    Index index(1);
    hr_put_u32(index.tail_bytes + 8, 2);
    index.mend_tail();
    EXPECT_EQ(read(index).status, HR_VERSION);
}

TEST(Index, ALaterCodecIsSaidToBeUnknown)
{
    Index index(3);
    index.row_bytes(1)[26] = 200;
    index.mend();
    EXPECT_EQ(read(index).status, HR_UNSUPPORTED);
    EXPECT_EQ(read(index).chunk, 1u);
}

// What a tail may claim, with a right digest.
struct Claim {
    const char *name;
    unsigned at, bytes;
    uint64_t value;
};

class TailClaim : public testing::TestWithParam<Claim>
{
};

TEST_P(TailClaim, IsRefused)
{
    const Claim &claim = GetParam();
    Index index(64);
    if (claim.bytes == 8)
        hr_put_u64(index.tail_bytes + claim.at, claim.value);
    else
        hr_put_u32(index.tail_bytes + claim.at, uint32_t(claim.value));
    index.mend_tail();
    EXPECT_EQ(read(index).status, HR_INTEGRITY);
}

INSTANTIATE_TEST_SUITE_P(Index, TailClaim,
                         testing::Values(Claim{"one_tebibyte", 16, 8, UINT64_C(1) << 40},
                                         Claim{"all_there_is", 16, 8, UINT64_MAX},
                                         Claim{"less_content_than_chunks", 16, 8, 1},
                                         Claim{"an_offset_past_the_end", 24, 8, UINT64_MAX - 4095},
                                         Claim{"an_offset_between_pages", 24, 8, 8},
                                         Claim{"one_chunk_more", 32, 4, 65},
                                         Claim{"no_chunks", 32, 4, 0},
                                         Claim{"more_chunks_than_there_may_be", 32, 4, UINT32_MAX},
                                         Claim{"chunks_of_nothing", 36, 4, 0},
                                         Claim{"chunks_of_4_gib", 36, 4, UINT32_MAX},
                                         Claim{"pages_of_another", 40, 4, 1}),
                         [](const testing::TestParamInfo<Claim> &claim) {
                             return claim.param.name;
                         });

class RowClaim : public testing::TestWithParam<Claim>
{
};

TEST_P(RowClaim, IsRefusedAndTheChunkNamed)
{
    const Claim &claim = GetParam();
    Index index(64);
    uint8_t *at = index.row_bytes(7) + claim.at;
    for (unsigned i = 0; i < claim.bytes; i++)
        at[i] = uint8_t(claim.value >> 8 * i);
    index.mend();
    Outcome outcome = read(index);
    EXPECT_NE(outcome.status, HR_OK);
    EXPECT_EQ(outcome.chunk, 7u) << outcome.what;
}

INSTANTIATE_TEST_SUITE_P(
    Index, RowClaim,
    testing::Values(Claim{"overlaps_the_one_before", 0, 8, 4096},
                    Claim{"lies_behind_a_hole", 0, 8, UINT64_C(1) << 30},
                    Claim{"an_offset_that_overflows", 0, 8, UINT64_MAX - 4095},
                    Claim{"nothing_stored", 8, 4, 0},
                    Claim{"a_length_that_overflows", 8, 4, UINT32_MAX},
                    Claim{"content_of_4_gib", 12, 4, UINT32_MAX}, Claim{"no_content", 12, 4, 0},
                    Claim{"content_elsewhere", 24, 2, 9},
                    Claim{"a_codec_of_another_container", 26, 1, HR_CODEC_ZSTD},
                    Claim{"more_than_is_stored", 26, 3, HR_CODEC_STORED},
                    Claim{"a_digest_of_no_kind", 32, 1, 1},
                    Claim{"blocks_of_2_to_the_40", 28, 1, 40},
                    Claim{"what_is_kept_free", 29, 1, 1}),
    [](const testing::TestParamInfo<Claim> &claim) { return claim.param.name; });

// An index that lies beside what it is of: a plain file, or one that others compressed.
struct Beside : Index {
    explicit Beside(bool foreign) : Index(3)
    {
        uint64_t at = 0;
        tail.container = foreign ? HR_CONTAINER_ZSTD_BESIDE : HR_CONTAINER_BESIDE;
        tail.index_offset = 0;
        for (uint32_t i = 0; i < 3; i++) {
            hr_index_row row = row_of(i, at);
            row.codec = foreign ? HR_CODEC_ZSTD : HR_CODEC_STORED;
            row.block_log2 = foreign ? 16 : 0;
            if (!foreign)
                row.stored_len = row.content_len;
            at += row.stored_len;
            put(i, row);
        }
        tail.file_len = foreign ? at : 0;
        seal();
    }
    Outcome with(uint32_t chunk, const std::function<void(hr_index_row *)> &change)
    {
        hr_index_row row = row_of(chunk, uint64_t(chunk) * CHUNK);
        const bool foreign = tail.container == HR_CONTAINER_ZSTD_BESIDE;
        row.codec = foreign ? HR_CODEC_ZSTD : HR_CODEC_STORED;
        row.block_log2 = foreign ? 16 : 0;
        if (!foreign)
            row.stored_len = row.content_len;
        change(&row);
        put(chunk, row);
        seal();
        return read(*this);
    }
};

TEST(IndexBeside, OfAPlainFileIsWhereTheFileIs)
{
    EXPECT_EQ(HR_OK, read(Beside(false)).status) << read(Beside(false)).what;
    Outcome longer = Beside(false).with(1, [](hr_index_row *row) { row->stored_len++; });
    EXPECT_EQ(HR_INTEGRITY, longer.status);
    EXPECT_EQ(1u, longer.chunk);
    Outcome past = Beside(false).with(2, [](hr_index_row *row) { row->stored_len++; });
    EXPECT_EQ(HR_INTEGRITY, past.status);
    EXPECT_EQ(2u, past.chunk);
    Outcome blocks = Beside(false).with(0, [](hr_index_row *row) { row->block_log2 = 16; });
    EXPECT_EQ(HR_INTEGRITY, blocks.status);
}

TEST(IndexBeside, OfAForeignFileStaysInsideIt)
{
    EXPECT_EQ(HR_OK, read(Beside(true)).status) << read(Beside(true)).what;
    Outcome past =
        Beside(true).with(2, [](hr_index_row *row) { row->stored_offset = UINT64_C(1) << 40; });
    EXPECT_EQ(HR_INTEGRITY, past.status);
    EXPECT_EQ(2u, past.chunk);
}

TEST(IndexBeside, ClaimsNoPlaceOfPages)
{
    for (bool foreign : {false, true}) {
        Beside index(foreign);
        hr_put_u64(index.tail_bytes + 24, 4096);
        index.mend_tail();
        index.file_len += 4096;
        EXPECT_EQ(HR_INTEGRITY, read(index).status);
    }
    Index own(1);
    hr_put_u64(own.tail_bytes + 44, 1); // the length of a file that it does not lie beside
    own.mend_tail();
    EXPECT_EQ(HR_INTEGRITY, read(own).status);
    Index later(1);
    later.tail_bytes[53] = 1; // what this version keeps free
    later.mend_tail();
    EXPECT_EQ(HR_VERSION, read(later).status);
}

// Of a page, with right digests.
TEST(Index, APageIsTheOneThatIsDueAndHoldsNothingElse)
{
    const struct {
        uint32_t page, at;
        hr_status status;
    } table[] = {{0, 0, HR_INTEGRITY},    {0, 4, HR_INTEGRITY},   {1, 0, HR_INTEGRITY},
                 {1, 4, HR_INTEGRITY},    {1, 8, HR_INTEGRITY},   {1, 12, HR_INTEGRITY},
                 {1, 16, HR_UNSUPPORTED}, {1, 4095, HR_INTEGRITY}};
    for (const auto &row : table) {
        Index index(64);
        index.pages[row.page][row.at] ^= 1;
        index.mend();
        EXPECT_EQ(row.status, read(index).status) << row.page << ", " << row.at;
    }
}

TEST(Index, OfAFileThatIsTooShortForItIsRefused)
{
    Index index(64);
    index.file_len = HR_INDEX_TAIL_LEN;
    EXPECT_EQ(read(index).status, HR_INTEGRITY);
}

TEST(Index, BeginsOnAPage)
{
    Index index(1);
    hr_put_u64(index.tail_bytes + 24, index.tail.index_offset + 8);
    index.mend_tail();
    index.file_len += 8;
    EXPECT_EQ(read(index).status, HR_INTEGRITY);
}

TEST(Index, ALaterContainerIsOfALaterVersion)
{
    Index index(1);
    hr_put_u32(index.tail_bytes + 12, HR_CONTAINER_ZSTD_BESIDE + 1);
    index.mend_tail();
    EXPECT_EQ(read(index).status, HR_VERSION);
}

// A digest of a kind that this version does not know is carried along.
TEST(Index, KeepsDigestsOfOtherKinds)
{
    Index index(3);
    index.row_bytes(1)[27] = 7;
    index.row_bytes(1)[32] = 9;
    index.mend();
    Outcome outcome = read(index);
    ASSERT_EQ(outcome.status, HR_OK) << outcome.what;
    EXPECT_EQ(outcome.rows[1].digest_kind, 7u);
    EXPECT_EQ(outcome.rows[1].digest[0], 9u);
}

// What a tool unpacks by itself holds only what it can.
TEST(Index, EachContainerHasItsCodecs)
{
    const struct {
        hr_container container;
        const char *name;
        std::vector<unsigned> codecs;
    } rows[] = {
        {HR_CONTAINER_BESIDE, "none", {HR_CODEC_STORED}},
        {HR_CONTAINER_LZ4, "lz4", {HR_CODEC_STORED, HR_CODEC_LZ4}},
        {HR_CONTAINER_ZSTD, "zstd", {HR_CODEC_ZSTD}},
        {HR_CONTAINER_HEADRACE, "planes", {HR_CODEC_STORED, HR_CODEC_PLANES}},
        {HR_CONTAINER_LZ4_BESIDE, "lz4", {HR_CODEC_LZ4}},
        {HR_CONTAINER_ZSTD_BESIDE, "zstd", {HR_CODEC_ZSTD}},
    };
    for (const auto &due : rows) {
        EXPECT_STREQ(due.name, hr_container_name(due.container));
        for (unsigned codec : {HR_CODEC_STORED, HR_CODEC_LZ4, HR_CODEC_ZSTD, HR_CODEC_PLANES}) {
            Index index(1, 0);
            const bool beside = hr_container_is_beside(due.container);
            hr_index_row row = index.row_of(0, 0);
            row.codec = uint8_t(codec);
            row.block_log2 = codec == HR_CODEC_STORED ? 0 : 16;
            row.stored_len = row.content_len;
            index.tail.container = due.container;
            index.tail.index_offset = beside ? 0 : CHUNK;
            index.tail.file_len = hr_container_is_foreign(due.container) ? CHUNK : 0;
            index.put(0, row);
            index.seal();
            Outcome outcome = read(index);
            const bool belongs = std::count(due.codecs.begin(), due.codecs.end(), codec) > 0;
            EXPECT_EQ(belongs ? HR_OK : HR_INTEGRITY, outcome.status)
                << due.name << ", " << codec << ": " << outcome.what;
        }
    }
}

TEST(Index, IsLookedForInFilesThatBeginAsAPackerBeginsThem)
{
    const std::string begins[] = {std::string("\x04\x22\x4d\x18", 4),
                                  std::string("\x28\xb5\x2f\xfd", 4),
                                  std::string("\x5b\x2a\x4d\x18", 4), "HRPL"};
    for (const std::string &head : begins) {
        const auto *bytes = reinterpret_cast<const uint8_t *>(head.data());
        EXPECT_TRUE(hr_index_begins(bytes, 4));
        EXPECT_FALSE(hr_index_begins(bytes, 3));
        EXPECT_FALSE(hr_index_begins(reinterpret_cast<const uint8_t *>("text"), 4));
    }
}

TEST(Index, AHoleBeforeThePagesIsRefused)
{
    Index index(2);
    index.tail.index_offset += 4096;
    index.seal();
    EXPECT_EQ(read(index).status, HR_INTEGRITY);
}

TEST(Index, APageOfAnotherShardIsRefused)
{
    Index index(64), other(64, 6);
    other.put(0, other.row_of(0, 4096));
    index.pages[1] = other.pages[1];
    EXPECT_EQ(read(index).status, HR_INTEGRITY);
}

TEST(Index, GapsEndOnAPageAndHoldAFrame)
{
    for (uint32_t len = 1; len < 3 * HR_INDEX_ALIGN; len++) {
        uint32_t gap = hr_index_gap_len(len);
        ASSERT_EQ((len + gap) % HR_INDEX_ALIGN, 0u) << len;
        ASSERT_TRUE(gap == 0 || gap >= 8) << len;
        ASSERT_LE(gap, HR_INDEX_ALIGN + 7) << len;
    }
    uint8_t gap[100];
    hr_index_gap_pack(gap, sizeof gap);
    EXPECT_TRUE(hr_index_gap_is_right(gap, sizeof gap));
    EXPECT_FALSE(hr_index_gap_is_right(gap, sizeof gap - 1));
    for (unsigned at : {0u, 4u, 50u}) { // its magic, its length, what is zero
        gap[at] ^= 1;
        EXPECT_FALSE(hr_index_gap_is_right(gap, sizeof gap)) << at;
        gap[at] ^= 1;
    }
    EXPECT_FALSE(hr_index_gap_is_right(gap, 7)) << "no frame is that short";
    hr_index_gap_pack(gap, 0);
    EXPECT_TRUE(hr_index_gap_is_right(gap, sizeof gap))
        << "where there is none, nothing is written";
    EXPECT_TRUE(hr_index_gap_is_right(gap, 0));
}

} // namespace
