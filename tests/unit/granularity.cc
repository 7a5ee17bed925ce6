// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdint>

extern "C" {
#include "granularity.h"
}

namespace
{

constexpr int64_t kSecond = 1000000000;

TEST(Granularity, IsThatOfTheTarget)
{
    const int64_t time = 1795919721 * kSecond + 688123456;
    EXPECT_TRUE(hr_is_time_of(time, time));
    EXPECT_TRUE(hr_is_time_of(1795919720 * kSecond, time)) << "vfat";
    EXPECT_TRUE(hr_is_time_of(1795919721 * kSecond, time)) << "seconds";
    EXPECT_TRUE(hr_is_time_of(time - 8123456, time)) << "exfat";
    EXPECT_TRUE(hr_is_time_of(time - 456, time)) << "microseconds";
    EXPECT_TRUE(hr_is_time_of(time - 56, time)) << "NTFS";
}

TEST(Granularity, ExcusesNoOtherTime)
{
    const int64_t time = 1795919721 * kSecond + 688123456;
    EXPECT_FALSE(hr_is_time_of(time - 1, time)) << "no file system has cut it off there";
    EXPECT_FALSE(hr_is_time_of(1795919722 * kSecond, time)) << "it cuts off, and adds nothing";
    EXPECT_FALSE(hr_is_time_of(1795919719 * kSecond, time)) << "an odd second is no vfat's";
    EXPECT_FALSE(hr_is_time_of(1795919718 * kSecond, time));
    EXPECT_FALSE(hr_is_time_of(time, 1795919720 * kSecond)) << "the source's is not cut off";
    EXPECT_FALSE(hr_is_time_of(INT64_MIN, INT64_MAX));
}

TEST(Granularity, HoldsBefore1970Too)
{
    EXPECT_TRUE(hr_is_time_of(-4 * kSecond, -3 * kSecond + 5));
    EXPECT_TRUE(hr_is_time_of(-3 * kSecond, -3 * kSecond + 5));
    EXPECT_FALSE(hr_is_time_of(-2 * kSecond, -3 * kSecond + 5));
}

} // namespace
