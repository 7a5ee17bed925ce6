// SPDX-License-Identifier: Apache-2.0
// What the GPU's code computes, on the host's lanes: digests, blocks, and whole batches.
#include <gtest/gtest.h>
#include <lz4.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "batch_check.h"
#include "batch_lanes.h"
#include "codec.h"
#include "crc32c.h"
#include "lane_check.h"
#include "lane_material.h"
#include "planes.h"
}

namespace
{

using Bytes = std::vector<uint8_t>;

const hr_crc32c_lane_table &table()
{
    static hr_crc32c_lane_table made;
    static const bool once = (hr_crc32c_lane_table_make(&made), true);
    (void)once;
    return made;
}

Bytes material(lane_material kind, size_t len, uint32_t seed = 1)
{
    Bytes bytes(len);
    lane_material_fill(kind, bytes.data(), len, seed);
    return bytes;
}

TEST(Lanes, DigestIsTheOneOfTheCpuForEveryLengthAndPlace)
{
    const Bytes bytes = material(LANE_NOISE, 66000);
    for (uint32_t len : {0u, 1u, 2u, 3u, 4u, 5u, 127u, 128u, 129u, 511u, 512u, 513u, 1023u, 1024u,
                         1025u, 4095u, 4097u, 65535u, 65536u})
        for (uint32_t shift : {0u, 1u, 2u, 3u}) {
            hr_lanes lanes = {len + shift};
            const Bytes exact(bytes.begin() + shift, bytes.begin() + shift + len);
            Bytes copy(len + 16, 0xEE);
            const uint32_t due = hr_crc32c_linear(hr_crc32c(0, exact.data(), len), len);
            EXPECT_EQ(hr_crc32c_lanes(&lanes, &table(), exact.data(), nullptr, len, 0), due) << len;
            EXPECT_EQ(hr_crc32c_lanes(&lanes, &table(), exact.data(), copy.data(), len, 0), due)
                << len;
            EXPECT_EQ(Bytes(copy.begin(), copy.begin() + len), exact) << len;
            EXPECT_EQ(Bytes(copy.begin() + len, copy.end()), Bytes(16, 0xEE)) << len;
        }
}

TEST(Lanes, DigestsOfPartsAddUp)
{
    const Bytes bytes = material(LANE_TEXT, (4 << 20) - 37);
    const uint32_t len = static_cast<uint32_t>(bytes.size());
    const uint32_t cuts[] = {0, 65536, 65536 * 9, 65536 * 9 + 1, len - 5, len};
    hr_lanes lanes = {5};
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < std::size(cuts); i++)
        sum ^= hr_crc32c_lanes(&lanes, &table(), bytes.data() + cuts[i], nullptr,
                               cuts[i + 1] - cuts[i], len - cuts[i + 1]);
    EXPECT_EQ(sum, hr_crc32c_linear(hr_crc32c(0, bytes.data(), len), len));
}

Bytes lz4_block(const Bytes &content)
{
    const int len = static_cast<int>(content.size());
    Bytes stored(static_cast<size_t>(LZ4_compressBound(len)));
    const int written = LZ4_compress_default(reinterpret_cast<const char *>(content.data()),
                                             reinterpret_cast<char *>(stored.data()), len,
                                             static_cast<int>(stored.size()));
    stored.resize(static_cast<size_t>(written));
    return stored;
}

TEST(Lanes, Lz4OfEveryKindOfContentComesBack)
{
    for (int kind = 0; kind < LANE_MATERIALS; kind++)
        for (size_t len :
             {size_t{1}, size_t{12}, size_t{13}, size_t{64}, size_t{1000}, size_t{65536}}) {
            const Bytes content = material(static_cast<lane_material>(kind), len);
            const Bytes stored = lz4_block(content);
            Bytes back(len, 0xEE);
            ASSERT_TRUE(lane_decode(LANE_LZ4, stored.data(), stored.size(), back.data(), len))
                << lane_material_name(static_cast<lane_material>(kind)) << ' ' << len;
            EXPECT_EQ(back, content);
        }
}

TEST(Lanes, Lz4OverlapsOfEveryOffset)
{
    for (uint32_t offset = 1; offset <= 70; offset++) {
        Bytes content;
        const Bytes period = material(LANE_NOISE, offset, offset);
        while (content.size() < 3000)
            content.insert(content.end(), period.begin(), period.end());
        const Bytes stored = lz4_block(content);
        EXPECT_TRUE(lane_agree(LANE_LZ4, stored.data(), stored.size(), content.size())) << offset;
    }
}

// lane_agree aborts where the lanes and the reference differ.
void damage(lane_codec codec, const Bytes &stored, size_t content_len)
{
    std::mt19937 random(9);
    for (size_t len = 0; len < stored.size(); len += 1 + len / 8)
        EXPECT_FALSE(lane_agree(codec, stored.data(), len, content_len)) << "cut at " << len;
    for (int turn = 0; turn < 200; turn++) {
        Bytes flipped = stored;
        for (unsigned flips = 1 + random() % 3; flips > 0; flips--)
            flipped[random() % flipped.size()] ^= static_cast<uint8_t>(1u << random() % 8);
        lane_agree(codec, flipped.data(), flipped.size(), content_len);
    }
    EXPECT_FALSE(lane_agree(codec, stored.data(), stored.size(), content_len + 1));
    EXPECT_FALSE(lane_agree(codec, stored.data(), stored.size(), content_len - 1));
}

