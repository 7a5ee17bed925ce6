// SPDX-License-Identifier: Apache-2.0
// What every implementation of the storage seam promises of what files hold. Of names:
// storage_names.cc.
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

// Many files in one request, in two directories.
struct Files {
    std::vector<std::string> names;
    std::vector<Bytes> contents;
    std::vector<hr_io_file> files;

    Files(size_t count, const std::string &suffix)
    {
        for (size_t i = 0; i < count; i++) {
            names.push_back((i % 2 ? "a/" : "a/b/") + std::to_string(i) + suffix);
            contents.push_back(noise(i * 37 % 5000, i));
        }
        for (size_t i = 0; i < count; i++) {
            hr_io_file file = {};
            file.path = names[i].c_str();
            file.data = contents[i].data();
            file.info.size = contents[i].size();
            file.info.mode = 0640;
            file.info.mtime_ns = INT64_C(1234567890123456789) + (int64_t)i;
            files.push_back(file);
        }
    }
};

hr_status on_files(Client *client, hr_io_kind kind, hr_dir *dir, Files *files, unsigned flags = 0)
{
    hr_io io = request(kind);
    io.dir = dir;
    io.flags = flags;
    io.files = files->files.data();
    io.file_count = files->files.size();
    return client->run(&io);
}

// A ctime is not what a file is: it changes with a further name, and it may not be known.
TEST_P(Storage, ReadsFilesThatWereListedWithTheirCtimeOrWithout)
{
    hr_dir *made = nullptr;
    ASSERT_EQ(client->open_dir(root, "a/b", HR_IO_CREATE | HR_IO_UNSYNCED, &made), HR_OK);
    EXPECT_EQ(client->close_dir(made), HR_OK);
    Files files(5, "");
    ASSERT_EQ(on_files(client.get(), HR_IO_WRITE_FILES, root, &files), HR_OK);
    Files read(5, "");
    ASSERT_EQ(on_files(client.get(), HR_IO_LOOKUP_FILES, root, &read), HR_OK);
    read.files[1].info.ctime_ns = 0;
    read.files[2].info.ctime_ns--;
    read.files[3].info.size++;
    hr_io io = request(HR_IO_REMOVE);
    io.dir = root;
    io.path = read.files[4].path;
    ASSERT_EQ(client->run(&io), HR_OK);
    ASSERT_EQ(client->open_dir(root, read.files[4].path, HR_IO_CREATE, &made), HR_OK);
    EXPECT_EQ(client->close_dir(made), HR_OK);
    for (Bytes &content : read.contents)
        std::fill(content.begin(), content.end(), 0);
    read.contents[3].resize(read.contents[3].size() + 1);
    read.files[3].data = read.contents[3].data();
    ASSERT_EQ(on_files(client.get(), HR_IO_READ_FILES, root, &read), HR_OK);
    for (size_t i = 0; i < 5; i++) {
        EXPECT_EQ(read.files[i].status, i < 3 ? HR_OK : HR_CHANGED) << i;
        EXPECT_TRUE(i >= 3 || read.contents[i] == files.contents[i]) << i;
    }
}

