// SPDX-License-Identifier: Apache-2.0
// RDMA into a GPU's memory where something goes wrong: one of two NICs, or one call of the NIC's or
// of the driver's.
#include <gtest/gtest.h>

#ifdef HEADRACE_HAS_VERBS

#include "gpudirect.h"

#include <cerrno>
#include <cstdlib>

namespace
{

// ---- two rails ----

World two_rails(bool has_peer_memory = false, const char *require = nullptr)
{
    World setup;
    setup.has_peer_memory = has_peer_memory;
    setup.require = require;
    setup.rails = 2;
    return setup;
}

TEST_F(Gpudirect, TwoRailsReachTheTargetAndItsSlots)
{
    for (const char *codec : {"none", "lz4"}) {
        begin(text(3 * CHUNK + 99), two_rails(false, "gpudirect"));
        if (codec != std::string("none"))
            pack(codec);
        start();
        EXPECT_EQ(HR_OK, wait()) << why();
        expect_there("2 links");
        expect_there("GPUDirect by a dma-buf");
        EXPECT_EQ(std::string::npos, path().find("copied")) << path();
        expect_written(hr_get_count(get_).bytes_moved + 2 * HR_PROBE_LEN); // a probe a rail
        end();
    }
}

// A resolver or a NIC that is slow holds up nobody's chunks.
TEST_F(Gpudirect, HelpersLookForTheWaysToTheServer)
{
    begin(noise(CHUNK), two_rails());
    asked_by_worker = asked_by_helper = 0;
    start();
    EXPECT_EQ(HR_OK, wait()) << why();
    EXPECT_EQ(0u, asked_by_worker);
    EXPECT_GE(asked_by_helper, 2u); // once a rail
}

// One path for a target: what one NIC cannot do none does.
TEST_F(Gpudirect, OneWrongRailRefusesAWayForBoth)
{
    begin(noise(2 * CHUNK), two_rails(true));
    wrong = Some{2, 1};
    start();
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("GPUDirect by peer memory; no better GPUDirect: a dma-buf: the probe: the bytes "
                 "do not match their digest");
    expect_written(content_.size() + 4 * HR_PROBE_LEN);
}

TEST_F(Gpudirect, OneRailThatCannotRegisterItRefusesAWayForBoth)
{
    begin(noise(2 * CHUNK), two_rails());
    hr_verbs_fake_fail("reg_dmabuf_mr", 2, EOPNOTSUPP);
    start();
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("copied from pinned slots; no GPUDirect: a dma-buf: the NIC cannot register it");
    expect_written(0);
}

// What was under way over it comes over the other one.
TEST_F(Gpudirect, ANicThatGoesAwayLeavesTheOther)
{
    begin(noise(6 * CHUNK), two_rails());
    start();
    wait_written(2 * HR_PROBE_LEN + CHUNK);
    hr_verbs_fake_event(1, RDMA_CM_EVENT_DEVICE_REMOVAL);
    EXPECT_EQ(HR_OK, wait()) << why();
    expect_there("GPUDirect by a dma-buf");
}

// ---- damage on the server's disk ----

// Only the kernels see what lies in a slot of theirs; who is to blame is said all the same.
TEST_F(Gpudirect, AChunkThatIsDamagedAtItsSourceIsNamed)
{
    begin(text(3 * CHUNK), {});
    pack("lz4");
    FILE *file = fopen((folder_ + "/file").c_str(), "r+");
    ASSERT_EQ(0, fseek(file, 100000, SEEK_SET));
    EXPECT_EQ(4u, fwrite("\xff\xff\xff\xff", 1, 4, file));
    fclose(file);
    start();
    EXPECT_EQ(HR_INTEGRITY, wait());
    EXPECT_NE(std::string::npos, why().find("data/file: chunk 0 (offset 0) does not match"))
        << why();
}

// ---- each call fails once ----

constexpr int out_of_memory = 2, illegal_address = 700; // the second one loses the context

struct Call {
    const char *name;
    bool is_of_nic;
    int result;
};

const Call calls[] = {
    {"reg_dmabuf_mr", true, ENOMEM},
    {"post_send", true, ENOMEM},
    {"poll_cq", true, EIO},
    {"cuMemAlloc", false, out_of_memory},
    {"cuMemGetHandleForAddressRange", false, out_of_memory},
    {"cuFlushGPUDirectRDMAWrites", false, out_of_memory},
    {"cuFlushGPUDirectRDMAWrites", false, illegal_address},
    {"cuEventRecord", false, out_of_memory},
    {"cuEventSynchronize", false, illegal_address},
    {"cuLaunchKernel", false, out_of_memory},
    {"cuLaunchKernel", false, illegal_address},
    {"kernel", false, illegal_address},
};

class GpudirectFault : public Gpudirect, public testing::WithParamInterface<Call>
{
};

// Whatever fails: the content is there and verified, or a sentence names the shard or the GPU; what
// was taken is given back in its order (the fakes watch that), and where the context is not lost
// the next get goes well.
TEST_P(GpudirectFault, Once)
{
    const Call &call = GetParam();
    const char *wanted = getenv("HEADRACE_GPU_FAULTS");
    const unsigned tries = wanted != nullptr ? (unsigned)atoi(wanted) : 1;
    unsigned points = 0;
    for (unsigned nth = 1; nth <= tries && !HasFailure(); nth++) {
        World setup;
        setup.links = 1;
        begin(text(3 * HR_PROBE_LEN + 77), setup);
        pack("lz4");
        const std::string failure =
            std::string(call.name) + ":" + std::to_string(nth) + ":" + std::to_string(call.result);
        const std::string failed = folder_ + "/failed";
        if (call.is_of_nic)
            hr_verbs_fake_fail(call.name, nth, call.result);
        setenv("FAKE_CUDA_FAILED", failed.c_str(), 1);
        setenv("FAKE_CUDA_FAIL", call.is_of_nic ? "" : failure.c_str(), 1);
        start();
        const hr_status status = wait();
        const bool is_reached = hr_verbs_fake_has_failed() || access(failed.c_str(), F_OK) == 0;
        EXPECT_TRUE(is_reached || nth > 1) << failure << " is never called";
        unsetenv("FAKE_CUDA_FAIL");
        unsetenv("FAKE_CUDA_FAILED");
        hr_verbs_fake_fail("", 1, 0);
        size_t free_len = 0, total_len = 0;
        is_lost_ = cuda_->mem_get_info(&free_len, &total_len) != HR_CUDA_SUCCESS;
        if (status == HR_OK && !is_lost_)
            expect_there("cuda:0");
        const bool is_named = why().find("cuda:0") != std::string::npos ||
                              why().find("data/file") != std::string::npos;
        EXPECT_TRUE(status == HR_OK || is_named) << failure << ": " << why();
        EXPECT_NE(HR_INTEGRITY, status) << failure << ": " << why();
        if (!is_lost_) {
            start();
            EXPECT_EQ(HR_OK, wait()) << failure << ", and then: " << why();
            expect_there("cuda:0");
        }
        end();
        if (!is_reached)
            break;
        printf("point: GPUDirect: %s\n", failure.c_str());
        points++;
    }
    printf("%u fault points of GPUDirect\n", points);
}

std::string name_of(const testing::TestParamInfo<Call> &call)
{
    return std::string(call.param.name) + "_" + std::to_string(call.param.result);
}

INSTANTIATE_TEST_SUITE_P(Calls, GpudirectFault, testing::ValuesIn(calls), name_of);

} // namespace

#endif
