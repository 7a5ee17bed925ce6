// SPDX-License-Identifier: Apache-2.0
// A folder of a test's own, gone with it.
#ifndef FOLDER_H
#define FOLDER_H

#include <gtest/gtest.h>

#include <string>

extern "C" {
#include "temp.h"
}

class Folder : public testing::Test
{
  protected:
    Folder()
    {
        char path[HR_TEMP_PATH_MAX] = "";
        EXPECT_EQ(HR_OK, hr_temp_make(path));
        folder_ = path;
    }
    ~Folder() override
    {
        EXPECT_EQ(HR_OK, hr_temp_remove(folder_.c_str()));
    }
    std::string at(const std::string &name) const
    {
        return folder_ + "/" + name;
    }
    std::string folder_;
};

#endif
