// SPDX-License-Identifier: Apache-2.0
// What a tree holds beside the content of its files arrives too: links of both kinds, holes,
// permissions and times; and what cannot be is told by name.
#include "fixture.h"

#include <algorithm>
#include <dirent.h>
#include <sys/xattr.h>

namespace
{

class TreeKept : public Headrace
{
  protected:
    static struct stat look(const std::string &path)
    {
        struct stat info = {};
        EXPECT_EQ(0, lstat(path.c_str(), &info)) << path;
        return info;
    }
    static void set_time(const std::string &path, time_t second, long nanosecond)
    {
        const struct timespec times[2] = {{0, UTIME_OMIT}, {second, nanosecond}};
        ASSERT_EQ(0, utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW));
    }
    static std::string says(const std::string &path)
    {
        char text[4096];
        const ssize_t len = readlink(path.c_str(), text, sizeof text);
        return len < 0 ? "no symlink" : std::string(text, (size_t)len);
    }
    // Who is not root, and has a directory of his own in the target: "nobodys".
    Surroundings as_nobody()
    {
        make_directory(target("nobodys"));
        EXPECT_EQ(0, chown(target("nobodys").c_str(), NOBODY, NOBODY));
        EXPECT_EQ(0, chmod(at("target").c_str(), 0755));
        Surroundings nobody;
        nobody.user = NOBODY;
        nobody.environment = {"HOME=/dev/null"};
        return nobody;
    }
    Result get_tree(const std::vector<std::string> &more = {})
    {
        return get("hr://" + address_ + "/data", target("tree"), more);
    }
};

TEST_F(TreeKept, PermissionsAndTimesOfFilesAndDirectories)
{
    make_directory(data("a"));
    make_directory(data("a/closed"));
    offer("a/file", 10);
    offer("a/closed/script", 20);
    ASSERT_EQ(0, chmod(data("a/file").c_str(), 0604));
    ASSERT_EQ(0, chmod(data("a/closed/script").c_str(), 04751));
    set_time(data("a/file"), 1000000000, 123456789);
    ASSERT_EQ(0, chmod(data("a/closed").c_str(), 0555));
    set_time(data("a/closed"), 1100000000, 5);
    set_time(data("a"), -5, 7); // before 1970
    serve();
    Result result = get_tree();
    ASSERT_EQ(0, result.exit_code) << result.errors;
    for (const char *name : {"a", "a/file", "a/closed", "a/closed/script"}) {
        struct stat from = look(data(name)), to = look(target(std::string("tree/") + name));
        EXPECT_EQ(from.st_mode & ~07000u, to.st_mode) << name; // not those beyond permissions
        EXPECT_EQ(from.st_mtim.tv_sec, to.st_mtim.tv_sec) << name;
        EXPECT_EQ(from.st_mtim.tv_nsec, to.st_mtim.tv_nsec) << name;
    }
    ASSERT_EQ(0, chmod(data("a/closed").c_str(), 0755)); // so that everybody can remove it
    ASSERT_EQ(0, chmod(target("tree/a/closed").c_str(), 0755));
}

TEST_F(TreeKept, ChangedPermissionsOfAFileThatStays)
{
    offer("file", 10);
    serve();
    ASSERT_EQ(0, get_tree().exit_code);
    ASSERT_EQ(0, chmod(data("file").c_str(), 0600));
    Result result = get_tree();
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(1u, result.summary.number("files_kept"));
    EXPECT_EQ(0600u, look(target("tree/file")).st_mode & 07777);
}

TEST_F(TreeKept, SymlinksAsTheyAre)
{
    make_directory(data("a"));
    const std::pair<const char *, std::string> links[] = {{"a/up", "../file"},
                                                          {"out", "/etc/passwd"},
                                                          {"far", "../../../../../tmp"},
                                                          {"dangling", "not there \xff"},
                                                          {"long", std::string(4000, 'l')}};
    for (const auto &[name, said] : links)
        ASSERT_EQ(0, symlink(said.c_str(), data(name).c_str()));
    set_time(data("out"), 1000000000, 1);
    serve();
    for (int run = 0; run < 2; run++) { // the second finds them there
        Result result = get_tree();
        EXPECT_EQ(0, result.exit_code) << result.errors;
        for (const auto &[name, said] : links)
            EXPECT_EQ(said, says(target(std::string("tree/") + name)));
        EXPECT_EQ(1000000000, look(target("tree/out")).st_mtim.tv_sec);
    }
}