TEST(Lanes, DamagedBlocksAreRefusedWhereTheReferenceRefuses)
{
    const Bytes text = material(LANE_TEXT, 5000), weights = material(LANE_WEIGHTS, 9001);
    damage(LANE_LZ4, lz4_block(text), text.size());
    Bytes stored(weights.size());
    const uint32_t written =
        hr_planes_block_encode(HR_PLANES_BF16, weights.data(), 9001, stored.data(), 9000);
    ASSERT_GT(written, 0u);
    stored.resize(written);
    EXPECT_TRUE(lane_agree(LANE_PLANES, stored.data(), written, weights.size()));
    damage(LANE_PLANES, stored, weights.size());
}

TEST(Lanes, PlanesOfFloat32OfEveryLengthAndPlace)
{
    const Bytes weights = material(LANE_WEIGHTS_FP32, 65536 + 4);
    for (uint32_t lead : {0u, 1u, 2u, 3u})
        for (uint32_t len : {200u, 4095u, 4096u, 4097u, 4098u, 4099u, 65533u, 65536u}) {
            const Bytes content(weights.begin() + lead, weights.begin() + lead + len);
            Bytes stored(len);
            const uint32_t written =
                hr_planes_block_encode(HR_PLANES_FP32, content.data(), len, stored.data(), len - 1);
            ASSERT_GT(written, 0u) << lead << ' ' << len;
            stored.resize(written);
            ASSERT_TRUE(lane_agree(LANE_PLANES_FP32, stored.data(), written, len));
            Bytes back(len, 0xEE);
            lane_decode(LANE_PLANES_FP32, stored.data(), written, back.data(), len);
            EXPECT_EQ(back, content);
            if (len == 4099)
                damage(LANE_PLANES_FP32, stored, len);
        }
}

// ---- batches ----

struct Chunk {
    Bytes content, stored;
    hr_codec_id codec;
};

Chunk chunk_of(hr_codec_id codec, const Bytes &content)
{
    Chunk chunk{content, {}, codec};
    Bytes scratch(1 << 20);
    const hr_codec *table = hr_codec_find(codec);
    chunk.stored.resize(table->bound(content.size()));
    hr_codec_job job = {.source = hr_span_host(chunk.content.data(), content.size()),
                        .target = hr_span_host(chunk.stored.data(), chunk.stored.size()),
                        .scratch = hr_span_host(scratch.data(), scratch.size())};
    EXPECT_EQ(table->encode(&job), HR_OK);
    chunk.stored.resize(job.len_out);
    return chunk;
}

std::vector<Chunk> chunks()
{
    std::vector<Chunk> made;
    for (size_t len : {size_t{1}, size_t{65536}, size_t{200001}, size_t{4} << 20}) {
        made.push_back(chunk_of(HR_CODEC_STORED, material(LANE_NOISE, len)));
        made.push_back(chunk_of(HR_CODEC_LZ4, material(LANE_TEXT, len)));
        made.push_back(chunk_of(HR_CODEC_LZ4, material(LANE_NOISE, len)));
        made.push_back(chunk_of(HR_CODEC_PLANES, material(LANE_WEIGHTS, len)));
        made.push_back(chunk_of(HR_CODEC_PLANES, material(LANE_WEIGHTS_FP32, len)));
    }
    made.push_back(chunk_of(HR_CODEC_PLANES, {}));
    return made;
}

// Plays the two kernels, blocks taken backwards when the seed is odd. between: what becomes of the
// stored chunks between them.
std::vector<int32_t> play(std::vector<Chunk> &chunks, std::vector<Bytes> &targets, uint32_t seed,
                          void (*between)(Chunk &) = nullptr)
{
    std::vector<hr_batch_job> jobs;
    targets.clear();
    for (Chunk &chunk : chunks)
        targets.emplace_back(chunk.content.size(), 0xEE);
    for (size_t i = 0; i < chunks.size(); i++)
        jobs.push_back({reinterpret_cast<uintptr_t>(chunks[i].stored.data()),
                        reinterpret_cast<uintptr_t>(targets[i].data()),
                        static_cast<uint32_t>(chunks[i].stored.size()),
                        static_cast<uint32_t>(targets[i].size()),
                        hr_crc32c(0, chunks[i].content.data(), chunks[i].content.size()),
                        static_cast<uint32_t>(chunks[i].codec), 0, 0});
    hr_batch batch;
    uint32_t wrong = 0;
    EXPECT_EQ(hr_batch_plan(jobs.data(), static_cast<uint32_t>(jobs.size()), &batch, &wrong),
              HR_OK);
    std::vector<uint64_t> scratch(hr_batch_scratch_len(&batch) / 8 + 1);
    std::vector<int32_t> statuses(jobs.size(), 77);
    const hr_batch_memory memory = {jobs.data(), scratch.data(), statuses.data()};
    const hr_batch_view view = hr_batch_view_of(&batch, &memory);
    hr_lanes lanes = {seed};
    hr_batch_work work = {};
    for (uint32_t i = 0; i < batch.jobs; i++)
        hr_batch_start_job(&lanes, &view, i);
    if (between != nullptr)
        for (Chunk &chunk : chunks)
            between(chunk);
    for (uint32_t i = 0; i < batch.blocks; i++)
        hr_batch_run_block(&lanes, &table(), &work, &view,
                           seed % 2 != 0 ? batch.blocks - 1 - i : i);
    return statuses;
}

