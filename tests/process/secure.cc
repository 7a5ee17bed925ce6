// SPDX-License-Identifier: Apache-2.0
// Who is let in: keys, certificates, rules, sealed exports, and what is said to whom.
#include "fixture.h"
#include "reload.h"
#include "wire.h"

#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>

namespace
{

class Secure : public Headrace
{
  protected:
    Secure()
    {
        offer("file", CHUNK + 1);
    }
    // The program with these arguments, ended: its exit code; what it said is in said_.
    int run(const std::vector<std::string> &arguments, const Surroundings &under = {})
    {
        Program program;
        program.start(arguments, under);
        int code = program.wait();
        said_ = program.errors();
        out_ = program.out();
        return code;
    }
    void make_certificates(const std::vector<std::string> &names,
                           const std::string &folder = "cluster")
    {
        std::vector<std::string> arguments = {"key", "new", "--cluster", at(folder)};
        arguments.insert(arguments.end(), names.begin(), names.end());
        ASSERT_EQ(0, run(arguments)) << said_;
    }
    Result get_with(const std::string &key, std::vector<std::string> options = {})
    {
        options.insert(options.end(), {"--key", at(key)});
        return get(url("file"), target("file"), options);
    }
    std::string said_, out_;
};

TEST_F(Secure, TheFirstRunMakesTheKeyOfTheUser)
{
    Surroundings fresh;
    make_directory(at("config"));
    fresh.environment = {"XDG_CONFIG_HOME=" + at("config")};
    serve({}, fresh);
    struct stat info;
    ASSERT_EQ(0, stat(at("config/headrace/key").c_str(), &info));
    EXPECT_EQ(0600u, info.st_mode & 07777);
    expect_got(get(url("file"), target("file"), {}, fresh), "file", CHUNK + 1);
    EXPECT_EQ("", server_.errors()) << "nothing to warn of";
}

TEST_F(Secure, ManyFirstRunsAtOnceAgreeOnOneKey)
{
    Surroundings fresh;
    fresh.environment = {"XDG_CONFIG_HOME=" + at("config")};
    constexpr int COUNT = 8;
    Program programs[COUNT];
    for (Program &program : programs)
        program.start({"serve", at("data"), "--json", "--listen", "127.0.0.1:0"}, fresh);
    for (Program &program : programs) {
        Json listening = program.next("listening");
        ASSERT_TRUE(listening.is_valid()) << program.errors();
        address_ = listening.text("address");
        expect_got(get(url("file"), target("file"), {"--overwrite"}, fresh), "file", CHUNK + 1);
    }
    for (Program &program : programs) {
        program.signal(SIGTERM);
        EXPECT_EQ(0, program.wait());
    }
    EXPECT_EQ(1, hr_temp_count(at("config/headrace").c_str(), "")) << "and leave nothing else";
}

TEST_F(Secure, AKeyThatOthersCanReadIsRefused)
{
    ASSERT_EQ(0, run({"key", "new", at("key")})) << said_;
    for (mode_t mode : {0644, 0640, 0604, 0660}) {
        ASSERT_EQ(0, chmod(at("key").c_str(), mode));
        EXPECT_EQ(6, run({"serve", at("data"), "--listen", "127.0.0.1:0", "--key", at("key")}));
        EXPECT_NE(std::string::npos, said_.find("chmod 600")) << said_;
    }
}

TEST_F(Secure, AKeyFileThatHoldsNone)
{
    const std::string texts[] = {"", "# only a comment\n", "headrace-key-1 0011\n",
                                 "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n"};
    for (const std::string &text : texts) {
        write_text(at("key"), text);
        ASSERT_EQ(0, chmod(at("key").c_str(), 0600));
        EXPECT_EQ(2, run({"serve", at("data"), "--listen", "127.0.0.1:0", "--key", at("key")}));
        EXPECT_NE(std::string::npos, said_.find(at("key"))) << said_;
    }
    EXPECT_EQ(4, run({"ls", "hr://127.0.0.1:1", "--key", at("nothing")})) << said_;
    EXPECT_EQ(2, run({"ls", "hr://127.0.0.1:1", "--key", at("data")})) << said_;
}

TEST_F(Secure, NewKeysAreNotWrittenOverOldOnes)
{
    ASSERT_EQ(0, run({"key", "new", at("key")})) << said_;
    std::string key = read_text(at("key"));
    EXPECT_EQ(10, run({"key", "new", at("key")})) << said_;
    EXPECT_EQ(key, read_text(at("key")));
    ASSERT_EQ(0, run({"key", "show", at("key")})) << said_;
    EXPECT_EQ("key:" + key.substr(15, 16) + "\n", out_) << "the id, and never the secret";
    ASSERT_EQ(0, run({"key", "new", at("key"), "--overwrite"})) << said_;
    EXPECT_NE(key, read_text(at("key")));
}

TEST_F(Secure, AWrongKey)
{
    ASSERT_EQ(0, run({"key", "new", at("one")}));
    ASSERT_EQ(0, run({"key", "new", at("other")}));
    // The same id, and another secret.
    std::string forged = read_text(at("one"));
    forged.replace(forged.size() - 9, 8, "00000000");
    write_text(at("forged"), forged);
    ASSERT_EQ(0, chmod(at("forged").c_str(), 0600));
    serve({"--key", at("one")});
    for (const char *key : {"other", "forged"}) {
        expect_refused(get_with(key), 6, {"give both sides the same key file"});
        expect_nothing("file");
    }
    expect_got(get_with("one"), "file", CHUNK + 1);
}

TEST_F(Secure, AServerTakesEveryKeyOfItsFile)
{
    ASSERT_EQ(0, run({"key", "new", at("one")}));
    ASSERT_EQ(0, run({"key", "new", at("other")}));
    write_text(at("both"), read_text(at("one")) + read_text(at("other")));
    ASSERT_EQ(0, chmod(at("both").c_str(), 0600));
    serve({"--key", at("both")});
    for (const char *key : {"one", "other"})
        expect_got(get_with(key, {"--overwrite"}), "file", CHUNK + 1);
}

TEST_F(Secure, OneSideInClear)
{
    serve();
    Result result = get(url("file"), target("file"), {"--insecure"});
    expect_refused(result, 11, {address_, "this server speaks TLS", "--insecure"});
    end_server();
    serve({"--insecure"});
    expect_refused(get(url("file"), target("file")), 11,
                   {address_, "does not speak TLS", "--insecure"});
    expect_nothing("file");
}

TEST_F(Secure, Certificates)
{
    make_certificates({"127.0.0.1", "node1.lab", "elsewhere"});
    serve({"--key", at("cluster/127.0.0.1.pem")});
    expect_got(get_with("cluster/node1.lab.pem"), "file", CHUNK + 1);
    end_server();
    // It is signed as well as the other, and has another name.
    serve({"--key", at("cluster/elsewhere.pem")});
    expect_refused(get_with("cluster/node1.lab.pem", {"--overwrite"}), 6,
                   {"its certificate is not good"});
}

TEST_F(Secure, CertificatesOfSomebodyElse)
{
    make_certificates({"127.0.0.1", "node1.lab"});
    make_certificates({"127.0.0.1", "node1.lab"}, "strangers");
    serve({"--key", at("cluster/127.0.0.1.pem")});
    expect_refused(get_with("strangers/node1.lab.pem"), 6, {"its certificate is not good"});
    // It believes the server, and the server does not believe it.
    expect_refused(get_with("strangers/node1.lab.pem", {"--ca", at("cluster/ca.pem")}), 6,
                   {"does not believe the authority"});
    ASSERT_EQ(0, run({"key", "new", at("key")}));
    expect_refused(get_with("key"), 6, {});
    expect_nothing("file");
}

TEST_F(Secure, ACertificateThatWasCutShort)
{
    make_certificates({"127.0.0.1"});
    std::string whole = read_text(at("cluster/127.0.0.1.pem"));
    for (size_t len : {whole.size() / 4, whole.size() / 2, whole.size() - 30}) {
        write_text(at("cut"), whole.substr(0, len));
        ASSERT_EQ(0, chmod(at("cut").c_str(), 0600));
        EXPECT_EQ(2, run({"serve", at("data"), "--listen", "127.0.0.1:0", "--key", at("cut")}))
            << len << ": " << said_;
    }
}

TEST_F(Secure, NamesThatNoMachineHas)
{
    for (const char *name : {"", ".", "../x", "a/b", "a b", "ca", "-x", "x:y", "\x1b[31m"})
        EXPECT_EQ(2, run({"key", "new", "--cluster", at("cluster"), name})) << name;
}

TEST_F(Secure, RulesSayWhoReadsWhat)
{
    make_certificates({"127.0.0.1", "reader", "lister", "nobody"});
    write_text(at("rules"), "allow cert:reader read data\nallow cert:lister list data\n");
    serve({"--key", at("cluster/127.0.0.1.pem"), "--rules", at("rules")});
    expect_got(get_with("cluster/reader.pem"), "file", CHUNK + 1);
    for (const char *name : {"file", "not-there"}) { // in the same words
        Result result = get(url(name), target("x"), {"--key", at("cluster/lister.pem")});
        expect_refused(result, 6, {"no rule of the server lets cert:lister read it"});
    }
    EXPECT_EQ(0, run({"ls", "hr://" + address_ + "/data", "--key", at("cluster/lister.pem")}));
    EXPECT_EQ("file\n", out_);
    EXPECT_EQ(0, run({"ls", "hr://" + address_, "--key", at("cluster/nobody.pem")}));
    EXPECT_EQ("", out_);
    for (const char *path : {"/data", "/not-there"})
        EXPECT_EQ(6, run({"ls", "hr://" + address_ + path, "--key", at("cluster/nobody.pem")}));
}

TEST_F(Secure, RulesAreReadAgainOrKept)
{
    ASSERT_EQ(0, run({"key", "new", at("key")}));
    std::string allow = "allow key:" + read_text(at("key")).substr(15, 16) + " read data\n";
    write_text(at("rules"), allow);
    serve({"--key", at("key"), "--rules", at("rules")});
    write_text(at("rules"), "alow anyone read data\n");
    EXPECT_NE(std::string::npos, reload(server_).find("stay as they were"));
    EXPECT_NE(std::string::npos, server_.errors().find("line 1 begins with neither"));
    expect_got(get_with("key"), "file", CHUNK + 1);
    write_text(at("rules"), "# nobody any more\n");
    EXPECT_NE(std::string::npos, reload(server_).find("read keys and rules again"));
    expect_refused(get_with("key", {"--overwrite"}), 6, {"no rule"});
}

TEST_F(Secure, RulesWithATypoStopTheServerFromStarting)
{
    write_text(at("rules"), "allow anyone read data\nallow everyone read data\n");
    EXPECT_EQ(2, run({"serve", at("data"), "--listen", "127.0.0.1:0", "--rules", at("rules")}));
    EXPECT_NE(std::string::npos, said_.find("line 2")) << said_;
    ASSERT_EQ(0, chmod(at("rules").c_str(), 0666));
    EXPECT_EQ(6, run({"serve", at("data"), "--listen", "127.0.0.1:0", "--rules", at("rules")}));
}

TEST_F(Secure, KeysAreReplacedWhileItRuns)
{
    ASSERT_EQ(0, run({"key", "new", at("key")}));
    serve({"--key", at("key")});
    write_text(at("old"), read_text(at("key")));
    ASSERT_EQ(0, chmod(at("old").c_str(), 0600));
    ASSERT_EQ(0, run({"key", "new", at("key"), "--overwrite"}));
    EXPECT_NE(std::string::npos, reload(server_).find("read keys and rules again"));
    expect_refused(get_with("old"), 6, {"same key"});
    expect_got(get_with("key"), "file", CHUNK + 1);
}

// ---- sealed exports ----

TEST_F(Secure, ASealedExportArrives)
{
    serve({"--protect", "data=aead"});
    expect_got(get(url("file"), target("file"), {"--require", "aead"}), "file", CHUNK + 1);
}

TEST_F(Secure, NothingOfASealedChunkIsReadable)
{
    write_text(data("text"), std::string(100000, 'S'));
    serve({"--protect", "data=aead"});
    bool seen = false;
    {
        Proxy proxy(address_, [&](const hr_receipt &receipt, uint8_t *payload) {
            std::string crossed((const char *)payload, receipt.stored_len);
            seen = seen || crossed.find("SSSS") != std::string::npos;
        });
        Result result = get("hr://" + proxy.address() + "/data/text", target("text"));
        EXPECT_EQ(0, result.exit_code) << result.errors;
    }
    EXPECT_FALSE(seen);
    EXPECT_EQ(read_text(data("text")), read_text(target("text")));
}

TEST_F(Secure, ASealedChunkThatWasTouchedIsAskedForOnceMore)
{
    serve({"--protect", "data=aead"});
    std::vector<uint32_t> sequences;
    {
        Proxy proxy(address_, [&](const hr_receipt &receipt, uint8_t *payload) {
            sequences.push_back(receipt.sequence);
            if (sequences.size() == 1)
                payload[receipt.stored_len / 2] ^= 1;
        });
        expect_got(get("hr://" + proxy.address() + "/data/file", target("file")), "file",
                   CHUNK + 1);
    }
    EXPECT_EQ(3u, sequences.size()); // two chunks, one of them twice
    std::sort(sequences.begin(), sequences.end());
    EXPECT_EQ(sequences.end(), std::adjacent_find(sequences.begin(), sequences.end()))
        << "no nonce twice";
}

TEST_F(Secure, ASealedChunkThatIsAlwaysTouchedIsDamage)
{
    serve({"--protect", "data=aead"});
    {
        Proxy proxy(address_, [](const hr_receipt &, uint8_t *payload) { payload[0] ^= 1; });
        Result result = get("hr://" + proxy.address() + "/data/file", target("file"));
        EXPECT_EQ(5, result.exit_code) << result.errors;
    }
    EXPECT_FALSE(exists(target("file")));
}

TEST_F(Secure, ClearIsNotTakenForSealed)
{
    serve();
    expect_refused(get(url("file"), target("file"), {"--require", "aead"}), 11, {"aead"});
    expect_nothing("file");
}

TEST_F(Secure, SealedExportsNeedKeysAndNames)
{
    EXPECT_EQ(6, run({"serve", at("data"), "--protect", "data=aead", "--insecure"})) << said_;
    EXPECT_EQ(2, run({"serve", at("data"), "--protect", "other=aead"})) << said_;
    EXPECT_EQ(2, run({"serve", at("data"), "--protect", "data=rot13"})) << said_;
}

// ---- the audit ----

TEST_F(Secure, TheAuditHasALineForEachSessionAndTransfer)
{
    serve({"--audit", at("audit")});
    expect_got(get(url("file"), target("file")), "file", CHUNK + 1);
    EXPECT_EQ(4, get(url("nothing"), target("nothing")).exit_code);
    ASSERT_EQ(0, run({"key", "new", at("key")}));
    EXPECT_EQ(6, get_with("key", {"--overwrite"}).exit_code);
    end_server();
    std::istringstream lines(read_text(at("audit")));
    unsigned transfers = 0, sessions = 0, refused = 0;
    for (std::string text; std::getline(lines, text);) {
        Json line(text);
        ASSERT_TRUE(line.is_valid()) << text;
        transfers += line.text("what") == "transfer";
        sessions += line.text("what") == "session";
        refused += line.text("what") == "refused";
        if (line.text("path") == "data/file") {
            EXPECT_EQ("key:00112233445566ff", line.text("who"));
            EXPECT_EQ(CHUNK + 1, line.number("bytes_sent"));
            EXPECT_EQ("HR_OK", line.text("status"));
        }
    }
    EXPECT_EQ(2u, transfers);
    EXPECT_EQ(2u, sessions);
    EXPECT_EQ(1u, refused);
    struct stat info;
    ASSERT_EQ(0, stat(at("audit").c_str(), &info));
    EXPECT_EQ(0600u, info.st_mode & 07777);
}

// Small files come in bundles, which end in another way than files.
TEST_F(Secure, TheAuditSaysOfATreeThatAllOfItCame)
{
    serve({"--audit", at("audit")});
    make_directory(at("data/tree"));
    for (const char *name : {"data/tree/a", "data/tree/b", "data/tree/c"})
        write_text(at(name), "small");
    EXPECT_EQ(0, get(url("tree"), target("tree")).exit_code);
    end_server();
    std::istringstream lines(read_text(at("audit")));
    unsigned transfers = 0;
    for (std::string text; std::getline(lines, text);) {
        Json line(text);
        ASSERT_TRUE(line.is_valid()) << text;
        transfers += line.text("what") == "transfer" && line.number("bytes_sent") > 0;
        EXPECT_EQ("HR_OK", line.text("status")) << text;
    }
    EXPECT_LE(1u, transfers);
}

// ---- strangers before the handshake is over ----

TEST_F(Secure, WhoSpeaksInClearIsShownOut)
{
    serve();
    {
        Speaker in_clear(Speaker::connect(address_));
        EXPECT_TRUE(hr_stranger_wait_closed(in_clear.fd()));
    }
    expect_got(get(url("file"), target("file")), "file", CHUNK + 1);
}

// One byte a while is no progress: the five seconds are those of the whole greeting, or record.
TEST_F(Secure, WhoSpeaksAByteAtATimeIsShownOut)
{
    serve();
    const std::string firsts[] = {
        std::string("HEADRACE\x01\x00\x01", 11) + std::string(53, '\0'),
        std::string("\x16\x03\x01\x02\x00", 5) + std::string(512, '\x01'),
    };
    std::vector<struct pollfd> drips;
    for (size_t i = 0; i < std::size(firsts); i++) {
        int fd = -1;
        ASSERT_EQ(HR_OK, hr_stranger_connect(address_.c_str(), &fd));
        drips.push_back({fd, POLLIN, 0});
    }
    // Until the server hangs up: a poll that ends without an event is the pause between two bytes.
    size_t left = drips.size();
    for (size_t at = 0; at < 40 && left > 0; at++) {
        for (size_t i = 0; i < drips.size(); i++) {
            if (drips[i].fd < 0)
                continue;
            hr_status status = hr_stranger_send(drips[i].fd, &firsts[i][at], 1);
            EXPECT_TRUE(status == HR_OK || status == HR_PEER_LOST);
        }
        ASSERT_LE(0, poll(drips.data(), drips.size(), 1000));
        for (struct pollfd &drip : drips) {
            if (drip.fd < 0 || drip.revents == 0)
                continue;
            close(drip.fd);
            drip.fd = -1; // poll passes it over
            left--;
        }
    }
    EXPECT_EQ(0u, left) << "it would go on for ever";
    expect_got(get(url("file"), target("file")), "file", CHUNK + 1);
}

TEST_F(Secure, ACrowdOfHalfOpenConnectionsDoesNotKeepOthersOut)
{
    serve();
    std::vector<int> fds;
    for (int i = 0; i < 200; i++) {
        int fd = -1;
        ASSERT_EQ(HR_OK, hr_stranger_connect(address_.c_str(), &fd)) << i;
        if (i % 2 == 0) {
            EXPECT_EQ(HR_OK, hr_stranger_send(fd, "\x16\x03\x01", 3));
        }
        fds.push_back(fd);
    }
    expect_got(get(url("file"), target("file")), "file", CHUNK + 1);
    for (int fd : fds)
        close(fd);
}

// As many as the limit of descriptors lets one test have; scripts/bench_secure has 10,000, and
// measures.
TEST_F(Secure, WhoIsServedGoesOnWhileACrowdIsHalfOpen)
{
    struct rlimit limit;
    ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 2500);
    ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
    offer("large", 8 * CHUNK);
    serve();
    Program client;
    start_get(client, url("large"), target("large"), {"--limit", "20M"});
    ASSERT_NE(0u, client.wait_verified(1));
    struct sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)std::stoi(address_.substr(address_.rfind(':') + 1)));
    std::vector<int> fds;
    while (fds.size() < limit.rlim_cur - 200) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        ASSERT_LE(0, fd);
        int result = connect(fd, (struct sockaddr *)&address, sizeof address);
        ASSERT_TRUE(result == 0 || errno == EINPROGRESS);
        // The beginning of a record, where the connection stands by now.
        if (fds.size() % 2 == 0 && send(fd, "\x16\x03\x01", 3, MSG_NOSIGNAL) < 0) {
            EXPECT_TRUE(errno == EAGAIN || errno == ENOTCONN || errno == EPIPE) << errno;
        }
        fds.push_back(fd);
    }
    expect_got(result_of(client), "large", 8 * CHUNK);
    for (int fd : fds)
        close(fd);
}

} // namespace
