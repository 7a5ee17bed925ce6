// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

// The headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "keyring.h"
#include "region_numbers.h"
}

namespace
{

class Keyring : public testing::Test
{
  protected:
    ~Keyring() override
    {
        hr_keyring_fini(&keyring, hr_env_system());
    }
    hr_status Add(uint32_t index, uint64_t at, uint64_t len, uint32_t remote_key)
    {
        const hr_region_key key = {index, at, len, remote_key};
        return hr_keyring_add(&keyring, hr_env_system(), &key);
    }
    hr_status Find(uint32_t index, uint64_t offset, uint64_t len)
    {
        return hr_keyring_find(&keyring, index, offset, len, &address, &rkey);
    }
    hr_keyring keyring = {};
    uint64_t address = 0;
    uint32_t rkey = 0;
};

TEST_F(Keyring, APlaceLiesInItsRegion)
{
    ASSERT_EQ(Add(3, 0x10000, 4096, 77), HR_OK);
    EXPECT_EQ(Find(3, 0, 4096), HR_OK);
    EXPECT_EQ(address, 0x10000u);
    EXPECT_EQ(rkey, 77u);
    EXPECT_EQ(Find(3, 4000, 96), HR_OK);
    EXPECT_EQ(address, 0x10000u + 4000);
    EXPECT_EQ(Find(3, 4096, 0), HR_OK);
}

TEST_F(Keyring, APlaceShorterThanItsChunkIsNone)
{
    ASSERT_EQ(Add(3, 0x10000, 4096, 77), HR_OK);
    EXPECT_EQ(Find(3, 0, 4097), HR_INVALID);
    EXPECT_EQ(Find(3, 4001, 96), HR_INVALID);
    EXPECT_EQ(Find(3, 4097, 0), HR_INVALID);
    EXPECT_EQ(Find(3, UINT64_MAX, 2), HR_INVALID);
    EXPECT_EQ(Find(3, 2, UINT64_MAX), HR_INVALID);
    EXPECT_EQ(address, 0u) << "outputs are set only on success";
}

TEST_F(Keyring, ARegionHasToBeTold)
{
    EXPECT_EQ(Find(0, 0, 1), HR_NOT_FOUND);
    ASSERT_EQ(Add(3, 0x10000, 4096, 77), HR_OK);
    EXPECT_EQ(Find(2, 0, 1), HR_NOT_FOUND);
    EXPECT_EQ(Find(HR_KEYRING_MAX, 0, 1), HR_NOT_FOUND);
    EXPECT_EQ(Find(UINT32_MAX, 0, 1), HR_NOT_FOUND);
    EXPECT_EQ(Add(HR_KEYRING_MAX, 0x10000, 4096, 77), HR_LIMIT);
}

TEST_F(Keyring, ARegionToldAgainIsTheLatter)
{
    ASSERT_EQ(Add(3, 0x10000, 4096, 77), HR_OK);
    ASSERT_EQ(Add(3, 0x20000, 100, 78), HR_OK);
    EXPECT_EQ(Find(3, 0, 101), HR_INVALID);
    EXPECT_EQ(Find(3, 0, 100), HR_OK);
    EXPECT_EQ(address, 0x20000u);
    EXPECT_EQ(rkey, 78u);
}

TEST(RegionNumbers, AreTheLowestInARowThatAreFree)
{
    hr_region_numbers numbers = {};
    uint32_t first = 0;
    for (uint32_t at : {0u, 60u, 120u}) { // the second row lies in two words
        ASSERT_TRUE(hr_region_numbers_take(&numbers, 60, &first));
        EXPECT_EQ(first, at);
    }
    hr_region_numbers_give(&numbers, 60, 60);
    ASSERT_TRUE(hr_region_numbers_take(&numbers, 61, &first));
    EXPECT_EQ(first, 180u);
    ASSERT_TRUE(hr_region_numbers_take(&numbers, 59, &first));
    EXPECT_EQ(first, 60u);
}

TEST(RegionNumbers, HaveAnEnd)
{
    hr_region_numbers numbers = {};
    uint32_t first = 0;
    ASSERT_TRUE(hr_region_numbers_take(&numbers, HR_KEYRING_MAX, &first));
    EXPECT_FALSE(hr_region_numbers_take(&numbers, 1, &first));
    hr_region_numbers_give(&numbers, HR_KEYRING_MAX - 1, 1);
    EXPECT_FALSE(hr_region_numbers_take(&numbers, 2, &first));
    EXPECT_TRUE(hr_region_numbers_take(&numbers, 1, &first));
    EXPECT_EQ(first, HR_KEYRING_MAX - 1u);
}

} // namespace
