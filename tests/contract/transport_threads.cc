// SPDX-License-Identifier: Apache-2.0
// The two ends of a link on the loops of two threads, as workers have them.
#include <gtest/gtest.h>

#include <thread>

#include "transport_world.h"

namespace
{

using namespace hr_test;

struct Case {
    const char *name;
    hr_status (*create_loop)(const hr_env *env, hr_loop **loop_out);
    bool tcp, shared;
};

void PrintTo(const Case &which, std::ostream *out)
{
    *out << which.name;
}

constexpr uint32_t chunk_count = 64;

// A worker with a loop of its own. Made by the test's thread, run by another.
struct Worker {
    hr_loop *loop = nullptr;
    hr_transport *transport = nullptr;
    Link link;

    template <typename Predicate> void StepUntil(Predicate predicate)
    {
        in_step = true;
        while (!predicate())
            hr_loop_step(loop, HR_NEVER); // no deadline: a lost wake would hang here
    }
    void Close()
    {
        if (link.downs == 0)
            transport->ops->link.close(link.link);
        StepUntil([&] { return link.downs > 0; });
        transport->ops->link.destroy(link.link);
        while (!hr_loop_is_idle(loop))
            hr_loop_step(loop, 0);
    }
};

class TransportThreads : public testing::TestWithParam<Case>
{
  protected:
    void SetUp() override
    {
        ASSERT_EQ(hr_inproc_hub_create(hr_env_system(), &hub), HR_OK);
        for (Worker *worker : {&server, &client}) {
            hr_status status = GetParam().create_loop(hr_env_system(), &worker->loop);
            if (status == HR_UNSUPPORTED)
                GTEST_SKIP() << GetParam().name << " is not supported on this machine";
            ASSERT_EQ(status, HR_OK);
            status = GetParam().tcp
                         ? hr_transport_tcp_create(worker->loop, nullptr, &worker->transport)
                         : hr_transport_inproc_create(worker->loop, hub, GetParam().shared,
                                                      &worker->transport);
            ASSERT_EQ(status, HR_OK);
        }
        ops = server.transport->ops;
        ASSERT_EQ(ops->listen(server.transport, GetParam().tcp ? "127.0.0.1:0" : "here",
                              &listener_events, &listener, &listener.listener, listener.bound),
                  HR_OK);
        for (uint32_t i = 0; i < chunk_count; i++)
            chunks.push_back(std::make_unique<Chunk>(i, 100 + i * 4099));
    }
    void TearDown() override
    {
        for (Worker *worker : {&server, &client}) {
            if (worker->transport != nullptr)
                worker->transport->ops->destroy(worker->transport);
            hr_loop_destroy(worker->loop);
        }
        hr_inproc_hub_destroy(hub);
    }
    // The writer's thread.
    void Serve(bool until_all_are_done)
    {
        server.StepUntil([&] { return !listener.incoming.empty(); });
        ASSERT_EQ(ops->link.adopt(server.transport, listener.incoming[0], &link_events,
                                  &server.link, &server.link.link),
                  HR_OK);
        for (auto &chunk : chunks) {
            hr_span span;
            // Where memory is shared, some payloads are made in their place by this thread.
            if (chunk->place.chunk % 2 == 0 &&
                ops->link.peek(server.link.link, chunk->place.transfer, chunk->place.chunk, 1,
                               &span)) {
                memcpy(span.addr, chunk->payload.data(), chunk->payload.size());
                chunk->write.payload = hr_span_host(span.addr, chunk->payload.size());
            }
            ops->link.write(server.link.link, &chunk->write);
        }
        server.StepUntil([&] {
            return server.link.downs > 0 || (until_all_are_done && chunks.back()->done > 0);
        });
        server.StepUntil([&] { return server.link.downs > 0; });
        ops->unlisten(listener.listener);
        server.Close();
    }
    // The reader's; its places are armed before the writer can know of them.
    void ConnectAndArm()
    {
        hr_greeting greeting = Greeting(HR_GREETING_LINK);
        ASSERT_EQ(ops->link.connect(client.transport, listener.bound, HR_RAIL_ANY, &greeting,
                                    &link_events, &client.link, &client.link.link),
                  HR_OK);
        for (auto &chunk : chunks)
            ASSERT_EQ(ops->link.arm(client.link.link, &chunk->place), HR_OK);
    }

    hr_inproc_hub *hub = nullptr;
    const hr_transport_ops *ops = nullptr;
    Worker server, client;
    Listener listener;
    std::vector<std::unique_ptr<Chunk>> chunks;
};

std::string Named(const testing::TestParamInfo<Case> &which)
{
    return which.param.name;
}

INSTANTIATE_TEST_SUITE_P(All, TransportThreads,
                         testing::Values(Case{"inproc_shared_io_uring", hr_loop_uring_create, false,
                                              true},
                                         Case{"inproc_poll", hr_loop_poll_create, false, false},
                                         Case{"tcp_io_uring", hr_loop_uring_create, true, false},
                                         Case{"tcp_poll", hr_loop_poll_create, true, false}),
                         Named);

TEST_P(TransportThreads, AllChunksLand)
{
    ConnectAndArm();
    std::thread thread([&] { Serve(true); });
    client.StepUntil([&] { return client.link.landed.size() == chunk_count; });
    client.Close();
    thread.join();
    for (auto &chunk : chunks) {
        EXPECT_TRUE(chunk->IsThere());
        EXPECT_TRUE(chunk->GuardsHold());
        EXPECT_EQ(chunk->done, 1);
        EXPECT_EQ(chunk->write.status, HR_OK);
    }
}

// The sanitizers see whoever still touches a place, or a payload, that is not theirs any more.
TEST_P(TransportThreads, TheFenceHoldsInTheMiddle)
{
    ConnectAndArm();
    std::thread thread([&] { Serve(false); });
    client.StepUntil([&] { return client.link.landed.size() >= chunk_count / 4; });
    client.Close();
    for (auto &chunk : chunks)
        memset(chunk->memory.data(), 0xEE, chunk->memory.size());
    thread.join();
    for (auto &chunk : chunks) {
        EXPECT_TRUE(chunk->IsUntouched());
        EXPECT_EQ(chunk->done, 1);
    }
}

} // namespace
