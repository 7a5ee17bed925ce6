// SPDX-License-Identifier: Apache-2.0
// Not by chance but in turn: the same short story, and the same thing going wrong in it at each
// step, in each allocation, in each request to a disk.
#include <gtest/gtest.h>

#include <string>

// The seams' headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "trial.h"
}

namespace
{

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t stride = 7;
#else
constexpr uint64_t stride = 1;
#endif
constexpr uint64_t requests_max = 80; // more than a disk is asked in any of these stories
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
    // An attempt before it has left some of the file.
    {"Resume",
     [](hr_scenario *s) {
         s->faulty_attempts = 2;
         s->files[0].versions[0].len = 2 * HR_CHUNK_LEN + 1;
         s->events[s->event_count++] = {HR_SCENARIO_CLIENT_KILL, 90, 0, 0};
     }},
};

class EveryStep : public testing::TestWithParam<Story>
{
  protected:
    hr_scenario scenario_ = {};
    uint64_t played_ = 0;

    void SetUp() override
    {
        const char *const paths[] = {"t/f0", "t/a/f1", "t/a/b/f2"};
        const size_t lens[] = {HR_CHUNK_LEN + 1, 4097, 0};
        for (int i = 0; i < 3; i++) {
            hr_scenario_file *file = &scenario_.files[i];
            snprintf(file->path, sizeof file->path, "%s", paths[i]);
            for (size_t k = 0; k < HR_SCENARIO_VERSIONS_MAX; k++)
                file->versions[k] = {4096 * k + 100, lens[i] + k};
            file->versions[HR_SCENARIO_VERSIONS_MAX - 1] = {7, 1000};
        }
        scenario_.seed = 1;
        scenario_.file_count = 1;
        scenario_.clients = 1;
        scenario_.links = 2;
        scenario_.faulty_attempts = 1;
        for (hr_scenario_side *side : {&scenario_.server, &scenario_.client}) {
            side->workers = 2;
            side->storage.delay = side->transport.delayed = 0x8000;
            side->storage.delay_ns_max = side->transport.delay_ns_max = latency_ns;
        }
        scenario_.crash_at_end = true;
        GetParam().change(&scenario_);
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
    uint64_t steps = play(scenario_, "nothing happens").steps + 4;
    for (int kind = HR_SCENARIO_CANCEL; kind <= HR_SCENARIO_SOURCE_CHANGE; kind++)
        for (uint64_t step = 0; step < steps && !HasFailure(); step += stride) {
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
    }
}

TEST_P(EveryStep, ADiskFails)
{
    for (uint64_t nth = 1; nth <= requests_max && !HasFailure(); nth += stride)
        for (bool server : {false, true}) {
            hr_scenario scenario = scenario_;
            (server ? scenario.server : scenario.client).storage.fail_nth = nth;
            play(scenario, "request " + std::to_string(nth) +
                               (server ? " of the server's disk" : " of the client's disk"));
        }
}

std::string name_of(const testing::TestParamInfo<Story> &story)
{
    return story.param.name;
}

INSTANTIATE_TEST_SUITE_P(All, EveryStep, testing::ValuesIn(stories), name_of);

} // namespace
