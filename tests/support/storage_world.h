// SPDX-License-Identifier: Apache-2.0
// Every implementation of the storage seam, for a suite of tests: io_uring, threads, memory, and
// each of them behind the faulty wrapper that has nothing to do.
#ifndef STORAGE_WORLD_H
#define STORAGE_WORLD_H

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "storage_bench.h"

namespace storage_world
{

using namespace storage_bench;

enum class Kind { uring, threads, memory };

struct Setup {
    const char *name;
    Kind kind;
    bool faulty;
};

inline void PrintTo(const Setup &setup, std::ostream *out)
{
    *out << setup.name;
}

const Setup setups[] = {
    {"uring", Kind::uring, false},           {"threads", Kind::threads, false},
    {"memory", Kind::memory, false},         {"faulty_uring", Kind::uring, true},
    {"faulty_threads", Kind::threads, true}, {"faulty_memory", Kind::memory, true},
};

class Storage : public testing::TestWithParam<Setup>
{
  protected:
    void SetUp() override
    {
        std::string root_path = "/root";
        if (GetParam().kind == Kind::memory) {
            hr_sim_init(&sim, 1);
            ASSERT_EQ(hr_disk_create(&sim.env, 256 << 20, &disk), HR_OK);
        } else {
            ASSERT_EQ(hr_helpers_create(hr_env_system(), 2, &helpers), HR_OK);
            ASSERT_EQ(hr_temp_make(path), HR_OK);
            root_path = path;
        }
        client.reset(make_client());
        if (client == nullptr)
            GTEST_SKIP() << "io_uring is missing or forbidden here";
        ASSERT_EQ(client->open_dir(nullptr, root_path, HR_IO_CREATE, &root), HR_OK);
    }
    void TearDown() override
    {
        if (root != nullptr) {
            EXPECT_EQ(client->close_dir(root), HR_OK);
        }
        client.reset();
        hr_helpers_destroy(helpers);
        hr_disk_destroy(disk);
        if (path[0] != '\0') {
            EXPECT_EQ(hr_temp_remove(path), HR_OK);
        }
    }

    Client *make_client()
    {
        hr_loop *loop = nullptr;
        hr_storage *storage = nullptr;
        if (GetParam().kind == Kind::memory) {
            EXPECT_EQ(hr_loop_sim_create(&sim, &loop), HR_OK);
            EXPECT_EQ(hr_storage_memory_create(loop, disk, &storage), HR_OK);
        } else if (GetParam().kind == Kind::threads) {
            EXPECT_EQ(hr_loop_poll_create(hr_env_system(), &loop), HR_OK);
            EXPECT_EQ(hr_storage_threads_create(loop, helpers, &storage), HR_OK);
        } else {
            if (hr_loop_uring_create(hr_env_system(), &loop) != HR_OK)
                return nullptr;
            EXPECT_EQ(hr_storage_uring_create(loop, helpers, &storage), HR_OK);
        }
        const hr_storage_faults none = {};
        if (GetParam().faulty) {
            EXPECT_EQ(hr_storage_fault_create(storage, &none, &requests, &storage), HR_OK);
        }
        return new Client(loop, storage);
    }

    hr_file *opened(const std::string &name, unsigned flags, hr_file_info *info_out = nullptr)
    {
        hr_file *file = nullptr;
        EXPECT_EQ(client->open(root, name, flags, &file, info_out), HR_OK) << name;
        return file;
    }

    hr_sim sim;
    hr_disk *disk = nullptr;
    hr_helpers *helpers = nullptr;
    char path[HR_TEMP_PATH_MAX] = "";
    std::unique_ptr<Client> client;
    hr_dir *root = nullptr;
    uint64_t requests = 0;
};

const unsigned new_file = HR_IO_READABLE | HR_IO_WRITABLE | HR_IO_CREATE;

} // namespace storage_world

#endif
