// SPDX-License-Identifier: Apache-2.0
// A pool whose memory is taken on demand, and who gets a slot first.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

extern "C" {
#include "helpers.h"
#include "slots.h"
#include "storage_posix.h"
}

namespace
{

constexpr unsigned COUNT = 4;

struct Waiter {
    hr_slot_waiter base{};
    hr_slots *slots;
    std::vector<hr_slot *> taken;

    explicit Waiter(hr_slots *from, uint64_t since = 0) : slots(from)
    {
        hr_list_init(&base.node);
        base.since = since;
        base.ready = [](hr_slot_waiter *waiter) { reinterpret_cast<Waiter *>(waiter)->take(); };
    }
    void take()
    {
        hr_slot *slot = hr_slots_take(slots, 0);
        ASSERT_NE(slot, nullptr);
        taken.push_back(slot);
    }
    void ask()
    {
        hr_slot *slot = hr_slots_take(slots, 0);
        if (slot != nullptr)
            taken.push_back(slot);
        else
            hr_slots_wait(slots, &base);
    }
};

class Slots : public testing::TestWithParam<bool>
{
  protected:
    hr_loop *loop = nullptr;
    hr_helpers *helpers = nullptr;
    hr_storage *storage = nullptr;
    hr_memory *memory = nullptr;
    hr_slots slots{};
    bool on_demand = GetParam();

    void SetUp() override
    {
        const hr_env *env = hr_env_system();
        ASSERT_EQ(hr_loop_poll_create(env, &loop), HR_OK);
        ASSERT_EQ(hr_helpers_create(env, 1, &helpers), HR_OK);
        ASSERT_EQ(hr_storage_threads_create(loop, helpers, &storage), HR_OK);
        ASSERT_EQ(hr_memory_host_create(env, &memory), HR_OK);
        ASSERT_EQ(hr_slots_init(&slots, env, memory, storage, COUNT * size_t(HR_SLOT_LEN),
                                on_demand ? helpers : nullptr),
                  HR_OK);
    }
    void TearDown() override
    {
        hr_slots_fini(&slots);
        storage->ops->destroy(storage);
        hr_loop_destroy(loop);
        hr_helpers_destroy(helpers);
        hr_memory_destroy(memory);
    }
    void fetch(Waiter &waiter, size_t count)
    {
        while (waiter.taken.size() < count) {
            waiter.ask();
            while (!hr_list_is_empty(&waiter.base.node))
                hr_loop_step(loop, HR_NEVER);
        }
    }
};

TEST_P(Slots, HaveMemoryOnceTheyAreTaken)
{
    Waiter waiter(&slots);
    EXPECT_EQ(slots.untouched_count, on_demand ? COUNT : 0);
    fetch(waiter, 1);
    EXPECT_EQ(slots.untouched_count, on_demand ? COUNT - 1 : 0);
    fetch(waiter, COUNT);
    EXPECT_EQ(slots.untouched_count, 0u);
    EXPECT_EQ(hr_slots_take(&slots, 0), nullptr);
    for (hr_slot *slot : waiter.taken) {
        memset(slot->span.addr, 1, slot->span.len);
        hr_slots_give(&slots, slot);
    }
    EXPECT_EQ(slots.free_count, COUNT);
}

// What is left for others needs no memory before they ask for it.
TEST_P(Slots, ThatAreLeftForOthersAreNotTouched)
{
    hr_slot *slot;
    while ((slot = hr_slots_take(&slots, 2)) == nullptr)
        hr_loop_step(loop, HR_NEVER);
    EXPECT_EQ(slots.untouched_count, on_demand ? COUNT - 1 : 0);
    Waiter others(&slots);
    hr_slot *second;
    while ((second = hr_slots_take(&slots, 2)) == nullptr)
        hr_loop_step(loop, HR_NEVER);
    EXPECT_EQ(hr_slots_take(&slots, 2), nullptr);
    fetch(others, 2);
    for (hr_slot *taken : {slot, second, others.taken[0], others.taken[1]})
        hr_slots_give(&slots, taken);
}

// A pool may end while a helper takes memory for somebody who has gone.
TEST_P(Slots, EndWhateverIsUnderWay)
{
    hr_slot *slot = hr_slots_take(&slots, 0);
    if (slot != nullptr)
        hr_slots_give(&slots, slot);
}

TEST_P(Slots, GoToWhoAskedFirst)
{
    Waiter all(&slots), late(&slots, 2), early(&slots, 1);
    fetch(all, COUNT);
    late.ask();
    early.ask();
    hr_slots_give(&slots, all.taken[0]);
    EXPECT_EQ(early.taken.size(), 1u);
    EXPECT_EQ(late.taken.size(), 0u);
    hr_slots_give(&slots, all.taken[1]);
    EXPECT_EQ(late.taken.size(), 1u);
    for (hr_slot *slot : {early.taken[0], late.taken[0], all.taken[2], all.taken[3]})
        hr_slots_give(&slots, slot);
}

INSTANTIATE_TEST_SUITE_P(All, Slots, testing::Bool(), [](const auto &kind) {
    return kind.param ? "on_demand" : "at_the_start";
});

} // namespace