TEST(Batch, DecodesAndVerifiesManyChunks)
{
    std::vector<Chunk> made = chunks();
    std::vector<Bytes> targets;
    for (uint32_t seed : {2u, 3u}) {
        const std::vector<int32_t> statuses = play(made, targets, seed);
        for (size_t i = 0; i < made.size(); i++) {
            EXPECT_EQ(statuses[i], HR_OK) << i;
            EXPECT_EQ(targets[i], made[i].content) << i;
        }
    }
}

TEST(Batch, ADamagedChunkIsSaidAndTheOthersAreThere)
{
    std::vector<Chunk> made = chunks();
    std::vector<Bytes> targets;
    std::mt19937 random(4);
    for (size_t i = 0; i < made.size(); i += 2)
        for (int flips = 0; flips < 2 && !made[i].stored.empty(); flips++)
            made[i].stored[random() % made[i].stored.size()] ^= 0x10;
    const std::vector<int32_t> statuses = play(made, targets, 8);
    for (size_t i = 1; i < made.size(); i += 2)
        EXPECT_EQ(statuses[i], HR_OK) << i;
    for (size_t i = 0; i < made.size(); i++)
        if (statuses[i] == HR_OK)
            EXPECT_EQ(targets[i], made[i].content) << i;
        else
            EXPECT_EQ(statuses[i], HR_INTEGRITY) << i;
}

// A NIC may write there all the while: what was checked when blocks were looked for is not read
// again when they are decoded.
TEST(Batch, HeadersAreReadOnce)
{
    std::vector<Chunk> made = {chunk_of(HR_CODEC_LZ4, material(LANE_TEXT, 70000)),
                               chunk_of(HR_CODEC_PLANES, material(LANE_WEIGHTS, 70000)),
                               chunk_of(HR_CODEC_PLANES, material(LANE_WEIGHTS_FP32, 70000))};
    std::vector<Bytes> targets;
    const std::vector<int32_t> statuses = play(made, targets, 2, [](Chunk &chunk) {
        const size_t planes = 16 + 4 * ((chunk.content.size() + 65535) / 65536);
        const size_t header = chunk.codec == HR_CODEC_PLANES ? planes : 15;
        std::fill_n(chunk.stored.begin(), header, uint8_t{0xEE});
    });
    for (size_t i = 0; i < made.size(); i++)
        EXPECT_EQ(statuses[i], HR_OK) << i;
}

TEST(Batch, EveryChunkIsDecodedOrRefusedAsByTheCodecs)
{
    batch_report report = {};
    EXPECT_EQ(batch_check(batch_run_on_lanes, &report), HR_OK) << report.text;
    EXPECT_GT(report.right, 50u) << "chunks that are right";
    EXPECT_GT(report.refused, 200u) << "chunks that are damaged";
}

TEST(Batch, RefusesWhatCannotBe)
{
    hr_batch_job jobs[2] = {{64, 128, 10, 10, 0, HR_CODEC_STORED, 0, 0},
                            {64, 128, 10, 10, 0, HR_CODEC_STORED, 0, 0}};
    hr_batch batch = {7, 7};
    uint32_t wrong = 9;
    const auto plan = [&] { return hr_batch_plan(jobs, 2, &batch, &wrong); };
    EXPECT_EQ(plan(), HR_OK);
    jobs[1].target = 120;
    EXPECT_EQ(plan(), HR_INVALID) << "not a multiple of 16";
    EXPECT_EQ(wrong, 1u);
    jobs[1].target = 128;
    jobs[1].content_len = 11;
    EXPECT_EQ(plan(), HR_INVALID) << "stored content is as long as what is stored";
    jobs[1].codec = HR_CODEC_ZSTD;
    EXPECT_EQ(plan(), HR_UNSUPPORTED);
    jobs[1].codec = HR_CODEC_LZ4;
    jobs[1].content_len = HR_BATCH_CONTENT_MAX + 1;
    EXPECT_EQ(plan(), HR_INVALID);
    jobs[1].content_len = 11;
    jobs[1].target = 0;
    EXPECT_EQ(plan(), HR_INVALID) << "what is decoded goes somewhere";
}

} // namespace
