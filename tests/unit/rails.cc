// SPDX-License-Identifier: Apache-2.0
// Which rail a link takes, which memory a grant may name, and what a probe is worth.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

extern "C" {
#include "keyring.h"
#include "probe.h"
#include "rails.h"
}

namespace
{

constexpr uint64_t s = 1000000000;

void add(hr_rails *rails, const char *address)
{
    hr_rails_add(rails, address, 0);
}

TEST(Rails, LinksAreSpreadOverThem)
{
    hr_rails rails = {};
    EXPECT_EQ(HR_RAIL_NONE, hr_rails_choose(&rails, 0, 0));
    add(&rails, "10.0.0.1:7431");
    add(&rails, "10.0.1.1:7431");
    add(&rails, "10.0.0.1:7431");
    EXPECT_EQ(2u, rails.count) << "one that is known is not added again";
    EXPECT_EQ(0u, hr_rails_choose(&rails, 0, 0));
    EXPECT_EQ(1u, hr_rails_choose(&rails, 1, 0));
    EXPECT_EQ(0u, hr_rails_choose(&rails, 2, 0));
}

TEST(Rails, AddressesThatDoNotFitAreLeftOut)
{
    hr_rails rails = {};
    add(&rails, "");
    add(&rails, std::string(64, 'x').c_str());
    EXPECT_EQ(0u, rails.count);
    for (int i = 0; i < 2 * HR_RAILS_MAX; i++)
        add(&rails, std::to_string(i).c_str());
    EXPECT_EQ(unsigned{HR_RAILS_MAX}, rails.count);
}

TEST(Rails, OneThatFailsThreeTimesInTenSecondsRestsForTen)
{
    hr_rails rails = {};
    add(&rails, "a");
    add(&rails, "b");
    hr_rails_worked(&rails, 0);
    EXPECT_FALSE(hr_rails_failed(&rails, 0, 100 * s));
    EXPECT_FALSE(hr_rails_failed(&rails, 0, 101 * s));
    EXPECT_EQ(0u, hr_rails_choose(&rails, 0, 101 * s));
    EXPECT_TRUE(hr_rails_failed(&rails, 0, 102 * s));
    EXPECT_EQ(1u, hr_rails_choose(&rails, 0, 103 * s));
    EXPECT_EQ(112 * s, hr_rails_wake(&rails, 103 * s));
    EXPECT_EQ(UINT64_MAX, hr_rails_wake(&rails, 112 * s));
    EXPECT_EQ(0u, hr_rails_choose(&rails, 0, 112 * s));
}

TEST(Rails, OneThatHasNeverWorkedRestsAtOnce)
{
    hr_rails rails = {};
    add(&rails, "gone");
    add(&rails, "there");
    EXPECT_TRUE(hr_rails_failed(&rails, 0, 100 * s));
    EXPECT_EQ(1u, hr_rails_choose(&rails, 0, 100 * s));
    EXPECT_EQ(0u, hr_rails_choose(&rails, 0, 110 * s));
}

TEST(Rails, OldFailuresAreForgotten)
{
    hr_rails rails = {};
    add(&rails, "a");
    hr_rails_worked(&rails, 0);
    for (uint64_t at = 100; at < 200; at += 6)
        EXPECT_FALSE(hr_rails_failed(&rails, 0, at * s)) << at;
}

TEST(Rails, WhenAllRestTheNetworkCarries)
{
    hr_rails rails = {};
    add(&rails, "a");
    for (int i = 0; i < HR_RAIL_ERRORS_MAX; i++)
        hr_rails_failed(&rails, 0, 100 * s);
    EXPECT_EQ(HR_RAIL_NONE, hr_rails_choose(&rails, 0, 101 * s));
    EXPECT_FALSE(hr_rails_failed(&rails, HR_RAIL_NONE, 101 * s)) << "which is no rail";
}

TEST(Rails, ItIsKnownWhetherOneEverWorked)
{
    hr_rails rails = {};
    add(&rails, "a");
    EXPECT_TRUE(hr_rails_never_worked(&rails));
    hr_rails_worked(&rails, HR_RAIL_NONE);
    EXPECT_TRUE(hr_rails_never_worked(&rails));
    hr_rails_worked(&rails, 0);
    EXPECT_FALSE(hr_rails_never_worked(&rails));
}

class Keyring : public testing::Test
{
  protected:
    hr_keyring keyring_ = {};
    uint64_t address_ = 1;
    uint32_t rkey_ = 2;

