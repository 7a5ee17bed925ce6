/* SPDX-License-Identifier: Apache-2.0 */
/* What one GPU decodes and verifies. Content is of this program's own making, a seed each; sources
 * and targets together are far larger than the L2, targets are poisoned before each run, and a run
 * counts only if every job said that its digest is right and the content is there. Times are CUDA
 * events'; medians of runs. Tables go to standard output, tabs between fields. */
#include <cuda_runtime.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <algorithm>
#include <string>
#include <vector>

#include "device_nvcomp.h"

extern "C" {
#include "batch.h"
#include "crc32c.h"
#include "device_codec.h"
#include "device_gpu.h"
#include "lane_material.h"
}

namespace
{

const uint32_t chunk_len = 4u << 20, kinds = 16, copies = 64; /* 1024 chunks: 4 GiB of content */
const int runs = 21;

void check(cudaError_t error, const char *what)
{
    if (error == cudaSuccess)
        return;
    fprintf(stderr, "device_bench: %s: %s\n", what, cudaGetErrorString(error));
    exit(1);
}

void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "device_bench: %s\n", what);
    exit(5);
}

uint8_t *on_device(size_t len)
{
    void *memory = nullptr;
    check(cudaMalloc(&memory, len), "cudaMalloc");
    return static_cast<uint8_t *>(memory);
}

double now_s()
{
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

struct spread {
    double median, least, most;
};

spread spread_of(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    return {values[values.size() / 2], values.front(), values.back()};
}

/* Of LANE_MATERIALS, which is none of them: what the caller brought. */
std::vector<uint8_t> real_text;

void fill(lane_material kind, uint8_t *content, uint32_t number)
{
    if (kind != LANE_MATERIALS) {
        lane_material_fill(kind, content, chunk_len, number + 1);
        return;
    }
    for (size_t i = 0; i < chunk_len; i++)
        content[i] = real_text[(static_cast<size_t>(number) * chunk_len + i) % real_text.size()];
}

const char *name_of(lane_material kind)
{
    return kind == LANE_MATERIALS ? "real text" : lane_material_name(kind);
}

void read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    require(file != nullptr, "the text cannot be opened");
    real_text.resize(static_cast<size_t>(kinds) * chunk_len);
    real_text.resize(fread(real_text.data(), 1, real_text.size(), file));
    fclose(file);
    require(real_text.size() >= chunk_len, "the text is too short");
}

/* Chunks of one kind: made once on the host, laid down many times on the device. */
struct load {
    std::vector<uint8_t> content, stored;
    std::vector<hr_batch_job> jobs;
    uint8_t *source, *target, *scratch;
    hr_batch_job *table;
    int32_t *statuses;
    hr_batch batch;
    size_t unit; /* device bytes of one copy of the stored chunks */
    double ratio, sequence_len;
};

