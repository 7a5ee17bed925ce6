// SPDX-License-Identifier: Apache-2.0
// Not by chance but in turn: the same short story, and the same thing going wrong in it at each
// step, in each allocation, in each request to a disk, in each call of a transport, in each taking
// of memory; and power that fails before and after each operation of a disk.
//
// A point is a story, a seam and a call of it. scripts/faults prints how many there are, and with
// HEADRACE_FAULTS_LIST=1 each of them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>
#include <string>

// The seams' headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "trial.h"
}

#include "short_story.h"

namespace
{

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t stride = 7;
#else
constexpr uint64_t stride = 1;
#endif
constexpr uint64_t requests_max = 80; // more than a disk is asked in any of these stories
constexpr uint64_t calls_max = 60;    // likewise, of a transport of one worker
constexpr uint64_t takes_max = 8;     // likewise, of memory
constexpr uint64_t latency_ns = 20000;

struct Story {
    const char *name;
    void (*change)(hr_scenario *scenario);
};

const Story stories[] = {
    {"File", [](hr_scenario *) {}},
    {"Overwrite", [](hr_scenario *s) { s->existing = s->overwrite = true; }},
    {"ReadBack", [](hr_scenario *s) { s->read_back = true; }},
    {"Tree",
     [](hr_scenario *s) {
         s->tree = true;
         s->file_count = 3;
     }},
    {"Span", [](hr_scenario *s) { s->target = HR_SCENARIO_TO_SPAN; }},
    {"SharedSpan",
     [](hr_scenario *s) {
         s->target = HR_SCENARIO_TO_SPAN;
         s->shared = true;
     }},
    {"Host", [](hr_scenario *s) { s->target = HR_SCENARIO_TO_HOST; }},
    {"TreeHost",
     [](hr_scenario *s) {
         s->tree = true;
         s->file_count = 3;
         s->target = HR_SCENARIO_TO_HOST;
     }},
    {"TreeOfOneDirectory",
     [](hr_scenario *s) {
         s->tree = true;
         s->file_count = 4;
         for (unsigned i = 0; i < s->file_count; i++) {
             s->files[i] = s->files[1]; // small
             snprintf(s->files[i].path, sizeof s->files[i].path, "t/a/f%u", i);
         }
     }},
    {"PackedTree",
     [](hr_scenario *s) {
         s->tree = s->packed = true;
         s->container = 1;
         s->file_count = 3;
     }},
    {"Cancel",
     [](hr_scenario *s) {
         s->events[s->event_count++] = {HR_SCENARIO_CANCEL, 70, 0, 0};
     }},
    {"Deadline", [](hr_scenario *s) { s->deadline_ns = 40 * latency_ns; }},
    {"ServerRestart",
     [](hr_scenario *s) {
         s->events[s->event_count++] = {HR_SCENARIO_SERVER_KILL, 60, 0, 0};
     }},
    {"Flapping",
     [](hr_scenario *s) {
         s->shared = true;
         s->links = 4;
         s->server.transport.flap_every = 1;
         s->server.transport.late = 0x8000;
     }},
    {"Local", [](hr_scenario *s) { s->local = true; }},
    {"TwoClients", [](hr_scenario *s) { s->clients = 2; }},
    {"Rdma", [](hr_scenario *s) { s->server.rails = s->client.rails = 1; }},
    {"RdmaSpan",
     [](hr_scenario *s) {
         s->server.rails = s->client.rails = 2;
         s->target = HR_SCENARIO_TO_SPAN;
     }},
    {"Packed",
     [](hr_scenario *s) {
         s->packed = true;
         s->container = 1;
     }},
    {"PackedSpan",
     [](hr_scenario *s) {
         s->packed = true;
         s->container = 2;
         s->target = HR_SCENARIO_TO_SPAN;
     }},
    {"Sealed", [](hr_scenario *s) { s->sealed = true; }},
    {"SealedSpan",
     [](hr_scenario *s) {
         s->sealed = true;
         s->target = HR_SCENARIO_TO_SPAN;
     }},
    {"SealedRdma",
     [](hr_scenario *s) {
         s->sealed = true;
         s->server.rails = s->client.rails = 1;
     }},
    {"SealedTree",
     [](hr_scenario *s) {
         s->sealed = s->tree = true;
         s->file_count = 3;
     }},
    // Some of its links are refused.
    {"Crowded",
     [](hr_scenario *s) {
         s->crowded = true;
         s->links = 12;
     }},
    // An attempt before it has left some of the file.
    {"Resume",
     [](hr_scenario *s) {
         s->faulty_attempts = 2;
         s->files[0].versions[0].len = 2 * HR_CHUNK_LEN + 1;
         s->events[s->event_count++] = {HR_SCENARIO_CLIENT_KILL, 90, 0, 0};
     }},
};

const char *const io_kinds[] = {"open a directory",
                                "close a directory",
                                "make a directory",
                                "open",
                                "close",
                                "stat",
                                "look up",
                                "list",
                                "list directories",
                                "read",
                                "write",
                                "sync",
                                "allocate",
                                "truncate",
                                "rename",
                                "remove",
                                "sync a directory",
                                "lock",
                                "stamp",
                                "symlink",
                                "readlink",
                                "link",
                                "set xattrs",
                                "sync all",
                                "look up files",
                                "read files",
                                "write files",
                                "rename files",
                                "make directories",
                                "stamp files"};
static_assert(sizeof io_kinds / sizeof *io_kinds == HR_IO_STAMP_FILES + 1, "one for each kind");

// All that were hit, over all stories.
std::set<std::string> points;

class Points : public testing::Environment
{
    void TearDown() override
    {
        if (getenv("HEADRACE_FAULTS_LIST") != nullptr)
            for (const std::string &point : points)
                printf("point: %s\n", point.c_str());
        printf("%zu fault points\n", points.size());
    }
};

class EveryStep : public testing::TestWithParam<Story>
{
  protected:
    hr_scenario scenario_ = {};
    hr_io_kind failed_io_ = HR_IO_OPEN_DIR;
    const char *failed_call_ = nullptr;
    uint64_t played_ = 0;

