// SPDX-License-Identifier: Apache-2.0
// RDMA into a GPU's memory, from a server to a client: over a NIC that is none
// (support/verbs_fake.h) into a GPU that is none (tests/fake_cuda), which keeps back what a NIC
// wrote until it is flushed.
#include "content.h"

#include <gtest/gtest.h>

#ifdef HEADRACE_HAS_VERBS

#include <atomic>
#include <cstring>
#include <string>
#include <unistd.h>
#include <vector>

extern "C" {
#include "fake_cuda.h"
#include "headrace.h"
#include "helpers.h"
#include "platform.h"
#include "probe.h"
#include "temp.h"
#include "verbs_fake.h"
}

namespace
{

constexpr size_t CHUNK = 4 << 20;

// ---- the NIC's way to the GPU ----

// Of the messages that it writes there (a probe is one) so many, from that one on, are wrong by a
// bit or refused on the bus.
struct Some {
    unsigned first = 0, count = 0;
    bool has(unsigned number) const
    {
        return number >= first && number - first < count;
    }
};
std::atomic<unsigned> messages;
std::atomic<Some> wrong, refused;

int write_to_gpu(uint64_t address, const void *bytes, size_t len)
{
    std::string copy(static_cast<const char *>(bytes), len);
    const unsigned number = ++messages;
    if (refused.load().has(number))
        return -1;
    if (wrong.load().has(number))
        copy[len / 2] ^= 8;
    return fake_cuda_write(address, copy.data(), len);
}

// The NIC stops when the target is registered: the probe stays under way.
std::atomic<bool> holds;

uint64_t dmabuf_of_gpu(int fd, uint64_t offset)
{
    if (holds.exchange(false))
        hr_verbs_fake_hold(true);
    return fake_cuda_dmabuf(fd, offset);
}

const hr_verbs_fake_gpu GPU = {dmabuf_of_gpu, fake_cuda_has, write_to_gpu};

hr_verbs *verbs;

hr_status rdma_create(hr_platform *, hr_loop *loop, hr_transport **transport_out)
{
    return hr_transport_verbs_create(loop, verbs, transport_out);
}

// ---- a server and a client, in one engine ----

struct World {
    bool has_peer_memory = false;
    const char *require = nullptr;
    std::vector<std::string> driver; // FAKE_CUDA_...=
    bool sealed = false;
    unsigned links = 2;
};

class Gpudirect : public testing::Test
{
  protected:
    void TearDown() override
    {
        end();
        for (const std::string &name : settings_)
            unsetenv(name.c_str());
        EXPECT_EQ(0, fake_cuda_left());
    }
    static uint64_t number_of(const void *pointer)
    {
        return (uint64_t)(uintptr_t)pointer;
    }
    void begin(const Bytes &content, const World &setup = {})
    {
        messages = 0;
        wrong = refused = Some{};
        holds = false;
        content_ = content;
        for (const std::string &setting : setup.driver) {
            const size_t at = setting.find('=');
            settings_.push_back(setting.substr(0, at));
            setenv(settings_.back().c_str(), setting.c_str() + at + 1, 1);
        }
        (void)fake_cuda_flushes();
        make_engine(setup);
        make_target();
        serve(setup.sealed);
        hr_error error = {};
        hr_client_options options = {};
        options.address = hr_server_address(server_);
        options.require = setup.require;
        options.links = setup.links;
        trust(&options.trust, setup.sealed);
        EXPECT_EQ(HR_OK, hr_client_open(engine_, &options, &client_, &error)) << error.text;
    }
    void start(hr_get_options options = {})
    {
        hr_error error = {};
        options.path = "data/file";
        options.target_span = span_;
        EXPECT_EQ(HR_OK, hr_get_start(client_, &options, &get_, &error)) << error.text;
    }
    hr_status wait()
    {
        while (hr_get_status(get_) == HR_AGAIN)
            hr_engine_step(engine_, HR_WAIT_FOREVER);
        return hr_get_status(get_);
    }
    // By the NIC, with the probes.
    void wait_written(uint64_t len)
    {
        while (hr_verbs_fake_count().gpu_bytes < len && hr_get_status(get_) == HR_AGAIN)
            hr_engine_step(engine_, 1000000);
    }
    // What was served as it is.
    void pack(const std::string &codec)
    {
        const std::string file = folder_ + "/file";
        const std::string command = std::string(HEADRACE_PROGRAM " pack ") + file +
                                    (codec == "none" ? "" : " " + file + ".packed") + " --codec " +
                                    codec + " >/dev/null 2>&1";
        ASSERT_EQ(0, system(command.c_str()));
        if (codec != "none") {
            ASSERT_EQ(0, rename((file + ".packed").c_str(), file.c_str()));
        }
    }
    std::string path() const
    {
        return hr_get_path(get_);
    }
    std::string why() const
    {
        return hr_get_error(get_)->text;
    }
    void expect_there(const char *way)
    {
        EXPECT_NE(std::string::npos, path().find(way)) << path();
        Bytes seen(content_.size(), 0);
        EXPECT_EQ(0, cuda_->copy_async(number_of(seen.data()), address_, seen.size(), stream_));
        EXPECT_TRUE(seen == content_);
    }
    void expect_written(uint64_t len)
    {
        EXPECT_EQ(len, hr_verbs_fake_count().gpu_bytes);
    }
    // In the order in which a program of the user's would.
    void end()
    {
        if (engine_ == nullptr)
            return;
        hr_cuda_context *context;
        hr_get_destroy(get_);
        EXPECT_EQ(0, cuda_->stream_destroy(stream_));
        EXPECT_EQ(0, cuda_->mem_free(address_));
        hr_client_destroy(client_);
        hr_server_destroy(server_);
        hr_engine_destroy(engine_);
        hr_verbs_destroy(verbs);
        hr_helpers_destroy(helpers_);
        EXPECT_EQ(0, cuda_->context_pop(&context));
        EXPECT_EQ(0, cuda_->context_release(0));
        EXPECT_STREQ("", hr_verbs_fake_close());
        if (!key_.empty()) {
            EXPECT_EQ(0, unlink(key_.c_str()));
        }
        key_.clear();
        EXPECT_EQ(HR_OK, hr_temp_remove(folder_.c_str()));
        engine_ = nullptr;
        get_ = nullptr;
    }

