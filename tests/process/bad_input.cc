// SPDX-License-Identifier: Apache-2.0
// Paths, disks, rights and limits that are not as they should be: one sentence, the exit code,
// nothing half-done under the name, and what was there is still there.
#include "fixture.h"
#include "wire.h"

#include <cstdlib>
#include <sys/mount.h>
#include <sys/stat.h>

namespace
{

class BadInput : public Headrace
{
  protected:
    ~BadInput() override
    {
        end_server();
        for (; !mounted_.empty(); mounted_.pop_back())
            EXPECT_EQ(0, umount2(mounted_.back().c_str(), MNT_DETACH)) << mounted_.back();
    }
    // False: it cannot be done here.
    bool mount_memory(const std::string &path, const char *options, unsigned long flags = 0)
    {
        if (mount("none", path.c_str(), "tmpfs", flags, options) != 0)
            return false;
        mounted_.push_back(path);
        return true;
    }
    bool mount_image(const std::string &image, const std::string &path)
    {
        std::string command = "mkfs.ext4 -q " + image + " && mount -o loop " + image + " " + path;
        if (system((command + " 2>/dev/null").c_str()) != 0)
            return false;
        mounted_.push_back(path);
        return true;
    }
    // The user whom the programs run as is to be able to do as before.
    void give_to_nobody()
    {
        for (const char *name : {"data", "target"})
            ASSERT_EQ(0, chown(at(name).c_str(), NOBODY, NOBODY));
    }
    static Surroundings as_nobody()
    {
        Surroundings under;
        under.user = NOBODY;
        return under;
    }

  private:
    std::vector<std::string> mounted_;
};

// ---- the source ----

TEST_F(BadInput, MissingPath)
{
    serve();
    expect_refused(get(url("nothing"), target("file")), 4, {"data/nothing", "headrace ls"});
    expect_nothing("file");
    expect_refused(get("hr://" + address_ + "/other/file", target("file")), 4,
                   {"other/file", "headrace ls"});
    expect_nothing("file");
}

TEST_F(BadInput, PathThatLeavesTheExport)
{
    write_text(at("secret"), "secret");
    make_directory(data("sub"));
    ASSERT_EQ(0, symlink("../secret", data("relative").c_str()));
    ASSERT_EQ(0, symlink(at("secret").c_str(), data("absolute").c_str()));
    ASSERT_EQ(0, symlink("..", data("up").c_str()));
    ASSERT_EQ(0, symlink("/proc/self/root", data("magic").c_str()));
    serve();
    for (const char *path : {"../secret", "sub/../../secret", "%2e%2e/secret", "relative",
                             "absolute", "up/secret", "magic"}) {
        Result result = get(url(path), target("file"));
        expect_refused(result, 6, {"data/", "leaves"});
        expect_nothing("file");
    }
}

TEST_F(BadInput, AbsolutePathIsOneInTheExport)
{
    serve();
    expect_refused(get(url("/etc/passwd"), target("file")), 4, {"data/etc/passwd"});
    Result result = get(url("%2fetc/passwd"), target("file"));
    expect_refused(result, 2, {"%2f"});
    expect_nothing("file");
}

TEST_F(BadInput, SourceThatTheServerMayNotRead)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "not root: cannot run the server as another user";
    offer("file", 10);
    ASSERT_EQ(0, chmod(data("file").c_str(), 0));
    serve({}, as_nobody());
    expect_refused(get(url("file"), target("file")), 6, {"data/file", "permission"});
    expect_nothing("file");
}

TEST_F(BadInput, DirectoryThatTheServerMayNotRead)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "not root: cannot run the server as another user";
    make_directory(data("shut"));
    offer("shut/file", 10);
    offer("file", 10);
    ASSERT_EQ(0, chmod(data("shut").c_str(), 0));
    serve({}, as_nobody());
    Result result = get("hr://" + address_ + "/data", target("tree"));
    EXPECT_EQ(3, result.exit_code);
    EXPECT_TRUE(hr_temp_holds(target("tree/file").c_str(), 10, 1));
    expect_refused(get(url("shut/file"), target("file")), 6, {"data/shut/file", "permission"});
}

