/* SPDX-License-Identifier: Apache-2.0 */
/* What a transfer relies on: every chunk is handed out in order, each once, again after it came
 * back, and at the end every chunk is verified exactly once. */
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

extern "C" {
#include "plan.h"
}

namespace
{

class Plan
{
  public:
    /* '.' missing, '?' doubtful, '!' verified */
    explicit Plan(const std::string &states) : chunks(states.size())
    {
        for (size_t i = 0; i < states.size(); i++)
            chunks[i].state = states[i] == '.'   ? HR_CHUNK_MISSING
                              : states[i] == '?' ? HR_CHUNK_DOUBTFUL
                                                 : HR_CHUNK_VERIFIED;
        hr_plan_init(&plan, chunks.data(), static_cast<uint32_t>(chunks.size()));
    }

    hr_plan_step Next()
    {
        hr_plan_step step = {HR_CHUNK_NONE, 0, false, false};
        hr_plan_next(&plan, &step);
        return step;
    }

    std::vector<hr_chunk> chunks;
    hr_plan plan;
};

TEST(Plan, HandsOutInOrderEachOnceAndLeavesOutWhatIsThere)
{
    Plan shard("..!.!");
    EXPECT_EQ(0u, shard.Next().chunk);
    EXPECT_EQ(1u, shard.Next().chunk);
    EXPECT_EQ(3u, shard.Next().chunk);
    EXPECT_EQ(HR_CHUNK_NONE, shard.Next().chunk);
    EXPECT_EQ(5u, shard.plan.total);
    EXPECT_EQ(2u, shard.plan.verified);
    EXPECT_EQ(3u, shard.plan.outstanding);
    EXPECT_FALSE(hr_plan_is_complete(&shard.plan));
    for (uint32_t chunk : {3, 0, 1})
        hr_plan_verified(&shard.plan, chunk, 100 + chunk);
    EXPECT_TRUE(hr_plan_is_complete(&shard.plan));
    EXPECT_EQ(103u, shard.chunks[3].crc);
}

TEST(Plan, OfAnEmptyShardIsComplete)
{
    Plan shard("");
    EXPECT_EQ(HR_CHUNK_NONE, shard.Next().chunk);
    EXPECT_TRUE(hr_plan_is_complete(&shard.plan));
}

TEST(Plan, WhatCameBackGoesFirstUnderANewGeneration)
{
    Plan shard("....");
    hr_plan_step first = shard.Next();
    shard.Next();
    hr_plan_returned(&shard.plan, 1);
    hr_plan_returned(&shard.plan, 0);
    EXPECT_EQ(1u, shard.Next().chunk);
    hr_plan_step again = shard.Next();
    EXPECT_EQ(0u, again.chunk);
    EXPECT_NE(first.generation, again.generation);
    EXPECT_FALSE(again.complain);
    EXPECT_EQ(2u, shard.Next().chunk);
}

TEST(Plan, AMismatchIsAskedForAgainOnce)
{
    Plan shard("..");
    shard.Next();
    EXPECT_EQ(HR_OK, hr_plan_mismatched(&shard.plan, 0));
    hr_plan_step again = shard.Next();
    EXPECT_EQ(0u, again.chunk);
    EXPECT_TRUE(again.complain);
    /* A lost link in between is no second mismatch, and does not make it forget the first. */
    hr_plan_returned(&shard.plan, 0);
    EXPECT_TRUE(shard.Next().complain);
    EXPECT_EQ(HR_INTEGRITY, hr_plan_mismatched(&shard.plan, 0));
    EXPECT_FALSE(hr_plan_is_complete(&shard.plan));
    EXPECT_EQ(0u, shard.plan.outstanding);
}

TEST(Plan, DoubtfulChunksAreCheckedAndGrantedOnlyIfTheyAreWrong)
{
    Plan shard("??");
    shard.chunks[0].crc = 7;
    hr_plan_step step = shard.Next();
    EXPECT_TRUE(step.check);
    EXPECT_EQ(7u, shard.chunks[step.chunk].crc) << "what must be there";
    shard.Next();
    hr_plan_verified(&shard.plan, 0, 7);
    hr_plan_returned(&shard.plan, 1);
    step = shard.Next();
    EXPECT_EQ(1u, step.chunk);
    EXPECT_FALSE(step.check);
    EXPECT_FALSE(step.complain) << "no server sent it";
}

/* Any order of answers, losses and mismatches. */
TEST(Plan, EveryChunkIsVerifiedOnceWhateverHappens)
{
    for (unsigned seed = 0; seed < 500; seed++) {
        std::mt19937 random(seed);
        std::string states;
        for (unsigned count = 1 + random() % 60; count > 0; count--)
            states += ".?!"[random() % 3];
        Plan whole(states);
        hr_plan &plan = whole.plan;
        std::vector<hr_plan_step> out;
        std::vector<unsigned> verified(states.size()), mismatched(states.size());
        while (!hr_plan_is_complete(&plan)) {
            hr_plan_step step;
            if ((out.empty() || random() % 2 == 0) && hr_plan_next(&plan, &step)) {
                ASSERT_NE('!', states[step.chunk]) << "seed " << seed;
                out.push_back(step);
                continue;
            }
            ASSERT_FALSE(out.empty()) << "seed " << seed;
            std::swap(out[random() % out.size()], out.back());
            step = out.back();
            out.pop_back();
            unsigned fate = random() % 8;
            if (fate == 0) {
                hr_plan_returned(&plan, step.chunk);
            } else if (fate == 1 && !step.check && mismatched[step.chunk] == 0) {
                mismatched[step.chunk]++;
                ASSERT_EQ(HR_OK, hr_plan_mismatched(&plan, step.chunk));
            } else {
                ASSERT_EQ(mismatched[step.chunk] > 0, step.complain);
                hr_plan_verified(&plan, step.chunk, seed);
                verified[step.chunk]++;
            }
            ASSERT_EQ(out.size(), plan.outstanding);
        }
        EXPECT_TRUE(out.empty());
        for (size_t i = 0; i < states.size(); i++) {
            ASSERT_EQ(states[i] == '!' ? 0u : 1u, verified[i]) << "seed " << seed << " chunk " << i;
            ASSERT_EQ(unsigned{HR_CHUNK_VERIFIED}, whole.chunks[i].state);
        }
    }
}

} // namespace