TEST_F(TreeKept, ASymlinkDoesNotTakeTheNameOfSomethingElse)
{
    ASSERT_EQ(0, symlink("said", data("link").c_str()));
    ASSERT_EQ(0, symlink("said", data("place").c_str()));
    serve();
    make_directory(target("tree"));
    make_directory(target("tree/place"));
    write_text(target("tree/place/old"), "what was there");
    write_text(target("tree/link"), "what was there");
    Result result = get_tree();
    EXPECT_EQ(3, result.exit_code);
    EXPECT_EQ("what was there", read_text(target("tree/link")));

    result = get_tree({"--overwrite"});
    EXPECT_EQ(3, result.exit_code); // a directory with something in it is not replaced
    EXPECT_EQ("said", says(target("tree/link")));
    EXPECT_EQ("no symlink", says(target("tree/place")));
    EXPECT_EQ(0, hr_temp_count(target("tree").c_str(), ".headrace-"));
}

TEST_F(TreeKept, FurtherNamesOfAFileMoveNothing)
{
    make_directory(data("a"));
    offer("first", CHUNK + 1, 1);
    offer("other", 10, 2);
    ASSERT_EQ(0, link(data("first").c_str(), data("a/second").c_str()));
    ASSERT_EQ(0, link(data("first").c_str(), data("a/third").c_str()));
    ASSERT_EQ(0, link(data("other").c_str(), at("outside").c_str())); // not in the tree
    serve();
    Result result = get_tree();
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(CHUNK + 11, result.moved());
    EXPECT_EQ(4u, result.summary.number("files"));
    const ino_t inode = look(target("tree/first")).st_ino;
    EXPECT_EQ(inode, look(target("tree/a/second")).st_ino);
    EXPECT_EQ(inode, look(target("tree/a/third")).st_ino);
    EXPECT_EQ(1u, look(target("tree/other")).st_nlink);

    EXPECT_EQ(0, get_tree().exit_code); // they are there
    // One of them became a file of its own here: it is put right when that is allowed.
    ASSERT_EQ(0, unlink(target("tree/a/second").c_str()));
    write_text(target("tree/a/second"), "own");
    EXPECT_EQ(3, get_tree().exit_code);
    EXPECT_EQ(0, get_tree({"--overwrite"}).exit_code);
    EXPECT_EQ(look(target("tree/first")).st_ino, look(target("tree/a/second")).st_ino);
}

TEST_F(TreeKept, TheNamesOfAFileThatFailedAreNotMade)
{
    offer("first", 10);
    ASSERT_EQ(0, link(data("first").c_str(), data("second").c_str()));
    serve();
    make_directory(target("tree"));
    write_text(target("tree/first"), "what was there");
    write_text(target("tree/second"), "what was there too");
    Result result = get_tree();
    EXPECT_EQ(3, result.exit_code);
    EXPECT_EQ(2u, result.summary.number("files_failed"));
    EXPECT_EQ("what was there too", read_text(target("tree/second")));
}

