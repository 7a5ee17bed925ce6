// SPDX-License-Identifier: Apache-2.0
// What every implementation of the storage seam promises of one request for many files, or for many
// directories.
#include <sys/stat.h>
#include <unistd.h>

#include "storage_world.h"

#include <algorithm>
#include <cstring>

using namespace storage_world;

namespace
{

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

// Each file once, however the directories lie in the requests.
TEST_P(Storage, WritesTheFilesOfSeveralRequestsAtOnce)
{
    const size_t runs[] = {1, 40, 3, 120, 2, 33, 1, 64}; // files side by side
    const unsigned count = 4;
    std::vector<Files> written;
    written.reserve(count);
    for (unsigned r = 0; r < count; r++) {
        written.emplace_back(264, "");
        Files &files = written.back();
        size_t i = 0;
        for (size_t run = 0; run < sizeof runs / sizeof *runs; run++) // two share a directory
            for (size_t n = 0; n < runs[run]; n++, i++)
                files.names[i] = "d" + std::to_string(run + r / 2 * 8) + "/" + std::to_string(r) +
                                 "-" + std::to_string(i);
        ASSERT_EQ(i, files.files.size());
        for (i = 0; i < files.files.size(); i++)
            files.files[i].path = files.names[i].c_str();
    }
    int done = 0;
    std::vector<hr_io> ios(count, request(HR_IO_WRITE_FILES));
    for (unsigned r = 0; r < count; r++) {
        ios[r].dir = root;
        ios[r].flags = HR_IO_CREATE;
        ios[r].files = written[r].files.data();
        ios[r].file_count = written[r].files.size();
        ios[r].done = count_done;
        ios[r].context = &done;
        hr_storage_submit(client->storage, &ios[r]);
    }
    while (done < (int)count)
        (void)hr_loop_step(client->loop, hr_loop_now_ns(client->loop) + HR_NS_PER_S);
    for (Files &files : written) {
        const std::vector<Bytes> contents = files.contents;
        for (size_t i = 0; i < files.files.size(); i++) {
            EXPECT_EQ(files.files[i].status, HR_OK) << files.names[i];
            std::fill(files.contents[i].begin(), files.contents[i].end(), 0);
        }
        ASSERT_EQ(on_files(client.get(), HR_IO_READ_FILES, root, &files), HR_OK);
        EXPECT_TRUE(files.contents == contents);
    }
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

INSTANTIATE_TEST_SUITE_P(Contract, Storage, testing::ValuesIn(setups),
                         [](const testing::TestParamInfo<Setup> &setup) {
                             return setup.param.name;
                         });

} // namespace
