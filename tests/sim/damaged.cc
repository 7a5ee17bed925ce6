// SPDX-License-Identifier: Apache-2.0
// A packed shard that has lost its end on the server's disk, and a disk that refuses one request
// besides: what cannot be looked at is not taken for a file that was never packed.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>

// The seams' headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "index.h"
#include "trial.h"
}

namespace
{

constexpr uint64_t requests_max = 60; // more than the server's disk is asked

void (*inner_submit)(hr_storage *, hr_io *);
bool lost; // once

// Where the tail should be lies something else.
void submit_losing_the_end(hr_storage *storage, hr_io *io)
{
    if (io->kind == HR_IO_READ && io->len == HR_DIRECT_ALIGN && io->offset > HR_CHUNK_LEN &&
        !lost) {
        lost = true;
        io->offset = 0;
    }
    inner_submit(storage, io);
}

hr_status wrap_to_lose_the_end(hr_storage *inner, hr_storage **storage_out)
{
    static hr_storage_ops ops;
    if (inner->ops != &ops) {
        inner_submit = inner->ops->submit;
        ops = *inner->ops;
        ops.submit = submit_losing_the_end;
        inner->ops = &ops;
    }
    *storage_out = inner;
    return HR_OK;
}

TEST(Damaged, WhatCannotBeLookedAtIsNotTakenForAPlainFile)
{
    unsigned met = 0;
    for (uint64_t nth = 1; nth <= requests_max; nth++) {
        hr_scenario scenario = {};
        scenario.seed = 1;
        scenario.tree = scenario.packed = true;
        scenario.container = HR_CONTAINER_LZ4;
        scenario.file_count = scenario.clients = scenario.links = scenario.faulty_attempts = 1;
        scenario.server.workers = scenario.client.workers = 1;
        snprintf(scenario.files[0].path, sizeof scenario.files[0].path, "t/f");
        for (size_t k = 0; k < HR_SCENARIO_VERSIONS_MAX; k++)
            scenario.files[0].versions[k] = {(16u << 20) + 4096 * k, 2 * HR_CHUNK_LEN + 77 + k};
        scenario.server.storage.fail_nth = nth;
        hr_trial_options options = {};
        options.wrap_server_storage = wrap_to_lose_the_end;
        hr_trial_result result = {};
        lost = false;
        hr_trial_play(&scenario, &options, &result);
        EXPECT_EQ(nullptr, strstr(result.problem, "is reported as there")) << nth << result.problem;
        met += lost;
    }
    EXPECT_GT(met, 0u);
}

} // namespace
