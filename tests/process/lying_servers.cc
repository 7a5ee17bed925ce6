// SPDX-License-Identifier: Apache-2.0
// What a client does with servers that have the right key and break the protocol. Each line of the
// table is a server that is honest but for one answer, and how the client ends: with this exit
// code, one sentence, and nothing under the final name. One more costs a line.
#include "liar.h"

#include <thread>

extern "C" {
#include "crc32c.h"
}

namespace
{

const std::string CONTENT = "what is in the file";
const std::string ID(16, 'i');
const std::string ZERO = std::string(1, '\0');
const uint64_t PAST_I64 = UINT64_C(1) << 63;

std::string welcome(uint64_t major = 1, uint64_t links = 8, uint64_t heartbeat = 1000,
                    const std::string &boot = ID, uint64_t features = 0)
{
    return M(HR_MESSAGE_WELCOME, N(1, major) + N(2, 1) + N(3, features) + B(4, boot) + X8(5, 77) +
                                     N(6, links) + N(7, heartbeat));
}
std::string ticket(uint64_t link, size_t len = HR_TICKET_LEN)
{
    return B(3, N(1, link) + B(2, std::string(len, 't')));
}
std::string rail(const std::string &family = "tcp", const std::string &address = "")
{
    return B(4, B(1, family) + B(2, address));
}
std::string tickets(const std::string &more, int32_t status = 0)
{
    return M(HR_MESSAGE_TICKETS, S(1, status) + more);
}
// Everything that stands in opened, each of it to be replaced.
struct Opened {
    uint64_t transfer = 1, type = 1, mode = 0644, size = CONTENT.size(), chunk_len = 4 << 20;
    uint64_t codec = 0, cipher = 0;
    int32_t status = 0;
    std::string identity = ID, more = "", text = "";
};
std::string opened(const Opened &o)
{
    return M(HR_MESSAGE_OPENED, N(1, o.transfer) + S(2, o.status) + B(3, o.text) +
                                    B(4, o.identity) + N(5, o.type) + N(6, o.mode) + N(7, o.size) +
                                    N(9, o.chunk_len) + N(10, o.codec) + N(60, o.cipher) + o.more);
}
template <typename T> std::string opened_with(T Opened::*member, T value)
{
    Opened o;
    o.*member = std::move(value);
    return opened(o);
}
std::string failed(uint64_t transfer, uint64_t chunk, int32_t status, size_t text_len = 0)
{
    return M(HR_MESSAGE_FAILED, N(1, transfer) + N(2, chunk) + N(3, 1) + S(4, status) +
                                    B(5, std::string(text_len, 'x')));
}
std::string closed(uint64_t transfer, int32_t status, size_t text_len = 0)
{
    return M(HR_MESSAGE_CLOSED, N(1, transfer) + S(2, status) + B(3, std::string(text_len, 'x')));
}
std::string entry(const std::string &name, uint64_t type = 1, uint64_t size = 1,
                  const std::string &more = "")
{
    return B(5, B(1, name) + N(2, type) + N(3, 0644) + N(4, size) + more);
}
std::string entries(const std::string &more, uint64_t request = 1, int32_t status = 0)
{
    return M(HR_MESSAGE_ENTRIES, N(1, request) + S(2, status) + more);
}

using Receipt = void (*)(hr_receipt *receipt, std::string *payload);

struct Lie {
    const char *name;
    int exit_code;
    hr_message_kind instead_of_answering;
    std::string said;
    Receipt receipt = nullptr;      // changes what goes over the link
    const char *path = "data/file"; // what is asked for
};

constexpr hr_message_kind HELLO = HR_MESSAGE_HELLO, KEYS = HR_MESSAGE_KEYS, OPEN = HR_MESSAGE_OPEN,
                          GRANT = HR_MESSAGE_GRANT, CLOSE = HR_MESSAGE_CLOSE,
                          LIST = HR_MESSAGE_LIST, NEVER = HR_MESSAGE_HINT;

#define RECEIPT(change) [](hr_receipt *r, std::string *p) { (void)r, (void)p, (void)(change); }

const Lie lies[] = {
    // welcome
    {"welcome of major 2", 11, HELLO, welcome(2)},
    {"welcome of major 0", 11, HELLO, welcome(0)},
    {"welcome of a major past 16 bits", 11, HELLO, welcome(65537)},
    {"welcome without links", 11, HELLO, welcome(1, 0)},
    {"welcome without a heartbeat", 11, HELLO, welcome(1, 8, 0)},
    {"welcome with too fast a heartbeat", 11, HELLO, welcome(1, 8, 99)},
    {"welcome with too slow a heartbeat", 11, HELLO, welcome(1, 8, 10001)},
    {"welcome with a short boot id", 11, HELLO, welcome(1, 8, 1000, "short")},
    {"welcome with a long boot id", 11, HELLO, welcome(1, 8, 1000, ID + "i")},
    {"welcome with features nobody offered", 11, HELLO, welcome(1, 8, 1000, ID, 1u << 20)},
    {"welcome with all features", 11, HELLO, welcome(1, 8, 1000, ID, UINT64_MAX)},
    {"welcome twice", 11, HELLO, welcome() + welcome()},
    {"opened before welcome", 11, HELLO, opened({})},
    {"tickets before welcome", 11, HELLO, tickets(ticket(0) + rail())},
    {"joined before welcome", 11, HELLO, M(HR_MESSAGE_JOINED, N(1, 0))},
    {"entries before welcome", 11, HELLO, entries("")},
    {"failed before welcome", 11, HELLO, failed(1, 0, -5)},
    {"closed before welcome", 11, HELLO, closed(1, 0)},
    {"error that is none", 11, HELLO, M(HR_MESSAGE_ERROR, S(1, 0))},
    {"error of a status nobody knows", 11, HELLO, M(HR_MESSAGE_ERROR, S(1, -999))},
    {"error of a positive status", 11, HELLO, M(HR_MESSAGE_ERROR, S(1, 7))},
    {"error of a status that ends nothing", 11, HELLO, M(HR_MESSAGE_ERROR, S(1, HR_AGAIN))},
    {"error with too long a sentence", 11, HELLO,
     M(HR_MESSAGE_ERROR, S(1, -8) + B(2, std::string(500, 'x')))},
    {"error that says no", 6, HELLO, M(HR_MESSAGE_ERROR, S(1, -8) + B(2, "no"))},
    // a client's words
    {"hello", 11, HELLO, M(HR_MESSAGE_HELLO, N(1, 1))},
    {"open", 11, OPEN, M(HR_MESSAGE_OPEN, N(1, 1) + B(2, "data/file"))},
    {"list", 11, OPEN, M(HR_MESSAGE_LIST, N(1, 1) + N(4, 1))},
    {"grant", 11, OPEN, M(HR_MESSAGE_GRANT, B(1, N(1, 1)))},
    {"keys", 11, OPEN, M(HR_MESSAGE_KEYS, N(2, 1))},
    {"cancel", 11, OPEN, M(HR_MESSAGE_CANCEL, N(1, 1))},
    {"close", 11, OPEN, M(HR_MESSAGE_CLOSE, N(1, 1))},
    {"digest", 11, OPEN, M(HR_MESSAGE_DIGEST, N(1, 1) + B(2, "x") + N(4, 1))},
    {"open_bundles", 11, OPEN, M(HR_MESSAGE_OPEN_BUNDLES, N(1, 1) + B(2, "x"))},
    // frames and encodings
    {"frame of no bytes", 11, HELLO, frame("")},
    {"frame too long for a page", 11, HELLO, std::string("\x01\x00\x04\x00", 4)},
    {"frame of 4 GiB", 11, HELLO, std::string("\xff\xff\xff\xff", 4)},
    {"no encoding", 11, HELLO, frame(std::string(8, '\xff'))},
    {"zeros", 11, HELLO, frame(std::string(8, '\0'))},
    {"text", 11, HELLO, frame("HTTP/1.1 200 OK\r\n")},
    {"envelope of nothing known", 11, HELLO, frame(B(999, ""))},
    {"number where a message belongs", 11, HELLO, frame(N(HR_MESSAGE_WELCOME, 1))},
    {"group", 11, HELLO, frame(varint(HR_MESSAGE_WELCOME << 3 | 3))},
    {"field 0", 11, HELLO, frame(B(0, "x"))},
    {"varint without an end", 11, HELLO, frame(std::string(11, '\x80'))},
    {"message longer than its frame", 11, HELLO,
     frame(varint(HR_MESSAGE_WELCOME << 3 | 2) + varint(100) + "x")},
    {"message of 2^63 bytes", 11, HELLO,
     frame(varint(HR_MESSAGE_WELCOME << 3 | 2) + varint(PAST_I64))},
    // tickets
    {"tickets that are refused", 8, KEYS, tickets("", -15)},
    {"tickets of none", 11, KEYS, tickets("")},
    {"tickets without rails", 11, KEYS, tickets(ticket(0))},
    {"tickets of too many", 11, KEYS, tickets(ticket(0) + ticket(1) + rail())},
    {"tickets of 65", 11, KEYS, tickets(times(65, [](unsigned i) { return ticket(i); }) + rail())},
    {"ticket cut short", 11, KEYS, tickets(ticket(0, 31) + rail())},
    {"ticket too long", 11, KEYS, tickets(ticket(0, 33) + rail())},
    {"rail of no family", 11, KEYS, tickets(ticket(0) + rail(""))},
    {"rail of too long a family", 11, KEYS, tickets(ticket(0) + rail(std::string(16, 'f')))},
    {"rail of a family with a zero", 11, KEYS, tickets(ticket(0) + rail("t" + ZERO + "p"))},
    {"rail of too long an address", 11, KEYS,
     tickets(ticket(0) + rail("tcp", std::string(256, 'a')))},
    {"65 rails", 11, KEYS, tickets(ticket(0) + times(65, [](unsigned) { return rail(); }))},
    {"tickets nobody asked for", 11, OPEN, tickets(ticket(9) + rail())},
    // opened
    {"opened that is refused", 4, OPEN, opened_with(&Opened::status, -5)},
    {"opened of a status nobody knows", 11, OPEN, opened_with(&Opened::status, -999)},
    {"opened of a status that ends nothing", 11, OPEN,
     opened_with(&Opened::status, static_cast<int32_t>(HR_AGAIN))},
    {"opened of no type", 11, OPEN, opened_with(&Opened::type, UINT64_C(0))},
    {"opened of a symlink", 11, OPEN, opened_with(&Opened::type, UINT64_C(3))},
    {"opened of a device", 11, OPEN, opened_with(&Opened::type, UINT64_C(4))},
    {"opened with too many permissions", 11, OPEN, opened_with(&Opened::mode, UINT64_C(010000))},
    {"opened of a size past 2^47", 11, OPEN, opened_with(&Opened::size, UINT64_C(1) << 48)},
    {"opened of a size past 2^63", 11, OPEN, opened_with(&Opened::size, PAST_I64)},
    {"opened of chunks of no length", 11, OPEN, opened_with(&Opened::chunk_len, UINT64_C(0))},
    {"opened of chunks of another length", 11, OPEN,
     opened_with(&Opened::chunk_len, UINT64_C(4096))},
    {"opened of chunks of 4 GiB", 11, OPEN, opened_with(&Opened::chunk_len, UINT64_C(0xffffffff))},
    {"opened of a codec past 8 bits", 11, OPEN, opened_with(&Opened::codec, UINT64_C(256))},
    {"opened of a cipher past 8 bits", 11, OPEN, opened_with(&Opened::cipher, UINT64_C(256))},
    {"opened of a cipher without a salt", 11, OPEN, opened_with(&Opened::cipher, UINT64_C(1))},
    {"opened of a cipher with a short salt", 11, OPEN,
     opened({.cipher = 1, .more = B(61, "salt")})},
    {"opened of a cipher nobody knows", 11, OPEN,
     opened({.cipher = 77, .more = B(61, std::string(16, 's'))})},
    {"opened of a short identity", 11, OPEN, opened_with(&Opened::identity, std::string("i"))},
    {"opened of a long identity", 11, OPEN, opened_with(&Opened::identity, ID + "i")},
    {"opened with too long a sentence", 11, OPEN,
     opened({.status = -5, .text = std::string(500, 'x')})},
    {"opened with a map of nothing packed", 11, OPEN, opened({.more = B(21, "x")})},
    {"opened with content nobody asked for", 11, OPEN, opened({.codec = 1, .more = N(20, 10)})},
    {"opened of a transfer nobody opened", 12, OPEN, opened_with(&Opened::transfer, UINT64_C(9))},
    // failed, joined, parted, digested
    {"failed that is none", 11, GRANT, failed(1, 0, 0)},
    {"failed of a chunk that cannot be", 11, GRANT, failed(1, 1 << 25, -5)},
    {"failed with too long a sentence", 11, GRANT, failed(1, 0, -5, 500)},
    {"failed once, and then nothing", 12, GRANT, failed(1, 0, -6)},
    {"failed as canceled, which nobody asked for", 11, GRANT, failed(1, 0, HR_CANCELED)},
    {"failed with a link that is there", 11, GRANT, failed(1, 0, HR_PEER_LOST)},
    {"failed for now, which is for bundles", 11, GRANT, failed(1, 0, HR_AGAIN)},
    // Tried once more by itself, and not found to be a file then.
    {"failed for now, before it was asked for", 3, GRANT, failed(2, 0, HR_AGAIN), nullptr, "data"},
    {"failed of a status nobody knows", 11, GRANT, failed(1, 0, -999)},
    {"digested that nobody asked for", 11, GRANT,
     M(HR_MESSAGE_DIGESTED, N(1, 1) + S(2, 0) + B(4, ID))},
    {"digested of a short identity", 11, GRANT, M(HR_MESSAGE_DIGESTED, N(1, 1) + B(4, "i"))},
    // closed
    {"closed after a change", 8, CLOSE, closed(1, -13)},
    {"closed with too long a sentence", 11, CLOSE, closed(1, 0, 500)},
    {"closed of a status nobody knows", 11, CLOSE, closed(1, -999)},
    // listings
    {"entries that nobody asked for", 11, LIST, entries(entry("a"), 77), nullptr, "data"},
    {"entry of no name", 11, LIST, entries(entry("")), nullptr, "data"},
    {"entry named ..", 11, LIST, entries(entry("..")), nullptr, "data"},
    {"entry named .", 11, LIST, entries(entry(".")), nullptr, "data"},
    {"entry with a slash", 11, LIST, entries(entry("a/b")), nullptr, "data"},
    {"entry that is absolute", 11, LIST, entries(entry("/etc/passwd")), nullptr, "data"},
    {"entry that leads out", 11, LIST, entries(entry("../../x")), nullptr, "data"},
    {"entry with a zero", 11, LIST, entries(entry("a" + ZERO)), nullptr, "data"},
    {"entry with too long a name", 11, LIST, entries(entry(std::string(256, 'n'))), nullptr,
     "data"},
    {"entry of no type", 11, LIST, entries(entry("a", 0)), nullptr, "data"},
    {"entry with too many permissions", 11, LIST,
     entries(B(5, B(1, "a") + N(2, 1) + N(3, 0200000))), nullptr, "data"},
    {"entry of a size past 2^63", 11, LIST, entries(entry("a", 1, PAST_I64)), nullptr, "data"},
    {"entry of too long a target", 11, LIST,
     entries(entry("a", 3, 1, B(7, std::string(4096, 't')))), nullptr, "data"},
    {"entry of a target with a zero", 11, LIST, entries(entry("a", 3, 1, B(7, "t" + ZERO))),
     nullptr, "data"},
    {"entry of too many attributes", 11, LIST,
     entries(entry("a", 1, 1, B(45, std::string(16385, 'x')))), nullptr, "data"},
    {"2,049 entries", 11, LIST,
     entries(times(2049, [](unsigned i) { return entry("f" + std::to_string(i)); })), nullptr,
     "data"},
    {"entries of directories that were not asked for", 11, LIST,
     entries(entry("a") + B(40, "\x01")), nullptr, "data"},
    {"entries with too long a sentence", 11, LIST, entries(B(3, std::string(500, 'x')), 1, -5),
     nullptr, "data"},
    // receipts and payloads
    {"receipt of another transfer", 11, NEVER, "", RECEIPT(r->transfer++)},
    {"receipt of another chunk", 11, NEVER, "", RECEIPT(r->chunk++)},
    {"receipt of another generation", 11, NEVER, "", RECEIPT(r->generation += 7)},
    {"receipt longer than its place", 11, NEVER, "", RECEIPT(r->stored_len = 5u << 20)},
    {"receipt of 4 GiB", 11, NEVER, "", RECEIPT(r->stored_len = UINT32_MAX)},
    {"receipt shorter than its chunk", 5, NEVER, "",
     RECEIPT((p->pop_back(), r->stored_len--, r->content_len--))},
    {"receipt of no bytes", 5, NEVER, "",
     RECEIPT((p->clear(), r->stored_len = 0, r->content_len = 0))},
    {"receipt of another content length", 5, NEVER, "", RECEIPT(r->content_len++)},
    {"receipt of a codec that was not told", 5, NEVER, "", RECEIPT(r->codec = 1)},
    {"receipt of a codec nobody knows", 5, NEVER, "", RECEIPT(r->codec = 77)},
    {"receipt of a wrong digest", 5, NEVER, "", RECEIPT(r->stored_crc ^= 1)},
    {"receipt of a wrong content digest", 5, NEVER, "", RECEIPT(r->content_crc ^= 1)},
    {"payload that was changed", 5, NEVER, "", RECEIPT((*p)[3] ^= 1)},
};

// Honest but for one thing.
class LyingServer
{
  public:
    LyingServer(int listener, const Lie &lie) : listener_(listener), lie_(lie)
    {
    }
    // Until the client has gone.
    void run()
    {
        int fd = accept_one();
        if (fd < 0)
            return;
        Liar liar(fd, HR_SIDE_SERVER);
        hr_message message;
        if (!liar.shake_hands())
            return;
        while (liar.hear(HR_SIDE_CLIENT, &message))
            if (!answer(liar, message))
                break;
        if (link_ >= 0)
            close(link_);
    }

