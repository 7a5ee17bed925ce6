// SPDX-License-Identifier: Apache-2.0
// What the doctor concludes from a machine that is only a tree of files.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <sys/utsname.h>
#include <vector>

extern "C" {
#include "distance.h"
#include "doctor.h"
#include "temp.h"
}

namespace
{

struct Found {
    std::string topic, name, text, remedy;
    hr_doctor_state state;
};

class Doctor : public ::testing::Test
{
  protected:
    Doctor()
    {
        char path[HR_TEMP_PATH_MAX] = "";
        EXPECT_EQ(HR_OK, hr_temp_make(path));
        root_ = path;
        options_.found = [](void *context, const hr_doctor_row *row) {
            static_cast<Doctor *>(context)->rows_.push_back(
                {row->topic, row->name, row->text, row->remedy, row->state});
        };
        options_.context = this;
        hr_doctor_init(&doctor_, &options_, root_.c_str());
    }
    ~Doctor() override
    {
        EXPECT_EQ(HR_OK, hr_temp_remove(root_.c_str()));
    }

    void plant(const std::string &path, const std::string &text)
    {
        std::filesystem::create_directories((root_ + path).substr(0, (root_ + path).rfind('/')));
        std::ofstream(root_ + path) << text << "\n";
    }
    // A device of the PCI tree with the name that its class gives it.
    void plant_device(const std::string &place, const std::string &link, int node)
    {
        std::string device = "/sys/devices/" + place;
        plant(device + "/numa_node", std::to_string(node));
        std::filesystem::create_directories((root_ + link).substr(0, (root_ + link).rfind('/')));
        std::filesystem::create_directory_symlink(root_ + device, root_ + link);
    }
    void plant_module(const std::string &file)
    {
        struct utsname system;
        ASSERT_EQ(0, uname(&system));
        plant(std::string("/lib/modules/") + system.release + "/modules.dep", file);
    }
    hr_distance distance(const std::string &a, const std::string &b)
    {
        hr_parts parts;
        hr_parts_find(root_.c_str(), &parts);
        const hr_part *first = nullptr, *second = nullptr;
        for (unsigned i = 0; i < parts.count; i++) {
            first = a == parts.parts[i].name ? &parts.parts[i] : first;
            second = b == parts.parts[i].name ? &parts.parts[i] : second;
        }
        EXPECT_NE(nullptr, first) << a;
        EXPECT_NE(nullptr, second) << b;
        if (first == nullptr || second == nullptr)
            return HR_DISTANCE_UNKNOWN;
        EXPECT_EQ(hr_site_distance(&first->site, &second->site),
                  hr_site_distance(&second->site, &first->site));
        return hr_site_distance(&first->site, &second->site);
    }
    // The only row of that name whose text holds part.
    Found row(const std::string &name, const std::string &part)
    {
        for (const Found &found : rows_)
            if (found.name == name && found.text.find(part) != std::string::npos)
                return found;
        ADD_FAILURE() << name << " with '" << part << "' was not said";
        return {};
    }

