// SPDX-License-Identifier: Apache-2.0
// A tree like /sys, with a drive behind a PCIe link, a partition of it, and a NIC.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <sys/sysmacros.h>

extern "C" {
#include "counters.h"
#include "temp.h"
}

namespace
{

class Counters : public ::testing::Test
{
  protected:
    Counters()
    {
        char path[HR_TEMP_PATH_MAX] = "";
        EXPECT_EQ(HR_OK, hr_temp_make(path));
        root_ = path;
    }
    ~Counters() override
    {
        EXPECT_EQ(HR_OK, hr_temp_remove(root_.c_str()));
    }
    void put(const std::string &path, const std::string &text)
    {
        std::filesystem::create_directories(
            (root_ + "/" + path).substr(0, (root_ + "/" + path).rfind('/')));
        std::ofstream(root_ + "/" + path) << text << "\n";
    }
    std::string root_;
};

TEST_F(Counters, FindTheDriveOfAPartitionAndItsLink)
{
    struct stat info;
    ASSERT_EQ(0, stat(root_.c_str(), &info));
    if (major(info.st_dev) == 0)
        GTEST_SKIP() << "the temporary directory is on no block device";
    put("devices/pci0/0000:01:00.0/current_link_speed", "16.0 GT/s PCIe");
    put("devices/pci0/0000:01:00.0/current_link_width", "4");
    put("devices/pci0/0000:01:00.0/nvme/nvme0n1/stat", "1 2 2000 3 4 5 1000 6 7 8 9");
    put("devices/pci0/0000:01:00.0/nvme/nvme0n1/nvme0n1p1/partition", "1");
    put("dev/block/none", "");
    std::string number =
        std::to_string(major(info.st_dev)) + ":" + std::to_string(minor(info.st_dev));
    std::filesystem::create_symlink(root_ + "/devices/pci0/0000:01:00.0/nvme/nvme0n1/nvme0n1p1",
                                    root_ + "/dev/block/" + number);
    hr_bench_counters counters = hr_bench_counters_find(root_.c_str(), root_.c_str());
    EXPECT_NE(std::string::npos, std::string(counters.disk).find("/nvme0n1"));
    EXPECT_EQ(std::string::npos, std::string(counters.disk).find("p1"));
    EXPECT_NEAR(counters.disk_gb_per_second, 16.0 / 8 * 4 * 128 / 130, 1e-9);
    hr_bench_counted counted = hr_bench_counted_read(&counters);
    EXPECT_TRUE(counted.has_disk);
    EXPECT_EQ(counted.disk_read, 2000u * 512);
    EXPECT_EQ(counted.disk_written, 1000u * 512);
}

TEST_F(Counters, TakeTheLargerDirectionOfEachInterface)
{
    put("class/net/eth0/statistics/rx_bytes", "100");
    put("class/net/eth0/statistics/tx_bytes", "5");
    put("class/infiniband/mlx5_0/ports/1/counters/port_rcv_data", "10");
    put("class/infiniband/mlx5_0/ports/1/counters/port_xmit_data", "20");
    hr_bench_counters counters = hr_bench_counters_find(root_.c_str(), nullptr);
    hr_bench_counted before = hr_bench_counted_read(&counters);
    EXPECT_FALSE(before.has_disk);
    EXPECT_EQ(before.network, 100u + 4 * 20);
    put("class/net/eth0/statistics/rx_bytes", "350");
    EXPECT_EQ(hr_bench_counted_since(&before, &counters).network, 250u);
}

TEST_F(Counters, ALinkIsThatOfTheFirstFolderAboveThatHasOne)
{
    char text[48];
    put("a/current_link_speed", "8.0 GT/s PCIe");
    put("a/current_link_width", "2");
    put("a/b/c/other", "");
    EXPECT_NEAR(hr_bench_pcie_rate((root_ + "/a/b/c").c_str(), text), 2 * 128.0 / 130, 1e-9);
    EXPECT_STREQ(text, "8.0 GT/s x 2");
    put("a/current_link_speed", "2.5 GT/s PCIe");
    EXPECT_NEAR(hr_bench_pcie_rate((root_ + "/a/b/c").c_str(), text), 0.5, 1e-9);
    put("a/current_link_width", "0");
    EXPECT_EQ(hr_bench_pcie_rate((root_ + "/a/b/c").c_str(), text), 0);
    EXPECT_EQ(hr_bench_pcie_rate("/nonexistent", text), 0);
}

TEST(Impossible, IsMoreThanTheHardwareCan)
{
    EXPECT_TRUE(hr_bench_is_impossible(14.2, 12.5));
    EXPECT_FALSE(hr_bench_is_impossible(12.4, 12.5));
    EXPECT_FALSE(hr_bench_is_impossible(12.6, 12.5)) << "clocks differ by so much";
    EXPECT_FALSE(hr_bench_is_impossible(1e9, 0)) << "nobody knows";
}

} // namespace
