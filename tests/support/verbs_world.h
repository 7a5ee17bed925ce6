// SPDX-License-Identifier: Apache-2.0
// A world of the verbs transport on the fake, for a suite of tests.
#ifndef VERBS_WORLD_H
#define VERBS_WORLD_H

#include "transport_world.h"

namespace hr_test
{

const Kind verbs_kind = {"verbs", "poll", false, false, false, true};

class Verbs : public Transport
{
  protected:
    void SetUp() override
    {
        if (getenv("HEADRACE_VERBS_ADDRESS") != nullptr)
            GTEST_SKIP()
                << "these are for the fake, and HEADRACE_VERBS_ADDRESS names a real device";
    }
    void OpenWorld()
    {
        Open(verbs_kind, {});
    }
    // Number of chunks, one after the other.
    void Move(uint32_t count, size_t len)
    {
        for (uint32_t i = 0; i < count; i++) {
            Chunk &chunk = Make(i, len);
            Arm(chunk);
            Write(chunk);
            ASSERT_TRUE(world->Until([&] { return chunk.done > 0 && reader.landed.size() > i; }));
            EXPECT_TRUE(chunk.IsThere());
        }
    }
};

} // namespace hr_test

#endif
