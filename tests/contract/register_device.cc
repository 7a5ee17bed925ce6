// SPDX-License-Identifier: Apache-2.0
// What the measuring program makes known to devices, on the fakes of a NIC and of a GPU: which
// memory, how often, and that all of it is given back.
#include <gtest/gtest.h>

#ifdef HEADRACE_HAS_VERBS

#include <string>

#include "fake_cuda.h"

extern "C" {
#include "register_device.h"
#include "verbs_fake.h"
}

namespace
{

struct RegisterDevice : testing::Test {
    hr_bench_histogram latency = {};
    hr_bench_register_work work = {};
    hr_bench_measure measure = {};
    hr_error error = {};
    hr_verbs_fake_setup setup = {};

    hr_status Run()
    {
        hr_verbs_fake_open(&setup);
        work.duration_ns = 1; // once
        work.calls = hr_verbs_fake_calls();
        work.latency = &latency;
        hr_status status = hr_bench_register_device(&work, &measure, &error);
        count = hr_verbs_fake_count();
        EXPECT_STREQ(hr_verbs_fake_close(), "");
        return status;
    }
    hr_verbs_fake_counters count = {};
};

TEST_F(RegisterDevice, AWorkersPoolWithANic)
{
    work.by_nic = true;
    ASSERT_EQ(Run(), HR_OK) << error.text;
    EXPECT_EQ(count.registrations, latency.total);
    EXPECT_EQ(count.longest_mr, HR_BENCH_POOL_LEN);
    EXPECT_EQ(count.regions, 0u) << "given back";
    EXPECT_EQ(measure.bytes, latency.total * HR_BENCH_POOL_LEN);
    EXPECT_NE(std::string(measure.note).find("fake0"), std::string::npos) << measure.note;
}

TEST_F(RegisterDevice, TheMemoryOfAGpuByItsDmabuf)
{
    fake_cuda();
    work.by_nic = work.of_gpu = true;
    work.gpu = 1;
    ASSERT_EQ(Run(), HR_OK) << error.text;
    EXPECT_GE(count.dmabuf_fd, 0);
    EXPECT_EQ(count.regions, 0u);
    EXPECT_GE(latency.total, 1u);
    EXPECT_NE(std::string(measure.note).find("a dma-buf of fake GPU 1"), std::string::npos)
        << measure.note;
    EXPECT_EQ(fake_cuda_left(), 0);
}

TEST_F(RegisterDevice, SaysWhyItCannot)
{
    work.by_nic = true;
    setup.locked_max = 1 << 20;
    EXPECT_EQ(Run(), HR_LIMIT);
    EXPECT_NE(std::string(error.text).find("ulimit"), std::string::npos) << error.text;
    error = {};
    setup = {};
    setup.has_none = true;
    EXPECT_EQ(Run(), HR_UNSUPPORTED);
    EXPECT_NE(std::string(error.text).find("no RDMA device"), std::string::npos) << error.text;
    error = {};
    work.by_nic = false;
    work.gpu = 7;
    EXPECT_NE(Run(), HR_OK);
    EXPECT_NE(std::string(error.text).find("GPU"), std::string::npos) << error.text;
    EXPECT_EQ(fake_cuda_left(), 0);
}

} // namespace

#endif
