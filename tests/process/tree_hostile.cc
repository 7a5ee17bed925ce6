// SPDX-License-Identifier: Apache-2.0
// A tree whose server lies about names, or whose target is not as it should be: the failure is told
// by name, nothing outside the target is touched, nothing is lost.
#include "fixture.h"
#include "wire.h"

#include <sys/mount.h>

namespace
{

class TreeHostile : public Headrace
{
  protected:
    // A server that says one name for another of the same length: in clear, where that can be said.
    // Only names are changed, which are field 1 of an entry: a letter is in tickets and sizes too.
    Result get_renamed(const std::string &name, const std::string &lie)
    {
        const std::string field = std::string("\n") + (char)name.size() + name;
        Proxy proxy(
            address_, [](const hr_receipt &, uint8_t *) {},
            [&](char *bytes, size_t len) {
                for (size_t at = 0; at + field.size() <= len; at++)
                    if (memcmp(bytes + at, field.data(), field.size()) == 0)
                        memcpy(bytes + at + 2, lie.data(), lie.size());
            });
        return get("hr://" + proxy.address() + "/data", target("tree"), {"--insecure"});
    }
    void expect_nothing_outside()
    {
        EXPECT_EQ(1, hr_temp_count(at("target").c_str(), ""));
        EXPECT_EQ(-1, access("/QQQQ", F_OK));
    }
    Result get_tree(const std::vector<std::string> &more = {})
    {
        return get("hr://" + address_ + "/data", target("tree"), more);
    }
};

TEST_F(TreeHostile, NamesThatLeadOutAreRefused)
{
    make_directory(at("data/sub"));
    const std::pair<const char *, const char *> lies[] = {
        {"QQ", ".."}, {"QQQQ", "/QQQ"}, {"QQQ", "a/b"}, {"QQQQQ", "../up"}, {"Q", "."}};
    for (const auto &[name, lie] : lies) {
        offer(name, 10);
        if (!is_serving_)
            serve({"--insecure"});
        Result result = get_renamed(name, lie);
        EXPECT_EQ(11, result.exit_code) << lie << ": " << result.errors;
        expect_nothing_outside();
        ASSERT_EQ(0, unlink(data(name).c_str()));
    }
}

TEST_F(TreeHostile, ANameThatIsSentTwiceIsBroughtOnce)
{
    offer("QQ1", 10, 1);
    offer("QQ2", 10, 2);
    make_directory(data("QD1"));
    make_directory(data("QD2"));
    serve({"--insecure"});
    Result result = get_renamed("QQ2", "QQ1");
    EXPECT_EQ(3, result.exit_code) << result.errors;
    EXPECT_EQ(1u, result.summary.number("files_failed"));
    EXPECT_TRUE(hr_temp_holds(target("tree/QQ1").c_str(), 10, 1));
    EXPECT_FALSE(exists(target("tree/QQ2")));
    ASSERT_EQ(0, rename(target("tree").c_str(), target("first").c_str()));
    result = get_renamed("QD2", "QD1");
    EXPECT_EQ(3, result.exit_code) << result.errors;
    EXPECT_FALSE(exists(target("tree/QD2")));
}

TEST_F(TreeHostile, WhatHasAnotherTypeInTheTargetStays)
{
    make_directory(data("directory"));
    offer("directory/file", 10);
    offer("file", 10);
    offer("good", 10);
    serve();
    make_directory(target("tree"));
    write_text(target("tree/directory"), "a file");
    make_directory(target("tree/file"));
    write_text(target("tree/file/inside"), "kept");
    for (const std::vector<std::string> &more :
         {std::vector<std::string>{}, {"--delete"}, {"--overwrite"}}) {
        Result result = get_tree(more);
        EXPECT_EQ(3, result.exit_code) << result.errors;
        bool replaces = more == std::vector<std::string>{"--overwrite"};
        EXPECT_EQ(replaces ? 1u : 2u, result.summary.number("files_failed"));
        if (!replaces)
            EXPECT_EQ("a file", read_text(target("tree/directory")));
        else // a directory is another version of it, as a file would be
            EXPECT_TRUE(hr_temp_holds(target("tree/directory/file").c_str(), 10, 1));
        EXPECT_EQ("kept", read_text(target("tree/file/inside")));
        EXPECT_TRUE(hr_temp_holds(target("tree/good").c_str(), 10, 1));
    }
}

TEST_F(TreeHostile, ASymlinkOnTheWayIsNotFollowedByAnything)
{
    make_directory(data("sub"));
    offer("sub/file", 10);
    offer("sub/first", 10, 2);
    ASSERT_EQ(0, symlink("x", data("sub/link").c_str()));
    ASSERT_EQ(0, link(data("sub/first").c_str(), data("sub/second").c_str()));
    serve();
    make_directory(target("tree"));
    make_directory(at("outside"));
    write_text(at("outside/own"), "not ours");
    ASSERT_EQ(0, chmod(at("outside").c_str(), 0711));
    struct stat before = {}, after = {};
    ASSERT_EQ(0, stat(at("outside").c_str(), &before));
    ASSERT_EQ(0, symlink(at("outside").c_str(), target("tree/sub").c_str()));
    for (const std::vector<std::string> &more :
         {std::vector<std::string>{}, {"--overwrite", "--checksum"}, {"--overwrite", "--delete"}}) {
        Result result = get_tree(more);
        EXPECT_EQ(more.empty() ? 3 : 0, result.exit_code) << result.errors;
        EXPECT_EQ(1, hr_temp_count(at("outside").c_str(), ""));
        ASSERT_EQ(0, stat(at("outside").c_str(), &after));
        EXPECT_EQ(before.st_mode, after.st_mode);
        EXPECT_EQ(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
        EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    }
}

// Put there by somebody else while the files of the directory come.
TEST_F(TreeHostile, ASymlinkThatTakesTheNameOfADirectoryOnTheWay)
{
    make_directory(data("sub"));
    make_directory(at("outside"));
    for (unsigned i = 0; i < 20; i++)
        offer("sub/" + std::to_string(i), 10);
    offer("sub/large", 3 * CHUNK);
    serve();
    Held held(address_, 2); // a bundle, and one chunk of three
    Program program;
    start_get(program, held.url(""), target("tree"));
    do
        ASSERT_TRUE(program.next("progress").is_valid()) << program.errors();
    while (hr_temp_count(target("tree/sub").c_str(), ".headrace-") <= 0);
    ASSERT_EQ(0, rename(target("tree/sub").c_str(), target("moved").c_str()));
    ASSERT_EQ(0, symlink(at("outside").c_str(), target("tree/sub").c_str()));
    held.let_go();
    EXPECT_EQ(3, program.wait());
    EXPECT_EQ(0, hr_temp_count(at("outside").c_str(), ""));
    const std::string said = program.out() + program.errors();
    EXPECT_NE(std::string::npos, said.find("none is followed")) << said;
    EXPECT_EQ(std::string::npos, said.find("cross-device")) << said;
    EXPECT_EQ(0, get_tree({"--overwrite"}).exit_code);
    EXPECT_TRUE(hr_temp_holds(target("tree/sub/large").c_str(), 3 * CHUNK, 1));
    EXPECT_EQ(0, hr_temp_count(at("outside").c_str(), ""));
}

TEST_F(TreeHostile, AFileThatBecomesSomethingElseOnTheWay)
{
    offer("big", 20 * CHUNK, 1);
    offer("good", 10, 2);
    serve();
    Held held(address_, 3);
    Program program;
    start_get(program, held.url(""), target("tree"));
    ASSERT_NE(0u, program.wait_verified(2 * CHUNK));
    ASSERT_EQ(0, rename(data("big").c_str(), at("moved").c_str()));
    make_directory(data("big"));
    held.let_go();
    Result result = result_of(program);
    EXPECT_EQ(3, result.exit_code) << result.errors;
    EXPECT_FALSE(exists(target("tree/big")));
    EXPECT_TRUE(hr_temp_holds(target("tree/good").c_str(), 10, 2));
    ASSERT_EQ(0, rmdir(data("big").c_str()));
    ASSERT_EQ(0, symlink(at("moved").c_str(), data("big").c_str()));
    result = get_tree();
    EXPECT_EQ(0, result.exit_code) << result.errors; // now it is a symlink, and brought as one
}

// What the client is told of is something else by the time that it asks for it.
TEST_F(TreeHostile, WhatVanishesOrBecomesSomethingElseWhileItIsListed)
{
    make_directory(data("QVANISHES"));
    offer("QVANISHES/file", 10);
    offer("QBECOMES1", 10);
    offer("QBECOMES2", 10);
    offer("good", 10);
    serve({"--insecure"});
    bool changed = false;
    Proxy proxy(
        address_, [](const hr_receipt &, uint8_t *) {},
        [&](char *bytes, size_t len) {
            if (changed || std::string(bytes, len).find("QVANISHES") == std::string::npos)
                return;
            changed = true;
            EXPECT_EQ(0, rename(data("QVANISHES").c_str(), at("gone").c_str()));
            EXPECT_EQ(0, unlink(data("QBECOMES1").c_str()));
            EXPECT_EQ(0, mkdir(data("QBECOMES1").c_str(), 0755));
            EXPECT_EQ(0, unlink(data("QBECOMES2").c_str()));
            EXPECT_EQ(0, symlink("good", data("QBECOMES2").c_str()));
        });
    Program program;
    program.start({"get", "hr://" + proxy.address() + "/data", target("tree"), "--insecure"});
    EXPECT_EQ(3, program.wait());
    for (const char *name : {"QVANISHES: ", "QBECOMES1: ", "QBECOMES2: "})
        EXPECT_NE(std::string::npos, program.errors().find(name)) << program.errors();
    EXPECT_TRUE(hr_temp_holds(target("tree/good").c_str(), 10, 1));
    EXPECT_FALSE(exists(target("tree/QBECOMES1")));
    EXPECT_FALSE(exists(target("tree/QBECOMES2")));
    EXPECT_EQ(0, hr_temp_count(target("tree").c_str(), ".headrace-"));
}

TEST_F(TreeHostile, NoInodesLeft)
{
    for (int i = 0; i < 20; i++)
        offer("file" + std::to_string(i), 10, 1);
    serve();
    make_directory(target("small"));
    if (mount("none", target("small").c_str(), "tmpfs", 0, "nr_inodes=12") != 0)
        GTEST_SKIP() << "cannot mount a small file system: " << strerror(errno);
    Result result = get("hr://" + address_ + "/data", target("small/tree"));
    int left = hr_temp_count(target("small/tree").c_str(), "file");
    int intact = 0;
    for (int i = 0; i < 20; i++)
        intact += hr_temp_holds(target("small/tree/file" + std::to_string(i)).c_str(), 10, 1);
    EXPECT_EQ(0, umount2(target("small").c_str(), MNT_DETACH));
    EXPECT_TRUE(result.exit_code == 3 || result.exit_code == 7) << result.errors;
    EXPECT_EQ(left, intact); // what has its name is whole
}

} // namespace
