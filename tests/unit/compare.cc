// SPDX-License-Identifier: Apache-2.0
// Results: how they are written and read, and what of a difference is noise.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>
#include <string>

extern "C" {
#include "compare.h"
#include "temp.h"
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

hr_bench_change change(const hr_bench_sample &before, const hr_bench_sample &after)
{
    return hr_bench_compare(&before, &after);
}

TEST(Compare, ASlowerOneBeyondTheNoiseIsSlower)
{
    hr_bench_change of = change(sample({10, 10.1, 9.9, 10, 10}), sample({9, 9.1, 8.9, 9, 9}));
    EXPECT_EQ(HR_BENCH_SLOWER, of.kind);
    EXPECT_NEAR(-0.1, of.part, 1e-9);
    EXPECT_LT(of.noise, 0.1);
    of = change(sample({9, 9.1, 8.9, 9, 9}), sample({10, 10.1, 9.9, 10, 10}));
    EXPECT_EQ(HR_BENCH_FASTER, of.kind);
}

TEST(Compare, TheSameDifferenceBetweenNoisyRoundsIsNone)
{
    hr_bench_change of = change(sample({10, 13, 7, 12, 8}), sample({9, 12, 6, 11, 7}));
    EXPECT_EQ(HR_BENCH_SAME, of.kind);
    EXPECT_GT(of.noise, 0.1);
}

TEST(Compare, OneWildRoundIsNoNoise)
{
    hr_bench_change of = change(sample({10, 10.1, 9.9, 10, 1}), sample({9, 9.1, 8.9, 9, 9}));
    EXPECT_EQ(HR_BENCH_SLOWER, of.kind);
}

TEST(Compare, RoundsThatAreAllAlikeStillLeaveOnePerCent)
{
    hr_bench_change of = change(sample({10, 10, 10}), sample({9.95, 9.95, 9.95}));
    EXPECT_EQ(HR_BENCH_SAME, of.kind);
    EXPECT_EQ(0.01, of.noise);
}

TEST(Compare, TwoRoundsAreTooFewAndSoAreFailedOnes)
{
    EXPECT_EQ(HR_BENCH_TOO_FEW, change(sample({10, 10}), sample({9, 9, 9})).kind);
    EXPECT_EQ(HR_BENCH_TOO_FEW, change(sample({10, 10, 10}), sample({9, NAN, 9})).kind);
    EXPECT_EQ(HR_BENCH_TOO_FEW, change(sample({}), sample({9, 9, 9})).kind);
    EXPECT_EQ(HR_BENCH_TOO_FEW, change(sample({0, 0, 0}), sample({9, 9, 9})).kind);
}

const char whole[] = R"({"type": "bench", "schema": 1, "verb": "storage", "version": "0.1.0",
 "command": "headrace-bench storage", "machine": {"cpu": "A", "fingerprint": "12"},
 "where": {"bound": "read", "text": "bound by read", "stages": [
   {"stage": "read", "busy_percent": 90.5, "starved_percent": 9, "blocked_percent": 0.5,
    "full_percent": 80}]},
 "contenders": [
   {"name": "fio_read", "title": "fio", "rounds": []},
   {"name": "storage_read", "title": "storage, reading", "rounds": [1.5, null, 2],
    "latency_us": {"p50": 1, "p90": 2, "p99": 3.5, "p99_9": 4, "p99_99": 5}}]})";

class Result : public ::testing::Test
{
  protected:
    Result()
    {
        char path[HR_TEMP_PATH_MAX] = "";
        EXPECT_EQ(HR_OK, hr_temp_make(path));
        folder_ = path;
        file_ = folder_ + "/result.json";
    }
    ~Result() override
    {
        EXPECT_EQ(HR_OK, hr_temp_remove(folder_.c_str()));
    }
    hr_status read(const std::string &text)
    {
        std::ofstream(file_) << text;
        return hr_bench_result_read(file_.c_str(), &result_, &error_);
    }
    void expect_refused(const std::string &text, const std::string &part)
    {
        error_ = {};
        EXPECT_EQ(HR_INVALID, read(text)) << text;
        EXPECT_NE(std::string::npos, std::string(error_.text).find(part)) << error_.text;
        EXPECT_NE(std::string::npos, std::string(error_.text).find(file_)) << error_.text;
        EXPECT_EQ(0u, result_.row_count) << "set only on success";
    }
    std::string with(const std::string &old_part, const std::string &new_part)
    {
        std::string text = whole;
        EXPECT_NE(std::string::npos, text.find(old_part));
        return text.replace(text.find(old_part), old_part.size(), new_part);
    }

    std::string folder_, file_;
    hr_bench_result result_ = {};
    hr_error error_ = {};
};

TEST_F(Result, IsReadAsItWasWritten)
{
    ASSERT_EQ(HR_OK, read(whole)) << error_.text;
    EXPECT_EQ(2u, result_.row_count);
    const hr_bench_result_row *row = hr_bench_result_find(&result_, "storage_read");
    ASSERT_NE(nullptr, row);
    EXPECT_EQ(nullptr, hr_bench_result_find(&result_, "storage"));
    EXPECT_EQ(3u, row->rates.count);
    EXPECT_TRUE(std::isnan(row->rates.values[1])) << "a round that failed";
    EXPECT_TRUE(row->has_latency);
    EXPECT_EQ(3.5, row->latency_us[HR_BENCH_P99]);
    EXPECT_FALSE(result_.rows[0].has_latency);
    EXPECT_STREQ("12", result_.fingerprint);
    ASSERT_EQ(1u, result_.wheres[0].stage_count);
    EXPECT_EQ(90.5, result_.wheres[0].stages[0].busy);
    EXPECT_STREQ("bound by read", result_.wheres[0].text);
}

TEST_F(Result, WhatIsNoResultIsRefusedInASentence)
{
    std::string text = whole;
    expect_refused("", "cut short");
    expect_refused(text.substr(0, text.size() / 2), "cut short");
    expect_refused("{}", "no result");
    expect_refused("[1]", "no result");
    expect_refused(with("\"schema\": 1", "\"schema\": 2"), "another version");
    expect_refused(with("[1.5, null, 2]", "[1.5, \"fast\"]"), "rounds");
    expect_refused(with("[1.5, null, 2]", "[-1]"), "rounds");
    expect_refused(with("\"name\": \"fio_read\", ", ""), "name");
    std::string many = "1";
    for (int i = 0; i < HR_BENCH_ROUNDS_MAX; i++)
        many += ",1";
    expect_refused(with("[1.5, null, 2]", "[" + many + "]"), "rounds");
}

TEST_F(Result, IsSavedWholeOrNotAtAll)
{
    ASSERT_EQ(HR_OK, hr_bench_save(file_.c_str(), "first", 5, &error_));
    ASSERT_EQ(HR_OK, hr_bench_save(file_.c_str(), "second", 6, &error_));
    std::ostringstream text;
    text << std::ifstream(file_).rdbuf();
    EXPECT_EQ("second", text.str());
    EXPECT_EQ(1, hr_temp_count(folder_.c_str(), ""));
    EXPECT_EQ(HR_NOT_FOUND, hr_bench_save((folder_ + "/none/result").c_str(), "third", 5, &error_));
    EXPECT_NE(std::string::npos, std::string(error_.text).find("none/result"));
}

} // namespace
