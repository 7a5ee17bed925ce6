// SPDX-License-Identifier: Apache-2.0
// A draft that a crash has left, on sectors that cannot be read any more: what they held is
// missing, and no reason to fail, for then every later run would.
#include <gtest/gtest.h>

#include <cerrno>

// The seams' headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "trial.h"
}

#include "short_story.h"

namespace
{

// The disk of the second attempt, which finds what the first one left: its nth read fails.
unsigned storages_made;
const hr_storage *second;
uint64_t reads, fail_nth;
hr_io *failed;
hr_task failing;
void (*inner_submit)(hr_storage *, hr_io *);

void fail(hr_task *)
{
    failed->status = HR_IO;
    failed->error = EIO;
    failed->bytes = 0;
    failed->done(failed);
}

void submit(hr_storage *storage, hr_io *io)
{
    if (storage != second || io->kind != HR_IO_READ || ++reads != fail_nth) {
        inner_submit(storage, io);
        return;
    }
    failed = io;
    failing.run = fail;
    hr_loop_defer(storage->loop, &failing);
}

hr_status wrap(hr_storage *inner, hr_storage **storage_out)
{
    static hr_storage_ops ops;
    if (++storages_made == 2)
        second = inner;
    inner_submit = inner->ops->submit;
    ops = *inner->ops;
    ops.submit = submit;
    inner->ops = &ops;
    *storage_out = inner;
    return HR_OK;
}

TEST(Unreadable, WhatADraftHeldIsAskedForAgain)
{
    unsigned met = 0;
    for (uint64_t step = 60; step <= 200; step += 4)
        for (fail_nth = 1;; fail_nth++) {
            hr_scenario scenario = short_story(20000);
            hr_trial_options options = {};
            hr_trial_result result;
            scenario.files[0].versions[0].len = 4 * HR_CHUNK_LEN;
            scenario.client.workers = 1;
            scenario.faulty_attempts = 2;
            scenario.events[scenario.event_count++] = {HR_SCENARIO_CLIENT_CRASH, step, 0, 0};
            options.wrap_client_storage = wrap;
            storages_made = 0;
            reads = 0;
            second = nullptr;
            failed = nullptr;
            hr_trial_play(&scenario, &options, &result);
            if (failed == nullptr)
                break;
            met++;
            EXPECT_STREQ("", result.problem) << step << ", read " << fail_nth;
            EXPECT_EQ(0u, result.ended[-HR_IO]) << step << ", read " << fail_nth;
        }
    printf("%u reads failed\n", met);
    EXPECT_GT(met, 8u) << "of the journal, and of chunks";
}

} // namespace
