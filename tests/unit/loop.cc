// SPDX-License-Identifier: Apache-2.0
// Every loop keeps the same promises: io_uring, poll, and the simulator's with its own clock.
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

extern "C" {
#include "helpers.h"
#include "loop.h"
#include "loop_sim.h"
#include "sim_env.h"
}

namespace
{

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

std::string Named(const testing::TestParamInfo<std::string> &info)
{
    return info.param;
}

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
    SetTimer(&late, 1000);
    SetTimer(&early, HR_NS_PER_MS);
    SetTimer(&cleared, 1000);
    SetTimer(&last, 3 * HR_NS_PER_MS);
    SetTimer(&late, 2 * HR_NS_PER_MS);
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

// ---- operations ----

TEST_P(RealLoop, MovesMegabytesThroughASocketInOneOperationEach)
{
    std::vector<char> header(64, 'h'), payload(4 << 20), got(header.size() + payload.size());
    for (size_t i = 0; i < payload.size(); i++)
        payload[i] = static_cast<char>(i * 7 + i / 4096);
    struct iovec iov[2] = {{header.data(), header.size()}, {payload.data(), payload.size()}};
    Op send(HR_OP_SEND, pair[1]), recv(HR_OP_RECV, pair[0]);
    send.iov = iov;
    send.iov_count = 2;
    recv.data = got.data();
    recv.len = got.size();
    recv.all = true;
    hr_loop_submit(loop, &recv);
    hr_loop_submit(loop, &send);
    StepUntilDone(recv);
    StepUntilDone(send);
    EXPECT_EQ(send.result, static_cast<int>(got.size()));
    EXPECT_EQ(recv.result, static_cast<int>(got.size()));
    EXPECT_TRUE(std::equal(header.begin(), header.end(), got.begin()));
    EXPECT_TRUE(std::equal(payload.begin(), payload.end(), got.begin() + 64));
}

TEST_P(RealLoop, ReceivesInPiecesUnlessAllIsAskedFor)
{
    char bytes[10];
    Op some(HR_OP_RECV, pair[0]), all(HR_OP_RECV, pair[0]);
    some.data = all.data = bytes;
    some.len = all.len = sizeof bytes;
    all.all = true;
    ASSERT_EQ(write(pair[1], "abc", 3), 3);
    hr_loop_submit(loop, &some);
    StepUntilDone(some);
    EXPECT_EQ(some.result, 3);

    ASSERT_EQ(write(pair[1], "abc", 3), 3);
    hr_loop_submit(loop, &all);
    hr_loop_step(loop, 0);
    hr_loop_step(loop, 0);
    EXPECT_EQ(all.times_done, 0);
    ASSERT_EQ(write(pair[1], "defghij", 7), 7);
    StepUntilDone(all);
    EXPECT_EQ(all.result, 10);
    EXPECT_EQ(std::string(bytes, 10), "abcdefghij");
}

TEST_P(RealLoop, AReceiveOfAllComesBackShortAtTheEndOfTheStream)
{
    char bytes[10];
    Op recv(HR_OP_RECV, pair[0]);
    recv.data = bytes;
    recv.len = sizeof bytes;
    recv.all = true;
    ASSERT_EQ(write(pair[1], "abc", 3), 3);
    close(pair[1]);
    pair[1] = -1;
    hr_loop_submit(loop, &recv);
    StepUntilDone(recv);
    EXPECT_EQ(recv.result, 3);
}

TEST_P(RealLoop, ASendToNobodyAnswersAndRaisesNoSignal)
{
    close(pair[1]);
    pair[1] = -1;
    char bytes[10] = {};
    struct iovec iov = {bytes, sizeof bytes};
    Op send(HR_OP_SEND, pair[0]);
    send.iov = &iov;
    send.iov_count = 1;
    hr_loop_submit(loop, &send);
    StepUntilDone(send);
    EXPECT_EQ(send.result, -EPIPE);
}

TEST_P(RealLoop, AcceptsAndConnects)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof address;
    ASSERT_EQ(bind(listener, reinterpret_cast<struct sockaddr *>(&address), len), 0);
    ASSERT_EQ(listen(listener, 4), 0);
    ASSERT_EQ(getsockname(listener, reinterpret_cast<struct sockaddr *>(&address), &len), 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    Op accept(HR_OP_ACCEPT, listener), connect(HR_OP_CONNECT, client);
    connect.data = &address;
    connect.len = len;
    hr_loop_submit(loop, &accept);
    hr_loop_submit(loop, &connect);
    StepUntilDone(connect);
    EXPECT_EQ(connect.result, 0);
    StepUntilDone(accept);
    ASSERT_GE(accept.result, 0);
    EXPECT_EQ(fcntl(accept.result, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(fcntl(client, F_GETFL) & O_NONBLOCK, 0);
    close(accept.result);
    close(client);
    close(listener);

    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    Op refused(HR_OP_CONNECT, late);
    refused.data = &address;
    refused.len = len;
    hr_loop_submit(loop, &refused);
    StepUntilDone(refused);
    EXPECT_EQ(refused.result, -ECONNREFUSED);
    close(late);
}

TEST_P(RealLoop, PollsADescriptor)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    Op in(HR_OP_POLL_IN, fd), out(HR_OP_POLL_OUT, pair[0]);
    hr_loop_submit(loop, &in);
    hr_loop_submit(loop, &out);
    StepUntilDone(out);
    EXPECT_TRUE(out.result & POLLOUT);
    EXPECT_EQ(in.times_done, 0);
    eventfd_write(fd, 1);
    StepUntilDone(in);
    EXPECT_TRUE(in.result & POLLIN);
    close(fd);
}

TEST_P(RealLoop, CancelEndsAnOperationOnce)
{
    char byte;
    Op recv(HR_OP_RECV, pair[0]);
    recv.data = &byte;
    recv.len = 1;
    // Before the kernel has seen it, and after.
    for (int steps = 0; steps < 2; steps++) {
        recv.times_done = 0;
        hr_loop_submit(loop, &recv);
        if (steps > 0)
            hr_loop_step(loop, 0);
        hr_loop_cancel(loop, &recv);
        hr_loop_cancel(loop, &recv);
        EXPECT_EQ(recv.times_done, 0); // never from inside a call
        StepUntilDone(recv);
        hr_loop_step(loop, 0);
        EXPECT_EQ(recv.times_done, 1);
        EXPECT_EQ(recv.result, -ECANCELED);
    }
    EXPECT_TRUE(hr_loop_is_idle(loop));
}

TEST_P(RealLoop, ACanceledReceiveOfAllSaysSoEvenIfSomeHadCome)
{
    char bytes[10];
    Op recv(HR_OP_RECV, pair[0]);
    recv.data = bytes;
    recv.len = sizeof bytes;
    recv.all = true;
    ASSERT_EQ(write(pair[1], "abc", 3), 3);
    hr_loop_submit(loop, &recv);
    hr_loop_step(loop, 0);
    hr_loop_step(loop, 0);
    hr_loop_cancel(loop, &recv);
    StepUntilDone(recv);
    EXPECT_EQ(recv.result, -ECANCELED);
}

TEST_P(RealLoop, ACallbackMayCancelAnotherOperation)
{
    struct Canceler : Op {
        hr_loop *on;
        Op *victim;
        using Op::Op;
    } first(HR_OP_RECV, pair[0]);
    Op second(HR_OP_POLL_IN, pair[1]);
    char byte;
    first.data = &byte;
    first.len = 1;
    first.on = loop;
    first.victim = &second;
    first.done = [](hr_op *op) {
        auto *self = static_cast<Canceler *>(op);
        self->times_done++;
        hr_loop_cancel(self->on, self->victim);
    };
    hr_loop_submit(loop, &first);
    hr_loop_submit(loop, &second);
    ASSERT_EQ(write(pair[1], "x", 1), 1);
    StepUntilDone(second);
    EXPECT_EQ(first.times_done, 1);
    EXPECT_EQ(second.result, -ECANCELED);
}

TEST_P(RealLoop, TakesMoreOperationsThanTheRingHasRoomFor)
{
    constexpr int count = 1500;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    std::vector<Op> ops(count, Op(HR_OP_POLL_IN, fd));
    for (Op &op : ops)
        hr_loop_submit(loop, &op);
    for (int i = 0; i < 20; i++)
        hr_loop_step(loop, 0);
    eventfd_write(fd, 1);
    for (Op &op : ops)
        StepUntilDone(op);
    EXPECT_EQ(hr_loop_count(loop).operations, static_cast<uint64_t>(count));
    close(fd);
}

TEST_P(RealLoop, ReadsAndWritesFilesOrSaysThatItCannot)
{
    char path[] = "/tmp/headrace-loop-XXXXXX";
    int fd = mkstemp(path);
    ASSERT_GE(fd, 0);
    unlink(path);
    alignas(4096) static char bytes[8192], back[8192];
    memset(bytes, 'w', sizeof bytes);
    Op write_op(HR_OP_WRITE, fd), sync(HR_OP_FDATASYNC, fd), read_op(HR_OP_READ, fd);
    write_op.data = bytes;
    write_op.len = sizeof bytes;
    hr_loop_submit(loop, &write_op);
    StepUntilDone(write_op);
    if (!hr_loop_query(loop).files) {
        EXPECT_EQ(write_op.result, -ENOSYS);
        close(fd);
        return;
    }
    EXPECT_EQ(write_op.result, 8192);
    hr_loop_submit(loop, &sync);
    StepUntilDone(sync);
    EXPECT_EQ(sync.result, 0);
    read_op.data = back;
    read_op.len = sizeof back;
    read_op.offset = 4096;
    hr_loop_submit(loop, &read_op);
    StepUntilDone(read_op);
    EXPECT_EQ(read_op.result, 4096); // short at the end of the file
    EXPECT_EQ(memcmp(back, bytes, 4096), 0);
    close(fd);
}

TEST_P(RealLoop, UsesRegisteredBuffersAndFiles)
{
    alignas(4096) static char bytes[8192];
    struct iovec iov = {bytes, sizeof bytes};
    hr_status status = hr_loop_register_buffers(loop, &iov, 1);
    if (status != HR_OK)
        GTEST_SKIP() << "registering buffers is refused here: " << hr_status_text(status);
    EXPECT_TRUE(hr_loop_query(loop).fixed_buffers);
    char path[] = "/tmp/headrace-loop-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    int index, second;
    ASSERT_EQ(hr_loop_register_file(loop, fd, &index), HR_OK);
    memset(bytes, 'w', 4096);

    Op write_op(HR_OP_WRITE, index), read_op(HR_OP_READ, index);
    write_op.fixed_file = read_op.fixed_file = true;
    write_op.buffer = read_op.buffer = 0;
    write_op.data = bytes;
    read_op.data = bytes + 4096;
    write_op.len = read_op.len = 4096;
    // From a thread that did not register them.
    std::thread worker([&] {
        hr_loop_submit(loop, &write_op);
        StepUntilDone(write_op);
        hr_loop_submit(loop, &read_op);
        StepUntilDone(read_op);
        hr_loop_unregister_file(loop, index);
        ASSERT_EQ(hr_loop_register_file(loop, fd, &second), HR_OK);
        EXPECT_EQ(second, index); // the place is free again
    });
    worker.join();
    EXPECT_EQ(write_op.result, 4096);
    EXPECT_EQ(read_op.result, 4096);
    EXPECT_EQ(bytes[8191], 'w');
    close(fd);
}

TEST_P(RealLoop, SleepsInsteadOfTurning)
{
    char byte;
    Op recv(HR_OP_RECV, pair[0]);
    recv.data = &byte;
    recv.len = 1;
    hr_loop_submit(loop, &recv);
    hr_loop_counters before = hr_loop_count(loop);
    std::vector<int> order;
    Timer timer(&order, 1);
    SetTimer(&timer, 20 * HR_NS_PER_MS);
    unsigned steps = 0;
    for (; order.empty(); steps++)
        hr_loop_step(loop, HR_NEVER);
    hr_loop_counters after = hr_loop_count(loop);
    EXPECT_GE(after.waits, before.waits + 1);
    // One spin and one sleep a step, however long the wait.
    EXPECT_LE(after.syscalls - before.syscalls, steps * 140);
    EXPECT_LE(steps, 3u);
    hr_loop_cancel(loop, &recv);
    StepUntilDone(recv);
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
    std::vector<int> order;
    Timer timer(&order, 1);
    SetTimer(&timer, HR_NS_PER_MS);
    hr_loop_poller_add(loop, &poller);
    while (order.empty())
        hr_loop_step(loop, HR_NEVER);
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
    std::vector<int> order;
    Timer timer(&order, 1);
    SetTimer(&timer, HR_NS_PER_MS);
    Poller poller(loop);
    hr_loop_poller_add(loop, &poller);
    hr_loop_counters before = hr_loop_count(loop);
    hr_loop_step(loop, HR_NEVER);
    EXPECT_EQ(poller.rests, 1);
    // The sleep submits, too; no spinning over the ring on top.
    EXPECT_LE(hr_loop_count(loop).syscalls - before.syscalls, 1u);
    // Nor while it rests, whatever wakes the loop.
    while (order.empty())
        hr_loop_step(loop, HR_NEVER);
    SetTimer(&timer, HR_NS_PER_MS);
    before = hr_loop_count(loop);
    hr_loop_step(loop, HR_NEVER);
    EXPECT_LE(hr_loop_count(loop).syscalls - before.syscalls, 1u);
    EXPECT_EQ(poller.rests, 1);
    hr_loop_poller_remove(loop, &poller);
    hr_loop_timer_clear(loop, &timer);
    hr_loop_cancel(loop, &recv);
    StepUntilDone(recv);
}

// ---- where io_uring is forbidden ----

// Makes one system call answer EPERM in this process, as containers do. False: not possible here.
bool Forbid(int number)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(number), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(LoopChoice, TakesPollWhereverAnyPartOfIoUringIsForbidden)
{
    for (int number : {SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register}) {
        pid_t child = fork(); // the filter cannot be taken off again
        ASSERT_GE(child, 0);
        if (child == 0) {
            hr_env env = *hr_env_system();
            env.log = [](void *, hr_log_level, const char *) {};
            hr_loop *loop;
            if (!Forbid(number))
                _exit(77);
            _exit(hr_loop_create(&env, &loop) == HR_OK && !strcmp(hr_loop_name(loop), "poll") ? 0
                                                                                              : 1);
        }
        int status;
        ASSERT_EQ(waitpid(child, &status, 0), child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
            GTEST_SKIP() << "this process may not filter its system calls";
        EXPECT_TRUE(WIFEXITED(status));
        EXPECT_EQ(WEXITSTATUS(status), 0) << "system call " << number;
    }
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

// The ring of a loop refuses what a loop does not do, here a registration, since no operation can
// be put into it from outside.
TEST(LoopUring, IsRestrictedToWhatItIsFor)
{
    hr_loop *loop = nullptr;
    if (hr_loop_uring_create(hr_env_system(), &loop) != HR_OK)
        GTEST_SKIP() << "no io_uring";
    hr_loop_step(loop, 0); // enables it
    int ring = -1;
    for (int fd = 0; fd < 1024 && ring < 0; fd++) {
        char target[64] = "";
        std::string path = "/proc/self/fd/" + std::to_string(fd);
        if (readlink(path.c_str(), target, sizeof target - 1) > 0 &&
            strstr(target, "io_uring") != nullptr)
            ring = fd;
    }
    ASSERT_LE(0, ring);
    if (hr_loop_query(loop).restricted) {
        int workers[2] = {};
        EXPECT_EQ(-1, syscall(SYS_io_uring_register, ring, 19 /* IOWQ_MAX_WORKERS */, workers, 2));
        EXPECT_EQ(EACCES, errno);
    }
    hr_loop_destroy(loop);
}

} // namespace
