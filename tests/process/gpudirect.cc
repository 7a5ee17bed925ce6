// SPDX-License-Identifier: Apache-2.0
// RDMA into a GPU's memory, from a server to a client: over a NIC that is none
// (support/verbs_fake.h) into a GPU that is none (tests/fake_cuda), which keeps back what a NIC
// wrote until it is flushed.
#include <gtest/gtest.h>

#ifdef HEADRACE_HAS_VERBS

#include "gpudirect.h"

#include <cstring>

namespace
{

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
    begin(noise(6 * CHUNK), {false, "gpudirect", {}});
    hr_verbs_fake_hold_at(HR_PROBE_LEN + CHUNK);
    start();
    wait_written(HR_PROBE_LEN + CHUNK);
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

// A page again and again: little to decode, and little of it to move.
Bytes repeated(size_t len)
{
    const Bytes page = noise(4096);
    Bytes bytes;
    bytes.reserve(len);
    while (bytes.size() < len)
        bytes += page;
    return bytes;
}

TEST_F(Gpudirect, MoreChunksThanSlots)
{
    begin(repeated(26 * CHUNK), {false, "gpudirect", {}});
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
    begin(repeated(26 * CHUNK), {false, "gpudirect", {}});
    pack("lz4");
    hr_verbs_fake_hold_at(HR_PROBE_LEN + 1);
    start();
    wait_written(HR_PROBE_LEN + 1);
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
