// SPDX-License-Identifier: Apache-2.0
// What a server can do once it serves: no more than that.
#include "fixture.h"
#include "reload.h"

#include <linux/landlock.h>
#include <sys/syscall.h>

namespace
{

class Confined : public Headrace
{
  protected:
    // A line of /proc/PID/status of the server.
    std::string status_of(const std::string &key)
    {
        std::istringstream lines(read_text("/proc/" + std::to_string(server_.pid()) + "/status"));
        for (std::string line; std::getline(lines, line);)
            if (line.find(key + ":\t") == 0)
                return line.substr(key.size() + 2);
        return "none";
    }
    // Rules that a symlink finds in a directory that the server has nothing to do with.
    std::string reload_from_elsewhere(const std::vector<std::string> &options)
    {
        make_directory(at("rules.d"));
        make_directory(at("elsewhere"));
        for (const char *name : {"rules.d/rules", "elsewhere/rules"})
            write_text(at(name), "allow anyone read data\n");
        std::vector<std::string> all = {"--rules", at("rules.d/rules")};
        all.insert(all.end(), options.begin(), options.end());
        serve(all);
        EXPECT_EQ(0, unlink(at("rules.d/rules").c_str()));
        EXPECT_EQ(0, symlink(at("elsewhere/rules").c_str(), at("rules.d/rules").c_str()));
        return reload(server_);
    }
    static bool has_landlock()
    {
        return syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) >
               0;
    }
};

TEST_F(Confined, TheServerKeepsNoRightThatItDoesNotNeed)
{
    offer("file", CHUNK + 1);
    serve({"-v"});
    EXPECT_EQ("1", status_of("NoNewPrivs"));
    const uint64_t may_keep = UINT64_C(1) << 1 | UINT64_C(1) << 2 | UINT64_C(1) << 14;
    for (const char *set : {"CapPrm", "CapEff", "CapInh", "CapAmb"}) {
        EXPECT_EQ(0u, std::stoull(status_of(set), nullptr, 16) & ~may_keep) << set;
    }
    EXPECT_NE(std::string::npos, server_.errors().find("capabilities: ")) << server_.errors();
    EXPECT_NE(std::string::npos, server_.errors().find("Landlock")) << server_.errors();
    expect_got(get(url("file"), target("file")), "file", CHUNK + 1);
}

TEST_F(Confined, AServerOfAnOrdinaryUserHasNoCapability)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "not root: no other user to be";
    offer("file", CHUNK + 1);
    Surroundings nobody;
    nobody.user = NOBODY;
    serve({}, nobody);
    for (const char *set : {"CapPrm", "CapEff", "CapInh", "CapAmb"})
        EXPECT_EQ(0u, std::stoull(status_of(set), nullptr, 16)) << set;
    expect_got(get(url("file"), target("file")), "file", CHUNK + 1);
}

TEST_F(Confined, ItOpensNothingElse)
{
    if (!has_landlock())
        GTEST_SKIP() << "no Landlock: the kernel lacks it, or it is switched off";
    EXPECT_NE(std::string::npos,
              reload_from_elsewhere({}).find("stay as they were: opening " + at("rules.d/rules")));
}

TEST_F(Confined, UnlessSomebodyAskedForIt)
{
    std::string said = reload_from_elsewhere({"--unconfined"});
    EXPECT_NE(std::string::npos, said.find("read keys and rules again")) << said;
    EXPECT_EQ(0u, server_.errors().find("headrace: --unconfined: ")) << "at each start";
}

TEST_F(Confined, KeysRulesAndTheAuditAreReplacedByRenaming)
{
    make_directory(at("etc"));
    make_directory(at("log"));
    write_text(at("etc/rules"), "allow anyone read data\n");
    offer("file", CHUNK + 1);
    serve({"--rules", at("etc/rules"), "--audit", at("log/audit")});
    write_text(at("etc/new"), "# nobody\n");
    ASSERT_EQ(0, rename(at("etc/new").c_str(), at("etc/rules").c_str()));
    ASSERT_EQ(0, rename(at("log/audit").c_str(), at("log/audit.1").c_str()));
    EXPECT_NE(std::string::npos, reload(server_).find("read keys and rules again"));
    EXPECT_EQ(6, get(url("file"), target("file")).exit_code);
    end_server();
    EXPECT_NE("", read_text(at("log/audit")));
}

} // namespace
