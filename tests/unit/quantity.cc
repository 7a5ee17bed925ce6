// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

extern "C" {
#include "quantity.h"
}

namespace
{

TEST(Quantity, ReadsBytes)
{
    const struct {
        const char *text;
        uint64_t bytes;
    } cases[] = {
        {"0", 0},
        {"4096", 4096},
        {"1B", 1},
        {"1K", 1000},
        {"1k", 1000},
        {"1KB", 1000},
        {"1KiB", 1024},
        {"3MiB", 3 << 20},
        {"1.5G", 1500000000},
        {"0.5 GiB", 1 << 29},
        {"2T", UINT64_C(2000000000000)},
        {"1PiB", UINT64_C(1) << 50},
        {"1.0000000009999G", 1000000000},
        {"18446744073709551615", UINT64_MAX},
    };
    for (const auto &c : cases) {
        uint64_t bytes = 0;
        EXPECT_EQ(hr_quantity_bytes(c.text, &bytes), HR_OK) << c.text;
        EXPECT_EQ(bytes, c.bytes) << c.text;
    }
}

TEST(Quantity, RefusesWhatIsNoNumberOfBytes)
{
    uint64_t bytes = 7;
    for (const char *text :
         {"",   "K",  "-1", "+1",   "1Kb",    "1kb", "10Gb", "1x",  "1Ki", "1 ",     "1  K",
          " 1", "1.", ".5", "1..5", "1.5.5K", "1K1", "0x10", "1e3", "1/s", "0.0001", "0.0001K"})
        EXPECT_EQ(hr_quantity_bytes(text, &bytes), HR_INVALID) << text;
    for (const char *text :
         {"18446744073709551616", "99999999999999999999999", "18447P", "16384PiB", "999999999999T"})
        EXPECT_EQ(hr_quantity_bytes(text, &bytes), HR_LIMIT) << text;
    EXPECT_EQ(bytes, 7u);
}

TEST(Quantity, ReadsRates)
{
    uint64_t rate = 0;
    EXPECT_EQ(hr_quantity_rate("2.5MiB/s", &rate), HR_OK);
    EXPECT_EQ(rate, 2621440u);
    EXPECT_EQ(hr_quantity_rate("100M", &rate), HR_OK);
    EXPECT_EQ(rate, 100000000u);
    for (const char *text : {"1M/m", "1M/", "1Mps", "10Gb/s", "/s"})
        EXPECT_EQ(hr_quantity_rate(text, &rate), HR_INVALID) << text;
}

TEST(Quantity, ReadsDurations)
{
    const struct {
        const char *text;
        uint64_t ns;
    } cases[] = {
        {"0", 0},
        {"30", UINT64_C(30000000000)},
        {"1.5", 1500000000},
        {"7ns", 7},
        {"250us", 250000},
        {"250ms", 250000000},
        {"90s", UINT64_C(90000000000)},
        {"2m", UINT64_C(120000000000)},
        {"1h30m", UINT64_C(5400000000000)},
        {"1m0.5s", UINT64_C(60500000000)},
    };
    for (const auto &c : cases) {
        uint64_t ns = 0;
        EXPECT_EQ(hr_quantity_duration(c.text, &ns), HR_OK) << c.text;
        EXPECT_EQ(ns, c.ns) << c.text;
    }
    uint64_t ns = 7;
    for (const char *text : {"", "s", "1d", "1m30", "1 s", "-1s", "0.1ns", "1S", "5msx"})
        EXPECT_EQ(hr_quantity_duration(text, &ns), HR_INVALID) << text;
    EXPECT_EQ(hr_quantity_duration("5124096h", &ns), HR_LIMIT);
    EXPECT_EQ(hr_quantity_duration("5124095h3600000s", &ns), HR_LIMIT);
    EXPECT_EQ(ns, 7u);
}

TEST(Quantity, ReadsWholeNumbers)
{
    unsigned number = 0;
    EXPECT_EQ(hr_quantity_unsigned("4294967295", &number), HR_OK);
    EXPECT_EQ(number, 4294967295u);
    EXPECT_EQ(hr_quantity_unsigned("4294967296", &number), HR_LIMIT);
    for (const char *text : {"", "1.5", "1.0", "-1", "1K", "x"})
        EXPECT_EQ(hr_quantity_unsigned(text, &number), HR_INVALID) << text;
}

} // namespace
