// SPDX-License-Identifier: Apache-2.0
// A set of paths says of each whether it was seen.
#include <gtest/gtest.h>

#include <string>

extern "C" {
#include "names.h"
}

namespace
{

class Names : public testing::Test
{
  protected:
    void SetUp() override
    {
        hr_names_init(&names, hr_env_system());
    }
    void TearDown() override
    {
        hr_names_release(&names);
    }
    bool add(const std::string &path)
    {
        bool added = false;
        EXPECT_EQ(HR_OK, hr_names_add(&names, path.c_str(), &added));
        return added;
    }

    hr_names names;
};

TEST_F(Names, KnowsEachOfManyOnce)
{
    EXPECT_FALSE(hr_names_has(&names, "a"));
    for (int i = 0; i < 20000; i++)
        ASSERT_TRUE(add("some/directory/" + std::to_string(i))) << i;
    for (int i = 0; i < 20000; i++) {
        const std::string path = "some/directory/" + std::to_string(i);
        ASSERT_TRUE(hr_names_has(&names, path.c_str())) << i;
        ASSERT_FALSE(add(path)) << i;
    }
    EXPECT_FALSE(hr_names_has(&names, "some/directory/20000"));
    EXPECT_FALSE(hr_names_has(&names, ""));
}

TEST_F(Names, ForgetsAll)
{
    for (int count : {10, 20000, 10}) {
        for (int i = 0; i < count; i++)
            ASSERT_TRUE(add(std::to_string(i)));
        hr_names_clear(&names);
        EXPECT_FALSE(hr_names_has(&names, "1"));
    }
}

} // namespace