    void TearDown() override
    {
        hr_keyring_fini(&keyring_, hr_env_system());
    }
    hr_status add(uint32_t index, uint64_t address, uint64_t len, uint32_t rkey)
    {
        hr_region_key key = {index, address, len, rkey};
        return hr_keyring_add(&keyring_, hr_env_system(), &key);
    }
    hr_status find(uint32_t index, uint64_t offset, uint64_t len)
    {
        return hr_keyring_find(&keyring_, index, offset, len, &address_, &rkey_);
    }
};

TEST_F(Keyring, FindsWhatWasTold)
{
    EXPECT_EQ(HR_NOT_FOUND, find(0, 0, 1));
    ASSERT_EQ(HR_OK, add(7, 0x1000, 100, 42));
    EXPECT_EQ(HR_OK, find(7, 40, 60));
    EXPECT_EQ(0x1000u + 40, address_);
    EXPECT_EQ(42u, rkey_);
    EXPECT_EQ(HR_NOT_FOUND, find(6, 0, 1));
    ASSERT_EQ(HR_OK, add(7, 0x2000, 10, 43)) << "a number is told again";
    EXPECT_EQ(HR_OK, find(7, 0, 10));
    EXPECT_EQ(0x2000u, address_);
}

TEST_F(Keyring, NothingOutsideARegionIsFound)
{
    ASSERT_EQ(HR_OK, add(0, 0x1000, 100, 42));
    EXPECT_EQ(HR_INVALID, find(0, 41, 60));
    EXPECT_EQ(HR_INVALID, find(0, 101, 0));
    EXPECT_EQ(HR_INVALID, find(0, UINT64_MAX, 2));
    EXPECT_EQ(HR_INVALID, find(0, 2, UINT64_MAX));
    EXPECT_EQ(1u, address_) << "left alone";
}

TEST_F(Keyring, NumbersHaveALimit)
{
    EXPECT_EQ(HR_OK, add(HR_KEYRING_MAX - 1, 1, 1, 1));
    EXPECT_EQ(HR_LIMIT, add(HR_KEYRING_MAX, 1, 1, 1));
    EXPECT_EQ(HR_NOT_FOUND, find(HR_KEYRING_MAX, 0, 0));
    EXPECT_EQ(HR_NOT_FOUND, find(UINT32_MAX, 0, 0));
}

TEST(Probe, EachByteOfItCounts)
{
    std::vector<uint8_t> bytes(HR_PROBE_LEN);
    hr_probe_fill(3, bytes.data(), bytes.size());
    EXPECT_TRUE(hr_probe_matches(3, bytes.data(), bytes.size()));
    EXPECT_FALSE(hr_probe_matches(4, bytes.data(), bytes.size()));
    for (size_t at = 0; at < bytes.size(); at += 997) {
        bytes[at] ^= 1;
        EXPECT_FALSE(hr_probe_matches(3, bytes.data(), bytes.size())) << at;
        bytes[at] ^= 1;
    }
}

// A write that came to the wrong place would look right if pages of it were alike.
TEST(Probe, NoTwoPagesOfItAreAlike)
{
    std::vector<uint8_t> bytes(HR_PROBE_LEN);
    hr_probe_fill(1, bytes.data(), bytes.size());
    for (size_t a = 0; a < bytes.size(); a += 4096)
        for (size_t b = 0; b < a; b += 4096)
            EXPECT_NE(0, memcmp(&bytes[a], &bytes[b], 4096)) << a << " and " << b;
}

} // namespace
