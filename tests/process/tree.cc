// SPDX-License-Identifier: Apache-2.0
// A tree of files comes whole, or says of each file why it did not.
#include <sys/file.h>
#include <sys/mount.h>

#include "fixture.h"
#include "wire.h"

#include <filesystem>

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
    offer("blocked", 10);
    ASSERT_EQ(0, mkfifo(data("fifo").c_str(), 0666));
    serve();
    make_directory(target("tree"));
    make_directory(target("tree/blocked")); // what stands where the file is to be
    Program program;
    program.start({"get", "hr://" + address_ + "/data", target("tree")});
    EXPECT_EQ(3, program.wait());
    EXPECT_NE(std::string::npos, program.errors().find("fifo: it is neither a file nor"));
    EXPECT_NE(std::string::npos, program.errors().find("2 of 3 files failed"));
    EXPECT_TRUE(hr_temp_holds(target("tree/good").c_str(), 10, 1));
    EXPECT_FALSE(exists(target("tree/fifo")));
}

// A full disk fails thousands of files in the same way: a person is told of the first of them and
// what to do, once, and a script by the code that a single file has.
TEST_F(Tree, OfFilesWithoutSpaceTheFirstAreNamedAndTheRestCounted)
{
    for (unsigned i = 0; i < 13; i++)
        offer("file" + std::to_string(i), 100000);
    offer("small", 10);
    serve();
    Surroundings under;
    under.limits = {{RLIMIT_FSIZE, 65536}};
    Program program;
    program.start({"get", "hr://" + address_ + "/data", target("tree")}, under);
    EXPECT_EQ(7, program.wait());
    const std::string said = program.errors();
    unsigned named = 0;
    for (size_t at = 0; (at = said.find("headrace: file", at)) != std::string::npos; at++)
        named++;
    EXPECT_EQ(3u, named) << said;
    EXPECT_NE(std::string::npos, said.find("10 more files had no room")) << said;
    EXPECT_NE(std::string::npos,
              said.find("no space left: 13 of 14 files, 1.3 MB, did not fit into"))
        << said;
    EXPECT_EQ(std::string::npos, said.find("for other reasons")) << said;
    EXPECT_TRUE(hr_temp_holds(target("tree/small").c_str(), 10, 1));

    ASSERT_EQ(0, mkfifo(data("fifo").c_str(), 0666));
    program.start({"get", "hr://" + address_ + "/data", target("tree")}, under);
    EXPECT_EQ(7, program.wait());
    EXPECT_NE(std::string::npos, program.errors().find("1 more failed for other reasons"))
        << program.errors();
}

// Its own directory has no path below it, and is told of as the target.
TEST_F(Tree, SaysWhyItsOwnDirectoryFailed)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "not root: whoever owns a directory may stamp it";
    serve();
    Surroundings under;
    under.user = NOBODY;
    make_directory(target("tree"));
    ASSERT_EQ(0, chmod(target("tree").c_str(), 0777)); // he may write to it, and it is root's
    Program program;
    program.start({"get", "hr://" + address_ + "/data", target("tree")}, under);
    EXPECT_EQ(3, program.wait());
    EXPECT_EQ(0u, program.errors().find("headrace: " + target("tree") + ": setting permissions"))
        << program.errors();
    EXPECT_NE(std::string::npos, program.errors().find("1 of 1 files failed"));
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
    Program program; // for people: it says in a sentence what is in the way
    program.start({"get", "hr://" + address_ + "/data", target("tree")});
    EXPECT_EQ(3, program.wait());
    EXPECT_NE(std::string::npos, program.errors().find("sub: the target has something else"))
        << program.errors();
    EXPECT_TRUE(std::filesystem::is_symlink(target("tree/sub")));
    Result result = get("hr://" + address_ + "/data", target("tree"), {"--overwrite"});
    EXPECT_EQ(0, result.exit_code) << result.errors; // in place of the symlink
    EXPECT_TRUE(hr_temp_holds(target("tree/sub/file").c_str(), 10, 1));
    EXPECT_FALSE(std::filesystem::is_symlink(target("tree/sub")));
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
    Held held(address_, 9); // the bundle of the small one is a chunk
    Program program;
    std::string tree = "hr://" + address_ + "/data";
    start_get(program, held.url(""), target("tree"));
    ASSERT_NE(0u, wait_noted(program, 8 * CHUNK, "tree"));
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

