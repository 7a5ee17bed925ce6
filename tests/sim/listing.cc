// SPDX-License-Identifier: Apache-2.0
// A server that lives, and never answers when it is asked for a directory: no get has an eye on
// `ls`, and it ends all the same.
#include "two_rails.h"

extern "C" {
#include "loop_sim.h"
#include "world.h"
}

namespace
{

hr_status (*inner_send)(hr_channel *, const void *, size_t);

hr_status send_no_entries(hr_channel *channel, const void *bytes, size_t len)
{
    if (kind_of_frame(bytes, len) == HR_MESSAGE_ENTRIES)
        return HR_OK;
    return inner_send(channel, bytes, len);
}

hr_status wrap(hr_transport *inner, hr_transport **transport_out)
{
    static hr_transport_ops ops;
    if (take_ops(inner, false, &ops)) {
        inner_send = ops.channel.send;
        ops.channel.send = send_no_entries;
    }
    *transport_out = inner;
    return HR_OK;
}

TEST(Listing, ThatIsNotAnsweredComesToAnEnd)
{
    hr_world world;
    hr_error error = {};
    ASSERT_EQ(HR_OK, hr_world_init(&world, 1));
    world.server_side.wrap_transport = wrap;
    ASSERT_EQ(HR_OK, hr_disk_put(world.server_disk, "/data/shard", "x", 1));
    hr_engine *there = nullptr, *here = nullptr;
    ASSERT_EQ(HR_OK, hr_world_engine(&world, true, &there, &error)) << error.text;
    ASSERT_EQ(HR_OK, hr_world_engine(&world, false, &here, &error)) << error.text;
    hr_export data = {.name = "data", .path = "/data"};
    hr_server_options offered = {.listen = "127.0.0.1:7431", .exports = &data};
    offered.export_count = 1;
    offered.trust.insecure = true;
    hr_server *server = nullptr;
    ASSERT_EQ(HR_OK, hr_server_open(there, &offered, &server, &error)) << error.text;
    while (hr_server_status(server) == HR_AGAIN)
        ASSERT_TRUE(hr_sim_step(&world.sim, HR_NEVER));
    hr_client_options wanted = {.address = "127.0.0.1:7431"};
    wanted.trust.insecure = true;
    hr_client *client = nullptr;
    ASSERT_EQ(HR_OK, hr_client_open(here, &wanted, &client, &error)) << error.text;
    hr_listing *listing = nullptr;
    ASSERT_EQ(HR_OK, hr_listing_open(client, "data", &listing, &error)) << error.text;

    const uint64_t until_ns = world.sim.now_ns + 600 * HR_NS_PER_S;
    while (hr_listing_status(listing) == HR_AGAIN && hr_sim_step(&world.sim, until_ns) &&
           world.sim.now_ns < until_ns) {
    }
    EXPECT_EQ(HR_STALLED, hr_listing_status(listing));
    EXPECT_STREQ("127.0.0.1:7431 did not answer for 60 s when it was asked for a directory",
                 hr_listing_error(listing)->text);

    hr_listing_destroy(listing);
    hr_client_destroy(client);
    hr_server_destroy(server);
    hr_engine_destroy(here);
    hr_engine_destroy(there);
    hr_world_fini(&world);
    EXPECT_EQ(0u, world.sim.allocated);
}

} // namespace
