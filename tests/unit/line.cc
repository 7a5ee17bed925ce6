// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

extern "C" {
#include "line.h"
#include "temp.h"
}

namespace
{

TEST(Line, FindsTheHostInWhateverNamesIt)
{
    const std::pair<const char *, const char *> rows[] = {
        {"node1", "node1"},
        {"me@node1", "node1"},
        {"node1:7432", "node1"},
        {"[fe80::1]:7432", "fe80::1"},
        {"hr://node1:7431/shards/tree", "node1"},
        {"hr://node1/shards", "node1"},
        {"", ""},
    };
    for (const auto &[address, host] : rows) {
        char found[256];
        hr_bench_line_host(address, found);
        EXPECT_STREQ(host, found) << address;
    }
}

TEST(Line, CarriesWhatTheKernelSays)
{
    char root[HR_TEMP_PATH_MAX] = "";
    ASSERT_EQ(HR_OK, hr_temp_make(root));
    const std::string net = std::string(root) + "/class/net";
    mkdir((std::string(root) + "/class").c_str(), 0700);
    mkdir(net.c_str(), 0700);
    for (const auto &[name, speed] : {std::pair{"eth7", "100000"}, {"eth8", "-1"}, {"eth9", ""}}) {
        mkdir((net + "/" + name).c_str(), 0700);
        std::ofstream(net + "/" + name + "/speed") << speed << "\n";
    }
    EXPECT_DOUBLE_EQ(12.5, hr_bench_line_rate(root, "eth7"));
    EXPECT_EQ(0, hr_bench_line_rate(root, "eth8")) << "its link is down";
    // Eight lanes of 8 GT/s bring less to the NIC than the line does.
    const std::string device = std::string(root) + "/nic";
    mkdir(device.c_str(), 0700);
    ASSERT_EQ(0, symlink("../../../nic", (net + "/eth7/device").c_str()));
    std::ofstream(device + "/current_link_width") << "8\n";
    std::ofstream(device + "/current_link_speed") << "8.0 GT/s PCIe\n";
    EXPECT_NEAR(8 * 128.0 / 130, hr_bench_line_rate(root, "eth7"), 1e-9);
    std::ofstream(device + "/current_link_width") << "16\n";
    EXPECT_DOUBLE_EQ(12.5, hr_bench_line_rate(root, "eth7"));
    EXPECT_EQ(0, hr_bench_line_rate(root, "eth9"));
    EXPECT_EQ(0, hr_bench_line_rate(root, "none"));
    EXPECT_EQ(HR_OK, hr_temp_remove(root));
}

// What stays on this machine crosses lo, of which the kernel says no speed.
TEST(Line, WhatStaysHereHasNone)
{
    EXPECT_STREQ("", hr_bench_line_to("/sys", "").name);
    EXPECT_EQ(0, hr_bench_line_to("/sys", "127.0.0.1:7432").gb_per_second);
}

// Two clients of one host share its line, and each client's share is small enough.
TEST(Line, CarriesTheClientsOfAHostTogether)
{
    const hr_bench_line line = {"eth0", 1.25}, unknown = {"eth0", 0}, none = {"", 0};
    hr_bench_loads loads = {};
    char text[160] = "";
    hr_bench_loads_add(&loads, "node1", &line, 0.8);
    hr_bench_loads_add(&loads, "node2", &line, 0.8);
    hr_bench_loads_add(&loads, "node3", &unknown, 80);
    hr_bench_loads_add(&loads, "node4", &none, 80);
    EXPECT_FALSE(hr_bench_loads_are_impossible(&loads, text)) << text;
    hr_bench_loads_add(&loads, "node2", &line, 0.8);
    EXPECT_TRUE(hr_bench_loads_are_impossible(&loads, text));
    EXPECT_NE(std::string(text).find("eth0 of node2 carries 1.25"), std::string::npos) << text;
}

} // namespace