TEST_F(BadInput, SourceThatShrinksWhileItIsRead)
{
    offer("file", 12 * CHUNK);
    serve();
    Held held(address_, 1);
    Program program;
    start_get(program, held.url("file"), target("file"));
    ASSERT_NE(0u, program.wait_verified(CHUNK));
    ASSERT_EQ(0, truncate(data("file").c_str(), CHUNK / 2));
    held.let_go();
    expect_refused(result_of(program), 8, {"data/file", "changed", "again"});
    expect_nothing("file");
    expect_got(get(url("file"), target("file")), "file", CHUNK / 2);
}

TEST_F(BadInput, SourceThatGrowsWhileItIsRead)
{
    offer("file", 6 * CHUNK);
    serve();
    Held held(address_, 1);
    Program program;
    start_get(program, held.url("file"), target("file"));
    ASSERT_NE(0u, program.wait_verified(CHUNK));
    std::ofstream(data("file"), std::ios::app) << "and more";
    held.let_go();
    expect_refused(result_of(program), 8, {"data/file", "changed", "again"});
    expect_nothing("file");
    Result result = get(url("file"), target("file"));
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(0u, result.reused());
    EXPECT_TRUE(read_text(data("file")) == read_text(target("file")));
}

TEST_F(BadInput, SourceThatIsReplacedWhileItIsReadComesAsItWas)
{
    offer("file", 6 * CHUNK);
    serve();
    Held held(address_, 1);
    Program program;
    start_get(program, held.url("file"), target("file"));
    ASSERT_NE(0u, program.wait_verified(CHUNK));
    offer("new", 6 * CHUNK, 2);
    ASSERT_EQ(0, rename(data("new").c_str(), data("file").c_str()));
    held.let_go();
    // The name is another file's now, and losing it changed the old one: it is never a mixture.
    Result result = result_of(program);
    EXPECT_TRUE(result.exit_code == 0 || result.exit_code == 8) << result.exit_code;
    EXPECT_EQ(result.exit_code == 0, hr_temp_holds(target("file").c_str(), 6 * CHUNK, 1));
    EXPECT_EQ(result.exit_code == 0, exists(target("file")));
}

TEST_F(BadInput, DiskOfTheServerThatCannotBeRead)
{
    make_directory(data("disk"));
    std::string image = at("image");
    write_text(image, "");
    ASSERT_EQ(0, truncate(image.c_str(), 64 * MIB));
    if (geteuid() != 0 || !mount_image(image, data("disk")))
        GTEST_SKIP() << "no root or no loop device: a disk cannot be made to fail";
    offer("disk/file", 32 * MIB);
    sync();
    serve();
    // What the image does not hold any more is an input error of the device.
    ASSERT_EQ(0, truncate(image.c_str(), 2 * MIB));
    expect_refused(get(url("disk/file"), target("file")), 8,
                   {"data/disk/file", "chunk", "input/output error"});
    EXPECT_FALSE(exists(target("file")));
    // The server lives, and so does the rest of what it serves.
    offer("file", 10);
    expect_got(get(url("file"), target("other")), "other", 10);
}

// ---- names ----

class BadName : public BadInput, public ::testing::WithParamInterface<std::string>
{
};

INSTANTIATE_TEST_SUITE_P(Names, BadName,
                         ::testing::Values("not utf-8 \xff\xfe", "two\nlines",
                                           std::string(255, 'n'), "\x1b[31mred", "%41", "-n"));

