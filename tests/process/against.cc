// SPDX-License-Identifier: Apache-2.0
// A tree is compared with what it was brought from, and every difference is named.
#include "fixture.h"

#include <algorithm>

namespace
{

class Against : public Headrace
{
  protected:
    void SetUp() override
    {
        Headrace::SetUp();
        make_directory(data("a"));
        make_directory(data("a/empty"));
        offer("a/file", CHUNK + 7, 1);
        offer("big", 70 * MIB, 2); // more than one digest's worth
        offer("none", 0, 3);
        ASSERT_EQ(0, symlink("a/file", data("link").c_str()));
        serve();
        source_ = "hr://" + address_ + "/data";
        ASSERT_EQ(0, get(source_, target("tree")).exit_code);
    }
    // The exit code; what was printed is kept, line by line in order.
    int verify(const std::vector<std::string> &more = {})
    {
        Program program;
        std::vector<std::string> arguments = {"verify", target("tree"), "--against", source_};
        arguments.insert(arguments.end(), more.begin(), more.end());
        program.start(arguments);
        int exit_code = program.wait();
        std::istringstream out(program.out());
        lines_.clear();
        for (std::string line; std::getline(out, line);)
            lines_.push_back(line);
        std::sort(lines_.begin(), lines_.end());
        errors_ = program.errors();
        return exit_code;
    }
    // Puts the time back that the file had before it was changed.
    template <typename Change> void change_unseen(const std::string &path, Change change)
    {
        struct stat before = {};
        ASSERT_EQ(0, stat(path.c_str(), &before));
        change();
        const struct timespec times[2] = {before.st_atim, before.st_mtim};
        ASSERT_EQ(0, utimensat(AT_FDCWD, path.c_str(), times, 0));
    }

    std::string source_, errors_;
    std::vector<std::string> lines_;
};

TEST_F(Against, WhatWasBroughtIsTheSame)
{
    EXPECT_EQ(0, verify()) << errors_;
    ASSERT_EQ(1u, lines_.size());
    EXPECT_EQ(0u, lines_[0].find("the same: 4 files, 77.6 MB")) << lines_[0];
    write_text(target("tree/.headrace-0123456789abcdef"), "under way");
    EXPECT_EQ(0, verify()) << errors_;
    source_ = data(""); // a source that is here
    EXPECT_EQ(0, verify()) << errors_;
}

TEST_F(Against, EveryDifferenceIsNamed)
{
    change_unseen(target("tree/big"), [&] {
        int file = open(target("tree/big").c_str(), O_WRONLY);
        ASSERT_EQ(1, pwrite(file, "!", 1, (off_t)(69 * MIB)));
        ASSERT_EQ(0, close(file));
    });
    change_unseen(target("tree/none"), [&] { write_text(target("tree/none"), "x"); });
    change_unseen(target("tree"), [&] { write_text(target("tree/own"), "x"); });
    ASSERT_EQ(0, chmod(target("tree/a/file").c_str(), 0600));
    ASSERT_EQ(0, rmdir(target("tree/a/empty").c_str()));
    EXPECT_EQ(5, verify());
    std::vector<std::string> expected = {
        "a/empty: it is missing: in the source it is a directory",
        "big: its content is another",
        "none: it has 1 bytes, in the source 0",
        "own: the source does not have it",
    };
    for (const std::string &line : expected)
        EXPECT_EQ(1, std::count(lines_.begin(), lines_.end(), line)) << line;
    EXPECT_TRUE(std::any_of(lines_.begin(), lines_.end(), [](const std::string &line) {
        return line.find("a/file: its permissions are 0600, the source's ") == 0;
    }));
    EXPECT_NE(std::string::npos, errors_.find("differences")) << errors_;
}

// Of a tree that was unpacked: what to do is said, and does.
TEST_F(Against, ASourceThatIsPackedIsUnpackedFirst)
{
    auto run = [](const std::vector<std::string> &arguments) {
        Program program;
        program.start(arguments);
        EXPECT_EQ(0, program.wait()) << program.errors();
    };
    run({"pack", data("a"), at("packed")});
    for (const char *tree : {"unpacked", "again"})
        run({"get", at("packed"), target(tree), "--unpack"});
    Program program;
    program.start({"verify", target("unpacked"), "--against", at("packed")});
    EXPECT_EQ(5, program.wait());
    EXPECT_NE(std::string::npos, program.errors().find("get --unpack")) << program.errors();
    run({"verify", target("unpacked"), "--against", target("again")});
}

TEST_F(Against, WhatIsExcludedIsNotCompared)
{
    ASSERT_EQ(0, unlink(target("tree/big").c_str()));
    const struct timespec times[2] = {{0, UTIME_OMIT}, {1, 0}};
    ASSERT_EQ(0, utimensat(AT_FDCWD, target("tree").c_str(), times, 0));
    EXPECT_EQ(0, verify({"--exclude", "big"})) << errors_;
}

// The server may not read it: it is named with the reason, and the rest is compared all the same.
TEST_F(Against, WhatTheServerMayNotReadIsNamedAndTheRestCompared)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "not root: no other user to be";
    Surroundings nobody;
    nobody.user = NOBODY;
    end_server();
    serve({}, nobody);
    source_ = "hr://" + address_ + "/data";
    ASSERT_EQ(0, chmod(data("big").c_str(), 0600));
    ASSERT_EQ(0, chmod(target("tree/big").c_str(), 0600));
    EXPECT_EQ(3, verify()) << "whether it differs is not known";
    ASSERT_EQ(1u, lines_.size()) << errors_;
    EXPECT_EQ("big: its content cannot be compared: reading data/big: permission denied",
              lines_[0]);
    // Files that are as they were but for their times, and one whose place is taken.
    const struct timespec times[2] = {{0, UTIME_OMIT}, {1, 0}};
    for (const char *name : {"tree/big", "tree/none", "tree/a/file"})
        ASSERT_EQ(0, utimensat(AT_FDCWD, target(name).c_str(), times, 0));
    ASSERT_EQ(0, unlink(target("tree/none").c_str()));
    make_directory(target("tree/none"));
    write_text(target("tree/none/inside"), "stays");
    Program again;
    again.start({"get", source_, target("tree"), "--checksum", "--overwrite"});
    EXPECT_EQ(3, again.wait());
    const std::string said = again.errors();
    EXPECT_NE(std::string::npos, said.find("big: opening data/big: permission denied")) << said;
    EXPECT_NE(std::string::npos, said.find("none: in the target a directory that is not empty"))
        << said;
    EXPECT_TRUE(hr_temp_holds(target("tree/big").c_str(), 70 * MIB, 2)) << "left as it was";
    struct stat here = {}, there = {};
    ASSERT_EQ(0, stat(target("tree/a/file").c_str(), &here));
    ASSERT_EQ(0, stat(data("a/file").c_str(), &there));
    EXPECT_EQ(there.st_mtim.tv_sec, here.st_mtim.tv_sec) << "its content is the source's";
}

