// SPDX-License-Identifier: Apache-2.0
// What a server does with peers that break the protocol: strangers before they have shown a key,
// and clients that have one. A line of a table is a violation and the status that it earns; one
// more costs a line.
#include "liar.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/stat.h>

namespace
{

const std::string FILE_A = "data/file";
const std::string ZERO = std::string(1, '\0');
const std::string LONG_PATH = "data/" + std::string(HR_MESSAGE_PATH_MAX - 4, 'x');
const uint64_t PAST_I64 = UINT64_C(1) << 63;

std::string hello(uint64_t major, uint64_t minor, uint64_t features = 7,
                  const std::string &name = "liar")
{
    return M(HR_MESSAGE_HELLO, N(1, major) + N(2, minor) + N(3, features) + B(4, name));
}
std::string list(const std::string &path, uint64_t most)
{
    return M(HR_MESSAGE_LIST, N(1, 1) + B(2, path) + N(4, most));
}
std::string list_below(const std::string &path, const std::string &folder)
{
    return M(HR_MESSAGE_LIST, N(1, 1) + B(2, path) + N(4, 1) + B(41, folder));
}
std::string open(uint64_t transfer, const std::string &path)
{
    return M(HR_MESSAGE_OPEN, N(1, transfer) + B(2, path));
}
std::string small(const std::string &directory, const std::string &name, uint64_t size = 1)
{
    return B(3, B(1, directory) + B(2, name) + N(3, size));
}
std::string bundles(const std::string &files, const std::string &path = "data",
                    uint64_t transfer = 1)
{
    return M(HR_MESSAGE_OPEN_BUNDLES, N(1, transfer) + B(2, path) + files);
}
std::string keys(uint64_t first, uint64_t links, const std::string &more = "")
{
    return M(HR_MESSAGE_KEYS, N(1, first) + N(2, links) + more);
}
std::string region(uint64_t index, uint64_t address, uint64_t len)
{
    return B(3, N(1, index) + X8(2, address) + N(3, len) + X4(4, 1));
}
std::string one_grant(uint64_t transfer, uint64_t chunk, uint64_t link = 0, uint64_t offset = 0,
                      uint64_t flags = 0)
{
    return B(1, N(1, transfer) + N(2, chunk) + N(3, 1) + N(4, link) + N(6, offset) + N(7, flags));
}
std::string grant(const std::string &grants)
{
    return M(HR_MESSAGE_GRANT, grants);
}
std::string digest(const std::string &path, uint64_t offset, uint64_t len)
{
    return M(HR_MESSAGE_DIGEST, N(1, 1) + B(2, path) + N(3, offset) + N(4, len));
}

enum How {
    AFTER_WELCOME,
    BEFORE_HELLO, // the handshake is over, and nothing was said
    NO_FEATURES,  // after a welcome that agreed on none
    LISTS,        // after a welcome that agreed on two lists at once
    OPENED,       // transfer 1 is data/file, of two chunks
};

struct Lie {
    const char *name;
    hr_status status; // of the error that is the server's last word
    std::string said;
    How how = AFTER_WELCOME;
};

const Lie lies[] = {
    // out of order
    {"list before hello", HR_PROTOCOL, list("", 1), BEFORE_HELLO},
    {"open before hello", HR_PROTOCOL, open(1, FILE_A), BEFORE_HELLO},
    {"open_bundles before hello", HR_PROTOCOL, bundles(small(".", "a")), BEFORE_HELLO},
    {"keys before hello", HR_PROTOCOL, keys(0, 1), BEFORE_HELLO},
    {"parted before hello", HR_PROTOCOL, M(HR_MESSAGE_PARTED, N(1, 0)), BEFORE_HELLO},
    {"grant before hello", HR_PROTOCOL, grant(one_grant(1, 0)), BEFORE_HELLO},
    {"cancel before hello", HR_PROTOCOL, M(HR_MESSAGE_CANCEL, N(1, 1)), BEFORE_HELLO},
    {"close before hello", HR_PROTOCOL, M(HR_MESSAGE_CLOSE, N(1, 1)), BEFORE_HELLO},
    {"digest before hello", HR_PROTOCOL, digest(FILE_A, 0, 1), BEFORE_HELLO},
    {"hello twice", HR_PROTOCOL, hello(1, 1)},
    {"hello of another major", HR_VERSION, hello(2, 0), BEFORE_HELLO},
    {"hello of major 0", HR_VERSION, hello(0, 0), BEFORE_HELLO},
    {"hello of a major past 16 bits", HR_PROTOCOL, hello(65537, 0), BEFORE_HELLO},
    {"hello of a minor past 16 bits", HR_PROTOCOL, hello(1, 65536), BEFORE_HELLO},
    {"hello with a name too long", HR_PROTOCOL, hello(1, 1, 7, std::string(256, 'n')),
     BEFORE_HELLO},
    // a server's words
    {"welcome", HR_PROTOCOL,
     M(HR_MESSAGE_WELCOME, N(1, 1) + B(4, std::string(16, 'b')) + X8(5, 1) + N(6, 1) + N(7, 1000))},
    {"entries", HR_PROTOCOL, M(HR_MESSAGE_ENTRIES, N(1, 1))},
    {"opened", HR_PROTOCOL, M(HR_MESSAGE_OPENED, N(1, 1) + S(2, -5))},
    {"tickets", HR_PROTOCOL, M(HR_MESSAGE_TICKETS, S(1, 0))},
    {"joined", HR_PROTOCOL, M(HR_MESSAGE_JOINED, N(1, 0))},
    {"failed", HR_PROTOCOL, M(HR_MESSAGE_FAILED, N(1, 1) + S(4, -5))},
    {"closed", HR_PROTOCOL, M(HR_MESSAGE_CLOSED, N(1, 1))},
    {"digested", HR_PROTOCOL, M(HR_MESSAGE_DIGESTED, N(1, 1) + S(2, -5))},
    // frames
    {"frame of no bytes", HR_PROTOCOL, frame("")},
    {"frame one byte too long", HR_PROTOCOL, std::string("\x01\x00\x01\x00", 4)},
    {"frame of a list page's length", HR_PROTOCOL, std::string("\x00\x00\x04\x00", 4)},
    {"frame of 2 GiB", HR_PROTOCOL, std::string("\xff\xff\xff\x7f", 4)},
    {"frame of 4 GiB", HR_PROTOCOL, std::string("\xff\xff\xff\xff", 4)},
    {"frame too long before hello", HR_PROTOCOL, std::string("\x01\x00\x01\x00", 4), BEFORE_HELLO},
    // encodings
    {"no encoding", HR_PROTOCOL, frame(std::string(8, '\xff'))},
    {"zeros", HR_PROTOCOL, frame(std::string(8, '\0'))},
    {"text", HR_PROTOCOL, frame("GET / HTTP/1.1\r\n\r\n")},
    {"envelope of nothing known", HR_PROTOCOL, frame(B(999, ""))},
    {"number where a message belongs", HR_PROTOCOL, frame(N(HR_MESSAGE_OPEN, 1))},
    {"fixed number where a message belongs", HR_PROTOCOL, frame(X8(HR_MESSAGE_OPEN, 1))},
    {"group", HR_PROTOCOL, frame(varint(HR_MESSAGE_OPEN << 3 | 3))},
    {"field 0", HR_PROTOCOL, frame(B(0, "x"))},
    {"varint without an end", HR_PROTOCOL, frame(std::string(11, '\x80'))},
    {"tag without a value", HR_PROTOCOL, frame(varint(HR_MESSAGE_OPEN << 3 | 2))},
    {"message longer than its frame", HR_PROTOCOL,
     frame(varint(HR_MESSAGE_OPEN << 3 | 2) + varint(100) + "x")},
    {"message of 2^63 bytes", HR_PROTOCOL,
     frame(varint(HR_MESSAGE_OPEN << 3 | 2) + varint(PAST_I64))},
    {"path longer than its message", HR_PROTOCOL,
     M(HR_MESSAGE_OPEN, N(1, 1) + varint(2 << 3 | 2) + varint(100) + "x")},
    {"number where a path belongs", HR_PROTOCOL, M(HR_MESSAGE_OPEN, N(1, 1) + N(2, 7))},
    {"bytes where a number belongs", HR_PROTOCOL, M(HR_MESSAGE_OPEN, B(1, "1") + B(2, FILE_A))},
    // list
    {"list of no entries", HR_PROTOCOL, list("", 0)},
    {"list of too many entries", HR_PROTOCOL, list("", 2049)},
    {"list of a path too long", HR_PROTOCOL, list(LONG_PATH, 1)},
    {"list of a path with a zero", HR_PROTOCOL, list("data" + ZERO + "x", 1)},
    {"two lists at once", HR_PROTOCOL, list("data", 1) + list("data", 1)},
    {"three lists at once", HR_PROTOCOL, list("data", 1) + list("data", 1) + list("data", 1),
     LISTS},
    {"list of directories that was not agreed on", HR_PROTOCOL, list_below("data", "folder")},
    // open
    {"open of nothing", HR_PROTOCOL, open(1, "")},
    {"open of a path too long", HR_PROTOCOL, open(1, LONG_PATH)},
    {"open of a path with a zero", HR_PROTOCOL, open(1, "data/file" + ZERO)},
    {"open of a transfer twice", HR_PROTOCOL, open(1, FILE_A) + open(1, FILE_A)},
    {"open of an open transfer", HR_PROTOCOL, open(1, FILE_A), OPENED},
    {"open of the probe's transfer", HR_PROTOCOL, open(0, FILE_A)},
    {"257 shards at once", HR_LIMIT, times(257, [](unsigned i) { return open(i + 1, FILE_A); })},
    // open_bundles
    {"bundles that were not agreed on", HR_PROTOCOL, bundles(small(".", "file")), NO_FEATURES},
    {"bundles of no path", HR_PROTOCOL, bundles(small(".", "file"), "")},
    {"bundles of no files", HR_PROTOCOL, bundles("")},
    {"bundles of too many files", HR_PROTOCOL,
     bundles(times(2049, [](unsigned) { return small(".", "f"); }))},
    {"bundles that begin nowhere", HR_PROTOCOL, bundles(small("", "file"))},
    {"bundle of a file too large", HR_PROTOCOL, bundles(small(".", "file", (1 << 20) + 1))},
    {"bundle of no name", HR_PROTOCOL, bundles(small(".", ""))},
    {"bundle of a name with a slash", HR_PROTOCOL, bundles(small(".", "a/b"))},
    {"bundle of a name with a zero", HR_PROTOCOL, bundles(small(".", "a" + ZERO))},
    {"bundle of a name too long", HR_PROTOCOL, bundles(small(".", std::string(256, 'n')))},
    {"bundle of .", HR_PROTOCOL, bundles(small(".", "."))},
    {"bundle of ..", HR_PROTOCOL, bundles(small(".", ".."))},
    {"bundle from ..", HR_PROTOCOL, bundles(small("..", "file"))},
    {"bundle from a/../..", HR_PROTOCOL, bundles(small("a/../..", "file"))},
    {"bundle from the root", HR_PROTOCOL, bundles(small("/etc", "passwd"))},
    {"bundle from a//b", HR_PROTOCOL, bundles(small("a//b", "file"))},
    {"bundle from a/", HR_PROTOCOL, bundles(small("a/", "file"))},
    {"bundle from ./a", HR_PROTOCOL, bundles(small("./a", "file"))},
    {"nine transfers of bundles", HR_LIMIT,
     times(9, [](unsigned i) { return bundles(small(".", "file"), "data", i + 1); })},
    // keys
    {"keys for nothing", HR_PROTOCOL, keys(0, 0)},
    {"keys for 65 links", HR_PROTOCOL, keys(0, 65)},
    {"keys past the last link", HR_PROTOCOL, keys(UINT32_MAX, 2)},
    {"keys for a link twice", HR_LIMIT, keys(3, 1) + keys(3, 1)},
    {"keys for a 65th link", HR_LIMIT, keys(0, 64) + keys(64, 1)},
    {"region of no length", HR_PROTOCOL, keys(0, 0, region(0, 0x1000, 0))},
    {"region past the end of memory", HR_PROTOCOL, keys(0, 0, region(0, UINT64_MAX, 2))},
    {"region of too high a number", HR_LIMIT, keys(0, 0, region(4096, 0x1000, 1))},
    {"region of the highest number", HR_LIMIT, keys(0, 0, region(UINT32_MAX, 0x1000, 1))},
    {"1,025 regions", HR_PROTOCOL,
     keys(0, 0, times(1025, [](unsigned i) { return region(i, 0x1000, 1); }))},
    {"65 rings", HR_PROTOCOL,
     keys(0, 0, times(65, [](unsigned i) { return B(4, N(1, i) + X8(2, 1) + X4(3, 1)); }))},
    // grants
    {"grants of nothing", HR_PROTOCOL, grant("")},
    {"257 grants", HR_PROTOCOL, grant(times(257, [](unsigned) { return one_grant(1, 0); }))},
    {"grant for no transfer", HR_PROTOCOL, grant(one_grant(7, 0))},
    {"grant for a transfer that is opening", HR_PROTOCOL, open(1, FILE_A) + grant(one_grant(1, 0))},
    {"grant of a chunk past the end", HR_PROTOCOL, grant(one_grant(1, 2)), OPENED},
    {"grant of the last chunk there can be", HR_PROTOCOL, grant(one_grant(1, (1 << 25) - 1)),
     OPENED},
    {"grant of a chunk that cannot be", HR_PROTOCOL, grant(one_grant(1, 1 << 25)), OPENED},
    {"grant of an offset past 2^63", HR_PROTOCOL, grant(one_grant(1, 0, 0, PAST_I64)), OPENED},
    {"grant with an unknown flag", HR_PROTOCOL, grant(one_grant(1, 0, 0, 0, 2)), OPENED},
    {"grant of the probe's second chunk", HR_PROTOCOL, grant(one_grant(0, 1))},
    {"good grant and a bad one", HR_PROTOCOL, grant(one_grant(1, 0) + one_grant(1, 9)), OPENED},
    {"grant after close", HR_PROTOCOL, M(HR_MESSAGE_CLOSE, N(1, 1)) + grant(one_grant(1, 0)),
     OPENED},
    // close
    {"close of no transfer", HR_PROTOCOL, M(HR_MESSAGE_CLOSE, N(1, 7))},
    {"close of a transfer that is opening", HR_PROTOCOL,
     open(1, FILE_A) + M(HR_MESSAGE_CLOSE, N(1, 1))},
    {"close twice", HR_PROTOCOL, M(HR_MESSAGE_CLOSE, N(1, 1)) + M(HR_MESSAGE_CLOSE, N(1, 1)),
     OPENED},
    {"close of the probe", HR_PROTOCOL, M(HR_MESSAGE_CLOSE, N(1, 0))},
    // digests
    {"digest that was not agreed on", HR_PROTOCOL, digest(FILE_A, 0, 1), NO_FEATURES},
    {"digest of no path", HR_PROTOCOL, digest("", 0, 1)},
    {"digest of a path with a zero", HR_PROTOCOL, digest("data" + ZERO, 0, 1)},
    {"digest of a path too long", HR_PROTOCOL, digest(LONG_PATH, 0, 1)},
    {"digest from between", HR_PROTOCOL, digest(FILE_A, 4096, 1)},
    {"digest from past 2^63", HR_PROTOCOL, digest(FILE_A, PAST_I64, 1)},
    {"digest of nothing", HR_PROTOCOL, digest(FILE_A, 0, 0)},
    {"digest of too much", HR_PROTOCOL, digest(FILE_A, 0, (64 << 20) + 1)},
    {"17 digests at once", HR_LIMIT,
     times(17, [](unsigned) { return digest(FILE_A, 0, 64 << 20); })},
    // errors
    {"error that is none", HR_PROTOCOL, M(HR_MESSAGE_ERROR, S(1, 0))},
    {"error with too long a sentence", HR_PROTOCOL,
     M(HR_MESSAGE_ERROR, S(1, -2) + B(2, std::string(500, 'x')))},
};

// Answered with opened, and the session goes on.
const struct {
    const char *path;
    hr_status status;
} paths[] = {
    {"data/../outside", HR_POLICY},
    {"data/../data/file", HR_POLICY},
    {"data/../../../../../../etc/passwd", HR_POLICY},
    {"data/folder/../../outside", HR_POLICY},
    {"data/..", HR_POLICY},
    {"data//etc/passwd", HR_POLICY},
    {"data/absolute", HR_POLICY},      // a symlink to /etc/passwd
    {"data/upwards", HR_POLICY},       // a symlink to ../outside
    {"data/escape/passwd", HR_POLICY}, // a directory of that kind
    {"data/fifo", HR_UNSUPPORTED},
    {"data/nothing", HR_NOT_FOUND},
    {"data/file/below", HR_NOT_DIRECTORY},
    {"data/loop", HR_POLICY},
    {"nothing/file", HR_NOT_FOUND},
    {"/data/file", HR_POLICY},
    {"../data/file", HR_NOT_FOUND},
    {".", HR_NOT_FOUND},
    {"..", HR_NOT_FOUND},
    {"dat", HR_NOT_FOUND},
    {"data2/file", HR_NOT_FOUND},
};

const std::string RECORD("\x16\x03\x01", 3);

// All that a stranger gets is a closed connection, perhaps after an alert, or in clear after the
// one word that there is for it.
const struct {
    const char *name;
    std::string said;
    bool in_clear = false;
} strange[] = {
    {"HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"},
    {"SSH", "SSH-2.0-OpenSSH_9.2\r\n"},
    {"zeros", std::string(64, '\0')},
    {"ones", std::string(64, '\xff')},
    {"a greeting in clear", std::string("HEADRACE\x01\x00\x01", 11) + std::string(53, '\0'), true},
    {"a greeting of another major", std::string("HEADRACE\x02\x00\x01", 11) + std::string(53, 0),
     true},
    {"a greeting of no kind", std::string("HEADRACE\x01\x00\x09", 11) + std::string(53, '\0')},
    {"a greeting with what is reserved",
     std::string("HEADRACE\x01\x00\x01\x01", 12) + std::string(52, '\0')},
    {"a link of nobody", std::string("HEADRACE\x01\x00\x02", 11) + std::string(53, '\0')},
    {"a link of a guess", std::string("HEADRACE\x01\x00\x02", 11) + std::string(53, '\x41')},
    {"half a magic", "HEADRICE" + std::string(56, '\0')},
    {"a record of no length", RECORD + std::string("\x00\x00", 2)},
    {"a record longer than is read", RECORD + std::string("\x40\x00", 2)},
    {"a record of 64 KiB", RECORD + "\xff\xff"},
    {"a record that is no handshake", RECORD + std::string("\x00\x01x", 3)},
    {"a record of nonsense", RECORD + std::string("\x00\x40", 2) + std::string(64, '\xff')},
    {"a record of zeros", RECORD + std::string("\x00\x40", 2) + std::string(64, '\0')},
    {"a server's hello", RECORD + std::string("\x00\x08\x02\x00\x00\x04\x03\x03zz", 10)},
    {"a hello cut short", RECORD + std::string("\x00\x06\x01\x00\x01\xfc\x03\x03", 8)},
    {"a hello of a length past its record", RECORD + std::string("\x00\x05\x01\xff\xff\xffx", 7)},
    {"a request for a hello", RECORD + std::string("\x00\x04\x00\x00\x00\x00", 6)},
    {"a key update", RECORD + std::string("\x00\x05\x18\x00\x00\x01\x01", 7)},
    {"a finish", RECORD + std::string("\x00\x04\x14\x00\x00\x00", 6)},
    {"an alert", std::string("\x15\x03\x03\x00\x02\x02\x28", 7)},
    {"data", std::string("\x17\x03\x03\x00\x04zzzz", 9)},
    {"a change of ciphers", std::string("\x14\x03\x03\x00\x01\x01", 6)},
    {"a heartbeat", std::string("\x18\x03\x03\x00\x03\x01\x40\x00", 8)},
    {"SSL 2", std::string("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10", 11)},
    {"a record of another family", std::string("\x16\x02\x01\x00\x04zzzz", 9)},
};

// What breaks TLS once it stands ends the connection, without a word of the protocol.
const struct {
    const char *name;
    std::string said;
} broken[] = {
    {"clear text", "GET / HTTP/1.1\r\n\r\n"},
    {"a frame in clear", list("", 1)},
    {"a greeting in clear", std::string("HEADRACE\x01\x00\x01", 11) + std::string(53, '\0')},
    {"a renegotiation", RECORD + std::string("\x00\x06\x01\x00\x00\x02\x03\x03", 8)},
    {"a record that nobody sealed", std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x')},
    {"a record of no length", std::string("\x17\x03\x03\x00\x00", 5)},
    {"a record too long", std::string("\x17\x03\x03\x48\x01", 5)},
    {"an alert in clear", std::string("\x15\x03\x03\x00\x02\x02\x28", 7)},
};

class LyingClients : public Headrace
{
  protected:
    void begin()
    {
        offer("file", CHUNK + 1);
        make_directory(data("folder"));
        write_text(at("outside"), "secret");
        ASSERT_EQ(0, symlink("/etc/passwd", data("absolute").c_str()));
        ASSERT_EQ(0, symlink("../outside", data("upwards").c_str()));
        ASSERT_EQ(0, symlink("/etc", data("escape").c_str()));
        ASSERT_EQ(0, symlink("loop", data("loop").c_str()));
        ASSERT_EQ(0, mkfifo(data("fifo").c_str(), 0666));
        serve();
    }
    int connect()
    {
        int fd = -1;
        EXPECT_EQ(HR_OK, hr_stranger_connect(address_.c_str(), &fd));
        return fd;
    }
    // Until what was asked for has come; false: it ended before.
    static bool hear_kind(Liar &liar, hr_message_kind kind, hr_message *message)
    {
        while (liar.hear(HR_SIDE_SERVER, message))
            if (message->kind == kind)
                return true;
        return false;
    }
    static void start_session(Liar &liar, How how)
    {
        hr_message message;
        ASSERT_TRUE(liar.shake_hands());
        if (how == BEFORE_HELLO)
            return;
        ASSERT_TRUE(liar.say(hello(1, 1, how == NO_FEATURES ? 0 : how == LISTS ? 23 : 7)));
        ASSERT_TRUE(hear_kind(liar, HR_MESSAGE_WELCOME, &message));
        session_ = message.welcome.session;
        if (how != OPENED)
            return;
        ASSERT_TRUE(liar.say(open(1, FILE_A)));
        ASSERT_TRUE(hear_kind(liar, HR_MESSAGE_OPENED, &message));
        ASSERT_EQ(HR_OK, message.opened.status);
    }
    void expect_served()
    {
        expect_got(get(url("file"), target("file"), {"--overwrite"}), "file", CHUNK + 1);
    }
    static uint64_t session_;
};

uint64_t LyingClients::session_;

TEST_F(LyingClients, EachEarnsItsStatus)
{
    begin();
    for (const Lie &lie : lies) {
        SCOPED_TRACE(lie.name);
        Liar liar(connect(), HR_SIDE_CLIENT);
        start_session(liar, lie.how);
        liar.say(lie.said);
        hr_message message = {};
        if (!hear_kind(liar, HR_MESSAGE_ERROR, &message)) {
            ADD_FAILURE() << "ended without a word, or was taken";
            continue;
        }
        EXPECT_EQ(lie.status, message.error.status)
            << std::string((const char *)message.error.text.at, message.error.text.len);
        EXPECT_NE(0u, message.error.text.len);
        EXPECT_TRUE(hr_stranger_wait_closed(liar.fd()));
    }
    expect_served();
    EXPECT_LE(100u, std::size(lies));
}

TEST_F(LyingClients, LeaveNoExport)
{
    begin();
    Liar liar(connect(), HR_SIDE_CLIENT);
    start_session(liar, AFTER_WELCOME);
    uint64_t transfer = 0;
    for (const auto &row : paths) {
        SCOPED_TRACE(row.path);
        hr_message message = {};
        ASSERT_TRUE(liar.say(open(++transfer, row.path)));
        ASSERT_TRUE(hear_kind(liar, HR_MESSAGE_OPENED, &message));
        EXPECT_EQ(row.status, message.opened.status)
            << std::string((const char *)message.opened.text.at, message.opened.text.len);
    }
}

TEST_F(LyingClients, StrangersGetNoAnswerTheyCouldUse)
{
    const std::string unsupported =
        M(HR_MESSAGE_ERROR,
          S(1, HR_UNSUPPORTED) + B(2, "this server speaks TLS to everybody: leave --insecure out"));
    begin();
    for (const auto &row : strange) {
        SCOPED_TRACE(row.name);
        int fd = connect();
        hr_status status = hr_stranger_send(fd, row.said.data(), row.said.size());
        EXPECT_TRUE(status == HR_OK || status == HR_PEER_LOST);
        shutdown(fd, SHUT_WR); // some are beginnings, whose rest would be waited for
        char bytes[256];
        ssize_t got = recv(fd, bytes, sizeof bytes, MSG_WAITALL);
        std::string answer(bytes, got > 0 ? (size_t)got : 0);
        // An alert is seven bytes: its record's header, level and description.
        if (answer.substr(0, 1) == "\x15")
            EXPECT_EQ(7u, answer.size());
        else
            EXPECT_EQ(row.in_clear ? unsupported : "", answer);
        close(fd);
    }
    expect_served();
}

TEST_F(LyingClients, WhatBreaksTlsEndsIt)
{
    begin();
    for (const auto &row : broken) {
        SCOPED_TRACE(row.name);
        Liar liar(connect(), HR_SIDE_CLIENT);
        start_session(liar, AFTER_WELCOME);
        ASSERT_EQ(HR_OK, hr_stranger_send(liar.fd(), row.said.data(), row.said.size()));
        if (row.said.size() < 20) // not to be waited for as the rest of a record
            shutdown(liar.fd(), SHUT_WR);
        EXPECT_TRUE(hr_stranger_wait_closed(liar.fd()));
    }
    expect_served();
}

// ---- links ----

class LyingLinks : public LyingClients
{
  protected:
    // A ticket for link 0 of the session.
    void take_ticket(Liar &liar, hr_greeting *greeting)
    {
        hr_message message = {};
        start_session(liar, AFTER_WELCOME);
        ASSERT_TRUE(liar.say(keys(0, 1)));
        ASSERT_TRUE(hear_kind(liar, HR_MESSAGE_TICKETS, &message));
        ASSERT_EQ(1u, message.tickets.ticket_count);
        *greeting = {};
        greeting->kind = HR_GREETING_LINK;
        greeting->major = HR_PROTOCOL_MAJOR;
        greeting->session = session_;
        memcpy(greeting->ticket, message.tickets.tickets[0].ticket, HR_TICKET_LEN);
    }
    int greet(const hr_greeting &greeting)
    {
        uint8_t bytes[HR_GREETING_LEN];
        hr_greeting_pack(&greeting, bytes);
        int fd = connect();
        EXPECT_EQ(HR_OK, hr_stranger_send(fd, bytes, sizeof bytes));
        return fd;
    }
    void expect_refused(const hr_greeting &greeting)
    {
        int fd = greet(greeting);
        EXPECT_TRUE(hr_stranger_wait_closed(fd));
        close(fd);
    }
};

TEST_F(LyingLinks, WithATicketThatIsNotTheirs)
{
    begin();
    Liar liar(connect(), HR_SIDE_CLIENT);
    hr_greeting good = {};
    take_ticket(liar, &good);
    for (unsigned i = 0; i < HR_TICKET_LEN; i++) {
        hr_greeting forged = good;
        forged.ticket[i] ^= 1;
        expect_refused(forged);
    }
    hr_greeting other_link = good, other_session = good, none = good;
    other_link.link = 1;
    other_session.session++;
    memset(none.ticket, 0, sizeof none.ticket);
    expect_refused(other_link);
    expect_refused(other_session);
    expect_refused(none);
    // None of these has used it up.
    int fd = greet(good);
    hr_message message = {};
    ASSERT_TRUE(hear_kind(liar, HR_MESSAGE_JOINED, &message));
    expect_refused(good); // once more
    close(fd);
    expect_refused(good); // also when that link is gone
}

TEST_F(LyingLinks, WithATicketOfASessionThatIsOver)
{
    begin();
    hr_greeting greeting = {};
    {
        Liar liar(connect(), HR_SIDE_CLIENT);
        take_ticket(liar, &greeting);
        liar.say(hello(1, 1));
        EXPECT_TRUE(hr_stranger_wait_closed(liar.fd()));
    }
    expect_refused(greeting);
    expect_served();
}

TEST_F(LyingLinks, FromAnotherAddress)
{
    offer("file", 1);
    serve({}, {}, "0.0.0.0:0");
    std::string port = address_.substr(address_.rfind(':'));
    address_ = "127.0.0.1" + port;
    Liar liar(connect(), HR_SIDE_CLIENT);
    hr_greeting greeting = {};
    take_ticket(liar, &greeting);
    // To 127.0.0.1 from 127.0.0.2.
    struct sockaddr_in own = {}, server = {};
    own.sin_family = server.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(0x7f000002);
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.sin_port = htons((uint16_t)std::stoi(port.substr(1)));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(0, bind(fd, (struct sockaddr *)&own, sizeof own));
    ASSERT_EQ(0, ::connect(fd, (struct sockaddr *)&server, sizeof server));
    uint8_t bytes[HR_GREETING_LEN];
    hr_greeting_pack(&greeting, bytes);
    ASSERT_EQ(HR_OK, hr_stranger_send(fd, bytes, sizeof bytes));
    EXPECT_TRUE(hr_stranger_wait_closed(fd));
    close(fd);
    // And it is of no use any more to who got it.
    expect_refused(greeting);
}

TEST_F(LyingLinks, ThatSayMoreThanTheyMay)
{
    begin();
    Liar liar(connect(), HR_SIDE_CLIENT);
    hr_greeting greeting = {};
    take_ticket(liar, &greeting);
    int fd = greet(greeting);
    hr_message message = {};
    ASSERT_TRUE(hear_kind(liar, HR_MESSAGE_JOINED, &message));
    // A ring for a link that needs none; more grants than a link has.
    ASSERT_TRUE(liar.say(keys(0, 0, B(4, N(1, 0) + X8(2, 0x1000) + X4(3, 1)))));
    ASSERT_TRUE(hear_kind(liar, HR_MESSAGE_ERROR, &message));
    EXPECT_EQ(HR_PROTOCOL, message.error.status);
    EXPECT_TRUE(hr_stranger_wait_closed(fd)) << "its link goes with the session";
    close(fd);
}

TEST_F(LyingLinks, WithMoreGrantsThanALinkHas)
{
    begin();
    Liar liar(connect(), HR_SIDE_CLIENT);
    hr_greeting greeting = {};
    take_ticket(liar, &greeting);
    int fd = greet(greeting);
    hr_message message = {};
    ASSERT_TRUE(hear_kind(liar, HR_MESSAGE_JOINED, &message));
    ASSERT_TRUE(liar.say(open(1, FILE_A)));
    ASSERT_TRUE(hear_kind(liar, HR_MESSAGE_OPENED, &message));
    // Nobody reads the link, so hardly one of them ends.
    std::string many = times(250, [](unsigned) { return one_grant(1, 0); });
    ASSERT_TRUE(liar.say(grant(many) + grant(many)));
    ASSERT_TRUE(hear_kind(liar, HR_MESSAGE_ERROR, &message));
    EXPECT_EQ(HR_PROTOCOL, message.error.status);
    close(fd);
    expect_served();
}

} // namespace
