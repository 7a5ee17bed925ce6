// SPDX-License-Identifier: Apache-2.0
// The driver that is loaded when it is asked for, on a machine that may have none.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

extern "C" {
#include "cuda.h"
#include "memory.h"
}
#include "fake_cuda.h"

namespace
{

// The machine's own driver is looked for before the one of these tests is loaded, which has its
// name.
hr_error own_error;
hr_cuda own_driver;
const hr_status own_status = hr_cuda_open(HR_CUDA_LIBRARY, &own_driver, &own_error);

TEST(Cuda, SaysThatThereIsNoDriver)
{
    hr_cuda cuda = {};
    hr_error error = {};
    EXPECT_EQ(hr_cuda_open("libcuda-that-is-not-here.so.1", &cuda, &error), HR_UNSUPPORTED);
    EXPECT_NE(std::string(error.text).find("libcuda-that-is-not-here.so.1"), std::string::npos);
    EXPECT_EQ(cuda.library, nullptr) << "outputs are set only on success";
}

TEST(Cuda, ALibraryWithoutTheEntryPointsIsTooOld)
{
    hr_cuda cuda = {};
    hr_error error = {};
    EXPECT_EQ(hr_cuda_open("libc.so.6", &cuda, &error), HR_UNSUPPORTED);
    EXPECT_NE(std::string(error.text).find("cuInit"), std::string::npos) << error.text;
}

TEST(Cuda, OpensTheRealOne)
{
    if (own_status != HR_OK)
        GTEST_SKIP() << own_error.text;
    int count = 0;
    EXPECT_EQ(own_driver.device_get_count(&count), 0);
    EXPECT_GT(count, 0);
}

TEST(Cuda, NumbersBecomeStatuses)
{
    EXPECT_EQ(hr_cuda_status(0), HR_OK);
    EXPECT_EQ(hr_cuda_status(2), HR_NO_MEMORY);
    EXPECT_EQ(hr_cuda_status(101), HR_NOT_FOUND);
    EXPECT_EQ(hr_cuda_status(100), HR_UNSUPPORTED);
    EXPECT_EQ(hr_cuda_status(700), HR_IO) << "an illegal address: the context is lost";
}

TEST(CudaMemory, ADeviceThatDoesNotExistIsNotFound)
{
    for (int device : {-1, FAKE_CUDA_DEVICES, 1 << 20}) {
        hr_memory *memory = nullptr;
        EXPECT_EQ(hr_memory_cuda_create(hr_env_system(), fake_cuda(), device, &memory),
                  HR_NOT_FOUND);
        EXPECT_EQ(memory, nullptr);
    }
    EXPECT_EQ(fake_cuda_left(), 0);
}

TEST(CudaMemory, ADriverWithoutDmabufSaysSo)
{
    hr_memory *memory = nullptr;
    ASSERT_EQ(hr_memory_cuda_create(hr_env_system(), fake_cuda(), 0, &memory), HR_OK);
    hr_span span, dmabuf;
    hr_page_kind pages;
    ASSERT_EQ(memory->ops->alloc(memory, 5000, &span, &pages), HR_OK);
    setenv("FAKE_CUDA_DMABUF", "0", 1);
    EXPECT_EQ(memory->ops->dmabuf(memory, &span, &dmabuf), HR_UNSUPPORTED);
    unsetenv("FAKE_CUDA_DMABUF");
    setenv("FAKE_CUDA_FAIL", "cuMemGetHandleForAddressRange:1:1", 1);
    EXPECT_EQ(memory->ops->dmabuf(memory, &span, &dmabuf), HR_INVALID);
    unsetenv("FAKE_CUDA_FAIL");
    hr_span none = span;
    none.addr = reinterpret_cast<void *>(4096);
    EXPECT_EQ(memory->ops->dmabuf(memory, &none, &dmabuf), HR_INVALID) << "memory that is none";
    memory->ops->release(memory, &span);
    hr_memory_destroy(memory);
    EXPECT_EQ(fake_cuda_left(), 0);
}

TEST(CudaMemory, GivesEverythingBack)
{
    hr_memory *memory = nullptr;
    ASSERT_EQ(hr_memory_cuda_create(hr_env_system(), fake_cuda(), 1, &memory), HR_OK);
    hr_span span;
    hr_page_kind pages;
    ASSERT_EQ(memory->ops->alloc(memory, 5000, &span, &pages), HR_OK);
    EXPECT_EQ(span.device, 1);
    EXPECT_EQ(span.kind, HR_MEMORY_CUDA);
    memory->ops->release(memory, &span);
    hr_memory_destroy(memory);
    EXPECT_EQ(fake_cuda_left(), 0);
}

} // namespace
