// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <vector>

extern "C" {
#include "node.h"
#include "temp.h"
}

namespace
{

std::vector<int> Parsed(const char *text)
{
    cpu_set_t set;
    std::vector<int> found;
    if (!hr_node_parse_list(text, &set))
        return {-1};
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set))
            found.push_back(i);
    return found;
}

using List = std::vector<int>;

TEST(Node, ListsOfProcessors)
{
    EXPECT_EQ(Parsed("0"), (List{0}));
    EXPECT_EQ(Parsed("0-3,8"), (List{0, 1, 2, 3, 8}));
    EXPECT_EQ(Parsed("2,4-4,7-8"), (List{2, 4, 7, 8}));
    EXPECT_EQ(Parsed("1,9999"), (List{1})) << "those that have no bit are left out";
}

TEST(Node, WhatIsNoList)
{
    for (const char *text :
         {"", ",", "x", "-1", "3-1", "1-", "1 2", "1-2-3", "99999999999999999999"})
        EXPECT_EQ(Parsed(text), (List{-1})) << text;
}

class NodeTree : public testing::Test
{
  protected:
    void SetUp() override
    {
        ASSERT_EQ(HR_OK, hr_temp_make(root_));
        ASSERT_EQ(0, sched_getaffinity(0, sizeof before_, &before_));
    }
    void TearDown() override
    {
        sched_setaffinity(0, sizeof before_, &before_);
        EXPECT_EQ(HR_OK, hr_temp_remove(root_));
    }
    void node(int number, const std::string &list)
    {
        std::string dir =
            std::string(root_) + "/sys/devices/system/node/node" + std::to_string(number);
        ASSERT_EQ(
            0, system(("mkdir -p " + dir + " && echo " + list + " >" + dir + "/cpulist").c_str()));
    }
    char root_[HR_TEMP_PATH_MAX] = "";
    cpu_set_t before_;
};

TEST_F(NodeTree, AThreadStaysOnTheProcessorsOfItsNode)
{
    int last = -1, count = CPU_COUNT(&before_);
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &before_))
            last = i;
    node(0, "1000-1001");
    node(1, std::to_string(last) + ",1000");
    EXPECT_FALSE(hr_node_stay(root_, 0)) << "none of them is this process's";
    EXPECT_FALSE(hr_node_stay(root_, 2)) << "there is none";
    EXPECT_FALSE(hr_node_stay(root_, -1));
    cpu_set_t now;
    ASSERT_EQ(0, sched_getaffinity(0, sizeof now, &now));
    EXPECT_EQ(count, CPU_COUNT(&now));
    ASSERT_TRUE(hr_node_stay(root_, 1));
    ASSERT_EQ(0, sched_getaffinity(0, sizeof now, &now));
    EXPECT_EQ(1, CPU_COUNT(&now));
    EXPECT_TRUE(CPU_ISSET(last, &now));
}

// Node 0 is everywhere; a kernel without NUMA refuses, and that is no failure.
TEST(Node, MemoryIsPreferredOnlyWhereNobodyHasDecided)
{
    if (!hr_node_prefer_memory(0))
        GTEST_SKIP() << "no memory policies are to be had here";
    EXPECT_FALSE(hr_node_prefer_memory(0)) << "there is a policy now";
    EXPECT_TRUE(hr_node_prefer_memory(-1));
    EXPECT_TRUE(hr_node_prefer_memory(0)) << "there was none any more";
    EXPECT_TRUE(hr_node_prefer_memory(-1));
    EXPECT_FALSE(hr_node_prefer_memory(1 << 20)) << "no such node";
}

} // namespace