TEST_F(Against, ASourceThatIsNotThereIsSaid)
{
    source_ += "/nowhere";
    EXPECT_EQ(4, verify());
    EXPECT_NE(std::string::npos, errors_.find("nowhere")) << errors_;
    EXPECT_TRUE(lines_.empty()) << "a difference that nobody has seen: " << lines_[0];
}

// What the names of an unreadable directory are nobody knows; so none of them is said to differ.
TEST_F(Against, NothingIsSaidOfNamesThatCannotBeListed)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "not root: no other user to be";
    Surroundings nobody;
    nobody.user = NOBODY;
    end_server();
    serve({}, nobody);
    source_ = "hr://" + address_ + "/data";
    ASSERT_EQ(0, chmod(data("a").c_str(), 0700));
    ASSERT_EQ(0, chmod(target("tree/a").c_str(), 0700));
    EXPECT_EQ(3, verify()) << errors_;
    ASSERT_EQ(1u, lines_.size()) << lines_[1];
    EXPECT_EQ("a: listing data/a: permission denied", lines_[0]);
}

TEST_F(Against, AFileIsComparedWithAFile)
{
    const std::string mine = target("renamed");
    ASSERT_EQ(0, get(source_ + "/big", mine).exit_code);
    const auto compare = [&](const std::string &source) {
        Program program;
        program.start({"verify", mine, "--against", source});
        int exit_code = program.wait();
        errors_ = program.errors();
        return std::to_string(exit_code) + " " + program.out();
    };
    EXPECT_EQ("0 the same: 1 file, 73.4 MB compared\n", compare(source_ + "/big")) << errors_;
    EXPECT_EQ("0 the same: 1 file, 73.4 MB compared\n", compare(data("big"))) << errors_;
    EXPECT_EQ("2 ", compare(source_)) << "a directory: " << errors_;

    change_unseen(mine, [&] {
        int file = open(mine.c_str(), O_WRONLY);
        ASSERT_EQ(1, pwrite(file, "!", 1, (off_t)(69 * MIB)));
        ASSERT_EQ(0, close(file));
    });
    EXPECT_EQ("5 renamed: its content is another\n", compare(source_ + "/big")) << errors_;
}

TEST_F(Against, AServerWithoutKeysIsAskedToo)
{
    end_server();
    serve({"--insecure"});
    source_ = "hr://" + address_ + "/data";
    EXPECT_EQ(11, verify());
    EXPECT_EQ(0, verify({"--insecure"})) << errors_;
}

} // namespace
