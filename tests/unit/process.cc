// SPDX-License-Identifier: Apache-2.0
// What the tests of real processes rely on: a watchdog that bites, output that is all there, limits
// and rights that hold.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" {
#include "process.h"
#include "stranger.h"
#include "temp.h"
}

namespace
{

class Process : public ::testing::Test
{
  protected:
    hr_status shell(const char *script, hr_process_options options = {})
    {
        arguments_[2] = script;
        options.arguments = arguments_;
        return hr_process_start(&process_, &options);
    }
    ~Process() override
    {
        hr_process_stop(&process_);
    }

    const char *arguments_[4] = {"/bin/sh", "-c", nullptr, nullptr};
    hr_process process_ = {};
};

TEST_F(Process, KeepsBothOutputsAndTheExitCode)
{
    ASSERT_EQ(HR_OK, shell("echo one; echo two >&2; exit 9"));
    ASSERT_EQ(HR_OK, hr_process_wait(&process_, HR_PROCESS_WATCHDOG_MS));
    EXPECT_EQ(9, process_.exit_code);
    EXPECT_EQ(0, process_.signal);
    EXPECT_STREQ("one\n", hr_process_stdout(&process_));
    EXPECT_STREQ("two\n", hr_process_stderr(&process_));
}

TEST_F(Process, KeepsTheSilenceOfAProgramThatSaysNothing)
{
    ASSERT_EQ(HR_OK, shell("exit 0"));
    ASSERT_EQ(HR_OK, hr_process_wait(&process_, HR_PROCESS_WATCHDOG_MS));
    EXPECT_STREQ("", hr_process_stdout(&process_));
    EXPECT_STREQ("", hr_process_stderr(&process_));
}

TEST_F(Process, TakesMoreOutputThanAPipeHolds)
{
    ASSERT_EQ(HR_OK, shell("head -c 3000000 /dev/zero | tr '\\0' x; echo end"));
    ASSERT_EQ(HR_OK, hr_process_wait(&process_, HR_PROCESS_WATCHDOG_MS));
    EXPECT_EQ(std::string(3000000, 'x') + "end\n", hr_process_stdout(&process_));
}

TEST_F(Process, WaitsForALineWhileTheProgramRunsOn)
{
    ASSERT_EQ(HR_OK, shell("echo starting; echo listening on 7; exec sleep 1000"));
    char *line = hr_process_wait_line(&process_, "listening", HR_PROCESS_WATCHDOG_MS);
    ASSERT_NE(nullptr, line);
    EXPECT_STREQ("listening on 7", line);
    free(line);
    hr_process_signal(&process_, SIGINT);
    ASSERT_EQ(HR_OK, hr_process_wait(&process_, HR_PROCESS_WATCHDOG_MS));
    EXPECT_EQ(SIGINT, process_.signal);
    EXPECT_EQ(-1, process_.exit_code);
}

TEST_F(Process, SaysThatALineNeverCame)
{
    ASSERT_EQ(HR_OK, shell("printf 'listening without an end'"));
    EXPECT_EQ(nullptr, hr_process_wait_line(&process_, "listening", HR_PROCESS_WATCHDOG_MS));
}

TEST_F(Process, IsKilledByTheWatchdog)
{
    ASSERT_EQ(HR_OK, shell("exec sleep 1000"));
    EXPECT_EQ(HR_DEADLINE, hr_process_wait(&process_, 1));
    EXPECT_EQ(SIGKILL, process_.signal);
}

TEST_F(Process, AProgramThatIsNotThereIsAStatus)
{
    const char *arguments[] = {"/nonexistent/program", nullptr};
    hr_process_options options = {};
    options.arguments = arguments;
    EXPECT_EQ(HR_NOT_FOUND, hr_process_start(&process_, &options));
}

TEST_F(Process, RunsUnderItsLimitsInItsDirectoryWithItsEnvironment)
{
    const char *environment[] = {"HOME=/elsewhere", nullptr};
    hr_process_options options = {};
    options.environment = environment;
    options.directory = "/usr";
    options.limits[0].resource = RLIMIT_NOFILE;
    options.limits[0].value = 33;
    options.limit_count = 1;
    ASSERT_EQ(HR_OK, shell("ulimit -n; pwd; echo $HOME", options));
    ASSERT_EQ(HR_OK, hr_process_wait(&process_, HR_PROCESS_WATCHDOG_MS));
    EXPECT_STREQ("33\n/usr\n/elsewhere\n", hr_process_stdout(&process_));
}

TEST_F(Process, LosesItsRights)
{
    if (geteuid() != 0)
        GTEST_SKIP() << "not root: rights cannot be given up";
    hr_process_options options = {};
    options.user = 65534;
    ASSERT_EQ(HR_OK, shell("id -u; cat /etc/shadow 2>/dev/null || echo refused", options));
    ASSERT_EQ(HR_OK, hr_process_wait(&process_, HR_PROCESS_WATCHDOG_MS));
    EXPECT_STREQ("65534\nrefused\n", hr_process_stdout(&process_));
}

// This very program, started again below, calls io_uring_setup and says what came back.
const bool ring_child = [] {
    if (getenv("HEADRACE_TEST_RING") == nullptr)
        return false;
    syscall(SYS_io_uring_setup, 1, nullptr);
    _exit(errno == EPERM ? 41 : 42);
}();

TEST_F(Process, IsRefusedIoUring)
{
    const char *arguments[] = {"/proc/self/exe", nullptr};
    const char *environment[] = {"HEADRACE_TEST_RING=1", nullptr};
    hr_process_options options = {};
    options.arguments = arguments;
    options.environment = environment;
    options.no_io_uring = true;
    ASSERT_FALSE(ring_child);
    ASSERT_EQ(HR_OK, hr_process_start(&process_, &options));
    ASSERT_EQ(HR_OK, hr_process_wait(&process_, HR_PROCESS_WATCHDOG_MS));
    EXPECT_EQ(41, process_.exit_code);
}

TEST(Temp, RemovesWhatHasNoRights)
{
    char path[HR_TEMP_PATH_MAX];
    ASSERT_EQ(HR_OK, hr_temp_make(path));
    std::string inner = std::string(path) + "/closed";
    ASSERT_EQ(0, mkdir(inner.c_str(), 0700));
    ASSERT_EQ(HR_OK, hr_temp_write((inner + "/file").c_str(), 10, 1));
    ASSERT_EQ(0, symlink("/etc/passwd", (inner + "/link").c_str()));
    ASSERT_EQ(0, chmod(inner.c_str(), 0));
    EXPECT_EQ(1, hr_temp_count(path, "clos"));
    EXPECT_EQ(0, hr_temp_count(path, "open"));
    ASSERT_EQ(HR_OK, hr_temp_remove(path));
    EXPECT_EQ(-1, hr_temp_count(path, ""));
    EXPECT_EQ(0, access("/etc/passwd", F_OK));
}

TEST(Temp, KnowsItsContent)
{
    char path[HR_TEMP_PATH_MAX];
    ASSERT_EQ(HR_OK, hr_temp_make(path));
    std::string file = std::string(path) + "/file";
    const uint64_t len = 5 * 65536 + 17;
    ASSERT_EQ(HR_OK, hr_temp_write(file.c_str(), len, 7));
    EXPECT_TRUE(hr_temp_holds(file.c_str(), len, 7));
    EXPECT_FALSE(hr_temp_holds(file.c_str(), len, 8));
    EXPECT_FALSE(hr_temp_holds(file.c_str(), len - 1, 7));
    EXPECT_FALSE(hr_temp_holds(file.c_str(), len + 1, 7));
    int fd = open(file.c_str(), O_WRONLY);
    ASSERT_EQ(1, pwrite(fd, "x", 1, 4 * 65536 + 3));
    close(fd);
    EXPECT_FALSE(hr_temp_holds(file.c_str(), len, 7));
    ASSERT_EQ(HR_OK, hr_temp_remove(path));
}

TEST(Stranger, TalksToAnother)
{
    char address[64];
    int listener, here, there;
    ASSERT_EQ(HR_OK, hr_stranger_listen(&listener, address));
    ASSERT_EQ(HR_OK, hr_stranger_connect(address, &here));
    ASSERT_EQ(HR_OK, hr_stranger_accept(listener, &there));
    ASSERT_EQ(HR_OK, hr_stranger_send(here, "hello", 5));
    char heard[6] = {};
    ASSERT_EQ(HR_OK, hr_stranger_receive(there, heard, 5));
    EXPECT_STREQ("hello", heard);
    hr_stranger_reset(here);
    EXPECT_EQ(HR_PEER_LOST, hr_stranger_receive(there, heard, 1));
    close(there);
    close(listener);
}

TEST(Stranger, FindsNobodyAtAnUnusedAddress)
{
    char address[64];
    int fd;
    ASSERT_EQ(HR_OK, hr_stranger_unused(address));
    EXPECT_EQ(HR_UNREACHABLE, hr_stranger_connect(address, &fd));
}

} // namespace