// As LIST of each, until the page is full or one fails.
TEST_P(Storage, ListsManyDirectoriesOnAPage)
{
    const size_t count = 40;
    std::vector<std::string> names;
    std::vector<hr_io_file> folders(count);
    for (size_t i = 0; i < count; i++) {
        names.push_back("folder" + std::to_string(i));
        ASSERT_EQ(client->on_path(HR_IO_MAKE_DIR, root, names[i], HR_IO_UNSYNCED), HR_OK);
        for (size_t j = 0; j < i; j++)
            ASSERT_EQ(client->on_path(HR_IO_MAKE_DIR, root, names[i] + "/" + std::to_string(j),
                                      HR_IO_UNSYNCED),
                      HR_OK);
    }
    Slot page(HR_DIR_ENTRY_MAX + (40 << 10));
    size_t pages = 0, entries = 0, at = 0;
    hr_io io = request(HR_IO_LIST_DIRS);
    io.dir = root;
    io.flags = HR_IO_NO_SYMLINKS;
    io.data = page.data;
    while (at < count) {
        for (size_t i = at; i < count; i++)
            folders[i].path = names[i].c_str();
        io.len = HR_DIR_ENTRY_MAX + (pages % 2 ? 0 : 40 << 10);
        io.files = &folders[at];
        io.file_count = count - at;
        ASSERT_EQ(client->run(&io), HR_OK);
        size_t answered = 0, used = 0;
        for (; at + answered < count && folders[at + answered].status == HR_OK; answered++)
            used += folders[at + answered].info.size;
        ASSERT_LT(0u, answered);
        EXPECT_EQ(io.bytes, used);
        for (size_t i = 0; i < used; entries++)
            i += ((const hr_dir_entry *)(page.data + i))->size;
        for (size_t i = answered; at + i < count; i++)
            EXPECT_EQ(folders[at + i].status, HR_AGAIN);
        at += io.last ? answered : answered - 1;
        io.cookie = io.last ? 0 : io.cookie;
        pages++;
    }
    EXPECT_EQ(entries, count * (count - 1) / 2);
    EXPECT_LT(2u, pages);
    EXPECT_GT(count, pages);

    folders[1].path = "none";
    io.files = folders.data();
    io.file_count = 3;
    ASSERT_EQ(client->run(&io), HR_OK);
    EXPECT_EQ(folders[0].status, HR_OK);
    EXPECT_EQ(folders[1].status, HR_NOT_FOUND);
    EXPECT_EQ(folders[2].status, HR_AGAIN);
}

// More than one thread takes at a time.
TEST_P(Storage, MakesAndStampsManyDirectories)
{
    const size_t count = 300;
    ASSERT_EQ(client->put(root, "taken", noise(1, 1)), HR_OK);
    ASSERT_EQ(client->on_path(HR_IO_MAKE_DIR, root, "there", HR_IO_UNSYNCED), HR_OK);
    Files folders(count, "");
    folders.names = {"none/it", "none/above/it", "taken", "there"};
    while (folders.names.size() < count)
        folders.names.push_back("there/" + std::to_string(folders.names.size()));
    for (size_t i = 0; i < count; i++) {
        folders.files[i].path = folders.names[i].c_str();
        folders.files[i].folder_mode = 0750;
        folders.files[i].info.mode = 0751;
    }
    ASSERT_EQ(on_files(client.get(), HR_IO_MAKE_DIRS, root, &folders, HR_IO_NO_SYMLINKS), HR_OK);
    for (size_t i = 0; i < count; i++) {
        EXPECT_EQ(folders.files[i].status, i < 2    ? HR_NOT_FOUND
                                           : i == 2 ? HR_NOT_DIRECTORY
                                                    : HR_OK)
            << i;
        EXPECT_EQ(folders.files[i].changed, i > 3) << i;
    }

    for (bool changed : {true, false}) {
        ASSERT_EQ(on_files(client.get(), HR_IO_STAMP_FILES, root, &folders,
                           HR_IO_NO_SYMLINKS | HR_IO_MODE | HR_IO_ONLY_DIR | HR_IO_IF_OTHER),
                  HR_OK);
        for (size_t i = 0; i < count; i++) {
            EXPECT_EQ(folders.files[i].status, i < 2    ? HR_NOT_FOUND
                                               : i == 2 ? HR_NOT_DIRECTORY
                                                        : HR_OK)
                << i;
            EXPECT_EQ(folders.files[i].changed, i > 2 && changed) << i;
        }
    }
    hr_file_info info;
    ASSERT_EQ(client->lookup(root, folders.names[299].c_str(), &info), HR_OK);
    EXPECT_EQ(info.mtime_ns, folders.files[299].info.mtime_ns);
    EXPECT_EQ(info.mode, 0751u);
    EXPECT_EQ(info.type, HR_FILE_DIRECTORY);
}

