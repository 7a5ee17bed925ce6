// SPDX-License-Identifier: Apache-2.0
// A test of the test: bugs are planted in the simulated world, and the stories of sim_transfers
// must find each of them.
#include <gtest/gtest.h>

#include <csignal>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

// The seams' headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "planted.h"
#include "trial.h"
#include "upload.h"
}

namespace
{

constexpr uint64_t seeds_max = 40000; // costs nothing as long as they are found
constexpr time_t watchdog_s = 2;      // of processor time for one story
constexpr int not_found = 77;

struct Bug {
    const char *name;
    void (*plant)(hr_trial_options *options);
    bool (*fits)(const hr_scenario *scenario); // where it can show at all
};

bool anything(const hr_scenario *)
{
    return true;
}

bool to_span(const hr_scenario *scenario)
{
    return scenario->target == HR_SCENARIO_TO_SPAN;
}

bool sync_fails(const hr_scenario *scenario)
{
    return scenario->client.storage.sync_error != 0;
}

bool corrupts(const hr_scenario *scenario)
{
    return scenario->server.transport.corrupted != 0;
}

bool changes(const hr_scenario *scenario)
{
    for (unsigned i = 0; i < scenario->event_count; i++)
        if (scenario->events[i].kind == HR_SCENARIO_SOURCE_CHANGE)
            return true;
    return false;
}

// One file, so that a chunk's number says which it is.
bool changes_alone(const hr_scenario *scenario)
{
    return changes(scenario) && scenario->file_count == 1 && !scenario->packed;
}

bool to_gpu(const hr_scenario *scenario)
{
    return scenario->target == HR_SCENARIO_TO_GPU;
}

bool spoils_copies(const hr_scenario *scenario)
{
    return to_gpu(scenario) && scenario->gpu_flips > 0;
}

bool two_clients(const hr_scenario *scenario)
{
    return scenario->clients == 2 && scenario->target == HR_SCENARIO_TO_FILE;
}

// A chunk is called verified when it has been handed to the GPU.
bool tells_early = false;

} // namespace

// The linker leads what the engine calls to here (--wrap).
extern "C" {
void __real_hr_upload_submit(hr_upload *upload, hr_arrival *arrival);
void __wrap_hr_upload_submit(hr_upload *upload, hr_arrival *arrival);

void __wrap_hr_upload_submit(hr_upload *upload, hr_arrival *arrival)
{
    if (!tells_early) {
        __real_hr_upload_submit(upload, arrival);
        return;
    }
    auto copy = new hr_arrival(*arrival);
    copy->done = [](hr_arrival *over) { delete over; };
    __real_hr_upload_submit(upload, copy);
    arrival->status = HR_OK;
    arrival->failed = false;
    arrival->letter.deliver = [](hr_letter *letter) {
        auto told = HR_CONTAINER(letter, hr_arrival, letter);
        told->done(told);
    };
    hr_loop_post(arrival->loop, &arrival->letter);
}
}

namespace
{

const Bug bugs[] = {
    {"SyncLies", [](hr_trial_options *o) { o->wrap_client_storage = hr_planted_lying_sync; },
     anything},
    {"DirectoryIsNotSynced",
     [](hr_trial_options *o) { o->wrap_client_storage = hr_planted_no_directory_sync; }, anything},
    {"TwoMayWrite", [](hr_trial_options *o) { o->wrap_client_storage = hr_planted_no_lock; },
     two_clients},
    {"JournalIsBelievedAfterPowerLoss", [](hr_trial_options *o) { o->boot_id_stays = true; },
     anything},
    {"DigestOfDamage",
     [](hr_trial_options *o) { o->wrap_server_transport = hr_planted_digest_of_damage; }, anything},
    {"SyncErrorIsIgnored",
     [](hr_trial_options *o) { o->wrap_client_storage = hr_planted_sync_error_ignored; },
     sync_fails},
    {"WriteErrorIsIgnored",
     [](hr_trial_options *o) { o->wrap_client_storage = hr_planted_write_error_ignored; },
     anything},
    {"RenameBeforeSync",
     [](hr_trial_options *o) { o->wrap_client_storage = hr_planted_rename_before_sync; }, anything},
    {"NothingIsRemoved",
     [](hr_trial_options *o) { o->wrap_client_storage = hr_planted_no_removal; }, anything},
    {"ChangeIsNotSeen",
     [](hr_trial_options *o) { o->wrap_server_storage = hr_planted_blind_source; }, changes},
    {"DigestsAreNotCompared",
     [](hr_trial_options *o) { o->wrap_client_transport = hr_planted_no_comparison; }, corrupts},
    {"GenerationIsNotCompared",
     [](hr_trial_options *o) { o->wrap_server_transport = hr_planted_generation_ignored; },
     changes_alone},
    {"ReceiptIsAcceptedTwice",
     [](hr_trial_options *o) { o->wrap_client_transport = hr_planted_receipt_twice; }, anything},
    {"NoFence", [](hr_trial_options *o) { o->wrap_client_transport = hr_planted_late_landing; },
     to_span},
    {"ToldBeforeTheGpuHasIt", [](hr_trial_options *) { tells_early = true; }, to_gpu},
    {"GpuComparesNoDigests", [](hr_trial_options *) { setenv("FAKE_CUDA_BLIND", "1", 1); },
     spoils_copies},
};

class Planted : public testing::TestWithParam<Bug>
{
};

// The seed that finds it, 0: none did. An assertion, a sanitizer or the watchdog find it too, and
// end the process: so it is tried in a child.
uint64_t search(const Bug &bug)
{
    hr_trial_options options = {};
    bug.plant(&options);
    unsigned played = 0;
    for (uint64_t seed = 1; seed <= seeds_max; seed++) {
        hr_scenario scenario;
        hr_scenario_draw(&scenario, seed);
        scenario.sealed = false; // what was changed on its way would be found out by that
        if (!bug.fits(&scenario))
            continue;
        const itimerval watchdog = {{0, 0}, {watchdog_s, 0}};
        setitimer(ITIMER_PROF, &watchdog, nullptr);
        hr_trial_result result;
        hr_trial_play(&scenario, &options, &result);
        played++;
        if (result.problem[0] != '\0') {
            printf("found by seed %llu, after %u stories: %s\n", (unsigned long long)seed, played,
                   result.problem);
            return seed;
        }
    }
    return 0;
}

TEST_P(Planted, IsFound)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        const uint64_t seed = search(GetParam());
        fflush(stdout);
        _exit(seed == 0 ? not_found : 0);
    }
    int status = -1;
    ASSERT_EQ(child, waitpid(child, &status, 0));
    if (WIFSIGNALED(status))
        printf("found: it ended by signal %d\n", WTERMSIG(status));
    EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == not_found)
        << "not found in " << seeds_max << " stories";
}

std::string name_of(const testing::TestParamInfo<Bug> &bug)
{
    return bug.param.name;
}

INSTANTIATE_TEST_SUITE_P(All, Planted, testing::ValuesIn(bugs), name_of);

} // namespace
