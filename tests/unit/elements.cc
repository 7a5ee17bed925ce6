// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>
#include <string>

extern "C" {
#include "elements.h"
}

namespace
{

class Elements : public testing::Test
{
  protected:
    hr_elements elements_ = {};

    void TearDown() override
    {
        hr_elements_fini(&elements_, hr_env_system());
    }
    void read(const std::string &head, uint64_t file_len)
    {
        hr_elements_fini(&elements_, hr_env_system());
        ASSERT_EQ(HR_OK, hr_elements_read(&elements_, hr_env_system(),
                                          reinterpret_cast<const uint8_t *>(head.data()),
                                          head.size(), file_len));
    }
    hr_element at(uint64_t offset, size_t len) const
    {
        return hr_elements_at(&elements_, offset, len);
    }
    static std::string safetensors(const std::string &json)
    {
        std::string head(8, '\0');
        for (int i = 0; i < 8; i++)
            head[i] = static_cast<char>(json.size() >> 8 * i);
        return head + json;
    }
    static std::string npy(const std::string &descr, char version = 1)
    {
        const std::string text =
            "{'descr': " + descr + ", 'fortran_order': False, 'shape': (3,), }\n";
        std::string head("\x93NUMPY\x01\x00", 8);
        head[6] = version;
        for (int i = 0; i < (version == 1 ? 2 : 4); i++)
            head += static_cast<char>(text.size() >> 8 * i);
        return head + text;
    }
};

const char table[] = R"({"__metadata__":{"format":"pt"},)"
                     R"("c":{"dtype":"I64","shape":[8],"data_offsets":[2000,2064]},)"
                     R"("a":{"dtype":"BF16","shape":[500],"data_offsets":[0,1000]},)"
                     R"("none":{"dtype":"F32","shape":[0],"data_offsets":[1000,1000]},)"
                     R"("b":{"dtype":"F32","shape":[250],"data_offsets":[1000,2000]},)"
                     R"("d":{"dtype":"BF16","shape":[18],"data_offsets":[2064,2100]}}   )";

TEST_F(Elements, OfTensorsAreThoseThatMostOfAPieceHolds)
{
    const std::string head = safetensors(table);
    const uint64_t data = head.size();
    read(head + "data", data + 2100);
    EXPECT_STREQ("safetensors", elements_.header);
    EXPECT_EQ(4u, elements_.count);
    EXPECT_EQ(HR_ELEMENT_OTHER, at(0, data)) << "the header itself";
    EXPECT_EQ(HR_ELEMENT_BF16, at(0, data + 1));
    EXPECT_EQ(HR_ELEMENT_BF16, at(data, 1000));
    EXPECT_EQ(HR_ELEMENT_FP32, at(data + 1000, 1000));
    EXPECT_EQ(HR_ELEMENT_FP32, at(data + 499, 1100));
    EXPECT_EQ(HR_ELEMENT_BF16, at(data + 100, 1700));
    EXPECT_EQ(HR_ELEMENT_OTHER, at(data + 2000, 64));
    EXPECT_EQ(HR_ELEMENT_BF16, at(data + 2000, 100)) << "of what codecs know";
    EXPECT_EQ(HR_ELEMENT_BF16, at(0, data + 2100));
    EXPECT_EQ(HR_ELEMENT_OTHER, at(data + 2100, 100)) << "behind all of it";
}

TEST_F(Elements, TensorsThatTouchAreOneRun)
{
    std::string json = "{";
    for (int i = 0; i < 1000; i++)
        json += (i > 0 ? ",\"" : "\"") + std::to_string(i) +
                R"(":{"dtype":"BF16","shape":[2],"data_offsets":[)" + std::to_string(4 * i) + ',' +
                std::to_string(4 * i + 4) + "]}";
    read(safetensors(json + '}'), 1 << 20);
    EXPECT_EQ(1u, elements_.count);
}

// It is a hint: whatever is wrong with it, the file is one of which nothing is said.
TEST_F(Elements, HeaderThatLiesIsNone)
{
    const std::string bad[] = {
        R"({"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,9999999999]}})",
        R"({"a":{"dtype":"BF16","shape":[1],"data_offsets":[-1,2]}})",
        R"({"a":{"dtype":"BF16","shape":[1],"data_offsets":[4,2]}})",
        R"({"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,18446744073709551616]}})",
        R"({"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2,4]}})",
        R"({"a":{"dtype":"BF16","shape":[1],"data_offsets":[0]}})",
        R"({"a":{"dtype":7,"shape":[1],"data_offsets":[0,2]}})",
        R"({"a":{"shape":[1],"data_offsets":[0,2]}})",
        R"({"a":{"dtype":"BF16","data_offsets":[0,3]},"b":{"dtype":"F32","data_offsets":[2,6]}})",
        R"({"a":7})",
        R"({"a":)",
        R"({]})",
    };
    for (const std::string &json : bad) {
        read(safetensors(json), 1000);
        EXPECT_EQ(nullptr, elements_.header) << json;
        EXPECT_EQ(HR_ELEMENT_UNKNOWN, at(0, 1000)) << json;
    }
    std::string head = safetensors(table);
    for (size_t len = 0; len < head.size(); len++) {
        read(head.substr(0, len), 4000);
        EXPECT_EQ(nullptr, elements_.header) << "cut at " << len;
    }
    memset(&head[0], 0xFF, 8);
    read(head, 4000);
    EXPECT_EQ(nullptr, elements_.header) << "a header of 2^64 bytes";
}

TEST_F(Elements, OfAnArray)
{
    const struct {
        const char *descr;
        hr_element element;
    } types[] = {{"'<f4'", HR_ELEMENT_FP32},  {"'<V2'", HR_ELEMENT_BF16},
                 {"'|V2'", HR_ELEMENT_BF16},  {"'>f4'", HR_ELEMENT_OTHER},
                 {"'<f2'", HR_ELEMENT_OTHER}, {"'|u1'", HR_ELEMENT_OTHER}};
    for (char version : {1, 2, 3})
        for (const auto &type : types) {
            const std::string head = npy(type.descr, version);
            read(head, head.size() + 12);
            EXPECT_STREQ(".npy", elements_.header);
            EXPECT_EQ(type.element, at(head.size(), 12)) << type.descr;
            EXPECT_EQ(HR_ELEMENT_OTHER, at(0, head.size()));
        }
    for (const char *descr : {"[('a', '<f4')]", "'<f4 and much more'", "7"}) {
        read(npy(descr), 1000);
        EXPECT_EQ(nullptr, elements_.header) << descr;
    }
    const std::string head = npy("'<f4'");
    for (size_t len = 0; len < head.size(); len++) {
        read(head.substr(0, len), 1000);
        EXPECT_EQ(nullptr, elements_.header) << "cut at " << len;
    }
}

TEST_F(Elements, OfAnythingElseNothingIsKnown)
{
    read("", 0);
    EXPECT_EQ(HR_ELEMENT_UNKNOWN, at(0, 0));
    read(std::string(1000, 'x'), 1000);
    EXPECT_EQ(HR_ELEMENT_UNKNOWN, at(0, 1000));
}

} // namespace
