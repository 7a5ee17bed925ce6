// SPDX-License-Identifier: Apache-2.0
// A peer that speaks the protocol as far as a test wants it to, and a proxy that looks at what goes
// by and may change it.
#ifndef HR_PROCESS_WIRE_H
#define HR_PROCESS_WIRE_H

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <poll.h>
#include <string.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

extern "C" {
#include "bytes.h"
#include "message.h"
#include "receipt.h"
#include "stranger.h"
}

// One end of a channel whose greeting is over.
class Speaker
{
  public:
    explicit Speaker(int fd) : fd_(fd), memory_(HR_MESSAGE_PAGE_ARENA_LEN / sizeof(uint64_t))
    {
    }
    Speaker(const Speaker &) = delete;
    Speaker &operator=(const Speaker &) = delete;
    ~Speaker()
    {
        close(fd_);
    }
    // A client's: greets first.
    static int connect(const std::string &address, uint16_t major = HR_PROTOCOL_MAJOR)
    {
        int fd = -1;
        uint8_t bytes[HR_GREETING_LEN];
        hr_greeting greeting = {};
        greeting.kind = HR_GREETING_CHANNEL;
        greeting.major = major;
        hr_greeting_pack(&greeting, bytes);
        EXPECT_EQ(HR_OK, hr_stranger_connect(address.c_str(), &fd));
        EXPECT_EQ(HR_OK, hr_stranger_send(fd, bytes, sizeof bytes));
        return fd;
    }
    // A server's: takes the greeting of the next client.
    static int accept(int listener)
    {
        int fd = -1;
        uint8_t bytes[HR_GREETING_LEN];
        EXPECT_EQ(HR_OK, hr_stranger_accept(listener, &fd));
        EXPECT_EQ(HR_OK, hr_stranger_receive(fd, bytes, sizeof bytes));
        return fd;
    }
    std::vector<uint8_t> pack(const hr_message &message)
    {
        std::vector<uint8_t> frame(HR_MESSAGE_PAGE_MAX + HR_FRAME_HEADER_LEN);
        size_t len = 0;
        hr_arena arena = hr_arena_make(memory_.data(), HR_MESSAGE_PAGE_ARENA_LEN);
        EXPECT_EQ(HR_OK, hr_message_pack(&message, &arena, frame.data(), frame.size(), &len));
        frame.resize(len);
        return frame;
    }
    void send(const hr_message &message)
    {
        std::vector<uint8_t> frame = pack(message);
        EXPECT_EQ(HR_OK, hr_stranger_send(fd_, frame.data(), frame.size()));
    }
    // The next message that is no heartbeat; false: the connection ended.
    bool receive(hr_side sender, hr_message *message)
    {
        do {
            uint8_t header[HR_FRAME_HEADER_LEN];
            if (hr_stranger_receive(fd_, header, sizeof header) != HR_OK)
                return false;
            body_.resize(hr_get_u32(header));
            if (hr_stranger_receive(fd_, body_.data(), body_.size()) != HR_OK)
                return false;
            hr_arena arena = hr_arena_make(memory_.data(), HR_MESSAGE_PAGE_ARENA_LEN);
            EXPECT_EQ(HR_OK,
                      hr_message_unpack(body_.data(), body_.size(), sender, &arena, message));
        } while (message->kind == HR_MESSAGE_PING || message->kind == HR_MESSAGE_PONG);
        return true;
    }
    void hello(uint32_t major = HR_PROTOCOL_MAJOR)
    {
        hr_message message = {};
        message.kind = HR_MESSAGE_HELLO;
        message.hello.major = major;
        send(message);
    }
    void welcome(uint32_t major = HR_PROTOCOL_MAJOR)
    {
        hr_message message = {};
        message.kind = HR_MESSAGE_WELCOME;
        message.welcome.major = major;
        message.welcome.session = 1;
        message.welcome.links_max = 4;
        message.welcome.heartbeat_ms = HR_MESSAGE_HEARTBEAT_MS;
        send(message);
    }
    int fd() const
    {
        return fd_;
    }

  private:
    int fd_;
    std::vector<uint64_t> memory_;
    std::vector<uint8_t> body_;
};

// Stands before a server on a port of its own. Every payload that goes by on a link is shown to
// change, which may alter it.
class Proxy
{
  public:
    using Change = std::function<void(const hr_receipt &receipt, uint8_t *payload)>;
    // Of what the server says on the channel, as it arrives.
    using ChannelChange = std::function<void(char *bytes, size_t len)>;