TEST_P(BadName, ComesAndIsQuotedWhereItIsShown)
{
    offer("file", 10);
    ASSERT_EQ(0, rename(data("file").c_str(), data(GetParam()).c_str()));
    serve();
    std::string escaped;
    for (char byte : GetParam()) {
        char text[4];
        snprintf(text, sizeof text, "%%%02x", (unsigned char)byte);
        escaped += text;
    }
    expect_got(get(url(escaped), target(GetParam())), GetParam(), 10);
    Result result = get(url(escaped), target(GetParam()));
    expect_refused(result, 10, {"--overwrite"});
    for (char byte : result.errors.substr(0, result.errors.size() - 1))
        EXPECT_GE((unsigned char)byte, 0x20u);
}

TEST_F(BadInput, NameThatIsTooLong)
{
    offer("file", 10);
    serve();
    expect_refused(get(url(std::string(256, 'n')), target("file")), 2, {"source", "255"});
    expect_refused(get(url("file"), target(std::string(256, 'n'))), 2, {"nnnn"});
    expect_nothing("file");
}

// ---- the target ----

TEST_F(BadInput, TargetThatExists)
{
    offer("file", 10);
    write_text(target("file"), "what was there");
    serve();
    expect_refused(get(url("file"), target("file")), 10, {target("file"), "--overwrite"});
    EXPECT_EQ("what was there", read_text(target("file")));
    EXPECT_FALSE(has_drafts());
}

TEST_F(BadInput, TargetThatIsMadeMeanwhile)
{
    offer("file", 6 * CHUNK);
    serve();
    Held held(address_, 1);
    Program program;
    start_get(program, held.url("file"), target("file"));
    ASSERT_NE(0u, program.wait_verified(CHUNK));
    write_text(target("file"), "somebody else's");
    held.let_go();
    expect_refused(result_of(program), 10, {target("file"), "--overwrite"});
    EXPECT_EQ("somebody else's", read_text(target("file")));
}

TEST_F(BadInput, TargetThatIsADirectory)
{
    offer("file", 10);
    make_directory(target("file"));
    serve();
    // The file goes into the directory of its name; there it is refused the name of another one.
    make_directory(target("file/file"));
    expect_refused(get(url("file"), target("file"), {"--overwrite"}), 2,
                   {target("file/file"), "directory"});
    EXPECT_TRUE(exists(target("file/file")));
}

// As /dev/null is, which somebody names who wants to measure, and then says --overwrite.
TEST_F(BadInput, TargetThatIsNoFileStays)
{
    offer("file", 10);
    ASSERT_EQ(0, mkfifo(target("fifo").c_str(), 0600));
    serve();
    for (const std::vector<std::string> &options :
         {std::vector<std::string>{}, std::vector<std::string>{"--overwrite"}})
        expect_refused(get(url("file"), target("fifo"), options), 10,
                       {target("fifo"), "device", "host:"});
    struct stat about = {};
    ASSERT_EQ(0, lstat(target("fifo").c_str(), &about));
    EXPECT_TRUE(S_ISFIFO(about.st_mode));
    EXPECT_FALSE(has_drafts());
}

TEST_F(BadInput, TargetThatIsASymlinkIsReplacedAndNotFollowed)
{
    offer("file", 10);
    write_text(at("elsewhere"), "what was there");
    ASSERT_EQ(0, symlink(at("elsewhere").c_str(), target("file").c_str()));
    serve();
    expect_refused(get(url("file"), target("file")), 10, {target("file")});
    expect_got(get(url("file"), target("file"), {"--overwrite"}), "file", 10);
    EXPECT_EQ("what was there", read_text(at("elsewhere")));
}

TEST_F(BadInput, TargetWithoutADirectory)
{
    offer("file", 10);
    serve();
    expect_refused(get(url("file"), target("no/file")), 4, {target("no/file"), "make it"});
    EXPECT_FALSE(exists(target("no")));
    write_text(target("plain"), "what was there");
    expect_refused(get(url("file"), target("plain/file")), 2, {target("plain/file")});
    EXPECT_EQ("what was there", read_text(target("plain")));
}

