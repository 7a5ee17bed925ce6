// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <functional>
#include <string.h>
#include <vector>

extern "C" {
#include "seal.h"
}

namespace
{

class Seal : public testing::TestWithParam<hr_cipher>
{
  protected:
    Seal()
    {
        EXPECT_EQ(HR_OK, hr_sealer_create(hr_env_system(), &sealer_));
        key_.cipher = GetParam();
        memset(key_.bytes, 7, sizeof key_.bytes);
        receipt_.transfer = 11;
        receipt_.chunk = 3;
        receipt_.generation = 2;
        receipt_.sequence = 5;
        receipt_.stored_len = receipt_.content_len = (uint32_t)payload_.size();
        receipt_.stored_crc = receipt_.content_crc = 0x12345678;
    }
    ~Seal() override
    {
        hr_sealer_destroy(sealer_);
    }
    hr_status close()
    {
        return hr_seal_close(sealer_, &key_, &receipt_, payload_.data(), payload_.size());
    }
    hr_status open()
    {
        return hr_seal_open(sealer_, &key_, &receipt_, payload_.data(), payload_.size());
    }
    hr_sealer *sealer_ = nullptr;
    hr_seal_key key_ = {};
    hr_receipt receipt_ = {};
    std::vector<uint8_t> payload_ = std::vector<uint8_t>(100001, 'x');
};

TEST_P(Seal, WhatIsClosedOpens)
{
    std::vector<uint8_t> clear = payload_;
    ASSERT_EQ(HR_OK, close());
    EXPECT_NE(clear, payload_);
    EXPECT_NE(0x12345678u, receipt_.stored_crc) << "a digest tells what a chunk holds";
    EXPECT_NE(0x12345678u, receipt_.content_crc);
    ASSERT_EQ(HR_OK, open());
    EXPECT_EQ(clear, payload_);
    EXPECT_EQ(0x12345678u, receipt_.stored_crc);
    EXPECT_EQ(0x12345678u, receipt_.content_crc);
}

TEST_P(Seal, OfNothingIsOneToo)
{
    payload_.clear();
    receipt_.stored_len = receipt_.content_len = 0;
    ASSERT_EQ(HR_OK, close());
    EXPECT_EQ(HR_OK, open());
}

TEST_P(Seal, ASecondSendingHasNothingInCommonWithTheFirst)
{
    hr_receipt first = receipt_;
    std::vector<uint8_t> clear = payload_;
    ASSERT_EQ(HR_OK, close());
    std::vector<uint8_t> sent = payload_;
    for (int field = 0; field < 3; field++) {
        receipt_ = first;
        payload_ = clear;
        (field == 0 ? receipt_.chunk : field == 1 ? receipt_.generation : receipt_.sequence)++;
        ASSERT_EQ(HR_OK, close());
        EXPECT_NE(sent, payload_) << "field " << field;
    }
}

TEST_P(Seal, NothingOfItCanBeChanged)
{
    ASSERT_EQ(HR_OK, close());
    const hr_receipt sealed = receipt_;
    const std::vector<uint8_t> sent = payload_;
    const std::function<void()> changes[] = {
        [this] { payload_[0] ^= 1; },          [this] { payload_.back() ^= 0x80; },
        [this] { receipt_.tag[0] ^= 1; },      [this] { receipt_.tag[15] ^= 1; },
        [this] { receipt_.transfer++; },       [this] { receipt_.chunk++; },
        [this] { receipt_.generation++; },     [this] { receipt_.sequence++; },
        [this] { receipt_.stored_crc ^= 1; },  [this] { receipt_.content_crc ^= 1; },
        [this] { receipt_.content_len ^= 1; }, [this] { receipt_.codec ^= 1; },
        [this] { receipt_.flags ^= 1; },       [this] { key_.bytes[31] ^= 1; },
        [this] { payload_.pop_back(); },
    };
    for (const auto &change : changes) {
        receipt_ = sealed;
        payload_ = sent;
        change();
        EXPECT_EQ(HR_INTEGRITY, open()) << "change " << &change - changes;
        memset(key_.bytes, 7, sizeof key_.bytes);
    }
}

INSTANTIATE_TEST_SUITE_P(All, Seal,
                         testing::Values(HR_CIPHER_AES_256_GCM, HR_CIPHER_CHACHA20_POLY1305));

} // namespace
