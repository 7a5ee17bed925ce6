// SPDX-License-Identifier: Apache-2.0
// Peers that were let in and lie: they have the key, speak TLS as they should, and say through it
// what a test wants, byte for byte. Messages are encoded here anew, since the engine's own packer
// refuses what breaks the protocol.
#ifndef HR_PROCESS_LIAR_H
#define HR_PROCESS_LIAR_H

#include "fixture.h"
#include "wire.h"

extern "C" {
#include "filter.h"
#include "identity.h"
#include "tls.h"
}

// ---- protobuf, as far as it takes ----

inline std::string varint(uint64_t value)
{
    std::string out;
    for (; value >= 0x80; value >>= 7)
        out += (char)(value | 0x80);
    return out + (char)value;
}
// A number, bytes, and numbers of fixed size in a field.
inline std::string N(unsigned field, uint64_t value)
{
    return varint(field << 3) + varint(value);
}
inline std::string B(unsigned field, const std::string &bytes)
{
    return varint(field << 3 | 2) + varint(bytes.size()) + bytes;
}
inline std::string X8(unsigned field, uint64_t value)
{
    return varint(field << 3 | 1) + std::string((const char *)&value, sizeof value);
}
inline std::string X4(unsigned field, uint32_t value)
{
    return varint(field << 3 | 5) + std::string((const char *)&value, sizeof value);
}
// A sint32.
inline std::string S(unsigned field, int32_t value)
{
    return N(field, ((uint32_t)value << 1) ^ (uint32_t)(value >> 31));
}
inline std::string frame(const std::string &body)
{
    uint32_t len = (uint32_t)body.size();
    return std::string((const char *)&len, sizeof len) + body;
}
// A whole message of this kind.
inline std::string M(hr_message_kind kind, const std::string &body = "")
{
    return frame(B(kind, body));
}
inline std::string times(unsigned count, const std::function<std::string(unsigned)> &make)
{
    std::string out;
    for (unsigned i = 0; i < count; i++)
        out += make(i);
    return out;
}

// ---- one end of a channel in TLS ----

class Liar
{
  public:
    Liar(int fd, hr_side side) : fd_(fd), memory_(HR_MESSAGE_PAGE_ARENA_LEN / sizeof(uint64_t))
    {
        hr_error error = {};
        std::string key = ConfigHome::of(0) + "/headrace/key";
        hr_trust trust = {};
        trust.key_path = key.c_str();
        hr_filter_sink sink = {};
        sink.ready = [](void *) {};
        sink.plain = [](void *self, const uint8_t *bytes, size_t len) {
            static_cast<Liar *>(self)->plain_.append((const char *)bytes, len);
            return HR_OK;
        };
        sink.wire = [](void *self, const uint8_t *bytes, size_t len) {
            return hr_stranger_send(static_cast<Liar *>(self)->fd_, bytes, len);
        };
        sink.context = this;
        EXPECT_EQ(HR_OK, hr_identity_load(hr_env_system(), &trust, side, false, &identity_, &error))
            << error.text;
        EXPECT_EQ(HR_OK, hr_filter_tls_create(hr_env_system(), identity_, side, "127.0.0.1", &sink,
                                              &filter_));
    }
    Liar(const Liar &) = delete;
    Liar &operator=(const Liar &) = delete;
    ~Liar()
    {
        filter_->ops->destroy(filter_);
        hr_identity_release(identity_);
        close(fd_);
    }
    // False: the other side did not want to.
    bool shake_hands()
    {
        if (filter_->ops->start(filter_) != HR_OK)
            return false;
        while (!filter_->ready)
            if (!take_some())
                return false;
        return true;
    }
    // False: the other side has gone.
    bool say(const std::string &frames)
    {
        constexpr size_t PIECE = 16384; // of the filter
        for (size_t at = 0; at < frames.size(); at += PIECE) {
            size_t len = std::min(PIECE, frames.size() - at);
            if (filter_->ops->send(filter_, (const uint8_t *)frames.data() + at, len) != HR_OK)
                return false;
        }
        return true;
    }
    // The next message that is no heartbeat; false: the connection ended, or only that has come ten
    // times, and nothing else will.
    bool hear(hr_side sender, hr_message *message)
    {
        unsigned pings = 0;
        do {
            std::string body;
            if (!take_frame(&body) || pings++ == 10)
                return false;
            body_ = body;
            hr_arena arena = hr_arena_make(memory_.data(), HR_MESSAGE_PAGE_ARENA_LEN);
            if (hr_message_unpack((const uint8_t *)body_.data(), body_.size(), sender, &arena,
                                  message) != HR_OK)
                return false;
            if (message->kind == HR_MESSAGE_PING)
                say(M(HR_MESSAGE_PONG, N(1, message->ping.number)));
        } while (message->kind == HR_MESSAGE_PING || message->kind == HR_MESSAGE_PONG);
        return true;
    }
    int fd() const
    {
        return fd_;
    }

  private:
    bool take_some()
    {
        uint8_t bytes[16384];
        ssize_t got = recv(fd_, bytes, sizeof bytes, 0);
        return got > 0 && filter_->ops->receive(filter_, bytes, (size_t)got) == HR_OK;
    }
    bool take_frame(std::string *body)
    {
        for (;;) {
            size_t len = plain_.size() < HR_FRAME_HEADER_LEN
                             ? 0
                             : hr_get_u32((const uint8_t *)plain_.data());
            if (plain_.size() >= HR_FRAME_HEADER_LEN + len && len > 0) {
                *body = plain_.substr(HR_FRAME_HEADER_LEN, len);
                plain_.erase(0, HR_FRAME_HEADER_LEN + len);
                return true;
            }
            if (!take_some())
                return false;
        }
    }
    int fd_;
    hr_identity *identity_ = nullptr;
    hr_filter *filter_ = nullptr;
    std::string plain_, body_;
    std::vector<uint64_t> memory_;
};

#endif
