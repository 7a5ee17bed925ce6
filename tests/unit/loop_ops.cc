// SPDX-License-Identifier: Apache-2.0
// The operations of the real loops, io_uring's and poll's; which of the two is taken; and what
// io_uring's refuses.
#include "loop_world.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cstring>
#include <thread>

namespace
{

INSTANTIATE_TEST_SUITE_P(All, RealLoop, testing::Values("io_uring", "poll"), Named);

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
    std::thread sender([&] { // once it sleeps
        while (hr_loop_count(loop).waits == before.waits)
            std::this_thread::yield();
        EXPECT_EQ(write(pair[1], "x", 1), 1);
    });
    unsigned steps = 0;
    for (; recv.times_done == 0; steps++)
        hr_loop_step(loop, HR_NEVER);
    sender.join();
    hr_loop_counters after = hr_loop_count(loop);
    // One spin and one sleep a step, however long the wait.
    EXPECT_LE(after.syscalls - before.syscalls, steps * 140);
    EXPECT_LE(steps, 3u);
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
