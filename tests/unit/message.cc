/* SPDX-License-Identifier: Apache-2.0 */
/* What both peers rely on: what one packs the other unpacks, later minors are tolerated as
 * PROTOCOL.md says, and nothing outside the limits passes, whoever made it. */
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

extern "C" {
#include "bundle.h"
#include "message.h"
#include "message_samples.h"
#include "transport.h"
}

namespace
{

hr_bytes Borrow(const std::string &text)
{
    return hr_bytes_make(text.data(), text.size());
}

hr_bytes Borrow(std::string &&text) = delete; /* it would be gone before it is packed */

template <size_t size> hr_bytes Literal(const char (&text)[size])
{
    return hr_bytes_make(text, size - 1);
}

std::string Text(hr_bytes bytes)
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
std::string Pack(const hr_message &message)
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

std::string Body(const hr_message &message)
{
    std::string frame = Pack(message);
    return frame.empty() ? "" : frame.substr(HR_FRAME_HEADER_LEN);
}

hr_status Unpack(const std::string &body, hr_side sender, Arena *memory, hr_message *message)
{
    /* A copy of exactly that length on the heap, so that a sanitizer sees a read past its end. */
    std::vector<uint8_t> bytes(body.begin(), body.end());
    return hr_message_unpack(bytes.data(), bytes.size(), sender, &memory->arena, message);
}

hr_status StatusOf(const std::string &body, hr_side sender)
{
    static Arena memory(HR_MESSAGE_PAGE_ARENA_LEN);
    hr_message message;
    return Unpack(body, sender, &memory, &message);
}

/* Protobuf by hand, for what our own packer refuses to make. */
std::string Varint(uint64_t value)
{
    std::string bytes;
    for (; value >= 0x80; value >>= 7)
        bytes += static_cast<char>(value | 0x80);
    return bytes + static_cast<char>(value);
}

std::string Number(unsigned field, uint64_t value)
{
    return Varint(field << 3) + Varint(value);
}

std::string Bytes(unsigned field, const std::string &value)
{
    return Varint(field << 3 | 2) + Varint(value.size()) + value;
}

std::string Status(unsigned field, int status)
{
    uint32_t zigzag = (static_cast<uint32_t>(status) << 1) ^ static_cast<uint32_t>(status >> 31);
    return Number(field, zigzag);
}

std::string Repeat(const std::string &piece, size_t count)
{
    std::string all;
    for (size_t i = 0; i < count; i++)
        all += piece;
    return all;
}

TEST(Message, EveryKindComesBackAsItWas)
{
    std::vector<bool> seen(HR_MESSAGE_PARTED + 1);
    for (size_t i = 0; i < hr_message_sample_count; i++) {
        const hr_message_sample &sample = hr_message_samples[i];
        SCOPED_TRACE(hr_message_name(sample.message.kind));
        std::string body = Body(sample.message);
        ASSERT_FALSE(body.empty());
        Arena memory(HR_MESSAGE_ARENA_LEN);
        hr_message back;
        ASSERT_EQ(HR_OK, Unpack(body, sample.sender, &memory, &back));
        EXPECT_EQ(sample.message.kind, back.kind);
        /* Samples have every field set, so a lost or swapped one shows in the bytes. */
        EXPECT_EQ(body, Body(back));
        seen[back.kind] = true;
    }
    for (int kind = HR_MESSAGE_HELLO; kind <= HR_MESSAGE_PARTED; kind++)
        EXPECT_TRUE(seen[static_cast<size_t>(kind)]) << kind;
}

TEST(Message, FieldsArriveUnderTheirNames)
{
    for (size_t i = 0; i < hr_message_sample_count; i++) {
        const hr_message_sample &sample = hr_message_samples[i];
        Arena memory(HR_MESSAGE_ARENA_LEN);
        hr_message back;
        ASSERT_EQ(HR_OK, Unpack(Body(sample.message), sample.sender, &memory, &back));
        if (sample.message.kind == HR_MESSAGE_GRANT) {
            ASSERT_EQ(2u, back.grant.count);
            const hr_grant &grant = back.grant.grants[1];
            EXPECT_EQ(UINT64_MAX, grant.transfer);
            EXPECT_EQ(1048575u, grant.chunk);
            EXPECT_EQ(UINT32_MAX, grant.generation);
            EXPECT_EQ(8u, grant.link);
            EXPECT_EQ(1u, grant.region);
            EXPECT_EQ(4398046511104u, grant.offset);
            EXPECT_EQ(uint32_t{HR_GRANT_COMPLAIN}, grant.flags);
        }
        if (sample.message.kind == HR_MESSAGE_ENTRIES && back.entries.count > 0) {
            const hr_message_entry &link = back.entries.entries[1];
            EXPECT_EQ("not\xffutf8\nand a newline", Text(link.name));
            EXPECT_EQ("../other", Text(link.target));
            EXPECT_EQ(-1, link.mtime_ns);
            EXPECT_EQ(0, link.name.at[link.name.len]) << "names can be used as C strings";
            EXPECT_EQ(0, back.entries.entries[0].target.at[0]) << "also where there is none";
        }
    }
}

/* The wire is frozen: these bytes were checked with protoc --decode. */
TEST(Message, BytesOnTheWireAreThoseOfVersionOne)
{
    hr_message ping = {};
    ping.kind = HR_MESSAGE_PING;
    ping.ping.number = 5;
    EXPECT_EQ(std::string("\x04\0\0\0\x7a\x02\x08\x05", 8), Pack(ping));

    hr_message failed = {};
    failed.kind = HR_MESSAGE_FAILED;
    failed.failed = {300, 2, 1, HR_CANCELED, Literal("no")};
    EXPECT_EQ(std::string("\x0f\0\0\0\x52\x0d\x08\xac\x02\x10\x02\x18\x01\x20\x21\x2a\x02no", 19),
              Pack(failed));
}

TEST(Message, UnknownFieldsAreTolerated)
{
    std::string extra = Bytes(99, "from a later minor") + Number(100, 1);
    std::string body = Bytes(HR_MESSAGE_PING, Number(1, 5) + extra) + Bytes(50, "beside it");
    Arena memory(HR_MESSAGE_ARENA_LEN);
    hr_message message;
    ASSERT_EQ(HR_OK, Unpack(body, HR_SIDE_CLIENT, &memory, &message));
    EXPECT_EQ(HR_MESSAGE_PING, message.kind);
    EXPECT_EQ(5u, message.ping.number);
}

TEST(Message, UnknownMessagesAreRefusedAndUnknownHintsSkipped)
{
    EXPECT_EQ(HR_PROTOCOL, StatusOf(Bytes(18, "?"), HR_SIDE_CLIENT));
    EXPECT_EQ(HR_PROTOCOL, StatusOf(Bytes(999, "?"), HR_SIDE_CLIENT));
    EXPECT_EQ(HR_PROTOCOL, StatusOf(Bytes(1000, "hint") + Bytes(18, "?"), HR_SIDE_CLIENT));
    Arena memory(HR_MESSAGE_ARENA_LEN);
    hr_message message;
    ASSERT_EQ(HR_OK, Unpack(Bytes(1000, "hint"), HR_SIDE_CLIENT, &memory, &message));
    EXPECT_EQ(HR_MESSAGE_HINT, message.kind);
}

TEST(Message, UnknownStatusIsAFailure)
{
    Arena memory(HR_MESSAGE_ARENA_LEN);
    hr_message message;
    for (int number : {-1000, 1, 2147483647}) {
        std::string body = Bytes(HR_MESSAGE_CLOSED, Number(1, 9) + Status(2, number));
        ASSERT_EQ(HR_OK, Unpack(body, HR_SIDE_SERVER, &memory, &message));
        EXPECT_EQ(HR_PROTOCOL, message.closed.status);
    }
}

TEST(Message, NobodySpeaksForTheOtherSide)
{
    for (size_t i = 0; i < hr_message_sample_count; i++) {
        const hr_message_sample &sample = hr_message_samples[i];
        hr_side other = sample.sender == HR_SIDE_CLIENT ? HR_SIDE_SERVER : HR_SIDE_CLIENT;
        hr_message_kind kind = sample.message.kind;
        bool both = kind == HR_MESSAGE_ERROR || kind == HR_MESSAGE_PING ||
                    kind == HR_MESSAGE_PONG || kind == HR_MESSAGE_PARTED;
        EXPECT_EQ(both ? HR_OK : HR_PROTOCOL, StatusOf(Body(sample.message), other))
            << hr_message_name(kind);
    }
}

TEST(Message, CutShortIsRefusedAtEveryLength)
{
    for (size_t i = 0; i < hr_message_sample_count; i++) {
        std::string body = Body(hr_message_samples[i].message);
        for (size_t len = 0; len < body.size(); len++)
            EXPECT_EQ(HR_PROTOCOL, StatusOf(body.substr(0, len), hr_message_samples[i].sender))
                << hr_message_name(hr_message_samples[i].message.kind) << " of " << len;
    }
}

TEST(Message, SurvivesEveryWrongByte)
{
    for (size_t i = 0; i < hr_message_sample_count; i++) {
        std::string body = Body(hr_message_samples[i].message);
        Arena memory(HR_MESSAGE_ARENA_LEN);
        for (size_t at = 0; at < body.size(); at++)
            for (int bit = 0; bit < 8; bit++) {
                std::string wrong = body;
                wrong[at] = static_cast<char>(wrong[at] ^ (1 << bit));
                hr_message message;
                hr_status status = Unpack(wrong, hr_message_samples[i].sender, &memory, &message);
                /* What passes is within the limits, or it could not be packed again. */
                if (status == HR_OK && message.kind != HR_MESSAGE_HINT) {
                    EXPECT_FALSE(Body(message).empty());
                } else if (status != HR_OK) {
                    EXPECT_EQ(HR_PROTOCOL, status);
                }
            }
    }
}

/* ---- limits ---- */

struct Refused {
    const char *what;
    hr_side sender;
    std::string body;
};

std::string Entry(const std::string &name, const std::string &rest = "")
{
    return Bytes(HR_MESSAGE_ENTRIES, Bytes(5, Bytes(1, name) + Number(2, 1) + rest));
}

std::string Opened(uint64_t type, uint64_t size, uint64_t chunk_len, const std::string &identity,
                   const std::string &rest = "")
{
    return Bytes(HR_MESSAGE_OPENED, Number(1, 1) + Bytes(4, identity) + Number(5, type) +
                                        Number(7, size) + Number(9, chunk_len) + rest);
}

std::string Grant(const std::string &fields, size_t count = 1)
{
    return Bytes(HR_MESSAGE_GRANT, Repeat(Bytes(1, fields), count));
}

std::string Welcome(size_t boot_len, uint64_t links_max, uint64_t heartbeat_ms)
{
    return Bytes(HR_MESSAGE_WELCOME, Number(1, 1) + Bytes(4, std::string(boot_len, 'b')) +
                                         Number(6, links_max) + Number(7, heartbeat_ms));
}

std::string Region(const std::string &address, uint64_t len)
{
    return Bytes(3, Varint(2 << 3 | 1) + address + Number(3, len));
}

const std::string kRail = Bytes(4, Bytes(1, "tcp"));
const std::string kIdentity(16, 'i');
const std::string kHighest(8, '\xff');

std::string Small(const std::string &directory, const std::string &name,
                  const std::string &more = "")
{
    return Bytes(3, Bytes(1, directory) + Bytes(2, name) + more);
}

std::string OpenBundles(const std::string &files)
{
    return Bytes(HR_MESSAGE_OPEN_BUNDLES, Number(1, 1) + Bytes(2, "data") + files);
}

std::vector<Refused> AllRefused()
{
    const hr_side client = HR_SIDE_CLIENT, server = HR_SIDE_SERVER;
    std::string zero("a\0b", 3);
    return {
        {"major", client, Bytes(HR_MESSAGE_HELLO, Number(1, 65536))},
        {"client name", client, Bytes(HR_MESSAGE_HELLO, Bytes(4, std::string(256, 'n')))},
        {"boot, short", server, Welcome(15, 1, 1000)},
        {"boot, long", server, Welcome(17, 1, 1000)},
        {"no links", server, Welcome(16, 0, 1000)},
        {"heartbeat, fast", server, Welcome(16, 1, 99)},
        {"heartbeat, slow", server, Welcome(16, 1, 10001)},
        {"welcome, major", server,
         Bytes(HR_MESSAGE_WELCOME,
               Number(1, 65536) + Bytes(4, std::string(16, 'b')) + Number(6, 1) + Number(7, 1000))},
        {"list of none", client, Bytes(HR_MESSAGE_LIST, Bytes(2, "a"))},
        {"list of many", client, Bytes(HR_MESSAGE_LIST, Number(4, 2049))},
        {"list, zero in path", client, Bytes(HR_MESSAGE_LIST, Bytes(2, zero) + Number(4, 1))},
        {"digest of nothing", client, Bytes(HR_MESSAGE_DIGEST, Number(4, 1))},
        {"digest between chunks", client,
         Bytes(HR_MESSAGE_DIGEST, Bytes(2, "a") + Number(3, 4096) + Number(4, 1))},
        {"digest, zero in path", client, Bytes(HR_MESSAGE_DIGEST, Bytes(2, zero) + Number(4, 1))},
        {"digest, offset", client,
         Bytes(HR_MESSAGE_DIGEST, Bytes(2, "a") + Number(3, UINT64_C(1) << 63) + Number(4, 1))},
        {"digest of no bytes", client, Bytes(HR_MESSAGE_DIGEST, Bytes(2, "a"))},
        {"digest of too many", client,
         Bytes(HR_MESSAGE_DIGEST, Bytes(2, "a") + Number(4, 67108865))},
        {"open of nothing", client, Bytes(HR_MESSAGE_OPEN, Number(1, 1))},
        {"open, zero in path", client, Bytes(HR_MESSAGE_OPEN, Bytes(2, zero))},
        {"open, long path", client,
         Bytes(HR_MESSAGE_OPEN, Bytes(2, std::string(HR_MESSAGE_PATH_MAX + 1, 'p')))},
        {"bundles of nothing", client, OpenBundles("")},
        {"bundles without path", client,
         Bytes(HR_MESSAGE_OPEN_BUNDLES, Bytes(3, Bytes(1, ".") + Bytes(2, "a")))},
        {"bundles, path with zero", client,
         Bytes(HR_MESSAGE_OPEN_BUNDLES, Bytes(2, zero) + Bytes(3, Bytes(1, ".") + Bytes(2, "a")))},
        {"bundles, directory with zero", client, OpenBundles(Small(zero, "a"))},
        {"bundles of too many", client,
         OpenBundles(Repeat(Small(".", "a"), HR_MESSAGE_SMALL_MAX + 1))},
        {"bundles, first directory", client, OpenBundles(Bytes(3, Bytes(2, "a")))},
        {"bundles, name with slash", client, OpenBundles(Small(".", "a/b"))},
        {"bundles, name ..", client, OpenBundles(Small(".", ".."))},
        {"bundles, directory ..", client, OpenBundles(Small("a/../b", "c"))},
        {"bundles, directory /", client, OpenBundles(Small("/a", "c"))},
        {"bundles, directory a/", client, OpenBundles(Small("a/", "c"))},
        {"bundles, directory ./a", client, OpenBundles(Small("./a", "c"))},
        {"bundles, large file", client, OpenBundles(Small(".", "a", Number(3, 1048577)))},
        {"entry without name", server, Entry("")},
        {"entry .", server, Entry(".")},
        {"entry ..", server, Entry("..")},
        {"entry with slash", server, Entry("a/b")},
        {"entry with zero", server, Entry(zero)},
        {"entry, long name", server, Entry(std::string(256, 'n'))},
        {"entry, mode", server, Entry("a", Number(3, 010000))},
        {"entry, size", server, Entry("a", Number(4, UINT64_C(1) << 63))},
        {"entry, long target", server, Entry("a", Bytes(7, std::string(4096, 't')))},
        {"entry, target with zero", server, Entry("a", Bytes(7, zero))},
        {"entry, attributes", server, Entry("a", Bytes(45, std::string(16385, 'x')))},
        {"many entries", server,
         Bytes(HR_MESSAGE_ENTRIES,
               Repeat(Bytes(5, Bytes(1, "a") + Number(2, 1)), HR_MESSAGE_ENTRIES_MAX + 1))},
        {"entry, type", server, Bytes(HR_MESSAGE_ENTRIES, Bytes(5, Bytes(1, "a")))},
        {"text", server, Bytes(HR_MESSAGE_ENTRIES, Bytes(3, std::string(500, 't')))},
        {"opened, text", server,
         Bytes(HR_MESSAGE_OPENED, Status(2, HR_IO) + Bytes(3, std::string(500, 't')))},
        {"opened, mode", server, Opened(1, 1, 4194304, kIdentity, Number(6, 010000))},
        {"opened, no chunks", server, Opened(1, 1, 0, kIdentity, Number(10, 1))},
        {"opened, longer chunks", server, Opened(1, 1, 4194304 + 4096, kIdentity, Number(10, 1))},
        {"opened, direct of too many", server,
         Opened(1, UINT64_C(262145) * 4096, 4096, kIdentity,
                Number(10, 1) + Bytes(21, std::string(32769, 'd')))},
        {"opened, salt", server,
         Opened(1, 1, 4194304, kIdentity, Number(60, 1) + Bytes(61, "short"))},
        {"opened special", server, Opened(4, 1, 4194304, kIdentity)},
        {"opened, chunk", server, Opened(1, 1, 1048576, kIdentity)},
        {"opened, size", server, Opened(1, (UINT64_C(1) << 52) + 1, 4194304, kIdentity)},
        {"opened, chunk of a packed shard", server,
         Opened(1, 1, 4194304 - 2048, kIdentity, Number(10, 1))},
        {"opened, direct of a plain file", server,
         Opened(1, 1, 4194304, kIdentity, Bytes(21, "1"))},
        {"opened, direct too long", server,
         Opened(1, 1, 4194304, kIdentity, Number(10, 1) + Bytes(21, "12"))},
        {"opened, direct too short", server,
         Opened(1, 9 * 4194304, 4194304, kIdentity, Number(10, 1) + Bytes(21, "1"))},
        {"opened, cipher", server, Opened(1, 1, 4194304, kIdentity, Number(60, 256))},
        {"opened, codec", server, Opened(1, 1, 4194304, kIdentity, Number(10, 256))},
        {"opened, identity", server, Opened(1, 1, 4194304, "short")},
        {"no keys", client, Bytes(HR_MESSAGE_KEYS, Number(1, 1))},
        {"keys, links", client, Bytes(HR_MESSAGE_KEYS, Number(2, 65))},
        {"keys, link numbers", client,
         Bytes(HR_MESSAGE_KEYS, Number(1, UINT32_MAX) + Number(2, 1))},
        {"region of no bytes", client, Bytes(HR_MESSAGE_KEYS, Region(std::string(8, '\0'), 0))},
        {"region past the end", client, Bytes(HR_MESSAGE_KEYS, Region(kHighest, 1))},
        {"many regions", client,
         Bytes(HR_MESSAGE_KEYS, Repeat(Region(std::string(8, '\0'), 1), 1025))},
        {"many rings", client, Bytes(HR_MESSAGE_KEYS, Repeat(Bytes(4, Number(1, 1)), 65))},
        {"many tickets", server,
         Bytes(HR_MESSAGE_TICKETS, Repeat(Bytes(3, Bytes(2, std::string(32, 't'))), 65) + kRail)},
        {"short ticket", server,
         Bytes(HR_MESSAGE_TICKETS, Bytes(3, Bytes(2, std::string(31, 't'))) + kRail)},
        {"no rail", server, Bytes(HR_MESSAGE_TICKETS, Bytes(3, Bytes(2, std::string(32, 't'))))},
        {"rail without family", server, Bytes(HR_MESSAGE_TICKETS, Bytes(4, Bytes(2, "a:1")))},
        {"tickets, text", server,
         Bytes(HR_MESSAGE_TICKETS, Bytes(2, std::string(500, 't')) + kRail)},
        {"address with zero", server,
         Bytes(HR_MESSAGE_TICKETS, Bytes(4, Bytes(1, "tcp") + Bytes(2, zero)))},
        {"family with zero", server,
         Bytes(HR_MESSAGE_TICKETS, Bytes(4, Bytes(1, zero) + Bytes(2, "a:1")))},
        {"many rails", server, Bytes(HR_MESSAGE_TICKETS, Repeat(kRail, HR_MESSAGE_RAILS_MAX + 1))},
        {"long family", server, Bytes(HR_MESSAGE_TICKETS, Bytes(4, Bytes(1, "sixteen letters!")))},
        {"long address", server,
         Bytes(HR_MESSAGE_TICKETS, Bytes(4, Bytes(1, "tcp") + Bytes(2, std::string(256, 'a'))))},
        {"no grant", client, Bytes(HR_MESSAGE_GRANT, "")},
        {"many grants", client, Grant(Number(1, 1), 257)},
        {"grant, chunk", client, Grant(Number(2, UINT64_C(1) << 30))},
        {"grant, offset", client, Grant(Number(6, UINT64_C(1) << 63))},
        {"grant, flags", client, Grant(Number(7, 2))},
        {"failed, OK", server, Bytes(HR_MESSAGE_FAILED, Number(1, 1))},
        {"failed, chunk", server,
         Bytes(HR_MESSAGE_FAILED, Number(2, UINT64_C(1) << 30) + Status(4, HR_IO))},
        {"failed, text", server,
         Bytes(HR_MESSAGE_FAILED, Status(4, HR_IO) + Bytes(5, std::string(500, 't')))},
        {"error, OK", client, Bytes(HR_MESSAGE_ERROR, Bytes(2, "all is well"))},
        {"error, text", client,
         Bytes(HR_MESSAGE_ERROR, Status(1, HR_IO) + Bytes(2, std::string(500, 't')))},
        {"nothing", client, ""},
        {"long, no page", client, Bytes(HR_MESSAGE_PING, Bytes(9, std::string(65536, 'x')))},
        {"long, a hint", client, Bytes(1000, std::string(65536, 'x'))},
        {"long, a page", server, Bytes(HR_MESSAGE_ENTRIES, Bytes(9, std::string(262144, 'x')))},
        {"wrong type of field", client, Number(HR_MESSAGE_PING, 1)},
    };
}

TEST(Message, NothingOutsideTheLimitsIsUnpacked)
{
    for (const Refused &refused : AllRefused())
        EXPECT_EQ(HR_PROTOCOL, StatusOf(refused.body, refused.sender)) << refused.what;
}

/* The same bodies just inside the limits, so that the refusals above are for their reason. */
TEST(Message, TheLimitsThemselvesAreUnpacked)
{
    const hr_side client = HR_SIDE_CLIENT, server = HR_SIDE_SERVER;
    std::string ticket = Bytes(3, Bytes(2, std::string(32, 't')));
    const std::vector<Refused> accepted = {
        {"major", client, Bytes(HR_MESSAGE_HELLO, Number(1, 65535))},
        {"client name", client, Bytes(HR_MESSAGE_HELLO, Bytes(4, std::string(255, 'n')))},
        {"heartbeat, fast", server, Welcome(16, 1, 100)},
        {"heartbeat, slow", server, Welcome(16, 1, 10000)},
        {"list", client, Bytes(HR_MESSAGE_LIST, Number(4, 2048))},
        {"open", client, Bytes(HR_MESSAGE_OPEN, Bytes(2, std::string(HR_MESSAGE_PATH_MAX, 'p')))},
        {"digest", client,
         Bytes(HR_MESSAGE_DIGEST, Bytes(2, "a") + Number(3, 4194304) + Number(4, 67108864))},
        {"bundles", client, OpenBundles(Small(".", "a", Number(3, 1048576)))},
        {"bundles, deep", client, OpenBundles(Small("a/.../c", "a"))},
        {"entry", server, Entry(std::string(255, 'n'), Number(3, 07777) + Number(4, INT64_MAX))},
        {"entry, dots", server, Entry("...")},
        {"entry, later type", server,
         Bytes(HR_MESSAGE_ENTRIES, Bytes(5, Bytes(1, "a") + Number(2, 5)))},
        {"text", server, Bytes(HR_MESSAGE_ENTRIES, Bytes(3, std::string(499, 't')))},
        {"opened", server, Opened(1, UINT64_C(1) << 52, 4194304, kIdentity)},
        {"opened, packed", server,
         Opened(1, 9 * 4096, 4096, kIdentity, Number(10, 1) + Bytes(21, "12"))},
        {"keys", client, Bytes(HR_MESSAGE_KEYS, Number(1, UINT32_MAX - 64) + Number(2, 64))},
        {"region", client, Bytes(HR_MESSAGE_KEYS, Region(std::string(8, '\0'), UINT64_MAX))},
        {"a ring alone", client, Bytes(HR_MESSAGE_KEYS, Bytes(4, Number(1, 1)))},
        {"chunk to be asked for again", server,
         Bytes(HR_MESSAGE_FAILED, Number(1, 1) + Status(4, HR_AGAIN))},
        {"opened, sealed", server,
         Opened(1, 1, 4194304, kIdentity, Number(60, 1) + Bytes(61, std::string(16, 's')))},
        {"regions", client, Bytes(HR_MESSAGE_KEYS, Repeat(Region(std::string(8, '\0'), 1), 1024))},
        {"ticket", server, Bytes(HR_MESSAGE_TICKETS, ticket + kRail)},
        {"grants", client, Grant(Number(1, 1), 256)},
        {"grant", client,
         Grant(Number(2, (1 << 30) - 1) + Number(6, INT64_MAX) + Number(7, HR_GRANT_COMPLAIN))},
        {"long", client, Bytes(HR_MESSAGE_PING, Bytes(9, std::string(65528, 'x')))},
        {"long page", server, Bytes(HR_MESSAGE_ENTRIES, Bytes(9, std::string(262136, 'x')))},
    };
    for (const Refused &one : accepted)
        EXPECT_EQ(HR_OK, StatusOf(one.body, one.sender)) << one.what;
}

TEST(Message, WeDoNotSayWhatOthersRefuse)
{
    std::string path(HR_MESSAGE_PATH_MAX + 1, 'p');
    hr_message message = {};
    message.kind = HR_MESSAGE_OPEN;
    message.open = {1, Borrow(path), false, false};
    EXPECT_EQ("", Pack(message));
    message.open.path.len--;
    EXPECT_NE("", Pack(message));

    message.kind = HR_MESSAGE_HINT;
    EXPECT_EQ("", Pack(message));

    /* Of files for bundles more than there may be, and more bytes of names than a message holds. */
    std::string name(HR_MESSAGE_NAME_MAX, 'n');
    std::vector<hr_message_small> files(HR_MESSAGE_SMALL_MAX + 1,
                                        {Literal("."), Literal("a"), 1, 0});
    message.kind = HR_MESSAGE_OPEN_BUNDLES;
    message.open_bundles = {1, Literal("data"), files.data(), files.size()};
    EXPECT_EQ("", Pack(message));
    message.open_bundles.count--;
    EXPECT_NE("", Pack(message));
    for (hr_message_small &file : files)
        file.name = Borrow(name);
    EXPECT_EQ("", Pack(message));
    EXPECT_FALSE(hr_message_is_from((hr_message_kind)1000, HR_SIDE_CLIENT));
}

/* Whoever collects files stops before a message is full, whatever their names. */
TEST(Message, FilesCountedBySmallLenArePacked)
{
    std::string name(HR_MESSAGE_NAME_MAX, 'n'), directory(3000, 'd');
    for (size_t at = 200; at < directory.size(); at += 200)
        directory[at] = '/';
    hr_message_small file = {Borrow(directory), Borrow(name), HR_BUNDLE_FILE_MAX, INT64_MIN};
    std::vector<hr_message_small> files;
    size_t sum = HR_MESSAGE_PAGE_HEAD;
    while ((sum += hr_message_small_len(&file)) <= HR_MESSAGE_BODY_MAX)
        files.push_back(file);
    hr_message message = {};
    message.kind = HR_MESSAGE_OPEN_BUNDLES;
    message.open_bundles = {UINT64_MAX, Literal("data"), files.data(), files.size()};
    EXPECT_NE("", Pack(message));
}

TEST(Message, OpenedOfASealedExportBringsItsSalt)
{
    hr_message opened = {}, back;
    opened.kind = HR_MESSAGE_OPENED;
    opened.opened.text = Literal("");
    opened.opened.type = HR_NODE_REGULAR;
    opened.opened.chunk_len = HR_CHUNK_LEN;
    opened.opened.cipher = 1;
    memset(opened.opened.salt, 0x5a, sizeof opened.opened.salt);
    Arena memory(HR_MESSAGE_ARENA_LEN);
    ASSERT_EQ(HR_OK, Unpack(Body(opened), HR_SIDE_SERVER, &memory, &back));
    EXPECT_EQ(1u, back.opened.cipher);
    EXPECT_EQ(0, memcmp(opened.opened.salt, back.opened.salt, sizeof back.opened.salt));
}

TEST(Message, DoesNotPackPastTheEndOfTheFrame)
{
    hr_message ping = {};
    ping.kind = HR_MESSAGE_PING;
    ping.ping.number = 5;
    Arena scratch(1024);
    std::vector<uint8_t> frame(8);
    size_t len = 77;
    EXPECT_EQ(HR_INVALID, hr_message_pack(&ping, &scratch.arena, frame.data(), 7, &len));
    EXPECT_EQ(77u, len);
    EXPECT_EQ(HR_OK, hr_message_pack(&ping, &scratch.arena, frame.data(), 8, &len));
    EXPECT_EQ(8u, len);
}

/* ---- memory ---- */

TEST(Message, TheLargestMessagesFitIntoTheArenasOfTheirSize)
{
    std::vector<hr_grant> grants(HR_MESSAGE_GRANTS_MAX,
                                 {UINT64_MAX, HR_MESSAGE_GRANTS_MAX, UINT32_MAX, UINT32_MAX,
                                  UINT32_MAX, INT64_MAX, HR_GRANT_COMPLAIN});
    hr_message grant = {};
    grant.kind = HR_MESSAGE_GRANT;
    grant.grant = {grants.data(), grants.size()};

    std::vector<hr_region_key> regions(HR_MESSAGE_REGIONS_MAX, {UINT32_MAX, 1, UINT64_MAX / 2, 9});
    hr_message keys = {};
    keys.kind = HR_MESSAGE_KEYS;
    keys.keys = {};
    keys.keys.first_link = 1;
    keys.keys.links = 64;
    keys.keys.regions = regions.data();
    keys.keys.region_count = regions.size();

    std::vector<hr_ticket> tickets(HR_MESSAGE_LINKS_MAX);
    std::string family(HR_MESSAGE_FAMILY_MAX, 'f'), address(HR_MESSAGE_ADDRESS_MAX, 'a');
    std::vector<hr_rail> rails(HR_MESSAGE_RAILS_MAX, {Borrow(family), Borrow(address)});
    hr_message ticket = {};
    ticket.kind = HR_MESSAGE_TICKETS;
    ticket.tickets = {HR_OK,          Literal(""),  tickets.data(),
                      tickets.size(), rails.data(), rails.size()};

    for (const hr_message *message : {&grant, &keys, &ticket}) {
        Arena memory(HR_MESSAGE_ARENA_LEN);
        std::vector<uint8_t> frame(HR_FRAME_HEADER_LEN + HR_MESSAGE_BODY_MAX);
        size_t len = 0;
        ASSERT_EQ(HR_OK, hr_message_pack(message, &memory.arena, frame.data(), frame.size(), &len));
        hr_message back;
        hr_side sender = message == &ticket ? HR_SIDE_SERVER : HR_SIDE_CLIENT;
        EXPECT_EQ(HR_OK, hr_message_unpack(frame.data() + 4, len - 4, sender, &memory.arena, &back))
            << hr_message_name(message->kind);
    }
}

TEST(Message, APageFilledByEntryLenIsPackedAndUnpacked)
{
    for (size_t name_len : {1, 60, 255}) {
        std::string name(name_len, '\xff');
        hr_message_entry entry = {Borrow(name), UINT32_MAX,  07777,       INT64_MAX,  INT64_MIN,
                                  INT64_MIN,    Literal(""), UINT32_MAX,  UINT32_MAX, UINT64_MAX,
                                  UINT64_MAX,   UINT32_MAX,  Literal(""), true,       true};
        std::vector<hr_message_entry> entries;
        size_t sum = 0;
        while (entries.size() < HR_MESSAGE_ENTRIES_MAX) {
            sum += hr_message_entry_len(&entry);
            if (sum > HR_MESSAGE_PAGE_MAX - HR_MESSAGE_PAGE_HEAD)
                break;
            entries.push_back(entry);
        }
        std::string text(HR_MESSAGE_TEXT_MAX, 't');
        hr_message page = {};
        page.kind = HR_MESSAGE_ENTRIES;
        page.entries = {UINT32_MAX, HR_PARTIAL,     Borrow(text),
                        UINT64_MAX, entries.data(), entries.size()};
        std::string body = Body(page);
        ASSERT_FALSE(body.empty()) << name_len;
        Arena memory(HR_MESSAGE_PAGE_ARENA_LEN);
        hr_message back;
        ASSERT_EQ(HR_OK, Unpack(body, HR_SIDE_SERVER, &memory, &back));
        EXPECT_EQ(entries.size(), back.entries.count);
        EXPECT_EQ(name, Text(back.entries.entries[back.entries.count - 1].name));
    }
}

TEST(Message, CannotTakeMoreMemoryThanTheArena)
{
    /* Two bytes on the wire for each entry, a struct of a hundred in memory. */
    std::string bomb = Bytes(HR_MESSAGE_ENTRIES, Repeat(std::string("\x2a\0", 2), 131000));
    Arena memory(HR_MESSAGE_PAGE_ARENA_LEN);
    hr_message message;
    EXPECT_EQ(HR_PROTOCOL, Unpack(bomb, HR_SIDE_SERVER, &memory, &message));

    /* Whatever the arena's size, a message is refused or whole. */
    std::string body = Body(hr_message_samples[3].message);
    unsigned refused = 0, whole = 0;
    for (size_t len = 0; len <= 2048; len += 8) {
        Arena small(len);
        hr_status status = Unpack(body, HR_SIDE_SERVER, &small, &message);
        if (status == HR_OK) {
            EXPECT_EQ(body, Body(message));
            whole++;
        } else {
            EXPECT_EQ(HR_PROTOCOL, status);
            EXPECT_EQ(0u, whole) << "more memory is never worse";
            refused++;
        }
    }
    EXPECT_GT(refused, 0u);
    EXPECT_GT(whole, 0u);
}

/* What is too much for the memory that there is is not said at all. */
TEST(Message, IsPackedWholeOrNotAtAllWhateverTheArena)
{
    std::vector<uint8_t> frame(HR_FRAME_HEADER_LEN + HR_MESSAGE_PAGE_MAX);
    for (size_t i = 0; i < hr_message_sample_count; i++) {
        const hr_message &message = hr_message_samples[i].message;
        const std::string expected = Pack(message);
        bool fitted = false;
        for (size_t len = 0; len <= 4096; len += 8) {
            Arena small(len);
            size_t packed = 0;
            hr_status status =
                hr_message_pack(&message, &small.arena, frame.data(), frame.size(), &packed);
            EXPECT_TRUE(status == HR_OK || !fitted) << "more memory is never worse";
            if (status != HR_OK)
                continue;
            fitted = true;
            ASSERT_EQ(expected, std::string(frame.begin(), frame.begin() + (long)packed));
        }
        EXPECT_TRUE(fitted) << hr_message_name(message.kind);
    }
    EXPECT_STREQ("?", hr_message_name((hr_message_kind)1000));
}

TEST(Message, IsUnpackedWholeOrNotAtAllWhateverTheArena)
{
    for (size_t i = 0; i < hr_message_sample_count; i++) {
        const std::string body = Body(hr_message_samples[i].message);
        bool fitted = false;
        for (size_t len = 0; len <= 4096; len += 8) {
            Arena small(len);
            hr_message message;
            hr_status status = Unpack(body, hr_message_samples[i].sender, &small, &message);
            EXPECT_TRUE(status == HR_OK || (status == HR_PROTOCOL && !fitted));
            if (status != HR_OK)
                continue;
            EXPECT_EQ(body, Body(message));
            fitted = true;
        }
        EXPECT_TRUE(fitted) << i;
    }
}

/* Makes the seeds of fuzz_message anew: HEADRACE_CORPUS=tests/fuzz/corpus/fuzz_message. */
TEST(MessageCorpus, IsMadeFromTheSamples)
{
    const char *folder = std::getenv("HEADRACE_CORPUS");
    if (folder == nullptr)
        GTEST_SKIP() << "HEADRACE_CORPUS names no folder to write seeds into";
    for (size_t i = 0; i < hr_message_sample_count; i++) {
        std::string name = std::string(folder) + "/" + std::to_string(i) + "-" +
                           hr_message_name(hr_message_samples[i].message.kind);
        std::ofstream(name, std::ios::binary) << Pack(hr_message_samples[i].message);
    }
    for (const Refused &refused : AllRefused()) {
        if (refused.body.size() > 8192)
            continue;
        std::string name = std::string(folder) + "/refused-" + refused.what;
        for (char &letter : name)
            letter = letter == ' ' || letter == ',' ? '_' : letter;
        uint32_t len = static_cast<uint32_t>(refused.body.size());
        std::ofstream file(name, std::ios::binary);
        for (int byte = 0; byte < 4; byte++)
            file << static_cast<char>(len >> 8 * byte);
        file << refused.body;
    }
}

} // namespace
