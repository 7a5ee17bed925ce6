// SPDX-License-Identifier: Apache-2.0
// What tests of links over imitated NICs share: one file that one client gets, with two rails on
// both sides, and a transport whose table a test may change.
#ifndef TWO_RAILS_H
#define TWO_RAILS_H

#include <gtest/gtest.h>

#include <cstdio>

// The seams' headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "message.h"
#include "trial.h"
}

// True: inner is the one over NICs (or, without regions, the one with channels), and ops, a copy of
// its table, is its table from now on.
inline bool take_ops(hr_transport *inner, bool regions, hr_transport_ops *ops)
{
    hr_transport_caps caps;
    inner->ops->query(inner, &caps);
    if (caps.regions != regions)
        return false;
    *ops = *inner->ops;
    inner->ops = ops;
    return true;
}

// Of what a server or both sides say in one frame: what kind it is.
inline hr_message_kind kind_of_frame(const void *bytes, size_t len)
{
    alignas(8) static uint8_t memory[HR_MESSAGE_PAGE_ARENA_LEN];
    hr_arena arena = hr_arena_make(memory, sizeof memory);
    hr_message message = {};
    bool known =
        len > HR_FRAME_HEADER_LEN &&
        hr_message_unpack((const uint8_t *)bytes + HR_FRAME_HEADER_LEN, len - HR_FRAME_HEADER_LEN,
                          HR_SIDE_SERVER, &arena, &message) == HR_OK;
    return known ? message.kind : HR_MESSAGE_HINT;
}

class TwoRails : public testing::Test
{
  protected:
    hr_scenario scenario_ = {};
    hr_trial_options options_ = {};

    void SetUp() override
    {
        scenario_.seed = 5;
        scenario_.file_count = 1;
        scenario_.clients = 1;
        scenario_.links = 2;
        for (hr_scenario_side *side : {&scenario_.server, &scenario_.client}) {
            side->workers = 1;
            side->rails = 2;
        }
        snprintf(scenario_.files[0].path, sizeof scenario_.files[0].path, "t/f");
        set_chunks(2);
    }
    // Of the file, and some bytes.
    void set_chunks(uint64_t count)
    {
        for (size_t k = 0; k < HR_SCENARIO_VERSIONS_MAX; k++)
            scenario_.files[0].versions[k] = {4096 * k + 100, count * HR_CHUNK_LEN + 77 + k};
    }
};

#endif
