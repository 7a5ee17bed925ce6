// SPDX-License-Identifier: Apache-2.0
// What only the storages on a real file system meet: symlinks, FIFOs, calls that hang, stop short,
// are refused or give up.
#include <gtest/gtest.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <memory>
#include <mutex>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <thread>
#include <unistd.h>

#include "storage_bench.h"

extern "C" {
#include "loop_ops.h"
#include "posix.h"
#include "storage_threads.h"
}

using namespace storage_bench;

namespace
{

class OnFileSystem : public testing::Test
{
  protected:
    void SetUp() override
    {
        ASSERT_EQ(hr_helpers_create(hr_env_system(), 2, &helpers), HR_OK);
        ASSERT_EQ(hr_temp_make(path), HR_OK);
    }
    void TearDown() override
    {
        if (root != nullptr) {
            EXPECT_EQ(client->close_dir(root), HR_OK);
        }
        client.reset();
        hr_helpers_destroy(helpers);
        EXPECT_EQ(hr_temp_remove(path), HR_OK);
    }
    void use_threads(const hr_posix_calls *calls)
    {
        hr_loop *loop = nullptr;
        hr_storage *storage = nullptr;
        ASSERT_EQ(hr_loop_poll_create(hr_env_system(), &loop), HR_OK);
        ASSERT_EQ(hr_storage_threads_create_with(loop, helpers, calls, "", &storage), HR_OK);
        use(loop, storage);
    }
    void use(hr_loop *loop, hr_storage *storage)
    {
        client.reset(new Client(loop, storage));
        ASSERT_EQ(client->open_dir(nullptr, path, 0, &root), HR_OK);
    }
    std::string in_root(const std::string &name)
    {
        return std::string(path) + "/" + name;
    }

