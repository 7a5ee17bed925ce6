// SPDX-License-Identifier: Apache-2.0
// A test over a fresh directory of a real file system, by a storage that the test chooses.
#ifndef HR_ON_FILE_SYSTEM_H
#define HR_ON_FILE_SYSTEM_H

#include <memory>

#include "storage_bench.h"

extern "C" {
#include "posix.h"
#include "storage_threads.h"
}

namespace storage_bench
{

class OnFileSystem : public testing::Test
{
  protected:
    void SetUp() override
    {
        ASSERT_EQ(hr_helpers_create(hr_env_system(), 2, &helpers), HR_OK);
        ASSERT_EQ(hr_temp_make(path), HR_OK);
    }
    void TearDown() override
    {
        if (root != nullptr) {
            EXPECT_EQ(client->close_dir(root), HR_OK);
        }
        client.reset();
        hr_helpers_destroy(helpers);
        EXPECT_EQ(hr_temp_remove(path), HR_OK);
    }
    void use_threads(const hr_posix_calls *calls)
    {
        hr_loop *loop = nullptr;
        hr_storage *storage = nullptr;
        ASSERT_EQ(hr_loop_poll_create(hr_env_system(), &loop), HR_OK);
        ASSERT_EQ(hr_storage_threads_create_with(loop, helpers, calls, "", &storage), HR_OK);
        use(loop, storage);
    }
    void use(hr_loop *loop, hr_storage *storage)
    {
        client.reset(new Client(loop, storage));
        ASSERT_EQ(client->open_dir(nullptr, path, 0, &root), HR_OK);
    }
    std::string in_root(const std::string &name)
    {
        return std::string(path) + "/" + name;
    }

    hr_helpers *helpers = nullptr;
    char path[HR_TEMP_PATH_MAX] = "";
    std::unique_ptr<Client> client;
    hr_dir *root = nullptr;
};

} // namespace storage_bench

#endif