load make(device_codec codec, lane_material kind, bool in_place)
{
    load it = {};
    std::vector<uint8_t> one(chunk_len + (64u << 10));
    std::vector<size_t> at;
    uint64_t stored_len = 0, sequences = 0;
    it.content.resize(static_cast<size_t>(kinds) * chunk_len);
    for (uint32_t i = 0; i < kinds; i++) {
        uint8_t *content = &it.content[static_cast<size_t>(i) * chunk_len];
        fill(kind, content, i);
        const size_t len = device_encode(codec, content, chunk_len, one.data(), one.size());
        require(len > 0, "a chunk could not be encoded");
        sequences += device_sequences(codec, one.data(), len);
        at.push_back(it.stored.size());
        it.stored.insert(it.stored.end(), one.begin(), one.begin() + static_cast<long>(len));
        it.stored.resize((it.stored.size() + 4095) / 4096 * 4096); /* as in a packed shard */
        hr_batch_job job = {};
        job.source = at.back();
        job.source_len = static_cast<uint32_t>(len);
        job.content_len = chunk_len;
        job.content_crc = hr_crc32c(0, content, chunk_len);
        job.codec = device_codec_id(codec);
        it.jobs.push_back(job);
        stored_len += len;
    }
    it.unit = it.stored.size();
    it.ratio = static_cast<double>(it.content.size()) / static_cast<double>(stored_len);
    it.sequence_len =
        sequences > 0 ? static_cast<double>(it.content.size()) / static_cast<double>(sequences) : 0;
    it.source = on_device(it.unit * copies);
    it.target = on_device(static_cast<size_t>(kinds) * copies * chunk_len);
    for (uint32_t copy = 0; copy < copies; copy++)
        check(cudaMemcpy(it.source + copy * it.unit, it.stored.data(), it.unit,
                         cudaMemcpyHostToDevice),
              "copying the stored chunks");
    const std::vector<hr_batch_job> first = it.jobs;
    it.jobs.clear();
    for (uint32_t i = 0; i < kinds * copies; i++) {
        hr_batch_job job = first[i % kinds];
        job.source += reinterpret_cast<uintptr_t>(it.source) + i / kinds * it.unit;
        job.target = in_place ? 0
                              : reinterpret_cast<uintptr_t>(it.target) +
                                    static_cast<uint64_t>(i) * chunk_len;
        it.jobs.push_back(job);
    }
    uint32_t wrong = 0;
    require(hr_batch_plan(it.jobs.data(), kinds * copies, &it.batch, &wrong) == HR_OK, "no plan");
    it.scratch = on_device(hr_batch_scratch_len(&it.batch));
    it.table = reinterpret_cast<hr_batch_job *>(on_device(it.jobs.size() * sizeof it.jobs[0]));
    it.statuses = reinterpret_cast<int32_t *>(on_device(it.jobs.size() * sizeof(int32_t)));
    check(cudaMemcpy(it.table, it.jobs.data(), it.jobs.size() * sizeof it.jobs[0],
                     cudaMemcpyHostToDevice),
          "copying the jobs");
    return it;
}

void drop(load *it)
{
    for (void *memory : {static_cast<void *>(it->source), static_cast<void *>(it->target),
                         static_cast<void *>(it->scratch), static_cast<void *>(it->table),
                         static_cast<void *>(it->statuses)})
        cudaFree(memory);
}

void poison(const load &it)
{
    check(cudaMemset(it.target, 0xEE, static_cast<size_t>(kinds) * copies * chunk_len), "poison");
    check(cudaMemset(it.statuses, 0x55, it.jobs.size() * sizeof(int32_t)), "poison");
}

void judge_content(const load &it, uint32_t jobs)
{
    std::vector<uint8_t> back(chunk_len);
    for (uint32_t i = 0; i < jobs; i += 97) {
        check(cudaMemcpy(back.data(), it.target + static_cast<size_t>(i) * chunk_len, chunk_len,
                         cudaMemcpyDeviceToHost),
              "reading content");
        require(memcmp(back.data(), &it.content[static_cast<size_t>(i % kinds) * chunk_len],
                       chunk_len) == 0,
                "content differs though its digest is right");
    }
}

/* Every job's word for it, and some of the content itself. */
void judge(const load &it, uint32_t jobs, bool in_place)
{
    std::vector<int32_t> statuses(jobs);
    check(cudaMemcpy(statuses.data(), it.statuses, jobs * sizeof(int32_t), cudaMemcpyDeviceToHost),
          "reading the statuses");
    for (int32_t status : statuses)
        require(status == HR_OK, "a chunk that is right was refused");
    if (!in_place)
        judge_content(it, jobs);
}

/* Seconds of each run. */
std::vector<double> time_runs(const load &it, unsigned max_sms, int count, bool in_place)
{
    std::vector<double> seconds;
    cudaEvent_t begin, end;
    check(cudaEventCreate(&begin), "event");
    check(cudaEventCreate(&end), "event");
    const hr_batch_memory memory = {it.table, it.scratch, it.statuses};
    for (int run = -2; run < count; run++) { /* two to warm up */
        poison(it);
        check(cudaEventRecord(begin), "event");
        require(device_gpu_decode(nullptr, &it.batch, &memory, max_sms) == HR_OK, "no launch");
        check(cudaEventRecord(end), "event");
        check(cudaEventSynchronize(end), "the kernels");
        float ms = 0;
        check(cudaEventElapsedTime(&ms, begin, end), "event");
        if (run >= 0)
            seconds.push_back(ms / 1e3);
    }
    judge(it, it.batch.jobs, in_place);
    cudaEventDestroy(begin);
    cudaEventDestroy(end);
    return seconds;
}