TEST_F(TreeKept, OwnersWhenAskedFor)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "not root: owners cannot be given";
    make_directory(data("a"));
    offer("a/file", 10);
    ASSERT_EQ(0, symlink("file", data("a/link").c_str()));
    for (const char *name : {"a/link", "a/file", "a"})
        ASSERT_EQ(0, lchown(data(name).c_str(), NOBODY, 12345));
    ASSERT_EQ(0, chmod(data("a/file").c_str(), 06755));
    serve();
    Result result = get_tree({"--preserve"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    for (const char *name : {"a/link", "a/file", "a"}) {
        EXPECT_EQ(NOBODY, look(target(std::string("tree/") + name)).st_uid) << name;
        EXPECT_EQ(12345u, look(target(std::string("tree/") + name)).st_gid) << name;
    }
    EXPECT_EQ(06755u, look(target("tree/a/file")).st_mode & 07777);
}

// What cost time to bring is not thrown away for it, and it is not told of each file.
TEST_F(TreeKept, OwnersThatMayNotBeGivenAreCounted)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "not root: owners cannot be given";
    constexpr mode_t MODE = 06751;
    make_directory(data("a"));
    offer("large", CHUNK + 1);
    for (const char *name : {"a/one", "a/two", "a/three"})
        offer(name, 10);
    ASSERT_EQ(0, symlink("one", data("a/link").c_str()));
    ASSERT_EQ(0, chown(data("a").c_str(), 54321, NOBODY));
    for (const char *name : {"a/one", "a/two", "large"}) {
        ASSERT_EQ(0, chown(data(name).c_str(), 54321, 12345));
        ASSERT_EQ(0, chmod(data(name).c_str(), MODE));
    }
    ASSERT_EQ(0, lchown(data("a/three").c_str(), NOBODY, NOBODY));
    const Surroundings nobody = as_nobody();
    serve();
    for (int run = 0; run < 2; run++) { // the second finds them there
        Result result =
            get("hr://" + address_ + "/data", target("nobodys/tree"), {"--preserve"}, nobody);
        EXPECT_EQ(3, result.exit_code);
        EXPECT_EQ(6u,
                  result.summary.number("owners_lost")); // with the tree itself, which is root's
        EXPECT_EQ(0u, result.summary.number("files_failed")) << result.errors;
        EXPECT_EQ(run == 0 ? 0u : 5u, result.summary.number("files_kept"));
        EXPECT_EQ(1, std::count(result.errors.begin(), result.errors.end(), '\n'));
        EXPECT_NE(std::string::npos, result.errors.find("without --preserve")) << result.errors;
        for (const char *name : {"a/one", "a/two", "large"}) {
            EXPECT_EQ(NOBODY, look(target(std::string("nobodys/tree/") + name)).st_uid) << name;
            EXPECT_EQ(MODE & 0777,
                      look(target(std::string("nobodys/tree/") + name)).st_mode & 07777);
        }
    }
    Result result = get(url("a/one"), target("nobodys/"), {"--preserve"}, nobody);
    EXPECT_EQ(3, result.exit_code);
    EXPECT_EQ(1u, result.summary.number("owners_lost"));
    EXPECT_EQ(10, look(target("nobodys/one")).st_size);
}

// As it would have it had it been made there: small files are made elsewhere first.
TEST_F(TreeKept, TheGroupThatADirectoryOfTheTargetPassesOn)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "not root: groups cannot be given";
    const gid_t own = getegid(), top = 12345, shared = 54321;
    for (const char *name : {"plain", "shared", "shared/new"})
        make_directory(data(name));
    for (const char *name : {"small", "plain/small", "shared/small", "shared/new/small"})
        offer(name, 10);
    offer("shared/large", CHUNK + 1);
    serve();
    for (gid_t group : {own, top}) {
        const std::string tree = target("tree" + std::to_string(group)) + "/";
        for (const char *name : {"", "plain", "shared"})
            make_directory(tree + name);
        ASSERT_EQ(0, chown(tree.c_str(), (uid_t)-1, group));
        ASSERT_EQ(0, chmod(tree.c_str(), group == top ? 02755 : 0755));
        ASSERT_EQ(0, chmod((tree + "plain").c_str(), 0755));
        ASSERT_EQ(0, chown((tree + "plain").c_str(), (uid_t)-1, own));
        ASSERT_EQ(0, chown((tree + "shared").c_str(), (uid_t)-1, shared));
        ASSERT_EQ(0, chmod((tree + "shared").c_str(), 02755));
        Result result = get("hr://" + address_ + "/data", tree.substr(0, tree.size() - 1));
        EXPECT_EQ(0, result.exit_code) << result.errors;
        EXPECT_EQ(group, look(tree + "small").st_gid);
        EXPECT_EQ(own, look(tree + "plain/small").st_gid);
        for (const char *name : {"small", "large", "new", "new/small"})
            EXPECT_EQ(shared, look(tree + "shared/" + name).st_gid) << name;
    }
}

