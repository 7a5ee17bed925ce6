// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <vector>

extern "C" {
#include "permits.h"
}

namespace
{

class Rules : public testing::Test
{
  protected:
    hr_status parse(const std::string &text)
    {
        error_ = {};
        rules_.list = list_.data();
        return hr_permits_parse(text.c_str(), list_.data(), &rules_.count, &error_);
    }
    bool may_read(const char *who, const char *what)
    {
        return hr_permits_allow(&rules_, who, what, HR_PERMIT_READ);
    }
    bool may_list(const char *who, const char *what)
    {
        return hr_permits_allow(&rules_, who, what, HR_PERMIT_LIST);
    }
    std::vector<hr_permit> list_ = std::vector<hr_permit>(HR_PERMITS_MAX);
    hr_permits rules_ = {};
    hr_error error_ = {};
};

TEST_F(Rules, WithoutAnyEverybodyMayReadAll)
{
    EXPECT_TRUE(may_read("key:00112233445566ff", "data"));
}

TEST_F(Rules, AnEmptyFileLetsNobodyIn)
{
    ASSERT_EQ(HR_OK, parse("# nobody yet\n\n"));
    EXPECT_FALSE(may_list("key:00112233445566ff", "data"));
}

TEST_F(Rules, WhatNoRuleAllowsIsRefused)
{
    ASSERT_EQ(HR_OK, parse("allow key:00112233445566ff read data\n"
                           "allow cert:node1.lab list data # only names\n"
                           "allow cert:*.gpu read *\r\n"));
    EXPECT_TRUE(may_read("key:00112233445566ff", "data"));
    EXPECT_TRUE(may_list("key:00112233445566ff", "data"));
    EXPECT_FALSE(may_read("key:00112233445566ff", "data2"));
    EXPECT_FALSE(may_read("key:00112233445566fe", "data"));
    EXPECT_TRUE(may_list("cert:node1.lab", "data"));
    EXPECT_FALSE(may_read("cert:node1.lab", "data"));
    EXPECT_TRUE(may_read("cert:a.gpu", "anything"));
    EXPECT_FALSE(may_read("cert:a.b.gpu", "anything")) << "the star is one label";
    EXPECT_FALSE(may_read("cert:.gpu", "anything"));
    EXPECT_FALSE(may_read("cert:gpu", "anything"));
    EXPECT_FALSE(may_read("key:a.gpu", "anything"));
    EXPECT_FALSE(may_read("anyone", "data")) << "who is not known is not anyone with a rule";
}

TEST_F(Rules, AnyoneIsWhoeverIsLetIn)
{
    ASSERT_EQ(HR_OK, parse("allow anyone list public\n"));
    EXPECT_TRUE(may_list("key:00112233445566ff", "public"));
    EXPECT_FALSE(may_read("key:00112233445566ff", "public"));
}

TEST_F(Rules, TheLowestLimitCounts)
{
    ASSERT_EQ(HR_OK, parse("limit anyone sessions 8\nlimit cert:a.lab sessions 2\n"
                           "limit cert:a.lab transfers 3\n"));
    EXPECT_EQ(2u, hr_permits_most(&rules_, "cert:a.lab", HR_PERMIT_SESSIONS, 100));
    EXPECT_EQ(8u, hr_permits_most(&rules_, "cert:b.lab", HR_PERMIT_SESSIONS, 100));
    EXPECT_EQ(3u, hr_permits_most(&rules_, "cert:a.lab", HR_PERMIT_TRANSFERS, 100));
    EXPECT_EQ(100u, hr_permits_most(&rules_, "cert:b.lab", HR_PERMIT_TRANSFERS, 100));
}

TEST_F(Rules, ATypoIsNamedByItsLine)
{
    const char *const wrong[] = {
        "alow anyone read data",      "allow anyone raed data",
        "allow anyone read",          "allow anyone read data too",
        "allow key:123 read data",    "allow key:00112233445566FF read data",
        "allow cert: read data",      "allow cert:*x read data",
        "allow cert:a.*.b read data", "allow cert:* read data",
        "allow everyone read data",   "allow uid:-1 read data",
        "allow uid:01 read data",     "allow uid:root read data",
        "limit anyone rate fast",     "limit anyone rate 10",
        "limit anyone share 76",      "limit anyone message 1M",
        "limit anyone sessions 0",    "limit anyone sessions -1",
        "limit anyone sessions 1x",   "limit anyone sessions 99999999",
        "limit anyone memory 5",      "limit anyone read data",
    };
    for (const char *line : wrong) {
        EXPECT_EQ(HR_INVALID, parse(std::string("# one\n\n") + line)) << line;
        EXPECT_EQ(0, strncmp(error_.text, "line 3 ", 7)) << error_.text;
    }
    EXPECT_EQ(HR_INVALID, parse("allow anyone read " + std::string(256, 'x')));
    EXPECT_EQ(HR_INVALID, parse("allow cert:" + std::string(300, 'x') + " read data"));
}

} // namespace