TEST_P(Storage, CarriesOutRequestsForManyFiles)
{
    const size_t count = 150;
    hr_dir *made = nullptr;
    ASSERT_EQ(client->open_dir(root, "a/b", HR_IO_CREATE | HR_IO_UNSYNCED, &made), HR_OK);
    EXPECT_EQ(client->close_dir(made), HR_OK);
    Files files(count, "");
    files.names[3] = "a/none/3";
    files.files[3].path = files.names[3].c_str();
    ASSERT_EQ(on_files(client.get(), HR_IO_WRITE_FILES, root, &files), HR_OK);
    for (size_t i = 0; i < count; i++)
        EXPECT_EQ(files.files[i].status, i == 3 ? HR_NOT_FOUND : HR_OK) << i;
    Bytes back;
    ASSERT_EQ(client->get(root, files.names[149], &back), HR_OK);
    EXPECT_TRUE(back == files.contents[149]);

    // A second time they are there; the others keep what they have.
    ASSERT_EQ(on_files(client.get(), HR_IO_WRITE_FILES, root, &files), HR_OK);
    EXPECT_EQ(files.files[0].status, HR_EXISTS);

    // The directory that is missing is made, but not the one that it would lie in.
    Files more(3, ".more");
    more.names = {"made/0", "made/1", "none/made/2"};
    for (size_t i = 0; i < 3; i++)
        more.files[i].path = more.names[i].c_str();
    ASSERT_EQ(on_files(client.get(), HR_IO_WRITE_FILES, root, &more, HR_IO_CREATE), HR_OK);
    EXPECT_EQ(more.files[0].status, HR_OK);
    EXPECT_EQ(more.files[1].status, HR_OK);
    EXPECT_EQ(more.files[2].status, HR_NOT_FOUND);
    ASSERT_EQ(client->get(root, "made/1", &back), HR_OK);

    Files found(count, "");
    ASSERT_EQ(on_files(client.get(), HR_IO_LOOKUP_FILES, root, &found), HR_OK);
    EXPECT_EQ(found.files[3].status, HR_NOT_FOUND);
    EXPECT_EQ(found.files[4].info.size, files.contents[4].size());
    EXPECT_EQ(found.files[4].info.mtime_ns, files.files[4].info.mtime_ns);
    EXPECT_EQ(found.files[4].info.mode & 07777, 0640u);

    Files read(count, "");
    for (Bytes &content : read.contents)
        std::fill(content.begin(), content.end(), 0);
    read.files[5].info.mtime_ns++;
    read.files[7].info.size++;
    ASSERT_EQ(on_files(client.get(), HR_IO_READ_FILES, root, &read), HR_OK);
    for (size_t i = 0; i < count; i++)
        EXPECT_EQ(read.files[i].status, i == 3             ? HR_NOT_FOUND
                                        : i == 5 || i == 7 ? HR_CHANGED
                                                           : HR_OK)
            << i;
    EXPECT_TRUE(read.contents[149] == files.contents[149]);

    Files renamed(count, "");
    Files targets(count, ".new");
    ASSERT_EQ(client->put(root, targets.names[9], noise(1, 1)), HR_OK);
    for (size_t i = 0; i < count; i++)
        renamed.files[i].path_to = targets.files[i].path;
    renamed.files[11].status = HR_IO;
    ASSERT_EQ(on_files(client.get(), HR_IO_RENAME_FILES, root, &renamed, HR_IO_EXCLUSIVE), HR_OK);
    for (size_t i = 0; i < count; i++)
        EXPECT_EQ(renamed.files[i].status, i == 3    ? HR_NOT_FOUND
                                           : i == 9  ? HR_EXISTS
                                           : i == 11 ? HR_IO
                                                     : HR_OK)
            << i;
    ASSERT_EQ(client->get(root, "a/149.new", &back), HR_OK);
    EXPECT_TRUE(back == files.contents[149]);
    EXPECT_EQ(client->get(root, "a/149", &back), HR_NOT_FOUND);
    hr_io io = request(HR_IO_SYNC_ALL);
    io.dir = root;
    EXPECT_EQ(client->run(&io), HR_OK);
}

