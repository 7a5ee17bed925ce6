// SPDX-License-Identifier: Apache-2.0
// The verbs transport on the fake: peers that do what they may not, the fence, and what goes wrong
// outside.
#include "transport_world.h"

#ifdef HEADRACE_HAS_VERBS

#include <thread>

#include "verbs_world.h"

extern "C" {
#include "verbs.h"
}

namespace
{

using namespace hr_test;

INSTANTIATE_TEST_SUITE_P(All, Verbs, testing::Values(verbs_kind));

struct Trespass {
    const char *name;
    void (*change)(Chunk &chunk);
};

TEST_P(Verbs, AWriteOutsideAPlaceIsStoppedByTheDevice)
{
    const Trespass trespasses[] = {
        {"before it", [](Chunk &chunk) { chunk.write.address -= 1; }},
        {"behind it", [](Chunk &chunk) { chunk.write.address += 1; }},
        {"another key", [](Chunk &chunk) { chunk.write.key += 7777; }},
    };
    OpenWorld();
    for (const Trespass &trespass : trespasses) {
        SCOPED_TRACE(trespass.name);
        OpenLinks();
        Chunk &chunk = Make(1, 5000);
        Arm(chunk);
        trespass.change(chunk);
        Write(chunk);
        ASSERT_TRUE(UntilBothDown());
        EXPECT_EQ(writer.status, HR_PROTOCOL);
        EXPECT_EQ(reader.status, HR_PEER_LOST);
        EXPECT_TRUE(chunk.IsUntouched());
        End(&reader);
        End(&writer);
        reader = writer = Link();
    }
}

TEST_P(Verbs, AWithdrawnRegionTakesNothing)
{
    OpenWorld();
    OpenLinks();
    Chunk &chunk = Make(1, 5000);
    Arm(chunk);
    ops->region->withdraw(world->client.transport, &chunk.region);
    ASSERT_TRUE(world->Until([&] { return chunk.region_done == 2; }));
    hr_verbs_fake_fence(chunk.memory.data(), chunk.memory.size());
    Write(chunk);
    ASSERT_TRUE(UntilBothDown());
    EXPECT_EQ(writer.status, HR_PROTOCOL);
    EXPECT_TRUE(chunk.IsUntouched());
    ops->region->reclaim(world->server.transport, chunk.write.payload);
    chunk.is_lent = false;
}

TEST_P(Verbs, AReceiptInAnotherEntryOfTheRingEndsTheLink)
{
    OpenWorld();
    OpenLinks();
    hr_link_ring shifted = reader.link->ring;
    shifted.address += 64;
    ops->link.aim(writer.link, &shifted);
    Chunk &chunk = Make(1, 5000);
    Arm(chunk);
    Write(chunk);
    ASSERT_TRUE(UntilBothDown());
    EXPECT_EQ(reader.status, HR_PROTOCOL);
    EXPECT_TRUE(reader.landed.empty());
}

TEST_P(Verbs, AnImmediateThatIsNotTheNextOneEndsTheLink)
{
    OpenWorld();
    OpenLinks();
    Chunk &chunk = Make(1, 5000);
    Arm(chunk);
    hr_verbs_fake_skip_immediate();
    Write(chunk);
    ASSERT_TRUE(UntilBothDown());
    EXPECT_EQ(reader.status, HR_PROTOCOL);
    EXPECT_TRUE(reader.landed.empty());
}

TEST_P(Verbs, MoreReceiptsThanGrantsBreakTheWriter)
{
    OpenWorld();
    OpenLinks();
    Chunk &ungranted = Make(1, 0, 10);
    std::vector<hr_link_write> writes(HR_LINK_PLACES_MAX + 1, ungranted.write);
    hr_verbs_fake_expect_rnr();
    for (hr_link_write &write : writes)
        ops->link.write(writer.link, &write);
    while (writer.downs == 0) { // the reader does not look
        in_step = true;
        hr_loop_step(world->server.loop, 0);
        in_step = false;
    }
    EXPECT_EQ(writer.status, HR_PROTOCOL);
    ASSERT_TRUE(UntilBothDown());
    EXPECT_EQ(ungranted.done, static_cast<int>(writes.size()));
}

// ---- the fence ----

TEST_P(Verbs, NothingIsWrittenAfterTheReaderIsDown)
{
    OpenWorld();
    for (int steps = 0; steps < 8; steps++) {
        OpenLinks();
        Chunks chunks;
        for (uint32_t i = 0; i < 6; i++) {
            chunks.push_back(&Make(i, 3 << 20));
            Arm(*chunks.back());
        }
        hr_verbs_fake_hold(true);
        for (Chunk *chunk : chunks)
            Write(*chunk);
        for (int i = 0; i < steps; i++)
            world->Step();
        ops->link.close(reader.link);
        hr_verbs_fake_hold(false);
        ASSERT_TRUE(world->Until([&] { return reader.downs > 0; }));
        for (Chunk *chunk : chunks)
            hr_verbs_fake_fence(chunk->memory.data(), chunk->memory.size());
        ASSERT_TRUE(world->Until([&] { return writer.downs > 0; }));
        world->StepSome();
        for (Chunk *chunk : chunks) {
            EXPECT_EQ(chunk->done, 1);
            hr_verbs_fake_unfence(chunk->memory.data());
        }
        End(&reader);
        End(&writer);
        reader = writer = Link();
    }
}

TEST_P(Verbs, NothingIsReadAfterAWriteIsDone)
{
    OpenWorld();
    OpenLinks();
    Chunks chunks;
    hr_verbs_fake_hold(true);
    for (uint32_t i = 0; i < 6; i++) {
        chunks.push_back(&Make(i, 3 << 20));
        Arm(*chunks.back());
        chunks.back()->write.done = [](hr_link_write *write) {
            EXPECT_EQ(hr_verbs_fake_count().in_flight, 0u);
            static_cast<Chunk *>(write->context)->done++;
        };
        Write(*chunks.back());
    }
    ops->link.close(writer.link);
    ASSERT_TRUE(world->Until([&] { return writer.downs > 0; }));
    for (Chunk *chunk : chunks) {
        EXPECT_EQ(chunk->done, 1);
        EXPECT_EQ(chunk->write.status, HR_CANCELED);
        ops->region->reclaim(world->server.transport, chunk->write.payload);
        chunk->is_lent = false;
    }
    EXPECT_EQ(hr_verbs_fake_count().in_flight, 0u);
    hr_verbs_fake_hold(false);
    ASSERT_TRUE(world->Until([&] { return reader.downs > 0; }));
    for (Chunk *chunk : chunks) {
        ops->region->withdraw(world->client.transport, &chunk->region);
        ASSERT_TRUE(world->Until([&] { return chunk->region_done == 2; }));
    }
}

// ---- what goes wrong outside ----

TEST_P(Verbs, EveryBadCompletionEndsTheLinkWithItsStatus)
{
    struct Case {
        ibv_wc_status completion;
        hr_status status;
    };
    const Case cases[] = {
        {IBV_WC_RETRY_EXC_ERR, HR_PEER_LOST},
        {IBV_WC_REM_ABORT_ERR, HR_PEER_LOST},
        {IBV_WC_RNR_RETRY_EXC_ERR, HR_PROTOCOL},
        {IBV_WC_REM_ACCESS_ERR, HR_PROTOCOL},
        {IBV_WC_REM_INV_REQ_ERR, HR_PROTOCOL},
        {IBV_WC_REM_OP_ERR, HR_PROTOCOL},
        {IBV_WC_LOC_PROT_ERR, HR_IO},
        {IBV_WC_LOC_LEN_ERR, HR_IO},
        {IBV_WC_FATAL_ERR, HR_IO},
        {IBV_WC_GENERAL_ERR, HR_IO},
    };
    OpenWorld();
    for (const Case &wanted : cases) {
        SCOPED_TRACE(ibv_wc_status_str(wanted.completion));
        OpenLinks();
        Chunk &chunk = Make(1, 3 << 20), &next = Make(2, 5000);
        Arm(chunk);
        Arm(next);
        hr_verbs_fake_complete_with(wanted.completion);
        Write(chunk);
        Write(next);
        ASSERT_TRUE(UntilBothDown());
        EXPECT_EQ(writer.status, wanted.status);
        EXPECT_EQ(reader.status, HR_PEER_LOST);
        EXPECT_TRUE(reader.landed.empty());
        EXPECT_EQ(chunk.done + next.done, 2);
        EXPECT_EQ(chunk.write.status, HR_PEER_LOST);
        End(&reader);
        End(&writer);
        reader = writer = Link();
    }
}

TEST_P(Verbs, ADeviceThatDisappearsEndsItsLinks)
{
    fake.devices = 2;
    OpenWorld();
    OpenLinks();
    Chunk &chunk = Make(1, 5000);
    Arm(chunk);
    hr_verbs_fake_event(1, RDMA_CM_EVENT_DEVICE_REMOVAL); // another one
    hr_verbs_fake_event(0, RDMA_CM_EVENT_ADDR_CHANGE);
    hr_verbs_fake_event(0, RDMA_CM_EVENT_TIMEWAIT_EXIT);
    world->StepSome();
    EXPECT_EQ(reader.downs + writer.downs, 0);
    hr_verbs_fake_hold(true);
    Write(chunk);
    hr_verbs_fake_event(0, RDMA_CM_EVENT_DEVICE_REMOVAL);
    ASSERT_TRUE(UntilBothDown());
    EXPECT_EQ(reader.status, HR_PEER_LOST);
    EXPECT_EQ(writer.status, HR_PEER_LOST);
    EXPECT_EQ(chunk.done, 1);
}

TEST_P(Verbs, WhatArrivedBeforeThePeerLeftHasArrived)
{
    OpenWorld();
    OpenLinks();
    Chunks chunks;
    for (uint32_t i = 0; i < 40; i++) {
        chunks.push_back(&Make(i, 100));
        Arm(*chunks.back());
    }
    for (Chunk *chunk : chunks)
        Write(*chunk);
    in_step = true;
    while (chunks.back()->done == 0) // the reader does not look
        hr_loop_step(world->server.loop, 0);
    in_step = false;
    ops->link.close(writer.link);
    ASSERT_TRUE(UntilBothDown());
    EXPECT_EQ(reader.landed.size(), chunks.size());
    EXPECT_EQ(reader.status, HR_PEER_LOST);
}
} // namespace

#endif
