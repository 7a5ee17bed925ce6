// SPDX-License-Identifier: Apache-2.0
// The page of a report: every chart is in it, and nothing of what it was made from can break out.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

extern "C" {
#include "page.h"
}

namespace
{

size_t count(const std::string &text, const std::string &part)
{
    size_t found = 0;
    for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
        found++;
    return found;
}

class Page : public ::testing::Test
{
  protected:
    hr_bench_result &add(const char *path)
    {
        results_.emplace_back();
        hr_bench_result &result = results_.back();
        snprintf(result.path, sizeof result.path, "%s", path);
        return result;
    }
    static hr_bench_result_row &add_row(hr_bench_result &result, const char *name,
                                        std::vector<double> rates)
    {
        hr_bench_result_row &row = result.rows[result.row_count++];
        snprintf(row.name, sizeof row.name, "%s", name);
        snprintf(row.title, sizeof row.title, "%s", name);
        for (double rate : rates)
            hr_bench_sample_add(&row.rates, rate);
        return row;
    }
    std::string write()
    {
        char *text = nullptr;
        size_t len = 0;
        FILE *out = open_memstream(&text, &len);
        hr_bench_page_write(out, results_.data(), (unsigned)results_.size());
        fclose(out);
        std::string page(text, len);
        free(text);
        EXPECT_EQ(count(page, "<svg"), count(page, "</svg>"));
        EXPECT_EQ(count(page, "<table"), count(page, "</table>"));
        for (const char *part : {"nan", "inf", "<script", "http", "@import", "url("})
            EXPECT_EQ(std::string::npos, page.find(part)) << part;
        return page;
    }
    std::vector<hr_bench_result> results_;
};

TEST_F(Page, HasABarForEachContenderOfEachResult)
{
    results_.reserve(2);
    hr_bench_result &before = add("before"), &after = add("after");
    add_row(before, "one", {1, 2, 3});
    add_row(before, "two", {1, 2, 3});
    add_row(before, "failed", {});
    add_row(after, "one", {0.5, 0.5, 0.5});
    std::string page = write();
    EXPECT_EQ(3u, count(page, "class=\"mark s"));
    EXPECT_EQ(1u, count(page, "<h2>Changes"));
    EXPECT_NE(std::string::npos, page.find("-75.0 %"));
}

TEST_F(Page, SaysNothingOfChangesWhereNothingIsCommon)
{
    results_.reserve(2);
    add_row(add("before"), "one", {1, 2, 3});
    add_row(add("after"), "two", {1, 2, 3});
    EXPECT_EQ(0u, count(write(), "<h2>Changes"));
}

TEST_F(Page, HasThreePartsForEachStageAndALineForEachLatency)
{
    hr_bench_result &result = add("result");
    hr_bench_result_row &row = add_row(result, "storage", {1, 1, 1});
    row.has_latency = true;
    for (int i = 0; i < HR_BENCH_PS; i++)
        row.latency_us[i] = i * 100; // nothing took no time, and still it is drawn
    result.wheres[0].stage_count = 2;
    snprintf(result.wheres[0].stages[0].name, sizeof result.wheres[0].stages[0].name, "read");
    result.wheres[0].stages[0].busy = 100;
    snprintf(result.wheres[0].text, sizeof result.wheres[0].text, "bound by read");
    std::string page = write();
    EXPECT_EQ(6u, count(page, "<rect class=\"mark "
                              "b") +
                      count(page, "<rect class=\"mark starved"));
    EXPECT_EQ(1u, count(page, "class=\"mark line"));
    EXPECT_EQ((size_t)HR_BENCH_PS, count(page, "<circle"));
    EXPECT_NE(std::string::npos, page.find("bound by read."));
}

TEST_F(Page, WarnsOfMachinesThatDiffer)
{
    results_.reserve(2);
    snprintf(add("a").fingerprint, 32, "1");
    snprintf(add("b").fingerprint, 32, "1");
    EXPECT_EQ(std::string::npos, write().find("differ:"));
    snprintf(results_[1].fingerprint, 32, "2");
    EXPECT_NE(std::string::npos, write().find("differ:"));
}

TEST_F(Page, NamesAreShownAndNotRun)
{
    hr_bench_result &result = add("<img src=x onerror=alert(1)>");
    add_row(result, "\"><b>&", {1, 1, 1});
    std::string page = write();
    EXPECT_EQ(std::string::npos, page.find("<img"));
    EXPECT_EQ(std::string::npos, page.find("<b>"));
    EXPECT_NE(std::string::npos, page.find("&quot;&gt;&lt;b&gt;&amp;"));
}

TEST_F(Page, HasALineForEachContenderOfASweepInTheOrderOfItsValues)
{
    hr_bench_result &result = add("sweep");
    for (const char *value : {"1", "4", "2"}) {
        for (const char *base : {"loader", "other"}) {
            hr_bench_result_row &row = add_row(result, base, {1});
            snprintf(row.parameter, sizeof row.parameter, "accelerators");
            snprintf(row.value, sizeof row.value, "%s", value);
            snprintf(row.base, sizeof row.base, "%s", base);
            snprintf(row.base_title, sizeof row.base_title, "%s", base);
            row.utilisation = std::string(base) == "loader" ? 0.5 : 0;
        }
    }
    std::string page = write();
    EXPECT_EQ(3u, count(page, "class=\"mark line l")) << "two rates, one utilisation";
    EXPECT_LT(page.find(">2</text>"), page.find(">4</text>"));
    EXPECT_EQ(std::string::npos, page.find("<h2>Rates"));
}

TEST_F(Page, WarnsOfWhatCannotBeAndOfSoftware)
{
    hr_bench_result &result = add("result");
    hr_bench_result_row &row = add_row(result, "wire", {1});
    snprintf(row.impossible, sizeof row.impossible, "faster than <light>");
    snprintf(row.transport, sizeof row.transport, "soft-RoCE");
    std::string page = write();
    EXPECT_EQ(2u, count(page, "class=\"warning\""));
    EXPECT_NE(std::string::npos, page.find("faster than &lt;light&gt;"));
}

} // namespace
