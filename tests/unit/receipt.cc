// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>

extern "C" {
#include "bytes.h"
#include "crc32c.h"
#include "receipt.h"
}

namespace
{

hr_receipt Example()
{
    hr_receipt receipt = {};
    receipt.transfer = 0x0102030405060708;
    receipt.chunk = 0x11121314;
    receipt.generation = 0x21222324;
    receipt.codec = 1;
    receipt.flags = HR_RECEIPT_DIGEST_STORED;
    receipt.stored_len = 0x31323334;
    receipt.content_len = 0x41424344;
    receipt.stored_crc = 0x51525354;
    receipt.content_crc = 0x61626364;
    for (int i = 0; i < 16; i++)
        receipt.tag[i] = static_cast<uint8_t>(0xA0 + i);
    return receipt;
}

void Seal(uint8_t *bytes)
{
    hr_put_u32(bytes + 60, hr_crc32c(0, bytes, 60));
}

TEST(Receipt, LiesInBytesAsTheProtocolSays)
{
    uint8_t bytes[HR_RECEIPT_LEN];
    hr_receipt receipt = Example();
    hr_receipt_pack(&receipt, bytes);
    const uint8_t expected[60] = {
        'H',  'R',  'R',  '1',  1,    1,    0,    0,    // magic, codec, flags
        0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01, // transfer
        0x14, 0x13, 0x12, 0x11, 0x24, 0x23, 0x22, 0x21, // chunk, generation
        0x34, 0x33, 0x32, 0x31, 0x44, 0x43, 0x42, 0x41, // lengths
        0x54, 0x53, 0x52, 0x51, 0x64, 0x63, 0x62, 0x61, // digests
        0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xA7, 0xA8, 0xA9, 0xAA, 0xAB, // tag
        0xAC, 0xAD, 0xAE, 0xAF, 0,    0,    0,    0,
    };
    EXPECT_EQ(memcmp(bytes, expected, sizeof expected), 0);
    EXPECT_EQ(hr_get_u32(bytes + 60), hr_crc32c(0, bytes, 60));
}

TEST(Receipt, ComesBackAsItWas)
{
    uint8_t bytes[HR_RECEIPT_LEN], again[HR_RECEIPT_LEN];
    hr_receipt receipt = Example(), back = {};
    hr_receipt_pack(&receipt, bytes);
    ASSERT_EQ(hr_receipt_unpack(bytes, &back), HR_OK);
    EXPECT_EQ(back.transfer, receipt.transfer);
    EXPECT_EQ(back.chunk, receipt.chunk);
    EXPECT_EQ(back.generation, receipt.generation);
    EXPECT_EQ(back.codec, receipt.codec);
    EXPECT_EQ(back.flags, receipt.flags);
    EXPECT_EQ(back.stored_len, receipt.stored_len);
    EXPECT_EQ(back.content_len, receipt.content_len);
    EXPECT_EQ(back.stored_crc, receipt.stored_crc);
    EXPECT_EQ(back.content_crc, receipt.content_crc);
    EXPECT_EQ(memcmp(back.tag, receipt.tag, 16), 0);
    hr_receipt_pack(&back, again);
    EXPECT_EQ(memcmp(bytes, again, sizeof bytes), 0);
}

TEST(Receipt, RefusesEverySingleWrongBit)
{
    uint8_t bytes[HR_RECEIPT_LEN];
    hr_receipt receipt = Example(), back = {};
    hr_receipt_pack(&receipt, bytes);
    for (unsigned bit = 0; bit < HR_RECEIPT_LEN * 8; bit++) {
        bytes[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
        EXPECT_EQ(hr_receipt_unpack(bytes, &back), HR_PROTOCOL) << "bit " << bit;
        bytes[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
    }
    EXPECT_EQ(back.transfer, 0u); // nothing is set by a refusal
}

TEST(Receipt, RefusesWhatIsReservedEvenWithARightCrc)
{
    const hr_receipt receipt = Example();
    const struct {
        unsigned at;
        uint8_t value;
    } changes[] = {{0, 'X'}, {5, 0x02}, {5, 0x80}, {6, 1}, {7, 1}};
    for (const auto &change : changes) {
        uint8_t bytes[HR_RECEIPT_LEN];
        hr_receipt back = {};
        hr_receipt_pack(&receipt, bytes);
        bytes[change.at] = change.value;
        Seal(bytes);
        EXPECT_EQ(hr_receipt_unpack(bytes, &back), HR_PROTOCOL) << "byte " << change.at;
    }
}

} // namespace
