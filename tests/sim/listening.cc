// SPDX-License-Identifier: Apache-2.0
// A server whose address is taken waits for a moment: what a killed one held goes when the kernel
// gets to it, and that is after its process is gone.
#include <gtest/gtest.h>

// The seams' headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "loop_sim.h"
#include "world.h"
}

namespace
{

class Listening : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        ASSERT_EQ(HR_OK, hr_world_init(&world_, 1));
        ASSERT_EQ(HR_OK, hr_disk_put(world_.server_disk, "/data/shard", "x", 1));
        start(0);
        while (hr_server_status(servers_[0]) == HR_AGAIN)
            ASSERT_TRUE(hr_sim_step(&world_.sim, HR_NEVER));
        ASSERT_EQ(HR_OK, hr_server_status(servers_[0]));
        start(1);
    }
    void TearDown() override
    {
        for (int i = 0; i < 2; i++) {
            hr_server_destroy(servers_[i]);
            hr_engine_destroy(engines_[i]);
        }
        hr_world_fini(&world_);
    }
    void start(int i)
    {
        hr_error error = {};
        hr_export data = {.name = "data", .path = "/data"};
        hr_server_options options = {.listen = "127.0.0.1:7431", .exports = &data};
        options.export_count = 1;
        options.trust.insecure = true; // TLS is no part of the simulation
        ASSERT_EQ(HR_OK, hr_world_engine(&world_, true, &engines_[i], &error));
        ASSERT_EQ(HR_OK, hr_server_open(engines_[i], &options, &servers_[i], &error));
    }
    // Whether it has settled after that long.
    bool settles(int i, uint64_t within_ns)
    {
        uint64_t until_ns = world_.sim.now_ns + within_ns;
        while (hr_server_status(servers_[i]) == HR_AGAIN && hr_sim_step(&world_.sim, until_ns)) {
        }
        return hr_server_status(servers_[i]) != HR_AGAIN;
    }

    hr_world world_;
    hr_engine *engines_[2] = {};
    hr_server *servers_[2] = {};
};

TEST_F(Listening, WaitsForAnAddressThatBecomesFree)
{
    EXPECT_FALSE(settles(1, HR_NS_PER_S));
    hr_server_destroy(servers_[0]);
    servers_[0] = nullptr;
    EXPECT_TRUE(settles(1, HR_NS_PER_S));
    EXPECT_EQ(HR_OK, hr_server_status(servers_[1])) << hr_server_error(servers_[1])->text;
}

TEST_F(Listening, GivesUpOneThatStaysTaken)
{
    EXPECT_TRUE(settles(1, 3 * HR_NS_PER_S));
    EXPECT_EQ(HR_BUSY, hr_server_status(servers_[1]));
    EXPECT_STREQ("listening on 127.0.0.1:7431: the port is taken; choose another with --listen",
                 hr_server_error(servers_[1])->text);
}

TEST_F(Listening, MayBeClosedWhileItWaits)
{
    EXPECT_FALSE(settles(1, HR_NS_PER_S));
    hr_server_destroy(servers_[1]);
    servers_[1] = nullptr;
}

} // namespace
