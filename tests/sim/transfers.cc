// SPDX-License-Identifier: Apache-2.0
// Thousands of short stories in a simulated world, each decided by its seed. What must hold in all
// of them is in support/trial.h.
//
//   sim_transfers                    as many seeds as HEADRACE_SIM_SEEDS says, else a default
//   sim_transfers --seed N           plays one, and tells it
//   sim_transfers --from N --seeds M
#include <gtest/gtest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/time.h>
#include <unistd.h>

// The seams' headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "trial.h"
}

namespace
{

#if defined(__SANITIZE_THREAD__)
constexpr uint64_t seeds_default = 800;
#elif defined(__SANITIZE_ADDRESS__)
constexpr uint64_t seeds_default = 1500;
#else
constexpr uint64_t seeds_default = 10000;
#endif
constexpr unsigned problems_max = 5; // then it says no more
constexpr time_t watchdog_s = 60;    // of processor time for one seed, which takes milliseconds

uint64_t first_seed = 1, seed_count = 0;
volatile uint64_t current_seed;
const char *program = "sim_transfers";

// An assertion in the engine, or a loop that never ends: the seed is all that is needed.
void say_seed(int signal)
{
    char text[200];
    int len = snprintf(text, sizeof text, "\n%s in seed %llu; to replay: %s --seed %llu\n",
                       signal == SIGPROF ? "a step that does not end" : "it died",
                       (unsigned long long)current_seed, program, (unsigned long long)current_seed);
    ssize_t written = write(STDERR_FILENO, text, (size_t)len);
    (void)written;
    std::signal(signal, SIG_DFL);
    raise(signal);
}

void set_watchdog(time_t seconds)
{
    itimerval timer = {};
    timer.it_value.tv_sec = seconds;
    setitimer(ITIMER_PROF, &timer, nullptr);
}

hr_trial_result play(uint64_t seed, bool echo = false)
{
    current_seed = seed;
    set_watchdog(watchdog_s);
    hr_scenario scenario;
    hr_scenario_draw(&scenario, seed);
    if (echo)
        hr_scenario_print(&scenario);
    hr_trial_options options = {};
    options.echo = echo;
    hr_trial_result result;
    hr_trial_play(&scenario, &options, &result);
    set_watchdog(0);
    return result;
}

std::string how_to_replay(uint64_t seed)
{
    return "seed " + std::to_string(seed) + "; to replay: " + program + " --seed " +
           std::to_string(seed);
}

void print_summary(const hr_trial_result &sum)
{
    printf("%llu seeds, %u attempts, %u over RDMA, %u onto a GPU, %llu steps, %.1f GB moved, %.1f "
           "reused:",
           (unsigned long long)seed_count, sum.attempts, sum.over_rdma, sum.on_gpu,
           (unsigned long long)sum.steps, (double)sum.bytes_moved / 1e9,
           (double)sum.bytes_reused / 1e9);
    for (int i = 0; i < HR_TRIAL_STATUSES; i++)
        if (sum.ended[i] > 0)
            printf(" %s %u", hr_status_name((hr_status)-i), sum.ended[i]);
    printf("\n");
}

TEST(Transfers, EveryShardIsPublishedFailedOrResumable)
{
    hr_trial_result sum = {};
    unsigned problems = 0;
    for (uint64_t seed = first_seed; seed < first_seed + seed_count; seed++) {
        hr_trial_result result = play(seed);
        if (result.problem[0] != '\0') {
            ADD_FAILURE() << how_to_replay(seed) << "\n  " << result.problem;
            if (++problems == problems_max)
                break;
        }
        sum.attempts += result.attempts;
        sum.steps += result.steps;
        sum.bytes_moved += result.bytes_moved;
        sum.bytes_reused += result.bytes_reused;
        sum.over_rdma += result.over_rdma;
        sum.on_gpu += result.on_gpu;
        for (int i = 0; i < HR_TRIAL_STATUSES; i++)
            sum.ended[i] += result.ended[i];
    }
    print_summary(sum);
    // A generator that has lost its teeth would pass every test. The rare endings want many
    // stories: the slower builds, which tell a few hundred, need not meet each of them.
    if (seed_count >= 2000) {
        for (int status : {HR_OK, HR_PARTIAL, HR_NO_SPACE, HR_NO_MEMORY, HR_PEER_LOST, HR_CHANGED,
                           HR_IO, HR_CANCELED, HR_EXISTS, HR_DENIED})
            EXPECT_GT(sum.ended[-status], 0u) << hr_status_name((hr_status)status);
        EXPECT_GT(sum.bytes_reused, 0u);
        EXPECT_GT(sum.over_rdma, 0u);
        EXPECT_GT(sum.on_gpu, 0u);
    }
}

// Those beyond the usual ones that have found something, in the engine or in what is asked of it.
TEST(Transfers, SeedsThatOnceFoundSomethingAreWell)
{
    for (uint64_t seed : {909307, 911122, 912668, 960211, 1318918}) {
        hr_trial_result result = play(seed);
        EXPECT_STREQ("", result.problem) << how_to_replay(seed);
    }
}

TEST(Transfers, TheSameSeedTellsTheSameStory)
{
    for (uint64_t seed = first_seed; seed < first_seed + seed_count; seed += 1 + seed_count / 40)
        EXPECT_EQ(play(seed).hash, play(seed).hash) << how_to_replay(seed);
}

int replay(uint64_t seed)
{
    hr_trial_result result = play(seed, true);
    printf("%u attempts, %llu steps, %.3f simulated seconds, hash %016llx: %s\n", result.attempts,
           (unsigned long long)result.steps, (double)result.simulated_ns / 1e9,
           (unsigned long long)result.hash,
           result.problem[0] != '\0' ? result.problem : "all is well");
    return result.problem[0] != '\0';
}

} // namespace

int main(int argc, char **argv)
{
    testing::InitGoogleTest(&argc, argv);
    program = argv[0];
    const char *wanted = getenv("HEADRACE_SIM_SEEDS");
    seed_count = wanted != nullptr ? strtoull(wanted, nullptr, 0) : seeds_default;
    for (int signal : {SIGPROF, SIGABRT, SIGSEGV})
        std::signal(signal, say_seed);
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t value = strtoull(argv[i + 1], nullptr, 0);
        if (strcmp(argv[i], "--seed") == 0)
            return replay(value);
        if (strcmp(argv[i], "--from") == 0)
            first_seed = value;
        if (strcmp(argv[i], "--seeds") == 0)
            seed_count = value;
    }
    return RUN_ALL_TESTS();
}
