// SPDX-License-Identifier: Apache-2.0
// Every loop keeps the same promises: io_uring, poll, and the simulator's with its own clock.
// Their operations are in loop_ops.cc.
#include "loop_world.h"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <thread>

extern "C" {
#include "helpers.h"
#include "loop_ops.h"
}

namespace
{

INSTANTIATE_TEST_SUITE_P(All, Loop, testing::Values("io_uring", "poll", "sim"), Named);
INSTANTIATE_TEST_SUITE_P(All, RealLoop, testing::Values("io_uring", "poll"), Named);

// ---- timers, tasks, letters ----

TEST_P(Loop, FiresTimersInTheOrderOfTheirTimes)
{
    std::vector<int> order;
    std::vector<Timer> timers;
    for (int i = 0; i < 300; i++)
        timers.emplace_back(&order, (i * 167) % 300);
    uint64_t start_ns = hr_loop_now_ns(loop);
    for (Timer &timer : timers) {
        uint64_t due_ns = start_ns + static_cast<uint64_t>(timer.number) * 1000;
        ASSERT_EQ(hr_loop_timer_set(loop, &timer, due_ns), HR_OK);
    }
    while (order.size() < 300)
        hr_loop_step(loop, HR_NEVER);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
    EXPECT_TRUE(hr_loop_is_idle(loop));
}

TEST_P(Loop, NeverFiresATimerBeforeItIsDue)
{
    std::vector<int> order;
    Timer timer(&order, 1);
    SetTimer(&timer, HR_NS_PER_MS);
    while (order.empty())
        hr_loop_step(loop, HR_NEVER);
    EXPECT_GE(hr_loop_now_ns(loop), timer.due_ns);
}

TEST_P(Loop, MovesAndClearsTimers)
{
    std::vector<int> order;
    Timer early(&order, 1), late(&order, 2), cleared(&order, 3), last(&order, 4);
    // From one look at the clock: between two of them any time may pass.
    const uint64_t now_ns = hr_loop_now_ns(loop);
    const auto set = [&](hr_timer *timer, uint64_t in_ns) {
        ASSERT_EQ(hr_loop_timer_set(loop, timer, now_ns + in_ns), HR_OK);
    };
    set(&late, 1000);
    set(&early, HR_NS_PER_MS);
    set(&cleared, 1000);
    set(&last, 3 * HR_NS_PER_MS);
    set(&late, 2 * HR_NS_PER_MS);
    hr_loop_timer_clear(loop, &cleared);
    hr_loop_timer_clear(loop, &cleared); // harmless
    while (order.size() < 3)
        hr_loop_step(loop, HR_NEVER);
    EXPECT_EQ(order, (std::vector<int>{1, 2, 4}));
}

TEST_P(Loop, AStepEndsAtItsDeadlineWithNothingToDo)
{
    uint64_t deadline_ns = hr_loop_now_ns(loop) + HR_NS_PER_MS;
    unsigned did = 0;
    while (hr_loop_now_ns(loop) < deadline_ns)
        did += hr_loop_step(loop, deadline_ns);
    EXPECT_EQ(did, 0u);
}

TEST_P(Loop, SaysWhenItHasSomethingToDo)
{
    EXPECT_TRUE(hr_loop_is_idle(loop));
    EXPECT_EQ(hr_loop_next_due_ns(loop), HR_NEVER);
    std::vector<int> order;
    Timer timer(&order, 1);
    SetTimer(&timer, 3600 * HR_NS_PER_S);
    EXPECT_EQ(hr_loop_next_due_ns(loop), timer.due_ns);
    Task task;
    hr_loop_defer(loop, &task);
    EXPECT_EQ(hr_loop_next_due_ns(loop), 0u);
    hr_loop_step(loop, 0);
    Letter letter;
    letter.order = &order;
    hr_loop_post(loop, &letter);
    EXPECT_EQ(hr_loop_next_due_ns(loop), 0u);
    while (order.empty())
        hr_loop_step(loop, 0);
    while (hr_loop_next_due_ns(loop) == 0) // the wake of the post
        hr_loop_step(loop, 0);
    EXPECT_FALSE(hr_loop_is_idle(loop));
    hr_loop_timer_clear(loop, &timer);
    EXPECT_TRUE(hr_loop_is_idle(loop));
}

TEST_P(Loop, RunsATaskOnceHoweverOftenItWasDeferred)
{
    Task task;
    hr_loop_defer(loop, &task);
    hr_loop_defer(loop, &task);
    while (task.runs == 0)
        hr_loop_step(loop, HR_NEVER);
    hr_loop_step(loop, 0);
    EXPECT_EQ(task.runs, 1);
}

TEST_P(Loop, ATaskThatDefersItselfDoesNotHoldUpAStep)
{
    Task task;
    task.again_on = loop;
    hr_loop_defer(loop, &task);
    for (int i = 0; i < 10; i++)
        hr_loop_step(loop, HR_NEVER);
    EXPECT_EQ(task.runs, 10);
    task.again_on = nullptr;
    hr_loop_step(loop, 0);
}

TEST_P(Loop, ATimerThatSetsItselfInThePastDoesNotHoldUpAStep)
{
    struct Restless : hr_timer {
        hr_loop *loop;
        int fired;
    } timer = {};
    timer.loop = loop;
    timer.fire = [](hr_timer *base) {
        auto *self = static_cast<Restless *>(base);
        if (self->fired++ < 5) {
            ASSERT_EQ(hr_loop_timer_set(self->loop, self, 1), HR_OK);
        }
    };
    ASSERT_EQ(hr_loop_timer_set(loop, &timer, 1), HR_OK);
    hr_loop_step(loop, 0);
    EXPECT_EQ(timer.fired, 1);
    while (timer.fired < 6)
        hr_loop_step(loop, HR_NEVER);
}

TEST_P(Loop, DeliversLettersInTheOrderOfPosting)
{
    std::vector<int> order;
    Letter letters[5];
    for (int i = 0; i < 5; i++) {
        letters[i].order = &order;
        letters[i].number = i;
        hr_loop_post(loop, &letters[i]);
    }
    while (order.size() < 5)
        hr_loop_step(loop, HR_NEVER);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

// ---- across threads ----

TEST_P(RealLoop, LettersFromOtherThreadsWakeIt)
{
    constexpr int each = 2000;
    std::vector<int> order[2];
    std::vector<Letter> letters[2];
    std::thread senders[2];
    for (int t = 0; t < 2; t++) {
        letters[t].resize(each);
        senders[t] = std::thread([&, t] {
            for (int i = 0; i < each; i++) {
                letters[t][i].order = &order[t];
                letters[t][i].number = i;
                hr_loop_post(loop, &letters[t][i]);
            }
        });
    }
    while (order[0].size() < each || order[1].size() < each)
        hr_loop_step(loop, HR_NEVER); // no deadline: a lost wake would hang here
    for (int t = 0; t < 2; t++) {
        senders[t].join();
        EXPECT_TRUE(std::is_sorted(order[t].begin(), order[t].end()));
    }
}

TEST_P(RealLoop, WakeEndsAWaitFromAnotherThread)
{
    std::thread waker([&] { hr_loop_wake(loop); });
    hr_loop_step(loop, HR_NEVER);
    waker.join();
}

TEST_P(RealLoop, IsMadeOnOneThreadAndSteppedOnAnother)
{
    char byte = 0;
    Op recv(HR_OP_RECV, pair[0]);
    recv.data = &byte;
    recv.len = 1;
    hr_loop_submit(loop, &recv);
    ASSERT_EQ(write(pair[1], "x", 1), 1);
    std::thread worker([&] { StepUntilDone(recv); });
    worker.join();
    EXPECT_EQ(recv.result, 1);
    EXPECT_EQ(byte, 'x');
}

TEST_P(RealLoop, HelpersAnswerOnTheLoopOfTheAsker)
{
    hr_helpers *helpers;
    ASSERT_EQ(hr_helpers_create(hr_env_system(), 3, &helpers), HR_OK);
    struct Job : hr_job {
        std::thread::id ran_on, done_on;
        int *left;
    };
    int left = 100;
    std::vector<Job> jobs(100);
    for (Job &job : jobs) {
        static_cast<hr_job &>(job) = hr_job{};
        job.loop = loop;
        job.left = &left;
        job.run = [](hr_job *base) {
            static_cast<Job *>(base)->ran_on = std::this_thread::get_id();
        };
        job.done = [](hr_job *base) {
            auto *self = static_cast<Job *>(base);
            self->done_on = std::this_thread::get_id();
            --*self->left;
        };
        hr_helpers_submit(helpers, &job);
    }
    while (left > 0)
        hr_loop_step(loop, HR_NEVER);
    for (Job &job : jobs) {
        EXPECT_NE(job.ran_on, std::this_thread::get_id());
        EXPECT_EQ(job.done_on, std::this_thread::get_id());
    }
    hr_helpers_destroy(helpers);
}

// ---- a foreign loop waits on the descriptor ----

bool IsReadable(int fd)
{
    struct pollfd entry = {fd, POLLIN, 0};
    return poll(&entry, 1, 0) == 1;
}

TEST_P(RealLoop, ItsDescriptorIsReadableWhenAStepWouldDoSomething)
{
    int fd = hr_loop_fd(loop);
    if (fd < 0)
        GTEST_SKIP() << GetParam() << " has no descriptor to wait on";
    char byte;
    Op recv(HR_OP_RECV, pair[0]);
    recv.data = &byte;
    recv.len = 1;
    hr_loop_submit(loop, &recv);
    while (hr_loop_next_due_ns(loop) == 0 || IsReadable(fd))
        hr_loop_step(loop, 0);

    struct pollfd entry = {fd, POLLIN, 0};
    ASSERT_EQ(write(pair[1], "x", 1), 1);
    ASSERT_EQ(poll(&entry, 1, -1), 1); // an operation completed
    while (recv.times_done == 0)
        hr_loop_step(loop, 0);
    while (hr_loop_next_due_ns(loop) == 0 || IsReadable(fd))
        hr_loop_step(loop, 0);

    std::vector<int> order;
    Letter letter;
    letter.order = &order;
    std::thread poster([&] { hr_loop_post(loop, &letter); });
    ASSERT_EQ(poll(&entry, 1, -1), 1); // a letter came
    poster.join();
    hr_loop_step(loop, 0);
    EXPECT_EQ(order.size(), 1u);
}

// ---- pollers ----

TEST_P(Loop, LooksAtAPollerInEachStep)
{
    Poller poller(loop), other(loop);
    hr_loop_poller_add(loop, &poller);
    hr_loop_poller_add(loop, &poller);
    hr_loop_poller_add(loop, &other);
    EXPECT_EQ(hr_loop_next_due_ns(loop), 0u);
    poller.there = 2;
    other.there = 1;
    EXPECT_EQ(hr_loop_step(loop, HR_NEVER), 3u);
    EXPECT_EQ(poller.looks, 1);
    EXPECT_EQ(other.looks, 1);
    poller.stays = other.stays = false; // each while it is looked at
    hr_loop_step(loop, 0);
    int looks = poller.looks;
    hr_loop_step(loop, 0);
    EXPECT_EQ(poller.looks, looks);
    EXPECT_EQ(poller.rests + other.rests, 0);
    EXPECT_TRUE(hr_loop_is_idle(loop));
}

TEST_P(Loop, APollerThatFindsNothingRestsBeforeTheLoopSleeps)
{
    Poller poller(loop);
    hr_loop_poller_add(loop, &poller);
    hr_loop_step(loop, hr_loop_now_ns(loop) + HR_NS_PER_MS); // or later: it may sleep
    EXPECT_EQ(poller.rests, 1);
    int looks = poller.looks;
    EXPECT_GE(looks, 128);
    hr_loop_step(loop, 0);
    EXPECT_EQ(poller.looks, looks); // until it is added again
    EXPECT_TRUE(hr_loop_is_idle(loop));
    hr_loop_poller_remove(loop, &poller);
}

TEST_P(Loop, APollerThatFindsSomethingAtTheLastMomentKeepsTheLoopAwake)
{
    Poller poller(loop), other(loop);
    poller.comes_at_rest = 1;
    hr_loop_poller_add(loop, &poller);
    hr_loop_poller_add(loop, &other);
    EXPECT_EQ(hr_loop_step(loop, HR_NEVER), 1u);
    EXPECT_EQ(poller.rests, 1);
    EXPECT_EQ(hr_loop_next_due_ns(loop), 0u); // it added itself
    poller.stays = other.stays = false;
    hr_loop_step(loop, 0);
    hr_loop_poller_remove(loop, &other);
}

TEST_P(Loop, APollerRestsTooWhereTheCallerSleepsElsewhere)
{
    Poller poller(loop);
    hr_loop_poller_add(loop, &poller);
    int steps = 0;
    for (; poller.rests == 0; steps++)
        hr_loop_step(loop, 0);
    EXPECT_GT(steps, 10);
    EXPECT_LE(steps, 128);
    EXPECT_TRUE(hr_loop_is_idle(loop));
    hr_loop_poller_remove(loop, &poller);
}

TEST_P(RealLoop, LookingCostsNoSystemCall)
{
    char byte;
    Op recv(HR_OP_RECV, pair[0]);
    recv.data = &byte;
    recv.len = 1;
    hr_loop_submit(loop, &recv);
    hr_loop_step(loop, 0);
    Poller poller(loop);
    hr_loop_poller_add(loop, &poller);
    hr_loop_counters before = hr_loop_count(loop);
    hr_loop_step(loop, hr_loop_now_ns(loop) + HR_NS_PER_MS);
    EXPECT_EQ(poller.rests, 1);
    // The sleep submits, too; no spinning over the ring on top.
    EXPECT_LE(hr_loop_count(loop).syscalls - before.syscalls, 1u);
    // Nor while it rests, whatever wakes the loop.
    before = hr_loop_count(loop);
    hr_loop_step(loop, hr_loop_now_ns(loop) + HR_NS_PER_MS);
    EXPECT_LE(hr_loop_count(loop).syscalls - before.syscalls, 1u);
    EXPECT_EQ(poller.rests, 1);
    hr_loop_poller_remove(loop, &poller);
    hr_loop_cancel(loop, &recv);
    StepUntilDone(recv);
}

// ---- only the simulator ----

TEST(SimLoop, TheClockNeverPassesOverTheWorkOfAnotherLoop)
{
    hr_sim sim;
    hr_sim_init(&sim, 7);
    hr_loop *one, *two;
    ASSERT_EQ(hr_loop_sim_create(&sim, &one), HR_OK);
    ASSERT_EQ(hr_loop_sim_create(&sim, &two), HR_OK);
    std::vector<int> order;
    Timer early(&order, 1), late(&order, 2);
    uint64_t start_ns = sim.now_ns;
    ASSERT_EQ(hr_loop_timer_set(one, &late, start_ns + 200), HR_OK);
    ASSERT_EQ(hr_loop_timer_set(two, &early, start_ns + 100), HR_OK);
    hr_loop_step(one, HR_NEVER);
    EXPECT_EQ(sim.now_ns, start_ns + 100);
    Task task;
    hr_loop_defer(two, &task);
    hr_loop_step(one, HR_NEVER);
    EXPECT_EQ(sim.now_ns, start_ns + 100);
    while (hr_sim_step(&sim, HR_NEVER)) {
    }
    EXPECT_EQ(order, (std::vector<int>{1, 2}));
    EXPECT_EQ(sim.now_ns, start_ns + 200);
    EXPECT_FALSE(hr_sim_step(&sim, start_ns + 500));
    EXPECT_EQ(sim.now_ns, start_ns + 500);
    hr_loop_destroy(one);
    hr_loop_destroy(two);
}

// A loop whose sender is still waking it when the letter has long been delivered.
struct WokenLate {
    hr_loop base{};
    std::atomic<bool> ending{false}, destroyed{false};
    bool survived = false;

    static WokenLate *of(hr_loop *loop)
    {
        return reinterpret_cast<WokenLate *>(loop);
    }
    static void wake(hr_loop *loop)
    {
        while (!of(loop)->ending)
            std::this_thread::yield();
        for (int i = 0; i < 1000; i++)
            std::this_thread::yield();
        of(loop)->survived = !of(loop)->destroyed;
    }
};

TEST(ALoop, OutlivesWhoeverIsStillPostingToIt)
{
    hr_loop_ops ops{};
    ops.wait = [](hr_loop *, uint64_t) { return 0u; };
    ops.wake = WokenLate::wake;
    ops.destroy = [](hr_loop *loop) {
        hr_loop_fini(loop);
        WokenLate::of(loop)->destroyed = true;
    };
    WokenLate loop;
    hr_loop_init(&loop.base, &ops, hr_env_system());
    hr_letter letter{};
    letter.deliver = [](hr_letter *) {};
    std::thread sender([&] { hr_loop_post(&loop.base, &letter); });
    while (hr_loop_step(&loop.base, 0) == 0) {
    }
    loop.ending = true;
    hr_loop_destroy(&loop.base);
    sender.join();
    EXPECT_TRUE(loop.destroyed);
    EXPECT_TRUE(loop.survived);
}

TEST(SimLoop, RefusesATimerWhenItsHeapCannotGrow)
{
    hr_sim sim;
    hr_sim_init(&sim, 7);
    hr_loop *loop;
    ASSERT_EQ(hr_loop_sim_create(&sim, &loop), HR_OK);
    std::vector<int> order;
    std::vector<Timer> timers(64, Timer(&order, 0));
    sim.fail_nth = sim.allocations + 2; // the first growth works
    size_t set = 0;
    while (set < timers.size() && hr_loop_timer_set(loop, &timers[set], 5) == HR_OK)
        set++;
    ASSERT_LT(set, timers.size());
    EXPECT_EQ(timers[set].heap_index, 0u);
    for (Timer &timer : timers)
        hr_loop_timer_clear(loop, &timer);
    hr_loop_destroy(loop);
    EXPECT_EQ(sim.allocated, 0u);
}

TEST(SimLoop, OperationsAnswerThatTheyCannotBeDone)
{
    hr_sim sim;
    hr_sim_init(&sim, 7);
    hr_loop *loop;
    ASSERT_EQ(hr_loop_sim_create(&sim, &loop), HR_OK);
    Op op(HR_OP_POLL_IN, 0);
    hr_loop_submit(loop, &op);
    EXPECT_EQ(op.times_done, 0);
    hr_loop_step(loop, 0);
    EXPECT_EQ(op.times_done, 1);
    EXPECT_EQ(op.result, -ENOSYS);
    hr_loop_destroy(loop);
}

} // namespace
