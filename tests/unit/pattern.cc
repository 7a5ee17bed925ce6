// SPDX-License-Identifier: Apache-2.0
// Patterns mean what rsync's manual says they do.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

extern "C" {
#include "pattern.h"
}

namespace
{

struct Case {
    const char *pattern, *path;
    bool is_dir, matches;
};

constexpr bool FILE_ = false, DIR_ = true, YES = true, NO = false;

TEST(Pattern, MatchesAsTheManualOfRsyncSays)
{
    const Case cases[] = {
        // A name without a slash is the last one of a path, wherever it is.
        {"foo", "foo", FILE_, YES},
        {"foo", "a/b/foo", FILE_, YES},
        {"foo", "foo", DIR_, YES},
        {"foo", "foobar", FILE_, NO},
        {"foo", "foo/bar", FILE_, NO},
        {"*.o", "sub/x.o", FILE_, YES},
        {"*.o", "x.o.c", FILE_, NO},
        // A slash at the start ties it to the top.
        {"/foo", "foo", FILE_, YES},
        {"/foo", "a/foo", FILE_, NO},
        {"/foo/*/bar", "foo/x/bar", FILE_, YES},
        {"/foo/*/bar", "foo/x/y/bar", FILE_, NO},
        {"/foo/**/bar", "foo/x/y/bar", FILE_, YES},
        {"/foo/**/bar", "foo/bar", FILE_, NO},
        // A slash at the end means directories.
        {"foo/", "foo", DIR_, YES},
        {"foo/", "foo", FILE_, NO},
        {"*/", "a/b", DIR_, YES},
        {"*/", "a/b", FILE_, NO},
        // With a slash inside it is the end of the path.
        {"foo/bar", "foo/bar", FILE_, YES},
        {"foo/bar", "a/foo/bar", FILE_, YES},
        {"foo/bar", "afoo/bar", FILE_, NO},
        {"sub/f*", "x/sub/foo", FILE_, YES},
        {"sub/f*", "x/sub/y/foo", FILE_, NO},
        // Stars.
        {"*", "anything", FILE_, YES},
        {"a*c", "abbbc", FILE_, YES},
        {"a*c", "ab", FILE_, NO},
        {"a**c", "a/b/c", FILE_, YES},
        {"**/foo", "foo", FILE_, YES},
        {"**/foo", "a/b/foo", FILE_, YES},
        {"**foo", "a/b/xfoo", FILE_, YES},
        {"foo/**", "foo/a", FILE_, YES},
        {"foo/**", "x/foo/a/b", FILE_, YES},
        {"foo/**", "foo", DIR_, NO},
        {"foo/***", "foo", DIR_, YES},
        {"foo/***", "foo", FILE_, NO},
        {"foo/***", "foo/a/b", FILE_, YES},
        {"foo/***", "x/foo", DIR_, YES},
        {"/foo/***", "x/foo", DIR_, NO},
        {"**/", "a", DIR_, YES},
        {"**/", "a/b", DIR_, YES},
        {"**/", "a/b", FILE_, NO},
        {"***/foo", "foo", FILE_, YES},
        {"***/foo", "a/foo", FILE_, YES},
        {"foo/****", "foo", DIR_, YES},
        {"foo/****", "foo", FILE_, NO},
        // One byte, sets.
        {"f?o", "fxo", FILE_, YES},
        {"f?o", "f/o", FILE_, NO},
        {"f[abc]o", "fbo", FILE_, YES},
        {"f[a-c]o", "fdo", FILE_, NO},
        {"f[!a-c]o", "fdo", FILE_, YES},
        {"f[^a-c]o", "fbo", FILE_, NO},
        {"f[]]o", "f]o", FILE_, YES},
        {"f[a-]o", "f-o", FILE_, YES},
        {"f[\\]x]o", "f]o", FILE_, YES},
        {"[[:digit:]]*", "7up", FILE_, YES},
        {"[[:digit:]]*", "up7", FILE_, NO},
        {"x[!a]y", "x/y", FILE_, NO},
        // A backslash takes the meaning from what follows, but only beside a wildcard.
        {"\\*x", "*x", FILE_, YES},
        {"\\*x", "ax", FILE_, NO},
        {"a\\b", "a\\b", FILE_, YES},
        {"a\\b*", "ab", FILE_, YES},
        // Names are bytes.
        {"\xff*", "\xff\x01", FILE_, YES},
    };
    for (const Case &one : cases)
        EXPECT_EQ(one.matches, hr_pattern_matches(one.pattern, one.path, one.is_dir))
            << one.pattern << " on " << one.path << (one.is_dir ? "/" : "");
}

TEST(Pattern, TheFirstRuleThatMatchesDecides)
{
    const hr_rule rules[] = {
        {true, "*/"}, {true, "keep.*"}, {false, "secret*"}, {true, "*.c"}, {false, "*"}};
    const size_t count = sizeof rules / sizeof rules[0];
    EXPECT_FALSE(hr_rules_exclude(rules, count, "some/dir", true));
    EXPECT_FALSE(hr_rules_exclude(rules, count, "a/keep.o", false));
    EXPECT_TRUE(hr_rules_exclude(rules, count, "secret.c", false));
    EXPECT_FALSE(hr_rules_exclude(rules, count, "other.c", false));
    EXPECT_TRUE(hr_rules_exclude(rules, count, "other.h", false));
    EXPECT_FALSE(hr_rules_exclude(rules, 0, "anything", false));
}

TEST(Pattern, ManyStarsAreNotSlow)
{
    std::string pattern, path(4000, 'a');
    for (int i = 0; i < 200; i++)
        pattern += "a*";
    EXPECT_TRUE(hr_pattern_matches(pattern.c_str(), path.c_str(), false));
    EXPECT_FALSE(hr_pattern_matches((pattern + "b").c_str(), path.c_str(), false));
}

// From each of these directories on it would take hours.
TEST(Pattern, DeepPathsAreNotSlow)
{
    std::string pattern = "x", path;
    for (int i = 0; i < 200; i++)
        pattern += "/**";
    for (int i = 0; i < 16000; i++)
        path += "x/";
    EXPECT_TRUE(hr_pattern_matches((pattern + "/y").c_str(), (path + "y").c_str(), false));
    EXPECT_FALSE(hr_pattern_matches((pattern + "/z").c_str(), (path + "y").c_str(), false));
}

TEST(Pattern, WhatCanBeNoneIsRefused)
{
    hr_error error = {};
    const std::string longest(HR_PATTERN_MAX, '*');
    EXPECT_EQ(HR_OK, hr_pattern_check("a[b-c]*\\[", &error));
    EXPECT_EQ(HR_OK, hr_pattern_check(longest.c_str(), &error));
    EXPECT_TRUE(hr_pattern_matches(longest.c_str(), "a/b", false));
    EXPECT_EQ(HR_INVALID, hr_pattern_check("", &error));
    EXPECT_EQ(HR_INVALID, hr_pattern_check((longest + "x").c_str(), &error));
    error = {};
    EXPECT_EQ(HR_INVALID, hr_pattern_check("a[bc", &error));
    EXPECT_NE(nullptr, strstr(error.text, "never closed")) << error.text;
}

} // namespace
