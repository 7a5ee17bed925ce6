/* SPDX-License-Identifier: Apache-2.0 */
#include "device_nvcomp.h"

#ifndef HEADRACE_NVCOMP

std::vector<double> device_nvcomp_runs(const device_nvcomp_load &, int, std::string *why)
{
    *why = "its wheel was not carried";
    return {};
}

#else

#include <cuda_runtime.h>
#include <dlfcn.h>

#include <algorithm>

#include <nvcomp/lz4.h>

namespace
{

const size_t align = 256;

/* Device memory that goes with it. */
template <typename T> class on_device
{
  public:
    explicit on_device(size_t count)
    {
        void *memory = nullptr;
        if (cudaMalloc(&memory, count * sizeof(T) + align) == cudaSuccess)
            at = static_cast<T *>(memory);
    }
    explicit on_device(const std::vector<T> &values) : on_device(values.size())
    {
        if (at != nullptr)
            cudaMemcpy(at, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice);
    }
    on_device(const on_device &) = delete;
    on_device &operator=(const on_device &) = delete;
    ~on_device()
    {
        cudaFree(at);
    }
    T *at = nullptr;
};

struct library {
    decltype(&nvcompBatchedLZ4DecompressGetTempSize) temp_size = nullptr;
    decltype(&nvcompBatchedLZ4DecompressAsync) decompress = nullptr;
};

bool open(library *it, std::string *why)
{
    void *handle = dlopen("libnvcomp.so." HEADRACE_NVCOMP, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
        *why = dlerror();
        return false;
    }
    it->temp_size = reinterpret_cast<decltype(it->temp_size)>(
        dlsym(handle, "nvcompBatchedLZ4DecompressGetTempSize"));
    it->decompress = reinterpret_cast<decltype(it->decompress)>(
        dlsym(handle, "nvcompBatchedLZ4DecompressAsync"));
    *why = "the library lacks what its header has";
    return it->temp_size != nullptr && it->decompress != nullptr;
}

/* What its functions are given: a pointer and a length a block, on either side. */
struct tables {
    std::vector<const void *> from;
    std::vector<void *> to;
    std::vector<size_t> from_len, to_len;
};

/* Lays the blocks down anew, each where the library wants it. */
std::vector<uint8_t> lay(const device_nvcomp_load &load, std::vector<size_t> *places)
{
    std::vector<uint8_t> unit;
    for (const device_nvcomp_block &block : load.blocks) {
        places->push_back(unit.size());
        unit.insert(unit.end(), block.stored, block.stored + block.stored_len);
        unit.resize((unit.size() + 15) / 16 * 16);
    }
    return unit;
}

tables point(const device_nvcomp_load &load, const uint8_t *source, size_t unit_len,
             const std::vector<size_t> &places)
{
    tables it;
    for (uint32_t copy = 0; copy < load.copies; copy++)
        for (size_t i = 0; i < load.blocks.size(); i++) {
            it.from.push_back(source + copy * unit_len + places[i]);
            it.from_len.push_back(load.blocks[i].stored_len);
            it.to.push_back(load.target + copy * load.copy_content_len + load.blocks[i].content_at);
            it.to_len.push_back(load.blocks[i].content_len);
        }
    return it;
}

} // namespace

std::vector<double> device_nvcomp_runs(const device_nvcomp_load &load, int runs, std::string *why)
{
    library nvcomp;
    std::vector<size_t> places;
    if (!open(&nvcomp, why))
        return {};
    const std::vector<uint8_t> unit = lay(load, &places);
    on_device<uint8_t> source(unit.size() * load.copies);
    const size_t count = load.blocks.size() * load.copies, most = 64u << 10;
    const tables host = point(load, source.at, unit.size(), places);
    on_device<const void *> from(host.from);
    on_device<void *> to(host.to);
    on_device<size_t> from_len(host.from_len), to_len(host.to_len), made(count);
    on_device<nvcompStatus_t> statuses(count);
    size_t temp_len = 0;
    *why = "out of memory on the device";
    if (source.at == nullptr || statuses.at == nullptr)
        return {};
    for (uint32_t copy = 0; copy < load.copies; copy++)
        cudaMemcpy(source.at + copy * unit.size(), unit.data(), unit.size(),
                   cudaMemcpyHostToDevice);
    *why = "it refuses the size of the batch";
    if (nvcomp.temp_size(count, most, nvcompBatchedLZ4DecompressDefaultOpts, &temp_len,
                         load.copy_content_len * load.copies, nullptr) != nvcompSuccess)
        return {};
    on_device<uint8_t> temp(temp_len);
    std::vector<double> seconds;
    cudaEvent_t begin, end;
    cudaEventCreate(&begin);
    cudaEventCreate(&end);
    for (int run = -2; run < runs; run++) { /* two to warm up */
        cudaMemset(load.target, 0xEE, load.copy_content_len * load.copies);
        cudaMemset(statuses.at, 0x55, count * sizeof *statuses.at);
        cudaEventRecord(begin);
        nvcomp.decompress(from.at, from_len.at, to_len.at, made.at, count, temp.at, temp_len, to.at,
                          nvcompBatchedLZ4DecompressDefaultOpts, statuses.at, nullptr);
        cudaEventRecord(end);
        float ms = 0;
        if (cudaEventSynchronize(end) == cudaSuccess &&
            cudaEventElapsedTime(&ms, begin, end) == cudaSuccess && run >= 0)
            seconds.push_back(ms / 1e3);
    }
    cudaEventDestroy(begin);
    cudaEventDestroy(end);
    std::vector<nvcompStatus_t> said(count);
    cudaMemcpy(said.data(), statuses.at, count * sizeof said[0], cudaMemcpyDeviceToHost);
    const bool right = std::all_of(said.begin(), said.end(),
                                   [](nvcompStatus_t status) { return status == nvcompSuccess; });
    *why = right ? "its runs failed" : "it refuses a block that liblz4 made";
    return right && cudaGetLastError() == cudaSuccess ? seconds : std::vector<double>();
}

#endif
