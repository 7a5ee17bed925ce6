// SPDX-License-Identifier: Apache-2.0
// Names that differ only in case, brought to a file system that takes them for one: the first one
// is there, each other one is told, and nothing is written over anything.
#include <gtest/gtest.h>

#include <map>
#include <string>

// The seams' headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "loop_sim.h"
#include "world.h"
}

namespace
{

constexpr uint64_t until_ns = 600 * HR_NS_PER_S;

class Folding : public testing::Test
{
  protected:
    hr_world world_ = {};
    std::map<std::string, hr_status> failed_;

    void SetUp() override
    {
        ASSERT_EQ(HR_OK, hr_world_init(&world_, 1));
    }
    void TearDown() override
    {
        hr_world_fini(&world_);
        EXPECT_EQ(0u, world_.sim.allocated);
    }
    void put(const std::string &path, const std::string &text)
    {
        ASSERT_EQ(HR_OK, hr_disk_put(world_.client_disk, path.c_str(), text.data(), text.size()));
    }
    std::string at(const std::string &path)
    {
        const void *bytes;
        size_t len;
        if (hr_disk_get(world_.client_disk, path.c_str(), &bytes, &len) != HR_OK)
            return "not there";
        return std::string(static_cast<const char *>(bytes), len);
    }
    static void file_done(void *context, const hr_file_report *file)
    {
        if (file->status != HR_OK)
            static_cast<Folding *>(context)->failed_[file->path] = file->status;
    }
    // From /data to /out, on one disk.
    hr_get_progress bring(bool overwrite)
    {
        hr_error error = {};
        hr_engine *engine = nullptr;
        hr_client *client = nullptr;
        hr_get *get = nullptr;
        failed_.clear();
        hr_client_options local = {.local_path = "/data"};
        hr_get_options options = {.path = "local", .target_path = "/out"};
        options.overwrite = overwrite;
        options.file_done = file_done;
        options.context = this;
        EXPECT_EQ(HR_OK, hr_world_engine(&world_, false, &engine, &error)) << error.text;
        EXPECT_EQ(HR_OK, hr_client_open(engine, &local, &client, &error)) << error.text;
        EXPECT_EQ(HR_OK, hr_get_start(client, &options, &get, &error)) << error.text;
        while (hr_get_status(get) == HR_AGAIN)
            if (!hr_sim_step(&world_.sim, until_ns)) {
                ADD_FAILURE() << "it hangs";
                abort();
            }
        hr_get_progress progress = hr_get_count(get);
        EXPECT_EQ(failed_.empty() ? HR_OK : HR_PARTIAL, hr_get_status(get))
            << hr_get_error(get)->text;
        hr_get_destroy(get);
        hr_client_destroy(client);
        hr_engine_destroy(engine);
        return progress;
    }
    // Whatever the order in which the tree is listed, one of the two is there, whole.
    void expect_one_of_each()
    {
        EXPECT_EQ(2u, failed_.size());
        for (const auto &[path, status] : failed_)
            EXPECT_EQ(HR_EXISTS, status) << path;
        const bool lower = failed_.count("d/readme") == 0;
        EXPECT_EQ(1u, failed_.count("d/readme") + failed_.count("d/README"));
        EXPECT_EQ(lower ? "lower" : "UPPER CASE", at("/out/d/readme"));
        EXPECT_EQ("alone", at("/out/d/alone"));
        EXPECT_EQ(1u, failed_.count("sub") + failed_.count("Sub"));
        EXPECT_EQ(failed_.count("sub") == 0 ? "of sub" : "of Sub", at("/out/sub/file"));
    }
    void put_twins()
    {
        put("/data/d/readme", "lower");
        put("/data/d/README", "UPPER CASE");
        put("/data/d/alone", "alone");
        put("/data/sub/file", "of sub");
        put("/data/Sub/file", "of Sub");
    }
};

TEST_F(Folding, OneOfTheTwoIsThereAndTheOtherIsTold)
{
    put_twins();
    ASSERT_EQ(HR_OK, hr_disk_put_folding(world_.client_disk, "/out"));
    bring(false);
    expect_one_of_each();
    // Nor does the next run, that may overwrite, write one over the other.
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(0u, bring(true).bytes_moved);
        expect_one_of_each();
    }
}

TEST_F(Folding, AnEmptyTargetMayBeOverwrittenAndStillLosesNothing)
{
    put_twins();
    ASSERT_EQ(HR_OK, hr_disk_put_folding(world_.client_disk, "/out"));
    bring(true);
    expect_one_of_each();
}

TEST_F(Folding, WhereCaseTellsThemApartBothAreThere)
{
    put_twins();
    for (int i = 0; i < 2; i++) {
        bring(true);
        EXPECT_TRUE(failed_.empty());
        EXPECT_EQ("lower", at("/out/d/readme"));
        EXPECT_EQ("UPPER CASE", at("/out/d/README"));
        EXPECT_EQ("of sub", at("/out/sub/file"));
        EXPECT_EQ("of Sub", at("/out/Sub/file"));
        put("/data/d/README", "ANOTHER ONE");
        bring(true);
        EXPECT_EQ("ANOTHER ONE", at("/out/d/README"));
        put("/data/d/README", "UPPER CASE");
    }
}

} // namespace
