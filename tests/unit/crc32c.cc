// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <thread>
#include <vector>

extern "C" {
#include "crc32c.h"
}

namespace
{

std::vector<uint8_t> random_bytes(size_t len, unsigned seed)
{
    std::mt19937 generator(seed);
    std::vector<uint8_t> bytes(len);
    for (uint8_t &byte : bytes)
        byte = static_cast<uint8_t>(generator());
    return bytes;
}

// By the definition, one bit at a time: shares nothing with what is tested.
uint32_t crc32c_by_bits(const uint8_t *bytes, size_t len)
{
    uint32_t crc = ~0u;
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x82F63B78u : crc >> 1;
    }
    return ~crc;
}

class EveryVariant : public testing::TestWithParam<const hr_crc32c_variant *>
{
  protected:
    void SetUp() override
    {
        if (!GetParam()->works_here())
            GTEST_SKIP() << "this CPU does not have " << GetParam()->name;
    }
    uint32_t crc(const void *bytes, size_t len, uint32_t before = 0)
    {
        return GetParam()->update(before, bytes, len);
    }
};

TEST_P(EveryVariant, AgreesWithRfc3720)
{
    uint8_t bytes[32] = {};
    EXPECT_EQ(crc(bytes, 32), 0x8A9136AAu);
    memset(bytes, 0xFF, sizeof bytes);
    EXPECT_EQ(crc(bytes, 32), 0x62A8AB43u);
    for (int i = 0; i < 32; i++)
        bytes[i] = static_cast<uint8_t>(i);
    EXPECT_EQ(crc(bytes, 32), 0x46DD794Eu);
    for (int i = 0; i < 32; i++)
        bytes[i] = static_cast<uint8_t>(31 - i);
    EXPECT_EQ(crc(bytes, 32), 0x113FDB5Cu);
    const uint8_t read_command[48] = {0x01, 0xC0, 0, 0,    0,    0, 0, 0,    0,    0, 0,    0,
                                      0,    0,    0, 0,    0x14, 0, 0, 0,    0,    0, 0x04, 0,
                                      0,    0,    0, 0x14, 0,    0, 0, 0x18, 0x28, 0, 0,    0,
                                      0,    0,    0, 0,    0x02, 0, 0, 0,    0,    0, 0,    0};
    EXPECT_EQ(crc(read_command, sizeof read_command), 0xD9963A56u);
    EXPECT_EQ(crc("123456789", 9), 0xE3069283u);
    EXPECT_EQ(crc("", 0), 0u);
}

TEST_P(EveryVariant, IsRightAtEveryAlignmentAndShortLength)
{
    const std::vector<uint8_t> bytes = random_bytes(1100, 1);
    for (size_t start = 0; start < 16; start++)
        for (size_t len = 0; len <= 1024; len++)
            ASSERT_EQ(crc(bytes.data() + start, len), crc32c_by_bits(bytes.data() + start, len))
                << "start " << start << ", length " << len;
}

TEST_P(EveryVariant, IsRightAroundTheLengthsWhereItChangesItsWay)
{
    const std::vector<uint8_t> bytes = random_bytes(100000, 2);
    for (size_t around :
         {256u, 512u, 768u, 1024u, 1280u, 1536u, 4096u, 12288u, 13056u, 24576u, 65536u, 98304u})
        for (size_t len = around - 9; len <= around + 9; len++)
            ASSERT_EQ(crc(bytes.data() + 3, len), crc32c_by_bits(bytes.data() + 3, len))
                << "length " << len;
}

TEST_P(EveryVariant, ContinuesWhereItEnded)
{
    const std::vector<uint8_t> bytes = random_bytes(50000, 3);
    const uint32_t whole = crc(bytes.data(), bytes.size());
    for (size_t cut : {0u, 1u, 7u, 8u, 255u, 768u, 12288u, 30000u, 49999u, 50000u})
        EXPECT_EQ(crc(bytes.data() + cut, bytes.size() - cut, crc(bytes.data(), cut)), whole)
            << "cut at " << cut;
}

TEST_P(EveryVariant, SeesEverySingleBit)
{
    std::vector<uint8_t> bytes = random_bytes(13000, 4);
    const uint32_t right = crc(bytes.data(), bytes.size());
    for (size_t bit = 0; bit < bytes.size() * 8; bit += 97) {
        bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
        EXPECT_NE(crc(bytes.data(), bytes.size()), right) << "bit " << bit;
        bytes[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    }
}

std::vector<const hr_crc32c_variant *> all_variants()
{
    std::vector<const hr_crc32c_variant *> all;
    for (const hr_crc32c_variant *variant = hr_crc32c_variants; variant->name != nullptr; variant++)
        all.push_back(variant);
    return all;
}

INSTANTIATE_TEST_SUITE_P(Crc32c, EveryVariant, testing::ValuesIn(all_variants()),
                         [](const testing::TestParamInfo<const hr_crc32c_variant *> &variant) {
                             std::string name = variant.param->name;
                             for (char &c : name)
                                 c = isalnum(static_cast<unsigned char>(c)) ? c : '_';
                             return name;
                         });

TEST(Crc32c, ChoosesTheFirstVariantThatWorksHere)
{
    const hr_crc32c_variant *first = hr_crc32c_variants;
    while (!first->works_here())
        first++;
    EXPECT_STREQ(hr_crc32c_name(), first->name);
    EXPECT_EQ(hr_crc32c(0, "123456789", 9), 0xE3069283u);
}

TEST(Crc32c, MayBeUsedFirstByManyThreads)
{
    std::vector<std::thread> threads;
    std::vector<uint32_t> digests(8);
    for (uint32_t &digest : digests)
        threads.emplace_back([&digest] { digest = hr_crc32c(0, "123456789", 9); });
    for (std::thread &thread : threads)
        thread.join();
    for (uint32_t digest : digests)
        EXPECT_EQ(digest, 0xE3069283u);
}

TEST(Crc32c, CombinesTheDigestsOfTwoPieces)
{
    const std::vector<uint8_t> bytes = random_bytes(70000, 5);
    const uint32_t whole = hr_crc32c(0, bytes.data(), bytes.size());
    for (size_t cut : {0u, 1u, 2u, 63u, 64u, 4096u, 65535u, 65536u, 69999u, 70000u}) {
        const uint32_t a = hr_crc32c(0, bytes.data(), cut);
        const uint32_t b = hr_crc32c(0, bytes.data() + cut, bytes.size() - cut);
        EXPECT_EQ(hr_crc32c_combine(a, b, bytes.size() - cut), whole) << "cut at " << cut;
    }
}

TEST(Crc32c, CombinesLengthsThatDoNotFitInMemory)
{
    // Appending 2^33 zero bytes, in two ways: at once, and as 2^13 times 2^20.
    const std::vector<uint8_t> zeros(1 << 20);
    uint32_t zeros_crc = hr_crc32c(0, zeros.data(), zeros.size());
    for (uint64_t len = 1 << 20; len < UINT64_C(1) << 33; len *= 2)
        zeros_crc = hr_crc32c_combine(zeros_crc, zeros_crc, len);
    const uint32_t start = hr_crc32c(0, "start", 5);
    uint32_t by_pieces = start;
    const uint32_t piece_crc = hr_crc32c(0, zeros.data(), zeros.size());
    for (int i = 0; i < 1 << 13; i++)
        by_pieces = hr_crc32c_combine(by_pieces, piece_crc, zeros.size());
    EXPECT_EQ(hr_crc32c_combine(start, zeros_crc, UINT64_C(1) << 33), by_pieces);
}

} // namespace
