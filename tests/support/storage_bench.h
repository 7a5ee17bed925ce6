// SPDX-License-Identifier: Apache-2.0
// A storage of any kind with the loop it needs and a fresh directory, for the tests in C++:
// requests are made and waited for in one call. Everything goes with it, the files too.
#ifndef HR_STORAGE_BENCH_H
#define HR_STORAGE_BENCH_H

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

extern "C" {
#include "helpers.h"
#include "loop_sim.h"
#include "storage_memory.h"
#include "storage_posix.h"
#include "temp.h"
}

namespace storage_bench
{

using Bytes = std::vector<uint8_t>;

inline Bytes noise(size_t len, uint64_t seed)
{
    Bytes bytes(len);
    for (uint8_t &byte : bytes) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        byte = static_cast<uint8_t>(seed >> 56);
    }
    return bytes;
}

// Memory as slots have it: aligned for O_DIRECT.
class Slot
{
  public:
    explicit Slot(size_t len)
        : size(len), data(static_cast<uint8_t *>(aligned_alloc(4096, (len + 4095) / 4096 * 4096)))
    {
        memset(data, 0xEE, (len + 4095) / 4096 * 4096);
    }
    ~Slot()
    {
        free(data);
    }
    Slot(const Slot &) = delete;
    Slot &operator=(const Slot &) = delete;
    Bytes first(size_t len) const
    {
        return Bytes(data, data + len);
    }

    const size_t size;
    uint8_t *const data;
};

struct Entry {
    std::string name;
    hr_file_info info;
};

inline void count_done(hr_io *io)
{
    ++*static_cast<int *>(io->context);
}

inline hr_io request(hr_io_kind kind)
{
    hr_io io = {};
    io.kind = kind;
    io.buffer = -1;
    return io;
}

// One loop and the storage on it. The simulated clock moves by itself while something is awaited.
class Client
{
  public:
    Client(hr_loop *its_loop, hr_storage *its_storage) : loop(its_loop), storage(its_storage)
    {
    }
    ~Client()
    {
        storage->ops->destroy(storage);
        hr_loop_destroy(loop);
    }
    Client(const Client &) = delete;
    Client &operator=(const Client &) = delete;

    hr_status run(hr_io *io)
    {
        int done = 0;
        io->done = count_done;
        io->context = &done;
        hr_storage_submit(storage, io);
        EXPECT_EQ(done, 0) << "answered from inside submit";
        while (done == 0)
            (void)hr_loop_step(loop, hr_loop_now_ns(loop) + HR_NS_PER_S);
        EXPECT_EQ(done, 1);
        EXPECT_TRUE(io->status != HR_OK || io->error == 0);
        return io->status;
    }

    hr_status on_path(hr_io_kind kind, hr_dir *dir, const std::string &path, unsigned flags,
                      hr_io *io)
    {
        *io = request(kind);
        io->dir = dir;
        io->path = path.c_str();
        io->flags = flags;
        return run(io);
    }
    hr_status on_path(hr_io_kind kind, hr_dir *dir, const std::string &path, unsigned flags = 0)
    {
        hr_io io;
        return on_path(kind, dir, path, flags, &io);
    }
    hr_status on_file(hr_io_kind kind, hr_file *file, uint64_t len = 0)
    {
        hr_io io = request(kind);
        io.file = file;
        io.len = len;
        return run(&io);
    }

