// SPDX-License-Identifier: Apache-2.0
// What every implementation of the memory seam promises.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

extern "C" {
#include "memory.h"
}
#include "fake_cuda.h"

namespace
{

hr_memory *make_host()
{
    hr_memory *memory = nullptr;
    EXPECT_EQ(hr_memory_host_create(hr_env_system(), &memory), HR_OK);
    return memory;
}

hr_memory *make_faulty(uint64_t nth)
{
    hr_memory *memory = nullptr;
    EXPECT_EQ(hr_memory_fault_create(make_host(), nth, &memory), HR_OK);
    return memory;
}

hr_memory *make_fake(hr_status (*create)(const hr_env *, const hr_cuda *, int, hr_memory **))
{
    hr_memory *memory = nullptr;
    EXPECT_EQ(create(hr_env_system(), fake_cuda(), 0, &memory), HR_OK);
    return memory;
}

// The driver of this machine stays open, since nothing of CUDA's can be unloaded and loaded again.
// It is looked for before the one of these tests is loaded, which has its name.
const hr_cuda *driver(std::string *reason)
{
    static hr_cuda cuda;
    static hr_error error;
    static const hr_status status = hr_cuda_open(HR_CUDA_LIBRARY, &cuda, &error);
    *reason = error.text;
    return status == HR_OK ? &cuda : nullptr;
}

std::string no_driver;
const hr_cuda *const own_driver = driver(&no_driver);

hr_memory *make_real(hr_status (*create)(const hr_env *, const hr_cuda *, int, hr_memory **))
{
    std::string reason;
    hr_memory *memory = nullptr;
    const hr_cuda *cuda = driver(&reason);
    if (cuda != nullptr) {
        EXPECT_EQ(create(hr_env_system(), cuda, 0, &memory), HR_OK);
    }
    return memory;
}

struct Kind {
    const char *name;
    hr_memory *(*make)();
};

const Kind kinds[] = {
    {"host", make_host},
    {"faulty_host", [] { return make_faulty(0); }},
    {"cuda_without_a_gpu", [] { return make_fake(hr_memory_cuda_create); }},
    {"pinned_without_a_gpu", [] { return make_fake(hr_memory_pinned_create); }},
    {"cuda", [] { return make_real(hr_memory_cuda_create); }},
    {"pinned", [] { return make_real(hr_memory_pinned_create); }},
};

class Memory : public testing::TestWithParam<Kind>
{
    void SetUp() override
    {
        std::string reason;
        if (memory == nullptr && driver(&reason) == nullptr)
            GTEST_SKIP() << reason;
        ASSERT_NE(memory, nullptr);
    }

  protected:
    std::unique_ptr<hr_memory, decltype(&hr_memory_destroy)> memory{GetParam().make(),
                                                                    hr_memory_destroy};
};

TEST_P(Memory, GivesWhatWasAskedForAlignedAndWritable)
{
    for (size_t len : {size_t{1}, size_t{4096}, size_t{4097}, size_t{1} << 20, size_t{2} << 20,
                       (size_t{4} << 20) + (64 << 10), size_t{33} << 20}) {
        hr_span span;
        hr_page_kind pages;
        ASSERT_EQ(memory->ops->alloc(memory.get(), len, &span, &pages), HR_OK) << len;
        EXPECT_EQ(span.len, len);
        EXPECT_EQ(span.kind, memory->ops->kind);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(span.addr) % 4096, 0u);
        std::vector<uint8_t> bytes(len, 0x5A), back(len);
        const hr_span from = hr_span_host(bytes.data(), len), to = hr_span_host(back.data(), len);
        ASSERT_EQ(memory->ops->copy(memory.get(), &span, &from), HR_OK);
        ASSERT_EQ(memory->ops->copy(memory.get(), &to, &span), HR_OK);
        EXPECT_EQ(back, bytes);
        memory->ops->release(memory.get(), &span);
        EXPECT_EQ(span.addr, nullptr);
    }
}