// As many of them as of others come together, and cost no message each.
TEST_F(TreeKept, OwnersOfManySmallFiles)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "not root: owners cannot be given";
    constexpr unsigned FILES = 300;
    make_directory(data("a"));
    for (unsigned i = 0; i < FILES; i++) {
        const std::string path = data("a/" + std::to_string(i));
        write_text(path, std::to_string(i));
        ASSERT_EQ(0, chown(path.c_str(), NOBODY, 12345 + i));
        ASSERT_EQ(0, chmod(path.c_str(), 06755));
    }
    ASSERT_EQ(0, chown(data("a").c_str(), 54321, NOBODY));
    ASSERT_EQ(0, chmod(data("a").c_str(), 01711));
    serve();
    Result result = get_tree({"--preserve"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_LT(result.summary.number("control_messages"), 100u);
    for (unsigned i = 0; i < FILES; i++) {
        const struct stat info = look(target("tree/a/" + std::to_string(i)));
        ASSERT_EQ(NOBODY, info.st_uid) << i;
        ASSERT_EQ(12345u + i, info.st_gid) << i;
        ASSERT_EQ(06755u, info.st_mode & 07777u) << i;
        ASSERT_EQ(std::to_string(i), read_text(target("tree/a/" + std::to_string(i))));
    }
    EXPECT_EQ(54321u, look(target("tree/a")).st_uid);
    EXPECT_EQ(01711u, look(target("tree/a")).st_mode & 07777u);
}

// What nobody else may read in the source he may not read while it is brought either.
TEST_F(TreeKept, WhatIsPrivateIsThatOnItsWayToo)
{
    const mode_t umask_before = umask(022);
    make_directory(data("private"));
    for (unsigned i = 0; i < 1100; i++) // more than wait for others
        write_text(data("private/" + std::to_string(i)), "a");
    offer("private/large", 10 * CHUNK);
    ASSERT_EQ(0, chmod(data("private").c_str(), 0700));
    ASSERT_EQ(0, chmod(data("private/large").c_str(), 0600));
    offer("large", 10 * CHUNK);
    ASSERT_EQ(0, chmod(data("large").c_str(), 0600));
    serve();
    Program program;
    start_get(program, "hr://" + address_ + "/data", target("tree"), {"--limit", "5M"});
    do
        ASSERT_TRUE(program.next("progress").is_valid()) << program.errors();
    while (hr_temp_count(target("tree/private").c_str(), ".headrace-") <= 0);
    program.stop_for_good();
    EXPECT_EQ(0700u, look(target("tree/private")).st_mode & 0777u);
    unsigned drafts = 0;
    for (const char *folder : {"tree", "tree/private"}) {
        DIR *dir = opendir(target(folder).c_str());
        ASSERT_NE(nullptr, dir);
        while (const dirent *entry = readdir(dir)) {
            if (strncmp(entry->d_name, ".headrace-", 10) != 0)
                continue;
            drafts++;
            EXPECT_EQ(0u, look(target(folder) + "/" + entry->d_name).st_mode & 077u)
                << folder << "/" << entry->d_name;
        }
        closedir(dir);
    }
    EXPECT_LE(2u, drafts);
    program.signal(SIGKILL);
    program.wait();
    EXPECT_EQ(0, get_tree().exit_code);
    EXPECT_EQ(0700u, look(target("tree/private")).st_mode & 0777u);
    EXPECT_EQ(0600u, look(target("tree/private/large")).st_mode & 0777u);
    umask(umask_before);
}

// A directory that its owner may not write to gets what is new in it, and stays what it was.
TEST_F(TreeKept, WhatIsNewInADirectoryThatIsReadOnly)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "not root: cannot become somebody for whom it is read-only";
    make_directory(data("closed"));
    write_text(data("closed/first"), "1");
    ASSERT_EQ(0, chmod(data("closed").c_str(), 0555));
    ASSERT_EQ(0, chmod(temp_.c_str(), 0755));
    ASSERT_EQ(0, chmod(at("target").c_str(), 0777));
    serve({"--insecure"});
    Surroundings nobody;
    nobody.user = NOBODY;
    nobody.environment = {"HOME=/dev/null"};
    const std::string source = "hr://" + address_ + "/data";
    const std::vector<std::string> options = {"--insecure", "--delete"};
    Result result = get(source, target("tree"), options, nobody);
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(0555u, look(target("tree/closed")).st_mode & 0777u);
    write_text(data("closed/second"), "2");
    offer("closed/third", 2 * CHUNK, 3);
    ASSERT_EQ(0, unlink(data("closed/first").c_str()));
    result = get(source, target("tree"), options, nobody);
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ("2", read_text(target("tree/closed/second")));
    EXPECT_TRUE(hr_temp_holds(target("tree/closed/third").c_str(), 2 * CHUNK, 3));
    EXPECT_FALSE(exists(target("tree/closed/first")));
    EXPECT_EQ(0555u, look(target("tree/closed")).st_mode & 0777u);
}

