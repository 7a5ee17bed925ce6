// SPDX-License-Identifier: Apache-2.0
// The story in which one thing goes wrong: a client of two links and a server fetch one file of a
// chunk and a byte (or two more), in some dozens of steps.
#ifndef HR_SHORT_STORY_H
#define HR_SHORT_STORY_H

#include <cstdio>

extern "C" {
#include "scenario.h"
}

inline hr_scenario short_story(uint64_t latency_ns)
{
    const char *const paths[] = {"t/f0", "t/a/f1", "t/a/b/f2"};
    const size_t lens[] = {HR_CHUNK_LEN + 1, 4097, 0};
    hr_scenario scenario = {};
    for (int i = 0; i < 3; i++) {
        hr_scenario_file *file = &scenario.files[i];
        snprintf(file->path, sizeof file->path, "%s", paths[i]);
        for (size_t k = 0; k < HR_SCENARIO_VERSIONS_MAX; k++)
            file->versions[k] = {4096 * k + 100, lens[i] + k};
        file->versions[HR_SCENARIO_VERSIONS_MAX - 1] = {7, 1000};
    }
    scenario.seed = 1;
    scenario.file_count = 1;
    scenario.clients = 1;
    scenario.links = 2;
    scenario.faulty_attempts = 1;
    for (hr_scenario_side *side : {&scenario.server, &scenario.client}) {
        side->workers = 2;
        side->storage.delay = side->transport.delayed = 0x8000;
        side->storage.delay_ns_max = side->transport.delay_ns_max = latency_ns;
    }
    scenario.crash_at_end = true;
    return scenario;
}

#endif