    std::string root_;
    hr_doctor_options options_ = {};
    hr_doctor doctor_;
    std::vector<Found> rows_;
};

const char *const MLX5 = "/sys/class/infiniband/mlx5_0/device";
const char *const NVME = "/sys/class/nvme/nvme0/device";

TEST_F(Doctor, DistanceIsTheWayThroughThePciTree)
{
    const std::string root = "pci0000:00/0000:00:01.0/";
    plant_device(root + "0000:01:00.0/0000:02:00.0/0000:03:00.0", MLX5, 0);
    plant_device(root + "0000:01:00.0/0000:02:01.0/0000:04:00.0", NVME, 0);
    plant_device(root + "0000:01:00.0/0000:02:02.0/0000:05:00.0/0000:06:00.0/0000:07:00.0",
                 "/sys/class/nvme/nvme1/device", 0);
    plant_device("pci0000:00/0000:00:02.0/0000:08:00.0", "/sys/class/nvme/nvme2/device", 0);
    plant_device("pci0000:80/0000:80:01.0/0000:81:00.0", "/sys/class/nvme/nvme3/device", 0);
    plant_device("pci0000:c0/0000:c0:01.0/0000:c1:00.0", "/sys/class/nvme/nvme4/device", 1);
    plant_device("virtual/nvme-fabrics", "/sys/class/nvme/nvme5/device", -1);
    EXPECT_EQ(HR_DISTANCE_SWITCH, distance("mlx5_0", "nvme0"));
    EXPECT_EQ(HR_DISTANCE_SWITCHES, distance("mlx5_0", "nvme1"));
    EXPECT_EQ(HR_DISTANCE_HOST, distance("mlx5_0", "nvme2"));
    EXPECT_EQ(HR_DISTANCE_NODE, distance("mlx5_0", "nvme3"));
    EXPECT_EQ(HR_DISTANCE_SYSTEM, distance("mlx5_0", "nvme4"));
    EXPECT_EQ(HR_DISTANCE_UNKNOWN, distance("mlx5_0", "nvme5"));
}

// A server chooses its NICs by it.
TEST_F(Doctor, ABlockDeviceSitsWhereItsDriveDoes)
{
    const std::string drive = "pci0000:00/0000:00:01.0/0000:01:00.0";
    hr_site site, expected;
    plant_device(drive, NVME, 1);
    plant_device(drive + "/nvme/nvme0/nvme0n1/nvme0n1p1", "/sys/dev/block/259:1", -1);
    plant_device("virtual/block/dm-0", "/sys/dev/block/253:0", -1);
    plant("/sys/devices/virtual/block/dm-0/slaves/nvme0n1p1/x", "");
    plant_device(drive + "/nvme/nvme0/nvme0n1/nvme0n1p1", "/sys/class/block/nvme0n1p1", -1);
    ASSERT_TRUE(hr_site_find(root_.c_str(), NVME, &expected));
    EXPECT_EQ(1, expected.node);
    for (unsigned major : {259u, 253u}) {
        EXPECT_TRUE(hr_site_of_block(root_.c_str(), major, major == 259 ? 1 : 0, &site));
        EXPECT_STREQ(expected.path, site.path) << major;
        EXPECT_EQ(1, site.node) << major;
    }
    EXPECT_FALSE(hr_site_of_block(root_.c_str(), 0, 42, &site)) << "tmpfs is on no drive";
}

TEST_F(Doctor, NearestNicOfADriveIsNamedAndAFarOneIsALack)
{
    plant_device("pci0000:00/0000:00:01.0/0000:01:00.0", MLX5, 0);
    plant_device("pci0000:80/0000:80:01.0/0000:81:00.0", "/sys/class/infiniband/mlx5_1/device", 1);
    plant_device("pci0000:80/0000:80:02.0/0000:82:00.0", NVME, 1);
    plant_device("pci0000:00/0000:00:03.0/0000:03:00.0", "/sys/bus/pci/drivers/nvidia/0000:03:00.0",
                 0);
    hr_doctor_distance(&doctor_);
    EXPECT_EQ(HR_DOCTOR_OK, row("drive nvme0", "mlx5_1").state);
    EXPECT_EQ(HR_DOCTOR_OK, row("GPU 0000:03:00.0", "mlx5_0").state);
    Found far = row("GPU 0000:03:00.0", "nvme0");
    EXPECT_EQ(HR_DOCTOR_LACKING, far.state);
    EXPECT_NE("", far.remedy);
}

TEST_F(Doctor, WithoutRdmaTheKernelsModulesDecideWhatHelps)
{
    hr_doctor_rdma(&doctor_);
    ASSERT_EQ(1u, rows_.size());
    EXPECT_EQ(HR_DOCTOR_LACKING, rows_[0].state);
    EXPECT_EQ(0u, rows_[0].remedy.find("sudo apt-get install linux-")) << rows_[0].remedy;

    rows_.clear();
    plant("/sys/class/net/lo/type", "772");
    plant("/sys/class/net/ens7/type", "1");
    plant_module("kernel/drivers/infiniband/sw/rxe/rdma_rxe.ko.xz: kernel/lib/crc32.ko.xz");
    hr_doctor_rdma(&doctor_);
    ASSERT_EQ(1u, rows_.size());
    EXPECT_NE(std::string::npos, rows_[0].remedy.find("sudo modprobe -a rdma_rxe"));
    EXPECT_NE(std::string::npos, rows_[0].remedy.find("rdma link add rxe0 type rxe netdev ens7"))
        << rows_[0].remedy;
}

TEST_F(Doctor, AModuleThatOthersOnlyNeedIsNotThere)
{
    plant_module("kernel/siw.ko: kernel/rdma_rxe.ko");
    EXPECT_FALSE(hr_sysfs_has_module(root_.c_str(), "rdma_rxe"));
    EXPECT_TRUE(hr_sysfs_has_module(root_.c_str(), "siw"));
}

TEST_F(Doctor, FilesOfTheKernelAreReadAsTheyAre)
{
    char text[8];
    plant("/sys/number", "0x10de");
    plant("/sys/negative", "-1");
    plant("/sys/word", "madvise [always]");
    EXPECT_EQ(0x10DE, hr_sysfs_number(root_.c_str(), "/sys/number"));
    EXPECT_EQ(-1, hr_sysfs_number(root_.c_str(), "/sys/negative"));
    EXPECT_EQ(-1, hr_sysfs_number(root_.c_str(), "/sys/word"));
    EXPECT_EQ(-1, hr_sysfs_number(root_.c_str(), "/sys/nothing"));
    EXPECT_TRUE(hr_sysfs_read(root_.c_str(), "/sys/word", text, sizeof text));
    EXPECT_STREQ("madvise", text) << "cut to size, and the space at the end is gone";
    EXPECT_FALSE(hr_sysfs_read(root_.c_str(), "/sys/nothing", text, sizeof text));
    EXPECT_STREQ("", text);
}

} // namespace
