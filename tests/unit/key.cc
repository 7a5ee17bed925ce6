// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <vector>

extern "C" {
#include "key.h"
}

namespace
{

const std::string LINE = "headrace-key-1 00112233445566ff " + std::string(64, '7') + "\n";

hr_status parse(const std::string &text, size_t *count, hr_error *error)
{
    std::vector<hr_key> list(HR_KEYS_MAX);
    *error = {};
    return hr_keys_parse(text.c_str(), list.data(), count, error);
}

TEST(Key, ComesBackFromItsLine)
{
    hr_key key, back[HR_KEYS_MAX];
    char line[HR_KEY_LINE_MAX];
    size_t count = 0;
    hr_error error = {};
    hr_key_make(hr_env_system(), &key);
    hr_key_print(&key, line);
    ASSERT_EQ(HR_OK, hr_keys_parse(line, back, &count, &error)) << error.text;
    ASSERT_EQ(1u, count);
    EXPECT_STREQ(key.id, back[0].id);
    EXPECT_EQ(0, memcmp(key.secret, back[0].secret, sizeof key.secret));
}

TEST(Key, OneIsNotAnother)
{
    hr_key a, b;
    hr_key_make(hr_env_system(), &a);
    hr_key_make(hr_env_system(), &b);
    EXPECT_STRNE(a.id, b.id);
    EXPECT_NE(0, memcmp(a.secret, b.secret, sizeof a.secret));
}

TEST(Key, CommentsAndBlankLinesArePassedOver)
{
    size_t count = 0;
    hr_error error;
    EXPECT_EQ(HR_OK, parse("# mine\n\n" + LINE, &count, &error)) << error.text;
    EXPECT_EQ(1u, count);
}

TEST(Key, WhatIsNoneIsNamedByItsLineAndNotShown)
{
    const std::string texts[] = {
        "",
        "# nothing\n",
        LINE.substr(0, LINE.size() - 2), // cut short
        "headrace-key-2 00112233445566ff " + std::string(64, '7'),
        "headrace-key-1 00112233445566fg " + std::string(64, '7'),
        "headrace-key-1 00112233445566ff " + std::string(63, '7') + "G",
        LINE + LINE, // the same id twice
        LINE + "secret",
    };
    for (const std::string &text : texts) {
        size_t count = 0;
        hr_error error;
        EXPECT_EQ(HR_INVALID, parse(text, &count, &error)) << text;
        EXPECT_EQ(std::string::npos, std::string(error.text).find("777")) << error.text;
        EXPECT_EQ(std::string::npos, std::string(error.text).find("secret")) << error.text;
        EXPECT_EQ(0u, count);
    }
}

TEST(Key, IsFoundByItsWholeId)
{
    hr_key one = {"00112233445566ff", {}};
    hr_keys keys = {&one, 1};
    EXPECT_EQ(&one, hr_keys_find(&keys, "00112233445566ff", 16));
    EXPECT_EQ(nullptr, hr_keys_find(&keys, "00112233445566ff", 15));
    EXPECT_EQ(nullptr, hr_keys_find(&keys, "00112233445566fe", 16));
}

} // namespace
