// SPDX-License-Identifier: Apache-2.0
// A simulated run is decided by its seed alone: once it has started it asks the system for nothing
// but memory. A child plays under a seccomp filter that kills it for anything else.
#include <gtest/gtest.h>

#include <csignal>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

// The seams' headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "trial.h"
}

namespace
{

bool play(uint64_t seed)
{
    hr_scenario scenario;
    hr_scenario_draw(&scenario, seed);
    scenario.sealed = false; // TLS takes its random bytes from the system
    hr_trial_result result;
    hr_trial_play(&scenario, nullptr, &result);
    return result.problem[0] == '\0';
}

// What the allocator needs, and the end.
bool forbid_the_rest()
{
    const long allowed[] = {SYS_mmap,    SYS_munmap, SYS_mremap, SYS_brk,
                            SYS_madvise, SYS_futex,  SYS_exit,   SYS_exit_group};
    std::vector<sock_filter> code = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
    };
    for (long number : allowed) {
        code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1));
        code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    }
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    sock_fprog program = {(unsigned short)code.size(), code.data()};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

constexpr int no_filter = 77;

// The wait status of a child that does this behind the filter.
template <typename Act> int behind_the_filter(Act act)
{
    pid_t child = fork();
    if (child == 0) {
        play(1); // what is made once for the process is made before
        if (!forbid_the_rest())
            _exit(no_filter);
        _exit(act() ? 0 : 1);
    }
    int status = -1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return status;
}

class Syscalls : public testing::Test
{
  protected:
    void SetUp() override
    {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
        GTEST_SKIP() << "a sanitizer makes system calls of its own";
#endif
    }
};

TEST_F(Syscalls, ARunMakesNone)
{
    int status = behind_the_filter([] {
        for (uint64_t seed = 1; seed <= 100; seed++)
            if (!play(seed))
                return false;
        return true;
    });
    if (WIFEXITED(status) && WEXITSTATUS(status) == no_filter)
        GTEST_SKIP() << "seccomp is not to be had here";
    EXPECT_FALSE(WIFSIGNALED(status)) << "killed by signal " << WTERMSIG(status);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(Syscalls, OneWouldBeNoticed)
{
    int status = behind_the_filter([] { return syscall(SYS_getppid) > 0; });
    if (WIFEXITED(status) && WEXITSTATUS(status) == no_filter)
        GTEST_SKIP() << "seccomp is not to be had here";
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

} // namespace