    hr_engine *engine_ = nullptr;
    hr_client *client_ = nullptr;
    hr_get *get_ = nullptr;
    hr_cuda_stream *stream_ = nullptr;
    hr_span span_ = {};
    const hr_cuda *cuda_ = fake_cuda();
    uint64_t address_ = 0;
    Bytes content_;
    std::string folder_;

  private:
    void make_engine(const World &setup)
    {
        hr_error error = {};
        hr_verbs_fake_setup fake = {};
        hr_verbs_options rdma = {};
        hr_engine_options options = {};
        hr_platform *platform = nullptr;
        fake.gpu = &GPU;
        fake.has_peer_memory = setup.has_peer_memory;
        hr_verbs_fake_open(&fake);
        rdma.calls = hr_verbs_fake_calls();
        EXPECT_EQ(HR_OK, hr_helpers_create(hr_env_system(), 4, &helpers_));
        EXPECT_EQ(HR_OK, hr_verbs_create(hr_env_system(), helpers_, &rdma, &verbs, &error))
            << error.text;
        options.transport = HR_TRANSPORT_TCP; // the NICs of this machine stay out of it
        ASSERT_EQ(HR_OK, hr_platform_system_create(&options, &platform, &error)) << error.text;
        platform->rdma_create = rdma_create;
        options.transport = HR_TRANSPORT_AUTO;
        options.workers = 2;
        options.worker_pool_len = 8 * HR_SLOT_LEN;
        ASSERT_EQ(HR_OK, hr_engine_create_on(platform, &options, &engine_, &error)) << error.text;
        ASSERT_EQ(HR_OK, hr_engine_start(engine_, &error)) << error.text;
    }
    void make_target()
    {
        hr_cuda_context *context;
        EXPECT_EQ(0, cuda_->context_retain(&context, 0));
        EXPECT_EQ(0, cuda_->context_push(context));
        EXPECT_EQ(0, cuda_->mem_alloc(&address_, content_.size()));
        EXPECT_EQ(0, cuda_->stream_create(&stream_, HR_CUDA_STREAM_NONBLOCKING));
        span_ = hr_span_host((void *)(uintptr_t)address_, content_.size());
        span_.kind = HR_MEMORY_CUDA;
    }
    void trust(hr_trust *trust, bool sealed)
    {
        char path[HR_KEY_PATH_MAX];
        hr_error error = {};
        trust->insecure = !sealed;
        if (sealed && key_.empty()) {
            key_ = folder_ + "/../key." + std::to_string(number_of(this));
            EXPECT_EQ(HR_OK, hr_key_file_make(key_.c_str(), true, path, &error)) << error.text;
        }
        trust->key_path = sealed ? key_.c_str() : nullptr;
    }
    void serve(bool sealed)
    {
        char folder[HR_TEMP_PATH_MAX] = "";
        hr_error error = {};
        EXPECT_EQ(HR_OK, hr_temp_make(folder));
        folder_ = folder;
        FILE *file = fopen((folder_ + "/file").c_str(), "w");
        EXPECT_EQ(content_.size(), fwrite(content_.data(), 1, content_.size(), file));
        fclose(file);
        hr_export shown = {};
        shown.name = "data";
        shown.path = folder;
        shown.aead = sealed;
        hr_server_options options = {};
        options.listen = "127.0.0.1:0";
        options.exports = &shown;
        options.export_count = 1;
        trust(&options.trust, sealed);
        ASSERT_EQ(HR_OK, hr_server_open(engine_, &options, &server_, &error)) << error.text;
        while (hr_server_status(server_) == HR_AGAIN)
            hr_engine_step(engine_, HR_WAIT_FOREVER);
        ASSERT_EQ(HR_OK, hr_server_status(server_)) << hr_server_error(server_)->text;
    }

