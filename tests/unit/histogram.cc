// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include "histogram.h"
}

namespace
{

class Histogram : public ::testing::Test
{
  protected:
    void add(std::initializer_list<uint64_t> values)
    {
        for (uint64_t value : values)
            hr_bench_histogram_add(&histogram_, value);
    }
    uint64_t percentile(double percent) const
    {
        return hr_bench_histogram_percentile(&histogram_, percent);
    }
    hr_bench_histogram histogram_ = {};
};

TEST_F(Histogram, NothingHasNoPercentiles)
{
    EXPECT_EQ(0u, percentile(50));
    EXPECT_EQ(0, hr_bench_histogram_mean(&histogram_));
}

TEST_F(Histogram, SmallValuesAreExact)
{
    for (uint64_t value = 1; value <= 100; value++)
        hr_bench_histogram_add(&histogram_, value);
    EXPECT_EQ(50u, percentile(50));
    EXPECT_EQ(99u, percentile(99));
    EXPECT_EQ(100u, percentile(99.99));
    EXPECT_EQ(1u, percentile(0));
    EXPECT_EQ(50.5, hr_bench_histogram_mean(&histogram_));
}

TEST_F(Histogram, PercentilesOfMillionsAreWithinOneIn64AndNeverBelow)
{
    std::mt19937_64 random(1);
    std::lognormal_distribution<double> durations(11, 2);
    std::vector<uint64_t> values;
    for (int i = 0; i < 200000; i++)
        values.push_back((uint64_t)durations(random));
    for (uint64_t value : values)
        hr_bench_histogram_add(&histogram_, value);
    std::sort(values.begin(), values.end());
    for (double percent : {1.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
        uint64_t exact = values[(size_t)((double)values.size() * percent / 100 + 0.999999) - 1];
        EXPECT_GE(percentile(percent), exact) << percent;
        EXPECT_LE(percentile(percent), exact + exact / 64) << percent;
    }
    EXPECT_EQ(values.back(), percentile(100));
}

TEST_F(Histogram, EachPowerOfTwoLiesInABucketOfItsOwn)
{
    for (unsigned bit = 0; bit <= 40; bit++) {
        hr_bench_histogram one = {};
        hr_bench_histogram_add(&one, UINT64_C(1) << bit);
        hr_bench_histogram_add(&one, (UINT64_C(1) << bit) - 1);
        EXPECT_EQ((UINT64_C(1) << bit) - 1, hr_bench_histogram_percentile(&one, 50));
        EXPECT_EQ(UINT64_C(1) << bit, hr_bench_histogram_percentile(&one, 100));
    }
}

TEST_F(Histogram, WhatIsLongerThanItKnowsIsTheLongest)
{
    add({UINT64_MAX, UINT64_C(1) << 50});
    EXPECT_EQ((UINT64_C(1) << 41) - 1, percentile(50));
}

TEST_F(Histogram, MergedItIsAsIfItHadBeenOne)
{
    std::mt19937_64 random(2);
    hr_bench_histogram parts[3] = {}, merged = {};
    for (int i = 0; i < 3000; i++) {
        uint64_t value = random() >> (24 + random() % 32);
        hr_bench_histogram_add(&histogram_, value);
        hr_bench_histogram_add(&parts[i % 3], value);
    }
    hr_bench_histogram empty = {};
    for (const hr_bench_histogram &part : parts)
        hr_bench_histogram_merge(&merged, &part);
    hr_bench_histogram_merge(&merged, &empty);
    EXPECT_EQ(0, memcmp(&merged, &histogram_, sizeof merged));
}

TEST_F(Histogram, IsHeardAsItWasTold)
{
    char text[4096];
    hr_bench_histogram heard = {};
    add({0, 5, 5, 127, 128, 1000000, UINT64_C(1) << 40});
    hr_bench_histogram_tell(&histogram_, text, sizeof text);
    EXPECT_TRUE(hr_bench_histogram_hear(text, &heard));
    EXPECT_EQ(0, memcmp(&heard, &histogram_, sizeof heard));
}

TEST_F(Histogram, WhatIsNoneIsRefusedAndChangesNothing)
{
    add({7});
    for (const char *text : {"", "1", "1 2 3 4", "1 2 3 4:", "1 2 3 9999:1", "1 2 3 4:5x", "a"}) {
        EXPECT_FALSE(hr_bench_histogram_hear(text, &histogram_)) << text;
        EXPECT_EQ(1u, histogram_.total);
    }
}

} // namespace
