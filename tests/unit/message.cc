/* SPDX-License-Identifier: Apache-2.0 */
/* What both peers rely on: what one packs the other unpacks, later minors are tolerated as
 * PROTOCOL.md says, and nothing is packed that others refuse. What may not be unpacked is in
 * message_limits.cc. */
#include "message_bytes.h"

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
#include "store.h"
#include "transport.h"
}

namespace
{

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
                                        {Literal("."), Literal("a"), 1, 0, 0});
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
    hr_message_small file = {Borrow(directory), Borrow(name), HR_BUNDLE_FILE_MAX, INT64_MIN,
                             INT64_MIN};
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

// As many entries as a directory's raw listing can hold, each as large as it may be.
TEST(Message, APageOfADirectoryIsPackedAndUnpacked)
{
    for (size_t name_len : {1, 60, 255}) {
        std::string name(name_len, '\xff');
        hr_message_entry entry = {Borrow(name), UINT32_MAX,  07777,       INT64_MAX,  INT64_MIN,
                                  INT64_MIN,    Literal(""), UINT32_MAX,  UINT32_MAX, UINT64_MAX,
                                  UINT64_MAX,   UINT32_MAX,  Literal(""), true,       true};
        std::vector<hr_message_entry> entries(HR_STORE_PAGE_LEN / hr_dir_entry_size(name_len, 0, 0),
                                              entry);
        ASSERT_GE(HR_MESSAGE_ENTRIES_MAX, entries.size());
        std::string text(HR_MESSAGE_TEXT_MAX, 't');
        hr_message page = {};
        page.kind = HR_MESSAGE_ENTRIES;
        std::vector<uint32_t> counts(HR_MESSAGE_FOLDERS_MAX, 0);
        counts[0] = uint32_t(entries.size());
        page.entries = {UINT32_MAX,     HR_PARTIAL,     Borrow(text),  UINT64_MAX,
                        entries.data(), entries.size(), counts.data(), counts.size()};
        std::string body = Body(page);
        ASSERT_FALSE(body.empty()) << name_len;
        Arena memory(HR_MESSAGE_PAGE_ARENA_LEN);
        hr_message back;
        ASSERT_EQ(HR_OK, Unpack(body, HR_SIDE_SERVER, &memory, &back));
        EXPECT_EQ(entries.size(), back.entries.count);
        ASSERT_EQ(counts.size(), back.entries.folder_count);
        EXPECT_EQ(counts[0], back.entries.counts[0]);
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
}

} // namespace
