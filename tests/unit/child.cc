// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <unistd.h>
#include <utility>

extern "C" {
#include "await.h"
#include "child.h"
#include "env.h"
}

namespace
{

constexpr uint64_t watchdog_ns = 60 * HR_NS_PER_S;

struct Child : testing::Test {
    hr_bench_child child = {};
    hr_error error = {};

    static void SetUpTestSuite()
    {
        ASSERT_EQ(hr_bench_await_open(), HR_OK);
    }

    void TearDown() override
    {
        hr_bench_child_stop(&child);
    }

    hr_status shell(const char *script)
    {
        const char *argv[] = {"sh", "-c", script, nullptr};
        return hr_bench_child_exec(&child, argv, &error);
    }
};

TEST_F(Child, GivesItsOutputByLineAndWhole)
{
    const char *line;
    ASSERT_EQ(shell("echo one; echo two; echo rest"), HR_OK) << error.text;
    ASSERT_EQ(hr_bench_child_line(&child, watchdog_ns, &line, &error), HR_OK) << error.text;
    EXPECT_STREQ(line, "one");
    ASSERT_EQ(hr_bench_child_line(&child, watchdog_ns, &line, &error), HR_OK) << error.text;
    EXPECT_STREQ(line, "two");
    ASSERT_EQ(hr_bench_child_wait(&child, watchdog_ns, &error), HR_OK) << error.text;
    EXPECT_STREQ(child.text + child.taken, "rest\n");
    EXPECT_GT(child.seconds, 0);
}

TEST_F(Child, TakesMoreOutputThanAPipeHolds)
{
    ASSERT_EQ(shell("head -c 1000000 /dev/zero | tr '\\0' x"), HR_OK);
    ASSERT_EQ(hr_bench_child_wait(&child, watchdog_ns, &error), HR_OK) << error.text;
    EXPECT_EQ(std::string(child.text), std::string(1000000, 'x'));
}

TEST_F(Child, FailsWithItsExitCodeAndItsLastWords)
{
    ASSERT_EQ(shell("echo at first >&2; echo no such luck >&2; exit 7"), HR_OK);
    EXPECT_EQ(hr_bench_child_wait(&child, watchdog_ns, &error), HR_INTERNAL);
    EXPECT_STREQ(error.text, "sh: exit 7: no such luck");
}

// Who tells it puts our name before it.
TEST_F(Child, ItsLastWordsAreWithoutOurName)
{
    ASSERT_EQ(shell("echo 'headrace-bench: no way' >&2; exit 11"), HR_OK);
    EXPECT_EQ(hr_bench_child_wait(&child, watchdog_ns, &error), HR_INTERNAL);
    EXPECT_STREQ(error.text, "sh: exit 11: no way");
}

TEST_F(Child, FailsIfASignalEndsIt)
{
    ASSERT_EQ(shell("kill -KILL $$"), HR_OK);
    EXPECT_EQ(hr_bench_child_wait(&child, watchdog_ns, &error), HR_INTERNAL);
    EXPECT_NE(std::string(error.text).find("signal 9"), std::string::npos) << error.text;
}

TEST_F(Child, FailsIfTheProgramIsNotThere)
{
    const char *argv[] = {"headrace-no-such-program", nullptr};
    ASSERT_EQ(hr_bench_child_exec(&child, argv, &error), HR_OK);
    EXPECT_EQ(hr_bench_child_wait(&child, watchdog_ns, &error), HR_INTERNAL);
    EXPECT_NE(std::string(error.text).find("No such file"), std::string::npos) << error.text;
}

TEST_F(Child, ALineThatNeverComesIsAFailure)
{
    const char *line = nullptr;
    ASSERT_EQ(shell("printf unfinished"), HR_OK);
    EXPECT_EQ(hr_bench_child_line(&child, watchdog_ns, &line, &error), HR_PEER_LOST);
    EXPECT_EQ(line, nullptr);
}

TEST_F(Child, IsGivenUpAtItsDeadlineAndStopped)
{
    ASSERT_EQ(shell("exec sleep 1000"), HR_OK);
    pid_t pid = child.pid;
    EXPECT_EQ(hr_bench_child_wait(&child, 1, &error), HR_DEADLINE);
    hr_bench_child_stop(&child);
    EXPECT_EQ(kill(pid, 0), -1);
}

hr_status spin(void *context)
{
    // Until the clock of this process, and no other, says that it has worked.
    volatile unsigned *work = static_cast<unsigned *>(context);
    while (clock() < CLOCKS_PER_SEC / 10)
        (*work)++;
    return printf("%d\n", getpid()) > 0 ? HR_OK : HR_IO;
}

TEST_F(Child, AFunctionRunsInAProcessOfItsOwnWhoseCpuIsCounted)
{
    unsigned work = 0;
    ASSERT_EQ(hr_bench_child_fork(&child, "spinning", spin, &work, &error), HR_OK);
    pid_t pid = child.pid;
    ASSERT_EQ(hr_bench_child_wait(&child, watchdog_ns, &error), HR_OK) << error.text;
    EXPECT_EQ(std::string(child.text), std::to_string(pid) + "\n");
    EXPECT_EQ(work, 0u); // its memory was its own
    EXPECT_GE(child.cpu_seconds, 0.09);
}

hr_status refuse(void *words)
{
    fprintf(stderr, "%s\n", static_cast<const char *>(words));
    return HR_UNSUPPORTED;
}

// Of others' programs an exit code says nothing, of ours what it says everywhere.
TEST_F(Child, OfOursTheStatusComesBack)
{
    char words[] = "no such device";
    const char *line;
    ASSERT_EQ(hr_bench_child_fork(&child, "a look", refuse, words, &error), HR_OK);
    EXPECT_EQ(hr_bench_child_wait(&child, watchdog_ns, &error), HR_UNSUPPORTED);
    EXPECT_STREQ(error.text, "a look: no such device");
    const std::pair<int, hr_status> codes[] = {
        {0, HR_PEER_LOST}, {4, HR_NOT_FOUND}, {7, HR_NO_SPACE},    {12, HR_DEADLINE},
        {9, HR_CANCELED},  {99, HR_INTERNAL}, {127, HR_NOT_FOUND}, {255, HR_UNREACHABLE}};
    for (const auto &[code, status] : codes) {
        const std::string script = "exit " + std::to_string(code);
        const char *argv[] = {"sh", "-c", script.c_str(), nullptr};
        hr_bench_child_stop(&child);
        error = {};
        ASSERT_EQ(hr_bench_child_exec_own(&child, argv, &error), HR_OK);
        EXPECT_EQ(hr_bench_child_line(&child, watchdog_ns, &line, &error), status) << code;
        EXPECT_NE(std::string(error.text), "") << code;
    }
}

TEST_F(Child, EndsWithItsStdin)
{
    ASSERT_EQ(shell("read line; echo over"), HR_OK);
    hr_bench_child_leave(&child, watchdog_ns);
    EXPECT_EQ(child.pid, 0);
    hr_bench_child_leave(&child, watchdog_ns); // and is not there to be left twice
}

TEST_F(Child, HasTheSignalsThatWereBlockedHere)
{
    // Blocked ones would be inherited through exec, and nothing could end the program politely.
    ASSERT_EQ(shell("kill -TERM $$; echo still here"), HR_OK);
    EXPECT_EQ(hr_bench_child_wait(&child, watchdog_ns, &error), HR_INTERNAL);
    EXPECT_STREQ(child.text, "");
}

// The last one: an interruption lasts.
TEST_F(Child, ZInterruptedWaitsEnd)
{
    ASSERT_EQ(shell("exec sleep 1000"), HR_OK);
    EXPECT_FALSE(hr_bench_interrupted());
    ASSERT_EQ(raise(SIGINT), 0);
    EXPECT_EQ(hr_bench_child_wait(&child, watchdog_ns, &error), HR_INTERRUPTED);
    EXPECT_TRUE(hr_bench_interrupted());
    EXPECT_EQ(hr_bench_await(-1, HR_NEVER), HR_INTERRUPTED);
}

} // namespace
