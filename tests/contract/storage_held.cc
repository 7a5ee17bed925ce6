// SPDX-License-Identifier: Apache-2.0
// What storages on a real file system do where calls hang, stop short, are refused or give up: the
// test holds their answers, over threads and over a ring.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <fcntl.h>
#include <mutex>
#include <sys/file.h>
#include <unistd.h>

#include "on_file_system.h"

extern "C" {
#include "loop_ops.h"
}

using namespace storage_bench;

namespace
{

// ---- threads whose system calls the test holds ----

struct Gate {
    std::mutex lock;
    std::condition_variable changed;
    int waiting = 0;
    bool open = false;

    void pass()
    {
        std::unique_lock<std::mutex> locked(lock);
        waiting++;
        changed.notify_all();
        changed.wait(locked, [this] { return open; });
    }
    void wait_for(int count)
    {
        std::unique_lock<std::mutex> locked(lock);
        changed.wait(locked, [&] { return waiting >= count; });
    }
    void let_go()
    {
        std::lock_guard<std::mutex> locked(lock);
        open = true;
        changed.notify_all();
    }
};

const off_t held_offset = 1 << 20;
Gate *gate;
std::deque<int> answers; // of the next calls: an errno if negative, else at most so many bytes

ssize_t held_pread(int fd, void *data, size_t len, off_t offset)
{
    if (offset == held_offset)
        gate->pass();
    return pread(fd, data, len, offset);
}

// True: the call has its answer already.
bool scripted(size_t *len)
{
    if (answers.empty())
        return false;
    const int answer = answers.front();
    answers.pop_front();
    if (answer < 0)
        errno = -answer;
    else
        *len = std::min(*len, static_cast<size_t>(answer));
    return answer < 0;
}

ssize_t scripted_pread(int fd, void *data, size_t len, off_t offset)
{
    return scripted(&len) ? -1 : pread(fd, data, len, offset);
}

ssize_t scripted_pwrite(int fd, const void *data, size_t len, off_t offset)
{
    return scripted(&len) ? -1 : len == 0 ? 0 : pwrite(fd, data, len, offset);
}

int scripted_fdatasync(int fd)
{
    size_t len = 0;
    return scripted(&len) ? -1 : fdatasync(fd);
}

int scripted_flock(int fd, int operation)
{
    size_t len = 0;
    return scripted(&len) ? -1 : flock(fd, operation);
}

const hr_posix_calls held_calls = {held_pread, pwrite, fdatasync, flock};
const hr_posix_calls scripted_calls = {scripted_pread, scripted_pwrite, scripted_fdatasync,
                                       scripted_flock};

class StorageThreads : public OnFileSystem
{
  protected:
    hr_io read_of(hr_file *file, uint64_t offset, uint8_t *data, size_t len, int *done)
    {
        hr_io io = request(HR_IO_READ);
        io.file = file;
        io.offset = offset;
        io.data = data;
        io.len = len;
        io.done = count_done;
        io.context = done;
        return io;
    }
};

TEST_F(StorageThreads, GoesOnWhileOneReadIsHeldForEver)
{
    Gate held;
    gate = &held;
    use_threads(&held_calls);
    const Bytes content = noise(2 << 20, 1);
    ASSERT_EQ(client->put(root, "file", content), HR_OK);
    hr_file *file = nullptr;
    ASSERT_EQ(client->open(root, "file", HR_IO_READABLE, &file), HR_OK);
    Bytes first(100), other(4096);
    int done = 0;
    hr_io hung = read_of(file, held_offset, first.data(), first.size(), &done);
    hr_storage_submit(client->storage, &hung);
    held.wait_for(1);
    for (size_t i = 0; i < 100; i++) {
        ASSERT_EQ(client->move(HR_IO_READ, file, i * 4096, other.data(), other.size()), HR_OK);
        EXPECT_EQ(memcmp(other.data(), content.data() + i * 4096, other.size()), 0);
    }
    EXPECT_EQ(done, 0);
    held.let_go();
    while (done == 0)
        (void)hr_loop_step(client->loop, HR_NEVER);
    EXPECT_EQ(hung.status, HR_OK);
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_F(StorageThreads, OpensAndListsWhileEveryReadIsHeld)
{
    Gate held;
    gate = &held;
    use_threads(&held_calls);
    ASSERT_EQ(client->put(root, "file", noise(2 << 20, 1)), HR_OK);
    hr_file *file = nullptr;
    ASSERT_EQ(client->open(root, "file", HR_IO_READABLE, &file), HR_OK);
    const int count = HR_STORAGE_THREADS * 3;
    Bytes data(static_cast<size_t>(count));
    int done = 0;
    std::vector<hr_io> ios;
    for (size_t i = 0; i < data.size(); i++)
        ios.push_back(read_of(file, held_offset, &data[i], 1, &done));
    for (hr_io &io : ios)
        hr_storage_submit(client->storage, &io);
    held.wait_for(HR_STORAGE_THREADS);
    std::vector<Entry> entries;
    hr_file *other = nullptr;
    ASSERT_EQ(client->list(root, "", 4096, &entries), HR_OK);
    EXPECT_EQ(entries.size(), 1u);
    ASSERT_EQ(client->open(root, "other", HR_IO_WRITABLE | HR_IO_CREATE, &other), HR_OK);
    ASSERT_EQ(client->close(other), HR_OK);
    EXPECT_EQ(done, 0);
    held.let_go();
    while (done < count)
        (void)hr_loop_step(client->loop, HR_NEVER);
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_F(StorageThreads, GoesOnAfterShortAnswersAndInterruptions)
{
    use_threads(&scripted_calls);
    const Bytes content = noise(100000, 2);
    hr_file *file = nullptr;
    ASSERT_EQ(client->open(root, "file", HR_IO_READABLE | HR_IO_WRITABLE | HR_IO_CREATE, &file),
              HR_OK);
    answers = {7, -EINTR, 0, 1000, -EAGAIN, 1};
    ASSERT_EQ(
        client->move(HR_IO_WRITE, file, 0, const_cast<uint8_t *>(content.data()), content.size()),
        HR_OK);
    EXPECT_TRUE(answers.empty());
    Bytes back(200000);
    size_t bytes = 0;
    answers = {4096, -EINTR, -EAGAIN, 5, 70000};
    ASSERT_EQ(client->move(HR_IO_READ, file, 0, back.data(), back.size(), &bytes), HR_OK);
    EXPECT_TRUE(answers.empty());
    back.resize(bytes);
    EXPECT_TRUE(back == content);
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_F(StorageThreads, GivesUpWhereNothingMoves)
{
    use_threads(&scripted_calls);
    hr_file *file = nullptr;
    ASSERT_EQ(client->open(root, "file", HR_IO_READABLE | HR_IO_WRITABLE | HR_IO_CREATE, &file),
              HR_OK);
    Bytes bytes(100);
    answers.assign(100, -EAGAIN);
    EXPECT_EQ(client->move(HR_IO_READ, file, 0, bytes.data(), 100), HR_IO);
    EXPECT_GT(answers.size(), 80u) << "not for ever";
    answers.assign(100, 0);
    EXPECT_EQ(client->move(HR_IO_WRITE, file, 0, bytes.data(), 100), HR_IO);
    answers = {-EIO};
    EXPECT_EQ(client->move(HR_IO_READ, file, 0, bytes.data(), 100), HR_IO);
    answers = {50, -ENOSPC};
    EXPECT_EQ(client->move(HR_IO_WRITE, file, 0, bytes.data(), 100), HR_NO_SPACE);
    answers = {-EIO};
    EXPECT_EQ(client->on_file(HR_IO_SYNC, file), HR_IO);
    answers.clear();
    EXPECT_EQ(client->close(file), HR_OK);
}

// The lock of a process that was killed goes a moment after the process.
TEST_F(StorageThreads, WaitsForALockThatBecomesFree)
{
    use_threads(&scripted_calls);
    hr_file *file = nullptr;
    ASSERT_EQ(client->open(root, "file", HR_IO_WRITABLE | HR_IO_CREATE, &file), HR_OK);
    answers = {-EWOULDBLOCK, -EWOULDBLOCK};
    EXPECT_EQ(client->on_file(HR_IO_LOCK, file), HR_OK);
    EXPECT_TRUE(answers.empty());
    answers = {-ENOLCK};
    EXPECT_NE(client->on_file(HR_IO_LOCK, file), HR_OK) << "which has nothing to wait for";
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_F(StorageThreads, GoesOnThroughThePageCacheWhereODirectIsRefusedLater)
{
    use_threads(&scripted_calls);
    const Bytes content = noise(10000, 3);
    ASSERT_EQ(client->put(root, "file", content), HR_OK);
    hr_file *file = nullptr;
    hr_file_info info;
    ASSERT_EQ(client->open(root, "file", HR_IO_READABLE | HR_IO_DIRECT, &file, &info), HR_OK);
    if (info.direct_align == 0) {
        ASSERT_EQ(client->close(file), HR_OK);
        GTEST_SKIP() << "the file system of " << path << " has no O_DIRECT";
    }
    Slot slot(12288);
    size_t bytes = 0;
    answers = {-EINVAL};
    ASSERT_EQ(client->move(HR_IO_READ, file, 0, slot.data, slot.size, &bytes), HR_OK);
    EXPECT_EQ(bytes, content.size());
    EXPECT_TRUE(slot.first(bytes) == content);
    ASSERT_EQ(client->stat(file, &info), HR_OK);
    EXPECT_EQ(info.direct_align, 0u);
    EXPECT_EQ(fcntl(file->fd, F_GETFL) & O_DIRECT, 0);
    answers = {-EINVAL};
    EXPECT_EQ(client->move(HR_IO_READ, file, 0, slot.data, slot.size), HR_INVALID)
        << "now it has another reason";
    EXPECT_EQ(client->close(file), HR_OK);
}

// ---- a ring whose answers the test holds ----

// Carries out operations in place, each with the next scripted answer.
struct ScriptedLoop {
    hr_loop base;
    std::deque<hr_op *> queued;
    std::mutex lock;
    std::condition_variable changed;
    bool woken = false; // a helper has posted a letter
};

ScriptedLoop *scripted_loop(hr_loop *loop)
{
    return reinterpret_cast<ScriptedLoop *>(loop);
}

int carry_out(const hr_op *op)
{
    size_t len = op->len;
    if (scripted(&len))
        return -errno;
    const auto offset = static_cast<off_t>(op->offset);
    ssize_t moved = 0;
    if (op->kind == HR_OP_READ)
        moved = pread(op->fd, op->data, len, offset);
    else if (op->kind == HR_OP_WRITE)
        moved = pwrite(op->fd, op->data, len, offset);
    else
        moved = fdatasync(op->fd);
    return static_cast<int>(moved < 0 ? -errno : moved);
}

unsigned scripted_wait(hr_loop *loop, uint64_t deadline_ns)
{
    auto *scripted = scripted_loop(loop);
    if (scripted->queued.empty()) {
        std::unique_lock<std::mutex> locked(scripted->lock);
        if (deadline_ns != 0)
            scripted->changed.wait(locked, [scripted] { return scripted->woken; });
        scripted->woken = false;
        return 0;
    }
    hr_op *op = scripted->queued.front();
    scripted->queued.pop_front();
    hr_loop_complete(loop, op, carry_out(op));
    return 1;
}

hr_loop_ops scripted_ops()
{
    hr_loop_ops ops = {};
    ops.name = "scripted";
    ops.destroy = [](hr_loop *loop) {
        hr_loop_fini(loop);
        delete scripted_loop(loop);
    };
    ops.submit = [](hr_loop *loop, hr_op *op) { scripted_loop(loop)->queued.push_back(op); };
    ops.wait = scripted_wait;
    ops.wake = [](hr_loop *loop) {
        std::lock_guard<std::mutex> locked(scripted_loop(loop)->lock);
        scripted_loop(loop)->woken = true;
        scripted_loop(loop)->changed.notify_all();
    };
    ops.query = [](const hr_loop *) {
        hr_loop_caps caps = {};
        caps.files = true;
        return caps;
    };
    ops.register_file = [](hr_loop *, int, int *) { return HR_UNSUPPORTED; };
    ops.unregister_file = [](hr_loop *, int) {};
    return ops;
}

class StorageUring : public OnFileSystem
{
  protected:
    void SetUp() override
    {
        OnFileSystem::SetUp();
        static const hr_loop_ops ops = scripted_ops();
        auto *loop = new ScriptedLoop;
        hr_loop_init(&loop->base, &ops, hr_env_system());
        hr_storage *storage = nullptr;
        ASSERT_EQ(hr_storage_uring_create(&loop->base, helpers, &storage), HR_OK);
        use(&loop->base, storage);
        answers.clear();
        ASSERT_EQ(client->put(root, "file", content), HR_OK);
    }
    hr_file *opened(unsigned flags, hr_file_info *info_out = nullptr)
    {
        hr_file *file = nullptr;
        EXPECT_EQ(client->open(root, "file", flags, &file, info_out), HR_OK);
        return file;
    }

    const Bytes content = noise((3 << 20) + 5000, 4);
};

TEST_F(StorageUring, GoesOnAfterShortAnswersAndInterruptions)
{
    hr_file *file = opened(HR_IO_READABLE | HR_IO_WRITABLE);
    Bytes back(5 << 20);
    size_t bytes = 0;
    answers = {100, 1 << 20, -EAGAIN, 7, -EINTR, 4096, 3};
    ASSERT_EQ(client->move(HR_IO_READ, file, 0, back.data(), back.size(), &bytes), HR_OK);
    EXPECT_TRUE(answers.empty());
    back.resize(bytes);
    EXPECT_TRUE(back == content);
    Bytes other = noise(2 << 20, 5);
    answers = {100, -EAGAIN, 0, 5000, 1};
    ASSERT_EQ(client->move(HR_IO_WRITE, file, 0, other.data(), other.size(), &bytes), HR_OK);
    EXPECT_TRUE(answers.empty());
    EXPECT_EQ(bytes, other.size());
    EXPECT_EQ(client->close(file), HR_OK);
    ASSERT_EQ(client->get(root, "file", &back), HR_OK);
    EXPECT_EQ(memcmp(back.data(), other.data(), other.size()), 0);
}

TEST_F(StorageUring, FailsWithTheFirstErrorOfItsPieces)
{
    hr_file *file = opened(HR_IO_READABLE | HR_IO_WRITABLE);
    Bytes bytes(3 << 20);
    answers = {1 << 20, -EIO, 1 << 20};
    EXPECT_EQ(client->move(HR_IO_READ, file, 0, bytes.data(), bytes.size()), HR_IO);
    EXPECT_TRUE(answers.empty()) << "it waits for all of them";
    answers = {1 << 20, 1 << 20, -ENOSPC};
    EXPECT_EQ(client->move(HR_IO_WRITE, file, 0, bytes.data(), bytes.size()), HR_NO_SPACE);
    answers = {-EIO};
    EXPECT_EQ(client->on_file(HR_IO_SYNC, file), HR_IO);
    answers.assign(1000, -EAGAIN);
    EXPECT_EQ(client->move(HR_IO_READ, file, 0, bytes.data(), bytes.size()), HR_IO);
    EXPECT_GT(answers.size(), 900u) << "not for ever";
    answers.assign(1000, 0);
    EXPECT_EQ(client->move(HR_IO_WRITE, file, 0, bytes.data(), bytes.size()), HR_IO);
    EXPECT_GT(answers.size(), 900u);
    answers.clear();
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_F(StorageUring, EndsWhereTheFirstPieceFindsTheEnd)
{
    // Another process makes the file longer between the pieces: what lies behind the first end
    // does not count.
    hr_file *file = opened(HR_IO_READABLE);
    Bytes bytes(3 << 20);
    size_t len = 0;
    answers = {1 << 20, 500, 1 << 20, 0};
    ASSERT_EQ(client->move(HR_IO_READ, file, 0, bytes.data(), bytes.size(), &len), HR_OK);
    EXPECT_EQ(len, (1u << 20) + 500);
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_F(StorageUring, GoesOnThroughThePageCacheWhereODirectIsRefusedLater)
{
    hr_file_info info;
    hr_file *file = opened(HR_IO_READABLE | HR_IO_DIRECT, &info);
    if (info.direct_align == 0) {
        ASSERT_EQ(client->close(file), HR_OK);
        GTEST_SKIP() << "the file system of " << path << " has no O_DIRECT";
    }
    Slot slot(4 << 20);
    size_t bytes = 0;
    answers.assign(4, -EINVAL); // one for each piece: they were under way together
    ASSERT_EQ(client->move(HR_IO_READ, file, 0, slot.data, slot.size, &bytes), HR_OK);
    EXPECT_TRUE(answers.empty());
    EXPECT_EQ(bytes, content.size());
    EXPECT_TRUE(slot.first(bytes) == content);
    ASSERT_EQ(client->stat(file, &info), HR_OK);
    EXPECT_EQ(info.direct_align, 0u);
    answers = {-EINVAL};
    EXPECT_EQ(client->move(HR_IO_READ, file, 0, slot.data, 4096), HR_INVALID)
        << "now it has another reason";
    EXPECT_EQ(client->close(file), HR_OK);
}

} // namespace
