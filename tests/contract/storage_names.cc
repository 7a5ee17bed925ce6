// SPDX-License-Identifier: Apache-2.0
// What every implementation of the storage seam promises of names: opening, listing, renaming,
// removing, locking.
#include "storage_world.h"

#include <cstring>
#include <map>
#include <set>

using namespace storage_world;

namespace
{

TEST_P(Storage, SaysWhyAFileCannotBeOpened)
{
    ASSERT_EQ(client->put(root, "file", {1}), HR_OK);
    hr_dir *dir = nullptr;
    ASSERT_EQ(client->open_dir(root, "dir", HR_IO_CREATE, &dir), HR_OK);
    ASSERT_EQ(client->close_dir(dir), HR_OK);
    hr_file *file = nullptr;
    EXPECT_EQ(client->open(root, "missing", HR_IO_READABLE, &file), HR_NOT_FOUND);
    EXPECT_EQ(client->open(root, "no/such/path", new_file, &file), HR_NOT_FOUND);
    EXPECT_EQ(client->open(root, "dir", HR_IO_READABLE, &file), HR_IS_DIRECTORY);
    EXPECT_EQ(client->open(root, "dir", HR_IO_WRITABLE, &file), HR_IS_DIRECTORY);
    EXPECT_EQ(client->open(root, "file/x", HR_IO_READABLE, &file), HR_NOT_DIRECTORY);
    EXPECT_EQ(client->open(root, "file", new_file | HR_IO_EXCLUSIVE, &file), HR_EXISTS);
    EXPECT_EQ(client->open(root, std::string(256, 'n'), HR_IO_READABLE, &file), HR_INVALID);
    EXPECT_EQ(client->open_dir(root, "file", 0, &dir), HR_NOT_DIRECTORY);
    EXPECT_EQ(client->open_dir(root, "missing", 0, &dir), HR_NOT_FOUND);
    EXPECT_EQ(client->open_dir(root, "file", HR_IO_CREATE, &dir), HR_NOT_DIRECTORY);
    EXPECT_EQ(client->open_dir(root, "file/below", HR_IO_CREATE, &dir), HR_NOT_DIRECTORY);
    EXPECT_EQ(file, nullptr) << "outputs are set only on success";
}

TEST_P(Storage, StaysBeneathItsDirectory)
{
    hr_dir *dir = nullptr, *above = nullptr;
    hr_file *file = nullptr;
    ASSERT_EQ(client->open_dir(root, "export/deep", HR_IO_CREATE, &dir), HR_OK);
    EXPECT_EQ(client->close_dir(dir), HR_OK);
    ASSERT_EQ(client->open_dir(root, "export", 0, &dir), HR_OK);
    ASSERT_EQ(client->put(root, "secret", {1, 2, 3}), HR_OK);
    ASSERT_EQ(client->put(dir, "open", {4}), HR_OK);
    for (const char *escape : {"../secret", "deep/../../secret", "/secret", "/etc/passwd", ".."}) {
        EXPECT_EQ(client->open(dir, escape, HR_IO_READABLE, &file), HR_POLICY) << escape;
        EXPECT_EQ(client->on_path(HR_IO_LOOKUP, dir, escape), HR_POLICY) << escape;
        EXPECT_EQ(client->open_dir(dir, escape, 0, &above), HR_POLICY) << escape;
    }
    EXPECT_EQ(client->rename(dir, "open", "../gone"), HR_POLICY);
    EXPECT_EQ(client->rename(dir, "../secret", "taken"), HR_POLICY);
    EXPECT_EQ(client->on_path(HR_IO_REMOVE, dir, "../secret"), HR_POLICY);
    EXPECT_EQ(client->open_dir(dir, "../new", HR_IO_CREATE, &above), HR_POLICY);
    Bytes back;
    EXPECT_EQ(client->get(dir, "deep/../open", &back), HR_OK) << "that stays beneath";
    EXPECT_EQ(client->get(dir, ".//open", &back), HR_OK);
    EXPECT_EQ(client->close_dir(dir), HR_OK);
}

TEST_P(Storage, TakesNamesAsTheBytesTheyAre)
{
    const std::string names[] = {"space and\nnewline",
                                 "\xFF\xFE not UTF-8",
                                 std::string(255, 'x'),
                                 "\x01\x1b[31m",
                                 ".hidden",
                                 "...",
                                 "schrödinger"};
    for (const std::string &name : names)
        ASSERT_EQ(client->put(root, name, Bytes(name.begin(), name.end())), HR_OK) << name;
    std::vector<Entry> entries;
    ASSERT_EQ(client->list(root, "", 65536, &entries), HR_OK);
    std::set<std::string> listed;
    for (const Entry &entry : entries) {
        EXPECT_EQ(entry.info.size, entry.name.size());
        listed.insert(entry.name);
    }
    EXPECT_EQ(listed, std::set<std::string>(std::begin(names), std::end(names)));
    for (const std::string &name : names) {
        Bytes back;
        ASSERT_EQ(client->get(root, name, &back), HR_OK);
        EXPECT_EQ(back, Bytes(name.begin(), name.end()));
    }
}

TEST_P(Storage, ListsEveryEntryOnceWhateverThePage)
{
    hr_dir *dir = nullptr;
    ASSERT_EQ(client->open_dir(root, "many", HR_IO_CREATE, &dir), HR_OK);
    std::set<std::string> names;
    for (int i = 0; i < 700; i++) {
        const std::string name = "entry " + std::to_string(i * 7919);
        ASSERT_EQ(client->put(dir, name, {}), HR_OK);
        names.insert(name);
    }
    EXPECT_EQ(client->close_dir(dir), HR_OK);
    for (size_t page : {size_t{400}, size_t{4096}, size_t{1} << 20}) {
        std::vector<Entry> entries;
        ASSERT_EQ(client->list(root, "many", page, &entries), HR_OK);
        EXPECT_EQ(entries.size(), names.size()) << "pages of " << page;
        std::set<std::string> listed;
        for (const Entry &entry : entries)
            listed.insert(entry.name);
        EXPECT_EQ(listed, names) << "pages of " << page;
    }
}

TEST_P(Storage, ListsWhatStaysWhileOtherEntriesGo)
{
    std::set<std::string> kept, listed;
    for (int i = 0; i < 200; i++) {
        const std::string name = (i % 2 ? "keep " : "drop ") + std::to_string(i);
        ASSERT_EQ(client->put(root, name, {}), HR_OK);
        if (i % 2)
            kept.insert(name);
    }
    int dropped = 0;
    std::vector<Entry> entries;
    ASSERT_EQ(client->list(root, "", 2048, &entries,
                           [&] {
                               for (int i = 0; i < 10 && dropped < 200; i++, dropped += 2)
                                   EXPECT_EQ(client->on_path(HR_IO_REMOVE, root,
                                                             "drop " + std::to_string(dropped)),
                                             HR_OK);
                           }),
              HR_OK);
    for (const Entry &entry : entries)
        EXPECT_TRUE(listed.insert(entry.name).second) << entry.name << " twice";
    for (const std::string &name : kept)
        EXPECT_EQ(listed.count(name), 1u) << name;
}

TEST_P(Storage, SaysWhyADirectoryCannotBeListed)
{
    ASSERT_EQ(client->put(root, "file", {1}), HR_OK);
    std::vector<Entry> entries;
    EXPECT_EQ(client->list(root, "file", 4096, &entries), HR_NOT_DIRECTORY);
    EXPECT_EQ(client->list(root, "missing", 4096, &entries), HR_NOT_FOUND);
    EXPECT_EQ(client->list(root, "", 16, &entries), HR_INVALID) << "no room for one entry";
    EXPECT_TRUE(entries.empty());
}

TEST_P(Storage, TellsTheSameOfAFileInEveryWay)
{
    ASSERT_EQ(client->put(root, "file", noise(12345, 9)), HR_OK);
    hr_file_info opened_info, stat_info, lookup_info;
    hr_file *file = opened("file", HR_IO_READABLE, &opened_info);
    ASSERT_EQ(client->stat(file, &stat_info), HR_OK);
    ASSERT_EQ(client->lookup(root, "file", &lookup_info), HR_OK);
    std::vector<Entry> entries;
    ASSERT_EQ(client->list(root, "", 4096, &entries), HR_OK);
    ASSERT_EQ(entries.size(), 1u);
    const uint8_t none[16] = {};
    EXPECT_NE(memcmp(opened_info.filesystem, none, 16), 0);
    for (const hr_file_info &info : {stat_info, lookup_info, entries[0].info}) {
        EXPECT_EQ(info.type, HR_FILE_REGULAR);
        EXPECT_EQ(info.size, 12345u);
        EXPECT_EQ(info.mode, opened_info.mode);
        EXPECT_EQ(info.inode, opened_info.inode);
        EXPECT_EQ(info.mtime_ns, opened_info.mtime_ns);
        EXPECT_EQ(info.ctime_ns, opened_info.ctime_ns);
        EXPECT_EQ(info.links, 1u);
        EXPECT_EQ(memcmp(info.filesystem, opened_info.filesystem, 16), 0);
    }
    EXPECT_EQ(client->close(file), HR_OK);
    ASSERT_EQ(client->lookup(root, "", &lookup_info), HR_OK);
    EXPECT_EQ(lookup_info.type, HR_FILE_DIRECTORY);
}

TEST_P(Storage, RenamesAndReplaces)
{
    Bytes back;
    hr_dir *dir = nullptr;
    ASSERT_EQ(client->open_dir(root, "a/b", HR_IO_CREATE, &dir), HR_OK);
    EXPECT_EQ(client->close_dir(dir), HR_OK);
    ASSERT_EQ(client->put(root, "a/new", {1}), HR_OK);
    ASSERT_EQ(client->put(root, "old", {2}), HR_OK);
    hr_file_info before, after;
    ASSERT_EQ(client->lookup(root, "a/new", &before), HR_OK);
    EXPECT_EQ(client->rename(root, "a/new", "old", HR_IO_EXCLUSIVE), HR_EXISTS);
    EXPECT_EQ(client->rename(root, "a/new", "old"), HR_OK);
    ASSERT_EQ(client->get(root, "old", &back), HR_OK);
    EXPECT_EQ(back, Bytes{1});
    ASSERT_EQ(client->lookup(root, "old", &after), HR_OK);
    EXPECT_EQ(after.inode, before.inode);
    EXPECT_EQ(client->on_path(HR_IO_LOOKUP, root, "a/new"), HR_NOT_FOUND);
    EXPECT_EQ(client->rename(root, "old", "a/b/free", HR_IO_EXCLUSIVE), HR_OK);
    EXPECT_EQ(client->rename(root, "missing", "x"), HR_NOT_FOUND);
    EXPECT_EQ(client->rename(root, "a/b/free", "missing/x"), HR_NOT_FOUND);
    ASSERT_EQ(client->open_dir(root, "empty", HR_IO_CREATE, &dir), HR_OK);
    EXPECT_EQ(client->close_dir(dir), HR_OK);
    EXPECT_EQ(client->rename(root, "a/b/free", "empty"), HR_IS_DIRECTORY);
    EXPECT_EQ(client->rename(root, "empty", "a/b/free"), HR_NOT_DIRECTORY);
    EXPECT_EQ(client->rename(root, "a", "a/b/c"), HR_INVALID) << "into itself";
    ASSERT_EQ(client->get(root, "a/b/free", &back), HR_OK);

    EXPECT_EQ(client->rename(root, "empty", "a/b"), HR_EXISTS) << "it is not empty";
    EXPECT_EQ(client->rename(root, "a/b", "empty"), HR_OK) << "which is";
    ASSERT_EQ(client->get(root, "empty/free", &back), HR_OK);
    EXPECT_EQ(client->on_path(HR_IO_LOOKUP, root, "a/b"), HR_NOT_FOUND);
}

TEST_P(Storage, RemovesFilesAndEmptyDirectories)
{
    hr_dir *dir = nullptr;
    ASSERT_EQ(client->open_dir(root, "dir", HR_IO_CREATE, &dir), HR_OK);
    EXPECT_EQ(client->close_dir(dir), HR_OK);
    ASSERT_EQ(client->put(root, "dir/file", {1}), HR_OK);
    EXPECT_EQ(client->on_path(HR_IO_REMOVE, root, "dir"), HR_EXISTS);
    for (const char *name : {"dir", "dir/file"}) {
        hr_io io = request(HR_IO_REMOVE);
        io.dir = root;
        io.path = name;
        io.flags = HR_IO_ONLY_DIR;
        EXPECT_EQ(client->run(&io), name[3] == '/' ? HR_NOT_DIRECTORY : HR_EXISTS) << name;
    }
    EXPECT_EQ(client->on_path(HR_IO_REMOVE, root, "dir/file"), HR_OK);
    EXPECT_EQ(client->on_path(HR_IO_REMOVE, root, "dir/file"), HR_NOT_FOUND);
    EXPECT_EQ(client->on_path(HR_IO_REMOVE, root, "dir"), HR_OK);
    EXPECT_EQ(client->on_path(HR_IO_LOOKUP, root, "dir"), HR_NOT_FOUND);
    EXPECT_EQ(client->on_path(HR_IO_REMOVE, root, ""), HR_INVALID);
}

TEST_P(Storage, KeepsARemovedFileForThoseWhoHaveItOpen)
{
    const Bytes content = noise(5000, 10);
    ASSERT_EQ(client->put(root, "file", content), HR_OK);
    hr_file *file = opened("file", HR_IO_READABLE);
    ASSERT_EQ(client->on_path(HR_IO_REMOVE, root, "file"), HR_OK);
    Bytes back(5000);
    ASSERT_EQ(client->move(HR_IO_READ, file, 0, back.data(), back.size()), HR_OK);
    EXPECT_TRUE(back == content);
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_P(Storage, SyncsFilesAndDirectories)
{
    hr_file *file = opened("file", new_file);
    EXPECT_EQ(client->on_file(HR_IO_SYNC, file), HR_OK);
    EXPECT_EQ(client->on_path(HR_IO_SYNC_DIR, root, ""), HR_OK);
    EXPECT_EQ(client->on_path(HR_IO_SYNC_DIR, root, "file"), HR_NOT_DIRECTORY);
    EXPECT_EQ(client->on_path(HR_IO_SYNC_DIR, root, "missing"), HR_NOT_FOUND);
    EXPECT_EQ(client->close(file), HR_OK);
}

TEST_P(Storage, LocksAgainstAnotherHandle)
{
    hr_file *first = opened("file", new_file), *second = opened("file", new_file);
    EXPECT_EQ(client->on_file(HR_IO_LOCK, first), HR_OK);
    EXPECT_EQ(client->on_file(HR_IO_LOCK, first), HR_OK) << "its own";
    EXPECT_EQ(client->on_file(HR_IO_LOCK, second), HR_BUSY);
    EXPECT_EQ(client->close(first), HR_OK);
    EXPECT_EQ(client->on_file(HR_IO_LOCK, second), HR_OK) << "a lock ends with its handle";
    EXPECT_EQ(client->close(second), HR_OK);
}

INSTANTIATE_TEST_SUITE_P(Contract, Storage, testing::ValuesIn(setups),
                         [](const testing::TestParamInfo<Setup> &setup) {
                             return setup.param.name;
                         });

} // namespace
