// SPDX-License-Identifier: Apache-2.0
// Two peers on one thread over any transport, and what records their events: for the suites of
// transports.
#ifndef HR_TRANSPORT_WORLD_H
#define HR_TRANSPORT_WORLD_H

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

// hr_span_host names all but one member, which is C's way and a warning of g++.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
extern "C" {
#include "loop.h"
#include "loop_sim.h"
#include "sim_env.h"
#include "transport.h"
#ifdef HEADRACE_HAS_VERBS
#include "verbs_fake.h"
#endif
}
#pragma GCC diagnostic pop

namespace hr_test
{

// ---- what records the events ----

// Events come from a step and never from inside a call.
inline thread_local bool in_step = false;

struct Channel {
    hr_channel *channel = nullptr;
    std::string got;
    int ups = 0, rooms = 0, downs = 0;
    hr_status status = HR_OK;
};

inline const hr_channel_events channel_events = {
    [](void *context) {
        EXPECT_TRUE(in_step);
        static_cast<Channel *>(context)->ups++;
    },
    [](void *context, const uint8_t *bytes, size_t len) {
        EXPECT_TRUE(in_step);
        auto *self = static_cast<Channel *>(context);
        EXPECT_EQ(self->downs, 0);
        self->got.append(reinterpret_cast<const char *>(bytes), len);
    },
    [](void *context, hr_status status) {
        EXPECT_TRUE(in_step);
        auto *self = static_cast<Channel *>(context);
        self->downs++;
        self->status = status;
    },
    [](void *context) {
        EXPECT_TRUE(in_step);
        static_cast<Channel *>(context)->rooms++;
    },
};

struct Landed {
    hr_place *place;
    hr_receipt receipt;
};

struct Link {
    hr_link *link = nullptr;
    std::vector<Landed> landed;
    int ups = 0, downs = 0;
    hr_status status = HR_OK;
};

inline const hr_link_events link_events = {
    [](void *context) {
        EXPECT_TRUE(in_step);
        static_cast<Link *>(context)->ups++;
    },
    [](void *context, hr_place *place, const hr_receipt *receipt) {
        EXPECT_TRUE(in_step);
        auto *self = static_cast<Link *>(context);
        EXPECT_EQ(self->downs, 0);
        self->landed.push_back({place, *receipt});
    },
    [](void *context, hr_status status) {
        EXPECT_TRUE(in_step);
        auto *self = static_cast<Link *>(context);
        self->downs++;
        self->status = status;
    },
};

struct Listener {
    hr_listener *listener = nullptr;
    char bound[64] = "";
    std::vector<hr_incoming *> incoming;
    int troubles = 0;
};

inline const hr_listener_events listener_events = {
    [](void *context, hr_incoming *incoming) {
        EXPECT_TRUE(in_step);
        static_cast<Listener *>(context)->incoming.push_back(incoming);
    },
    [](void *context, hr_status) { static_cast<Listener *>(context)->troubles++; },
};

inline std::vector<uint8_t> Pattern(size_t len, unsigned seed)
{
    std::vector<uint8_t> bytes(len);
    uint32_t state = seed * 2654435761u + 1;
    for (size_t at = 0; at + 4 <= len; at += 4) {
        state = state * 1664525u + 1013904223u;
        memcpy(&bytes[at], &state, 4);
    }
    return bytes;
}

// A chunk with its place, guarded on both sides, and the write that fills it.
struct Chunk {
    std::vector<uint8_t> payload, memory;
    hr_place place = {};
    hr_link_write write = {};
    hr_region region = {}; // where a NIC must know the memory
    bool is_lent = false;
    int done = 0, region_done = 0;
    static constexpr size_t guard = 64;

