// SPDX-License-Identifier: Apache-2.0
// TCP against peers that are no Headrace, or a broken one: strangers at the listener, and bytes on
// a link that no writer of ours would send.
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport_world.h"

namespace
{

using namespace hr_test;

// A plain blocking socket.
class Stranger
{
  public:
    explicit Stranger(const char *bound)
    {
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in address = {};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(static_cast<uint16_t>(atoi(strrchr(bound, ':') + 1)));
        EXPECT_EQ(connect(fd, reinterpret_cast<struct sockaddr *>(&address), sizeof address), 0);
    }
    ~Stranger()
    {
        Close();
    }
    Stranger(const Stranger &) = delete;
    void Send(const void *bytes, size_t len)
    {
        EXPECT_EQ(send(fd, bytes, len, MSG_NOSIGNAL), static_cast<ssize_t>(len));
    }
    void SendGreeting(hr_greeting_kind kind)
    {
        hr_greeting greeting = Greeting(kind);
        uint8_t bytes[HR_GREETING_LEN];
        hr_greeting_pack(&greeting, bytes);
        Send(bytes, sizeof bytes);
    }
    void SendReceipt(const hr_receipt &receipt)
    {
        uint8_t bytes[HR_RECEIPT_LEN];
        hr_receipt_pack(&receipt, bytes);
        Send(bytes, sizeof bytes);
    }
    // The other side has ended the stream.
    bool IsCutOff() const
    {
        char byte;
        ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);
        return got == 0 || (got < 0 && errno == ECONNRESET);
    }
    void Close()
    {
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    int fd;
};

class Tcp : public Transport
{
  protected:
    // A stranger stands where the writer should: reader is the server's, place is armed.
    void MeetStranger(Stranger &stranger, Chunk &chunk)
    {
        stranger.SendGreeting(HR_GREETING_LINK);
        hr_incoming *incoming = AwaitIncoming();
        ASSERT_NE(incoming, nullptr);
        ASSERT_EQ(
            ops->link.adopt(world->server.transport, incoming, &link_events, &reader, &reader.link),
            HR_OK);
        Arm(chunk);
    }
    hr_status AwaitDown()
    {
        world->Until([&] { return reader.downs > 0; });
        return reader.status;
    }
};

std::string Named(const testing::TestParamInfo<Kind> &kind)
{
    return kind.param.name;
}

INSTANTIATE_TEST_SUITE_P(All, Tcp,
                         testing::Values(Kind{"io_uring", "io_uring", true, false, false},
                                         Kind{"poll", "poll", true, false, false}),
                         Named);

// ---- strangers at the listener ----

TEST_P(Tcp, WhatIsNoGreetingIsCutOff)
{
    Stranger browser(listener.bound), tls(listener.bound);
    std::string request =
        "GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: something or other\r\n\r\n";
    browser.Send(request.data(), request.size());
    std::vector<uint8_t> hello(64, 0x16);
    tls.Send(hello.data(), hello.size());
    ASSERT_TRUE(world->Until([&] { return browser.IsCutOff() && tls.IsCutOff(); }));
    EXPECT_TRUE(listener.incoming.empty());
}

TEST_P(Tcp, ASilentStrangerIsCutOffAfterFiveSeconds)
{
    Stranger silent(listener.bound), halfway(listener.bound);
    halfway.Send("HEADRACE", 8);
    // Both are seated once a later one has been served.
    Stranger third(listener.bound);
    third.SendGreeting(HR_GREETING_CHANNEL);
    ops->refuse(world->server.transport, AwaitIncoming());
    world->Advance(4 * HR_NS_PER_S);
    world->StepSome();
    EXPECT_FALSE(silent.IsCutOff());
    EXPECT_FALSE(halfway.IsCutOff());
    world->Advance(HR_NS_PER_S);
    ASSERT_TRUE(world->Until([&] { return silent.IsCutOff() && halfway.IsCutOff(); }));
    EXPECT_TRUE(listener.incoming.empty());
}

TEST_P(Tcp, SixtyFourStrangersCannotKeepTheDoorShut)
{
    std::vector<std::unique_ptr<Stranger>> strangers;
    for (int i = 0; i < 64; i++)
        strangers.push_back(std::make_unique<Stranger>(listener.bound));
    Stranger guest(listener.bound);
    guest.SendGreeting(HR_GREETING_CHANNEL);
    for (int i = 0; i < 20; i++)
        world->StepSome();
    EXPECT_TRUE(listener.incoming.empty()); // waits in the kernel's queue
    world->Advance(250 * HR_NS_PER_MS);     // the first of them has had its chance
    hr_incoming *incoming = AwaitIncoming();
    ASSERT_NE(incoming, nullptr);
    ops->refuse(world->server.transport, incoming);
    ASSERT_TRUE(world->Until([&] { return guest.IsCutOff(); }));
}

TEST_P(Tcp, AFirstRecordOfTlsIsTakenWhole)
{
    std::vector<uint8_t> record = Pattern(5 + 300, 7);
    const uint8_t header[] = {0x16, 3, 1, 300 >> 8, 300 & 255};
    std::copy(header, header + 5, record.begin());
    Stranger stranger(listener.bound);
    stranger.Send(record.data(), 200);
    world->StepSome();
    EXPECT_TRUE(listener.incoming.empty());
    stranger.Send(record.data() + 200, record.size() - 200);
    hr_incoming *incoming = AwaitIncoming();
    ASSERT_NE(incoming, nullptr);
    EXPECT_EQ(incoming->greeting.kind, HR_GREETING_TLS);
    EXPECT_EQ(record, std::vector<uint8_t>(incoming->first, incoming->first + incoming->first_len));
    ops->refuse(world->server.transport, incoming);
}

TEST_P(Tcp, AFirstRecordOfTlsOfMoreThanSixteenKilobytesIsCutOff)
{
    Stranger stranger(listener.bound);
    const uint8_t header[] = {0x16, 3, 1, 0x3f, 0xfc}; // 16,380 and its five bytes
    stranger.Send(header, sizeof header);
    ASSERT_TRUE(world->Until([&] { return stranger.IsCutOff(); }));
}

TEST_P(Tcp, AStrangerThatLeavesFreesItsSeat)
{
    // Fewer than the kernel's queue holds, more than there are seats.
    for (int i = 0; i < 100; i++)
        Stranger(listener.bound).Send("HEADRACE", 8);
    Stranger guest(listener.bound);
    guest.SendGreeting(HR_GREETING_CHANNEL);
    hr_incoming *incoming = AwaitIncoming();
    ASSERT_NE(incoming, nullptr);
    ops->refuse(world->server.transport, incoming);
}

// ---- bytes on a link ----

TEST_P(Tcp, BytesThatAreNoReceiptEndTheLink)
{
    Stranger stranger(listener.bound);
    Chunk &chunk = Make(1, 5000);
    MeetStranger(stranger, chunk);
    std::vector<uint8_t> garbage = Pattern(200, 3);
    stranger.Send(garbage.data(), garbage.size());
    EXPECT_EQ(AwaitDown(), HR_PROTOCOL);
    EXPECT_TRUE(chunk.IsUntouched());
}

TEST_P(Tcp, AReceiptForNoGrantEndsTheLink)
{
    Stranger stranger(listener.bound);
    Chunk &chunk = Make(1, 5000);
    MeetStranger(stranger, chunk);
    hr_receipt receipt = chunk.write.receipt;
    receipt.generation = 2;
    stranger.SendReceipt(receipt);
    stranger.Send(chunk.payload.data(), chunk.payload.size());
    EXPECT_EQ(AwaitDown(), HR_PROTOCOL);
    EXPECT_TRUE(chunk.IsUntouched());
}

TEST_P(Tcp, AReceiptThatClaimsGigabytesEndsTheLink)
{
    Stranger stranger(listener.bound);
    Chunk &chunk = Make(1, 5000);
    MeetStranger(stranger, chunk);
    hr_receipt receipt = chunk.write.receipt;
    receipt.stored_len = UINT32_MAX;
    stranger.SendReceipt(receipt);
    EXPECT_EQ(AwaitDown(), HR_PROTOCOL);
    EXPECT_TRUE(chunk.IsUntouched());
}

TEST_P(Tcp, APeerThatStopsInMidReceiptOrMidPayloadIsLost)
{
    for (bool in_payload : {false, true}) {
        Stranger stranger(listener.bound);
        Chunk &chunk = Make(1, 5000);
        MeetStranger(stranger, chunk);
        uint8_t bytes[HR_RECEIPT_LEN];
        hr_receipt_pack(&chunk.write.receipt, bytes);
        stranger.Send(bytes, in_payload ? sizeof bytes : 30);
        if (in_payload)
            stranger.Send(chunk.payload.data(), 1000);
        world->StepSome();
        EXPECT_EQ(reader.downs, 0); // it may still go on
        stranger.Close();
        EXPECT_EQ(AwaitDown(), HR_PEER_LOST);
        EXPECT_TRUE(reader.landed.empty());
        EXPECT_TRUE(chunk.GuardsHold());
        End(&reader);
        reader = Link();
    }
}

TEST_P(Tcp, APlaceWhosePayloadIsOnItsWayCannotBeTakenBack)
{
    Stranger stranger(listener.bound);
    Chunk &chunk = Make(1, 5000);
    MeetStranger(stranger, chunk);
    stranger.SendReceipt(chunk.write.receipt);
    ASSERT_TRUE(world->Until(
        [&] { return !ops->link.disarm(reader.link, &chunk.place) || (Arm(chunk), false); }));
    stranger.Send(chunk.payload.data(), chunk.payload.size());
    ASSERT_TRUE(UntilLanded(1));
    EXPECT_TRUE(chunk.IsThere());
}

TEST_P(Tcp, NothingLandsAfterTheFence)
{
    Stranger stranger(listener.bound);
    Chunk &chunk = Make(1, 1 << 20);
    MeetStranger(stranger, chunk);
    stranger.SendReceipt(chunk.write.receipt);
    stranger.Send(chunk.payload.data(), 1000);
    world->StepSome();
    ops->link.close(reader.link);
    EXPECT_EQ(AwaitDown(), HR_OK);
    memset(chunk.memory.data(), 0xEE, chunk.memory.size());
    // The peer has not noticed, and goes on.
    send(stranger.fd, chunk.payload.data() + 1000, 100000, MSG_NOSIGNAL);
    world->StepSome();
    EXPECT_TRUE(chunk.IsUntouched());
    EXPECT_TRUE(reader.landed.empty());
}

// The test above cannot see a race that the kernel happens to win, so here is the fence itself: no
// operation of the link is left when down is called.
TEST_P(Tcp, DownComesWhenTheLoopHoldsNothingOfTheLink)
{
    struct Watched {
        hr_loop *loop;
        int downs;
        bool was_idle;
    } watched = {world->server.loop, 0, false};
    hr_link_events events = link_events;
    events.down = [](void *context, hr_status) {
        auto *self = static_cast<Watched *>(context);
        self->downs++;
        self->was_idle = hr_loop_is_idle(self->loop);
    };
    Stranger stranger(listener.bound);
    Chunk &chunk = Make(1, 1 << 20);
    stranger.SendGreeting(HR_GREETING_LINK);
    hr_incoming *incoming = AwaitIncoming();
    ASSERT_NE(incoming, nullptr);
    ops->unlisten(listener.listener);
    listener.listener = nullptr;
    hr_link *link;
    ASSERT_EQ(ops->link.adopt(world->server.transport, incoming, &events, &watched, &link), HR_OK);
    ASSERT_EQ(ops->link.arm(link, &chunk.place), HR_OK);
    stranger.SendReceipt(chunk.write.receipt);
    stranger.Send(chunk.payload.data(), 1000);
    world->StepSome();
    ops->link.close(link);
    ASSERT_TRUE(world->Until([&] { return watched.downs > 0; }));
    EXPECT_TRUE(watched.was_idle);
    ops->link.destroy(link);
}

// ---- addresses and options ----

TEST_P(Tcp, RefusesWhatIsNoAddress)
{
    for (const char *address : {"", "host", "host:", "host:70000", "host:12x", ":7431", "::1:7431",
                                "[::1]", "[]:7431", "host:-1"}) {
        EXPECT_EQ(ConnectChannel(&near, address), HR_INVALID) << address;
        EXPECT_EQ(ConnectLink(&reader, address), HR_INVALID) << address;
    }
    EXPECT_EQ(ConnectChannel(&near, (std::string(300, 'a') + ":1").c_str()), HR_INVALID);
    EXPECT_EQ(near.channel, nullptr);
}

TEST_P(Tcp, LooksNamesUpAndTriesAllTheirAddresses)
{
    std::string port = strrchr(listener.bound, ':');
    ASSERT_EQ(ConnectChannel(&near, ("localhost" + port).c_str()), HR_OK);
    hr_incoming *incoming = AwaitIncoming();
    ASSERT_NE(incoming, nullptr);
    ops->refuse(world->server.transport, incoming);
    ASSERT_TRUE(world->Until([&] { return near.downs > 0; }));
    EXPECT_EQ(near.ups, 1);
}

TEST_P(Tcp, AnUnknownNameIsNotFound)
{
    // ".invalid" is reserved for this (RFC 6761).
    ASSERT_EQ(ConnectChannel(&near, "no-such-host.invalid:7431"), HR_OK);
    ASSERT_TRUE(world->Until([&] { return near.downs > 0; }));
    // A resolver that cannot be asked knows of no name either, and does not say that it is none.
    EXPECT_TRUE(near.status == HR_NOT_FOUND || near.status == HR_UNREACHABLE) << near.status;
}

TEST_P(Tcp, SaysWhereItListens)
{
    Listener any;
    hr_status status = ops->listen(world->server.transport, ":0", &listener_events, &any,
                                   &any.listener, any.bound);
    ASSERT_EQ(status, HR_OK);
    EXPECT_NE(std::string(any.bound).find(':'), std::string::npos);
    EXPECT_STRNE(strrchr(any.bound, ':'), ":0");
    ops->unlisten(any.listener);
    EXPECT_EQ(ops->listen(world->server.transport, "nonsense", &listener_events, &any,
                          &any.listener, any.bound),
              HR_INVALID);
}

TEST_P(Tcp, ACongestionControlThatIsNotThereIsSaidAtOnce)
{
    hr_tcp_options tcp_options = {};
    tcp_options.congestion = "no-such-control";
    hr_transport *transport = nullptr;
    EXPECT_EQ(hr_transport_tcp_create(world->client.loop, &tcp_options, &transport),
              HR_UNSUPPORTED);
    EXPECT_EQ(transport, nullptr);
}

} // namespace
