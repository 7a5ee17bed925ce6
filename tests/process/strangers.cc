// SPDX-License-Identifier: Apache-2.0
// Peers that are something else: what a server does with clients that are none, and a client with
// servers that are none.
#include "fixture.h"
#include "wire.h"

#include <dirent.h>

namespace
{

const char HTTP[] = "GET / HTTP/1.1\r\nHost: localhost:7431\r\nUser-Agent: curl/7.88.1\r\n"
                    "Accept: */*\r\n\r\n";

// ---- our server, and strangers that come to it ----

class StrangeClient : public Headrace
{
  protected:
    // Whatever came, the server goes on serving others.
    void expect_served()
    {
        expect_got(get(url("file"), target("file"), {"--overwrite", "--insecure"}), "file",
                   CHUNK + 1);
    }
    void begin()
    {
        offer("file", CHUNK + 1);
        serve({"--insecure"});
    }
    // Sends the bytes; the server ends the connection.
    void expect_shown_out(const std::string &bytes)
    {
        int fd = -1;
        ASSERT_EQ(HR_OK, hr_stranger_connect(address_.c_str(), &fd));
        hr_status status = hr_stranger_send(fd, bytes.data(), bytes.size());
        EXPECT_TRUE(status == HR_OK || status == HR_PEER_LOST);
        EXPECT_TRUE(hr_stranger_wait_closed(fd));
        close(fd);
    }
    // The server says its last word, of this status, and ends the channel.
    static void expect_error(Speaker &speaker, hr_status status, const std::string &part)
    {
        hr_message message = {};
        do
            ASSERT_TRUE(speaker.receive(HR_SIDE_SERVER, &message)) << "ended without a word";
        while (message.kind != HR_MESSAGE_ERROR);
        EXPECT_EQ(status, message.error.status);
        std::string text((const char *)message.error.text.at, message.error.text.len);
        EXPECT_NE(std::string::npos, text.find(part)) << text;
        EXPECT_TRUE(hr_stranger_wait_closed(speaker.fd()));
    }
    void start_session(Speaker &speaker)
    {
        hr_message message = {};
        speaker.hello();
        ASSERT_TRUE(speaker.receive(HR_SIDE_SERVER, &message));
        ASSERT_EQ(HR_MESSAGE_WELCOME, message.kind);
    }
};

TEST_F(StrangeClient, ThatSpeaksSomethingElse)
{
    begin();
    expect_shown_out(HTTP);
    expect_shown_out(std::string("\x16\x03\x01\x02\x00\x01", 6) + std::string(100, 't')); // TLS
    expect_shown_out(std::string(200, '\0'));
    expect_shown_out("HEADRACE" + std::string(56, '\xff'));
    expect_served();
}

TEST_F(StrangeClient, ThatSaysNothing)
{
    begin();
    int fd = -1;
    ASSERT_EQ(HR_OK, hr_stranger_connect(address_.c_str(), &fd));
    expect_served();
    EXPECT_TRUE(hr_stranger_wait_closed(fd)); // after 5 s
    close(fd);
}

TEST_F(StrangeClient, ThatHangsUp)
{
    begin();
    for (size_t len : {(size_t)0, (size_t)1, (size_t)63}) {
        int fd = -1;
        ASSERT_EQ(HR_OK, hr_stranger_connect(address_.c_str(), &fd));
        ASSERT_EQ(HR_OK, hr_stranger_send(fd,
                                          "HEADRACE and then nothing of what has to come next, "
                                          "as it goes on like this",
                                          len));
        hr_stranger_reset(fd);
    }
    expect_served();
}

TEST_F(StrangeClient, ThatStopsInMidMessage)
{
    begin();
    Speaker speaker(Speaker::connect(address_));
    start_session(speaker);
    ASSERT_EQ(HR_OK, hr_stranger_send(speaker.fd(), "\x40\0\0\0half", 8));
    expect_served();
} // and hangs up

TEST_F(StrangeClient, ThatDoesNotFinishItsHello)
{
    begin();
    Speaker speaker(Speaker::connect(address_));
    hr_message hello = {};
    hello.kind = HR_MESSAGE_HELLO;
    hello.hello.major = 1;
    std::vector<uint8_t> frame = speaker.pack(hello);
    ASSERT_EQ(HR_OK, hr_stranger_send(speaker.fd(), frame.data(), frame.size() - 1));
    expect_served();
    expect_error(speaker, HR_PEER_LOST, "hello"); // after 5 s, and not only when it is silent
}

TEST_F(StrangeClient, OfAnotherMajorVersion)
{
    begin();
    for (uint16_t greeted : {1, 2}) {
        Speaker speaker(Speaker::connect(address_, greeted));
        speaker.hello(2);
        expect_error(speaker, HR_VERSION, "2");
    }
    expect_served();
}

TEST_F(StrangeClient, ThatBreaksTheOrder)
{
    begin();
    {
        Speaker speaker(Speaker::connect(address_));
        hr_message open = {};
        open.kind = HR_MESSAGE_OPEN;
        open.open.transfer = 1;
        open.open.path = hr_bytes_make("data/file", 9);
        speaker.send(open); // before hello
        expect_error(speaker, HR_PROTOCOL, "");
    }
    {
        Speaker speaker(Speaker::connect(address_));
        start_session(speaker);
        speaker.hello();
        expect_error(speaker, HR_PROTOCOL, "");
    }
    {
        Speaker speaker(Speaker::connect(address_));
        start_session(speaker);
        hr_grant one = {};
        one.transfer = 7;
        hr_message grant = {};
        grant.kind = HR_MESSAGE_GRANT;
        grant.grant.grants = &one;
        grant.grant.count = 1;
        speaker.send(grant);
        expect_error(speaker, HR_PROTOCOL, "7");
    }
    {
        Speaker speaker(Speaker::connect(address_));
        start_session(speaker);
        speaker.welcome(); // a server's word
        expect_error(speaker, HR_PROTOCOL, "");
    }
    expect_served();
}

TEST_F(StrangeClient, ThatSendsWhatIsNoMessage)
{
    begin();
    const std::string bodies[] = {
        std::string("\0\0\0\0", 4),                                    // of no length
        std::string("\xff\xff\xff\x7f", 4),                            // of any length
        std::string("\x01\x00\x01\x00", 4) + "oversized",              // one more than the limit
        std::string("\x08\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 12), // no encoding
    };
    for (const std::string &body : bodies) {
        Speaker speaker(Speaker::connect(address_));
        start_session(speaker);
        ASSERT_EQ(HR_OK, hr_stranger_send(speaker.fd(), body.data(), body.size()));
        expect_error(speaker, HR_PROTOCOL, "");
    }
    expect_served();
}

TEST_F(StrangeClient, WithALinkThatNobodyGaveATicketFor)
{
    begin();
    Speaker speaker(Speaker::connect(address_));
    start_session(speaker);
    uint8_t bytes[HR_GREETING_LEN];
    hr_greeting greeting = {};
    greeting.kind = HR_GREETING_LINK;
    greeting.major = HR_PROTOCOL_MAJOR;
    greeting.session = 1;
    hr_greeting_pack(&greeting, bytes);
    expect_shown_out(std::string((const char *)bytes, sizeof bytes));
    expect_served();
}

// Memory, descriptors and threads of the server after many strangers are what they were.
TEST_F(StrangeClient, LeavesNothingBehind)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer keeps memory of its own for each connection";
#endif
    begin();
    auto resident_kib = [this] {
        std::string status = read_text("/proc/" + std::to_string(server_.pid()) + "/status");
        return std::stoul(status.substr(status.find("VmRSS:") + 6));
    };
    auto descriptors = [this] {
        std::string path = "/proc/" + std::to_string(server_.pid()) + "/fd";
        return hr_temp_count(path.c_str(), "");
    };
    auto strangers = [this](unsigned count) {
        for (unsigned i = 0; i < count; i++) {
            switch (i % 4) {
            case 0:
                expect_shown_out(HTTP);
                break;
            case 1:
                expect_shown_out("HEADRACE" + std::string(56, '\xff'));
                break;
            case 2: {
                Speaker speaker(Speaker::connect(address_));
                start_session(speaker);
                ASSERT_EQ(HR_OK, hr_stranger_send(speaker.fd(), "\0\0\0\0", 4));
                EXPECT_TRUE(hr_stranger_wait_closed(speaker.fd()));
                break;
            }
            default: {
                Speaker speaker(Speaker::connect(address_));
                speaker.hello(2);
                EXPECT_TRUE(hr_stranger_wait_closed(speaker.fd()));
                break;
            }
            }
        }
        expect_served();
    };
    strangers(40);
    unsigned long before_kib = resident_kib();
    int before = descriptors();
    strangers(200);
    // A page for each of them would be 800 KiB.
    EXPECT_LE(resident_kib(), before_kib + 512);
    // Of the last one it may hear later than that one is gone.
    for (int ms = 0; ms < HR_PROCESS_WATCHDOG_MS && descriptors() > before; ms++)
        server_.runs_for(1000);
    EXPECT_LE(descriptors(), before);
}

// ---- our client, and strangers that listen ----

class StrangeServer : public Headrace
{
  protected:
    StrangeServer()
    {
        char address[64] = "";
        EXPECT_EQ(HR_OK, hr_stranger_listen(&listener_, address));
        address_ = address;
    }
    ~StrangeServer() override
    {
        close(listener_);
    }
    // Starts a get that comes to the listener.
    void begin()
    {
        start_get(client_, url("file"), target("file"), {"--insecure"});
    }
    void expect_ended(int exit_code, const std::vector<std::string> &parts)
    {
        std::vector<std::string> all = {address_};
        all.insert(all.end(), parts.begin(), parts.end());
        expect_refused(result_of(client_), exit_code, all);
        expect_nothing("file");
    }
    int listener_ = -1;
    Program client_;
};

TEST_F(StrangeServer, NobodyListens)
{
    char address[64] = "";
    ASSERT_EQ(HR_OK, hr_stranger_unused(address));
    address_ = address;
    begin();
    expect_ended(8, {"is a server running there?"});
}

TEST_F(StrangeServer, NameThatIsNone)
{
    address_ = "no-such-host.invalid:7431";
    begin();
    expect_ended(8, {"no-such-host.invalid:7431"});
}

TEST_F(StrangeServer, ThatSpeaksHttp)
{
    begin();
    int fd = Speaker::accept(listener_);
    const char answer[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
    ASSERT_EQ(HR_OK, hr_stranger_send(fd, answer, sizeof answer - 1));
    close(fd);
    expect_ended(11, {"protocol"});
}

TEST_F(StrangeServer, ThatHangsUp)
{
    begin();
    for (int i = 0; i < 2; i++) { // it is asked once more
        int fd = -1;
        ASSERT_EQ(HR_OK, hr_stranger_accept(listener_, &fd));
        close(fd);
    }
    // Full and out of memory, or something else: nothing says which, and to come again may help.
    expect_ended(8, {"run the same command again", "is it a headrace server"});
}

TEST_F(StrangeServer, ThatDiesBeforeItWelcomes)
{
    begin();
    int fd = Speaker::accept(listener_);
    close(listener_);
    listener_ = -1;
    close(fd);
    expect_ended(8, {"hung up instead of welcoming us", "is a server running there?"});
}

TEST_F(StrangeServer, ThatIsAnotherOneTheSecondTime)
{
    begin();
    close(Speaker::accept(listener_));
    Speaker speaker(Speaker::accept(listener_));
    hr_message hello = {};
    ASSERT_TRUE(speaker.receive(HR_SIDE_CLIENT, &hello));
    EXPECT_EQ(HR_MESSAGE_HELLO, hello.kind);
    speaker.welcome(2);
    expect_ended(11, {"version 1", "version 2"});
}

TEST_F(StrangeServer, ThatSaysNothing)
{
    begin();
    int fd = Speaker::accept(listener_);
    expect_ended(8, {"no welcome from", "run the same command again"}); // after 5 s
    close(fd);
}

TEST_F(StrangeServer, OfAnotherMajorVersion)
{
    begin();
    Speaker speaker(Speaker::accept(listener_));
    hr_message hello = {};
    ASSERT_TRUE(speaker.receive(HR_SIDE_CLIENT, &hello));
    EXPECT_EQ(HR_MESSAGE_HELLO, hello.kind);
    speaker.welcome(2);
    expect_ended(11, {"version 1", "version 2"});
}

TEST_F(StrangeServer, ThatRefusesOurVersion)
{
    begin();
    Speaker speaker(Speaker::accept(listener_));
    hr_message message = {};
    ASSERT_TRUE(speaker.receive(HR_SIDE_CLIENT, &message));
    message = {};
    message.kind = HR_MESSAGE_ERROR;
    message.error.status = HR_VERSION;
    message.error.text = hr_bytes_make("this server speaks version 2\n\x1b[31m, not 1", 39);
    speaker.send(message);
    Result result = result_of(client_);
    EXPECT_EQ(11, result.exit_code);
    EXPECT_NE(std::string::npos, result.errors.find("this server speaks version 2??[31m"))
        << "its sentence, without what commands a terminal: " << result.errors;
    expect_nothing("file");
}

TEST_F(StrangeServer, ThatStopsInMidMessage)
{
    begin();
    Speaker speaker(Speaker::accept(listener_));
    hr_message hello = {};
    ASSERT_TRUE(speaker.receive(HR_SIDE_CLIENT, &hello));
    speaker.welcome();
    ASSERT_EQ(HR_OK, hr_stranger_send(speaker.fd(), "\x40\0\0\0half", 8));
    shutdown(speaker.fd(), SHUT_WR);
    expect_ended(8, {});
}

TEST_F(StrangeServer, ThatGoesSilentInMidMessage)
{
    begin();
    Speaker speaker(Speaker::accept(listener_));
    hr_message hello = {};
    ASSERT_TRUE(speaker.receive(HR_SIDE_CLIENT, &hello));
    speaker.welcome();
    ASSERT_EQ(HR_OK, hr_stranger_send(speaker.fd(), "\x40\0\0\0half", 8));
    expect_ended(8, {}); // no data link in 5 s
}

TEST_F(StrangeServer, ThatSendsWhatIsNoMessage)
{
    begin();
    Speaker speaker(Speaker::accept(listener_));
    hr_message hello = {};
    ASSERT_TRUE(speaker.receive(HR_SIDE_CLIENT, &hello));
    speaker.welcome();
    ASSERT_EQ(HR_OK,
              hr_stranger_send(speaker.fd(), "\x08\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 12));
    Result result = result_of(client_);
    EXPECT_EQ(11, result.exit_code) << result.errors;
    expect_nothing("file");
}

} // namespace
