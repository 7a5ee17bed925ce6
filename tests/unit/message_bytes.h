/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of messages share: packing and unpacking in memory of exactly the size, and bodies
 * made by hand. */
#ifndef MESSAGE_BYTES_H
#define MESSAGE_BYTES_H

#include <string>
#include <vector>

extern "C" {
#include "message.h"
#include "transport.h"
}

inline hr_bytes Borrow(const std::string &text)
{
    return hr_bytes_make(text.data(), text.size());
}

hr_bytes Borrow(std::string &&text) = delete; /* it would be gone before it is packed */

template <size_t size> hr_bytes Literal(const char (&text)[size])
{
    return hr_bytes_make(text, size - 1);
}

inline std::string Text(hr_bytes bytes)
{
    return std::string(reinterpret_cast<const char *>(bytes.at), bytes.len);
}

/* An arena of exactly so many bytes, so that a sanitizer sees one more. */
class Arena
{
  public:
    explicit Arena(size_t len)
        : words_(len / 8), arena(hr_arena_make(words_.data(), words_.size() * 8))
    {
    }

  private:
    std::vector<uint64_t> words_;

  public:
    hr_arena arena;
};

/* The frame of a message, or an empty string if it was refused. */
inline std::string Pack(const hr_message &message)
{
    static Arena scratch(HR_MESSAGE_PAGE_ARENA_LEN); /* made once: some tests pack thousands */
    std::string frame(HR_FRAME_HEADER_LEN + HR_MESSAGE_PAGE_MAX, 0);
    size_t len = 0;
    if (hr_message_pack(&message, &scratch.arena, reinterpret_cast<uint8_t *>(&frame[0]),
                        frame.size(), &len) != HR_OK)
        return "";
    frame.resize(len);
    return frame;
}

inline std::string Body(const hr_message &message)
{
    std::string frame = Pack(message);
    return frame.empty() ? "" : frame.substr(HR_FRAME_HEADER_LEN);
}

inline hr_status Unpack(const std::string &body, hr_side sender, Arena *memory, hr_message *message)
{
    /* A copy of exactly that length on the heap, so that a sanitizer sees a read past its end. */
    std::vector<uint8_t> bytes(body.begin(), body.end());
    return hr_message_unpack(bytes.data(), bytes.size(), sender, &memory->arena, message);
}

inline hr_status StatusOf(const std::string &body, hr_side sender)
{
    static Arena memory(HR_MESSAGE_PAGE_ARENA_LEN);
    hr_message message;
    return Unpack(body, sender, &memory, &message);
}

/* Protobuf by hand, for what our own packer refuses to make. */
inline std::string Varint(uint64_t value)
{
    std::string bytes;
    for (; value >= 0x80; value >>= 7)
        bytes += static_cast<char>(value | 0x80);
    return bytes + static_cast<char>(value);
}

inline std::string Number(unsigned field, uint64_t value)
{
    return Varint(field << 3) + Varint(value);
}

inline std::string Bytes(unsigned field, const std::string &value)
{
    return Varint(field << 3 | 2) + Varint(value.size()) + value;
}

inline std::string Status(unsigned field, int status)
{
    uint32_t zigzag = (static_cast<uint32_t>(status) << 1) ^ static_cast<uint32_t>(status >> 31);
    return Number(field, zigzag);
}

inline std::string Repeat(const std::string &piece, size_t count)
{
    std::string all;
    for (size_t i = 0; i < count; i++)
        all += piece;
    return all;
}

#endif
