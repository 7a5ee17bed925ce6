// SPDX-License-Identifier: Apache-2.0
// What one of those who were let in may take of a server.
#include "fixture.h"
#include "wire.h"

#include <chrono>

namespace
{

class Tenants : public Headrace
{
  protected:
    void serve_with(const std::string &rules, const std::vector<std::string> &options = {})
    {
        write_text(at("rules"), "allow anyone read data\n" + rules);
        std::vector<std::string> all = {"--rules", at("rules")};
        all.insert(all.end(), options.begin(), options.end());
        serve(all);
    }
};

TEST_F(Tenants, GetNoMoreThanTheirRate)
{
    offer("file", 6 * CHUNK);
    serve_with("limit anyone rate 20M\n", {"--workers", "2"});
    auto began = std::chrono::steady_clock::now();
    expect_got(get(url("file"), target("file")), "file", 6 * CHUNK);
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    // All but the burst, a tenth of a second, and the last chunk are waited for; on a slow machine
    // it takes longer, and never less.
    EXPECT_GE(took.count(), (5.0 * CHUNK - 2e6) / 20e6);
}

TEST_F(Tenants, OfWhomOneIsSlowedDownDoNotHoldUpOthers)
{
    offer("file", 4 * CHUNK);
    Program program;
    program.start({"key", "new", at("other")});
    ASSERT_EQ(0, program.wait());
    write_text(at("keys"), read_text(ConfigHome::of(0) + "/headrace/key") + read_text(at("other")));
    ASSERT_EQ(0, chmod(at("keys").c_str(), 0600));
    serve_with("limit key:00112233445566ff rate 1M\n",
               {"--key", at("keys"), "--pool", "16MiB", "--workers", "1"});
    Program slow;
    start_get(slow, url("file"), target("slow"));
    ASSERT_NE(0u, slow.wait_verified(1));
    Result other = get(url("file"), target("file"), {"--key", at("other")});
    EXPECT_EQ(0, other.exit_code) << other.errors;
    slow.signal(SIGKILL);
    slow.wait();
}

TEST_F(Tenants, HaveNoMoreSessionsThanTheyMay)
{
    offer("file", 8 * CHUNK);
    serve_with("limit anyone sessions 1\n");
    Held held(address_, 1);
    Program first;
    start_get(first, held.url("file"), target("file"));
    ASSERT_NE(0u, first.wait_verified(1));
    Result second = get(url("file"), target("other"));
    expect_refused(second, 8, {"has as many sessions open as"});
    first.signal(SIGKILL);
    first.wait();
}

TEST_F(Tenants, HoldNoMoreMemoryThanTheyMay)
{
    offer("file", CHUNK + 1);
    serve_with("limit anyone memory 1MiB\n");
    // 64 links would be 11 MiB: those that there is room for do it.
    Result result = get(url("file"), target("file"), {"--links", "2"});
    expect_got(result, "file", CHUNK + 1);
    Result many = get(url("file"), target("many"), {"--links", "64"});
    expect_got(many, "many", CHUNK + 1);
    expect_got(get(url("file"), target("file"), {"--overwrite"}), "file", CHUNK + 1);
}

TEST_F(Tenants, SayNoLongerMessagesThanTheyMay)
{
    write_text(data("a"), "a");
    serve_with("limit anyone message 1KiB\n");
    std::string path;
    for (int i = 0; i < 20; i++)
        path += std::string(100, 'a') + "/";
    expect_refused(get(url(path + "a"), target("x")), 11, {"frame"});
    Result result = get(url("a"), target("a"));
    EXPECT_EQ(0, result.exit_code) << result.errors;
}

// A digest tells what a file holds to somebody who can guess it.
TEST_F(Tenants, WhoMayListAndNotReadLearnsNoDigest)
{
    offer("file", CHUNK + 1);
    write_text(at("rules"), "allow anyone list data\n");
    serve({"--rules", at("rules")});
    ASSERT_EQ(
        0, system(("mkdir " + target("data") + " && cp -p " + data("file") + " " + target("data"))
                      .c_str()));
    Program program;
    program.start({"verify", target("data"), "--against", "hr://" + address_ + "/data"});
    EXPECT_NE(0, program.wait());
    EXPECT_NE(std::string::npos, (program.out() + program.errors()).find("no rule of the server"))
        << program.out() << program.errors();
}

// ---- users of this machine ----

class Users : public Tenants
{
  protected:
    Users()
    {
        EXPECT_EQ(0, chmod(temp_.c_str(), 0755)); // others may come to the socket
        offer("file", CHUNK + 1);
        nobody_.user = NOBODY;
    }
    void serve_at_socket(const std::vector<std::string> &options = {})
    {
        serve(options, {}, "unix:" + at("socket"));
        ASSERT_EQ("unix:" + at("socket"), address_);
    }
    std::string source(const std::string &name) const
    {
        return "hr+unix://" + at("socket") + ":data/" + name;
    }
    Surroundings nobody_;
};

TEST_F(Users, OfTheServerItselfAreLetInWithoutAKey)
{
    Surroundings fresh;
    fresh.environment = {"XDG_CONFIG_HOME=" + at("config")};
    serve_at_socket();
    Result result = get(source("file"), target("file"), {}, fresh);
    EXPECT_EQ(0u, result.summary.text("path").find("socket, 1 link")) << "no TCP is on the way";
    expect_got(result, "file", CHUNK + 1);
    EXPECT_FALSE(exists(at("config"))) << "and none is made";
    expect_refused(get(source("file"), target("x"), {"--require", "aead"}), 11, {"aead"});
    end_server();
    EXPECT_FALSE(exists(at("socket"))) << "it goes with its server";
}

TEST_F(Users, WhoAreOthersNeedARule)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "not root: no other user to be";
    serve_at_socket();
    expect_refused(get(source("file"), target("file"), {}, nobody_), 6,
                   {"uid:65534 is another user"});
    expect_nothing("file");
    end_server();
    write_text(at("rules"), "allow uid:65534 read data\n");
    serve_at_socket({"--rules", at("rules"), "--audit", at("audit")});
    expect_got(get(source("file"), target("file"), {}, nobody_), "file", CHUNK + 1);
    // Then root has none either.
    expect_refused(get(source("file"), target("x")), 6, {"no rule of the server lets uid:0"});
    end_server();
    EXPECT_NE(std::string::npos, read_text(at("audit")).find("\"who\":\"uid:65534\""));
}

TEST_F(Users, WhatAKilledServerLeftIsReplacedAndALivingOneIsNot)
{
    serve_at_socket();
    Program second;
    second.start({"serve", at("data"), "--listen", "unix:" + at("socket")});
    EXPECT_EQ(10, second.wait()) << second.errors();
    EXPECT_NE(std::string::npos, second.errors().find("taken")) << second.errors();
    kill_server();
    EXPECT_TRUE(exists(at("socket")));
    serve_at_socket();
    expect_got(get(source("file"), target("file")), "file", CHUNK + 1);
    end_server();
    write_text(at("socket"), "no socket");
    second.start({"serve", at("data"), "--listen", "unix:" + at("socket")});
    EXPECT_NE(0, second.wait());
    EXPECT_EQ("no socket", read_text(at("socket")));
}

TEST_F(Users, HaveNoKeysForSealedExports)
{
    Program program;
    program.start({"serve", at("data"), "--listen", "unix:" + at("s"), "--protect", "data=aead"});
    EXPECT_EQ(6, program.wait()) << program.errors();
    program.start({"serve", at("data"), "--listen", "unix:s"});
    EXPECT_EQ(2, program.wait()) << program.errors();
}

} // namespace
