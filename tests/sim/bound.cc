// SPDX-License-Identifier: Apache-2.0
// A stage that is made slow is named as the bound, every time: server and client in simulated time,
// with a delay in one seam.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

// The seams' headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "chunk.h"
#include "decode.h"
#include "loop_sim.h"
#include "world.h"
}

namespace
{

constexpr uint64_t seeds = 3;
constexpr size_t chunks = 64; // or the few steps of giving it its name would weigh as much
const char *const address = "127.0.0.1:7431";

// An eighth of a second in which the other stages take no time at all.
constexpr uint64_t delay_ns = HR_NS_PER_S / 8;
constexpr uint16_t always = UINT16_MAX;

// What stands before the decoders while this is set (the linker puts it there): one thread, which
// takes that long for a chunk.
uint64_t decoding_ns;
uint64_t decoder_free_ns;

struct SlowDecoding {
    hr_timer timer;
    hr_decoders *decoders;
    hr_decoding *decoding;
    hr_loop *loop;
};

} // namespace

extern "C" {
void __real_hr_decode(hr_decoders *decoders, hr_decoding *decoding, hr_loop *loop);
void __wrap_hr_decode(hr_decoders *decoders, hr_decoding *decoding, hr_loop *loop);

void __wrap_hr_decode(hr_decoders *decoders, hr_decoding *decoding, hr_loop *loop)
{
    if (decoding_ns == 0) {
        __real_hr_decode(decoders, decoding, loop);
        return;
    }
    auto slow = new SlowDecoding{{}, decoders, decoding, loop};
    slow->timer.fire = [](hr_timer *timer) {
        auto due = reinterpret_cast<SlowDecoding *>(timer); // its first member
        __real_hr_decode(due->decoders, due->decoding, due->loop);
        delete due;
    };
    decoder_free_ns = std::max(decoder_free_ns, hr_loop_now_ns(loop)) + decoding_ns;
    ASSERT_EQ(HR_OK, hr_loop_timer_set(loop, &slow->timer, decoder_free_ns));
}
}

namespace
{

class Bound : public ::testing::TestWithParam<uint64_t>
{
  protected:
    void SetUp() override
    {
        ASSERT_EQ(HR_OK, hr_world_init(&world_, GetParam()));
        std::vector<uint8_t> bytes(chunks * HR_CHUNK_LEN, 1);
        ASSERT_EQ(HR_OK,
                  hr_disk_put(world_.server_disk, "/data/shard", bytes.data(), bytes.size()));
        ASSERT_EQ(HR_OK, hr_disk_put(world_.client_disk, "/target/other", bytes.data(), 1));
    }
    void TearDown() override
    {
        hr_get_destroy(get_);
        hr_client_destroy(client_);
        hr_engine_destroy(client_engine_);
        hr_server_destroy(server_);
        hr_engine_destroy(server_engine_);
        hr_world_fini(&world_);
        decoding_ns = decoder_free_ns = 0;
    }
    // The shard, as lz4 has it, in its own place.
    void pack_shard()
    {
        hr_error error = {};
        hr_engine *engine = nullptr;
        hr_pack *pack = nullptr;
        hr_pack_options options = {};
        options.source_path = "/data/shard";
        options.target_path = "/data/packed";
        options.codec = HR_PACK_LZ4;
        ASSERT_EQ(HR_OK, hr_world_engine(&world_, true, &engine, &error));
        ASSERT_EQ(HR_OK, hr_pack_start(engine, &options, &pack, &error)) << error.text;
        while (hr_pack_status(pack) == HR_AGAIN)
            ASSERT_TRUE(hr_sim_step(&world_.sim, HR_NEVER));
        ASSERT_EQ(HR_OK, hr_pack_status(pack)) << hr_pack_error(pack)->text;
        hr_pack_destroy(pack);
        hr_engine_destroy(engine);
    }
    // The sentence of both sides.
    void move_shard(bool to_file, const char *path = "data/shard")
    {
        hr_error error = {};
        hr_export data = {.name = "data", .path = "/data"};
        hr_server_options serving = {.listen = address, .exports = &data, .export_count = 1};
        hr_client_options asking = {.address = address};
        serving.trust.insecure = asking.trust.insecure = true; // TLS is no part of the simulation
        hr_get_options options = {.path = path};
        options.target_path = to_file ? "/target/shard" : nullptr;
        options.target_host = !to_file;
        ASSERT_EQ(HR_OK, hr_world_engine(&world_, true, &server_engine_, &error));
        ASSERT_EQ(HR_OK, hr_server_open(server_engine_, &serving, &server_, &error));
        while (hr_server_status(server_) == HR_AGAIN)
            ASSERT_TRUE(hr_sim_step(&world_.sim, HR_NEVER));
        ASSERT_EQ(HR_OK, hr_world_engine(&world_, false, &client_engine_, &error));
        ASSERT_EQ(HR_OK, hr_client_open(client_engine_, &asking, &client_, &error));
        ASSERT_EQ(HR_OK, hr_get_start(client_, &options, &get_, &error)) << error.text;
        while (hr_get_status(get_) == HR_AGAIN)
            ASSERT_TRUE(hr_sim_step(&world_.sim, HR_NEVER));
        ASSERT_EQ(HR_OK, hr_get_status(get_)) << hr_get_error(get_)->text;
    }
    std::string bound()
    {
        hr_stage_time rows[2 * HR_STAGES_MAX];
        size_t count = hr_engine_stages(client_engine_, rows, HR_STAGES_MAX);
        count += hr_engine_stages(server_engine_, rows + count, HR_STAGES_MAX);
        size_t index = hr_stages_bound(rows, count);
        return index < count ? rows[index].stage : "";
    }

    hr_world world_;
    hr_engine *server_engine_ = nullptr, *client_engine_ = nullptr;
    hr_server *server_ = nullptr;
    hr_client *client_ = nullptr;
    hr_get *get_ = nullptr;
};

TEST_P(Bound, SlowSourceIsNamed)
{
    world_.server_side.storage.delay = always;
    world_.server_side.storage.delay_ns_max = delay_ns;
    move_shard(false);
    EXPECT_EQ("read", bound());
}

TEST_P(Bound, SlowWireIsNamed)
{
    world_.server_side.transport.delayed = always;
    world_.server_side.transport.delay_ns_max = delay_ns;
    move_shard(false);
    EXPECT_EQ("wire", bound());
}

TEST_P(Bound, SlowTargetIsNamed)
{
    world_.client_side.storage.delay = always;
    world_.client_side.storage.delay_ns_max = delay_ns;
    move_shard(true);
    EXPECT_EQ("write", bound());
}

// From the sync to the name; of one file once.
TEST_P(Bound, PublishingIsAStageOfItsOwn)
{
    world_.client_side.storage.delay = always;
    world_.client_side.storage.delay_ns_max = delay_ns;
    move_shard(true);
    hr_stage_time rows[HR_STAGES_MAX];
    size_t count = hr_engine_stages(client_engine_, rows, HR_STAGES_MAX);
    ASSERT_GT(count, 0u);
    EXPECT_STREQ("publish", rows[count - 1].stage);
    EXPECT_EQ(1u, rows[count - 1].chunks);
    EXPECT_GT(rows[count - 1].busy_ns, 0u);
}

TEST_P(Bound, SlowDecoderIsNamed)
{
    pack_shard();
    decoding_ns = delay_ns;
    move_shard(false, "data/packed");
    EXPECT_EQ("decode", bound());
}

INSTANTIATE_TEST_SUITE_P(Seeds, Bound, ::testing::Range(uint64_t{1}, 1 + seeds));

} // namespace
