// SPDX-License-Identifier: Apache-2.0
// What every implementation of the storage seam promises of what files hold. Of names:
// storage_names.cc; of requests for many files or directories: storage_many.cc.
#include <sys/stat.h>
#include <unistd.h>

#include "storage_world.h"

#include <algorithm>
#include <cstring>

using namespace storage_world;

namespace
{

TEST_P(Storage, BringsBackWhatWasWritten)
{
    for (size_t len :
         {0u, 1u, 511u, 4095u, 4096u, 4097u, (1u << 20) - 1, (1u << 20) + 1, (9u << 20) + 123}) {
        const Bytes content = noise(len, len);
        Bytes back;
        ASSERT_EQ(client->put(root, "file", content), HR_OK) << len;
        ASSERT_EQ(client->get(root, "file", &back), HR_OK) << len;
        EXPECT_TRUE(back == content) << len;
    }
}

TEST_P(Storage, WritesAndReadsDirect)
{
    const size_t size = (5 << 20) + 777, room = (6 << 20);
    const Bytes content = noise(size, 2);
    Slot slot(room);
    memcpy(slot.data, content.data(), size);
    hr_file *file = opened("direct", new_file | HR_IO_DIRECT);
    const size_t rounded = (size + 4095) / 4096 * 4096;
    ASSERT_EQ(client->on_file(HR_IO_ALLOCATE, file, size), HR_OK);
    ASSERT_EQ(client->move(HR_IO_WRITE, file, 0, slot.data, rounded), HR_OK);
    ASSERT_EQ(client->on_file(HR_IO_TRUNCATE, file, size), HR_OK);
    ASSERT_EQ(client->on_file(HR_IO_SYNC, file), HR_OK);

    Slot back(room);
    size_t bytes = 0;
    ASSERT_EQ(client->move(HR_IO_READ, file, 0, back.data, room, &bytes), HR_OK);
    EXPECT_EQ(bytes, size) << "short at the end of the file and nowhere else";
    EXPECT_TRUE(back.first(size) == content);
    ASSERT_EQ(client->move(HR_IO_READ, file, 4 << 20, back.data, rounded - (4 << 20), &bytes),
              HR_OK);
    EXPECT_EQ(bytes, size - (4 << 20)) << "the tail, asked for rounded up";
    ASSERT_EQ(client->move(HR_IO_READ, file, 8 << 20, back.data, 4096, &bytes), HR_OK);
    EXPECT_EQ(bytes, 0u) << "behind the end";
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_P(Storage, ReadsSizesAroundAlignmentsDirect)
{
    for (size_t size :
         {0u, 1u, 511u, 512u, 4095u, 4096u, 4097u, 8192u, (1u << 20) + 512, (1u << 20) + 4096}) {
        const Bytes content = noise(size, size);
        ASSERT_EQ(client->put(root, "file", content), HR_OK);
        hr_file *file = opened("file", HR_IO_READABLE | HR_IO_DIRECT);
        Slot slot(2 << 20);
        size_t bytes = 0;
        ASSERT_EQ(client->move(HR_IO_READ, file, 0, slot.data, slot.size, &bytes), HR_OK) << size;
        EXPECT_EQ(bytes, size);
        EXPECT_TRUE(slot.first(bytes) == content) << size;
        EXPECT_EQ(client->close(file), HR_OK);
    }
}

TEST_P(Storage, RefusesUnalignedDirectRequests)
{
    ASSERT_EQ(client->put(root, "file", noise(20000, 3)), HR_OK);
    hr_file_info info;
    hr_file *file = opened("file", HR_IO_READABLE | HR_IO_WRITABLE | HR_IO_DIRECT, &info);
    Slot slot(16384);
    if (info.direct_align != 0) {
        EXPECT_EQ(client->move(HR_IO_READ, file, 1, slot.data, 4096), HR_INVALID);
        EXPECT_EQ(client->move(HR_IO_READ, file, 0, slot.data, 4095), HR_INVALID);
        EXPECT_EQ(client->move(HR_IO_READ, file, 0, slot.data + 8, 4096), HR_INVALID);
        EXPECT_EQ(client->move(HR_IO_WRITE, file, 0, slot.data, 100), HR_INVALID);
    }
    EXPECT_EQ(client->close(file), HR_OK);
    if (info.direct_align == 0)
        GTEST_SKIP() << "the file system of " << path << " has no O_DIRECT";
}

TEST_P(Storage, ReadsHolesAsZeros)
{
    hr_file *file = opened("sparse", new_file);
    Bytes end = {1, 2, 3};
    ASSERT_EQ(client->on_file(HR_IO_TRUNCATE, file, 3 << 20), HR_OK);
    ASSERT_EQ(client->move(HR_IO_WRITE, file, 3 << 20, end.data(), end.size()), HR_OK);
    Bytes back((3 << 20) + 3), expected((3 << 20) + 3);
    std::copy(end.begin(), end.end(), expected.end() - 3);
    size_t bytes = 0;
    ASSERT_EQ(client->move(HR_IO_READ, file, 0, back.data(), back.size(), &bytes), HR_OK);
    EXPECT_EQ(bytes, back.size());
    EXPECT_TRUE(back == expected);
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_P(Storage, ReadsShortWhereAnotherMadeTheFileShorter)
{
    ASSERT_EQ(client->put(root, "file", noise(3 << 20, 4)), HR_OK);
    hr_file *reader = opened("file", HR_IO_READABLE | HR_IO_DIRECT);
    hr_file *writer = opened("file", HR_IO_WRITABLE);
    ASSERT_EQ(client->on_file(HR_IO_TRUNCATE, writer, 1234567), HR_OK);
    Slot slot(3 << 20);
    size_t bytes = 0;
    ASSERT_EQ(client->move(HR_IO_READ, reader, 0, slot.data, slot.size, &bytes), HR_OK);
    EXPECT_EQ(bytes, 1234567u);
    EXPECT_EQ(client->close(reader), HR_OK);
    EXPECT_EQ(client->close(writer), HR_OK);
}

TEST_P(Storage, StampsTheTimeOfTheLastChange)
{
    hr_file *file = opened("stamped", new_file);
    Bytes content = {1, 2, 3};
    ASSERT_EQ(client->move(HR_IO_WRITE, file, 0, content.data(), content.size()), HR_OK);
    for (int64_t time_ns : {INT64_C(1234567890123456789), INT64_C(0), INT64_C(-1500000000)}) {
        hr_io io = {};
        io.kind = HR_IO_STAMP;
        io.file = file;
        io.info.mtime_ns = time_ns;
        ASSERT_EQ(client->run(&io), HR_OK);
        hr_file_info info;
        ASSERT_EQ(client->stat(file, &info), HR_OK);
        EXPECT_EQ(info.mtime_ns, time_ns);
    }
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_P(Storage, StampsWhatAPathNames)
{
    hr_dir *made = nullptr;
    ASSERT_EQ(client->open_dir(root, "directory", HR_IO_CREATE, &made), HR_OK);
    ASSERT_EQ(client->put(root, "file", Bytes(10, 1)), HR_OK);
    for (const char *name : {"directory", "file"}) {
        hr_io io = request(HR_IO_STAMP);
        io.dir = root;
        io.path = name;
        io.flags = HR_IO_NO_SYMLINKS | HR_IO_MODE;
        io.info.mtime_ns = 1234567890123456789;
        io.info.mode = 0751;
        ASSERT_EQ(client->run(&io), HR_OK) << name;
        hr_file_info info;
        ASSERT_EQ(client->lookup(root, name, &info), HR_OK);
        EXPECT_EQ(info.mtime_ns, 1234567890123456789);
        EXPECT_EQ(info.mode, 0751u);
    }
    hr_io io;
    EXPECT_EQ(client->on_path(HR_IO_STAMP, root, "file", HR_IO_ONLY_DIR, &io), HR_NOT_DIRECTORY);
    EXPECT_EQ(client->on_path(HR_IO_STAMP, root, "missing", 0, &io), HR_NOT_FOUND);
    EXPECT_EQ(client->close_dir(made), HR_OK);
}

TEST_P(Storage, ASymlinkSaysWhatItWasToldAndIsNotFollowed)
{
    const std::string said = "../" + std::string(300, 'x') + "/nowhere\xff";
    hr_io io = request(HR_IO_SYMLINK);
    io.dir = root;
    io.path = "link";
    io.path_to = said.c_str();
    ASSERT_EQ(client->run(&io), HR_OK);
    EXPECT_EQ(client->run(&io), HR_EXISTS);
    io.path = "nothing";
    io.path_to = "";
    EXPECT_EQ(client->run(&io), HR_NOT_FOUND);
    hr_file_info info;
    ASSERT_EQ(client->lookup(root, "link", &info), HR_OK);
    EXPECT_EQ(info.type, HR_FILE_SYMLINK);

    char back[HR_PATH_MAX];
    io = request(HR_IO_READLINK);
    io.dir = root;
    io.path = "link";
    io.data = back;
    io.len = sizeof back;
    ASSERT_EQ(client->run(&io), HR_OK);
    EXPECT_EQ(said, std::string(back, io.bytes));

    hr_file *file = nullptr;
    EXPECT_EQ(client->open(root, "link", HR_IO_WRITABLE | HR_IO_CREATE | HR_IO_NO_SYMLINKS, &file),
              HR_POLICY);
    io = request(HR_IO_STAMP);
    io.dir = root;
    io.path = "link";
    io.info.mtime_ns = 1000000000;
    ASSERT_EQ(client->run(&io), HR_OK);
    ASSERT_EQ(client->lookup(root, "link", &info), HR_OK);
    EXPECT_EQ(info.mtime_ns, 1000000000);

    std::vector<uint64_t> page(HR_DIR_ENTRY_MAX / sizeof(uint64_t) + 1);
    io = request(HR_IO_LIST);
    io.dir = root;
    io.path = "";
    io.data = page.data();
    io.len = HR_DIR_ENTRY_MAX;
    ASSERT_EQ(client->run(&io), HR_OK);
    const auto *entry = reinterpret_cast<const hr_dir_entry *>(page.data());
    EXPECT_EQ(said, std::string(hr_dir_entry_target(entry), entry->target_len));
}

TEST_P(Storage, AFurtherNameIsOfTheSameFile)
{
    ASSERT_EQ(client->put(root, "first", Bytes(10, 1)), HR_OK);
    hr_io io = request(HR_IO_LINK);
    io.dir = root;
    io.path = "first";
    io.path_to = "second";
    ASSERT_EQ(client->run(&io), HR_OK);
    EXPECT_EQ(client->run(&io), HR_EXISTS);
    hr_file_info first, second;
    ASSERT_EQ(client->lookup(root, "first", &first), HR_OK);
    ASSERT_EQ(client->lookup(root, "second", &second), HR_OK);
    EXPECT_EQ(first.inode, second.inode);
    EXPECT_EQ(second.links, 2u);
    io.path = "missing";
    io.path_to = "third";
    EXPECT_EQ(client->run(&io), HR_NOT_FOUND);
    EXPECT_EQ(client->on_path(HR_IO_SYNC_ALL, root, ""), HR_OK);
}

TEST_P(Storage, MakesADirectoryWithoutOpeningIt)
{
    hr_file_info info;
    hr_io io = request(HR_IO_MAKE_DIR);
    io.dir = root;
    for (unsigned flags : {0u, unsigned(HR_IO_UNSYNCED)}) {
        const std::string made = flags == 0 ? "synced/below" : "unsynced/below";
        io.path = made.c_str();
        io.flags = flags;
        ASSERT_EQ(client->run(&io), HR_OK);
        EXPECT_TRUE(io.changed);
        ASSERT_EQ(client->lookup(root, made.c_str(), &info), HR_OK);
        EXPECT_EQ(info.type, HR_FILE_DIRECTORY);
        ASSERT_EQ(client->run(&io), HR_OK);
        EXPECT_FALSE(io.changed);
    }
    ASSERT_EQ(client->put(root, "file", Bytes(10, 1)), HR_OK);
    io.path = "file";
    EXPECT_EQ(client->run(&io), HR_NOT_DIRECTORY);
}

TEST_P(Storage, WritesSparselyWhatReadsTheSame)
{
    hr_file *file = opened("sparse", new_file | HR_IO_DIRECT);
    constexpr size_t LEN = 64 << 10;
    Slot written(LEN), read(LEN);
    memset(written.data, 0x5A, LEN); // of an earlier attempt, where there is to be a hole
    ASSERT_EQ(client->move(HR_IO_WRITE, file, 0, written.data, LEN), HR_OK);
    memset(written.data, 0, LEN);
    memset(written.data + 20480, 7, 4097);
    hr_io io = request(HR_IO_WRITE);
    io.file = file;
    io.data = written.data;
    io.len = LEN;
    io.flags = HR_IO_SPARSE;
    ASSERT_EQ(client->run(&io), HR_OK);
    EXPECT_EQ(io.bytes, LEN);
    ASSERT_EQ(client->move(HR_IO_READ, file, 0, read.data, LEN), HR_OK);
    EXPECT_EQ(written.first(LEN), read.first(LEN));
    hr_file_info info;
    ASSERT_EQ(client->stat(file, &info), HR_OK);
    EXPECT_EQ(info.size, LEN);
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_P(Storage, AllocatesAndTruncates)
{
    hr_file *file = opened("file", new_file);
    hr_file_info info;
    for (uint64_t len : {5000u, 100000u, 0u, 77u}) {
        ASSERT_EQ(client->on_file(len % 2 ? HR_IO_TRUNCATE : HR_IO_ALLOCATE, file, len), HR_OK);
        ASSERT_EQ(client->stat(file, &info), HR_OK);
        EXPECT_EQ(info.size, len);
    }
    Bytes back(100, 9);
    size_t bytes = 0;
    ASSERT_EQ(client->move(HR_IO_READ, file, 0, back.data(), back.size(), &bytes), HR_OK);
    back.resize(bytes);
    EXPECT_EQ(back, Bytes(77, 0));
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_P(Storage, Appends)
{
    hr_file *file = opened("journal", HR_IO_WRITABLE | HR_IO_CREATE | HR_IO_APPEND);
    Bytes expected, back;
    for (unsigned i = 0; i < 5; i++) {
        Bytes record = noise(100 + (i == 3 ? 3u << 20 : 0), i);
        ASSERT_EQ(client->move(HR_IO_WRITE, file, 0, record.data(), record.size()), HR_OK);
        expected.insert(expected.end(), record.begin(), record.end());
    }
    EXPECT_EQ(client->close(file), HR_OK);
    ASSERT_EQ(client->get(root, "journal", &back), HR_OK);
    EXPECT_TRUE(back == expected);
}

TEST_P(Storage, RefusesToWriteWhatIsOpenForReadingAndTheOtherWayRound)
{
    ASSERT_EQ(client->put(root, "file", noise(100, 5)), HR_OK);
    Bytes bytes(100);
    hr_file *file = opened("file", HR_IO_READABLE);
    EXPECT_EQ(client->move(HR_IO_WRITE, file, 0, bytes.data(), 100), HR_INVALID);
    EXPECT_EQ(client->on_file(HR_IO_TRUNCATE, file, 5), HR_INVALID);
    EXPECT_EQ(client->close(file), HR_OK);
    file = opened("file", HR_IO_WRITABLE);
    EXPECT_EQ(client->move(HR_IO_READ, file, 0, bytes.data(), 100), HR_INVALID);
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_P(Storage, TakesMoreRequestsAtOnceThanItHasRoomFor)
{
    const size_t count = 400, len = 24 << 10;
    const Bytes content = noise(count * len, 6);
    ASSERT_EQ(client->put(root, "file", content), HR_OK);
    hr_file *file = opened("file", HR_IO_READABLE);
    Bytes back(count * len);
    std::vector<hr_io> ios(count, request(HR_IO_READ));
    std::vector<hr_io> stats(count, request(HR_IO_STAT));
    int done = 0;
    for (size_t i = 0; i < count; i++) {
        for (hr_io *io : {&ios[i], &stats[i]}) {
            io->file = file;
            io->done = count_done;
            io->context = &done;
        }
        ios[i].data = back.data() + i * len;
        ios[i].len = len;
        ios[i].offset = i * len;
        hr_storage_submit(client->storage, &ios[i]);
        hr_storage_submit(client->storage, &stats[i]);
    }
    while (done < 2 * static_cast<int>(count))
        (void)hr_loop_step(client->loop, hr_loop_now_ns(client->loop) + HR_NS_PER_S);
    for (size_t i = 0; i < count; i++) {
        EXPECT_EQ(ios[i].status, HR_OK);
        EXPECT_EQ(ios[i].bytes, len);
        EXPECT_EQ(stats[i].info.size, content.size());
    }
    EXPECT_TRUE(back == content);
    EXPECT_EQ(client->close(file), HR_OK);
    EXPECT_TRUE(!GetParam().faulty || requests >= 2 * count) << requests;
}

TEST_P(Storage, ReadsIntoRegisteredMemoryAndThroughAttachedFiles)
{
    const size_t slot_len = (4 << 20) + (64 << 10);
    const Bytes content = noise(slot_len * 2 + 100, 7);
    Slot pool(slot_len * 3);
    const iovec iov = {pool.data, pool.size};
    const hr_status registered = client->storage->ops->register_buffers(client->storage, &iov, 1);
    const int buffer = registered == HR_OK ? 0 : -1;
    hr_storage_caps caps;
    client->storage->ops->query(client->storage, &caps);
    EXPECT_EQ(caps.fixed_buffers, registered == HR_OK);

    ASSERT_EQ(client->put(root, "file", content), HR_OK);
    hr_file *file = opened("file", HR_IO_READABLE | HR_IO_WRITABLE | HR_IO_DIRECT);
    client->storage->ops->attach(client->storage, file);
    client->storage->ops->attach(client->storage, file);
    size_t bytes = 0;
    for (size_t i = 0; i < 3; i++) {
        ASSERT_EQ(client->move(HR_IO_READ, file, i * slot_len, pool.data + i * slot_len, slot_len,
                               &bytes, buffer),
                  HR_OK);
        EXPECT_EQ(bytes, i < 2 ? slot_len : 100);
    }
    EXPECT_TRUE(pool.first(content.size()) == content);
    ASSERT_EQ(client->move(HR_IO_WRITE, file, slot_len, pool.data, slot_len, nullptr, buffer),
              HR_OK);
    client->storage->ops->detach(client->storage, file);
    client->storage->ops->detach(client->storage, file);
    ASSERT_EQ(
        client->move(HR_IO_READ, file, slot_len, pool.data + slot_len, slot_len, &bytes, buffer),
        HR_OK);
    EXPECT_EQ(memcmp(pool.data, pool.data + slot_len, slot_len), 0);
    EXPECT_EQ(client->close(file), HR_OK);
    if (GetParam().kind == Kind::uring && registered != HR_OK)
        GTEST_SKIP() << "13 MiB could not be registered: " << hr_status_text(registered);
}

TEST_P(Storage, SharesFilesBetweenWorkers)
{
    std::unique_ptr<Client> other(make_client());
    const Bytes content = noise(2 << 20, 8);
    ASSERT_EQ(client->put(root, "file", content), HR_OK);
    hr_file *file = opened("file", HR_IO_READABLE | HR_IO_DIRECT);
    other->storage->ops->attach(other->storage, file);
    for (Client *worker : {client.get(), other.get()}) {
        Slot slot(2 << 20);
        ASSERT_EQ(worker->move(HR_IO_READ, file, 0, slot.data, slot.size), HR_OK);
        EXPECT_TRUE(slot.first(slot.size) == content);
    }
    other->storage->ops->detach(other->storage, file);
    EXPECT_EQ(client->close(file), HR_OK);
}

INSTANTIATE_TEST_SUITE_P(Contract, Storage, testing::ValuesIn(setups),
                         [](const testing::TestParamInfo<Setup> &setup) {
                             return setup.param.name;
                         });

} // namespace
