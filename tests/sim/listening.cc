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
        ASSERT_EQ(HR_OK, start(0)) << error_.text;
        ASSERT_TRUE(settles(0, HR_NS_PER_S));
        ASSERT_EQ(HR_OK, hr_server_status(servers_[0]));
        ASSERT_EQ(HR_OK, start(1)) << error_.text;
    }
    void TearDown() override
    {
        for (int i = 0; i < 2; i++)
            stop(i);
        hr_world_fini(&world_);
        EXPECT_EQ(0u, world_.sim.allocated);
    }
    hr_status start(int i)
    {
        hr_export data = {.name = "data", .path = "/data"};
        hr_server_options options = {.listen = "127.0.0.1:7431", .exports = &data};
        options.export_count = 1;
        options.trust.insecure = true; // TLS is no part of the simulation
        error_ = {};
        hr_status status = hr_world_engine(&world_, true, &engines_[i], &error_);
        return status == HR_OK ? hr_server_open(engines_[i], &options, &servers_[i], &error_)
                               : status;
    }
    void stop(int i)
    {
        hr_server_destroy(servers_[i]);
        hr_engine_destroy(engines_[i]);
        servers_[i] = nullptr;
        engines_[i] = nullptr;
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
    hr_error error_ = {};
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

TEST_F(Listening, AnyAllocationOfTheWaitMayFail)
{
    bool failed = true;
    for (uint64_t nth = 1; failed; nth++) {
        stop(1);
        const uint64_t failing = world_.sim.allocations + nth;
        world_.sim.fail_nth = failing;
        hr_status status = start(1);
        if (status == HR_OK) {
            settles(1, HR_NS_PER_S);
            stop(0);
            ASSERT_TRUE(settles(1, 3 * HR_NS_PER_S)) << "allocation " << nth;
            status = hr_server_status(servers_[1]);
            error_ = *hr_server_error(servers_[1]);
        }
        failed = world_.sim.allocations >= failing;
        world_.sim.fail_nth = 0;
        // Without the memory for a timer there is no wait.
        EXPECT_TRUE(status == HR_OK || status == HR_NO_MEMORY || status == HR_BUSY)
            << nth << ": " << error_.text;
        EXPECT_EQ(status == HR_OK, error_.text[0] == '\0') << nth;
        stop(1);
        stop(0);
        ASSERT_EQ(HR_OK, start(0)) << error_.text;
        ASSERT_TRUE(settles(0, HR_NS_PER_S));
    }
    EXPECT_EQ(HR_OK, start(1)) << error_.text;
}

} // namespace
