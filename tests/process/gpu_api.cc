// SPDX-License-Identifier: Apache-2.0
// The library's calls for a GPU, over a driver that has none (tests/fake_cuda): a shard into the
// caller's memory there, and batches of chunks that lie there already.
#include "content.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tasks.h"

extern "C" {
#include "batch_cuda.h"
#include "codec.h"
#include "crc32c.h"
#include "fake_cuda.h"
#include "headrace.h"
#include "packed_maker.h"
#include "temp.h"
}

namespace
{

constexpr size_t CHUNK = 4 << 20;

uint64_t number_of(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

// What a program of the user's has on GPU 0: memory, a stream, an event.
class Mine
{
  public:
    explicit Mine(size_t len, int device = 0) : len_(len), device_(device)
    {
        EXPECT_EQ(0, cuda_->context_retain(&context_, device));
        EXPECT_EQ(0, cuda_->context_push(context_));
        EXPECT_EQ(0, cuda_->mem_alloc(&address_, len));
        EXPECT_EQ(0, cuda_->stream_create(&stream, HR_CUDA_STREAM_NONBLOCKING));
        EXPECT_EQ(0, cuda_->event_create(&event, HR_CUDA_EVENT_QUIET));
        EXPECT_EQ(0, cuda_->host_alloc((void **)&statuses, 4096, HR_CUDA_PORTABLE));
    }
    Mine(const Mine &) = delete;
    Mine &operator=(const Mine &) = delete;
    ~Mine()
    {
        hr_cuda_context *context;
        EXPECT_EQ(0, cuda_->host_free(statuses));
        EXPECT_EQ(0, cuda_->event_destroy(event));
        EXPECT_EQ(0, cuda_->stream_destroy(stream));
        EXPECT_EQ(0, cuda_->mem_free(address_));
        EXPECT_EQ(0, cuda_->context_pop(&context));
        EXPECT_EQ(0, cuda_->context_release(device_));
    }
    hr_span span() const
    {
        hr_span span = hr_span_host(at(0), len_);
        span.kind = HR_MEMORY_CUDA;
        span.device = (int16_t)device_;
        return span;
    }
    void *at(size_t offset) const
    {
        return (void *)(uintptr_t)(address_ + offset);
    }
    void put(size_t offset, const Bytes &bytes)
    {
        EXPECT_EQ(
            0, cuda_->copy_async(address_ + offset, number_of(bytes.data()), bytes.size(), stream));
    }
    // As it is when the stream has come past all that is in it.
    Bytes see(size_t offset, size_t len)
    {
        Bytes bytes(len, 0);
        EXPECT_EQ(0, cuda_->copy_async(number_of(bytes.data()), address_ + offset, len, stream));
        return bytes;
    }
    const hr_cuda *cuda() const
    {
        return cuda_;
    }

    hr_cuda_stream *stream = nullptr;
    hr_cuda_event *event = nullptr;
    int32_t *statuses = nullptr; // pinned

  private:
    const hr_cuda *cuda_ = fake_cuda();
    size_t len_;
    int device_;
    hr_cuda_context *context_ = nullptr;
    uint64_t address_ = 0;
};

class GpuApi : public testing::Test
{
  protected:
    void SetUp() override
    {
        (void)fake_cuda_grid(); // of the test before
    }
    void TearDown() override
    {
        EXPECT_EQ(0, fake_cuda_left());
    }
};

// ---- a shard into the caller's memory ----

// An engine, and a client of a directory that holds one file.
class Local
{
  public:
    explicit Local(const Bytes &content)
    {
        char path[HR_TEMP_PATH_MAX] = "";
        hr_error error = {};
        EXPECT_EQ(HR_OK, hr_temp_make(path));
        path_ = path;
        offer("file", content);
        hr_engine_options options = {};
        options.workers = 2;
        EXPECT_EQ(HR_OK, hr_engine_create(&options, &engine, &error)) << error.text;
        EXPECT_EQ(HR_OK, hr_engine_start(engine, &error)) << error.text;
        hr_client_options client_options = {};
        client_options.local_path = path;
        EXPECT_EQ(HR_OK, hr_client_open(engine, &client_options, &client_, &error)) << error.text;
    }
    Local(const Local &) = delete;
    Local &operator=(const Local &) = delete;
    ~Local()
    {
        hr_get_destroy(get);
        hr_client_destroy(client_);
        hr_engine_destroy(engine);
        EXPECT_EQ(HR_OK, hr_temp_remove(path_.c_str()));
    }
    void start(hr_get_options options)
    {
        hr_get_destroy(get);
        get = begin("file", options);
    }
    // The caller's.
    hr_get *begin(const std::string &name, hr_get_options options)
    {
        const std::string path = "local/" + name;
        hr_error error = {};
        hr_get *begun = nullptr;
        options.path = path.c_str();
        EXPECT_EQ(HR_OK, hr_get_start(client_, &options, &begun, &error)) << error.text;
        return begun;
    }
    void offer(const std::string &name, const Bytes &content)
    {
        FILE *file = fopen((path_ + "/" + name).c_str(), "w");
        EXPECT_EQ(content.size(), fwrite(content.data(), 1, content.size(), file));
        fclose(file);
    }
    hr_status wait()
    {
        while (hr_get_status(get) == HR_AGAIN)
            hr_engine_step(engine, HR_WAIT_FOREVER);
        return hr_get_status(get);
    }
    std::string text() const
    {
        return hr_get_error(get)->text;
    }

    hr_engine *engine = nullptr;
    hr_get *get = nullptr;

  private:
    std::string path_;
    hr_client *client_ = nullptr;
};

TEST_F(GpuApi, AShardIntoMemoryOfTheCallerBehindItsStream)
{
    const Bytes content = text(2 * CHUNK + 4321);
    Mine mine(content.size() + 64);
    Local local(content);
    // What the caller's stream still writes there comes first, however late it is.
    const Bytes earlier(content.size(), 'x');
    fake_cuda_hold(mine.stream, 1);
    mine.put(0, earlier);
    hr_get_options options = {};
    options.target_span = mine.span();
    options.cuda_stream = mine.stream;
    options.cuda_event = mine.event;
    options.max_sms = 1;
    const std::set<std::string> before = tasks();
    local.start(options);
    while (tasks_since(before).empty())
        hr_engine_step(local.engine, 1000000);
    for (int i = 0; i < 100; i++)
        hr_engine_step(local.engine, 1000000);
    expect_signals_blocked(tasks_since(before));
    EXPECT_EQ(0u, hr_get_count(local.get).bytes_verified);
    fake_cuda_hold(mine.stream, 0);
    EXPECT_EQ(HR_OK, local.wait()) << local.text();
    EXPECT_EQ(0, mine.cuda()->event_query(mine.event)) << "whoever waits for it sees the content";
    EXPECT_TRUE(mine.see(0, content.size()) == content);
    EXPECT_NE(nullptr, strstr(hr_get_path(local.get), "cuda:0")) << hr_get_path(local.get);
    EXPECT_GT(fake_cuda_grid(), 0u);
    // The GPU stays open for the next.
    local.start(options);
    EXPECT_EQ(HR_OK, local.wait()) << local.text();
    EXPECT_LE(fake_cuda_grid(), 8u) << "thread blocks on one multiprocessor";
}

TEST_F(GpuApi, WhatIsNotItsMemoryIsNoTarget)
{
    Mine mine(CHUNK), other(CHUNK, 1);
    Local local(text(CHUNK - 5));
    Bytes here(CHUNK + 16, 0);
    hr_span host = mine.span(), beyond = mine.span(), odd = mine.span(), wrong = other.span();
    host.addr = here.data() + (16 - number_of(here.data()) % 16);
    beyond.len += 1;
    odd.addr = mine.at(1);
    odd.len -= 1;
    wrong.device = 0;
    for (const hr_span &span : {host, beyond, odd, wrong}) {
        hr_get_options options = {};
        options.target_span = span;
        local.start(options);
        EXPECT_EQ(HR_INVALID, local.wait());
        EXPECT_NE(std::string::npos, local.text().find("memory of cuda:0")) << local.text();
    }
    hr_get_options options = {};
    options.target_span = other.span();
    local.start(options);
    EXPECT_EQ(HR_OK, local.wait()) << local.text();
    options.target_span.len = 10;
    local.start(options);
    EXPECT_EQ(HR_INVALID, local.wait());
}

TEST_F(GpuApi, OneGpuThatIsLostLeavesTheOther)
{
    Local local(text(2 * CHUNK));
    hr_get_options options = {};
    options.target_cuda = true;
    setenv("FAKE_CUDA_FAIL", "kernel:1:700", 1);
    local.start(options);
    EXPECT_EQ(HR_IO, local.wait());
    unsetenv("FAKE_CUDA_FAIL");
    EXPECT_NE(std::string::npos, local.text().find("chunk ")) << local.text();
    local.start(options);
    EXPECT_EQ(HR_IO, local.wait()) << "a context that is lost stays lost";
    EXPECT_NE(std::string::npos, local.text().find("cuda:0: since an earlier request"))
        << local.text();
    EXPECT_NE(std::string::npos, local.text().find("start the program again")) << local.text();
    options.cuda_device = 1;
    local.start(options);
    EXPECT_EQ(HR_OK, local.wait()) << local.text();
}

// One byte of what is stored is not what it was.
Bytes damaged(const Bytes &content)
{
    size_t len = 0;
    uint8_t *shard =
        packed_make(HR_CONTAINER_LZ4, (const uint8_t *)content.data(), content.size(), &len);
    shard[100000] ^= 1;
    Bytes bytes((const char *)shard, len);
    free(shard);
    return bytes;
}

TEST_F(GpuApi, ADamagedShardLeavesTheOthersOnItsGpu)
{
    const Bytes shard = damaged(text(CHUNK + 1000));
    Local local(text(2 * CHUNK));
    local.offer("damaged", shard);
    hr_get_options options = {};
    options.target_cuda = true;
    local.start(options);
    hr_get *other = local.begin("damaged", options);
    EXPECT_EQ(HR_OK, local.wait()) << local.text();
    while (hr_get_status(other) == HR_AGAIN)
        hr_engine_step(local.engine, HR_WAIT_FOREVER);
    EXPECT_EQ(HR_INTEGRITY, hr_get_status(other));
    EXPECT_NE(nullptr, strstr(hr_get_error(other)->text, "damaged: chunk 0 (offset 0)"))
        << hr_get_error(other)->text;
    hr_get_destroy(other);
}

// ---- chunks that lie there already ----

struct Chunk {
    hr_codec_id codec;
    Bytes content, stored;
};

Chunk pack(hr_codec_id id, const Bytes &content)
{
    const hr_codec *codec = hr_codec_find(id);
    Chunk chunk = {id, content, Bytes(codec->bound(content.size()), 0)};
    Bytes scratch(codec->scratch_len(content.size()) + 8, 0);
    hr_codec_job job = {};
    job.source = hr_span_host(chunk.content.data(), content.size());
    job.target = hr_span_host(chunk.stored.data(), chunk.stored.size());
    job.scratch =
        hr_span_host(scratch.data() + 8 - number_of(scratch.data()) % 8, scratch.size() - 8);
    EXPECT_EQ(HR_OK, codec->encode(&job));
    chunk.stored.resize(job.len_out);
    return chunk;
}

constexpr size_t ROOM = 1 << 20; // of each chunk, on either side

// Lays them down, stored and then content, and says so.
std::vector<hr_gpu_chunk> lay(Mine &mine, const std::vector<Chunk> &chunks)
{
    std::vector<hr_gpu_chunk> laid;
    for (const Chunk &chunk : chunks) {
        const size_t at = laid.size() * 2 * ROOM;
        mine.put(at, chunk.stored);
        hr_gpu_chunk one = {};
        one.stored = mine.at(at);
        one.content = mine.at(at + ROOM);
        one.stored_len = (uint32_t)chunk.stored.size();
        one.content_len = (uint32_t)chunk.content.size();
        one.content_crc = hr_crc32c(0, chunk.content.data(), chunk.content.size());
        one.codec = chunk.codec;
        laid.push_back(one);
    }
    return laid;
}

class Opened
{
  public:
    explicit Opened(unsigned chunks_max = 0)
    {
        hr_gpu_options options = {};
        options.chunks_max = chunks_max;
        EXPECT_EQ(HR_OK, hr_gpu_open(&options, &gpu, &error)) << error.text;
    }
    Opened(const Opened &) = delete;
    Opened &operator=(const Opened &) = delete;
    ~Opened()
    {
        hr_gpu_close(gpu);
    }
    hr_status decode(Mine &mine, const std::vector<hr_gpu_chunk> &chunks)
    {
        error = {};
        return hr_gpu_decode(gpu, chunks.data(), chunks.size(), mine.statuses, mine.stream,
                             mine.event, &error);
    }
    hr_gpu *gpu = nullptr;
    hr_error error = {};
};

TEST_F(GpuApi, ABatchInTheCallersStream)
{
    const std::vector<Chunk> chunks = {
        pack(HR_CODEC_LZ4, text(300001)), pack(HR_CODEC_LZ4, text(200000)),
        pack(HR_CODEC_PLANES, weights(100000, 6)), pack(HR_CODEC_STORED, noise(70000))};
    Mine mine(8 * ROOM);
    Opened opened;
    std::vector<hr_gpu_chunk> laid = lay(mine, chunks);
    laid[1].content_crc ^= 1;
    ASSERT_EQ(HR_OK, opened.decode(mine, laid)) << opened.error.text;
    EXPECT_EQ(0, mine.cuda()->event_synchronize(mine.event));
    for (size_t i = 0; i < chunks.size(); i++) {
        EXPECT_EQ(i == 1 ? HR_INTEGRITY : HR_OK, mine.statuses[i]) << i;
        EXPECT_TRUE(mine.see((2 * i + 1) * ROOM, chunks[i].content.size()) == chunks[i].content);
    }
    laid[3].content = nullptr; // verified where it lies
    ASSERT_EQ(HR_OK, opened.decode(mine, laid)) << opened.error.text;
    EXPECT_EQ(0, mine.cuda()->stream_synchronize(mine.stream));
    EXPECT_EQ(HR_OK, mine.statuses[3]);
    EXPECT_NE(nullptr, strstr(hr_gpu_name(opened.gpu), "fake GPU 0"));
}

TEST_F(GpuApi, WhatCannotBeIsRefusedByNameAndNothingIsStarted)
{
    Mine mine(8 * ROOM);
    Opened opened(2);
    const std::vector<hr_gpu_chunk> good =
        lay(mine, {pack(HR_CODEC_LZ4, text(1000)), pack(HR_CODEC_LZ4, text(1001))});
    int here = 0;
    const auto refuse = [&](hr_status status, void (*spoil)(hr_gpu_chunk *, void *), void *what) {
        std::vector<hr_gpu_chunk> chunks = good;
        spoil(&chunks[1], what);
        EXPECT_EQ(status, opened.decode(mine, chunks));
        EXPECT_NE(nullptr, strstr(opened.error.text, "chunk 1 of the batch")) << opened.error.text;
    };
    refuse(
        HR_INVALID, [](hr_gpu_chunk *it, void *at) { it->stored = at; }, &here);
    refuse(
        HR_INVALID, [](hr_gpu_chunk *it, void *at) { it->content = at; }, mine.at(8 * ROOM - 16));
    refuse(
        HR_INVALID, [](hr_gpu_chunk *it, void *at) { it->content = at; }, mine.at(ROOM + 8));
    refuse(
        HR_INVALID, [](hr_gpu_chunk *it, void *) { it->content = nullptr; }, nullptr);
    refuse(
        HR_UNSUPPORTED, [](hr_gpu_chunk *it, void *) { it->codec = HR_CODEC_ZSTD; }, nullptr);
    refuse(
        HR_INVALID, [](hr_gpu_chunk *it, void *) { it->codec = HR_CODEC_STORED; }, nullptr);
    EXPECT_EQ(HR_INVALID, opened.decode(mine, {good[0], good[0], good[0]})) << "more than two";
    EXPECT_EQ(HR_INVALID, hr_gpu_decode(opened.gpu, good.data(), 2, &here, mine.stream, nullptr,
                                        &opened.error));
    EXPECT_EQ(0, mine.cuda()->stream_synchronize(mine.stream));
    EXPECT_EQ(0u, fake_cuda_grid());
    EXPECT_EQ(HR_OK, opened.decode(mine, good)) << opened.error.text;
}

TEST_F(GpuApi, FourBatchesAreUnderWayAndNoMore)
{
    Mine mine(2 * ROOM);
    Opened opened;
    const std::vector<hr_gpu_chunk> laid = lay(mine, {pack(HR_CODEC_LZ4, text(1000))});
    fake_cuda_hold(mine.stream, 1);
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(HR_OK, opened.decode(mine, laid)) << opened.error.text;
    EXPECT_EQ(HR_AGAIN, opened.decode(mine, laid));
    fake_cuda_hold(mine.stream, 0);
    EXPECT_EQ(0, mine.cuda()->stream_synchronize(mine.stream));
    EXPECT_EQ(HR_OK, mine.statuses[0]);
    EXPECT_EQ(HR_OK, opened.decode(mine, laid)) << opened.error.text;
}

TEST_F(GpuApi, OpeningSaysWhatIsNotThere)
{
    hr_gpu_options options = {};
    hr_gpu *gpu = nullptr;
    hr_error error = {};
    options.device = 5;
    EXPECT_EQ(HR_NOT_FOUND, hr_gpu_open(&options, &gpu, &error));
    EXPECT_NE(nullptr, strstr(error.text, "cuda:5")) << error.text;
    options.device = 0;
    for (const char *failure : {"cuMemAlloc:2:2", "cuMemHostAlloc:3:2", "cuStreamCreate:1:2",
                                "cuEventCreate:4:2", "cuModuleGetFunction:1:500"}) {
        error = {};
        setenv("FAKE_CUDA_FAIL", failure, 1);
        EXPECT_NE(HR_OK, hr_gpu_open(&options, &gpu, &error)) << failure;
        EXPECT_EQ(0u, std::string(error.text).find("cuda:0: ")) << error.text;
        unsetenv("FAKE_CUDA_FAIL");
    }
    EXPECT_EQ(nullptr, gpu);
}

} // namespace
