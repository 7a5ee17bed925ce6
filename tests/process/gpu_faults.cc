// SPDX-License-Identifier: Apache-2.0
// Every call of the GPU's driver fails once in turn, in a get of a packed shard from a server: the
// content is there and verified, or a sentence says what failed and of what; nothing is kept from
// the driver.
//
// A point is a call, how often it went well before, and what it came back with. scripts/faults
// prints how many there are; HEADRACE_GPU_FAULTS=100 tries each call as often as it is made.
#include "content.h"
#include "fixture.h"

#include <cstdlib>

#include "fake_cuda.h"

namespace
{

constexpr int out_of_memory = 2, illegal_address = 700; // the second one loses the context
constexpr unsigned tries_default = 1;

const char *const calls[] = {
    "cuInit",
    "cuDevicePrimaryCtxRetain",
    "cuMemAlloc",
    "cuMemHostRegister",
    "cuMemHostAlloc",
    "cuStreamCreate",
    "cuStreamSynchronize",
    "cuEventCreate",
    "cuEventRecord",
    "cuEventSynchronize",
    "cuMemcpyAsync",
    "cuModuleLoadData",
    "cuModuleGetFunction",
    "cuLaunchKernel",
    "copy",
    "kernel",
};

class GpuFaults : public Headrace, public ::testing::WithParamInterface<const char *>
{
  protected:
    Surroundings failing(unsigned nth, int result) const
    {
        Surroundings under;
        under.environment = {std::string("LD_LIBRARY_PATH=") + fake_cuda_folder(),
                             "FAKE_CUDA_LEFT=" + at("left"), "FAKE_CUDA_FAILED=" + at("failed"),
                             std::string("FAKE_CUDA_FAIL=") + GetParam() + ":" +
                                 std::to_string(nth) + ":" + std::to_string(result)};
        return under;
    }
    void expect_an_end(const Result &result, uint64_t len, const std::string &what) const
    {
        if (result.exit_code == 0) {
            EXPECT_EQ(len, result.summary.number("bytes_total")) << what;
            EXPECT_EQ("HR_OK", result.status()) << what;
            return;
        }
        EXPECT_TRUE(result.exit_code == 8 || result.exit_code == 11)
            << what << ": " << result.exit_code << ": " << result.errors;
        EXPECT_NE(std::string::npos, result.summary.text("text").find("cuda:0"))
            << what << ": " << result.summary.text("text");
    }
};

TEST_P(GpuFaults, EachCallOnce)
{
    const uint64_t len = CHUNK + 70000;
    write_text(at("plain"), text(len));
    Program pack;
    pack.start({"pack", at("plain"), data("shard"), "--codec", "lz4"});
    ASSERT_EQ(0, pack.wait()) << pack.errors();
    serve();
    const char *wanted = getenv("HEADRACE_GPU_FAULTS");
    const unsigned tries = wanted != nullptr ? (unsigned)atoi(wanted) : tries_default;
    unsigned points = 0;
    for (int code : {out_of_memory, illegal_address})
        for (unsigned nth = 1; nth <= tries && !HasFailure(); nth++) {
            const std::string what = std::string(GetParam()) + " " + std::to_string(nth) +
                                     " comes back with " + std::to_string(code);
            unlink(at("failed").c_str());
            expect_an_end(get(url("shard"), "cuda:0", {}, failing(nth, code)), len, what);
            if (!exists(at("failed")))
                break; // it is not called so often
            EXPECT_EQ("0\n", read_text(at("left"))) << what << ": not given back";
            printf("point: GPU, driver: %s\n", what.c_str());
            points++;
        }
    printf("%u fault points of the driver\n", points);
}

std::string name_of(const testing::TestParamInfo<const char *> &call)
{
    return call.param;
}

// A context that is lost when some of the chunks are there, and the next run of the same command.
TEST_F(Headrace, AGpuThatIsLostInMidTransferAndIsThereAgain)
{
    const uint64_t len = 2 * CHUNK + 70000;
    write_text(at("plain"), text(len));
    Program pack;
    pack.start({"pack", at("plain"), data("shard"), "--codec", "lz4"});
    ASSERT_EQ(0, pack.wait()) << pack.errors();
    serve();
    Surroundings well, lost;
    well.environment = lost.environment = {std::string("LD_LIBRARY_PATH=") + fake_cuda_folder(),
                                           "FAKE_CUDA_LEFT=" + at("left")};
    lost.environment.push_back("FAKE_CUDA_FAILED=" + at("failed"));
    lost.environment.push_back("FAKE_CUDA_FAIL=copy:4:" + std::to_string(illegal_address));
    Result result = get(url("shard"), "cuda:0", {}, lost);
    ASSERT_TRUE(exists(at("failed"))) << "there was no fourth copy";
    expect_refused(result, 8, {"cuda:0", "chunk "});
    EXPECT_EQ("0\n", read_text(at("left")));
    result = get(url("shard"), "cuda:0", {}, well);
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(len, result.summary.number("bytes_total"));
    EXPECT_EQ("0\n", read_text(at("left")));
}

INSTANTIATE_TEST_SUITE_P(Driver, GpuFaults, testing::ValuesIn(calls), name_of);

} // namespace