double copy_rate()
{
    const size_t len = static_cast<size_t>(kinds) * copies * chunk_len;
    uint8_t *from = on_device(len), *to = on_device(len);
    check(cudaMemset(from, 0xA7, len), "memset");
    std::vector<double> rates;
    cudaEvent_t begin, end;
    check(cudaEventCreate(&begin), "event");
    check(cudaEventCreate(&end), "event");
    for (int run = -2; run < runs; run++) {
        check(cudaEventRecord(begin), "event");
        check(cudaMemcpyAsync(to, from, len, cudaMemcpyDeviceToDevice), "copy");
        check(cudaEventRecord(end), "event");
        check(cudaEventSynchronize(end), "copy");
        float ms = 0;
        check(cudaEventElapsedTime(&ms, begin, end), "event");
        if (run >= 0)
            rates.push_back(static_cast<double>(len) / ms / 1e6);
    }
    cudaFree(from);
    cudaFree(to);
    cudaEventDestroy(begin);
    cudaEventDestroy(end);
    return spread_of(rates).median;
}

void print_row(const char *codec, const char *kind, const load &it, unsigned sms, double copy,
               const std::vector<double> &seconds)
{
    const double bytes = static_cast<double>(it.batch.jobs) * chunk_len;
    const spread time = spread_of(seconds);
    printf("%s\t%s\t%u\t%.2f\t%.1f\t%.1f\t%.1f\t%.1f\t%.3f\n", codec, kind, sms, it.ratio,
           it.sequence_len, bytes / time.median / 1e9, bytes / time.most / 1e9,
           bytes / time.least / 1e9, bytes / time.median / 1e9 / copy);
    fflush(stdout);
}

/* The same blocks by nvCOMP; a line of its own, or why there is none. */
void print_nvcomp(device_codec codec, const char *kind, const load &it, unsigned sms, double copy,
                  const std::vector<double> &ours)
{
    device_nvcomp_load load = {{}, copies, it.target, static_cast<uint64_t>(kinds) * chunk_len};
    std::string why = "some of it is raw, which its blocks cannot be";
    for (uint32_t i = 0; i < kinds; i++) {
        /* The first copy's jobs lie as the stored chunks do. */
        const uint8_t *stored = &it.stored[it.jobs[i].source - it.jobs[0].source];
        uint32_t places[2 * DEVICE_BLOCKS_MAX];
        const uint32_t count = device_blocks(codec, stored, it.jobs[i].source_len, places);
        for (uint32_t k = 0; k < count; k++)
            load.blocks.push_back({stored + places[2 * k], places[2 * k + 1], 64u << 10,
                                   static_cast<uint64_t>(i) * chunk_len + k * (64u << 10)});
    }
    if (load.blocks.size() != static_cast<size_t>(kinds) * DEVICE_BLOCKS_MAX) {
        printf("nvcomp lz4\t%s\tnot run: %s\n", kind, why.c_str());
        return;
    }
    const std::vector<double> seconds = device_nvcomp_runs(load, runs, &why);
    if (seconds.empty()) {
        printf("nvcomp lz4\t%s\tnot run: %s\n", kind, why.c_str());
        return;
    }
    judge_content(it, kinds * copies);
    print_row("nvcomp lz4", kind, it, sms, copy, seconds);
    printf("lz4 to nvcomp lz4\t%s\t%.2f\n", kind,
           spread_of(seconds).median / spread_of(ours).median);
}

/* From pinned memory: what nothing that comes over the bus can be faster than. */
double host_copy_rate()
{
    const size_t len = 1u << 30;
    void *host = nullptr;
    uint8_t *to = on_device(len);
    check(cudaMallocHost(&host, len), "cudaMallocHost");
    memset(host, 0xA7, len);
    std::vector<double> rates;
    for (int run = -2; run < 9; run++) {
        const double begin = now_s();
        check(cudaMemcpy(to, host, len, cudaMemcpyHostToDevice), "copy");
        check(cudaDeviceSynchronize(), "copy");
        if (run >= 0)
            rates.push_back(static_cast<double>(len) / (now_s() - begin) / 1e9);
    }
    cudaFreeHost(host);
    cudaFree(to);
    return spread_of(rates).median;
}