    hr_helpers *helpers = nullptr;
    char path[HR_TEMP_PATH_MAX] = "";
    std::unique_ptr<Client> client;
    hr_dir *root = nullptr;
};

// ---- what the file system holds ----

class StoragePosix : public OnFileSystem
{
  protected:
    void SetUp() override
    {
        OnFileSystem::SetUp();
        use_threads(&hr_posix_system_calls);
    }
};

TEST_F(StoragePosix, FollowsSymlinksBeneathItsDirectoryOnly)
{
    hr_dir *dir = nullptr;
    ASSERT_EQ(client->open_dir(root, "export/deep", HR_IO_CREATE, &dir), HR_OK);
    ASSERT_EQ(client->close_dir(dir), HR_OK);
    ASSERT_EQ(client->put(root, "export/deep/file", {1}), HR_OK);
    ASSERT_EQ(client->put(root, "secret", {2}), HR_OK);
    ASSERT_EQ(symlink("deep/file", in_root("export/inside").c_str()), 0);
    ASSERT_EQ(symlink("../secret", in_root("export/outside").c_str()), 0);
    ASSERT_EQ(symlink("/etc", in_root("export/absolute").c_str()), 0);
    ASSERT_EQ(symlink("deep", in_root("export/way").c_str()), 0);
    ASSERT_EQ(symlink("/proc/self/fd", in_root("export/magic").c_str()), 0);
    ASSERT_EQ(client->open_dir(root, "export", 0, &dir), HR_OK);
    Bytes back;
    hr_file *file = nullptr;
    EXPECT_EQ(client->get(dir, "inside", &back), HR_OK);
    EXPECT_EQ(back, Bytes{1});
    EXPECT_EQ(client->get(dir, "way/file", &back), HR_OK);
    for (const char *escape : {"outside", "absolute/passwd", "magic/0"})
        EXPECT_EQ(client->open(dir, escape, HR_IO_READABLE, &file), HR_POLICY) << escape;
    for (const char *link : {"inside", "way/file", "outside"})
        EXPECT_EQ(client->open(dir, link, HR_IO_READABLE | HR_IO_NO_SYMLINKS, &file), HR_POLICY)
            << link;
    EXPECT_EQ(client->open(dir, "deep/file", HR_IO_READABLE | HR_IO_NO_SYMLINKS, &file), HR_OK);
    EXPECT_EQ(client->close(file), HR_OK);
    EXPECT_EQ(client->on_path(HR_IO_REMOVE, dir, "absolute/hostname"), HR_POLICY);

    hr_file_info info;
    ASSERT_EQ(client->lookup(dir, "outside", &info), HR_OK) << "the link itself";
    EXPECT_EQ(info.type, HR_FILE_SYMLINK);
    EXPECT_EQ(client->on_path(HR_IO_REMOVE, dir, "outside"), HR_OK);
    EXPECT_EQ(client->get(root, "secret", &back), HR_OK) << "the link went and not its target";
    EXPECT_EQ(client->close_dir(dir), HR_OK);
}

// A directory can say itself what files that are made in it may not have.
TEST_F(StoragePosix, GivesManyFilesTheirModesWhateverTheDirectorySays)
{
    hr_dir *dir = nullptr;
    ASSERT_EQ(client->open_dir(root, "listed", HR_IO_CREATE, &dir), HR_OK);
    EXPECT_EQ(client->close_dir(dir), HR_OK);
    // Version 2; owner rwx, group r-x, others nothing: the kernel's own form of an access list.
    const uint8_t list[] = {2,    0, 0, 0,                         //
                            0x01, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, //
                            0x04, 0, 5, 0, 0xff, 0xff, 0xff, 0xff, //
                            0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
    if (setxattr(in_root("listed").c_str(), "system.posix_acl_default", list, sizeof list, 0) != 0)
        GTEST_SKIP() << "the file system of " << path << " has no access lists";
    const size_t count = 4;
    const char *names[count] = {"listed/0", "listed/1", "listed/2", "listed/3"};
    hr_io_file files[count] = {};
    for (size_t i = 0; i < count; i++) {
        files[i].path = names[i];
        files[i].info.mode = i < 2 ? 0644 : 0640;
    }
    hr_io io = request(HR_IO_WRITE_FILES);
    io.dir = root;
    io.files = files;
    io.file_count = count;
    ASSERT_EQ(client->run(&io), HR_OK);
    for (size_t i = 0; i < count; i++) {
        struct stat info = {};
        EXPECT_EQ(files[i].status, HR_OK) << i;
        ASSERT_EQ(stat(in_root(names[i]).c_str(), &info), 0) << i;
        EXPECT_EQ(info.st_mode & 07777u, files[i].info.mode) << i;
    }
}

TEST_F(StoragePosix, DoesNotWaitForTheOtherEndOfAFifo)
{
    ASSERT_EQ(mkfifo(in_root("fifo").c_str(), 0600), 0);
    hr_file *file = nullptr;
    for (unsigned flags : {+HR_IO_READABLE, +HR_IO_WRITABLE, HR_IO_READABLE | HR_IO_WRITABLE})
        EXPECT_EQ(client->open(root, "fifo", flags, &file), HR_UNSUPPORTED);
    hr_file_info info;
    ASSERT_EQ(client->lookup(root, "fifo", &info), HR_OK);
    EXPECT_EQ(info.type, HR_FILE_SPECIAL);
}

// On ramfs time moves in ticks, as it does on all file systems before Linux 6.13.
TEST_F(StoragePosix, WhatChangesAfterItWasOpenedHasAnotherTime)
{
    const std::string ticking = in_root("ticking");
    ASSERT_EQ(mkdir(ticking.c_str(), 0700), 0);
    const bool mounted = mount("none", ticking.c_str(), "ramfs", 0, "") == 0;
    const auto change = [&](const char *text) {
        int fd = open((ticking + "/file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        EXPECT_EQ(pwrite(fd, text, 1, 0), 1);
        close(fd);
    };
    for (int i = 0; i < 10; i++) {
        hr_file *file = nullptr;
        hr_file_info before, after;
        change("a");
        ASSERT_EQ(client->open(root, "ticking/file", HR_IO_READABLE, &file, &before), HR_OK);
        change("b");
        ASSERT_EQ(client->stat(file, &after), HR_OK);
        EXPECT_NE(after.mtime_ns, before.mtime_ns);
        EXPECT_EQ(client->close(file), HR_OK);

        uint8_t byte = 0;
        hr_io_file small = {};
        small.path = "ticking/file";
        small.data = &byte;
        small.info = after;
        hr_io io = request(HR_IO_READ_FILES);
        io.dir = root;
        io.files = &small;
        io.file_count = 1;
        ASSERT_EQ(client->run(&io), HR_OK);
        EXPECT_EQ(small.status, HR_OK);
        EXPECT_EQ(byte, 'b');
        change("c");
        ASSERT_EQ(client->lookup(root, "ticking/file", &before), HR_OK);
        EXPECT_NE(after.mtime_ns, before.mtime_ns);
    }
    if (mounted)
        EXPECT_EQ(umount2(ticking.c_str(), MNT_DETACH), 0);
    else
        GTEST_SKIP() << "no root or no mounts: seen on " << path << " alone";
}

// It may have become one after it was listed as a file.
TEST_F(StoragePosix, TakesNothingOutOfAFifo)
{
    ASSERT_EQ(mkfifo(in_root("fifo").c_str(), 0600), 0);
    int fifo = open(in_root("fifo").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    ASSERT_GE(fifo, 0);
    ASSERT_EQ(write(fifo, "four", 4), 4);
    char bytes[5] = "";
    for (int64_t ctime_ns : {INT64_C(0), INT64_C(1)}) {
        hr_io_file file = {};
        file.path = "fifo";
        file.data = bytes;
        file.info.size = 4;
        file.info.ctime_ns = ctime_ns;
        hr_io io = request(HR_IO_READ_FILES);
        io.dir = root;
        io.files = &file;
        io.file_count = 1;
        ASSERT_EQ(client->run(&io), HR_OK);
        EXPECT_EQ(file.status, HR_CHANGED);
    }
    EXPECT_EQ(read(fifo, bytes, 4), 4);
    EXPECT_STREQ(bytes, "four");
    close(fifo);
}

TEST_F(StoragePosix, SaysThatAFileMayNotBeRead)
{
    if (geteuid() == 0)
        GTEST_SKIP() << "root may read everything";
    ASSERT_EQ(client->put(root, "file", {1}), HR_OK);
    ASSERT_EQ(chmod(in_root("file").c_str(), 0), 0);
    hr_file *file = nullptr;
    EXPECT_EQ(client->open(root, "file", HR_IO_READABLE, &file), HR_DENIED);
}

TEST_F(StoragePosix, LeavesNoNonblockingFlagOnWhatItOpens)
{
    // io_uring would answer -EAGAIN.
    hr_file *file = nullptr;
    ASSERT_EQ(client->open(root, "file", HR_IO_WRITABLE | HR_IO_CREATE, &file), HR_OK);
    EXPECT_EQ(fcntl(file->fd, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_NE(fcntl(file->fd, F_GETFD) & FD_CLOEXEC, 0);
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_F(StoragePosix, ChoosesIoUringWhereItWorksAndSaysWhyNot)
{
    for (bool files : {true, false}) {
        hr_loop *loop = nullptr;
        hr_storage *storage = nullptr;
        if (files && hr_loop_uring_create(hr_env_system(), &loop) != HR_OK)
            continue;
        if (!files) {
            ASSERT_EQ(hr_loop_poll_create(hr_env_system(), &loop), HR_OK);
        }
        ASSERT_EQ(hr_storage_create(loop, helpers, &storage), HR_OK);
        hr_storage_caps caps;
        storage->ops->query(storage, &caps);
        EXPECT_STREQ(storage->ops->name, files ? "io_uring" : "threads");
        EXPECT_EQ(std::string(caps.why).empty(), files) << caps.why;
        EXPECT_EQ(hr_loop_count(loop).operations, 0u) << "the loop was not stepped";
        Client one(loop, storage);
        ASSERT_EQ(one.put(nullptr, in_root("file"), noise(5000, 1)), HR_OK);
    }
    hr_loop *loop = nullptr;
    hr_storage *storage = nullptr;
    ASSERT_EQ(hr_loop_poll_create(hr_env_system(), &loop), HR_OK);
    EXPECT_EQ(hr_storage_uring_create(loop, helpers, &storage), HR_UNSUPPORTED);
    hr_loop_destroy(loop);
}

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

// ---- a kernel that lacks calls ----

// From now on, for this thread alone.
bool refuse(unsigned call, unsigned error)
{
    sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), // the number of the call
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog program = {sizeof filter / sizeof *filter, filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

TEST_F(StoragePosix, NeverReplacesWhereTheFileSystemCannotPromiseIt)
{
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (const char *name : {"from", "other"})
        close(openat(dir, name, O_CREAT | O_WRONLY, 0600));
    bool refused = false;
    int to_new = -1, to_other = -1;
    std::thread([&] {
        refused = refuse(SYS_renameat2, EINVAL);
        to_new = hr_posix_rename_exclusive(dir, "from", dir, "new");
        to_other = hr_posix_rename_exclusive(dir, "new", dir, "other");
    }).join();
    EXPECT_EQ(0, to_new);
    EXPECT_EQ(EEXIST, to_other);
    EXPECT_NE(0, faccessat(dir, "from", F_OK, 0));
    EXPECT_EQ(0, faccessat(dir, "new", F_OK, 0));
    close(dir);
    if (!refused)
        GTEST_SKIP() << "this machine takes no seccomp filter";
}

// By Linux 6.6 and later; by those before; where /proc is not mounted either.
TEST_F(StoragePosix, SetsPermissionsInWhateverWayThereIs)
{
    const unsigned fchmodat2 = 452;
    close(open(in_root("file").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    ASSERT_EQ(0, mkdir(in_root("folder").c_str(), 0700));
    bool refused = true;
    uint32_t mode = 0640;
    const auto expect_set = [&](const char *way) {
        for (const char *name : {"file", "folder"}) {
            hr_io_file file = {};
            file.path = name;
            file.info.mode = mode;
            file.info.mtime_ns = 1;
            hr_io io = request(HR_IO_STAMP_FILES);
            io.flags = HR_IO_MODE | HR_IO_NO_SYMLINKS;
            io.dir = root;
            io.files = &file;
            io.file_count = 1;
            hr_posix_act_files(&io, 0, 1);
            EXPECT_EQ(HR_OK, file.status) << way;
            struct stat info = {};
            EXPECT_EQ(0, stat(in_root(name).c_str(), &info));
            EXPECT_EQ(mode, info.st_mode & 07777) << way << ", " << name;
        }
        mode++;
    };
    std::thread([&] {
        expect_set("as it is");
        refused = refuse(fchmodat2, ENOSYS);
        expect_set("without fchmodat2");
        refused = refused && refuse(SYS_fchmodat, ENOENT);
#if defined(SYS_chmod) // on some machines the library makes the one of the other
        refused = refused && refuse(SYS_chmod, ENOENT);
#endif
        expect_set("and without /proc");
    }).join();
    if (!refused)
        GTEST_SKIP() << "this machine takes no seccomp filter";
}

} // namespace
