// SPDX-License-Identifier: Apache-2.0
// Files that lz4 and zstd made by themselves: where they can be cut into chunks, and that what
// cannot be is said to be so with its reason, whatever a file claims of itself.
#include <gtest/gtest.h>

#include <string>

// The headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "bytes.h"
#include "foreign.h"
#include "lz4_checksum.h"
#include "lz4_frame.h"
}

namespace
{

std::string number(uint32_t value)
{
    uint8_t bytes[4];
    hr_put_u32(bytes, value);
    return std::string(reinterpret_cast<const char *>(bytes), 4);
}

const uint8_t *bytes_of(const std::string &text)
{
    return reinterpret_cast<const uint8_t *>(text.data());
}

// ---- lz4 ----

std::string lz4_header(char flags = 0x60, char block = 0x40)
{
    return std::string("\x04\x22\x4d\x18", 4) + flags + block + '?' +
           ((flags & 8) != 0 ? std::string(8, 0) : "");
}

// One that holds its content as it is.
std::string lz4_block(size_t len)
{
    return number(0x80000000u | uint32_t(len)) + std::string(len, 'b');
}

// ---- zstd ----

// One raw block; a size that is not told takes a window instead.
std::string zstd_frame(uint32_t len, bool tells = true, bool has_dictionary = false)
{
    const char descriptor = char((tells ? 0xa0 : 0) | (has_dictionary ? 1 : 0));
    std::string frame = std::string("\x28\xb5\x2f\xfd", 4) + descriptor;
    frame += tells ? "" : std::string(1, 0x50);
    frame += has_dictionary ? std::string(1, 7) : "";
    frame += tells ? number(len) : "";
    frame += number(len << 3 | 1).substr(0, 3);
    return frame + std::string(len, 'z');
}

std::string skippable(size_t len)
{
    return number(0x184d2a55) + number(uint32_t(len)) + std::string(len, 's');
}

// ---- what becomes of them ----

struct Seen {
    hr_status status;
    std::string why;
    hr_foreign foreign;
    hr_foreign_chunk chunk;
};

// Its first chunk.
Seen look(const std::string &file, bool ends = true)
{
    Seen seen = {};
    uint32_t at = 0;
    const std::string exact(file); // of exactly that length, so that a sanitizer sees one more
    seen.status = hr_foreign_begin(&seen.foreign, bytes_of(exact), exact.size(), &at);
    if (seen.status == HR_OK)
        seen.status = hr_foreign_next(&seen.foreign, bytes_of(exact) + at, exact.size() - at, ends,
                                      &seen.chunk);
    seen.why = seen.foreign.why;
    return seen;
}

TEST(ForeignFile, OfLz4IsARunOfBlocks)
{
    const Seen seen = look(lz4_header() + lz4_block(65536) + lz4_block(100) + number(0));
    EXPECT_EQ(HR_OK, seen.status) << seen.why;
    EXPECT_EQ(HR_CONTAINER_LZ4_BESIDE, seen.foreign.container);
    EXPECT_EQ(65536u, seen.foreign.block_len);
    EXPECT_EQ(65540u + 104, seen.chunk.len);
    EXPECT_TRUE(seen.foreign.over);
}

TEST(ForeignFile, OfZstdIsARunOfFrames)
{
    const Seen seen = look(skippable(5) + zstd_frame(4096) + skippable(3) + zstd_frame(100));
    EXPECT_EQ(HR_OK, seen.status) << seen.why;
    EXPECT_EQ(HR_CONTAINER_ZSTD_BESIDE, seen.foreign.container);
    EXPECT_EQ(4096u, seen.foreign.block_len);
    EXPECT_EQ(13u, seen.chunk.skip);
    EXPECT_EQ(zstd_frame(4096).size() + 11 + zstd_frame(100).size(), seen.chunk.len);
    EXPECT_TRUE(seen.foreign.over);
    // The only frame may be of any length; without one there is no chunk.
    EXPECT_EQ(HR_OK, look(zstd_frame(5000)).status);
    EXPECT_TRUE(look(zstd_frame(4096)).foreign.over) << "its end";
    EXPECT_FALSE(look(zstd_frame(4096), false).foreign.over);
}

// What does not fit into one chunk is the next one's.
TEST(ForeignFile, IsCutWhereAChunkIsFull)
{
    std::string lz4 = lz4_header(0x60, 0x70), zstd; // blocks of 4 MiB; frames of 256 KiB
    lz4 += lz4_block(4u << 20) + lz4_block(100) + number(0);
    for (unsigned i = 0; i < 17; i++)
        zstd += zstd_frame(256u << 10);
    const Seen one = look(lz4), other = look(zstd);
    ASSERT_EQ(HR_OK, one.status) << one.why;
    EXPECT_EQ((4u << 20) + 4, one.chunk.len);
    EXPECT_FALSE(one.foreign.over);
    ASSERT_EQ(HR_OK, other.status) << other.why;
    EXPECT_EQ(16 * zstd_frame(256u << 10).size(), other.chunk.len);
    EXPECT_FALSE(other.foreign.over);
}

// Frames that tools put behind the content are no chunk.
TEST(ForeignFile, MayEndInWhatIsNoContent)
{
    const std::string whole = zstd_frame(4096), rest = skippable(7);
    hr_foreign foreign;
    hr_foreign_chunk chunk;
    uint32_t at = 0;
    ASSERT_EQ(HR_OK, hr_foreign_begin(&foreign, bytes_of(whole), whole.size(), &at));
    ASSERT_EQ(HR_OK, hr_foreign_next(&foreign, bytes_of(rest), rest.size(), true, &chunk));
    EXPECT_EQ(0u, chunk.len);
    EXPECT_EQ(rest.size(), chunk.skip);
    EXPECT_TRUE(foreign.over);
}

struct Case {
    const char *name;
    std::string file;
    hr_status status;
    const char *why;
};

class Foreign : public testing::TestWithParam<Case>
{
};

TEST_P(Foreign, IsWhatItIsSaidToBe)
{
    const Seen seen = look(GetParam().file);
    EXPECT_EQ(GetParam().status, seen.status) << seen.why;
    EXPECT_NE(std::string::npos, seen.why.find(GetParam().why)) << seen.why;
}

const hr_status no = HR_UNSUPPORTED;

INSTANTIATE_TEST_SUITE_P(
    Lz4, Foreign,
    testing::Values(
        Case{"Nothing", "", HR_NOT_FOUND, ""}, Case{"Text", "shard of text", HR_NOT_FOUND, ""},
        Case{"TheLegacyFormat", std::string("\x02\x21\x4c\x18", 4) + number(9), no, "legacy"},
        Case{"CutInItsHeader", lz4_header().substr(0, 6), no, "cut"},
        Case{"CutInItsLength", lz4_header(0x68).substr(0, 14), no, "cut"},
        Case{"AnotherVersion", lz4_header('\xa0'), no, "version"},
        Case{"BlocksOfNoSize", lz4_header(0x60, 0x30), no, "version"},
        Case{"DependentBlocks", lz4_header(0x40), no, "depend"},
        Case{"BlocksWithChecksums", lz4_header(0x70), no, "checksums"},
        Case{"ADictionary", lz4_header(0x61), no, "dictionary"},
        Case{"NoBlock", lz4_header(), no, "cut"},
        Case{"CutInABlock", lz4_header() + lz4_block(100).substr(0, 80), no, "cut"},
        Case{"WithoutItsEnd", lz4_header() + lz4_block(100), no, "cut"},
        Case{"ABlockThatIsTooLong", lz4_header() + lz4_block(65537) + number(0), no, "damaged"},
        Case{"TwoFrames", lz4_header() + number(0) + lz4_header() + number(0), no, "more than one"},
        Case{"AFrameThatIsPassedOver", lz4_header() + number(0) + skippable(9), HR_OK, ""},
        Case{"WithItsLength", lz4_header(0x68) + lz4_block(9) + number(0), HR_OK, ""},
        Case{"WithAChecksum", lz4_header(0x64) + lz4_block(9) + number(0) + number(7), HR_OK, ""},
        Case{"WithoutItsChecksum", lz4_header(0x64) + lz4_block(9) + number(0), no, "cut"}),
    [](const testing::TestParamInfo<Case> &one) { return std::string(one.param.name); });

INSTANTIATE_TEST_SUITE_P(
    Zstd, Foreign,
    testing::Values(
        Case{"NoLength", zstd_frame(100, false), no, "do not tell"},
        Case{"ADictionary", zstd_frame(100, true, true), no, "do not tell"},
        Case{"NoContent", zstd_frame(0), no, "do not tell"},
        Case{"ItsHeaderAlone", zstd_frame(100).substr(0, 8), no, "do not tell"},
        Case{"CutInItsFirstFrame", zstd_frame(100).substr(0, 50), no, "do not tell"},
        Case{"NothingButWhatIsPassedOver", skippable(9), no, "do not tell"},
        Case{"NoWholePages", zstd_frame(5000) + zstd_frame(5000), no, "whole pages"},
        Case{"CutInALaterFrame", zstd_frame(4096) + zstd_frame(4096).substr(0, 99), no, "cut"},
        Case{"ALaterFrameWithoutLength", zstd_frame(4096) + zstd_frame(99, false), no, "not tell"},
        Case{"ALongerFrame", zstd_frame(4096) + zstd_frame(4097), no, "different"},
        Case{"AnEmptyFrame", zstd_frame(4096) + zstd_frame(0), no, "different"}),
    [](const testing::TestParamInfo<Case> &one) { return std::string(one.param.name); });

// ---- the frames that our own packer makes ----

TEST(Lz4Frame, OfOtherFlagsOrAWrongChecksumIsRefused)
{
    const hr_lz4_frame made = {9, 1u << 20};
    for (unsigned at : {0u, 4u, 14u}) {
        uint8_t bytes[HR_LZ4_HEADER_LEN];
        hr_lz4_frame frame = {};
        hr_lz4_frame_pack(&made, bytes);
        bytes[at] ^= 1;
        if (at == 4)
            bytes[14] = hr_lz4_frame_checksum(bytes + 4);
        EXPECT_EQ(HR_INTEGRITY, hr_lz4_frame_unpack(bytes, sizeof bytes, &frame)) << at;
    }
}

TEST(Lz4Frame, OfBlocksThatCannotBeIsRefused)
{
    const hr_lz4_frame made = {UINT64_C(1) << 40, 1u << 20};
    uint8_t bytes[HR_LZ4_HEADER_LEN];
    hr_lz4_frame frame = {};
    hr_lz4_frame_pack(&made, bytes);
    ASSERT_EQ(HR_OK, hr_lz4_frame_unpack(bytes, sizeof bytes, &frame));
    EXPECT_EQ(made.content_len, frame.content_len);
    EXPECT_EQ(made.block_len, frame.block_len);
    EXPECT_EQ(HR_INTEGRITY, hr_lz4_frame_unpack(bytes, sizeof bytes - 1, &frame));
    for (unsigned wrong : {0x30u, 0x80u, 0x41u}) {
        bytes[5] = uint8_t(wrong);
        bytes[14] = hr_lz4_frame_checksum(bytes + 4);
        EXPECT_EQ(HR_INTEGRITY, hr_lz4_frame_unpack(bytes, sizeof bytes, &frame)) << wrong;
    }
}

} // namespace
