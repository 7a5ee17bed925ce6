// SPDX-License-Identifier: Apache-2.0
// What only the storages on a real file system meet: symlinks, FIFOs, clocks that tick, kernels
// that lack calls. Calls that hang, stop short, are refused or give up: storage_held.cc.
#include <gtest/gtest.h>

#include <cerrno>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <thread>
#include <unistd.h>

#include "on_file_system.h"

using namespace storage_bench;

namespace
{

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