    Chunk(uint32_t number, size_t len, size_t room) : payload(Pattern(len, number))
    {
        memory.assign(room + 2 * guard, 0xEE);
        place.transfer = 0x1234567890;
        place.chunk = number;
        place.generation = 1;
        place.span = hr_span_host(memory.data() + guard, room);
        write.payload = hr_span_host(payload.data(), len);
        write.receipt.transfer = place.transfer;
        write.receipt.chunk = number;
        write.receipt.generation = 1;
        write.receipt.stored_len = write.receipt.content_len = static_cast<uint32_t>(len);
        write.receipt.stored_crc = number * 3;
        region.span = place.span;
        region.context = this;
        region.done = [](hr_region *answered) {
            EXPECT_TRUE(in_step);
            static_cast<Chunk *>(answered->context)->region_done++;
        };
        write.context = this;
        write.done = [](hr_link_write *ended) {
            EXPECT_TRUE(in_step);
            static_cast<Chunk *>(ended->context)->done++;
        };
    }
    Chunk(uint32_t number, size_t len) : Chunk(number, len, len)
    {
    }
    Chunk(const Chunk &) = delete;
    bool IsThere() const
    {
        return std::equal(payload.begin(), payload.end(), memory.begin() + guard);
    }
    bool GuardsHold() const
    {
        auto is_guard = [](uint8_t byte) { return byte == 0xEE; };
        return std::all_of(memory.begin(), memory.begin() + guard, is_guard) &&
               std::all_of(memory.end() - guard, memory.end(), is_guard);
    }
    bool IsUntouched() const
    {
        return std::all_of(memory.begin(), memory.end(), [](uint8_t byte) { return byte == 0xEE; });
    }
};

using Chunks = std::vector<Chunk *>;

inline hr_greeting Greeting(hr_greeting_kind kind)
{
    hr_greeting greeting = {};
    greeting.kind = kind;
    greeting.major = 1;
    greeting.session = 0x1122334455667788;
    greeting.link = 7;
    if (kind == HR_GREETING_LINK)
        for (int i = 0; i < HR_TICKET_LEN; i++)
            greeting.ticket[i] = static_cast<uint8_t>(i + 1);
    return greeting;
}

// ---- two peers on one thread ----

struct Kind {
    const char *name;
    const char *loop;
    bool tcp, shared, fault;
    bool verbs = false;
    unsigned rails = 0; // of an inproc transport that imitates NICs
};

inline void PrintTo(const Kind &kind, std::ostream *out)
{
    *out << kind.name;
}

// Of a real device, from the environment; else one that the fake has.
inline const char *VerbsAddress()
{
    static const std::string address =
        std::string(getenv("HEADRACE_VERBS_ADDRESS") != nullptr ? getenv("HEADRACE_VERBS_ADDRESS")
                                                                : "127.0.0.1") +
        ":0";
    return address.c_str();
}

struct Peer {
    hr_loop *loop = nullptr;
    hr_transport *transport = nullptr;
    hr_transport_faults faults = {};
};

// Its clock stands still but for what a test adds to it, over real descriptors too: what is to
// happen before a time has come does so on however slow a machine.
class World
{
  public:
    explicit World(const Kind &kind_) : kind(kind_)
    {
        hr_sim_init(&sim, 1);
    }
    hr_status Open(const hr_transport_faults &faults)
    {
        hr_status status = hr_inproc_hub_create(&sim.env, &hub);
        if (status == HR_OK && kind.verbs)
            status = OpenVerbs();
        for (Peer *peer : {&server, &client}) {
            if (status == HR_OK)
                status = OpenLoop(&peer->loop);
            if (status == HR_OK && kind.tcp)
                status = hr_transport_tcp_create(peer->loop, nullptr, &peer->transport);
            else if (status == HR_OK && kind.verbs)
                status = hr_transport_verbs_create(peer->loop, verbs, &peer->transport);
            else if (status == HR_OK && kind.rails > 0)
                status =
                    hr_transport_inproc_rdma_create(peer->loop, hub, kind.rails, &peer->transport);
            else if (status == HR_OK)
                status = hr_transport_inproc_create(peer->loop, hub, kind.shared, &peer->transport);
            if (status == HR_OK && kind.fault)
                status = hr_transport_fault_create(peer->transport, &faults, &peer->transport);
        }
        return status;
    }
    ~World()
    {
        for (Peer *peer : {&client, &server})
            while (peer->loop != nullptr && !(hr_loop_is_idle(server.loop) && IsClientIdle()))
                Step();
        for (Peer *peer : {&client, &server})
            if (peer->transport != nullptr)
                peer->transport->ops->destroy(peer->transport);
        // Before the loops: a helper may still be about to wake one of them.
        hr_helpers_destroy(helpers);
        for (Peer *peer : {&client, &server})
            hr_loop_destroy(peer->loop);
        hr_inproc_hub_destroy(hub);
        hr_verbs_destroy(verbs);
#ifdef HEADRACE_HAS_VERBS
        if (has_fake) {
            EXPECT_STREQ(hr_verbs_fake_close(), "");
        }
#endif
        EXPECT_EQ(sim.allocated, 0u);
    }
    bool Step()
    {
        in_step = true;
        bool more = true;
        if (std::string(kind.loop) == "sim") {
            more = hr_sim_step(&sim, HR_NEVER);
        } else {
            hr_loop_step(server.loop, 0);
            hr_loop_step(client.loop, 0);
        }
        in_step = false;
        return more;
    }
    // Over real descriptors the watchdog of ctest ends what never comes.
    template <typename Predicate> bool Until(Predicate predicate)
    {
        while (!predicate())
            if (!Step())
                return predicate();
        return true;
    }
    void StepSome()
    {
        for (int i = 0; i < 50; i++)
            Step();
    }
    std::string GetReason() const
    {
        return error.status != HR_OK ? error.text
                                     : std::string(kind.loop) + " is not supported on this machine";
    }
    void Advance(uint64_t ns)
    {
        sim.now_ns += ns;
    }