// A file costs no message of its own: 100,000 of them cost less than 1,000. Two counts tell what
// more files cost, without those of every session, and that is what counts for 100,000.
TEST_F(Tree, OfManySmallFilesCostsFewMessages)
{
    constexpr uint64_t FEW = 2000, MANY = 8000, ALL = 100000;
    make_directory(data("some"));
    for (uint64_t i = 0; i < MANY; i++) {
        if (i % 1000 == 0)
            make_directory(data("some/d" + std::to_string(i / 1000)));
        write_text(data("some/d" + std::to_string(i / 1000) + "/" + std::to_string(i)),
                   std::string(4096, (char)('a' + i % 26)));
        if (i + 1 == FEW) {
            ASSERT_EQ(0, rename(data("some").c_str(), data("few").c_str()));
            make_directory(data("some"));
        }
    }
    serve();
    Result few = get(url("few"), "host:"), more = get(url("some"), "host:");
    EXPECT_EQ(0, few.exit_code) << few.errors;
    EXPECT_EQ(0, more.exit_code) << more.errors;
    EXPECT_EQ(FEW * 4096, few.moved());
    EXPECT_EQ((MANY - FEW) * 4096, more.moved());
    const uint64_t base = few.summary.number("control_messages");
    const uint64_t beyond = more.summary.number("control_messages") - base;
    EXPECT_LT(base + beyond * (ALL - FEW) / (MANY - 2 * FEW), 1000u) << base << ", " << beyond;
}

// What is mounted within the target takes its files too, though the temporary files of the tree lie
// on another file system.
TEST_F(Tree, IntoAnotherFileSystemThatIsMountedWithin)
{
    make_directory(data("sub"));
    for (int i = 0; i < 30; i++) {
        offer("file" + std::to_string(i), 10, 1);
        offer("sub/file" + std::to_string(i), 20, 2);
    }
    serve();
    make_directory(target("tree"));
    make_directory(target("tree/sub"));
    if (mount("none", target("tree/sub").c_str(), "tmpfs", 0, "") != 0)
        GTEST_SKIP() << "cannot mount a file system: " << strerror(errno);
    Result result = get("hr://" + address_ + "/data", target("tree"));
    int whole = 0;
    for (int i = 0; i < 30; i++)
        whole += hr_temp_holds(target("tree/file" + std::to_string(i)).c_str(), 10, 1) +
                 hr_temp_holds(target("tree/sub/file" + std::to_string(i)).c_str(), 20, 2);
    int left = hr_temp_count(target("tree/sub").c_str(), ".headrace-");
    EXPECT_EQ(0, umount2(target("tree/sub").c_str(), MNT_DETACH));
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(60, whole);
    EXPECT_EQ(0, left);
}