    hr_helpers *helpers_ = nullptr;
    hr_server *server_ = nullptr;
    std::string key_;
    std::vector<std::string> settings_;
};

TEST_F(Gpudirect, APlainFileByADmabuf)
{
    begin(noise(2 * CHUNK + 4321), {false, "gpudirect", {}});
    start();
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("verbs (fake0), 2 links");
    expect_there("cuda:0 (fake GPU 0: the host's memory and lanes, no hardware), GPUDirect by a "
                 "dma-buf");
    EXPECT_EQ(std::string::npos, path().find("; ")) << path();
    expect_written(content_.size() + HR_PROBE_LEN);
    EXPECT_GT(fake_cuda_flushes(), 1u);
}

// Which way, and why no better one.
TEST_F(Gpudirect, WithoutADmabufPeerMemory)
{
    begin(noise(CHUNK + 5), {true, "gpudirect", {"FAKE_CUDA_DMABUF=0"}});
    start();
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("GPUDirect by peer memory; no better GPUDirect: a dma-buf: the driver does not "
                 "hand out the target as one (not supported here)");
    expect_written(content_.size() + HR_PROBE_LEN);
}

TEST_F(Gpudirect, ADmabufThatTheNicDoesNotTakeIsTriedAndPeerMemoryTaken)
{
    begin(noise(CHUNK + 5), {true, nullptr, {}});
    hr_verbs_fake_fail("reg_dmabuf_mr", 1, EOPNOTSUPP);
    start();
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("GPUDirect by peer memory; no better GPUDirect: a dma-buf: the NIC cannot "
                 "register it (not supported here)");
    expect_written(content_.size() + HR_PROBE_LEN);
}

TEST_F(Gpudirect, WithoutBothChunksAreCopiedFromPinnedSlots)
{
    begin(noise(CHUNK + 5), {false, nullptr, {"FAKE_CUDA_DMABUF=0"}});
    start();
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("copied from pinned slots; no GPUDirect: a dma-buf: the driver does not hand out "
                 "the target as one (not supported here); peer memory: the NIC cannot register it "
                 "(it does not reach this memory)");
    expect_written(0);
    EXPECT_EQ(0u, fake_cuda_flushes());
}

TEST_F(Gpudirect, WhatIsRequiredAndIsNotThereIsRefused)
{
    begin(noise(CHUNK + 5), {false, "gpudirect", {"FAKE_CUDA_DMABUF=0"}});
    start();
    EXPECT_EQ(HR_UNSUPPORTED, wait());
    EXPECT_NE(std::string::npos,
              why().find("data/file: GPUDirect is required: a dma-buf: the driver"))
        << why();
    expect_written(0);
}

// Whatever lies there in the end was verified there: a probe that does not arrive as it was sent is
// no way, and bytes that change later are asked for again.
TEST_F(Gpudirect, AProbeThatArrivesWrongIsTheEndOfThatWay)
{
    begin(noise(2 * CHUNK), {true, nullptr, {}});
    wrong = Some{1, 1};
    start();
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("GPUDirect by peer memory; no better GPUDirect: a dma-buf: the probe: the bytes "
                 "do not match their digest");
    expect_written(content_.size() + 2 * HR_PROBE_LEN);
}

TEST_F(Gpudirect, BothProbesArriveWrong)
{
    begin(noise(CHUNK), {true, nullptr, {}});
    wrong = Some{1, 2};
    start();
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("copied from pinned slots; no GPUDirect: a dma-buf: the probe: the bytes do not "
                 "match their digest; peer memory: the probe: the bytes do not match");
    expect_written(2 * HR_PROBE_LEN);
}

// The link dies of it, and the shard comes over another.
TEST_F(Gpudirect, AProbeThatTheBusRefuses)
{
    begin(noise(CHUNK), {false, nullptr, {}});
    refused = Some{1, 1};
    start();
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("copied from pinned slots; no GPUDirect: a dma-buf: the probe: its link died, or "
                 "it never came");
}

TEST_F(Gpudirect, ABitThatChangesLaterIsAskedForAgain)
{
    begin(noise(2 * CHUNK), {false, nullptr, {}});
    wrong = Some{3, 1};
    start();
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("GPUDirect by a dma-buf");
    EXPECT_GT(hr_verbs_fake_count().gpu_bytes, content_.size() + HR_PROBE_LEN);
}

// Where the platform orders what a NIC writes nobody flushes; where nobody can, it is no way.
TEST_F(Gpudirect, AnOrderedPlatformNeedsNoFlush)
{
    begin(noise(CHUNK), {false, "gpudirect", {"FAKE_CUDA_ORDERING=100", "FAKE_CUDA_FLUSHES=0"}});
    start();
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("GPUDirect by a dma-buf");
    EXPECT_EQ(0u, fake_cuda_flushes());
}

TEST_F(Gpudirect, WhatCannotBeOrderedIsNoWay)
{
    begin(noise(CHUNK), {true, nullptr, {"FAKE_CUDA_FLUSHES=0"}});
    start();
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("copied from pinned slots; no GPUDirect: neither this machine nor a call of the "
                 "driver's orders what a NIC writes before what cuda:0 reads");
    expect_written(0);
}

TEST_F(Gpudirect, AFlushThatFailsIsTheGpusFailure)
{
    begin(noise(CHUNK), {false, nullptr, {"FAKE_CUDA_FAIL=cuFlushGPUDirectRDMAWrites:2:719"}});
    start();
    EXPECT_EQ(HR_IO, wait());
    EXPECT_NE(std::string::npos, why().find("flushing what a NIC wrote: CUDA_ERROR_LAUNCH_FAILED"))
        << why();
}

TEST_F(Gpudirect, ATargetShorterThanTheProbe)
{
    begin(noise(HR_PROBE_LEN - 1), {false, nullptr, {}});
    start();
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("copied from pinned slots; no GPUDirect: the target is shorter than the probe");
}

// A NIC follows no stream: nothing is written before the caller's has come to its end.
TEST_F(Gpudirect, NothingIsWrittenBeforeTheCallersStreamIsThrough)
{
    begin(noise(CHUNK + 1), {false, "gpudirect", {}});
    const Bytes earlier(content_.size(), 'x');
    fake_cuda_hold(stream_, 1);
    EXPECT_EQ(0, cuda_->copy_async(address_, number_of(earlier.data()), earlier.size(), stream_));
    hr_get_options options = {};
    options.cuda_stream = stream_;
    start(options);
    for (int i = 0; i < 100; i++)
        hr_engine_step(engine_, 1000000);
    expect_written(0);
    fake_cuda_hold(stream_, 0);
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("GPUDirect by a dma-buf");
}

// The fence: what is under way ends, or its link does, before the memory is the caller's again.
// That nothing was written later the NIC says at the end.
TEST_F(Gpudirect, CanceledWhileTheProbeIsUnderWay)
{
    begin(noise(2 * CHUNK), {false, nullptr, {}, false, 1});
    holds = true;
    start();
    while ((holds || hr_verbs_fake_count().in_flight == 0) && hr_get_status(get_) == HR_AGAIN)
        hr_engine_step(engine_, 1000000);
    hr_get_cancel(get_);
    for (int i = 0; i < 20; i++)
        hr_engine_step(engine_, 1000000);
    EXPECT_EQ(HR_AGAIN, hr_get_status(get_)) << "the NIC may write yet";
    hr_verbs_fake_hold(false);
    EXPECT_EQ(HR_CANCELED, wait());
    expect_written(HR_PROBE_LEN);
}

TEST_F(Gpudirect, AProbeThatNeverComesTakesItsLinkWithIt)
{
    begin(noise(CHUNK), {false, nullptr, {}, false, 1});
    holds = true;
    start();
    while (path().find("no GPUDirect") == std::string::npos && hr_get_status(get_) == HR_AGAIN)
        hr_engine_step(engine_, HR_WAIT_FOREVER);
    hr_verbs_fake_hold(false);
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("copied from pinned slots; no GPUDirect: a dma-buf: the probe: its link died, or "
                 "it never came; peer memory: no link over RDMA is up");
    expect_written(0);
}

TEST_F(Gpudirect, CanceledWhileChunksAreUnderWay)
{
    begin(noise(12 * CHUNK), {false, "gpudirect", {}});
    start();
    wait_written(HR_PROBE_LEN + CHUNK);
    hr_verbs_fake_hold(true);
    hr_get_cancel(get_);
    for (int i = 0; i < 50; i++)
        hr_engine_step(engine_, 1000000);
    hr_verbs_fake_hold(false);
    EXPECT_EQ(HR_CANCELED, wait());
}

TEST_F(Gpudirect, ALinkThatDiesIsBuiltAgainAndGoesThereToo)
{
    begin(noise(6 * CHUNK), {false, "gpudirect", {}});
    start();
    wait_written(HR_PROBE_LEN + CHUNK);
    hr_verbs_fake_complete_with(IBV_WC_RETRY_EXC_ERR);
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("GPUDirect by a dma-buf");
    EXPECT_EQ(std::string::npos, path().find("copied")) << path();
}

// ---- what comes compressed ----

// Some of its chunks are stored as they are, and the last one is short.
Bytes mixed()
{
    return text(2 * CHUNK) + noise(CHUNK) + text(CHUNK / 2 + 77);
}

TEST_F(Gpudirect, APackedShardLandsInSlotsOnTheGpu)
{
    for (bool peer : {false, true}) {
        begin(mixed(), {peer, "gpudirect", {peer ? "FAKE_CUDA_DMABUF=0" : "FAKE_CUDA_DMABUF=1"}});
        pack("lz4");
        start();
        EXPECT_EQ(HR_OK, wait()) << why();
        expect_there(peer ? "GPUDirect by peer memory, lz4 decoded there"
                          : "GPUDirect by a dma-buf, lz4 decoded there");
        EXPECT_EQ(std::string::npos, path().find("copied")) << path();
        EXPECT_LT(hr_verbs_fake_count().gpu_bytes, content_.size()) << "it came compressed";
        EXPECT_EQ(hr_verbs_fake_count().gpu_bytes, HR_PROBE_LEN + hr_get_count(get_).bytes_moved);
        end();
    }
}

TEST_F(Gpudirect, MoreChunksThanSlots)
{
    begin(text(26 * CHUNK), {false, "gpudirect", {}});
    pack("lz4");
    start();
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("GPUDirect by a dma-buf, lz4 decoded there");
    EXPECT_EQ(std::string::npos, path().find("copied")) << path();
}

TEST_F(Gpudirect, ABitThatChangesInASlotComesOnceMoreThroughTheHost)
{
    begin(text(3 * CHUNK), {false, "gpudirect", {}});
    pack("lz4");
    wrong = Some{2, 1};
    start();
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("GPUDirect by a dma-buf, lz4 decoded there; ");
    expect_there("chunks copied from slots");
}

// What the kernels do not read the CPU does, in host memory: known from the first of its chunks on.
TEST_F(Gpudirect, Lz4OfOthers)
{
    if (system("command -v lz4 >/dev/null") != 0)
        GTEST_SKIP() << "lz4 is not installed";
    for (const char *require : {"rdma", "gpudirect"}) {
        begin(text(4 * CHUNK), {false, require, {}});
        const std::string file = folder_ + "/file";
        ASSERT_EQ(0, system(("lz4 -qc -B4 < " + file + " > " + file + ".lz4 && mv " + file +
                             ".lz4 " + file)
                                .c_str()));
        pack("none");
        start();
        if (strcmp(require, "rdma") == 0) {
            EXPECT_EQ(HR_OK, wait()) << why();
            expect_there("lz4 decoded by");
            expect_there("what comes compressed: the GPU's kernels do not read it");
        } else {
            EXPECT_EQ(HR_UNSUPPORTED, wait());
            EXPECT_NE(std::string::npos, why().find("the GPU's kernels do not read it")) << why();
        }
        end();
    }
}

TEST_F(Gpudirect, ZstdIsTheCpusAndCannotBeRequired)
{
    for (const char *require : {"rdma", "gpudirect"}) {
        begin(text(CHUNK), {false, require, {}});
        pack("zstd");
        start();
        if (strcmp(require, "rdma") == 0) {
            EXPECT_EQ(HR_OK, wait()) << why();
            expect_there("zstd decoded by");
        } else {
            EXPECT_EQ(HR_UNSUPPORTED, wait());
            EXPECT_NE(std::string::npos, why().find("zstd is decoded by the CPU")) << why();
        }
        end();
    }
}

TEST_F(Gpudirect, CanceledWhileSlotsAreFull)
{
    begin(text(26 * CHUNK), {false, "gpudirect", {}});
    pack("lz4");
    start();
    wait_written(HR_PROBE_LEN + 1);
    hr_verbs_fake_hold(true);
    hr_get_cancel(get_);
    for (int i = 0; i < 50; i++)
        hr_engine_step(engine_, 1000000);
    hr_verbs_fake_hold(false);
    EXPECT_EQ(HR_CANCELED, wait());
}

TEST_F(Gpudirect, WhatComesSealedIsOpenedInHostMemory)
{
    begin(noise(CHUNK), {true, nullptr, {}, true});
    start();
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("verbs (fake0)");
    expect_there("copied from pinned slots; no GPUDirect: what comes sealed is opened in host "
                 "memory");
    expect_written(0);
    end();
    begin(noise(CHUNK), {true, "gpudirect", {}, true});
    start();
    EXPECT_EQ(HR_UNSUPPORTED, wait());
    EXPECT_NE(std::string::npos, why().find("GPUDirect is required: what comes sealed")) << why();
}

TEST_F(Gpudirect, WhatCannotBeIsRefusedBeforeAnythingMoves)
{
    begin(noise(10), {});
    hr_client_options options = {};
    hr_client *client = nullptr;
    hr_error error = {};
    options.address = "127.0.0.1:1";
    options.trust.insecure = true;
    options.require = "gpudirect,aead";
    EXPECT_EQ(HR_UNSUPPORTED, hr_client_open(engine_, &options, &client, &error));
    EXPECT_NE(nullptr, strstr(error.text, "opened in host memory")) << error.text;
    options.require = "gpudirect,tcp";
    error = {};
    EXPECT_EQ(HR_UNSUPPORTED, hr_client_open(engine_, &options, &client, &error));
    options.require = "gpudirect";
    options.address = nullptr;
    options.local_path = "/";
    error = {};
    EXPECT_EQ(HR_UNSUPPORTED, hr_client_open(engine_, &options, &client, &error));
    EXPECT_NE(nullptr, strstr(error.text, "gpudirect is required, and this path is local"))
        << error.text;
}

} // namespace

#else

TEST(Gpudirect, NeedsVerbs)
{
    GTEST_SKIP() << "built without libibverbs";
}

#endif
