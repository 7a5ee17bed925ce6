// SPDX-License-Identifier: Apache-2.0
// Shards into the memory of a GPU, over a driver that has none (tests/fake_cuda): what crosses,
// what is verified, what is said, and what becomes of failures. What a real one does,
// scripts/device tells.
#include "content.h"
#include "fixture.h"

#include "fake_cuda.h"

namespace
{

class Gpu : public Headrace
{
  protected:
    // The program finds the driver, which does as it is told and notes what was not given back.
    Surroundings with(const std::vector<std::string> &settings = {}) const
    {
        Surroundings under;
        under.environment = settings;
        under.environment.push_back(std::string("LD_LIBRARY_PATH=") + fake_cuda_folder());
        under.environment.push_back("FAKE_CUDA_LEFT=" + at("left"));
        return under;
    }
    void expect_nothing_left() const
    {
        EXPECT_EQ("0\n", read_text(at("left"))) << "taken from the driver and not given back";
    }
    void offer_packed(const std::string &name, const Bytes &content, const std::string &codec)
    {
        Program program;
        write_text(codec == "none" ? data(name) : at("plain"), content);
        if (codec == "none")
            program.start({"pack", data(name), "--codec", codec});
        else
            program.start({"pack", at("plain"), data(name), "--codec", codec});
        ASSERT_EQ(0, program.wait()) << program.errors();
    }
    void expect_there(const Result &result, uint64_t len) const
    {
        EXPECT_EQ(0, result.exit_code) << result.errors;
        EXPECT_EQ(len, result.summary.number("bytes_total"));
        const std::string path = result.summary.text("path");
        EXPECT_NE(std::string::npos, path.find("-> cuda:1 (fake GPU 1")) << path;
        EXPECT_NE(std::string::npos, path.find("copied from pinned slots")) << path;
        expect_nothing_left();
    }
};

struct Case {
    const char *codec;
    Bytes (*content)();
    const char *decoded;
};

// Some of its chunks are stored as they are, and the last one is short.
Bytes mixed()
{
    return text(CHUNK) + noise(CHUNK) + text(CHUNK / 2 + 77);
}
Bytes nothing()
{
    return "";
}
Bytes some_weights()
{
    return weights(2 * MIB + 5, 100);
}

class GpuCase : public Gpu, public ::testing::WithParamInterface<Case>
{
};

INSTANTIATE_TEST_SUITE_P(Shards, GpuCase,
                         ::testing::Values(Case{"none", mixed, ""},
                                           Case{"lz4", mixed, "lz4 decoded there"},
                                           Case{"planes", some_weights, "planes decoded there"},
                                           Case{"zstd", mixed, "zstd decoded by"},
                                           Case{"lz4", nothing, ""}));

TEST_P(GpuCase, FromADiskAndFromAServer)
{
    const Bytes content = GetParam().content();
    offer_packed("shard", content, GetParam().codec);
    serve();
    Result local = get(data("shard"), "cuda:1", {"--require", "gpu"}, with());
    expect_there(local, content.size());
    Result remote = get(url("shard"), "cuda:1", {"--max-sms", "2"}, with());
    expect_there(remote, content.size());
    EXPECT_EQ(local.moved(), remote.moved());
    EXPECT_EQ(remote.moved(), get(url("shard"), "host:").moved()) << "as compressed as for a host";
    const std::string path = remote.summary.text("path");
    EXPECT_NE(std::string::npos, path.find(GetParam().decoded)) << path;
}

TEST_F(Gpu, WhatTheKernelsDoNotReadTheHostDecodesFirst)
{
    if (system("command -v lz4 >/dev/null") != 0)
        GTEST_SKIP() << "lz4 is not installed";
    write_text(at("plain"), text(CHUNK + 5000));
    ASSERT_EQ(0, system(("lz4 -qc -B4 < " + at("plain") + " > " + data("shard")).c_str()));
    Program program;
    program.start({"pack", data("shard"), "--codec", "none"});
    ASSERT_EQ(0, program.wait()) << program.errors();
    Result result = get(data("shard"), "cuda:1", {}, with());
    expect_there(result, CHUNK + 5000);
    const std::string path = result.summary.text("path");
    EXPECT_NE(std::string::npos, path.find("lz4 decoded by")) << path;
}

TEST_F(Gpu, APlainFile)
{
    write_text(data("plain"), text(2 * CHUNK + 1));
    expect_there(get(data("plain"), "cuda:1", {}, with()), 2 * CHUNK + 1);
    serve();
    expect_there(get(url("plain"), "cuda:1", {}, with()), 2 * CHUNK + 1);
}

TEST_F(Gpu, WhatCrossedSealed)
{
    offer_packed("shard", mixed(), "lz4");
    serve({"--protect", "data=aead"});
    expect_there(get(url("shard"), "cuda:1", {"--require", "aead,gpu"}, with()), mixed().size());
}

TEST_F(Gpu, WhereThereIsNoneTheHostDecodesAndThePathSaysWhy)
{
    offer_packed("shard", text(CHUNK + 9), "lz4");
    const std::vector<std::pair<std::string, std::string>> lacks = {
        {"FAKE_CUDA_DEVICES=0", "CUDA_ERROR_NO_DEVICE"},
        {"FAKE_CUDA_VERSION=11080", "for CUDA 11.8, and 12.0 is needed"},
        {"FAKE_CUDA_FAIL=cuInit:1:803", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"},
        {"FAKE_CUDA_FAIL=cuModuleLoadData:1:209", "CUDA_ERROR_NO_BINARY_FOR_GPU"},
    };
    for (const auto &[setting, why] : lacks) {
        Result result = get(data("shard"), "cuda:0", {}, with({setting}));
        EXPECT_EQ(0, result.exit_code) << result.errors;
        const std::string path = result.summary.text("path");
        EXPECT_NE(std::string::npos, path.find("-> host slots, lz4 decoded by")) << path;
        EXPECT_NE(std::string::npos, path.find("; no GPU: ")) << path;
        EXPECT_NE(std::string::npos, path.find(why)) << path;
        expect_nothing_left();
        expect_refused(get(data("shard"), "cuda:0", {"--require", "gpu"}, with({setting})), 11,
                       {why, "a GPU is required"});
    }
    make_directory(at("broken"));
    write_text(at("broken/libcuda.so.1"), "no library");
    Surroundings under;
    under.environment = {"LD_LIBRARY_PATH=" + at("broken")};
    Result result = get(data("shard"), "cuda:0", {}, under);
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_NE(std::string::npos, result.summary.text("path").find("libcuda.so.1 cannot be loaded"));
    expect_refused(get(data("shard"), "cuda:0", {"--require", "gpu"}, under), 11, {"libcuda.so.1"});
    expect_refused(get(data("shard"), "host:", {"--require", "gpu"}, with()), 11, {"cuda:N"});
    serve();
    expect_refused(get(url("shard"), "cuda:0", {"--require", "gpudirect"}, with()), 11,
                   {"is required"});
}

TEST_F(Gpu, WhatItTakesIsListed)
{
    offer("file", 10);
    Program program;
    start_get(program, data("file"), "cuda:0", {"--footprint"}, with());
    EXPECT_EQ(0, program.wait()) << program.errors();
    EXPECT_NE(std::string::npos, program.out().find("a GPU's ring")) << program.out();
    Program other;
    start_get(other, data("file"), "host:", {"--footprint"}, with());
    EXPECT_EQ(0, other.wait()) << other.errors();
    EXPECT_EQ(std::string::npos, other.out().find("a GPU's ring")) << other.out();
}

TEST_F(Gpu, ADeviceThatDoesNotExist)
{
    offer("file", 10);
    expect_refused(get(data("file"), "cuda:7", {}, with()), 4, {"cuda:7", "2 GPUs"});
    expect_nothing_left();
}

TEST_F(Gpu, ADirectoryHasNoPlaceThere)
{
    make_directory(data("tree"));
    expect_refused(get(data("tree"), "cuda:0", {}, with()), 2, {"memory takes a file"});
}

TEST_F(Gpu, OutOfItsMemory)
{
    offer("file", 5 * MIB);
    expect_refused(get(data("file"), "cuda:0", {}, with({"FAKE_CUDA_MEMORY=4000000"})), 8,
                   {"taking 5242880 bytes on cuda:0", "nvidia-smi"});
    expect_nothing_left();
    offer_packed("packed", text(5 * MIB), "lz4");
    const auto little = with({"FAKE_CUDA_MEMORY=70000000"});
    expect_refused(get(data("packed"), "cuda:0", {}, little), 8, {"taking a ring of", "cuda:0"});
    expect_nothing_left();
    EXPECT_EQ(0, get(data("file"), "cuda:0", {}, little).exit_code) << "it needs no ring";
}

// From the driver's refusal of one call to a kernel that goes wrong: which shard and which chunk.
// All three chunks may come as one batch, of two kernels.
TEST_F(Gpu, AFailureNamesShardAndChunk)
{
    offer_packed("shard", text(3 * CHUNK), "lz4");
    serve();
    for (const char *failure : {"kernel:2:700", "copy:4:719", "cuLaunchKernel:2:719",
                                "cuMemcpyAsync:3:700", "cuEventSynchronize:1:700"}) {
        Result result =
            get(url("shard"), "cuda:0", {}, with({std::string("FAKE_CUDA_FAIL=") + failure}));
        expect_refused(result, 8, {"data/shard", "chunk ", "cuda:0", "CUDA_ERROR_", "is lost"});
        EXPECT_EQ(0u, result.summary.number("bytes_reused")) << failure;
    }
}

TEST_F(Gpu, SlotsThatCannotBePinnedAreCopiedFromAllTheSame)
{
    offer("file", CHUNK + 3);
    Result result = get(data("file"), "cuda:0", {}, with({"FAKE_CUDA_FAIL=cuMemHostRegister:1:1"}));
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_NE(std::string::npos,
              result.summary.text("path").find("not pinned (CUDA_ERROR_INVALID_VALUE)"))
        << result.summary.text("path");
    expect_nothing_left();
}

// What is wrong in the GPU's memory is seen there, asked for again, and reported.
TEST_F(Gpu, BytesThatChangeOnTheirWayThere)
{
    const uint64_t len = CHUNK + 70000;
    offer_packed("packed", text(len), "lz4");
    offer("plain", len);
    serve();
    for (const char *name : {"packed", "plain"}) {
        const Result whole = get(url(name), "cuda:1", {}, with());
        Result once = get(url(name), "cuda:1", {}, with({"FAKE_CUDA_FLIP=2:1"}));
        expect_there(once, len);
        EXPECT_GT(once.moved(), whole.moved());
        EXPECT_NE(std::string::npos, once.errors.find("asking for it again")) << once.errors;
        Result always = get(url(name), "cuda:1", {}, with({"FAKE_CUDA_FLIP=1:1000"}));
        EXPECT_EQ(5, always.exit_code) << always.errors;
        EXPECT_NE(std::string::npos, always.summary.text("text").find("chunk "));
        EXPECT_NE(std::string::npos, always.summary.text("text").find(name));
        expect_nothing_left();
    }
}

TEST_F(Gpu, InterruptedItGivesEverythingBack)
{
    offer("file", 64 * MIB);
    serve();
    Program program;
    start_get(program, url("file"), "cuda:0", {"--limit", "5M"}, with());
    program.wait_verified(CHUNK);
    program.signal(SIGINT);
    EXPECT_EQ(9, result_of(program).exit_code);
    expect_nothing_left();
}

TEST_F(Gpu, TheDoctorLooksAtIt)
{
    Program program;
    program.start({"doctor"}, with());
    program.wait();
    EXPECT_NE(std::string::npos, program.out().find("fake GPU 1")) << program.out();
    EXPECT_NE(std::string::npos, program.out().find("CUDA 12.8")) << program.out();
    EXPECT_NE(std::string::npos, program.out().find("can be handed out as a dma-buf"));
    expect_nothing_left();
    EXPECT_NE(std::string::npos, program.out().find("is flushed by a call of the driver's"));
    const std::vector<std::pair<std::string, std::string>> lacks = {
        {"FAKE_CUDA_DMABUF=0", "cannot be handed out as a dma-buf"},
        {"FAKE_CUDA_ORDERING=100", "is ordered by the platform"},
        {"FAKE_CUDA_FLUSHES=0", "nothing orders what NICs write"},
        {"FAKE_CUDA_FAIL=cuFlushGPUDirectRDMAWrites:1:801", "flushing what NICs write"},
    };
    for (const auto &[setting, said] : lacks) {
        Program without;
        without.start({"doctor"}, with({setting}));
        without.wait();
        EXPECT_NE(std::string::npos, without.out().find(said)) << without.out();
        expect_nothing_left();
    }
}

} // namespace
