// SPDX-License-Identifier: Apache-2.0
// A tree that is brought again moves what changed, leaves out what is excluded and, when asked to,
// removes what the source does not have any more. Nothing else is ever removed.
#include "fixture.h"

#include <algorithm>
#include <filesystem>

namespace
{

class TreeAgain : public Headrace
{
  protected:
    Result get_tree(const std::vector<std::string> &more = {}, const char *name = "tree")
    {
        return get("hr://" + address_ + "/data", target(name), more);
    }
    // Every path beneath a directory, directories with a slash, in order.
    static std::vector<std::string> paths_of(const std::string &top)
    {
        std::vector<std::string> paths;
        for (const auto &entry : std::filesystem::recursive_directory_iterator(top))
            paths.push_back(std::filesystem::relative(entry.path(), top).string() +
                            (entry.is_directory() && !entry.is_symlink() ? "/" : ""));
        std::sort(paths.begin(), paths.end());
        return paths;
    }
};

TEST_F(TreeAgain, MovesOnlyWhatChanged)
{
    make_directory(data("a"));
    offer("a/same", CHUNK, 1);
    offer("a/other", 1000, 2);
    serve();
    ASSERT_EQ(0, get_tree().exit_code);
    offer("a/other", 1001, 3);
    offer("new", 10, 4);
    Result result = get_tree({"--overwrite"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(1011u, result.moved());
    EXPECT_EQ(1u, result.summary.number("files_kept"));
    EXPECT_TRUE(hr_temp_holds(target("tree/a/other").c_str(), 1001, 3));
}

// What a dry run says is what comes of it, links of both kinds counted as what they are.
TEST_F(TreeAgain, DoesWhatADryRunSays)
{
    make_directory(data("a"));
    offer("a/file", 10, 1);
    offer("large", CHUNK + 1, 2);
    ASSERT_EQ(0, symlink("file", data("a/link").c_str()));
    ASSERT_EQ(0, link(data("a/file").c_str(), data("name").c_str()));
    serve();
    auto expect_both = [&](const char *what, uint64_t files, uint64_t kept, uint64_t bytes,
                           uint64_t removed) {
        Result dry = get_tree({"--overwrite", "--delete", "--dry-run"});
        Result real = get_tree({"--overwrite", "--delete"});
        for (const Result &result : {dry, real}) {
            EXPECT_EQ(0, result.exit_code) << what << ": " << result.errors;
            EXPECT_EQ(files, result.summary.number("files")) << what;
            EXPECT_EQ(kept, result.summary.number("files_kept")) << what;
            EXPECT_EQ(bytes, result.summary.number("bytes_total")) << what;
            EXPECT_EQ(removed, result.summary.number("removed")) << what;
        }
    };
    expect_both("new", 4, 0, CHUNK + 11, 0);
    expect_both("the same", 4, 4, 0, 0);
    struct stat before = {}, after = {};
    ASSERT_EQ(0, lstat(target("tree/a/link").c_str(), &before));
    ASSERT_EQ(0, unlink(data("a/link").c_str()));
    ASSERT_EQ(0, symlink("other", data("a/link").c_str()));
    ASSERT_EQ(0, symlink("more", data("a/more").c_str()));
    expect_both("other links", 5, 3, 0, 0);
    ASSERT_EQ(0, unlink(data("name").c_str()));
    ASSERT_EQ(0, unlink(data("large").c_str()));
    expect_both("less", 3, 3, 0, 2);
    ASSERT_EQ(0, lstat(target("tree/a/more").c_str(), &before));
    expect_both("still the same", 3, 3, 0, 0);
    ASSERT_EQ(0, lstat(target("tree/a/more").c_str(), &after));
    EXPECT_EQ(before.st_ctim.tv_sec, after.st_ctim.tv_sec); // it was left alone
    EXPECT_EQ(before.st_ctim.tv_nsec, after.st_ctim.tv_nsec);
}

// What an interrupted run left of a large file goes when the file has become a small one.
TEST_F(TreeAgain, ClearsTheDraftOfAFileThatHasBecomeSmall)
{
    make_directory(data("a"));
    offer("a/file", 10 * CHUNK, 1);
    offer("other", 10 * CHUNK, 1);
    serve();
    Program program;
    start_get(program, "hr://" + address_ + "/data", target("tree"), {"--limit", "5M"});
    do
        ASSERT_TRUE(program.next("progress").is_valid()) << program.errors();
    while (hr_temp_count(target("tree").c_str(), ".headrace-") < 2 ||
           hr_temp_count(target("tree/a").c_str(), ".headrace-") < 2);
    program.signal(SIGKILL);
    program.wait();
    offer("a/file", 10, 2);
    offer("other", 0);
    Result result = get_tree();
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_TRUE(hr_temp_holds(target("tree/a/file").c_str(), 10, 2));
    EXPECT_EQ(paths_of(data("")), paths_of(target("tree")));
}

// A run that died between giving its file the name and removing the journal: the next one does it.
TEST_F(TreeAgain, ClearsTheJournalOfAFileThatHasItsName)
{
    make_directory(data("a"));
    offer("a/file", 10 * CHUNK, 1);
    serve();
    Program program;
    start_get(program, "hr://" + address_ + "/data", target("tree"), {"--limit", "5M"});
    do
        ASSERT_TRUE(program.next("progress").is_valid()) << program.errors();
    while (hr_temp_count(target("tree/a").c_str(), ".headrace-") < 2);
    program.signal(SIGKILL);
    program.wait();
    std::string journal;
    for (const std::string &path : paths_of(target("tree")))
        if (path.find(".journal") != std::string::npos)
            journal = "tree/" + path;
    ASSERT_NE("", journal);
    ASSERT_EQ(0, rename(target(journal).c_str(), target("journal").c_str()));
    EXPECT_EQ(0, get_tree().exit_code);
    ASSERT_EQ(paths_of(data("")), paths_of(target("tree")));

    std::filesystem::copy_file(target("journal"), target(journal));
    Result result = get_tree({"--dry-run"});
    EXPECT_TRUE(exists(target(journal))) << "that moves nothing";
    result = get_tree();
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(1u, result.summary.number("files_kept"));
    EXPECT_EQ(paths_of(data("")), paths_of(target("tree")));

    // Of a single file the name is taken.
    std::filesystem::copy_file(target("journal"), target(journal));
    result = get("hr://" + address_ + "/data/a/file", target("tree/a/file"));
    EXPECT_EQ(10, result.exit_code) << result.errors;
    EXPECT_EQ(paths_of(data("")), paths_of(target("tree")));
    EXPECT_TRUE(hr_temp_holds(target("tree/a/file").c_str(), 10 * CHUNK, 1));
}

// vfat keeps every second second, exfat hundredths: what was brought there is not another version.
TEST_F(TreeAgain, KeepsWhatAFileSystemWithCoarseTimesHas)
{
    offer("small", 1000, 1);
    offer("large", 2 * CHUNK, 1);
    for (const char *name : {"small", "large"}) {
        const timespec times[2] = {{1600000001, 234567891}, {1600000001, 234567891}};
        ASSERT_EQ(0, utimensat(AT_FDCWD, data(name).c_str(), times, 0));
    }
    serve();
    ASSERT_EQ(0, get_tree().exit_code);
    for (const char *name : {"small", "large"}) {
        const timespec times[2] = {{1600000000, 0}, {1600000000, 0}};
        ASSERT_EQ(0, utimensat(AT_FDCWD, target(std::string("tree/") + name).c_str(), times, 0));
    }
    Result result = get_tree();
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(2u, result.summary.number("files_kept"));

    const timespec times[2] = {{1599999998, 0}, {1599999998, 0}};
    ASSERT_EQ(0, utimensat(AT_FDCWD, target("tree/small").c_str(), times, 0));
    EXPECT_EQ(3, get_tree().exit_code) << "that is another time";
}

// Size and time say that nothing changed, the time of the last change of anything says otherwise.
TEST_F(TreeAgain, SeesAContentWhoseTimeWasSetBack)
{
    offer("same", 1000, 1);
    offer("other", 1000, 2);
    struct stat before = {};
    ASSERT_EQ(0, stat(data("other").c_str(), &before));
    serve();
    ASSERT_EQ(0, get_tree().exit_code);
    const struct timespec times[2] = {before.st_atim, before.st_mtim};
    struct stat source = {}, brought = {};
    do { // a tick of the file system's time, in which nobody could tell
        offer("other", 1000, 3);
        ASSERT_EQ(0, utimensat(AT_FDCWD, data("other").c_str(), times, 0));
        ASSERT_EQ(0, stat(data("other").c_str(), &source));
        ASSERT_EQ(0, stat(target("tree/other").c_str(), &brought));
    } while (source.st_ctim.tv_sec == brought.st_ctim.tv_sec &&
             source.st_ctim.tv_nsec <= brought.st_ctim.tv_nsec);
    ASSERT_EQ(0, chmod(data("same").c_str(), 0640));
    Result result = get_tree();
    EXPECT_EQ(3, result.exit_code) << "without --overwrite nothing is replaced";
    EXPECT_TRUE(hr_temp_holds(target("tree/other").c_str(), 1000, 2));
    result = get_tree({"--overwrite"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(1000u, result.moved());
    EXPECT_EQ(1u, result.summary.number("files_kept"));
    EXPECT_TRUE(hr_temp_holds(target("tree/other").c_str(), 1000, 3));
}

// What a directory was is a file, a symlink or a further name in the source by now.
class TreeReplaced : public TreeAgain
{
  protected:
    void SetUp() override
    {
        offer("file", 10, 1);
        offer("large", 2 * CHUNK, 2);
        offer("other", 5, 3);
        ASSERT_EQ(0, symlink("file", data("link").c_str()));
        ASSERT_EQ(0, link(data("other").c_str(), data("zname").c_str()));
        serve();
        make_directory(target("tree"));
        for (const char *name : names)
            make_directory(target("tree/" + std::string(name)));
    }
    void fill()
    {
        for (const char *name : names) {
            make_directory(target("tree/" + std::string(name) + "/below"));
            write_text(target("tree/" + std::string(name) + "/below/old"), "old");
        }
    }
    // Nothing of what was there is gone.
    void expect_full()
    {
        for (const char *name : names)
            EXPECT_EQ("old", read_text(target("tree/" + std::string(name) + "/below/old")));
    }
    void expect_same(const Result &result)
    {
        EXPECT_EQ(0, result.exit_code) << result.errors;
        EXPECT_EQ(paths_of(data("")), paths_of(target("tree")));
        EXPECT_TRUE(hr_temp_holds(target("tree/file").c_str(), 10, 1));
        EXPECT_TRUE(hr_temp_holds(target("tree/large").c_str(), 2 * CHUNK, 2));
        EXPECT_TRUE(std::filesystem::is_symlink(target("tree/link")));
        EXPECT_TRUE(std::filesystem::equivalent(target("tree/other"), target("tree/zname")));
    }
    // What a person is told.
    void tell_tree(std::vector<std::string> more, int exit_code)
    {
        Program program;
        more.insert(more.begin(), {"get", "hr://" + address_ + "/data", target("tree")});
        program.start(more);
        EXPECT_EQ(exit_code, program.wait());
        out_ = program.out();
        errors_ = program.errors();
    }
    std::string out_, errors_;
    const std::vector<const char *> names = {"file", "large", "link", "other", "zname"};
};

TEST_F(TreeReplaced, AnEmptyDirectoryGoesIfAnythingMay)
{
    Result result = get_tree();
    EXPECT_EQ(3, result.exit_code);
    for (const char *name : names)
        EXPECT_TRUE(std::filesystem::is_directory(target("tree/" + std::string(name)))) << name;
    result = get_tree({"--overwrite", "--dry-run"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(5u, result.summary.number("files"));
    EXPECT_EQ(2 * CHUNK + 15, result.summary.number("bytes_total"));
    EXPECT_TRUE(std::filesystem::is_directory(target("tree/file")));
    expect_same(get_tree({"--overwrite"}));
}

TEST_F(TreeReplaced, AFullOneOnlyWhereDeletingWasAskedFor)
{
    fill();
    for (const std::vector<std::string> &options :
         {std::vector<std::string>{"--overwrite"}, {"--overwrite", "--checksum"}, {"--delete"}}) {
        tell_tree(options, 3);
        EXPECT_NE(std::string::npos, errors_.find("in the target a directory ")) << errors_;
        expect_full();
    }
    tell_tree({"--overwrite", "--delete", "--dry-run"}, 0);
    for (const char *name : names)
        EXPECT_NE(std::string::npos,
                  out_.find("would remove " + std::string(name) + "/below/old\n"))
            << out_;
    EXPECT_NE(std::string::npos, out_.find("would move 5 files, 8.39 MB, 10 to be removed\n"))
        << out_;
    expect_full();
    expect_same(get_tree({"--overwrite", "--delete"}));
    tell_tree({"--overwrite", "--delete"}, 0);
    EXPECT_EQ(0u, out_.find("nothing to move, after ")) << out_;
    EXPECT_NE(std::string::npos, out_.find(", 5 kept (same size and time), 0 removed; "));
}

TEST_F(TreeReplaced, WhatIsExcludedStaysAndWithItWhatItLiesIn)
{
    fill();
    tell_tree({"--overwrite", "--delete", "--exclude", "old"}, 3);
    EXPECT_NE(std::string::npos, errors_.find("something in it stays")) << errors_;
    expect_full();
}

TEST_F(TreeReplaced, NothingGoesWhereSomethingElseFailed)
{
    fill();
    ASSERT_EQ(0, mkfifo(data("fifo").c_str(), 0666));
    Result result = get_tree({"--overwrite", "--delete"});
    EXPECT_EQ(3, result.exit_code);
    expect_full();
}

// It would not be done, and whoever believes that it was is told.
TEST_F(TreeAgain, DeleteIsNotOfASingleFile)
{
    offer("file", 10, 1);
    serve();
    write_text(target("other"), "stays");
    expect_refused(get("hr://" + address_ + "/data/file", target(""), {"--delete"}), 2,
                   {"--delete", "data/file is a single file"});
    EXPECT_FALSE(exists(target("file")));
    EXPECT_EQ("stays", read_text(target("other")));
}

TEST_F(TreeAgain, ComparesContentWhenAskedTo)
{
    make_directory(data("a"));
    offer("a/same", 70 * MIB + 5, 1); // more than one digest's worth
    offer("a/touched", 1000, 2);
    offer("a/other", 1000, 3);
    offer("a/empty", 0, 4);
    serve();
    ASSERT_EQ(0, get_tree().exit_code);
    // Another content of the same size and time, and the same content with another time.
    struct stat before = {};
    ASSERT_EQ(0, stat(target("tree/a/other").c_str(), &before));
    offer("a/other", 1000, 5);
    const struct timespec same_time[2] = {before.st_atim, before.st_mtim};
    ASSERT_EQ(0, utimensat(AT_FDCWD, data("a/other").c_str(), same_time, 0));
    const struct timespec later[2] = {{0, UTIME_OMIT}, {1500000000, 7}};
    ASSERT_EQ(0, utimensat(AT_FDCWD, data("a/touched").c_str(), later, 0));

    Result result = get_tree({"--dry-run"});
    EXPECT_EQ(3, result.exit_code); // one is there and looks like another; nothing is replaced
    result = get_tree({"--checksum", "--overwrite"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(1000u, result.moved());
    EXPECT_EQ(3u, result.summary.number("files_kept"));
    EXPECT_TRUE(hr_temp_holds(target("tree/a/other").c_str(), 1000, 5));
    struct stat touched = {};
    ASSERT_EQ(0, stat(target("tree/a/touched").c_str(), &touched));
    EXPECT_EQ(1500000000, touched.st_mtim.tv_sec);
}

TEST_F(TreeAgain, RemovesWhatTheSourceDoesNotHave)
{
    make_directory(data("kept"));
    offer("kept/file", 10, 1);
    make_directory(at("outside"));
    write_text(at("outside/file"), "not ours");
    serve();
    ASSERT_EQ(0, get_tree().exit_code);
    make_directory(target("tree/gone"));
    make_directory(target("tree/gone/deep"));
    write_text(target("tree/gone/deep/file"), "x");
    write_text(target("tree/kept/more"), "x");
    ASSERT_EQ(0, symlink(at("outside").c_str(), target("tree/gone/link").c_str()));
    ASSERT_EQ(0, symlink(at("outside").c_str(), target("tree/link").c_str()));

    Result result = get_tree({"--delete", "--dry-run"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(6u, result.summary.number("removed"));
    EXPECT_TRUE(exists(target("tree/gone/deep/file")));

    result = get_tree({"--delete"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(6u, result.summary.number("removed"));
    EXPECT_EQ(paths_of(data("")), paths_of(target("tree")));
    EXPECT_EQ("not ours", read_text(at("outside/file")));
}

TEST_F(TreeAgain, RemovesNothingWhenSomethingFailed)
{
    offer("file", 10, 1);
    serve();
    ASSERT_EQ(0, get_tree().exit_code);
    ASSERT_EQ(0, mkfifo(data("fifo").c_str(), 0666));
    write_text(target("tree/more"), "x");
    Program program;
    program.start({"get", "hr://" + address_ + "/data", target("tree"), "--delete"});
    EXPECT_EQ(3, program.wait());
    EXPECT_NE(std::string::npos, program.errors().find("nothing was removed")) << program.errors();
    EXPECT_TRUE(exists(target("tree/more")));
}

TEST_F(TreeAgain, RemovesNoTemporaryFilesAndNothingThatIsExcluded)
{
    offer("file", 10, 1);
    serve();
    ASSERT_EQ(0, get_tree().exit_code);
    write_text(target("tree/.headrace-0123456789abcdef"), "of somebody else");
    make_directory(target("tree/gone"));
    write_text(target("tree/gone/notes.keep"), "x");
    write_text(target("tree/gone/other"), "x");
    Result result = get_tree({"--delete", "--exclude", "*.keep"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_TRUE(exists(target("tree/gone/notes.keep")));
    EXPECT_FALSE(exists(target("tree/gone/other")));
    EXPECT_TRUE(exists(target("tree/.headrace-0123456789abcdef")));
}

// Names in directories that differ only in case are no names that do.
TEST_F(TreeAgain, BesideDirectoriesThatDifferInCase)
{
    make_directory(data("a"));
    make_directory(data("A"));
    for (const char *name : {"a/1", "A/1", "a/file", "A/file"})
        offer(name, 10, 1);
    serve();
    for (int i = 0; i < 2; i++) {
        Result result = get_tree({"--delete"});
        EXPECT_EQ(0, result.exit_code) << result.errors;
        EXPECT_EQ(paths_of(data("")), paths_of(target("tree")));
    }
}

TEST_F(TreeAgain, LeavesOutWhatRsyncWould)
{
    if (system("rsync --version >/dev/null 2>&1") != 0)
        GTEST_SKIP() << "no rsync to compare with";
    for (const char *name : {"a", "a/b", "a/b/c", "a/foo", "foo", "foo/bar", "x", "x/foo"})
        make_directory(data(name));
    for (const char *name :
         {"top.c", "top.o", "a/one.c", "a/one.o", "a/b/two.c", "a/b/c/deep.o", "foo/bar/file",
          "foo/file", "x/foo/file", "a/foo/file", "a[1]", "a1", "x/sp ace"})
        offer(name, 10, 1);
    serve();
    const std::vector<std::vector<std::string>> wishes = {
        {"--exclude=*.o"},
        {"--exclude=/foo"},
        {"--exclude=foo/"},
        {"--exclude=foo/bar"},
        {"--exclude=a/**"},
        {"--exclude=**/foo/file"},
        {"--exclude=/a/*/c"},
        {"--exclude=foo/***"},
        {"--include=*/", "--include=*.c", "--exclude=*"},
        {"--include=a/***", "--exclude=*"},
        {"--include=top.*", "--exclude=*.c", "--include=*.o"},
        {"--exclude=a\\[1\\]*"},
        {"--exclude=a[[:digit:]]"},
        {"--exclude=sp ace"},
    };
    for (size_t i = 0; i < wishes.size(); i++) {
        const std::string mine = "mine" + std::to_string(i), theirs = at("theirs");
        Result result = get_tree(wishes[i], mine.c_str());
        EXPECT_EQ(0, result.exit_code) << result.errors;
        std::string command = "rsync -a";
        for (const std::string &wish : wishes[i])
            command += " '" + wish + "'";
        ASSERT_EQ(0, system((command + " '" + data("") + "/' '" + theirs + "'").c_str()));
        EXPECT_EQ(paths_of(theirs), paths_of(target(mine))) << command;
        std::filesystem::remove_all(theirs);
    }
}

TEST_F(TreeAgain, RefusesAPatternThatIsNone)
{
    offer("file", 10);
    serve();
    expect_refused(get_tree({"--exclude", "a[b"}), 2, {"never closed", "a[b"});
    expect_nothing("tree");
}

} // namespace
