// SPDX-License-Identifier: Apache-2.0
// The verbs transport on the fake, which looks at every call: what a real device would not show, or
// would show as corruption in some other place. Each world ends with the fake's verdict. Of peers
// and of the fence: transport_verbs_peers.cc; of calls that fail: transport_verbs_faults.cc.
#include "transport_world.h"

#ifdef HEADRACE_HAS_VERBS

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <mutex>
#include <thread>

#include "verbs_world.h"

extern "C" {
#include "verbs.h"
}

namespace
{

using namespace hr_test;

INSTANTIATE_TEST_SUITE_P(All, Verbs, testing::Values(verbs_kind));

// ---- on a real device only ----

class RealVerbs : public Transport
{
  protected:
    void SetUp() override
    {
        if (getenv("HEADRACE_VERBS_ADDRESS") == nullptr)
            GTEST_SKIP()
                << "HEADRACE_VERBS_ADDRESS names no device (tests/vm/cases/verbs_contract)";
    }
    // As a fatal error of the device would.
    static void Break(hr_link *link)
    {
        ibv_qp_attr attr = {};
        attr.qp_state = IBV_QPS_ERR;
        ibv_qp *qp = reinterpret_cast<hr_verbs_link *>(link)->connection.id->qp;
        ASSERT_EQ(ibv_modify_qp(qp, &attr, IBV_QP_STATE), 0);
    }
};

INSTANTIATE_TEST_SUITE_P(All, RealVerbs, testing::Values(verbs_kind));

TEST_P(RealVerbs, AQueuePairForcedIntoErrorEndsItsLinkAtBothEndsAndTheNextOneWorks)
{
    Open(verbs_kind, {});
    for (bool at_writer : {true, false}) {
        SCOPED_TRACE(at_writer);
        OpenLinks();
        Chunk &chunk = Make(1, 3 << 20);
        Arm(chunk);
        Break(at_writer ? writer.link : reader.link);
        Write(chunk);
        ASSERT_TRUE(UntilBothDown());
        EXPECT_TRUE(reader.landed.empty());
        EXPECT_EQ(chunk.done, 1);
        EXPECT_NE(chunk.write.status, HR_OK);
        End(&reader);
        End(&writer);
        reader = writer = Link();
    }
    OpenLinks();
    Chunk &chunk = Make(2, 3 << 20);
    Arm(chunk);
    Write(chunk);
    ASSERT_TRUE(world->Until([&] { return chunk.done > 0 && !reader.landed.empty(); }));
    EXPECT_TRUE(chunk.IsThere());
}

// ---- devices ----

hr_error WhyNot(const hr_verbs_fake_setup &setup, const hr_verbs_options &given = {})
{
    hr_verbs_options options = given;
    hr_error error = {};
    hr_verbs *verbs = nullptr;
    hr_helpers *helpers = nullptr;
    hr_verbs_fake_open(&setup);
    options.calls = hr_verbs_fake_calls();
    EXPECT_EQ(hr_helpers_create(hr_env_system(), 1, &helpers), HR_OK);
    EXPECT_NE(hr_verbs_create(hr_env_system(), helpers, &options, &verbs, &error), HR_OK);
    EXPECT_EQ(verbs, nullptr);
    hr_helpers_destroy(helpers);
    EXPECT_STREQ(hr_verbs_fake_close(), "");
    return error;
}

void ExpectSays(const hr_error &error, hr_status status, const std::string &text)
{
    EXPECT_EQ(error.status, status);
    EXPECT_NE(std::string(error.text).find(text), std::string::npos) << error.text;
}

TEST_P(Verbs, SaysWhyItCannotBeHad)
{
    hr_verbs_fake_setup none = {}, forbidden = {}, down = {};
    none.has_none = true;
    forbidden.open_error = EACCES;
    down.is_down = true;
    ExpectSays(WhyNot(none), HR_UNSUPPORTED, "no RDMA device");
    ExpectSays(WhyNot(forbidden), HR_UNSUPPORTED,
               "/dev/infiniband/uverbs0 (fake0) cannot be opened: Permission denied");
    ExpectSays(WhyNot(down), HR_UNSUPPORTED, "No port of the RDMA device fake0 is active");
    hr_verbs_options other = {}, short_messages = {};
    other.devices = "mlx5_0,fake";
    short_messages.message_len = 4096;
    hr_verbs_fake_setup shallow = {};
    shallow.max_qp_wr = 4;
    ExpectSays(WhyNot(shallow), HR_UNSUPPORTED, "the send queue of fake0 has room for 4");
    ExpectSays(WhyNot({}, other), HR_UNSUPPORTED, "mlx5_0,fake");
    ExpectSays(WhyNot({}, short_messages), HR_INVALID, "try longer messages");
}

TEST_P(Verbs, ARailIsADeviceAndALinkSaysWhich)
{
    fake.devices = 2;
    OpenWorld();
    EXPECT_EQ(caps.rails, 2u);
    EXPECT_TRUE(caps.rdma);
    EXPECT_FALSE(caps.channels);
    hr_rail_info info;
    ops->rail(world->client.transport, 1, &info);
    EXPECT_STREQ(info.device, "fake1");
    EXPECT_EQ(info.bits_per_s, 100000000000u);
    EXPECT_FALSE(info.software);
    ops->unlisten(listener.listener);
    listener = Listener();
    ASSERT_EQ(ops->listen(world->server.transport, "127.0.0.2:0", &listener_events, &listener,
                          &listener.listener, listener.bound),
              HR_OK);
    hr_rail_address addresses[4];
    EXPECT_EQ(ops->addresses(listener.listener, addresses, 4), 1u);
    EXPECT_STREQ(addresses[0].address, listener.bound);
    EXPECT_EQ(addresses[0].rail, 1u);
    OpenLinks();
    EXPECT_EQ(reader.link->rail, 1u);
    EXPECT_EQ(writer.link->rail, 1u);
    Move(3, 100000);
}

TEST_P(Verbs, ALinkGoesOutByTheRailThatWasAskedFor)
{
    fake.devices = 3;
    fake.has_network = true;
    OpenWorld();
    hr_transport *client = world->client.transport;
    EXPECT_EQ(ops->neighbours(client, "127.0.0.1:7431"), 7u);
    EXPECT_EQ(ops->neighbours(client, "127.0.1.1:7431"), 0u); // another network
    EXPECT_EQ(ops->neighbours(client, "[fd00::1]:7431"), 0u);
    EXPECT_EQ(ops->neighbours(client, "no address"), 0u);
    OpenLinks(2);
    EXPECT_EQ(reader.link->rail, 2u);
    EXPECT_EQ(writer.link->rail, 0u);
    Move(3, 100000);
}

// It was one when the client chose it.
TEST_P(Verbs, ARailThatIsNoNeighbourAnyMoreIsForTheSystemToReplace)
{
    fake.devices = 3;
    OpenWorld();
    EXPECT_EQ(ops->neighbours(world->client.transport, listener.bound), 0u);
    OpenLinks(2);
    EXPECT_EQ(reader.link->rail, 0u);
    Move(3, 100000);
}

TEST_P(Verbs, TheAckTimeoutIsThatOfTheDesignOrTheOptions)
{
    struct Case {
        bool is_soft;
        uint8_t option, retry, wanted, wanted_retry;
    };
    for (const Case &wanted :
         {Case{false, 0, 0, 14, 7}, Case{true, 0, 0, 18, 7}, Case{true, 20, 3, 20, 3}}) {
        fake.is_soft = wanted.is_soft;
        options.ack_timeout = wanted.option;
        options.retry = wanted.retry;
        OpenWorld();
        OpenLinks();
        EXPECT_EQ(hr_verbs_fake_count().ack_timeout, wanted.wanted);
        EXPECT_EQ(hr_verbs_fake_count().retry, wanted.wanted_retry);
        TearDown();
        reader = writer = Link();
        listener = Listener();
    }
    OpenWorld();
}

// ---- strangers ----

TEST_P(Verbs, AStrangerIsTurnedAwayWithoutAWord)
{
    OpenWorld();
    const hr_verbs_calls *calls = hr_verbs_fake_calls();
    rdma_event_channel *channel = calls->cm_create_event_channel();
    fcntl(channel->fd, F_SETFL, O_NONBLOCK);
    rdma_cm_id *id;
    ASSERT_EQ(calls->cm_create_id(channel, &id, nullptr, RDMA_PS_TCP), 0);
    sockaddr_in target = {};
    target.sin_family = AF_INET;
    target.sin_addr.s_addr = htonl(0x7F000001);
    target.sin_port = htons(static_cast<uint16_t>(atoi(strrchr(listener.bound, ':') + 1)));
    ASSERT_EQ(calls->cm_resolve_addr(id, nullptr, reinterpret_cast<sockaddr *>(&target), 1000), 0);
    hr_verbs_fake_knock(id);
    rdma_cm_event *event;
    int rejections = 0;
    ASSERT_TRUE(world->Until([&] {
        while (calls->cm_get_event(channel, &event) == 0) {
            rejections += event->event == RDMA_CM_EVENT_REJECTED;
            calls->cm_ack_event(event);
        }
        return rejections > 0;
    }));
    EXPECT_TRUE(listener.incoming.empty());
    EXPECT_EQ(listener.troubles, 0);
    calls->cm_destroy_id(id);
    calls->cm_destroy_event_channel(channel);
}

TEST_P(Verbs, AConnectThatNobodyAnswersEnds)
{
    OpenWorld();
    ASSERT_EQ(ConnectLink(&reader, listener.bound), HR_OK);
    hr_incoming *incoming = AwaitIncoming();
    ASSERT_NE(incoming, nullptr);
    world->Advance(6 * HR_NS_PER_S);
    ASSERT_TRUE(world->Until([&] { return reader.downs > 0; }));
    EXPECT_EQ(reader.status, HR_UNREACHABLE);
    // Whoever adopts it now finds that it has left.
    ASSERT_EQ(
        ops->link.adopt(world->server.transport, incoming, &link_events, &writer, &writer.link),
        HR_OK);
    ASSERT_TRUE(world->Until([&] { return writer.downs > 0; }));
    EXPECT_NE(writer.status, HR_OK);
}

TEST_P(Verbs, TheReadersDeviceHasToAnswerForTheAddress)
{
    OpenWorld();
    ASSERT_EQ(ConnectLink(&reader, "127.0.0.9:4000"), HR_OK);
    ASSERT_TRUE(world->Until([&] { return reader.downs > 0; }));
    EXPECT_EQ(reader.status, HR_UNREACHABLE);
}

// ---- queues and memory ----

TEST_P(Verbs, MoreReceiptsThanTheRingHas)
{
    OpenWorld();
    OpenLinks();
    Move(600, 10);
}

TEST_P(Verbs, WritesWaitForRoomInTheSendQueue)
{
    fake.max_qp_wr = 8;
    OpenWorld();
    OpenLinks();
    hr_verbs_fake_hold(true);
    Chunks chunks;
    for (uint32_t i = 0; i < 12; i++) {
        chunks.push_back(&Make(i, (3 << 20) + i));
        Arm(*chunks.back());
        Write(*chunks.back());
    }
    EXPECT_LE(hr_verbs_fake_count().in_flight, 8u);
    EXPECT_EQ(hr_verbs_fake_count().posts, 1u); // of 5 requests; a second one would be 2 too many
    hr_verbs_fake_hold(false);
    ASSERT_TRUE(UntilLanded(chunks.size()));
    ASSERT_TRUE(world->Until([&] { return chunks.back()->done > 0; }));
    EXPECT_EQ(hr_verbs_fake_count().posts, 12u); // each in one chain
    for (Chunk *chunk : chunks)
        EXPECT_TRUE(chunk->IsThere());
}

TEST_P(Verbs, ShorterMessagesMakeLongerChains)
{
    options.message_len = 64 << 10;
    OpenWorld();
    OpenLinks();
    Move(2, HR_SLOT_LEN);
}

TEST_P(Verbs, ADeviceWithoutInlineDataSendsReceiptsFromItsMemory)
{
    fake.has_no_inline = true;
    OpenWorld();
    OpenLinks();
    Move(300, 1000);
}

// What is short goes with its work request, from memory that no device knows; what is longer does
// not, and where the device has less room than was asked for nothing does.
TEST_P(Verbs, ShortPayloadsGoInlineWhereTheDeviceHasRoomForThem)
{
    for (uint32_t wanted : {200u, 4096u}) {
        SCOPED_TRACE(wanted);
        options.inline_len = wanted;
        OpenWorld();
        OpenLinks();
        Move(2, 201);
        EXPECT_EQ(writer.link->inline_len, wanted == 200 ? 200u : 64u);
        Chunk &chunk = Make(2, 200);
        Arm(chunk);
        if (wanted == 200)
            ops->region->reclaim(world->server.transport, chunk.write.payload);
        Write(chunk);
        ASSERT_TRUE(world->Until([&] { return chunk.done > 0 && reader.landed.size() > 2; }));
        EXPECT_TRUE(chunk.IsThere());
        if (wanted == 200) {
            ASSERT_EQ(ops->region->lend(world->server.transport, chunk.write.payload), HR_OK);
        }
        TearDown();
        made.clear();
        reader = writer = Link();
        listener = Listener();
    }
    OpenWorld();
}

TEST_P(Verbs, ALinkThatRestsIsToldOfWhatComes)
{
    OpenWorld();
    OpenLinks();
    Chunk &chunk = Make(1, 5000);
    Arm(chunk);
    hr_verbs_fake_hold(true);
    Write(chunk);
    for (int i = 0; i < 400; i++) // far past the last look
        world->Step();
    EXPECT_EQ(hr_loop_next_due_ns(world->client.loop), HR_NEVER);
    hr_verbs_fake_hold(false);
    ASSERT_TRUE(UntilLanded(1));
    ASSERT_TRUE(world->Until([&] { return chunk.done > 0; }));
}

// Registering takes so long on a slow machine that both ends rest before the write. So it is done
// beforehand, and the reader looks again since a chunk has just landed.
TEST_P(Verbs, WhatCompletesWhileALinkGoesToRestIsSeen)
{
    OpenWorld();
    OpenLinks();
    Chunk &first = Make(1, 5000), &second = Make(2, 5000);
    Arm(first);
    Arm(second);
    Write(first);
    ASSERT_TRUE(UntilLanded(1));
    hr_verbs_fake_hold(true);
    Write(second);
    hr_verbs_fake_complete_at_notify();
    ASSERT_TRUE(UntilLanded(2));
    ASSERT_TRUE(world->Until([&] { return first.done > 0 && second.done > 0; }));
    hr_verbs_fake_hold(false);
}

TEST_P(Verbs, APoolIsLentInPiecesThatTheDeviceTakes)
{
    fake.devices = 2;
    fake.max_mr_size = 2 * HR_SLOT_LEN + 12345;
    OpenWorld();
    OpenLinks();
    std::vector<uint8_t> pool(5 * HR_SLOT_LEN);
    hr_span span = hr_span_host(pool.data(), pool.size());
    unsigned before = hr_verbs_fake_count().regions;
    ASSERT_EQ(ops->region->lend(world->server.transport, span), HR_OK);
    EXPECT_EQ(hr_verbs_fake_count().regions, before + 6); // 2, 2 and 1 slots, with each device
    EXPECT_EQ(hr_verbs_fake_count().longest_mr, 2u * HR_SLOT_LEN);
    for (uint32_t i = 0; i < 5; i++) { // slots, whole, wherever they lie
        Chunk &chunk = Make(i, HR_CHUNK_LEN, HR_SLOT_LEN);
        Arm(chunk);
        memcpy(pool.data() + i * size_t{HR_SLOT_LEN}, chunk.payload.data(), chunk.payload.size());
        hr_span own = chunk.write.payload;
        chunk.write.payload.addr = pool.data() + i * size_t{HR_SLOT_LEN};
        Write(chunk);
        ASSERT_TRUE(UntilLanded(i + 1));
        EXPECT_TRUE(chunk.IsThere());
        ASSERT_TRUE(world->Until([&] { return chunk.done > 0; }));
        chunk.write.payload = own;
    }
    ops->region->reclaim(world->server.transport, span);
}

// Loops that sleep and wake by themselves, as workers do.
TEST_P(Verbs, AStreamOfChunksCostsLessThanOneSystemCallPerMiB)
{
    const size_t count = 64;
    OpenWorld(); // over poll: a ring stays with the thread that stepped it first
    OpenLinks();
    Chunk &chunk = Make(0, HR_CHUNK_LEN);
    Register(chunk);
    std::vector<hr_place> places(count, chunk.place); // one upon the other: nobody looks at them
    std::vector<hr_link_write> writes(count, chunk.write);
    for (uint32_t i = 0; i < count; i++) {
        places[i].chunk = writes[i].receipt.chunk = i;
        ASSERT_EQ(ops->link.arm(reader.link, &places[i]), HR_OK);
    }
    const uint64_t before[] = {hr_loop_count(world->client.loop).syscalls,
                               hr_loop_count(world->server.loop).syscalls};
    std::thread client([&] {
        in_step = true;
        while (reader.landed.size() < count)
            hr_loop_step(world->client.loop, HR_NEVER);
    });
    in_step = true;
    for (hr_link_write &write : writes)
        ops->link.write(writer.link, &write);
    while (chunk.done < static_cast<int>(count))
        hr_loop_step(world->server.loop, HR_NEVER);
    in_step = false;
    client.join();
    const uint64_t mib = count * (HR_CHUNK_LEN >> 20);
    EXPECT_LT(hr_loop_count(world->client.loop).syscalls - before[0], mib);
    EXPECT_LT(hr_loop_count(world->server.loop).syscalls - before[1], mib);
}

// What the system answers where more than may be locked is asked for.
hr_status LockedStatus()
{
    struct rlimit limit;
    getrlimit(RLIMIT_MEMLOCK, &limit);
    return limit.rlim_cur == RLIM_INFINITY ? HR_NO_MEMORY : HR_LIMIT;
}

std::mutex saying;
std::string said;

void Overhear(void *, hr_log_level, const char *line)
{
    std::lock_guard<std::mutex> lock(saying);
    said += line;
}

TEST_P(Verbs, MemoryThatMayNotBeLockedIsRefusedAndTheRestGoesOn)
{
    fake.devices = 2;
    fake.locked_max = 1 << 20;
    OpenWorld();
    said = "";
    world->sim.env.log = Overhear;
    OpenLinks();
    std::vector<uint8_t> memory(800 << 10);
    hr_span span = hr_span_host(memory.data(), memory.size());
    unsigned before = hr_verbs_fake_count().regions;
    EXPECT_EQ(ops->region->lend(world->server.transport, span), LockedStatus());
    EXPECT_EQ(hr_verbs_fake_count().regions, before); // the device that had taken it, too
    EXPECT_NE(said.find("800 KiB cannot be registered with fake"), std::string::npos) << said;
    if (LockedStatus() == HR_LIMIT) {
        EXPECT_NE(said.find("800 KiB x (1 ring + 2 NICs) = 2400 KiB"), std::string::npos) << said;
    }
    Move(1, 100000);
}

TEST_P(Verbs, AnExposedDmabufIsRegisteredByItsDescriptor)
{
    OpenWorld();
    int fd = memfd_create("stands for a dma-buf", MFD_CLOEXEC);
    hr_region region = {};
    int answers = 0;
    region.span = hr_span{reinterpret_cast<void *>(8192), 65536, HR_MEMORY_DMABUF, 0, fd};
    region.context = &answers;
    region.done = [](hr_region *answered) { ++*static_cast<int *>(answered->context); };
    ops->region->expose(world->client.transport, &region);
    ASSERT_TRUE(world->Until([&] { return answers == 1; }));
    EXPECT_EQ(region.status, HR_OK);
    EXPECT_EQ(region.address, 8192u);
    EXPECT_EQ(hr_verbs_fake_count().dmabuf_fd, fd);
    EXPECT_EQ(hr_verbs_fake_count().dmabuf_offset, 8192u);
    ops->region->withdraw(world->client.transport, &region);
    ASSERT_TRUE(world->Until([&] { return answers == 2; }));
    EXPECT_EQ(region.status, HR_OK);
    close(fd);
    // "Bad address" says what is missing.
    said = "";
    world->sim.env.log = Overhear;
    hr_verbs_fake_fail("reg_dmabuf_mr", 1, EFAULT);
    ops->region->expose(world->client.transport, &region);
    ASSERT_TRUE(world->Until([&] { return answers == 3; }));
    EXPECT_EQ(region.status, HR_INVALID);
    EXPECT_NE(said.find("64 KiB cannot be registered with fake0: Bad address: the device cannot "
                        "reach this memory; of a GPU's, peer memory (the module nvidia_peermem)"),
              std::string::npos)
        << said;
    // What is no descriptor is refused.
    ops->region->expose(world->client.transport, &region);
    ASSERT_TRUE(world->Until([&] { return answers == 4; }));
    EXPECT_EQ(region.status, HR_INVALID);
}

// Where peer memory is missing the kernel says "bad address".
TEST_P(Verbs, AGpusMemoryIsRegisteredByItsAddress)
{
    OpenWorld();
    hr_region region = {};
    int answers = 0;
    region.span = hr_span{reinterpret_cast<void *>(0x7f0000001010), 65536, HR_MEMORY_CUDA, 1, -1};
    region.context = &answers;
    region.done = [](hr_region *answered) { ++*static_cast<int *>(answered->context); };
    hr_verbs_fake_fail("reg_mr", 1, EFAULT);
    ops->region->expose(world->client.transport, &region);
    ASSERT_TRUE(world->Until([&] { return answers == 1; }));
    EXPECT_EQ(region.status, HR_INVALID);
    ops->region->expose(world->client.transport, &region);
    ASSERT_TRUE(world->Until([&] { return answers == 2; }));
    EXPECT_EQ(region.status, HR_OK);
    EXPECT_EQ(region.address, 0x7f0000001010u);
    EXPECT_EQ(hr_verbs_fake_count().dmabuf_fd, -1);
    ops->region->withdraw(world->client.transport, &region);
    ASSERT_TRUE(world->Until([&] { return answers == 3; }));
    EXPECT_EQ(region.status, HR_OK);
}

} // namespace

#endif
