// SPDX-License-Identifier: Apache-2.0
// What every transport promises: in one process (with and without peeking), over TCP on either
// loop, and each of them inside the faulty wrapper with all its chances at zero.
#include <gtest/gtest.h>

#include "transport_world.h"

namespace
{

using namespace hr_test;

const Kind kinds[] = {
    {"inproc_shared", "sim", false, true, false},
    {"inproc", "sim", false, false, false},
    {"inproc_io_uring", "io_uring", false, true, false},
    {"tcp_io_uring", "io_uring", true, false, false},
    {"tcp_poll", "poll", true, false, false},
    {"inproc_rdma", "sim", false, false, false, false, 2},
    {"verbs_io_uring", "io_uring", false, false, false, true},
    {"verbs_poll", "poll", false, false, false, true},
    {"fault_inproc_shared", "sim", false, true, true},
    {"fault_inproc", "sim", false, false, true},
    {"fault_tcp_io_uring", "io_uring", true, false, true},
    {"fault_tcp_poll", "poll", true, false, true},
    {"fault_verbs", "io_uring", false, false, true, true},
};

std::string Named(const testing::TestParamInfo<Kind> &kind)
{
    return kind.param.name;
}

INSTANTIATE_TEST_SUITE_P(All, Transport, testing::ValuesIn(kinds), Named);

std::vector<Kind> Those(bool (*wanted)(const Kind &kind))
{
    std::vector<Kind> those;
    std::copy_if(std::begin(kinds), std::end(kinds), std::back_inserter(those), wanted);
    return those;
}

// Those that carry channels, too: not NICs.
class ChannelTransport : public Transport
{
};

INSTANTIATE_TEST_SUITE_P(All, ChannelTransport, testing::ValuesIn(Those([](const Kind &kind) {
                             return !kind.verbs && kind.rails == 0;
                         })),
                         Named);

// Those whose ends share memory.
class SharedTransport : public Transport
{
};

INSTANTIATE_TEST_SUITE_P(All, SharedTransport,
                         testing::ValuesIn(Those([](const Kind &kind) { return kind.shared; })),
                         Named);

// ---- meeting ----

TEST_P(Transport, TheGreetingArrivesAsItWasSent)
{
    ASSERT_EQ(ConnectLink(&reader, listener.bound), HR_OK);
    hr_incoming *incoming = AwaitIncoming();
    ASSERT_NE(incoming, nullptr);
    hr_greeting sent = Greeting(HR_GREETING_LINK);
    EXPECT_EQ(incoming->greeting.kind, HR_GREETING_LINK);
    EXPECT_EQ(incoming->greeting.major, 1);
    EXPECT_EQ(incoming->greeting.session, sent.session);
    EXPECT_EQ(incoming->greeting.link, 7u);
    EXPECT_EQ(memcmp(incoming->greeting.ticket, sent.ticket, HR_TICKET_LEN), 0);
    EXPECT_STRNE(incoming->peer, "");
    ops->refuse(world->server.transport, incoming);
    ASSERT_TRUE(world->Until([&] { return reader.downs > 0; }));
    EXPECT_EQ(reader.status, HR_PEER_LOST);
}

TEST_P(Transport, ConnectingToNobodyEndsUnreachable)
{
    Listener other;
    ops->unlisten(listener.listener);
    listener.listener = nullptr;
    world->StepSome();
    ASSERT_EQ(ConnectLink(&reader, listener.bound), HR_OK);
    ASSERT_TRUE(world->Until([&] { return reader.downs > 0; }));
    EXPECT_EQ(reader.status, HR_UNREACHABLE);
    EXPECT_EQ(reader.ups, 0);
    if (!caps.channels)
        return;
    ASSERT_EQ(ConnectChannel(&near, listener.bound), HR_OK);
    ASSERT_TRUE(world->Until([&] { return near.downs > 0; }));
    EXPECT_EQ(near.status, HR_UNREACHABLE);
    EXPECT_EQ(near.ups, 0);
}

TEST_P(Transport, AnAddressIsListenedOnOnce)
{
    Listener second;
    EXPECT_EQ(ops->listen(world->server.transport, listener.bound, &listener_events, &second,
                          &second.listener, second.bound),
              HR_BUSY);
    EXPECT_EQ(second.listener, nullptr);
}

TEST_P(Transport, UnlistenIsTheLastThatAListenerHears)
{
    ASSERT_EQ(ConnectLink(&reader, listener.bound), HR_OK);
    ops->unlisten(listener.listener);
    listener.listener = nullptr;
    ASSERT_TRUE(world->Until([&] { return reader.downs > 0; }));
    EXPECT_TRUE(listener.incoming.empty());
}

TEST_P(Transport, AConnectCanBeClosedBeforeItSucceeds)
{
    ASSERT_EQ(ConnectLink(&reader, listener.bound), HR_OK);
    ops->link.close(reader.link);
    ASSERT_TRUE(world->Until([&] { return reader.downs > 0; }));
    EXPECT_EQ(reader.status, HR_OK);
    if (caps.channels) {
        ASSERT_EQ(ConnectChannel(&near, listener.bound), HR_OK);
        ops->channel.close(near.channel);
        ASSERT_TRUE(world->Until([&] { return near.downs > 0; }));
        EXPECT_EQ(near.status, HR_OK);
    }
}

// ---- channels ----

TEST_P(ChannelTransport, AChannelCarriesBytesInOrderBothWays)
{
    OpenChannels();
    auto bytes = Pattern(3 << 20, 1);
    std::string there(bytes.begin(), bytes.end()), back(bytes.rbegin(), bytes.rend());
    ASSERT_TRUE(SendAll(&near, there, 70001));
    ASSERT_TRUE(SendAll(&far, back, 999));
    ASSERT_TRUE(world->Until(
        [&] { return far.got.size() >= there.size() && near.got.size() >= back.size(); }));
    EXPECT_TRUE(far.got == there);
    EXPECT_TRUE(near.got == back);
    EXPECT_EQ(near.ups, 1);
    EXPECT_EQ(far.ups, 0); // adopted ones are up
}

TEST_P(ChannelTransport, WhatIsSentBeforeTheConnectSucceedsIsNotLost)
{
    ASSERT_EQ(ConnectChannel(&near, listener.bound), HR_OK);
    ASSERT_EQ(ops->channel.send(near.channel, "early", 5), HR_OK);
    hr_incoming *incoming = AwaitIncoming();
    ASSERT_NE(incoming, nullptr);
    ASSERT_EQ(
        ops->channel.adopt(world->server.transport, incoming, &channel_events, &far, &far.channel),
        HR_OK);
    ASSERT_TRUE(world->Until([&] { return far.got == "early"; }));
}

TEST_P(ChannelTransport, ASendIsQueuedWholeOrNotAtAllAndRoomIsSaid)
{
    OpenChannels();
    std::string piece(100000, 'x');
    size_t sent = 0;
    // No step in between: nothing leaves the queue.
    while (ops->channel.send(near.channel, piece.data(), piece.size()) == HR_OK)
        sent += piece.size();
    EXPECT_LE(sent, size_t{HR_CHANNEL_QUEUE_MAX});
    EXPECT_GT(sent + piece.size(), size_t{HR_CHANNEL_QUEUE_MAX});
    EXPECT_EQ(near.rooms, 0);
    ASSERT_TRUE(world->Until([&] { return near.rooms > 0; }));
    EXPECT_EQ(ops->channel.send(near.channel, piece.data(), piece.size()), HR_OK);
    sent += piece.size();
    ASSERT_TRUE(world->Until([&] { return far.got.size() >= sent; }));
    world->StepSome();
    EXPECT_EQ(far.got.size(), sent);
    EXPECT_EQ(near.rooms, 1);
}

TEST_P(ChannelTransport, AClosedChannelStillDeliversWhatWasSent)
{
    OpenChannels();
    auto bytes = Pattern(200000, 2);
    ASSERT_EQ(ops->channel.send(near.channel, bytes.data(), bytes.size()), HR_OK);
    // The peer is sending too: its bytes must not cost us ours.
    ASSERT_EQ(ops->channel.send(far.channel, bytes.data(), bytes.size()), HR_OK);
    ops->channel.close(near.channel);
    ASSERT_TRUE(world->Until([&] { return near.downs > 0 && far.downs > 0; }));
    EXPECT_EQ(near.status, HR_OK);
    EXPECT_EQ(far.status, HR_PEER_LOST);
    EXPECT_EQ(far.got.size(), bytes.size());
    EXPECT_EQ(ops->channel.send(far.channel, "x", 1), HR_PEER_LOST);
}

// ---- links ----

TEST_P(Transport, ChunksLandInTheirPlacesInOrder)
{
    OpenLinks();
    Chunks chunks;
    for (uint32_t i = 0; i < 24; i++)
        chunks.push_back(&Make(i, 1 + i * 40961, 1 << 20));
    for (Chunk *chunk : chunks)
        Arm(*chunk);
    for (Chunk *chunk : chunks)
        Write(*chunk);
    ASSERT_TRUE(UntilLanded(chunks.size()));
    ASSERT_TRUE(world->Until([&] { return chunks.back()->done > 0; }));
    for (uint32_t i = 0; i < chunks.size(); i++) {
        EXPECT_EQ(reader.landed[i].place, &chunks[i]->place);
        EXPECT_EQ(reader.landed[i].receipt.chunk, i);
        EXPECT_EQ(reader.landed[i].receipt.stored_crc, i * 3);
        EXPECT_EQ(reader.landed[i].receipt.stored_len, chunks[i]->payload.size());
        EXPECT_TRUE(chunks[i]->IsThere());
        EXPECT_TRUE(chunks[i]->GuardsHold());
        EXPECT_EQ(chunks[i]->done, 1);
        EXPECT_EQ(chunks[i]->write.status, HR_OK);
    }
}

TEST_P(Transport, AWholeChunkLands)
{
    OpenLinks();
    Chunk &chunk = Make(1, HR_CHUNK_LEN + 32, HR_SLOT_LEN);
    Arm(chunk);
    Write(chunk);
    ASSERT_TRUE(UntilLanded(1));
    EXPECT_TRUE(chunk.IsThere());
    EXPECT_TRUE(chunk.GuardsHold());
}

TEST_P(Transport, AnEmptyChunkLands)
{
    OpenLinks();
    Chunk &empty = Make(1, 0, 100), &next = Make(2, 50);
    Arm(empty);
    Arm(next);
    Write(empty);
    Write(next);
    ASSERT_TRUE(UntilLanded(2));
    EXPECT_EQ(reader.landed[0].place, &empty.place);
    EXPECT_TRUE(empty.IsUntouched());
    EXPECT_TRUE(next.IsThere());
}

TEST_P(Transport, AWriterMayAnswerInAnyOrderOfGrants)
{
    OpenLinks();
    Chunk &first = Make(1, 5000), &second = Make(2, 5000);
    Arm(first);
    Arm(second);
    Write(second);
    Write(first);
    ASSERT_TRUE(UntilLanded(2));
    EXPECT_EQ(reader.landed[0].place, &second.place);
    EXPECT_TRUE(first.IsThere());
    EXPECT_TRUE(second.IsThere());
}

// A peer that writes where it may not: chunk is what it writes, armed is what was granted.
struct Trespass {
    const char *name;
    void (*change)(Chunk &chunk);
};

const Trespass trespasses[] = {
    {"transfer", [](Chunk &chunk) { chunk.write.receipt.transfer++; }},
    {"chunk", [](Chunk &chunk) { chunk.write.receipt.chunk++; }},
    {"generation", [](Chunk &chunk) { chunk.write.receipt.generation++; }},
    {"length", [](Chunk &chunk) { chunk.place.span.len--; }},
};

TEST_P(Transport, AWriteThatWasNotGrantedEndsTheLinkAndTouchesNothing)
{
    for (const Trespass &trespass : trespasses) {
        SCOPED_TRACE(trespass.name);
        OpenLinks();
        Chunk &chunk = Make(1, 5000);
        trespass.change(chunk);
        Arm(chunk);
        Write(chunk);
        ASSERT_TRUE(UntilBothDown());
        EXPECT_EQ(reader.status, HR_PROTOCOL);
        EXPECT_EQ(writer.status, HR_PEER_LOST);
        EXPECT_TRUE(reader.landed.empty());
        // A NIC lets a peer write whatever it has a key for; it is the receipt that is refused.
        EXPECT_TRUE(caps.rdma ? chunk.GuardsHold() : chunk.IsUntouched());
        EXPECT_EQ(chunk.done, 1);
        End(&reader);
        End(&writer);
        reader = writer = Link();
    }
}

TEST_P(Transport, APlaceIsUsedOnce)
{
    OpenLinks();
    Chunk &chunk = Make(1, 5000), &again = Make(1, 5000);
    Arm(chunk);
    Write(chunk);
    ASSERT_TRUE(UntilLanded(1));
    memset(chunk.memory.data(), 0xEE, chunk.memory.size());
    Write(again);
    ASSERT_TRUE(UntilBothDown());
    EXPECT_EQ(reader.status, HR_PROTOCOL);
    EXPECT_EQ(reader.landed.size(), 1u);
    EXPECT_TRUE(chunk.IsUntouched());
}

TEST_P(Transport, ADisarmedPlaceIsTheReadersAgain)
{
    OpenLinks();
    Chunk &kept = Make(1, 5000), &taken_back = Make(2, 5000);
    Arm(kept);
    Arm(taken_back);
    EXPECT_TRUE(ops->link.disarm(reader.link, &taken_back.place));
    EXPECT_FALSE(ops->link.disarm(reader.link, &taken_back.place));
    Write(kept);
    ASSERT_TRUE(UntilLanded(1));
    EXPECT_FALSE(ops->link.disarm(reader.link, &kept.place));
    Arm(taken_back); // and may be armed again
    Write(taken_back);
    ASSERT_TRUE(UntilLanded(2));
    EXPECT_TRUE(taken_back.IsThere());
}

TEST_P(Transport, ArmsAsManyPlacesAsItSays)
{
    OpenLinks();
    Chunks chunks;
    for (uint32_t i = 0; i < HR_LINK_PLACES_MAX + 1u; i++)
        chunks.push_back(&Make(i, 10));
    for (uint32_t i = 0; i < HR_LINK_PLACES_MAX; i++)
        Arm(*chunks[i]);
    Chunk &last = *chunks[HR_LINK_PLACES_MAX];
    EXPECT_EQ(ops->link.arm(reader.link, &last.place), HR_AGAIN);
    Write(*chunks[100]);
    ASSERT_TRUE(UntilLanded(1));
    EXPECT_EQ(ops->link.arm(reader.link, &last.place), HR_OK);
}

TEST_P(Transport, ALinkTakesOnlyPlacesThatItCanReach)
{
    OpenLinks();
    Chunk &chunk = Make(1, 10);
    chunk.place.span.kind = HR_MEMORY_CUDA;
    EXPECT_EQ(ops->link.arm(reader.link, &chunk.place), caps.gpu ? HR_OK : HR_UNSUPPORTED);
    chunk.place.span.kind = HR_MEMORY_DMABUF;
    EXPECT_EQ(ops->link.arm(reader.link, &chunk.place), HR_UNSUPPORTED);
}

TEST_P(Transport, AWriterThatClosesHasAllItsWritesBack)
{
    OpenLinks();
    Chunks chunks;
    for (uint32_t i = 0; i < 5; i++) {
        chunks.push_back(&Make(i, 3 << 20));
        Arm(*chunks[i]);
        Write(*chunks[i]);
    }
    ops->link.close(writer.link);
    ASSERT_TRUE(world->Until([&] { return writer.downs > 0; }));
    EXPECT_EQ(writer.status, HR_OK);
    for (Chunk *chunk : chunks)
        EXPECT_EQ(chunk->done, 1);
    EXPECT_NE(chunks.back()->write.status, HR_OK);
    ASSERT_TRUE(world->Until([&] { return reader.downs > 0; }));
    EXPECT_EQ(reader.status, HR_PEER_LOST);
    Chunk &late = Make(9, 10);
    EXPECT_EQ(ops->link.arm(reader.link, &late.place), HR_PEER_LOST);
}

TEST_P(Transport, TheFenceHoldsWhenTheReaderCloses)
{
    // At every step of the way.
    for (int steps = 0; steps < 10; steps++) {
        OpenLinks();
        Chunks chunks;
        for (uint32_t i = 0; i < 4; i++) {
            chunks.push_back(&Make(i, 1 << 20));
            Arm(*chunks[i]);
            Write(*chunks[i]);
        }
        for (int i = 0; i < steps; i++)
            world->Step();
        ops->link.close(reader.link);
        ASSERT_TRUE(world->Until([&] { return reader.downs > 0; }));
        EXPECT_EQ(reader.status, HR_OK);
        size_t landed = reader.landed.size();
        // The places are the reader's again: nobody else may touch them now.
        for (Chunk *chunk : chunks)
            memset(chunk->memory.data(), 0xEE, chunk->memory.size());
        ASSERT_TRUE(world->Until([&] { return writer.downs > 0; }));
        world->StepSome();
        for (Chunk *chunk : chunks) {
            EXPECT_TRUE(chunk->IsUntouched());
            EXPECT_EQ(chunk->done, 1);
        }
        EXPECT_EQ(reader.landed.size(), landed);
        End(&reader);
        End(&writer);
        reader = writer = Link();
    }
}

TEST_P(Transport, WritesInTheCallbackOfAFailedWriteFailToo)
{
    OpenLinks();
    static hr_link *link;
    static const hr_transport_ops *static_ops;
    static Chunk *second;
    Chunk &chunk = Make(1, 5000), &again = Make(2, 5000);
    link = writer.link;
    static_ops = ops;
    second = &again;
    Register(chunk);
    Register(again);
    chunk.write.done = [](hr_link_write *write) {
        static_cast<Chunk *>(write->context)->done++;
        static_ops->link.write(link, &second->write);
    };
    ops->link.close(writer.link);
    Write(chunk);
    ASSERT_TRUE(world->Until([&] { return writer.downs > 0; }));
    EXPECT_EQ(chunk.done, 1);
    EXPECT_EQ(again.done, 1);
    EXPECT_NE(again.write.status, HR_OK);
}

// ---- peeking, where memory is shared ----

TEST_P(Transport, PeekGivesTheReadersSpanOrSaysNo)
{
    OpenLinks();
    Chunk &chunk = Make(1, 5000);
    Arm(chunk);
    hr_span span;
    bool peeked = ops->link.peek(writer.link, chunk.place.transfer, 1, 1, &span);
    EXPECT_EQ(peeked, caps.shared);
    EXPECT_EQ(caps.shared, world->kind.shared);
    if (!peeked)
        return;
    EXPECT_EQ(span.addr, chunk.place.span.addr);
    EXPECT_FALSE(ops->link.peek(writer.link, chunk.place.transfer, 1, 2, &span));
    // The payload is made where it is wanted, and nothing is copied.
    memcpy(chunk.place.span.addr, chunk.payload.data(), chunk.payload.size());
    chunk.write.payload = hr_span_host(chunk.place.span.addr, chunk.payload.size());
    Write(chunk);
    ASSERT_TRUE(UntilLanded(1));
    EXPECT_TRUE(chunk.IsThere());
}

TEST_P(SharedTransport, TheFenceWaitsForAWriterThatPeeked)
{
    // It ends when the writer writes, and when it destroys its link.
    for (bool writes : {true, false}) {
        OpenLinks();
        Chunk &chunk = Make(1, 5000);
        Arm(chunk);
        hr_span span;
        ASSERT_TRUE(ops->link.peek(writer.link, chunk.place.transfer, 1, 1, &span));
        ops->link.close(reader.link);
        if (!writes) {
            ASSERT_TRUE(world->Until([&] { return writer.downs > 0; }));
        }
        world->StepSome();
        EXPECT_EQ(reader.downs, 0);
        if (writes && writer.downs == 0)
            Write(chunk);
        End(&writer);
        ASSERT_TRUE(world->Until([&] { return reader.downs > 0; }));
        End(&reader);
        reader = writer = Link();
    }
}

TEST_P(SharedTransport, APeekedPlaceCanBeTakenBackOnceThePeerHasGivenItUp)
{
    OpenLinks();
    Chunk &chunk = Make(1, 5000);
    Arm(chunk);
    hr_span span;
    ASSERT_TRUE(ops->link.peek(writer.link, chunk.place.transfer, 1, 1, &span));
    EXPECT_TRUE(ops->link.disarm(reader.link, &chunk.place));
    ops->link.close(reader.link);
    ASSERT_TRUE(world->Until([&] { return reader.downs > 0; }));
}

} // namespace