    Proxy(std::string server, Change change, ChannelChange channel_change = {})
        : server_(std::move(server)), change_(std::move(change)),
          channel_change_(std::move(channel_change))
    {
        char address[64];
        EXPECT_EQ(HR_OK, hr_stranger_listen(&listener_, address));
        address_ = address;
        acceptor_ = std::thread([this] { take_connections(); });
    }
    Proxy(const Proxy &) = delete;
    Proxy &operator=(const Proxy &) = delete;
    // After both ends are gone: pumps end with their connections.
    ~Proxy()
    {
        shutdown(listener_, SHUT_RDWR);
        acceptor_.join();
        for (std::thread &pump : pumps_)
            pump.join();
        close(listener_);
    }
    const std::string &address() const
    {
        return address_;
    }

  private:
    void take_connections()
    {
        int client;
        while (hr_stranger_accept(listener_, &client) == HR_OK) {
            uint8_t greeting[HR_GREETING_LEN] = {};
            int server = greet(client, greeting);
            if (server < 0) { // one end of it was killed
                close(client);
                continue;
            }
            bool is_link = greeting[0] == 'H' && greeting[10] == HR_GREETING_LINK;
            pumps_.emplace_back([=] { pump(client, server, is_link); });
        }
    }
    // The connection to the server on which this client has greeted, or -1.
    int greet(int client, uint8_t *greeting) const
    {
        int server = -1;
        if (hr_stranger_receive(client, greeting, 1) != HR_OK)
            return -1;
        size_t len = greeting[0] == 'H' ? HR_GREETING_LEN : 1; // a channel in TLS has none
        if (hr_stranger_receive(client, greeting + 1, len - 1) != HR_OK ||
            hr_stranger_connect(server_.c_str(), &server) != HR_OK)
            return -1;
        if (hr_stranger_send(server, greeting, len) == HR_OK)
            return server;
        close(server);
        return -1;
    }
    void pump(int client, int server, bool is_link)
    {
        std::thread back([=] { copy(client, server); });
        if (is_link)
            copy_link(server, client);
        else
            copy(server, client, channel_change_);
        back.join();
        close(client);
        close(server);
    }
    static void copy(int from, int to, const ChannelChange &change = {})
    {
        char bytes[65536];
        for (;;) {
            const ssize_t got = recv(from, bytes, sizeof bytes, 0);
            if (got < 0 && errno == EINTR) // the test itself was stopped, and goes on
                continue;
            if (got <= 0)
                break;
            if (change)
                change(bytes, (size_t)got);
            if (hr_stranger_send(to, bytes, (size_t)got) != HR_OK)
                break;
        }
        end_both(from, to);
    }
    void copy_link(int from, int to)
    {
        uint8_t header[HR_RECEIPT_LEN];
        std::vector<uint8_t> payload;
        while (hr_stranger_receive(from, header, sizeof header) == HR_OK) {
            hr_receipt receipt;
            EXPECT_EQ(HR_OK, hr_receipt_unpack(header, &receipt));
            payload.resize(receipt.stored_len);
            if (hr_stranger_receive(from, payload.data(), payload.size()) != HR_OK)
                break;
            change_(receipt, payload.data());
            if (hr_stranger_send(to, header, sizeof header) != HR_OK ||
                hr_stranger_send(to, payload.data(), payload.size()) != HR_OK)
                break;
        }
        end_both(from, to);
    }
    static void end_both(int one, int other)
    {
        shutdown(one, SHUT_RDWR);
        shutdown(other, SHUT_RDWR);
    }

    std::string server_, address_;
    Change change_;
    ChannelChange channel_change_;
    int listener_ = -1;
    std::thread acceptor_;
    std::vector<std::thread> pumps_;
};

// The way to a server on which so many chunks go by, and no more until they are let go: a get that
// takes it is in mid-transfer for as long as a test wants, on the slowest machine too.
class Held
{
  public:
    Held(const std::string &server, uint64_t chunks)
        : left_(chunks), proxy_(server, [this](const hr_receipt &, uint8_t *) { pass(); })
    {
    }
    ~Held()
    {
        let_go();
    }
    void let_go()
    {
        std::lock_guard<std::mutex> locked(lock_);
        open_ = true;
        changed_.notify_all();
    }
    const std::string &address() const
    {
        return proxy_.address();
    }
    std::string url(const std::string &name) const
    {
        return "hr://" + address() + "/data" + (name.empty() ? "" : "/" + name);
    }

  private:
    void pass()
    {
        std::unique_lock<std::mutex> locked(lock_);
        changed_.wait(locked, [this] { return open_ || left_ > 0; });
        left_ -= left_ > 0;
    }

    std::mutex lock_;
    std::condition_variable changed_;
    uint64_t left_;
    bool open_ = false;
    Proxy proxy_; // the first to end
};

#endif