TEST_F(Tree, ThatIsThereIsKept)
{
    for (unsigned i = 0; i < 200; i++)
        write_text(data(std::to_string(i)), std::string(i, 'x'));
    serve();
    Result result = get("hr://" + address_ + "/data", target("tree"));
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(0u, result.summary.number("files_kept"));
    write_text(target("tree/7"), "longer than it was");
    result = get("hr://" + address_ + "/data", target("tree"), {"--overwrite"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(199u, result.summary.number("files_kept"));
    EXPECT_EQ(7u, result.moved());
    EXPECT_EQ("xxxxxxx", read_text(target("tree/7")));
}

TEST_F(Tree, OfManyDirectoriesIsComplete)
{
    for (unsigned i = 0; i < 300; i++) {
        std::string below = "d" + std::to_string(i);
        make_directory(data(below));
        make_directory(data(below + "/e"));
        write_text(data(below + "/e/file"), below);
    }
    serve();
    Result result = get("hr://" + address_ + "/data", target("tree"));
    EXPECT_EQ(0, result.exit_code) << result.errors;
    for (unsigned i = 0; i < 300; i++)
        EXPECT_EQ("d" + std::to_string(i),
                  read_text(target("tree/d" + std::to_string(i) + "/e/file")));
}

// What a killed run had not named yet is nobody's, and the next run takes it away.
TEST_F(Tree, ClearsWhatAKilledRunLeft)
{
    offer("small", 10);
    serve();
    make_directory(target("tree"));
    const std::string left = target("tree/.headrace-cbf29ce484222325");
    make_directory(left);
    write_text(left + "/00000000", "half");
    make_directory(left + "/00000001");
    make_directory(left + "/00000002");
    for (unsigned i = 0; i < 2000; i++) // more than a page
        write_text(left + "/00000001/" + std::to_string(i), "");
    write_text(left + "/lock", "");
    Result result = get("hr://" + address_ + "/data", target("tree"));
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_TRUE(hr_temp_holds(target("tree/small").c_str(), 10, 1));
    EXPECT_FALSE(exists(left));
}

// What lies in a drawer gets its names at once, and one by one where something came in between: a
// directory below, a large file, and what somebody else puts there.
TEST_F(Tree, OfNewDirectoriesIsWhole)
{
    const std::vector<std::pair<std::string, unsigned>> folders = {
        {"a", 1100}, {"a/b", 300}, {"d", 300}, {"e", 3}};
    for (const auto &[folder, count] : folders) {
        make_directory(data(folder));
        for (unsigned i = 0; i < count; i++)
            write_text(data(folder + "/" + std::to_string(i)), folder + std::to_string(i));
    }
    offer("d/large", 5000000, 7);
    ASSERT_EQ(0, chmod(data("a/b").c_str(), 0711));
    serve();
    Result result = get("hr://" + address_ + "/data", target("tree"));
    EXPECT_EQ(0, result.exit_code) << result.errors;
    for (const auto &[folder, count] : folders)
        for (unsigned i = 0; i < count; i++)
            ASSERT_EQ(folder + std::to_string(i),
                      read_text(target("tree/" + folder + "/" + std::to_string(i))));
    EXPECT_TRUE(hr_temp_holds(target("tree/d/large").c_str(), 5000000, 7));
    EXPECT_EQ(0, hr_temp_count(target("tree").c_str(), ".headrace-"));
    struct stat info;
    ASSERT_EQ(0, stat(target("tree/a/b").c_str(), &info));
    EXPECT_EQ(0711u, info.st_mode & 0777u);
    result = get("hr://" + address_ + "/data", target("tree"));
    EXPECT_EQ(1704u, result.summary.number("files_kept"));
}

TEST_F(Tree, BringsNothingIntoItsOwnStage)
{
    make_directory(data(".headrace-cbf29ce484222325"));
    offer(".headrace-cbf29ce484222325/00000000", 10, 1);
    offer("small", 10, 2);
    serve();
    Result result = get("hr://" + address_ + "/data", target("tree"));
    EXPECT_EQ(3, result.exit_code) << result.errors;
    EXPECT_TRUE(hr_temp_holds(target("tree/small").c_str(), 10, 2));
    EXPECT_FALSE(exists(target("tree/.headrace-cbf29ce484222325")));
}

TEST_F(Tree, IsNotWrittenByTwoAtOnce)
{
    offer("small", 10);
    serve();
    make_directory(target("tree"));
    const std::string stage = target("tree/.headrace-cbf29ce484222325");
    make_directory(stage);
    write_text(stage + "/lock", "");
    int fd = open((stage + "/lock").c_str(), O_RDWR);
    ASSERT_EQ(0, flock(fd, LOCK_EX | LOCK_NB));
    Result result = get("hr://" + address_ + "/data", target("tree"));
    close(fd);
    EXPECT_EQ(10, result.exit_code);
    EXPECT_NE(std::string::npos, result.errors.find("another headrace")) << result.errors;
    EXPECT_FALSE(exists(target("tree/small")));
}

TEST_F(Tree, StrictEndsWithTheFirstFailure)
{
    offer("a", 10);
    ASSERT_EQ(0, mkfifo(data("fifo").c_str(), 0666));
    serve();
    Result result = get("hr://" + address_ + "/data", target("tree"), {"--strict"});
    EXPECT_EQ(11, result.exit_code);
    EXPECT_NE(std::string::npos, result.errors.find("it is neither a file nor")) << result.errors;
}

// What was under way has not failed: only that it was interrupted is said, and once.
TEST_F(Tree, ThatIsInterruptedSaysSoOnce)
{
    offer("one", 8 * CHUNK);
    offer("two", 8 * CHUNK);
    serve();
    Program program;
    start_get(program, "hr://" + address_ + "/data", target("tree"), {"--limit", "5M"});
    do
        ASSERT_TRUE(program.next("progress").is_valid()) << program.errors();
    while (hr_temp_count(target("tree").c_str(), ".headrace-") < 4);
    program.signal(SIGINT);
    Result result = result_of(program);
    EXPECT_EQ(9, result.exit_code);
    EXPECT_EQ(0u, result.summary.number("files_failed"));
}

TEST_F(Tree, OneUnreadableFileStopsNoOther)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "not root: the server cannot run as somebody else";
    for (unsigned i = 0; i < 100; i++)
        write_text(data("f" + std::to_string(i)), "text " + std::to_string(i));
    ASSERT_EQ(0, chmod(data("f50").c_str(), 0));
    Surroundings nobody;
    nobody.user = NOBODY;
    ASSERT_EQ(0, chmod(at("").c_str(), 0755));
    serve({}, nobody);
    Program program;
    program.start({"get", "hr://" + address_ + "/data", target("tree")});
    EXPECT_EQ(3, program.wait());
    EXPECT_NE(std::string::npos, program.errors().find("f50: ")) << program.errors();
    EXPECT_NE(std::string::npos, program.errors().find("permission denied")) << program.errors();
    for (unsigned i = 0; i < 100; i++)
        EXPECT_EQ(i == 50 ? "" : "text " + std::to_string(i),
                  exists(target("tree/f" + std::to_string(i)))
                      ? read_text(target("tree/f" + std::to_string(i)))
                      : "");
}

} // namespace