TEST_F(BadInput, TwoStagersOfOneTarget)
{
    offer("file", 6 * CHUNK);
    serve();
    Held held(address_, 1);
    Program first;
    start_get(first, held.url("file"), target("file"));
    ASSERT_NE(0u, first.wait_verified(CHUNK));
    expect_refused(get(url("file"), target("file")), 10, {target("file"), "another headrace"});
    first.signal(SIGINT);
    expect_refused(result_of(first), 9, {"interrupted"});
    expect_got(get(url("file"), target("file")), "file", 6 * CHUNK);
}

TEST_F(BadInput, DirectoryThatTheClientMayNotWrite)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "not root: cannot run the client as another user";
    offer("file", 10);
    serve();
    make_directory(target("shut"));
    ASSERT_EQ(0, chmod(target("shut").c_str(), 0555));
    expect_refused(get(url("file"), target("shut/file"), {}, as_nobody()), 6,
                   {target("shut/file"), "Permission denied", "writable"});
    EXPECT_EQ(0, hr_temp_count(target("shut").c_str(), ""));
    ASSERT_EQ(0, chmod(target("shut").c_str(), 0));
    expect_refused(get(url("file"), target("shut/file"), {}, as_nobody()), 6,
                   {target("shut/file"), "ermission"});
}

TEST_F(BadInput, ReadOnlyTarget)
{
    if (geteuid() != 0 || !mount_memory(at("target"), "size=1m", MS_RDONLY))
        GTEST_SKIP() << "no root or no mounts: nothing can be made read-only";
    offer("file", 10);
    serve();
    expect_refused(get(url("file"), target("file")), 6, {target("file"), "ead-only"});
    expect_nothing("file");
}

TEST_F(BadInput, FullDisk)
{
    if (geteuid() != 0 || !mount_memory(at("target"), "size=8m"))
        GTEST_SKIP() << "no root or no mounts: no disk is small enough";
    offer("file", 3 * CHUNK);
    offer("small", CHUNK);
    serve();
    write_text(target("kept"), "what was there");
    expect_refused(get(url("file"), target("file")), 7, {target("file"), "space", "make room"});
    EXPECT_FALSE(exists(target("file")));
    EXPECT_FALSE(has_drafts());
    expect_refused(get(url("file"), target("kept"), {"--overwrite"}), 7, {target("kept"), "space"});
    EXPECT_EQ("what was there", read_text(target("kept")));
    // Nothing of it is left that would take the room of others.
    expect_got(get(url("small"), target("small")), "small", CHUNK);
}

// The image has less room than its file system believes: what does not fit fails as a write, long
// after the space was reserved.
TEST_F(BadInput, DiskOfTheTargetThatCannotBeWritten)
{
    make_directory(at("room"));
    std::string image = at("room/image");
    if (geteuid() != 0 || !mount_memory(at("room"), "size=24m"))
        GTEST_SKIP() << "no root or no mounts: a disk cannot be made to fail";
    write_text(image, "");
    ASSERT_EQ(0, truncate(image.c_str(), 128 * MIB));
    if (!mount_image(image, at("target")))
        GTEST_SKIP() << "no loop device: a disk cannot be made to fail";
    offer("file", 12 * CHUNK);
    serve();
    Result result = get(url("file"), target("file"));
    EXPECT_TRUE(result.exit_code == 8 || result.exit_code == 7) << result.exit_code;
    expect_refused(result, result.exit_code, {target("file")});
    EXPECT_FALSE(exists(target("file")));
}

TEST_F(BadInput, SourceThatIsLargerThanAFileMayBe)
{
    if (geteuid() != 0 || !mount_memory(at("data"), "size=8m"))
        GTEST_SKIP() << "no root or no mounts: the file system here has no files of that size";
    const off_t most = off_t{128} << 40;
    write_text(data("file"), "");
    ASSERT_EQ(0, truncate(data("file").c_str(), most + 1));
    serve();
    expect_refused(get(url("file"), target("file")), 11, {"data/file", "more than 128 TiB"});
    ASSERT_EQ(0, truncate(data("file").c_str(), most));
    EXPECT_EQ(0, get(url("file"), target("file"), {"--dry-run"}).exit_code);
    expect_nothing("file");
}