  private:
    bool is_directory() const
    {
        return lie_.instead_of_answering == LIST || strcmp(lie_.path, "data") == 0;
    }
    bool offers_bundles() const
    {
        return is_directory() && lie_.instead_of_answering != LIST;
    }
    int accept_one()
    {
        int fd = -1;
        return hr_stranger_accept(listener_, &fd) == HR_OK ? fd : -1;
    }
    bool answer(Liar &liar, const hr_message &message)
    {
        if (message.kind == lie_.instead_of_answering)
            return liar.say(lie_.said);
        switch ((int)message.kind) {
        case HR_MESSAGE_HELLO:
            return liar.say(welcome(1, 8, 1000, ID, offers_bundles()));
        case HR_MESSAGE_KEYS:
            return message.keys.links == 0 || take_link(liar, message.keys);
        case HR_MESSAGE_OPEN: {
            Opened o;
            o.transfer = message.open.transfer;
            o.type = is_directory() ? 2 : 1;
            o.size = is_directory() ? 0 : CONTENT.size();
            return liar.say(opened(o));
        }
        case HR_MESSAGE_OPEN_BUNDLES: {
            Opened o;
            o.transfer = message.open_bundles.transfer;
            o.type = 2;
            o.size = 0;
            return liar.say(opened(o));
        }
        case HR_MESSAGE_LIST:
            return liar.say(entries(entry("a", 1, CONTENT.size())));
        case HR_MESSAGE_GRANT:
            for (size_t i = 0; i < message.grant.count; i++)
                ship(message.grant.grants[i]);
            return true;
        case HR_MESSAGE_CLOSE:
            return liar.say(closed(message.close.transfer, 0));
        default:
            return true;
        }
    }
    bool take_link(Liar &liar, const hr_message_keys &keys)
    {
        uint8_t greeting[HR_GREETING_LEN];
        liar.say(tickets(ticket(keys.first_link) + rail()));
        if (link_ >= 0)
            close(link_);
        link_ = accept_one();
        return link_ >= 0 && hr_stranger_receive(link_, greeting, sizeof greeting) == HR_OK &&
               liar.say(M(HR_MESSAGE_JOINED, N(1, keys.first_link)));
    }
    void ship(const hr_grant &grant)
    {
        std::string payload = CONTENT;
        hr_receipt receipt = {};
        receipt.transfer = grant.transfer;
        receipt.chunk = grant.chunk;
        receipt.generation = grant.generation;
        receipt.stored_len = receipt.content_len = (uint32_t)payload.size();
        receipt.stored_crc = receipt.content_crc = hr_crc32c(0, payload.data(), payload.size());
        if (lie_.receipt != nullptr)
            lie_.receipt(&receipt, &payload);
        uint8_t bytes[HR_RECEIPT_LEN];
        hr_receipt_pack(&receipt, bytes);
        hr_status status = hr_stranger_send(link_, bytes, sizeof bytes);
        if (status == HR_OK)
            status = hr_stranger_send(link_, payload.data(), payload.size());
        (void)status; // the client ends links that lie
    }
    int listener_, link_ = -1;
    const Lie &lie_;
};

class LyingServers : public Headrace
{
  protected:
    Result get_from(const Lie &lie, std::string *said = nullptr)
    {
        int listener = -1;
        char address[64] = "";
        EXPECT_EQ(HR_OK, hr_stranger_listen(&listener, address));
        LyingServer server(listener, lie);
        std::thread thread([&] { server.run(); });
        Program client;
        // A second without progress tells only of a server that is to be silent: on a machine that
        // is full, others take as long.
        const char *stall = lie.exit_code == 12 ? "1s" : "20s";
        start_get(client, std::string("hr://") + address + "/" + lie.path, target("file"),
                  {"--stall", stall, "--deadline", "20s", "--links", "1"});
        Result result = result_of(client);
        if (said != nullptr)
            *said = client.out();
        shutdown(listener, SHUT_RDWR);
        thread.join();
        close(listener);
        return result;
    }
};

TEST_F(LyingServers, AnHonestOneIsServedFrom)
{
    Lie honest = {"honest", 0, NEVER, ""};
    Result result = get_from(honest);
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(CONTENT, read_text(target("file")));
}

// It would take the request for a violation and hang up.
TEST_F(LyingServers, AnOldOneIsNotAskedForALongPath)
{
    std::string path = "data";
    while (path.size() < 4000)
        path += "/deep";
    std::string fits = path + "/" + std::string(4095 - path.size() - 1, 'x');
    Lie old = {"old", 0, NEVER, "", nullptr, fits.c_str()};
    Result result = get_from(old);
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(CONTENT, read_text(target("file")));
    ASSERT_EQ(0, unlink(target("file").c_str()));

    old = {"old",   0,           LIST, entries(entry(std::string(4096 - path.size() - 1, 'y'))),
           nullptr, path.c_str()};
    std::string said;
    result = get_from(old, &said);
    EXPECT_EQ(3, result.exit_code) << result.errors;
    EXPECT_NE(std::string::npos, said.find("a path of 4096 bytes: the server at ")) << said;
}

TEST_F(LyingServers, EachIsFoundOut)
{
    for (const Lie &lie : lies) {
        SCOPED_TRACE(lie.name);
        Result result = get_from(lie);
        EXPECT_EQ(lie.exit_code, result.exit_code) << result.errors;
        EXPECT_EQ(0u, result.errors.find("headrace: ")) << result.errors;
        if (lie.path == std::string("data/file")) {
            EXPECT_FALSE(exists(target("file")));
        } else {
            EXPECT_TRUE(!exists(target("file")) || hr_temp_count(target("file").c_str(), "") == 0);
        }
        // What can be resumed is not, by the next one.
        std::string command = "rm -rf " + at("target") + "/* " + at("target") + "/.head*";
        EXPECT_EQ(0, system(command.c_str()));
    }
    EXPECT_LE(100u, std::size(lies));
}

} // namespace
