// SPDX-License-Identifier: Apache-2.0
// A proxy between a client and a server that does to what passes what networks do, and what they
// do not. Blocks are what one read gives, at most 16 KiB.
#ifndef HR_PROCESS_PROXY_H
#define HR_PROCESS_PROXY_H

#include <atomic>
#include <cerrno>
#include <memory>
#include <poll.h>
#include <random>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

extern "C" {
#include "stranger.h"
}

enum class Mischief {
    none,
    flip,      // one bit of a block
    cut,       // both ends are closed, in an orderly way or by a reset
    duplicate, // a block comes twice
    swap,      // it comes after the next one
    drop,      // it does not come
    stall,     // nothing comes any more in this direction, and nothing is closed
    close,     // the end of the stream comes before the block, and the other direction goes on
};

class Proxy
{
  public:
    // Once in so many blocks on average, from a block of chance on; every: UINT64_MAX is never.
    Proxy(const std::string &server, Mischief mischief, uint64_t every, uint64_t seed)
        : server_(server), mischief_(mischief), every_(every), dice_(seed)
    {
        char address[64] = "";
        if (hr_stranger_listen(&listener_, address) != HR_OK || pipe(stop_) != 0)
            abort();
        address_ = address;
        thread_ = std::thread([this] { run(); });
    }
    Proxy(const Proxy &) = delete;
    Proxy &operator=(const Proxy &) = delete;
    ~Proxy()
    {
        end();
    }
    // Nothing passes any more.
    void end()
    {
        if (!thread_.joinable())
            return;
        close(stop_[1]);
        thread_.join();
        close(stop_[0]);
    }
    const std::string &address() const
    {
        return address_;
    }
    unsigned done() const // mischief
    {
        return done_;
    }

  private:
    static constexpr size_t block_max = 16384;
    struct Way {
        int from, to;
        std::vector<uint8_t> pending, held;
        bool at_end, stalled;
    };
    struct Pair {
        int client, server;
        Way ways[2];
        bool dead;
    };

    bool is_due()
    {
        if (mischief_ == Mischief::none || dice_() % every_ != 0)
            return false;
        done_++;
        return true;
    }
    void accept_one()
    {
        int client = accept(listener_, nullptr, nullptr), server;
        if (client < 0)
            return;
        if (hr_stranger_connect(server_.c_str(), &server) != HR_OK) {
            close(client);
            return;
        }
        auto pair = std::make_unique<Pair>();
        *pair = {client,
                 server,
                 {{client, server, {}, {}, false, false}, {server, client, {}, {}, false, false}},
                 false};
        pairs_.push_back(std::move(pair));
    }
    static void append(std::vector<uint8_t> &to, const std::vector<uint8_t> &bytes)
    {
        to.insert(to.end(), bytes.begin(), bytes.end());
    }
    void pass(Pair &pair, Way &way, std::vector<uint8_t> block)
    {
        if (is_due()) {
            switch (mischief_) {
            case Mischief::flip:
                block[dice_() % block.size()] ^= (uint8_t)(1u << dice_() % 8);
                break;
            case Mischief::cut:
                if (dice_() % 2 == 0)
                    hr_stranger_reset(pair.client), hr_stranger_reset(pair.server),
                        pair.client = pair.server = -1;
                pair.dead = true;
                return;
            case Mischief::duplicate:
                append(way.pending, block);
                break;
            case Mischief::swap:
                append(way.held, block);
                return;
            case Mischief::drop:
                return;
            case Mischief::stall:
                way.stalled = true;
                return;
            case Mischief::close:
                shutdown(way.to, SHUT_WR);
                way.stalled = true;
                return;
            case Mischief::none:
                break;
            }
        }
        append(way.pending, block);
        append(way.pending, way.held);
        way.held.clear();
    }
    void read_some(Pair &pair, Way &way)
    {
        std::vector<uint8_t> block(block_max);
        ssize_t len = recv(way.from, block.data(), block.size(), MSG_DONTWAIT);
        if (len < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (len < 0) {
            pair.dead = true;
            return;
        }
        block.resize((size_t)len);
        if (len > 0) {
            pass(pair, way, std::move(block));
            return;
        }
        append(way.pending, way.held);
        way.held.clear();
        way.at_end = true;
        if (way.pending.empty())
            shutdown(way.to, SHUT_WR);
    }
    static void write_some(Pair &pair, Way &way)
    {
        ssize_t len =
            send(way.to, way.pending.data(), way.pending.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (len < 0 && errno != EAGAIN && errno != EINTR)
            pair.dead = true;
        if (len > 0)
            way.pending.erase(way.pending.begin(), way.pending.begin() + len);
        if (way.at_end && way.pending.empty())
            shutdown(way.to, SHUT_WR);
    }
    static bool wants_more(const Way &way)
    {
        return !way.at_end && !way.stalled && way.pending.size() < 4 * block_max;
    }
    void serve(Pair &pair, const pollfd *fds)
    {
        for (Way &way : pair.ways) {
            const short from = fds[&way == &pair.ways[0] ? 0 : 1].revents;
            const short to = fds[&way == &pair.ways[0] ? 1 : 0].revents;
            if (!pair.dead && (from & (POLLIN | POLLHUP | POLLERR)) != 0 && wants_more(way))
                read_some(pair, way);
            if (!pair.dead && (to & POLLOUT) != 0 && !way.pending.empty())
                write_some(pair, way);
        }
        // A stalled one is dead when nobody is left to wait for it.
        const bool over = (fds[0].revents & POLLHUP) != 0 && (fds[1].revents & POLLHUP) != 0;
        const Way &first = pair.ways[0], &second = pair.ways[1];
        if ((first.at_end || first.stalled) && (second.at_end || second.stalled) &&
            first.pending.empty() && second.pending.empty() && over)
            pair.dead = true;
        if ((first.stalled || second.stalled) &&
            ((fds[0].revents | fds[1].revents) & (POLLHUP | POLLERR)) != 0)
            pair.dead = true;
    }
    static void bury(Pair &pair)
    {
        if (pair.client >= 0)
            close(pair.client);
        if (pair.server >= 0)
            close(pair.server);
    }
    void run()
    {
        for (;;) {
            std::vector<pollfd> fds = {{listener_, POLLIN, 0}, {stop_[0], POLLIN, 0}};
            for (const auto &pair : pairs_)
                for (int side : {0, 1}) {
                    const Way &in = pair->ways[side], &out = pair->ways[1 - side];
                    const int events = (wants_more(in) ? POLLIN | POLLRDHUP : 0) |
                                       (out.pending.empty() ? 0 : POLLOUT);
                    fds.push_back({in.from, (short)events, 0});
                }
            poll(fds.data(), fds.size(), -1);
            if (fds[1].revents != 0)
                break;
            const size_t known = pairs_.size();
            if (fds[0].revents != 0)
                accept_one();
            for (size_t i = 0; i < known; i++)
                serve(*pairs_[i], &fds[2 + 2 * i]);
            for (size_t i = pairs_.size(); i-- > 0;)
                if (pairs_[i]->dead) {
                    bury(*pairs_[i]);
                    pairs_.erase(pairs_.begin() + (long)i);
                }
        }
        for (auto &pair : pairs_)
            bury(*pair);
        close(listener_);
    }

    std::string server_, address_;
    Mischief mischief_;
    uint64_t every_;
    std::mt19937_64 dice_;
    int listener_ = -1, stop_[2] = {-1, -1};
    std::vector<std::unique_ptr<Pair>> pairs_;
    std::atomic<unsigned> done_{0};
    std::thread thread_;
};

#endif