TEST_P(Memory, KeepsAllocationsApart)
{
    std::vector<hr_span> spans(16);
    hr_page_kind pages;
    for (size_t i = 0; i < spans.size(); i++) {
        ASSERT_EQ(memory->ops->alloc(memory.get(), 3 << 20, &spans[i], &pages), HR_OK);
        const std::vector<uint8_t> bytes(3 << 20, static_cast<uint8_t>(i));
        const hr_span from = hr_span_host(const_cast<uint8_t *>(bytes.data()), bytes.size());
        ASSERT_EQ(memory->ops->copy(memory.get(), &spans[i], &from), HR_OK);
    }
    // Every second one goes: what is left must not notice.
    for (size_t i = 0; i < spans.size(); i += 2)
        memory->ops->release(memory.get(), &spans[i]);
    for (size_t i = 1; i < spans.size(); i += 2) {
        std::vector<uint8_t> back(3 << 20);
        const hr_span to = hr_span_host(back.data(), back.size());
        ASSERT_EQ(memory->ops->copy(memory.get(), &to, &spans[i]), HR_OK);
        EXPECT_EQ(back, std::vector<uint8_t>(3 << 20, static_cast<uint8_t>(i)));
        memory->ops->release(memory.get(), &spans[i]);
    }
}

TEST_P(Memory, SaysWhenThereIsNotEnough)
{
    hr_span span = hr_span_host(nullptr, 7);
    hr_page_kind pages;
    for (size_t len : {SIZE_MAX, SIZE_MAX / 2, size_t{1} << 60})
        EXPECT_EQ(memory->ops->alloc(memory.get(), len, &span, &pages), HR_NO_MEMORY) << len;
    EXPECT_EQ(span.len, 7u) << "outputs are set only on success";
}

// What begins and ends within pages too: the descriptor is of whole ones.
TEST_P(Memory, HandsOutADmabufOrSaysThatThereIsNone)
{
    if (memory->ops->dmabuf == nullptr) {
        EXPECT_EQ(memory->ops->kind, HR_MEMORY_HOST);
        return;
    }
    hr_span span, dmabuf = hr_span_host(nullptr, 7);
    hr_page_kind pages;
    ASSERT_EQ(memory->ops->alloc(memory.get(), 4 << 20, &span, &pages), HR_OK);
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t at : {size_t{0}, size_t{100}, page + 16}) {
        hr_span part = span;
        part.addr = static_cast<uint8_t *>(span.addr) + at;
        part.len = span.len - at - (at > 0 ? 5 : 0);
        const hr_status status = memory->ops->dmabuf(memory.get(), &part, &dmabuf);
        if (status == HR_UNSUPPORTED) {
            EXPECT_EQ(dmabuf.len, 7u) << "outputs are set only on success";
            continue;
        }
        ASSERT_EQ(status, HR_OK);
        EXPECT_EQ(dmabuf.kind, HR_MEMORY_DMABUF);
        EXPECT_EQ(dmabuf.len, part.len);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(dmabuf.addr), at % page) << "in the first page";
        EXPECT_EQ(close(dmabuf.dmabuf_fd), 0) << "it is the caller's";
    }
    memory->ops->release(memory.get(), &span);
}

TEST_P(Memory, ReleasesNothingAsNothing)
{
    hr_span span = hr_span_host(nullptr, 0);
    memory->ops->release(memory.get(), &span);
    EXPECT_EQ(span.addr, nullptr);
}

INSTANTIATE_TEST_SUITE_P(Contract, Memory, testing::ValuesIn(kinds),
                         [](const testing::TestParamInfo<Kind> &kind) { return kind.param.name; });

TEST(MemoryFault, FailsTheNthAllocationAndNoOther)
{
    std::unique_ptr<hr_memory, decltype(&hr_memory_destroy)> memory{make_faulty(3),
                                                                    hr_memory_destroy};
    for (int turn = 1; turn <= 5; turn++) {
        hr_span span;
        hr_page_kind pages;
        const hr_status status = memory->ops->alloc(memory.get(), 4096, &span, &pages);
        EXPECT_EQ(status, turn == 3 ? HR_NO_MEMORY : HR_OK) << "allocation " << turn;
        if (status == HR_OK)
            memory->ops->release(memory.get(), &span);
    }
}

} // namespace