void print_rates(double copy, unsigned sms)
{
    printf("codec\tdata\tSMs\tratio\tbytes/sequence\tGB/s\tleast\tmost\tto copy\n");
    struct row {
        device_codec codec;
        lane_material kind;
        bool in_place;
    };
    std::vector<row> rows = {{DEVICE_STORED, LANE_NOISE, true},
                             {DEVICE_STORED, LANE_NOISE, false},
                             {DEVICE_PLANES, LANE_WEIGHTS, false}};
    for (int kind = real_text.empty() ? 0 : -1; kind < LANE_MATERIALS; kind++)
        rows.push_back(
            {DEVICE_LZ4, kind < 0 ? LANE_MATERIALS : static_cast<lane_material>(kind), false});
    for (const row &row : rows) {
        load it = make(row.codec, row.kind, row.in_place);
        const std::vector<double> seconds = time_runs(it, 0, runs, row.in_place);
        print_row(row.in_place ? "verify only" : device_codec_name(row.codec), name_of(row.kind),
                  it, sms, copy, seconds);
        if (row.codec == DEVICE_LZ4)
            print_nvcomp(row.codec, name_of(row.kind), it, sms, copy, seconds);
        drop(&it);
    }
}

void print_sms(double copy, unsigned all)
{
    load text = make(DEVICE_LZ4, LANE_TEXT, false);
    load weights = make(DEVICE_PLANES, LANE_WEIGHTS, false);
    for (unsigned sms : {4u, 8u, 16u, 32u, 64u}) {
        if (sms >= all)
            break;
        print_row("lz4", "text", text, sms, copy, time_runs(text, sms, 3, false));
        print_row("planes", "weights", weights, sms, copy, time_runs(weights, sms, 5, false));
    }
    drop(&weights);
    drop(&text);
}

/* One chunk, from the call until its status is in host memory. */
void print_latency()
{
    load it = make(DEVICE_LZ4, LANE_TEXT, false);
    hr_batch one;
    uint32_t wrong = 0;
    int32_t *status = nullptr;
    std::vector<double> us;
    require(hr_batch_plan(it.jobs.data(), 1, &one, &wrong) == HR_OK, "no plan");
    check(cudaMallocHost(reinterpret_cast<void **>(&status), sizeof *status), "cudaMallocHost");
    const hr_batch_memory memory = {it.table, it.scratch, it.statuses};
    for (int run = -5; run < 101; run++) {
        poison(it); /* and what is in the L2 is not this chunk */
        check(cudaDeviceSynchronize(), "synchronize");
        const double begin = now_s();
        require(device_gpu_decode(nullptr, &one, &memory, 0) == HR_OK, "no launch");
        check(cudaMemcpyAsync(status, it.statuses, sizeof *status, cudaMemcpyDeviceToHost), "copy");
        check(cudaStreamSynchronize(nullptr), "the kernels");
        if (run >= 0)
            us.push_back((now_s() - begin) * 1e6);
        require(*status == HR_OK, "a chunk that is right was refused");
    }
    const spread time = spread_of(us);
    printf("one chunk of text, lz4, call to status, us: median %.0f, least %.0f, most %.0f\n",
           time.median, time.least, time.most);
    cudaFreeHost(status);
    drop(&it);
}

} // namespace

/* device_bench [TEXT]: a file of real text, the longer the better */
int main(int count, char **arguments)
{
    if (count > 1)
        read_text(arguments[1]);
    cudaDeviceProp device;
    check(cudaGetDeviceProperties(&device, 0), "GPU 0");
    const unsigned sms = static_cast<unsigned>(device.multiProcessorCount);
    printf("%s, %u SMs, L2 %.0f MB; %u chunks of %u bytes; medians of %d runs\n", device.name, sms,
           device.l2CacheSize / 1e6, kinds * copies, chunk_len, runs);
    const double copy = copy_rate();
    printf("device-to-device copy: %.1f GB/s of content\n", copy);
    printf("pinned host-to-device copy: %.1f GB/s\n", host_copy_rate());
    print_rates(copy, sms);
    print_sms(copy, sms);
    print_latency();
    return 0;
}
