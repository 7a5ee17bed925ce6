/* SPDX-License-Identifier: Apache-2.0 */
/* What a part relies on: every chunk is handed out in order, each once, again after it came back,
 * and at the end every chunk is verified exactly once, also when ranges change hands. */
#include <gtest/gtest.h>

#include <algorithm>
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
        hr_plan_init(&plan, chunks.data(), 0, static_cast<uint32_t>(chunks.size()));
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
    Plan part("..!.!");
    EXPECT_EQ(0u, part.Next().chunk);
    EXPECT_EQ(1u, part.Next().chunk);
    EXPECT_EQ(3u, part.Next().chunk);
    EXPECT_EQ(HR_CHUNK_NONE, part.Next().chunk);
    EXPECT_EQ(5u, part.plan.total);
    EXPECT_EQ(2u, part.plan.verified);
    EXPECT_EQ(3u, part.plan.outstanding);
    EXPECT_FALSE(hr_plan_is_complete(&part.plan));
    for (uint32_t chunk : {3, 0, 1})
        hr_plan_verified(&part.plan, chunk, 100 + chunk);
    EXPECT_TRUE(hr_plan_is_complete(&part.plan));
    EXPECT_EQ(103u, part.chunks[3].crc);
}

TEST(Plan, OfAnEmptyShardIsComplete)
{
    Plan part("");
    EXPECT_EQ(HR_CHUNK_NONE, part.Next().chunk);
    EXPECT_TRUE(hr_plan_is_complete(&part.plan));
}

TEST(Plan, WhatCameBackGoesFirstUnderANewGeneration)
{
    Plan part("....");
    hr_plan_step first = part.Next();
    part.Next();
    hr_plan_returned(&part.plan, 1);
    hr_plan_returned(&part.plan, 0);
    EXPECT_EQ(1u, part.Next().chunk);
    hr_plan_step again = part.Next();
    EXPECT_EQ(0u, again.chunk);
    EXPECT_NE(first.generation, again.generation);
    EXPECT_FALSE(again.complain);
    EXPECT_EQ(2u, part.Next().chunk);
}

TEST(Plan, AnAnswerCountsOnlyForTheGrantThatIsOut)
{
    Plan part(".?");
    hr_plan_step grant = part.Next(), check = part.Next();
    EXPECT_TRUE(hr_plan_expects(&part.plan, 2, 0, grant.generation));
    EXPECT_FALSE(hr_plan_expects(&part.plan, 2, 0, grant.generation + 1));
    EXPECT_FALSE(hr_plan_expects(&part.plan, 2, 1, check.generation)) << "nobody was asked for it";
    EXPECT_FALSE(hr_plan_expects(&part.plan, 2, 2, 1));
    EXPECT_FALSE(hr_plan_expects(&part.plan, 2, UINT32_MAX, 1));
    hr_plan_returned(&part.plan, 0);
    EXPECT_FALSE(hr_plan_expects(&part.plan, 2, 0, grant.generation));
    hr_plan_step again = part.Next();
    EXPECT_FALSE(hr_plan_expects(&part.plan, 2, 0, grant.generation));
    EXPECT_TRUE(hr_plan_expects(&part.plan, 2, 0, again.generation));
    hr_plan_verified(&part.plan, 0, 1);
    EXPECT_FALSE(hr_plan_expects(&part.plan, 2, 0, again.generation));
}

TEST(Plan, AMismatchIsAskedForAgainOnce)
{
    Plan part("..");
    part.Next();
    EXPECT_EQ(HR_OK, hr_plan_mismatched(&part.plan, 0));
    hr_plan_step again = part.Next();
    EXPECT_EQ(0u, again.chunk);
    EXPECT_TRUE(again.complain);
    /* A lost link in between is no second mismatch, and does not make it forget the first. */
    hr_plan_returned(&part.plan, 0);
    EXPECT_TRUE(part.Next().complain);
    EXPECT_EQ(HR_INTEGRITY, hr_plan_mismatched(&part.plan, 0));
    EXPECT_FALSE(hr_plan_is_complete(&part.plan));
    EXPECT_EQ(0u, part.plan.outstanding);
}

TEST(Plan, DoubtfulChunksAreCheckedAndGrantedOnlyIfTheyAreWrong)
{
    Plan part("??");
    part.chunks[0].crc = 7;
    hr_plan_step step = part.Next();
    EXPECT_TRUE(step.check);
    EXPECT_EQ(7u, part.chunks[step.chunk].crc) << "what must be there";
    part.Next();
    hr_plan_verified(&part.plan, 0, 7);
    hr_plan_returned(&part.plan, 1);
    step = part.Next();
    EXPECT_EQ(1u, step.chunk);
    EXPECT_FALSE(step.check);
    EXPECT_FALSE(step.complain) << "no server sent it";
}

