// SPDX-License-Identifier: Apache-2.0
// The verbs transport on the fake, of whose calls one fails: each kind of them, at each of its
// turns.
#include "transport_world.h"

#ifdef HEADRACE_HAS_VERBS

#include "verbs_world.h"

namespace
{

using namespace hr_test;

// One thing fails at each of its calls in turn: whatever happens ends, with a status, and leaves
// nothing behind.
class FailingCall : public testing::TestWithParam<const char *>
{
};

std::vector<const char *> Names()
{
    std::vector<const char *> names;
    for (const char *const *name = hr_verbs_fake_names; *name != nullptr; name++)
        names.push_back(*name);
    return names;
}

std::string Named(const testing::TestParamInfo<const char *> &name)
{
    return name.param;
}

INSTANTIATE_TEST_SUITE_P(All, FailingCall, testing::ValuesIn(Names()), Named);

struct Story {
    std::unique_ptr<World> world;
    const hr_transport_ops *ops = nullptr;
    Listener listener;
    Link reader, writer;
    Chunk chunk{1, 3 << 20};
    bool is_exposed = false, is_lent = false;

    void Connect()
    {
        ops = world->client.transport->ops;
        if (ops->listen(world->server.transport, "127.0.0.1:0", &listener_events, &listener,
                        &listener.listener, listener.bound) != HR_OK)
            return;
        hr_greeting greeting = Greeting(HR_GREETING_LINK);
        if (ops->link.connect(world->client.transport, listener.bound, HR_RAIL_ANY, &greeting,
                              &link_events, &reader, &reader.link) != HR_OK)
            return;
        world->Until([&] { return !listener.incoming.empty() || reader.downs > 0; });
        if (!listener.incoming.empty() &&
            ops->link.adopt(world->server.transport, listener.incoming[0], &link_events, &writer,
                            &writer.link) == HR_OK)
            world->Until([&] { return reader.ups + reader.downs + writer.downs > 0; });
    }
    void Move()
    {
        is_lent = ops->region->lend(world->server.transport, chunk.write.payload) == HR_OK;
        ops->region->expose(world->client.transport, &chunk.region);
        world->Until([&] { return chunk.region_done == 1; });
        is_exposed = chunk.region.status == HR_OK;
        if (!is_lent || !is_exposed || writer.downs > 0 ||
            ops->link.arm(reader.link, &chunk.place) != HR_OK)
            return;
        chunk.write.address = chunk.region.address;
        chunk.write.key = chunk.region.key;
        ops->link.aim(writer.link, &reader.link->ring);
        ops->link.write(writer.link, &chunk.write);
        world->Until([&] {
            return (chunk.done > 0 && reader.landed.size() == 1) ||
                   (writer.downs > 0 && reader.downs > 0);
        });
        EXPECT_TRUE(reader.landed.empty() || chunk.IsThere());
    }
    void End()
    {
        for (Link *link : {&reader, &writer}) {
            if (link->link == nullptr)
                continue;
            if (link->downs == 0)
                ops->link.close(link->link);
            world->Until([&] { return link->downs > 0; });
            ops->link.destroy(link->link);
        }
        if (listener.listener != nullptr)
            ops->unlisten(listener.listener);
        if (is_lent)
            ops->region->reclaim(world->server.transport, chunk.write.payload);
        if (is_exposed) {
            ops->region->withdraw(world->client.transport, &chunk.region);
            world->Until([&] { return chunk.region_done == 2; });
        }
    }
};

TEST_P(FailingCall, EndsWithAStatus)
{
    if (getenv("HEADRACE_VERBS_ADDRESS") != nullptr)
        GTEST_SKIP() << "this is for the fake";
    // Some calls are made hundreds of times; after these they find the same state again.
    for (unsigned nth = 1; nth <= 40; nth++) {
        SCOPED_TRACE(nth);
        Story story;
        story.world = std::make_unique<World>(verbs_kind);
        // Some ends only come with the time after which nobody is waited for any more.
        story.world->sim.env.now_ns = hr_env_system()->now_ns;
        story.world->fail_name = GetParam();
        story.world->fail_nth = nth;
        if (story.world->Open({}) == HR_OK) {
            story.Connect();
            if (story.reader.ups > 0)
                story.Move();
            story.End();
        }
        bool has_failed = hr_verbs_fake_has_failed();
        story.world.reset();
        if (!has_failed)
            return;
    }
}
} // namespace

#endif