TEST_F(TreeKept, ExtendedAttributesWhenAskedFor)
{
    make_directory(data("a"));
    offer("a/file", 10);
    offer("a/plain", 10);
    const std::string value("not \0 text\xff", 11);
    if (setxattr(data("a/file").c_str(), "user.note", value.data(), value.size(), 0) != 0)
        GTEST_SKIP() << "the file system of the temporary directory has no extended attributes: "
                     << strerror(errno);
    ASSERT_EQ(0, setxattr(data("a").c_str(), "user.empty", "", 0, 0));
    serve();
    ASSERT_EQ(0, get_tree().exit_code);
    char back[100];
    EXPECT_EQ(-1, getxattr(target("tree/a/file").c_str(), "user.note", back, sizeof back));
    ASSERT_EQ(0, setxattr(target("tree/a/file").c_str(), "user.old", "x", 1, 0));
    if (geteuid() != 0)
        GTEST_SKIP() << "not root: --preserve keeps owners too, which takes root";
    Result result = get_tree({"--preserve"}); // of files that are there, too
    EXPECT_EQ(0, result.exit_code) << result.errors;
    ASSERT_EQ(11, getxattr(target("tree/a/file").c_str(), "user.note", back, sizeof back));
    EXPECT_EQ(value, std::string(back, 11));
    EXPECT_EQ(0, getxattr(target("tree/a").c_str(), "user.empty", back, sizeof back));
    EXPECT_EQ(-1, getxattr(target("tree/a/file").c_str(), "user.old", back, sizeof back));

    const std::string much(17000, 'x'); // more than Headrace carries, and many file systems keep
    if (setxattr(data("a/plain").c_str(), "user.much", much.data(), much.size(), 0) == 0) {
        result = get_tree({"--preserve"});
        EXPECT_EQ(3, result.exit_code);
        ASSERT_EQ(0, removexattr(data("a/plain").c_str(), "user.much"));
    }
    // Version 2, none effective. Everybody may read it.
    const char capability[20] = {0, 0, 0, 2};
    for (const char *name : {"a/file", "a/plain"})
        if (setxattr(data(name).c_str(), "security.capability", capability, sizeof capability, 0))
            GTEST_SKIP() << "capabilities cannot be given here: " << strerror(errno);
    const Surroundings nobody = as_nobody();
    result = get("hr://" + address_ + "/data", target("nobodys/tree"), {"--preserve"}, nobody);
    EXPECT_EQ(3, result.exit_code);
    EXPECT_EQ(2u, result.summary.number("xattrs_lost"));
    EXPECT_EQ(0u, result.summary.number("files_failed"));
    EXPECT_EQ(1, std::count(result.errors.begin(), result.errors.end(), '\n')) << result.errors;
}

TEST_F(TreeKept, HolesStayHoles)
{
    const std::string path = data("sparse");
    write_text(path, "start");
    ASSERT_EQ(0, truncate(path.c_str(), (off_t)(5 * CHUNK)));
    int file = open(path.c_str(), O_WRONLY);
    ASSERT_EQ(3, pwrite(file, "end", 3, (off_t)(3 * CHUNK - 1)));
    ASSERT_EQ(0, close(file));
    if ((uint64_t)look(path).st_blocks * 512 > CHUNK)
        GTEST_SKIP() << "the file system of the temporary directory keeps no holes";
    serve();
    Result result = get_tree();
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(read_text(path), read_text(target("tree/sparse")));
    EXPECT_LT((uint64_t)look(target("tree/sparse")).st_blocks * 512, MIB);
    EXPECT_EQ(0, get(url("sparse"), target("alone")).exit_code);
    EXPECT_LT((uint64_t)look(target("alone")).st_blocks * 512, MIB);
}

TEST_F(TreeKept, HolesOfSmallFilesStayHoles)
{
    constexpr size_t LEN = 900 << 10;
    const std::string path = data("sparse");
    write_text(path, "start");
    ASSERT_EQ(0, truncate(path.c_str(), (off_t)LEN));
    offer("solid", LEN);
    if ((uint64_t)look(path).st_blocks * 512 > LEN / 2)
        GTEST_SKIP() << "the file system of the temporary directory keeps no holes";
    serve();
    Result result = get_tree();
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(read_text(path), read_text(target("tree/sparse")));
    EXPECT_LT((uint64_t)look(target("tree/sparse")).st_blocks * 512, LEN / 2);
    EXPECT_TRUE(hr_temp_holds(target("tree/solid").c_str(), LEN, 1));
}

} // namespace
