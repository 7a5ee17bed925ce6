// SPDX-License-Identifier: Apache-2.0
// A tree of files comes whole, or says of each file why it did not.
#include "fixture.h"

namespace
{

using Tree = Headrace;

TEST_F(Tree, ArrivesWithEmptyDirectoriesAndFiles)
{
    make_directory(data("a"));
    make_directory(data("a/b"));
    make_directory(data("empty"));
    offer("top", CHUNK + 1, 1);
    offer("a/middle", 5000, 2);
    offer("a/b/leaf", 0, 3);
    serve();
    Result result = get("hr://" + address_ + "/data", target("tree"));
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(3u, result.summary.number("files"));
    EXPECT_EQ(CHUNK + 5001, result.moved());
    EXPECT_TRUE(hr_temp_holds(target("tree/top").c_str(), CHUNK + 1, 1));
    EXPECT_TRUE(hr_temp_holds(target("tree/a/middle").c_str(), 5000, 2));
    EXPECT_TRUE(hr_temp_holds(target("tree/a/b/leaf").c_str(), 0, 3));
    EXPECT_EQ(0, hr_temp_count(target("tree/empty").c_str(), ""));
    EXPECT_EQ(0, hr_temp_count(target("tree").c_str(), ".headrace-"));
}

TEST_F(Tree, OfMoreFilesThanAPageIsComplete)
{
    constexpr unsigned COUNT = 1100; // of such long names a page of 256 KiB holds about 900
    const std::string tail(240, 'x');
    uint64_t sum = 0;
    make_directory(data("many"));
    for (unsigned i = 0; i < COUNT; i++) {
        std::string name = std::to_string(i) + tail;
        write_text(data("many/" + name), std::string(i, 'x'));
        sum += i;
    }
    serve();
    Result result = get(url("many"), "host:");
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(COUNT, result.summary.number("files"));
    EXPECT_EQ(sum, result.moved());
}

TEST_F(Tree, KeepsNamesOfEveryKind)
{
    const std::string names[] = {
        "not utf-8 \xff\xfe", "two\nlines", std::string(255, 'n'), "-n", "back\\slash",
        "\x1b[31mred",        "%41",        "space at the end "};
    for (const std::string &name : names)
        write_text(data(name), name);
    serve();
    Result result = get("hr://" + address_ + "/data", target("tree"));
    EXPECT_EQ(0, result.exit_code) << result.errors;
    for (const std::string &name : names)
        EXPECT_EQ(name, read_text(target("tree/" + name)));
}

TEST_F(Tree, SaysOfEachFileThatCouldNotComeWhy)
{
    offer("good", 10);
    ASSERT_EQ(0, symlink("good", data("link").c_str()));
    ASSERT_EQ(0, mkfifo(data("fifo").c_str(), 0666));
    serve();
    Program program;
    program.start({"get", "hr://" + address_ + "/data", target("tree")});
    EXPECT_EQ(3, program.wait());
    EXPECT_NE(std::string::npos, program.errors().find("link: it is a symbolic link"));
    EXPECT_NE(std::string::npos, program.errors().find("fifo: it is neither a file nor"));
    EXPECT_NE(std::string::npos, program.errors().find("2 of 3 files failed"));
    EXPECT_TRUE(hr_temp_holds(target("tree/good").c_str(), 10, 1));
    EXPECT_FALSE(exists(target("tree/fifo")));
}

TEST_F(Tree, FilesThatExistAreConflictsOfTheirOwn)
{
    offer("old", 10);
    offer("new", 10);
    serve();
    make_directory(target("tree"));
    write_text(target("tree/old"), "what was there");
    Result result = get("hr://" + address_ + "/data", target("tree"));
    EXPECT_EQ(3, result.exit_code);
    EXPECT_EQ("what was there", read_text(target("tree/old")));
    EXPECT_TRUE(hr_temp_holds(target("tree/new").c_str(), 10, 1));

    result = get("hr://" + address_ + "/data", target("tree"), {"--overwrite"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_TRUE(hr_temp_holds(target("tree/old").c_str(), 10, 1));
}

TEST_F(Tree, IsNotWrittenThroughASymlinkInTheTarget)
{
    make_directory(data("sub"));
    offer("sub/file", 10);
    serve();
    make_directory(target("tree"));
    make_directory(at("outside"));
    ASSERT_EQ(0, symlink(at("outside").c_str(), target("tree/sub").c_str()));
    Result result = get("hr://" + address_ + "/data", target("tree"), {"--overwrite"});
    EXPECT_EQ(3, result.exit_code) << result.errors;
    EXPECT_EQ(0, hr_temp_count(at("outside").c_str(), ""));
}

TEST_F(Tree, ToAFileIsRefused)
{
    offer("file", 10);
    serve();
    write_text(target("taken"), "what was there");
    Result result = get("hr://" + address_ + "/data", target("taken"));
    EXPECT_NE(0, result.exit_code);
    EXPECT_NE(std::string::npos, result.errors.find("taken")) << result.errors;
    EXPECT_EQ("what was there", read_text(target("taken")));
}

TEST_F(Tree, IsResumedFileByFile)
{
    offer("big", 20 * CHUNK, 1);
    offer("small", 10, 2);
    serve();
    Program program;
    std::string tree = "hr://" + address_ + "/data";
    start_get(program, tree, target("tree"), {"--limit", "50M"});
    ASSERT_NE(0u, program.wait_verified(8 * CHUNK));
    program.signal(SIGKILL);
    EXPECT_EQ(128 + SIGKILL, program.wait());
    EXPECT_FALSE(exists(target("tree/big")));
    // What was published is there; --overwrite says that it may come again.
    Result result = get(tree, target("tree"), {"--overwrite"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_GT(result.reused(), 0u);
    EXPECT_TRUE(hr_temp_holds(target("tree/big").c_str(), 20 * CHUNK, 1));
    EXPECT_TRUE(hr_temp_holds(target("tree/small").c_str(), 10, 2));
    EXPECT_EQ(0, hr_temp_count(target("tree").c_str(), ".headrace-"));
}

TEST_F(Tree, ToMemory)
{
    offer("one", CHUNK + 1, 1);
    offer("two", 10, 2);
    serve();
    Result result = get("hr://" + address_ + "/data", "host:");
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(CHUNK + 11, result.moved());
}

TEST_F(Tree, DryRunLeavesNoTrace)
{
    make_directory(data("sub"));
    offer("sub/file", 5000);
    serve();
    Result result = get("hr://" + address_ + "/data", target("tree"), {"--dry-run"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(5000u, result.summary.number("bytes_total"));
    EXPECT_EQ(0, hr_temp_count(at("target").c_str(), ""));
}

} // namespace
