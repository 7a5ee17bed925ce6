// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

extern "C" {
#include "units.h"
}

namespace
{

std::string bytes(uint64_t value)
{
    char out[HR_CLI_UNIT_MAX];
    return hr_cli_bytes(out, value);
}

std::string duration(double seconds)
{
    char out[HR_CLI_UNIT_MAX];
    return hr_cli_duration(out, seconds);
}

TEST(Units, WritesBytesWithThreeDigits)
{
    EXPECT_EQ(bytes(0), "0 B");
    EXPECT_EQ(bytes(999), "999 B");
    EXPECT_EQ(bytes(1000), "1.00 kB");
    EXPECT_EQ(bytes(4194304), "4.19 MB");
    EXPECT_EQ(bytes(12300000), "12.3 MB");
    EXPECT_EQ(bytes(UINT64_C(123000000000)), "123 GB");
    EXPECT_EQ(bytes(UINT64_MAX), "18.4 EB");
}

TEST(Units, NeverRoundsToAFourthDigit)
{
    EXPECT_EQ(bytes(9994), "9.99 kB");
    EXPECT_EQ(bytes(9996), "10.0 kB");
    EXPECT_EQ(bytes(99949), "99.9 kB");
    EXPECT_EQ(bytes(99951), "100 kB");
    EXPECT_EQ(bytes(999499), "999 kB");
    EXPECT_EQ(bytes(999500), "1.00 MB");
}

TEST(Units, WritesRates)
{
    char out[HR_CLI_UNIT_MAX];
    EXPECT_STREQ(hr_cli_rate(out, 1500000000), "1.50 GB/s");
    EXPECT_STREQ(hr_cli_rate(out, UINT64_MAX), "18.4 EB/s");
}

TEST(Units, WritesDurationsAsLongAsTheyAre)
{
    EXPECT_EQ(duration(0), "0.00 s");
    EXPECT_EQ(duration(0.854), "0.85 s");
    EXPECT_EQ(duration(9.999), "10.0 s");
    EXPECT_EQ(duration(99.94), "99.9 s");
    EXPECT_EQ(duration(99.99), "1m40s");
    EXPECT_EQ(duration(200), "3m20s");
    EXPECT_EQ(duration(3599.6), "1h00m");
    EXPECT_EQ(duration(7500), "2h05m");
    EXPECT_EQ(duration(86400 + 3 * 3600), "1d03h");
    EXPECT_EQ(duration(1e300), "365d00h");
}

} // namespace