TEST(Plan, SharesCoverEveryChunkOnceAndAreEven)
{
    for (uint32_t count : {0u, 1u, 7u, 5000u, HR_CHUNKS_MAX})
        for (uint32_t parts : {1u, 2u, 3u, 8u, 64u}) {
            uint32_t expected = 0, least = UINT32_MAX, most = 0;
            for (uint32_t part = 0; part < parts; part++) {
                uint32_t first, end;
                hr_plan_share(count, parts, part, &first, &end);
                EXPECT_EQ(expected, first);
                expected = end;
                least = std::min(least, end - first);
                most = std::max(most, end - first);
            }
            EXPECT_EQ(count, expected);
            EXPECT_LE(most - least, 1u);
        }
}

TEST(Plan, AFastWorkerTakesOverHalfOfTheRestOfASlowOne)
{
    Plan slow("....!...!.");
    hr_plan fast;
    hr_plan_init(&fast, slow.chunks.data(), 0, 0);
    slow.Next();
    slow.Next();
    uint32_t first, end;
    ASSERT_TRUE(hr_plan_split(&slow.plan, &first, &end));
    EXPECT_EQ(6u, first);
    EXPECT_EQ(10u, end);
    EXPECT_EQ(6u, slow.plan.total);
    EXPECT_EQ(1u, slow.plan.verified);
    hr_plan_extend(&fast, first, end);
    EXPECT_EQ(4u, fast.total);
    EXPECT_EQ(1u, fast.verified);
    hr_plan_step step;
    ASSERT_TRUE(hr_plan_next(&fast, &step));
    EXPECT_EQ(6u, step.chunk);
}

TEST(Plan, ASingleChunkIsNotShared)
{
    Plan part("..");
    part.Next();
    uint32_t first, end;
    EXPECT_FALSE(hr_plan_split(&part.plan, &first, &end));
    EXPECT_EQ(1u, part.Next().chunk);
}

/* Several workers, any order of answers, losses, mismatches and takeovers. */
TEST(Plan, EveryChunkIsVerifiedOnceWhateverHappens)
{
    for (unsigned seed = 0; seed < 500; seed++) {
        std::mt19937 random(seed);
        std::string states;
        for (unsigned count = 1 + random() % 60; count > 0; count--)
            states += ".?!"[random() % 3];
        Plan whole(states);
        uint32_t count = static_cast<uint32_t>(states.size());
        std::vector<hr_plan> plans(1 + random() % 4);
        std::vector<std::vector<hr_plan_step>> out(plans.size());
        for (uint32_t i = 0; i < plans.size(); i++) {
            uint32_t first, end;
            hr_plan_share(count, static_cast<uint32_t>(plans.size()), i, &first, &end);
            hr_plan_init(&plans[i], whole.chunks.data(), first, end);
        }
        std::vector<unsigned> verified(count), mismatched(count);
        for (;;) {
            size_t worker = random() % plans.size();
            hr_plan &plan = plans[worker];
            hr_plan_step step;
            if (random() % 2 == 0 && hr_plan_next(&plan, &step)) {
                ASSERT_NE('!', states[step.chunk]) << "seed " << seed;
                out[worker].push_back(step);
            } else if (!out[worker].empty()) {
                std::swap(out[worker][random() % out[worker].size()], out[worker].back());
                step = out[worker].back();
                out[worker].pop_back();
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
            } else if (!hr_plan_next(&plan, &step)) {
                uint32_t first, end;
                if (hr_plan_split(&plans[random() % plans.size()], &first, &end))
                    hr_plan_extend(&plan, first, end);
            } else {
                out[worker].push_back(step);
            }
            uint32_t total = 0, done = 0;
            for (size_t i = 0; i < plans.size(); i++) {
                total += plans[i].total;
                done += plans[i].verified;
                ASSERT_EQ(out[i].size(), plans[i].outstanding);
            }
            ASSERT_EQ(count, total) << "seed " << seed;
            if (done == total)
                break;
        }
        for (uint32_t i = 0; i < count; i++) {
            ASSERT_EQ(states[i] == '!' ? 0u : 1u, verified[i]) << "seed " << seed << " chunk " << i;
            ASSERT_EQ(unsigned{HR_CHUNK_VERIFIED}, whole.chunks[i].state);
        }
    }
}

} // namespace