    hr_status open_dir(hr_dir *dir, const std::string &path, unsigned flags, hr_dir **dir_out)
    {
        hr_io io;
        const hr_status status = on_path(HR_IO_OPEN_DIR, dir, path, flags, &io);
        if (status == HR_OK)
            *dir_out = io.dir_out;
        return status;
    }
    hr_status close_dir(hr_dir *dir)
    {
        hr_io io = request(HR_IO_CLOSE_DIR);
        io.dir = dir;
        return run(&io);
    }
    hr_status open(hr_dir *dir, const std::string &path, unsigned flags, hr_file **file_out,
                   hr_file_info *info_out = nullptr)
    {
        hr_io io;
        const hr_status status = on_path(HR_IO_OPEN, dir, path, flags, &io);
        if (status == HR_OK) {
            *file_out = io.file_out;
            if (info_out != nullptr)
                *info_out = io.info;
        }
        return status;
    }
    hr_status close(hr_file *file)
    {
        return on_file(HR_IO_CLOSE, file);
    }
    hr_status move(hr_io_kind kind, hr_file *file, uint64_t offset, void *data, size_t len,
                   size_t *bytes_out = nullptr, int buffer = -1)
    {
        hr_io io = request(kind);
        io.file = file;
        io.offset = offset;
        io.data = data;
        io.len = len;
        io.buffer = buffer;
        const hr_status status = run(&io);
        if (status == HR_OK && bytes_out != nullptr)
            *bytes_out = io.bytes;
        return status;
    }
    hr_status rename(hr_dir *dir, const std::string &path, const std::string &path_to,
                     unsigned flags = 0)
    {
        hr_io io = request(HR_IO_RENAME);
        io.dir = dir;
        io.path = path.c_str();
        io.path_to = path_to.c_str();
        io.flags = flags;
        return run(&io);
    }
    hr_status stat(hr_file *file, hr_file_info *info_out)
    {
        hr_io io = request(HR_IO_STAT);
        io.file = file;
        const hr_status status = run(&io);
        if (status == HR_OK)
            *info_out = io.info;
        return status;
    }
    hr_status lookup(hr_dir *dir, const std::string &path, hr_file_info *info_out)
    {
        hr_io io;
        const hr_status status = on_path(HR_IO_LOOKUP, dir, path, 0, &io);
        if (status == HR_OK)
            *info_out = io.info;
        return status;
    }
    // All pages; between them, what between_pages does.
    template <typename Between>
    hr_status list(hr_dir *dir, const std::string &path, size_t page_len,
                   std::vector<Entry> *entries_out, Between between_pages)
    {
        Slot page(page_len);
        hr_io io = request(HR_IO_LIST);
        do {
            io.dir = dir;
            io.path = path.c_str();
            io.data = page.data;
            io.len = page_len;
            const hr_status status = run(&io);
            if (status != HR_OK)
                return status;
            for (size_t at = 0; at < io.bytes;) {
                const auto *entry = reinterpret_cast<const hr_dir_entry *>(page.data + at);
                entries_out->push_back({std::string(entry->name, entry->name_len), entry->info});
                EXPECT_EQ(entry->name[entry->name_len], '\0');
                at += entry->size;
            }
            EXPECT_LE(io.bytes, page_len);
            between_pages();
        } while (io.bytes > 0 && !io.last);
        return HR_OK;
    }
    hr_status list(hr_dir *dir, const std::string &path, size_t page_len,
                   std::vector<Entry> *entries_out)
    {
        return list(dir, path, page_len, entries_out, [] {});
    }

    hr_status put(hr_dir *dir, const std::string &path, const Bytes &content)
    {
        hr_file *file;
        hr_status status = open(dir, path, HR_IO_WRITABLE | HR_IO_CREATE | HR_IO_EMPTY, &file);
        if (status != HR_OK)
            return status;
        status = move(HR_IO_WRITE, file, 0, const_cast<uint8_t *>(content.data()), content.size());
        const hr_status closed = close(file);
        return status == HR_OK ? closed : status;
    }
    hr_status get(hr_dir *dir, const std::string &path, Bytes *content_out)
    {
        hr_file *file;
        hr_file_info info;
        hr_status status = open(dir, path, HR_IO_READABLE, &file, &info);
        if (status != HR_OK)
            return status;
        Bytes content(info.size + 1);
        size_t bytes = 0;
        status = move(HR_IO_READ, file, 0, content.data(), content.size(), &bytes);
        content.resize(bytes);
        *content_out = content;
        const hr_status closed = close(file);
        return status == HR_OK ? closed : status;
    }

    hr_loop *const loop;
    hr_storage *const storage;
};

} // namespace storage_bench

#endif
