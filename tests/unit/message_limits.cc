/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing outside the limits of PROTOCOL.md is unpacked, whoever made it, and the limits themselves
 * are. */
#include "message_bytes.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace
{

struct Refused {
    const char *what;
    hr_side sender;
    std::string body;
};

// Of one entry, and so many of each directory.
std::string Counts(const std::string &counts, const std::string &rest = "")
{
    return Bytes(HR_MESSAGE_ENTRIES,
                 Bytes(5, Bytes(1, "a") + Number(2, 1)) + Bytes(40, counts) + rest);
}

std::string Folders(const std::string &folders, const std::string &path = "data")
{
    return Bytes(HR_MESSAGE_LIST, Bytes(2, path) + Number(4, 1) + folders);
}

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
        {"list of folder ..", client, Folders(Bytes(41, ".."))},
        {"list of folder a/../b", client, Folders(Bytes(41, "a/../b"))},
        {"list of folder /", client, Folders(Bytes(41, "/a"))},
        {"list of no folder", client, Folders(Bytes(41, ""))},
        {"list of folder with zero", client, Folders(Bytes(41, zero))},
        {"list of folders of nothing", client, Folders(Bytes(41, "a"), "")},
        {"list of a folder too deep", client,
         Folders(Bytes(41, "a"), std::string(HR_MESSAGE_PATH_MAX - 1, 'p'))},
        {"list of too many folders", client, Folders(Repeat(Bytes(41, "a"), 257))},
        {"counts, too few", server, Counts(std::string(2, '\0'))},
        {"counts, too many", server, Counts("\1\1")},
        {"counts, of one that failed", server, Counts("\1", Status(2, HR_IO))},
        {"counts of too many", server, Counts("\1" + std::string(256, '\0'))},
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
        {"opened, size", server, Opened(1, (UINT64_C(1) << 47) + 1, 4194304, kIdentity)},
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

TEST(MessageLimits, NothingOutsideTheLimitsIsUnpacked)
{
    for (const Refused &refused : AllRefused())
        EXPECT_EQ(HR_PROTOCOL, StatusOf(refused.body, refused.sender)) << refused.what;
}

/* The same bodies just inside the limits, so that the refusals above are for their reason. */
TEST(MessageLimits, TheLimitsThemselvesAreUnpacked)
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
        {"list of folders", client, Folders(Bytes(41, "a") + Bytes(41, "b/c"))},
        {"counts", server, Counts(std::string("\0\1\0", 3), Status(2, HR_IO))},
        {"entry", server, Entry(std::string(255, 'n'), Number(3, 07777) + Number(4, INT64_MAX))},
        {"entry, dots", server, Entry("...")},
        {"entry, later type", server,
         Bytes(HR_MESSAGE_ENTRIES, Bytes(5, Bytes(1, "a") + Number(2, 5)))},
        {"text", server, Bytes(HR_MESSAGE_ENTRIES, Bytes(3, std::string(499, 't')))},
        {"opened", server, Opened(1, UINT64_C(1) << 47, 4194304, kIdentity)},
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
         Grant(Number(2, (1 << 25) - 1) + Number(6, INT64_MAX) + Number(7, HR_GRANT_COMPLAIN))},
        {"long", client, Bytes(HR_MESSAGE_PING, Bytes(9, std::string(65528, 'x')))},
        {"long page", server, Bytes(HR_MESSAGE_ENTRIES, Bytes(9, std::string(262136, 'x')))},
    };
    for (const Refused &one : accepted)
        EXPECT_EQ(HR_OK, StatusOf(one.body, one.sender)) << one.what;
}

/* Makes further seeds of fuzz_message anew: HEADRACE_CORPUS=tests/fuzz/corpus/fuzz_message. */
TEST(MessageLimitsCorpus, IsMadeFromWhatIsRefused)
{
    const char *folder = std::getenv("HEADRACE_CORPUS");
    if (folder == nullptr)
        GTEST_SKIP() << "HEADRACE_CORPUS names no folder to write seeds into";
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