    Kind kind;
    hr_sim sim;
    hr_inproc_hub *hub = nullptr;
    hr_helpers *helpers = nullptr;
    hr_verbs *verbs = nullptr;
    Peer server, client;

    hr_verbs_options options = {};
#ifdef HEADRACE_HAS_VERBS
    hr_verbs_fake_setup fake = {};
    const char *fail_name = nullptr; // with it, the call that fails
    unsigned fail_nth = 0;
#endif

  private:
    hr_error error = {};
    bool has_fake = false;

    bool IsClientIdle()
    {
        return client.loop == nullptr || hr_loop_is_idle(client.loop);
    }
    // The real devices where HEADRACE_VERBS_ADDRESS names the address of one.
    hr_status OpenVerbs()
    {
#ifdef HEADRACE_HAS_VERBS
        if (getenv("HEADRACE_VERBS_ADDRESS") == nullptr) {
            hr_verbs_fake_open(&fake);
            has_fake = true;
            options.calls = hr_verbs_fake_calls();
            hr_verbs_fake_fail(fail_name, fail_nth, EIO);
        }
#endif
        hr_status status = hr_helpers_create(&sim.env, 2, &helpers);
        if (status == HR_OK)
            status = hr_verbs_create(&sim.env, helpers, &options, &verbs, &error);
        return status;
    }
    hr_status OpenLoop(hr_loop **loop_out)
    {
        std::string loop = kind.loop;
        return loop == "sim"        ? hr_loop_sim_create(&sim, loop_out)
               : loop == "io_uring" ? hr_loop_uring_create(&sim.env, loop_out)
                                    : hr_loop_poll_create(&sim.env, loop_out);
    }
};

class Transport : public testing::TestWithParam<Kind>
{
  protected:
    void SetUp() override
    {
        Open(GetParam(), {});
    }
    void Open(const Kind &kind, const hr_transport_faults &faults)
    {
        world = std::make_unique<World>(kind);
        world->options = options;
#ifdef HEADRACE_HAS_VERBS
        world->fake = fake;
#endif
        hr_status status = world->Open(faults);
        if (status == HR_UNSUPPORTED)
            GTEST_SKIP() << world->GetReason();
        ASSERT_EQ(status, HR_OK) << world->GetReason();
        ops = world->client.transport->ops;
        ops->query(world->client.transport, &caps);
        ASSERT_EQ(Listen(&listener), HR_OK);
    }
    void TearDown() override
    {
        if (world == nullptr)
            return;
        for (Channel *channel : {&near, &far})
            End(channel);
        for (Link *link : {&reader, &writer})
            End(link);
        if (listener.listener != nullptr)
            ops->unlisten(listener.listener);
        for (hr_incoming *incoming : listener.incoming) // whom a test had no use for
            ops->refuse(world->server.transport, incoming);
        for (auto &chunk : made)
            TakeBack(*chunk);
        world.reset();
    }
    hr_status Listen(Listener *listener_)
    {
        return ops->listen(world->server.transport, GetAddress(), &listener_events, listener_,
                           &listener_->listener, listener_->bound);
    }
    const char *GetAddress() const
    {
        if (world->kind.verbs)
            return VerbsAddress();
        return world->kind.tcp ? "127.0.0.1:0" : "somewhere";
    }
    // Closes and frees what a test left open.
    void End(Channel *channel)
    {
        if (channel->channel == nullptr)
            return;
        if (channel->downs == 0)
            ops->channel.close(channel->channel);
        ASSERT_TRUE(world->Until([&] { return channel->downs > 0; }));
        EXPECT_EQ(channel->downs, 1);
        ops->channel.destroy(channel->channel);
        channel->channel = nullptr;
    }
    void End(Link *link)
    {
        if (link->link == nullptr)
            return;
        if (link->downs == 0)
            ops->link.close(link->link);
        ASSERT_TRUE(world->Until([&] { return link->downs > 0; }));
        EXPECT_EQ(link->downs, 1);
        ops->link.destroy(link->link);
        link->link = nullptr;
    }
    hr_status ConnectChannel(Channel *channel, const char *address)
    {
        hr_greeting greeting = Greeting(HR_GREETING_CHANNEL);
        return ops->channel.connect(world->client.transport, address, &greeting, &channel_events,
                                    channel, &channel->channel);
    }
    hr_status ConnectLink(Link *link, const char *address, unsigned rail = HR_RAIL_ANY)
    {
        hr_greeting greeting = Greeting(HR_GREETING_LINK);
        return ops->link.connect(world->client.transport, address, rail, &greeting, &link_events,
                                 link, &link->link);
    }
    hr_incoming *AwaitIncoming()
    {
        if (!world->Until([&] { return !listener.incoming.empty(); }))
            return nullptr;
        hr_incoming *incoming = listener.incoming.back();
        listener.incoming.pop_back();
        return incoming;
    }
    // near is the client's, far the server's.
    void OpenChannels()
    {
        ASSERT_EQ(ConnectChannel(&near, listener.bound), HR_OK);
        hr_incoming *incoming = AwaitIncoming();
        ASSERT_NE(incoming, nullptr);
        ASSERT_EQ(ops->channel.adopt(world->server.transport, incoming, &channel_events, &far,
                                     &far.channel),
                  HR_OK);
        ASSERT_TRUE(world->Until([&] { return near.ups > 0; }));
    }
    // The client reads, the server writes.
    void OpenLinks(unsigned rail = HR_RAIL_ANY)
    {
        ASSERT_EQ(ConnectLink(&reader, listener.bound, rail), HR_OK);
        hr_incoming *incoming = AwaitIncoming();
        ASSERT_NE(incoming, nullptr);
        ASSERT_EQ(
            ops->link.adopt(world->server.transport, incoming, &link_events, &writer, &writer.link),
            HR_OK);
        ASSERT_TRUE(world->Until([&] { return reader.ups > 0; }));
        if (caps.regions)
            ops->link.aim(writer.link, &reader.link->ring);
    }
    // A NIC has to know both ends of a chunk.
    void Register(Chunk &chunk)
    {
        if (!caps.regions || chunk.is_lent)
            return;
        hr_transport *lender = world->server.transport, *exposer = world->client.transport;
        if (!chunk.payload.empty()) {
            ASSERT_EQ(ops->region->lend(lender, chunk.write.payload), HR_OK);
        }
        chunk.is_lent = true;
        chunk.region.rail = reader.link->rail;
        ops->region->expose(exposer, &chunk.region);
        ASSERT_TRUE(world->Until([&] { return chunk.region_done == 1; }));
        ASSERT_EQ(chunk.region.status, HR_OK);
        chunk.write.address = chunk.region.address;
        chunk.write.key = chunk.region.key;
    }
    void TakeBack(Chunk &chunk)
    {
        if (!chunk.is_lent)
            return;
        if (!chunk.payload.empty())
            ops->region->reclaim(world->server.transport, chunk.write.payload);
        ops->region->withdraw(world->client.transport, &chunk.region);
        ASSERT_TRUE(world->Until([&] { return chunk.region_done == 2; }));
        EXPECT_EQ(chunk.region.status, HR_OK);
    }
    void Arm(Chunk &chunk)
    {
        Register(chunk);
        ASSERT_EQ(ops->link.arm(reader.link, &chunk.place), HR_OK);
    }
    void Write(Chunk &chunk)
    {
        Register(chunk);
        ops->link.write(writer.link, &chunk.write);
    }
    bool UntilLanded(size_t count)
    {
        return world->Until([&] { return reader.landed.size() >= count; });
    }
    bool UntilBothDown()
    {
        return world->Until([&] { return reader.downs > 0 && writer.downs > 0; });
    }
    bool SendAll(Channel *channel, const std::string &bytes, size_t piece)
    {
        for (size_t at = 0; at < bytes.size();) {
            size_t len = std::min(piece, bytes.size() - at);
            int rooms = channel->rooms;
            hr_status status = ops->channel.send(channel->channel, bytes.data() + at, len);
            if (status == HR_OK)
                at += len;
            else if (status != HR_AGAIN || !world->Until([&] { return channel->rooms > rooms; }))
                return false;
        }
        return true;
    }

    // Lives until the links are gone, as the contract of write and arm wants it.
    template <typename... Arguments> Chunk &Make(Arguments... arguments)
    {
        made.push_back(std::make_unique<Chunk>(arguments...));
        return *made.back();
    }

    std::unique_ptr<World> world;
    std::vector<std::unique_ptr<Chunk>> made;
    const hr_transport_ops *ops = nullptr;
    hr_transport_caps caps = {};
    hr_verbs_options options = {};
#ifdef HEADRACE_HAS_VERBS
    hr_verbs_fake_setup fake = {};
#endif
    Listener listener;
    Channel near, far;
    Link reader, writer;
};

} // namespace hr_test

#endif
