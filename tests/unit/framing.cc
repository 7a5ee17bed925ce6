/* SPDX-License-Identifier: Apache-2.0 */
/* A stream gives the same frames however the network cuts it, and a length that is refused is
 * refused before its body comes. */
#include <gtest/gtest.h>

#include <string>
#include <vector>

extern "C" {
#include "message.h"
}

namespace
{

std::string Frame(const std::string &body)
{
    std::string frame;
    for (int i = 0; i < 4; i++)
        frame += static_cast<char>(body.size() >> 8 * i);
    return frame + body;
}

/* Feeds pieces, collects bodies until the stream is refused or used up. */
class Reader
{
  public:
    explicit Reader(size_t body_max) : buffer_(HR_FRAME_HEADER_LEN + body_max)
    {
        hr_framing_init(&frames_, buffer_.data(), body_max);
    }

    hr_status Feed(const std::string &piece)
    {
        std::vector<uint8_t> copy(piece.begin(), piece.end());
        const uint8_t *bytes = copy.data();
        size_t len = copy.size();
        for (;;) {
            const uint8_t *body;
            size_t body_len;
            hr_status status = hr_framing_next(&frames_, &bytes, &len, &body, &body_len);
            if (status != HR_OK)
                return status;
            bodies.emplace_back(reinterpret_cast<const char *>(body), body_len);
        }
    }

    std::vector<std::string> bodies;

  private:
    std::vector<uint8_t> buffer_;
    hr_framing frames_;
};

const std::vector<std::string> kBodies = {"a", "second", std::string(16, 'x'), "bc"};

TEST(Frames, AreTheSameHoweverTheStreamIsCut)
{
    std::string stream;
    for (const std::string &body : kBodies)
        stream += Frame(body);
    for (size_t a = 0; a <= stream.size(); a++)
        for (size_t b = a; b <= stream.size(); b++) {
            Reader reader(16);
            EXPECT_EQ(HR_AGAIN, reader.Feed(stream.substr(0, a)));
            EXPECT_EQ(HR_AGAIN, reader.Feed(stream.substr(a, b - a)));
            EXPECT_EQ(HR_AGAIN, reader.Feed(stream.substr(b)));
            ASSERT_EQ(kBodies, reader.bodies) << a << " " << b;
        }
}

TEST(Frames, ComeByteByByte)
{
    Reader reader(16);
    for (const std::string &body : kBodies)
        for (char byte : Frame(body))
            EXPECT_EQ(HR_AGAIN, reader.Feed(std::string(1, byte)));
    EXPECT_EQ(kBodies, reader.bodies);
}

TEST(Frames, RefuseALengthBeforeItsBody)
{
    for (const char *header : {"\x11\0\0\0", "\xff\xff\xff\xff", "\0\0\0\0"}) {
        Reader whole(16), bytewise(16);
        std::string length(header, 4);
        EXPECT_EQ(HR_PROTOCOL, whole.Feed(length));
        EXPECT_EQ(HR_AGAIN, bytewise.Feed(length.substr(0, 3)));
        EXPECT_EQ(HR_PROTOCOL, bytewise.Feed(length.substr(3)));
    }
}

TEST(Frames, GiveWhatCameBeforeARefusedOne)
{
    Reader reader(16);
    EXPECT_EQ(HR_PROTOCOL, reader.Feed(Frame("good") + Frame(std::string(17, 'x'))));
    EXPECT_EQ(std::vector<std::string>{"good"}, reader.bodies);
}

TEST(Frames, AWholeOneIsNotCopied)
{
    std::vector<uint8_t> buffer(20);
    hr_framing frames;
    hr_framing_init(&frames, buffer.data(), 16);
    std::string stream = Frame("here");
    const uint8_t *bytes = reinterpret_cast<const uint8_t *>(stream.data()), *start = bytes, *body;
    size_t len = stream.size(), body_len;
    ASSERT_EQ(HR_OK, hr_framing_next(&frames, &bytes, &len, &body, &body_len));
    EXPECT_EQ(start + 4, body);
    EXPECT_EQ(4u, body_len);
    EXPECT_EQ(0u, len);
}

} // namespace
