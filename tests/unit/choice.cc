// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

extern "C" {
#include "choice.h"
}

namespace
{

hr_choice choice_of(size_t lz4, size_t zstd, size_t planes)
{
    hr_choice choice = {};
    choice.sample_len = 1000;
    choice.stored_len[HR_CONTAINER_LZ4] = lz4;
    choice.stored_len[HR_CONTAINER_ZSTD] = zstd;
    choice.stored_len[HR_CONTAINER_HEADRACE] = planes;
    return choice;
}

hr_container made(size_t lz4, size_t zstd, size_t planes)
{
    hr_choice choice = choice_of(lz4, zstd, planes);
    return hr_choice_make(&choice);
}

TEST(Choice, TakesWhatGainsEnough)
{
    EXPECT_EQ(made(500, 300, 1000), HR_CONTAINER_ZSTD);
    EXPECT_EQ(made(500, 490, 1000), HR_CONTAINER_LZ4) << "not worth slower decoding";
    EXPECT_EQ(made(1000, 800, 690), HR_CONTAINER_HEADRACE);
    EXPECT_EQ(made(1000, 1000, 1000), HR_CONTAINER_LZ4);
    EXPECT_EQ(made(1000, 1000, 990), HR_CONTAINER_LZ4) << "too little to leave what all can read";
}

TEST(Choice, IsSaidWithWhatTheOthersGain)
{
    hr_choice choice = choice_of(500, 250, 1000);
    char text[160];
    hr_choice_describe(&choice, text, sizeof text);
    EXPECT_STREQ(text, "zstd: a sample has a ratio of 4.00 (lz4 2.00, planes 1.00)");
    char little[8];
    hr_choice_describe(&choice, little, sizeof little);
    EXPECT_STREQ(little, "zstd: a");
}

} // namespace