TEST_F(BadInput, FileThatIsLargerThanTheLimitOfTheProcess)
{
    offer("file", 3 * CHUNK);
    serve();
    Surroundings under;
    under.limits = {{RLIMIT_FSIZE, CHUNK}};
    expect_refused(get(url("file"), target("file"), {}, under), 7,
                   {target("file"), "too large", "ulimit -f"});
    expect_nothing("file");
    expect_refused(get(url("file"), target("file"), {"--io", "threads"}, under), 7,
                   {target("file"), "too large", "ulimit -f"});
    expect_nothing("file");
}

// ---- what the system gives ----

TEST_F(BadInput, IoUringForbidden)
{
    offer("file", 3 * CHUNK + 1);
    Surroundings under;
    under.no_io_uring = true;
    serve({}, under);
    Result result = get(url("file"), target("file"), {}, under);
    expect_got(result, "file", 3 * CHUNK + 1);
    EXPECT_NE(std::string::npos, result.summary.text("path").find("threads"))
        << result.summary.text("path");
    EXPECT_NE(std::string::npos, result.summary.text("path").find("io_uring"))
        << "it says why: " << result.summary.text("path");
    expect_refused(get(url("file"), target("other"), {"--io", "uring"}, under), 11,
                   {"io_uring", "--io"});
    expect_nothing("other");
}

TEST_F(BadInput, LockedMemoryOf64KiB)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "not root: cannot run as a user whose limit counts";
    offer("file", 3 * CHUNK + 1);
    give_to_nobody();
    Surroundings under = as_nobody();
    under.limits = {{RLIMIT_MEMLOCK, 64 << 10}};
    serve({}, under);
    Result result = get(url("file"), target("file"), {}, under);
    expect_got(result, "file", 3 * CHUNK + 1);
    EXPECT_EQ(std::string::npos, result.summary.text("path").find("with registered buffers"))
        << result.summary.text("path");
}

TEST_F(BadInput, TooFewFileDescriptors)
{
    offer("file", CHUNK);
    serve();
    // From none to spare to enough: it fails with a sentence until it works, and never otherwise.
    bool worked = false;
    for (rlim_t files = 4; files <= 64 && !worked; files += 4) {
        Surroundings under;
        under.limits = {{RLIMIT_NOFILE, files}};
        Program program;
        program.start({"get", url("file"), target("file"), "--json"}, under);
        Result result = result_of(program);
        worked = result.exit_code == 0;
        if (result.errors.find("error while loading shared libraries") != std::string::npos)
            continue; // not even the program's libraries can be opened
        if (!worked) {
            EXPECT_EQ(8, result.exit_code) << files << ": " << result.errors;
            EXPECT_EQ(0u, result.errors.find("headrace: ")) << files << ": " << result.errors;
            EXPECT_FALSE(exists(target("file")));
        } else {
            expect_got(result, "file", CHUNK);
        }
    }
    EXPECT_TRUE(worked);
}

TEST_F(BadInput, StandardOutputThatIsFull)
{
    if (access("/dev/full", W_OK) != 0)
        GTEST_SKIP() << "no /dev/full";
    offer("file", 10);
    serve();
    std::string command = "XDG_CONFIG_HOME=" + ConfigHome::of(0) + " " +
                          std::string(HEADRACE_PROGRAM) + " get " + url("file") + " " +
                          target("file") + " --json >/dev/full 2>" + at("errors");
    int status = system(command.c_str());
    EXPECT_EQ(7, WEXITSTATUS(status)) << read_text(at("errors"));
    EXPECT_NE(std::string::npos, read_text(at("errors")).find("standard output"));
}

} // namespace
