// SPDX-License-Identifier: Apache-2.0
// What the faulty wrapper does when its chances are not zero, over the inproc transport and the
// simulator's clock.
#include <gtest/gtest.h>

#include "transport_world.h"

namespace
{

using namespace hr_test;

constexpr uint16_t always = 65535; // all but one of 65536

class TransportFault : public Transport
{
  protected:
    void SetUp() override
    {
    }
    void TearDown() override
    {
        if (world != nullptr)
            Transport::TearDown();
    }
    // seed: one under which the rare case of no fault does not come up at once.
    void OpenWith(hr_transport_faults faults)
    {
        Open(GetParam(), faults);
    }
};

std::string Named(const testing::TestParamInfo<Kind> &kind)
{
    return kind.param.name;
}

INSTANTIATE_TEST_SUITE_P(All, TransportFault,
                         testing::Values(Kind{"inproc_shared", "sim", false, true, true},
                                         Kind{"inproc", "sim", false, false, true}),
                         Named);

TEST_P(TransportFault, RefusedConnectsEndUnreachable)
{
    hr_transport_faults faults = {};
    faults.refused = always;
    OpenWith(faults);
    ASSERT_EQ(ConnectChannel(&near, listener.bound), HR_OK);
    ASSERT_EQ(ConnectLink(&reader, listener.bound), HR_OK);
    EXPECT_EQ(ops->channel.send(near.channel, "x", 1), HR_PEER_LOST);
    ASSERT_TRUE(world->Until([&] { return near.downs > 0 && reader.downs > 0; }));
    EXPECT_EQ(near.status, HR_UNREACHABLE);
    EXPECT_EQ(reader.status, HR_UNREACHABLE);
    EXPECT_EQ(near.ups + reader.ups, 0);
    EXPECT_TRUE(listener.incoming.empty());
}

TEST_P(TransportFault, ALostChannelIsLostOnBothSides)
{
    hr_transport_faults faults = {};
    faults.lost = always;
    OpenWith(faults);
    OpenChannels();
    EXPECT_EQ(ops->channel.send(near.channel, "x", 1), HR_OK);
    ASSERT_TRUE(world->Until([&] { return near.downs > 0 && far.downs > 0; }));
    EXPECT_EQ(near.status, HR_PEER_LOST);
    EXPECT_EQ(far.status, HR_PEER_LOST);
    EXPECT_EQ(far.got, "");
}

TEST_P(TransportFault, ALostLinkFailsItsWritesAndLandsNothing)
{
    hr_transport_faults faults = {};
    faults.lost = always;
    OpenWith(faults);
    OpenLinks();
    Chunk &first = Make(1, 5000), &second = Make(2, 5000);
    Arm(first);
    Arm(second);
    Write(first);
    Write(second);
    ASSERT_TRUE(UntilBothDown());
    EXPECT_EQ(first.write.status, HR_PEER_LOST);
    EXPECT_EQ(second.write.status, HR_PEER_LOST);
    EXPECT_EQ(first.done + second.done, 2);
    EXPECT_EQ(reader.status, HR_PEER_LOST);
    EXPECT_EQ(writer.status, HR_PEER_LOST);
    EXPECT_TRUE(first.IsUntouched());
    EXPECT_TRUE(second.IsUntouched());
}

TEST_P(TransportFault, ACorruptedChunkHasOneWrongBitWhereItLandsAndNoneAtItsSource)
{
    hr_transport_faults faults = {};
    faults.corrupted = always;
    OpenWith(faults);
    OpenLinks();
    Chunk &chunk = Make(1, 5000);
    std::vector<uint8_t> before = chunk.payload;
    Arm(chunk);
    Write(chunk);
    ASSERT_TRUE(UntilLanded(1));
    ASSERT_TRUE(world->Until([&] { return chunk.done > 0; }));
    EXPECT_EQ(chunk.payload, before);
    int wrong = 0;
    for (size_t i = 0; i < before.size(); i++)
        wrong += __builtin_popcount(before[i] ^ chunk.memory[Chunk::guard + i]);
    EXPECT_EQ(wrong, 1);
}

TEST_P(TransportFault, AChunkMadeInItsPlaceStaysCorrupted)
{
    hr_transport_faults faults = {};
    faults.corrupted = always;
    OpenWith(faults);
    OpenLinks();
    Chunk &chunk = Make(1, 5000);
    Arm(chunk);
    hr_span span;
    if (!ops->link.peek(writer.link, chunk.place.transfer, 1, 1, &span))
        return; // the test above is the one for this kind
    memcpy(span.addr, chunk.payload.data(), chunk.payload.size());
    chunk.write.payload = hr_span_host(span.addr, chunk.payload.size());
    Write(chunk);
    ASSERT_TRUE(UntilLanded(1));
    ASSERT_TRUE(world->Until([&] { return chunk.done > 0; }));
    EXPECT_FALSE(chunk.IsThere());
}

TEST_P(TransportFault, DelaysKeepTheOrderAndTakeTime)
{
    hr_transport_faults faults = {};
    faults.delayed = always / 2;
    faults.delay_ns_max = HR_NS_PER_S;
    faults.seed = 3;
    OpenWith(faults);
    OpenChannels();
    OpenLinks();
    uint64_t start_ns = world->sim.now_ns;
    std::string sent;
    for (uint32_t i = 0; i < 40; i++) {
        Chunk &chunk = Make(i, 1000);
        Arm(chunk);
        Write(chunk);
        std::string message = "message " + std::to_string(i) + "\n";
        ASSERT_EQ(ops->channel.send(near.channel, message.data(), message.size()), HR_OK);
        sent += message;
        world->Step();
    }
    ASSERT_TRUE(UntilLanded(40));
    ASSERT_TRUE(world->Until([&] { return far.got.size() >= sent.size(); }));
    EXPECT_EQ(far.got, sent);
    for (uint32_t i = 0; i < 40; i++)
        EXPECT_EQ(reader.landed[i].receipt.chunk, i);
    EXPECT_GT(world->sim.now_ns, start_ns);
}

TEST_P(TransportFault, AClosedChannelStillSendsWhatWasDelayed)
{
    hr_transport_faults faults = {};
    faults.delayed = always;
    faults.delay_ns_max = HR_NS_PER_S;
    OpenWith(faults);
    OpenChannels();
    ASSERT_EQ(ops->channel.send(near.channel, "last words", 10), HR_OK);
    ops->channel.close(near.channel);
    ASSERT_TRUE(world->Until([&] { return far.downs > 0; }));
    EXPECT_EQ(far.got, "last words");
}

TEST_P(TransportFault, LateWritesLandAfterTheirWriterWasToldTheyFailed)
{
    hr_transport_faults faults = {};
    faults.delayed = always;
    faults.late = always;
    faults.delay_ns_max = HR_NS_PER_S;
    OpenWith(faults);
    OpenLinks();
    Chunk &chunk = Make(1, 5000);
    Arm(chunk);
    Write(chunk);
    std::vector<uint8_t> sent = chunk.payload;
    ops->link.close(writer.link);
    ASSERT_TRUE(world->Until([&] { return chunk.done > 0; }));
    EXPECT_NE(chunk.write.status, HR_OK);
    // The memory is the writer's again, and used for something else.
    std::fill(chunk.payload.begin(), chunk.payload.end(), 0);
    ASSERT_TRUE(UntilBothDown());
    ASSERT_EQ(reader.landed.size(), 1u);
    EXPECT_TRUE(std::equal(sent.begin(), sent.end(), chunk.memory.begin() + Chunk::guard));
    // The fence holds for late ones too.
    memset(chunk.memory.data(), 0xEE, chunk.memory.size());
    world->StepSome();
    EXPECT_TRUE(chunk.IsUntouched());
}

TEST_P(TransportFault, TheSameSeedGivesTheSameRun)
{
    uint64_t hashes[3];
    for (int run = 0; run < 3; run++) {
        hr_transport_faults faults = {};
        faults.seed = run < 2 ? 11 : 12;
        faults.lost = 500;
        faults.corrupted = 3000;
        faults.delayed = 20000;
        faults.late = 30000;
        faults.delay_ns_max = HR_NS_PER_MS;
        OpenWith(faults);
        OpenLinks();
        for (uint32_t i = 0; i < 200 && reader.downs + writer.downs == 0; i++) {
            Chunk &chunk = Make(i, 100);
            Arm(chunk);
            Write(chunk);
            world->Step();
            hr_sim_note(&world->sim, "landed", reader.landed.size());
            hr_sim_note(&world->sim, "byte", chunk.memory[Chunk::guard]);
        }
        hashes[run] = world->sim.hash;
        TearDown();
        made.clear();
        listener = Listener();
        reader = writer = Link();
    }
    EXPECT_EQ(hashes[0], hashes[1]);
    EXPECT_NE(hashes[0], hashes[2]);
}

} // namespace
