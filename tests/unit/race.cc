// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>

extern "C" {
#include "bench_report.h"
}

namespace
{

struct Race : testing::Test {
    hr_bench_race race = {};
    const hr_bench_goal goal = {
        HR_BENCH_DISK_TO_HOST, {HR_BENCH_FIO_READ, HR_BENCH_WIRE_CUBIC_DIGESTS}, 0.95};

    void add(int contender, std::initializer_list<double> rates)
    {
        for (double rate : rates)
            hr_bench_sample_add(&race.lanes[contender].rates, rate);
    }
};

TEST_F(Race, ATargetIsMetByTheMedianOfTheRatios)
{
    add(HR_BENCH_DISK_TO_HOST, {0.96, 0.90, 1.00});
    add(HR_BENCH_FIO_READ, {1, 1, 1});
    add(HR_BENCH_WIRE_CUBIC_DIGESTS, {4, 4, 4});
    hr_bench_verdict verdict = hr_bench_race_judge(&race, &goal);
    EXPECT_DOUBLE_EQ(verdict.ratio.median, 0.96);
    EXPECT_TRUE(verdict.met);
}

TEST_F(Race, ATargetIsMissedBelowIt)
{
    add(HR_BENCH_DISK_TO_HOST, {0.94, 0.90, 1.00});
    add(HR_BENCH_FIO_READ, {1, 1, 1});
    add(HR_BENCH_WIRE_CUBIC_DIGESTS, {4, 4, 4});
    EXPECT_FALSE(hr_bench_race_judge(&race, &goal).met);
}

TEST_F(Race, OfTwoPeersTheLowerCountsInEachRound)
{
    add(HR_BENCH_DISK_TO_HOST, {1, 1, 1});
    add(HR_BENCH_FIO_READ, {1, 2, 4});
    add(HR_BENCH_WIRE_CUBIC_DIGESTS, {4, 2, 1});
    hr_bench_verdict verdict = hr_bench_race_judge(&race, &goal);
    EXPECT_DOUBLE_EQ(verdict.ratio.max, 1);
    EXPECT_DOUBLE_EQ(verdict.ratio.min, 0.5);
}

TEST_F(Race, WithoutThePeerNothingIsMet)
{
    add(HR_BENCH_DISK_TO_HOST, {9, 9, 9});
    add(HR_BENCH_WIRE_CUBIC_DIGESTS, {1, 1, 1});
    race.lanes[HR_BENCH_FIO_READ].missing = true;
    hr_bench_verdict verdict = hr_bench_race_judge(&race, &goal);
    EXPECT_EQ(verdict.ratio.count, 0u);
    EXPECT_FALSE(verdict.met);
}

TEST_F(Race, OnlyWhatWasMeasuredCanBeMissed)
{
    hr_bench_report report = {};
    report.races = &race;
    report.race_count = 1;
    EXPECT_FALSE(hr_bench_report_misses(&report));
    for (unsigned i = 0; i < 3; i++) {
        hr_bench_sample_add(&race.lanes[HR_BENCH_DISK_TO_FILE].rates, 0.5);
        hr_bench_sample_add(&race.lanes[HR_BENCH_FIO_COPY].rates, 1.0);
    }
    EXPECT_TRUE(hr_bench_report_misses(&report));
}

TEST_F(Race, AllRowsHaveNamesOfTheirOwnAndSomethingToRun)
{
    std::set<std::string> names;
    for (const hr_bench_contender &contender : hr_bench_contenders) {
        ASSERT_NE(contender.name, nullptr);
        EXPECT_TRUE(names.insert(contender.name).second) << contender.name;
        EXPECT_NE(contender.run, nullptr) << contender.name;
        EXPECT_NE(contender.verbs, 0u) << contender.name;
    }
}

TEST_F(Race, EveryTargetIsJudgedBySomeVerb)
{
    for (unsigned i = 0; i < hr_bench_goal_count; i++) {
        bool asked = false;
        for (race.verb = 0; race.verb < HR_BENCH_VERBS; race.verb++)
            asked = asked || hr_bench_race_asks(&race, &hr_bench_goals[i]);
        EXPECT_TRUE(asked) << "row " << i;
    }
}

TEST_F(Race, WhoeverIsComparedTakesTurnsInGoingFirst)
{
    int there[HR_BENCH_CONTENDERS], back[HR_BENCH_CONTENDERS];
    hr_bench_race_order(0, there);
    hr_bench_race_order(1, back);
    std::map<int, int> first, second;
    for (int i = 0; i < HR_BENCH_CONTENDERS; i++) {
        first[there[i]] = i;
        second[back[i]] = i;
    }
    EXPECT_EQ(first.size(), (size_t)HR_BENCH_CONTENDERS) << "all of them";
    EXPECT_EQ(second.size(), (size_t)HR_BENCH_CONTENDERS);
    for (unsigned i = 0; i < hr_bench_goal_count; i++) {
        const hr_bench_goal &pair = hr_bench_goals[i];
        if (pair.peers[0] != pair.peers[1])
            continue;
        EXPECT_NE(first[pair.ours] < first[pair.peers[0]],
                  second[pair.ours] < second[pair.peers[0]])
            << hr_bench_contenders[pair.ours].name;
        EXPECT_LE(abs(first[pair.ours] - first[pair.peers[0]]), 3)
            << "nothing else comes between them";
    }
    // Whatever the writers leave behind, readers come first after it in turn.
    EXPECT_LT(second[HR_BENCH_DISK], second[HR_BENCH_FIO_WRITE]);
}

// A drive's link of 4 GB/s, a line of 3.
TEST_F(Race, WhatNoHardwareCanDoIsImpossible)
{
    hr_bench_field field = {};
    char text[160] = "";
    auto judge = [&](int contender, double rate) {
        return hr_bench_race_is_impossible(&hr_bench_contenders[contender], &field, rate, text);
    };
    EXPECT_FALSE(judge(HR_BENCH_DISK, 1000)) << "nobody knows what it can";
    field.counters.disk_gb_per_second = 4;
    snprintf(field.line.name, sizeof field.line.name, "eth7");
    field.line.gb_per_second = 3;
    EXPECT_FALSE(judge(HR_BENCH_DISK, 4)) << "it crosses no line";
    EXPECT_TRUE(judge(HR_BENCH_DISK, 4.2));
    EXPECT_NE(std::string(text).find("PCIe"), std::string::npos) << text;
    EXPECT_FALSE(judge(HR_BENCH_WIRE_ASKED, 3.05)) << "clocks and framing";
    EXPECT_TRUE(judge(HR_BENCH_WIRE_ASKED, 3.2));
    EXPECT_NE(std::string(text).find("the line of eth7 carries 3.00"), std::string::npos) << text;
}

TEST_F(Race, AVerbJudgesNothingThatItDoesNotMeasure)
{
    race.verb = HR_BENCH_STORAGE;
    EXPECT_FALSE(hr_bench_race_asks(&race, &goal));
    race.verb = HR_BENCH_TRANSFER;
    EXPECT_TRUE(hr_bench_race_asks(&race, &goal));
}

} // namespace