// Until a tree is complete nobody reads in it what he may not read then.
TEST_P(Storage, MakesWhatIsPrivateAsThat)
{
    const mode_t umask_before = umask(022);
    hr_io io;
    auto make = [&](hr_io_kind kind, const char *name, unsigned flags, uint32_t mode) {
        io = request(kind);
        io.dir = root;
        io.path = name;
        io.flags = flags | HR_IO_CREATE | HR_IO_MODE;
        io.info.mode = mode;
        return client->run(&io);
    };
    auto mode_of = [&](const char *name) {
        hr_file_info looked = {};
        EXPECT_EQ(client->lookup(root, name, &looked), HR_OK) << name;
        return looked.mode & 0777u;
    };
    ASSERT_EQ(make(HR_IO_OPEN, "file", HR_IO_WRITABLE, 0600), HR_OK);
    EXPECT_EQ(client->close(io.file_out), HR_OK);
    EXPECT_EQ(mode_of("file"), 0600u);
    ASSERT_EQ(make(HR_IO_OPEN_DIR, "private", HR_IO_UNSYNCED, 0050), HR_OK);
    EXPECT_TRUE(io.changed);
    EXPECT_EQ(client->close_dir(io.dir_out), HR_OK);
    EXPECT_EQ(mode_of("private"), 0750u);
    ASSERT_EQ(make(HR_IO_OPEN_DIR, "above/below", 0, 0700), HR_OK);
    EXPECT_EQ(client->close_dir(io.dir_out), HR_OK);
    EXPECT_EQ(mode_of("above"), 0755u);
    EXPECT_EQ(mode_of("above/below"), 0700u);

    Files files(1, "");
    files.names[0] = "drawer/0";
    files.files[0].path = files.names[0].c_str();
    files.files[0].folder_mode = 0010;
    files.files[0].info.uid = getuid();
    files.files[0].info.gid = getgid();
    files.files[0].info.mode = 06711; // which a change of owner would take away
    const unsigned flags = HR_IO_CREATE | HR_IO_OWNER;
    ASSERT_EQ(on_files(client.get(), HR_IO_WRITE_FILES, root, &files, flags), HR_OK);
    EXPECT_EQ(files.files[0].status, HR_OK);
    EXPECT_EQ(mode_of("drawer"), 0710u);
    hr_file_info info = {};
    ASSERT_EQ(client->lookup(root, "drawer/0", &info), HR_OK);
    EXPECT_EQ(info.uid, getuid());
    EXPECT_EQ(info.mode, 06711u);
    umask(umask_before);
}

// Each gets its own permissions, whatever those of the one before it came to.
TEST_P(Storage, GivesManyFilesTheirModesWhateverTheUmask)
{
    const mode_t umask_before = umask(0);
    const uint32_t modes[] = {0644, 0644, 0644, 0600, 0777, 0777, 04711, 0711, 0444, 0444, 0, 0640};
    const size_t count = sizeof modes / sizeof *modes;
    for (mode_t mask : {0000, 0022, 0077, 0777}) {
        umask(mask);
        const std::string suffix = "." + std::to_string(mask);
        Files files(count, suffix);
        for (size_t i = 0; i < count; i++) {
            files.names[i] = std::to_string(i) + suffix;
            files.files[i].path = files.names[i].c_str();
            files.files[i].info.mode = modes[i];
        }
        ASSERT_EQ(on_files(client.get(), HR_IO_WRITE_FILES, root, &files), HR_OK);
        ASSERT_EQ(on_files(client.get(), HR_IO_LOOKUP_FILES, root, &files), HR_OK);
        for (size_t i = 0; i < count; i++) {
            EXPECT_EQ(files.files[i].status, HR_OK) << i;
            EXPECT_EQ(files.files[i].info.mode, modes[i]) << i << " with umask " << mask;
        }
    }
    umask(umask_before);
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