    void SetUp() override
    {
        scenario_ = short_story(latency_ns);
        GetParam().change(&scenario_);
    }

    void note(const std::string &seam, const std::string &call)
    {
        points.insert(std::string(GetParam().name) + ", " + seam + ": " + call);
    }

    void TearDown() override
    {
        printf("%llu stories\n", (unsigned long long)played_);
    }

    hr_trial_result play(const hr_scenario &scenario, const std::string &what)
    {
        hr_trial_result result;
        hr_trial_play(&scenario, nullptr, &result);
        played_++;
        EXPECT_STREQ(result.problem, "") << what;
        return result;
    }
};

TEST_P(EveryStep, SomethingHappens)
{
    const char *const names[] = {"cancel",        "server killed",  "server crashes",
                                 "client killed", "client crashes", "source changes"};
    const hr_trial_result well = play(scenario_, "nothing happens");
    const uint64_t steps = well.steps + 4;
    EXPECT_TRUE(!scenario_.crowded || strstr(well.path, " 12 links") == nullptr) << well.path;
    for (int kind = HR_SCENARIO_CANCEL; kind <= HR_SCENARIO_SOURCE_CHANGE; kind++)
        // A handshake costs more than all the rest of a story.
        for (uint64_t step = 0; step < steps && !HasFailure();
             step += scenario_.sealed ? 5 * stride : stride) {
            hr_scenario scenario = scenario_;
            scenario.events[scenario.event_count++] = {(hr_scenario_event_kind)kind, step, 0,
                                                       scenario.faulty_attempts - 1};
            play(scenario, std::string(names[kind]) + " at step " + std::to_string(step));
        }
}

TEST_P(EveryStep, AnAllocationFails)
{
    uint64_t allocations = play(scenario_, "nothing fails").allocations;
    for (uint64_t nth = 1; nth <= allocations && !HasFailure(); nth += stride) {
        hr_scenario scenario = scenario_;
        scenario.fail_nth = nth;
        play(scenario, "allocation " + std::to_string(nth));
        note("allocation", std::to_string(nth));
    }
}

TEST_P(EveryStep, ADiskFails)
{
    for (bool server : {false, true}) {
        const std::string whose = server ? "server's disk" : "client's disk";
        std::map<hr_io_kind, unsigned> met;
        for (uint64_t nth = 1; nth <= requests_max && !HasFailure(); nth += stride) {
            hr_scenario scenario = scenario_;
            hr_storage_faults &faults = (server ? scenario.server : scenario.client).storage;
            const auto none = (hr_io_kind)(sizeof io_kinds / sizeof *io_kinds);
            failed_io_ = none;
            faults.fail_nth = nth;
            faults.failed_out = &failed_io_;
            play(scenario, "request " + std::to_string(nth) + " of the " + whose);
            if (failed_io_ == none)
                break;
            note(whose, io_kinds[failed_io_] + (" " + std::to_string(++met[failed_io_])));
        }
    }
}

TEST_P(EveryStep, ACallOfATransportFails)
{
    for (bool server : {false, true}) {
        const std::string whose = server ? "server's transport" : "client's transport";
        std::map<std::string, unsigned> met;
        for (uint64_t nth = 1; nth <= calls_max && !HasFailure(); nth += stride) {
            hr_scenario scenario = scenario_;
            hr_transport_faults &faults = (server ? scenario.server : scenario.client).transport;
            failed_call_ = nullptr;
            faults.fail_nth = nth;
            faults.failed_out = &failed_call_;
            play(scenario, "call " + std::to_string(nth) + " of the " + whose);
            if (failed_call_ == nullptr)
                break;
            note(whose, failed_call_ + (" " + std::to_string(++met[failed_call_])));
        }
    }
}

TEST_P(EveryStep, MemoryIsRefused)
{
    for (bool server : {false, true})
        for (uint64_t nth = 1; nth <= takes_max && !HasFailure(); nth++) {
            hr_scenario scenario = scenario_;
            hr_scenario_side &side = server ? scenario.server : scenario.client;
            if (nth > side.workers) // one pool a worker
                break;
            side.memory_fail_nth = nth;
            const std::string whose = server ? "server's memory" : "client's memory";
            play(scenario, "taking " + std::to_string(nth) + " of the " + whose);
            note(whose, "take " + std::to_string(nth));
        }
}

TEST_P(EveryStep, PowerFailsAroundADiskOperation)
{
    for (auto kind : {HR_SCENARIO_CLIENT_STOP, HR_SCENARIO_SERVER_STOP})
        for (unsigned after : {0u, 1u})
            for (uint64_t nth = 1; nth <= requests_max && !HasFailure(); nth += stride) {
                hr_scenario scenario = scenario_;
                scenario.events[scenario.event_count++] = {kind, nth, after,
                                                           scenario.faulty_attempts - 1};
                const std::string when =
                    (after ? "after" : "before") + (" operation " + std::to_string(nth)) +
                    " of the " +
                    (kind == HR_SCENARIO_CLIENT_STOP ? "client's disk" : "server's disk");
                if (play(scenario, "power fails " + when).stopped == 0)
                    break;
                note("power", when);
            }
}

std::string name_of(const testing::TestParamInfo<Story> &story)
{
    return story.param.name;
}

INSTANTIATE_TEST_SUITE_P(All, EveryStep, testing::ValuesIn(stories), name_of);

const auto *const counted = testing::AddGlobalTestEnvironment(new Points);

} // namespace
