// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

extern "C" {
#include "output.h"
}

namespace
{

std::string object_with(const std::string &name)
{
    json_t *object = json_object();
    hr_cli_json_name(object, "name", name.data(), name.size());
    char *text = json_dumps(object, JSON_COMPACT);
    std::string copy(text);
    free(text);
    // What was written must be read as the same by a strict reader.
    json_t *again = json_loads(copy.c_str(), JSON_REJECT_DUPLICATES, nullptr);
    EXPECT_TRUE(json_equal(object, again)) << copy;
    json_decref(again);
    json_decref(object);
    return copy;
}

TEST(JsonName, LeavesUtf8AsItIs)
{
    EXPECT_EQ(object_with(""), R"({"name":""})");
    EXPECT_EQ(object_with("a \"b\"\n\\"), R"({"name":"a \"b\"\n\\"})");
    EXPECT_EQ(object_with("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8C\x8A"),
              "{\"name\":\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x8C\x8A\"}");
    EXPECT_EQ(object_with("\x01\x7F"), "{\"name\":\"\\u0001\x7F\"}");
}

TEST(JsonName, AddsTheExactBytesOfWhatIsNot)
{
    EXPECT_EQ(object_with("a\xFFz"), "{\"name\":\"a\xEF\xBF\xBDz\",\"name_hex\":\"61ff7a\"}");
    EXPECT_EQ(object_with("\xC3"), "{\"name\":\"\xEF\xBF\xBD\",\"name_hex\":\"c3\"}");
}

TEST(JsonName, KnowsWhatIsNoUtf8)
{
    const char *const cases[] = {
        "\x80",             // a continuation alone
        "\xC0\xAF",         // overlong
        "\xE0\x80\x80",     // overlong
        "\xF0\x80\x80\x80", // overlong
        "\xED\xA0\x80",     // a surrogate
        "\xF4\x90\x80\x80", // beyond U+10FFFF
        "\xF5\x80\x80\x80", // no such start
        "\xE2\x82",         // cut off
    };
    for (const char *bytes : cases)
        EXPECT_NE(object_with(bytes).find("name_hex"), std::string::npos) << bytes;
}

} // namespace
