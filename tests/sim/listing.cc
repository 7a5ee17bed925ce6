// SPDX-License-Identifier: Apache-2.0
// A server that lives, and never answers when it is asked for a directory, or for the digest of a
// file: no get has an eye on `ls` and on `verify --against`, and they end all the same.
#include "two_rails.h"

extern "C" {
#include "loop_sim.h"
#include "world.h"
}

namespace
{

hr_status (*inner_send)(hr_channel *, const void *, size_t);
hr_message_kind unanswered;

hr_status send_all_but(hr_channel *channel, const void *bytes, size_t len)
{
    if (kind_of_frame(bytes, len) == unanswered)
        return HR_OK;
    return inner_send(channel, bytes, len);
}

hr_status wrap(hr_transport *inner, hr_transport **transport_out)
{
    static hr_transport_ops ops;
    if (take_ops(inner, false, &ops)) {
        inner_send = ops.channel.send;
        ops.channel.send = send_all_but;
    }
    *transport_out = inner;
    return HR_OK;
}

class Unanswered : public testing::Test
{
  protected:
    void SetUp() override
    {
        hr_error error = {};
        ASSERT_EQ(HR_OK, hr_world_init(&world_, 1));
        world_.server_side.wrap_transport = wrap;
        ASSERT_EQ(HR_OK, hr_disk_put(world_.server_disk, "/data/shard", "x", 1));
        ASSERT_EQ(HR_OK, hr_disk_put(world_.server_disk, "/copy/shard", "x", 1));
        ASSERT_EQ(HR_OK, hr_world_engine(&world_, true, &there_, &error)) << error.text;
        ASSERT_EQ(HR_OK, hr_world_engine(&world_, false, &here_, &error)) << error.text;
        hr_export exports[2] = {{.name = "data", .path = "/data"},
                                {.name = "copy", .path = "/copy"}};
        hr_server_options offered = {.listen = "127.0.0.1:7431", .exports = exports};
        offered.export_count = 2;
        offered.trust.insecure = true;
        ASSERT_EQ(HR_OK, hr_server_open(there_, &offered, &server_, &error)) << error.text;
        while (hr_server_status(server_) == HR_AGAIN)
            ASSERT_TRUE(hr_sim_step(&world_.sim, HR_NEVER));
        hr_client_options wanted = {.address = "127.0.0.1:7431"};
        wanted.trust.insecure = true;
        ASSERT_EQ(HR_OK, hr_client_open(here_, &wanted, &client_, &error)) << error.text;
    }
    void TearDown() override
    {
        hr_client_destroy(client_);
        hr_server_destroy(server_);
        hr_engine_destroy(here_);
        hr_engine_destroy(there_);
        hr_world_fini(&world_);
        EXPECT_EQ(0u, world_.sim.allocated);
    }
    template <typename Status> hr_status wait(Status status)
    {
        const uint64_t until_ns = world_.sim.now_ns + 600 * HR_NS_PER_S;
        while (status() == HR_AGAIN && hr_sim_step(&world_.sim, until_ns) &&
               world_.sim.now_ns < until_ns) {
        }
        return status();
    }

    hr_world world_;
    hr_engine *there_ = nullptr, *here_ = nullptr;
    hr_server *server_ = nullptr;
    hr_client *client_ = nullptr;
};

TEST_F(Unanswered, AListingComesToAnEnd)
{
    unanswered = HR_MESSAGE_ENTRIES;
    hr_error error = {};
    hr_listing *listing = nullptr;
    ASSERT_EQ(HR_OK, hr_listing_open(client_, "data", &listing, &error)) << error.text;
    EXPECT_EQ(HR_STALLED, wait([listing] { return hr_listing_status(listing); }));
    EXPECT_STREQ("127.0.0.1:7431 did not answer for 60 s when it was asked for a directory",
                 hr_listing_error(listing)->text);
    hr_listing_destroy(listing);
}

TEST_F(Unanswered, AComparisonComesToAnEnd)
{
    unanswered = HR_MESSAGE_DIGESTED;
    hr_error error = {};
    hr_compare_options options = {.tree = client_, .source = client_};
    options.tree_path = "copy";
    options.source_path = "data";
    hr_compare *compare = nullptr;
    ASSERT_EQ(HR_OK, hr_compare_start(&options, &compare, &error)) << error.text;
    EXPECT_EQ(HR_STALLED, wait([compare] { return hr_compare_status(compare); }));
    EXPECT_EQ(
        0u,
        std::string(hr_compare_error(compare)->text).find("no content could be compared for 60 s"))
        << hr_compare_error(compare)->text;
    hr_compare_destroy(compare);
}

// And one that is answered: the time it is allowed does not end it.
TEST_F(Unanswered, AComparisonThatIsAnsweredIsOver)
{
    unanswered = hr_message_kind(0); // none
    hr_error error = {};
    hr_compare_options options = {.tree = client_, .source = client_};
    options.tree_path = "copy";
    options.source_path = "data";
    hr_compare *compare = nullptr;
    ASSERT_EQ(HR_OK, hr_compare_start(&options, &compare, &error)) << error.text;
    wait([compare] { return hr_compare_status(compare); });
    EXPECT_EQ(1u, hr_compare_count(compare).files);
    EXPECT_EQ(1u, hr_compare_count(compare).bytes_compared);
    hr_compare_destroy(compare);
}

} // namespace
