// SPDX-License-Identifier: Apache-2.0
// Packing and verifying on a disk that fails, in an engine without threads: whatever goes wrong,
// and whenever, there is a shard that is right or none, and nothing half-done under its name.
#include <gtest/gtest.h>

#include <string>

// The seams' headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "loop_sim.h"
#include "scenario.h"
#include "world.h"
}

namespace
{

constexpr size_t len = 2 * HR_CHUNK_LEN + 77;
constexpr uint64_t until_ns = 600 * HR_NS_PER_S;

class Packing : public testing::TestWithParam<hr_pack_codec>
{
  protected:
    hr_world world_ = {};

    void SetUp() override
    {
        ASSERT_EQ(HR_OK, hr_world_init(&world_, 1));
        hr_sample sample = {.at = (12u << 20) - HR_CHUNK_LEN,
                            .len = len}; // some of it packs, some does not
        ASSERT_EQ(HR_OK, hr_disk_put(world_.server_disk, "/file", hr_sample_bytes(&sample), len));
        ASSERT_EQ(HR_OK, hr_disk_put(world_.server_disk, "/other", "other", 5));
        world_.server_side.storage.delay = 0x8000;
        world_.server_side.storage.delay_ns_max = 100000;
    }
    void TearDown() override
    {
        hr_world_fini(&world_);
        EXPECT_EQ(0u, world_.sim.allocated);
    }
    const char *target() const
    {
        return GetParam() == HR_PACK_NONE ? "/file.hrindex" : "/shard";
    }
    // The sentence of its failure is what comes back, "" if there is none.
    std::string run(bool verify, hr_status *status_out, uint64_t cancel_at = UINT64_MAX)
    {
        hr_error error = {};
        hr_engine *engine = nullptr;
        *status_out = hr_world_engine(&world_, true, &engine, &error);
        if (*status_out == HR_OK)
            *status_out =
                verify ? play_verify(engine, &error) : play_pack(engine, cancel_at, &error);
        hr_engine_destroy(engine);
        return error.text;
    }
    hr_status play_pack(hr_engine *engine, uint64_t cancel_at, hr_error *error)
    {
        hr_pack *pack = nullptr;
        hr_pack_options options = {
            .source_path = "/file", .target_path = target(), .codec = GetParam()};
        hr_status status = hr_pack_start(engine, &options, &pack, error);
        if (status != HR_OK)
            return status;
        for (uint64_t i = 0; hr_pack_status(pack) == HR_AGAIN; i++) {
            if (i == cancel_at)
                hr_pack_cancel(pack);
            if (!hr_sim_step(&world_.sim, until_ns)) {
                ADD_FAILURE() << "it hangs";
                abort();
            }
        }
        status = hr_pack_status(pack);
        *error = *hr_pack_error(pack);
        hr_pack_destroy(pack);
        return status;
    }
    hr_status play_verify(hr_engine *engine, hr_error *error)
    {
        hr_verify *verify = nullptr;
        hr_verify_options options = {.path = target()};
        hr_status status = hr_verify_start(engine, &options, &verify, error);
        if (status != HR_OK)
            return status;
        while (hr_verify_status(verify) == HR_AGAIN)
            if (!hr_sim_step(&world_.sim, until_ns)) {
                ADD_FAILURE() << "it hangs";
                abort();
            }
        status = hr_verify_status(verify);
        *error = *hr_verify_error(verify);
        hr_verify_destroy(verify);
        return status;
    }
    bool is_there()
    {
        const void *bytes;
        size_t bytes_len;
        return hr_disk_get(world_.server_disk, target(), &bytes, &bytes_len) == HR_OK;
    }
    // With nothing wrong any more.
    void expect_right(const std::string &what)
    {
        const hr_storage_faults faults = world_.server_side.storage;
        world_.server_side.storage = {};
        hr_status status;
        const std::string text = run(true, &status);
        EXPECT_EQ(HR_OK, status) << what << ": " << text;
        world_.server_side.storage = faults;
    }
    // One that said that it had failed may have been told so after the rename.
    void expect_right_or_nothing(hr_status status, const std::string &text, const std::string &what)
    {
        EXPECT_EQ(status == HR_OK, text.empty()) << what << ": " << text;
        EXPECT_NE(HR_INTERNAL, status) << what;
        EXPECT_NE(HR_INVALID, status) << what;
        if (status == HR_OK) {
            EXPECT_TRUE(is_there()) << what;
        }
        if (is_there())
            expect_right(what);
    }
    void forget_target()
    {
        hr_world_fini(&world_);
        world_ = {};
        SetUp();
    }
};

TEST_P(Packing, RequestThatFails)
{
    hr_status status;
    unsigned failed = 0;
    for (uint64_t nth = 1;; nth++) {
        forget_target();
        world_.server_side.storage.fail_nth = nth;
        world_.server_side.storage_requests = 0;
        const std::string text = run(false, &status);
        const bool reached = world_.server_side.storage_requests >= nth;
        expect_right_or_nothing(status, text, "request " + std::to_string(nth));
        failed += status != HR_OK;
        if (!reached || HasFailure())
            break;
    }
    EXPECT_GT(failed, 8u); // each read, write, sync and rename of it
}

TEST_P(Packing, AllocationThatFails)
{
    hr_status status = HR_NO_MEMORY;
    for (uint64_t nth = 1; status != HR_OK && nth < 1000 && !HasFailure(); nth++) {
        forget_target();
        world_.sim.fail_nth = world_.sim.allocations + nth;
        const std::string text = run(false, &status);
        world_.sim.fail_nth = 0;
        expect_right_or_nothing(status, text, "allocation " + std::to_string(nth));
    }
    EXPECT_EQ(HR_OK, status);
}

TEST_P(Packing, DiskThatFills)
{
    world_.server_side.storage.no_space = 0x4000;
    unsigned full = 0;
    for (uint64_t seed = 1; seed < 30 && !HasFailure(); seed++) {
        hr_status status;
        forget_target();
        world_.server_side.storage.no_space = 0x4000;
        world_.server_side.storage.seed = seed;
        const std::string text = run(false, &status);
        full += status == HR_NO_SPACE;
        if (status == HR_NO_SPACE) {
            EXPECT_FALSE(is_there());
            EXPECT_NE(std::string::npos, text.find("make room")) << text;
        }
        expect_right_or_nothing(status, text, "seed " + std::to_string(seed));
    }
    EXPECT_GT(full, 0u);
}

TEST_P(Packing, CanceledAtAnyStep)
{
    hr_status status = HR_CANCELED;
    for (uint64_t step = 0; status != HR_OK && step < 1000 && !HasFailure(); step++) {
        forget_target();
        const std::string text = run(false, &status, step);
        if (status == HR_CANCELED) {
            EXPECT_FALSE(is_there()) << step;
        }
        expect_right_or_nothing(status, text, "step " + std::to_string(step));
    }
    EXPECT_EQ(HR_OK, status);
}

TEST_P(Packing, CrashAfterwards)
{
    for (uint64_t seed = 0; seed < 10; seed++) {
        hr_status status;
        forget_target();
        ASSERT_EQ("", run(false, &status));
        hr_disk_crash(world_.server_disk, seed);
        expect_right("after a crash");
    }
}

// What is wrong on the disk, or read wrong, never passes.
TEST_P(Packing, VerifyingOnADiskThatFails)
{
    hr_status status;
    ASSERT_EQ("", run(false, &status));
    unsigned failed = 0;
    for (uint64_t nth = 1; nth < 20 && !HasFailure(); nth++) {
        world_.server_side.storage.fail_nth = nth;
        const std::string text = run(true, &status);
        EXPECT_EQ(status == HR_OK, text.empty()) << text;
        failed += status != HR_OK;
    }
    world_.server_side.storage.fail_nth = 0;
    EXPECT_GT(failed, 4u);
    world_.server_side.storage.flipped_bit = 0xffff;
    const std::string text = run(true, &status);
    EXPECT_TRUE(status == HR_INTEGRITY || status == HR_UNSUPPORTED) << text;
}

std::string name_of(const testing::TestParamInfo<hr_pack_codec> &codec)
{
    static const char *const names[] = {"Auto", "Lz4", "Zstd", "Planes", "None"};
    return names[codec.param];
}

INSTANTIATE_TEST_SUITE_P(All, Packing, testing::Values(HR_PACK_AUTO, HR_PACK_LZ4, HR_PACK_NONE),
                         name_of);

} // namespace
