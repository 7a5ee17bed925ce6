// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <initializer_list>

extern "C" {
#include "sample.h"
}

namespace
{

hr_bench_sample sample(std::initializer_list<double> values)
{
    hr_bench_sample made = {};
    for (double value : values)
        hr_bench_sample_add(&made, value);
    return made;
}

hr_bench_spread spread(std::initializer_list<double> values)
{
    hr_bench_sample of = sample(values);
    return hr_bench_sample_spread(&of);
}

TEST(Sample, MedianIsTheMiddleOfAnOddCount)
{
    hr_bench_spread of = spread({5, 1, 4, 2, 3});
    EXPECT_EQ(of.median, 3);
    EXPECT_EQ(of.min, 1);
    EXPECT_EQ(of.max, 5);
    EXPECT_EQ(of.count, 5u);
}

TEST(Sample, MedianOfAnEvenCountLiesBetweenTheTwoInTheMiddle)
{
    EXPECT_EQ(spread({4, 1, 3, 2}).median, 2.5);
}

TEST(Sample, OneOutlierDoesNotMoveTheMedian)
{
    EXPECT_EQ(spread({3, 3, 3, 3, 1000}).median, 3);
}

TEST(Sample, OneNumberIsItsOwnMedian)
{
    hr_bench_spread of = spread({7});
    EXPECT_EQ(of.median, 7);
    EXPECT_EQ(of.min, 7);
    EXPECT_EQ(of.max, 7);
}

TEST(Sample, RoundsThatFailedCountNowhere)
{
    hr_bench_spread of = spread({NAN, 2, NAN, 1, 3});
    EXPECT_EQ(of.count, 3u);
    EXPECT_EQ(of.median, 2);
    EXPECT_EQ(of.min, 1);
}

TEST(Sample, NothingMeasuredHasNoSpread)
{
    EXPECT_EQ(spread({}).count, 0u);
    EXPECT_EQ(spread({NAN, NAN}).count, 0u);
}

TEST(Sample, RatiosAreTakenWithinTheRound)
{
    // The machine halves its speed in the second round for both: the ratio does not show it.
    hr_bench_sample ours = sample({4, 2, 4}), peer = sample({2, 1, 4});
    hr_bench_sample ratio = hr_bench_sample_ratio(&ours, &peer);
    ASSERT_EQ(ratio.count, 3u);
    EXPECT_EQ(ratio.values[0], 2);
    EXPECT_EQ(ratio.values[1], 2);
    EXPECT_EQ(ratio.values[2], 1);
}

TEST(Sample, ARoundThatOneOfThemLacksHasNoRatio)
{
    hr_bench_sample ours = sample({NAN, 2, 2, 2}), peer = sample({2, NAN, 0});
    hr_bench_sample ratio = hr_bench_sample_ratio(&ours, &peer);
    ASSERT_EQ(ratio.count, 3u);
    for (unsigned i = 0; i < 3; i++)
        EXPECT_TRUE(std::isnan(ratio.values[i])) << "round " << i;
}

TEST(Sample, TheLowerOfTwoIsTakenWithinTheRound)
{
    hr_bench_sample a = sample({1, 4, NAN}), b = sample({2, 3, 1});
    hr_bench_sample lower = hr_bench_sample_lower(&a, &b);
    ASSERT_EQ(lower.count, 3u);
    EXPECT_EQ(lower.values[0], 1);
    EXPECT_EQ(lower.values[1], 3);
    EXPECT_TRUE(std::isnan(lower.values[2]));
}

TEST(Sample, DriftIsWhatSetsTheHalvesOfTheRoundsApart)
{
    hr_bench_sample falling = sample({10, 11, 10, 8, 8, 9}), mixed = sample({10, 8, 11, 9, 10, 8});
    hr_bench_sample few = sample({10, 10, 8, 8}), failed = sample({10, 10, 10, NAN, 8, 8});
    EXPECT_NEAR(-0.2, hr_bench_sample_drift(&falling), 1e-9);
    EXPECT_EQ(0, hr_bench_sample_drift(&mixed)) << "chance makes as much";
    EXPECT_EQ(0, hr_bench_sample_drift(&few));
    EXPECT_EQ(0, hr_bench_sample_drift(&failed));
}

// 1 and 2 heads of 9 tosses: 2 * (1 + 9) / 512 is 4 per cent, with the next ones more than 5.
TEST(Sample, TheIntervalOfNineLeavesOneOutAtEachEnd)
{
    hr_bench_sample sample = {};
    for (double value : {9, 1, 8, 2, 7, 3, 6, 4, 5})
        hr_bench_sample_add(&sample, value);
    hr_bench_spread spread = hr_bench_sample_spread(&sample);
    EXPECT_EQ(spread.low, 2);
    EXPECT_EQ(spread.high, 8);
    sample.count = 5; // too few: from the least to the most
    spread = hr_bench_sample_spread(&sample);
    EXPECT_EQ(spread.low, 1);
    EXPECT_EQ(spread.high, 9);
}

} // namespace
