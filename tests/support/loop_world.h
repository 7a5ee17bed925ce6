// SPDX-License-Identifier: Apache-2.0
// What tests of loops share: everything that a loop can be asked to do, counting what became of it,
// and a loop of each kind for every test.
#ifndef LOOP_WORLD_H
#define LOOP_WORLD_H

#include <gtest/gtest.h>

#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

extern "C" {
#include "loop.h"
#include "loop_sim.h"
#include "sim_env.h"
}

struct Timer : hr_timer {
    std::vector<int> *order;
    int number;
    Timer(std::vector<int> *order_, int number_) : hr_timer{}, order(order_), number(number_)
    {
        fire = [](hr_timer *timer) {
            auto *self = static_cast<Timer *>(timer);
            self->order->push_back(self->number);
        };
    }
};

struct Task : hr_task {
    int runs = 0;
    hr_loop *again_on = nullptr; // defers itself there
    Task() : hr_task{}
    {
        run = [](hr_task *task) {
            auto *self = static_cast<Task *>(task);
            self->runs++;
            if (self->again_on != nullptr)
                hr_loop_defer(self->again_on, self);
        };
    }
};

struct Letter : hr_letter {
    std::vector<int> *order = nullptr;
    int number = 0;
    Letter() : hr_letter{}
    {
        deliver = [](hr_letter *letter) {
            auto *self = static_cast<Letter *>(letter);
            self->order->push_back(self->number);
        };
    }
};

struct Op : hr_op {
    int times_done = 0;
    explicit Op(hr_op_kind kind_, int fd_ = -1) : hr_op{}
    {
        kind = kind_;
        fd = fd_;
        buffer = -1;
        done = [](hr_op *op) { static_cast<Op *>(op)->times_done++; };
    }
};

struct Poller : hr_poller {
    hr_loop *loop;
    int there = 0; // things that it would find
    int looks = 0, rests = 0;
    int comes_at_rest = 0; // found by the last look
    bool stays = true;     // else it removes itself when it is looked at
    explicit Poller(hr_loop *loop_) : hr_poller{}, loop(loop_)
    {
        hr_list_init(&node);
        look = [](hr_poller *poller) {
            auto *self = static_cast<Poller *>(poller);
            self->looks++;
            if (!self->stays)
                hr_loop_poller_remove(self->loop, self);
            return self->Take();
        };
        rest = [](hr_poller *poller) {
            auto *self = static_cast<Poller *>(poller);
            self->rests++;
            self->there += self->comes_at_rest;
            self->comes_at_rest = 0;
            unsigned found = self->Take();
            if (found > 0)
                hr_loop_poller_add(self->loop, self);
            return found;
        };
    }
    unsigned Take()
    {
        auto found = static_cast<unsigned>(there);
        there = 0;
        return found;
    }
};

class Loop : public testing::TestWithParam<std::string>
{
  protected:
    void SetUp() override
    {
        hr_sim_init(&sim, 1);
        hr_status status = GetParam() == "sim"        ? hr_loop_sim_create(&sim, &loop)
                           : GetParam() == "io_uring" ? hr_loop_uring_create(hr_env_system(), &loop)
                                                      : hr_loop_poll_create(hr_env_system(), &loop);
        if (status == HR_UNSUPPORTED)
            GTEST_SKIP() << GetParam() << " is not supported on this machine";
        ASSERT_EQ(status, HR_OK);
    }
    void TearDown() override
    {
        hr_loop_destroy(loop);
        EXPECT_EQ(sim.allocated, 0u);
    }
    void SetTimer(hr_timer *timer, uint64_t in_ns)
    {
        ASSERT_EQ(hr_loop_timer_set(loop, timer, hr_loop_now_ns(loop) + in_ns), HR_OK);
    }
    void StepUntilDone(const Op &op)
    {
        while (op.times_done == 0)
            hr_loop_step(loop, HR_NEVER);
    }
    hr_sim sim;
    hr_loop *loop = nullptr;
};

// Those that carry out operations.
class RealLoop : public Loop
{
  protected:
    void SetUp() override
    {
        Loop::SetUp();
        ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    }
    void TearDown() override
    {
        for (int fd : pair)
            if (fd >= 0)
                close(fd);
        Loop::TearDown();
    }
    int pair[2] = {-1, -1};
};

inline std::string Named(const testing::TestParamInfo<std::string> &info)
{
    return info.param;
}

#endif
