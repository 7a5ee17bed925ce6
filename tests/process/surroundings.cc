// SPDX-License-Identifier: Apache-2.0
// What a machine and its people do to a process that has nothing to do with its files: a scheduler
// that freezes and kills it, streams that nobody opened, a disk for its notes that is full, an
// impatient hand.
#include "fixture.h"
#include "wire.h"

namespace
{

constexpr uint64_t file_len = 5 * CHUNK + 1234;

class Surrounded : public Headrace
{
  protected:
    void SetUp() override
    {
        offer("file", file_len);
    }
    void expect_rest()
    {
        Result result = get(url("file"), target("file"));
        expect_got(result, "file", file_len);
        EXPECT_GT(result.reused(), 0u);
    }
};

// As a batch system does with a step whose time is up.
TEST_F(Surrounded, FrozenAndThenKilledItGoesOnWhereItWas)
{
    serve();
    Held held(address_, 2);
    Program program;
    start_get(program, held.url("file"), target("file"));
    ASSERT_NE(0u, wait_noted(program, CHUNK)) << program.errors();
    program.stop_for_good();
    Result other = get(url("file"), target("other"));
    EXPECT_EQ(0, other.exit_code) << "it holds nobody up: " << other.errors;
    program.signal(SIGKILL);
    EXPECT_EQ(128 + SIGKILL, program.wait());
    EXPECT_FALSE(exists(target("file")));
    expect_rest();
}

TEST_F(Surrounded, TwiceInterruptedItEndsAtOnceAndGoesOnWhereItWas)
{
    serve();
    Held held(address_, 2);
    Program program;
    start_get(program, held.url("file"), target("file"));
    ASSERT_NE(0u, wait_noted(program, CHUNK)) << program.errors();
    program.signal(SIGINT);
    program.signal(SIGINT);
    EXPECT_EQ(9, program.wait()) << program.errors();
    EXPECT_NE(std::string::npos,
              program.errors().find("the same command given again goes on from here"))
        << program.errors();
    EXPECT_FALSE(exists(target("file")));
    expect_rest();
}

// What is opened next must not become the place that notes go to.
TEST_F(Surrounded, WithoutStandardStreamsAFileIsWhatItWas)
{
    serve();
    const std::string command = "XDG_CONFIG_HOME=" + ConfigHome::of(0) + " " HEADRACE_PROGRAM +
                                " get " + url("file") + " " + target("file") +
                                " --quiet <&- >&- 2>&-";
    EXPECT_EQ(0, WEXITSTATUS(system(command.c_str())));
    EXPECT_TRUE(hr_temp_holds(target("file").c_str(), file_len, 1));
    EXPECT_FALSE(has_drafts());
}

// What was asked for is done, and is not called a success: nobody was told.
TEST_F(Surrounded, WithAStandardOutputThatIsClosed)
{
    serve();
    const std::vector<std::string> commands = {"get " + url("file") + " " + target("file"),
                                               "get " + url("file") + " host: --json",
                                               "ls " + at("data"), "help get", "--version"};
    for (const std::string &words : commands) {
        const std::string command = "XDG_CONFIG_HOME=" + ConfigHome::of(0) + " " HEADRACE_PROGRAM +
                                    " " + words + " >&- 2>" + at("errors");
        EXPECT_EQ(8, WEXITSTATUS(system(command.c_str()))) << words;
        const std::string errors = read_text(at("errors"));
        EXPECT_NE(std::string::npos, errors.find("writing to standard output: it is closed; all "
                                                 "that was asked for is done"))
            << words << ": " << errors;
    }
    EXPECT_TRUE(hr_temp_holds(target("file").c_str(), file_len, 1));
    EXPECT_FALSE(has_drafts());
}

// As in a chroot, or in an image that starts up.
TEST_F(Surrounded, WithoutProc)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "sanitizers read /proc/self/maps";
#endif
    const std::string hide = "unshare --mount sh -c 'mount -t tmpfs none /proc && exec ";
    if (system((hide + "true' 2>/dev/null").c_str()) != 0)
        GTEST_SKIP() << "no mount namespace can be made here";
    make_directory(data("sub"));
    offer("sub/small", 10, 2);
    ASSERT_EQ(0, chmod(data("file").c_str(), 0640));
    ASSERT_EQ(0, chmod(data("sub/small").c_str(), 0400));
    ASSERT_EQ(0, chmod(data("sub").c_str(), 0710));
    const std::string program = "XDG_CONFIG_HOME=" + ConfigHome::of(0) + " " HEADRACE_PROGRAM;
    struct stat info = {};
    for (const char *times : {"first", "again"}) {
        const std::string command = hide + "env " + program + " get " + at("data") + " " +
                                    target("tree") + " --quiet --checksum' 2>" + at("errors");
        EXPECT_EQ(0, WEXITSTATUS(system(command.c_str()))) << times << read_text(at("errors"));
        ASSERT_EQ(0, stat(target("tree/file").c_str(), &info));
        EXPECT_EQ(0640u, info.st_mode & 07777) << times;
        ASSERT_EQ(0, chmod(target("tree/file").c_str(), 0600)); // to be put right
    }
    EXPECT_TRUE(hr_temp_holds(target("tree/file").c_str(), file_len, 1));
    ASSERT_EQ(0, stat(target("tree/sub").c_str(), &info));
    EXPECT_EQ(0710u, info.st_mode & 07777);
    ASSERT_EQ(0, stat(target("tree/sub/small").c_str(), &info));
    EXPECT_EQ(0400u, info.st_mode & 07777);
    EXPECT_FALSE(has_drafts());
}

TEST_F(Surrounded, AReaderWhoHasLeftIsNoErrorToSpeakOf)
{
    int ends[2];
    ASSERT_EQ(0, pipe(ends));
    close(ends[0]);
    const std::string command = std::string(HEADRACE_PROGRAM) + " ls " + at("data") + " >&" +
                                std::to_string(ends[1]) + " 2>" + at("errors");
    const int status = system(command.c_str());
    close(ends[1]);
    EXPECT_EQ(128 + SIGPIPE, WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    EXPECT_EQ("", read_text(at("errors")));
}

TEST_F(Surrounded, AnAuditThatCannotBeWrittenKeepsNobodyFromAnything)
{
    if (access("/dev/full", W_OK) != 0)
        GTEST_SKIP() << "no /dev/full";
    serve({"--audit", "/dev/full"});
    expect_got(get(url("file"), target("file")), "file", file_len);
    end_server();
    EXPECT_NE(std::string::npos, server_.errors().find("lines are lost")) << server_.errors();
}

} // namespace
