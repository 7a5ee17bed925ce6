// SPDX-License-Identifier: Apache-2.0
// Packed shards that lie, with digests that are right: what they say is refused, in one sentence
// with the chunk in it, by whoever verifies, unpacks or lists them, and nothing gets a final name.
#include "content.h"
#include "fixture.h"

#include <functional>
#include <map>
#include <memory>

extern "C" {
#include "bytes.h"
#include "crc32c.h"
#include "fake_cuda.h"
#include "index.h"
#include "lz4_checksum.h"
#include "packed_maker.h"
}

namespace
{

// Two chunks, the second one short.
struct Shard {
    Bytes bytes;

    uint8_t *at(size_t offset)
    {
        return reinterpret_cast<uint8_t *>(&bytes[offset]);
    }
    uint8_t *tail()
    {
        return at(bytes.size() - HR_INDEX_TAIL_LEN);
    }
    uint8_t *page()
    {
        return tail() - HR_INDEX_PAGE_LEN;
    }
    uint8_t *row(unsigned chunk)
    {
        return page() + 64 + 64 * chunk;
    }
    uint8_t *stored(unsigned chunk)
    {
        return at(hr_get_u64(row(chunk)));
    }
    // The digest of what is stored says what is stored now.
    void mend_chunk(unsigned chunk)
    {
        hr_put_u32(row(chunk) + 16, hr_crc32c(0, stored(chunk), hr_get_u32(row(chunk) + 8)));
    }
    void mend()
    {
        const uint32_t crc = hr_crc32c(hr_crc32c(0, page(), 60), page() + 64, 4032);
        hr_put_u32(page() + 60, crc);
        hr_put_u32(tail() + 40, hr_crc32c(0, page() + 60, 4));
        hr_put_u32(tail() + 60, hr_crc32c(0, tail(), 60));
    }
};

Shard made(hr_container container)
{
    static std::map<hr_container, Bytes> kept;
    Bytes &bytes = kept[container];
    if (bytes.empty()) {
        const Bytes content =
            container == HR_CONTAINER_HEADRACE ? weights(3u << 20, 0) : text(CHUNK + 5000);
        size_t len = 0;
        const std::unique_ptr<uint8_t, decltype(&free)> shard(
            packed_make(container, reinterpret_cast<const uint8_t *>(content.data()),
                        content.size(), &len),
            free);
        bytes.assign(reinterpret_cast<const char *>(shard.get()), len);
    }
    return {bytes};
}

struct Lie {
    const char *name;
    hr_container container;
    std::function<void(Shard &)> tell;
    int exit_code;
    std::vector<std::string> words; // of whoever verifies, and of whoever unpacks
    std::vector<std::string> verifier = {};
    bool has_length = true; // that a packed shard can have; else it is none for who does not verify
};

class PackHostile : public Headrace, public ::testing::WithParamInterface<Lie>
{
  protected:
    static Result run(const std::vector<std::string> &arguments)
    {
        Program program;
        program.start(arguments);
        return result_of(program);
    }
    static void expect_words(const Result &result, int exit_code,
                             const std::vector<std::string> &words)
    {
        EXPECT_EQ(exit_code, result.exit_code) << result.errors;
        for (const std::string &word : words)
            EXPECT_NE(std::string::npos, result.errors.find(word))
                << "'" << word << "' in: " << result.errors;
    }
};

TEST_P(PackHostile, IsRefusedByEverybody)
{
    Shard shard = made(GetParam().container);
    GetParam().tell(shard);
    write_text(data("shard"), shard.bytes);
    const Result verified = run({"verify", data("shard"), "--json"});
    expect_refused(verified, GetParam().exit_code, {"shard"});
    expect_words(verified, GetParam().exit_code, GetParam().words);
    expect_words(verified, GetParam().exit_code, GetParam().verifier);
    Surroundings with_gpu;
    with_gpu.environment = {std::string("LD_LIBRARY_PATH=") + fake_cuda_folder()};
    for (const std::string &to : {target("file"), std::string("host:"), std::string("cuda:0")}) {
        const bool asks = to == target("file");
        const Result unpacked = get(data("shard"), to, {asks ? "--unpack" : "--quiet"}, with_gpu);
        if (!GetParam().has_length) {
            EXPECT_EQ(asks ? 11 : 0, unpacked.exit_code) << unpacked.errors;
            EXPECT_EQ(asks ? 0 : shard.bytes.size(), unpacked.moved());
        } else {
            expect_words(unpacked, GetParam().exit_code, {"shard"});
            expect_words(unpacked, GetParam().exit_code, GetParam().words);
        }
        EXPECT_FALSE(exists(target("file")));
    }
    EXPECT_EQ(0, run({"ls", at("data"), "--long", "--json"}).exit_code);
}

const Lie lies[] = {
    {"chunks_that_overlap",
     HR_CONTAINER_LZ4,
     [](Shard &shard) {
         hr_put_u64(shard.row(1), 0);
         shard.mend();
     },
     5,
     {"index, chunk 1", "overlaps"}},
    {"an_offset_that_overflows",
     HR_CONTAINER_LZ4,
     [](Shard &shard) {
         hr_put_u64(shard.row(1), UINT64_MAX - 4095);
         shard.mend();
     },
     5,
     {"index, chunk 1"}},
    {"a_length_that_overflows",
     HR_CONTAINER_ZSTD,
     [](Shard &shard) {
         hr_put_u32(shard.row(1) + 8, UINT32_MAX);
         shard.mend();
     },
     5,
     {"index, chunk 1", "over the limit"}},
    {"a_count_of_chunks",
     HR_CONTAINER_LZ4,
     [](Shard &shard) {
         hr_put_u32(shard.tail() + 32, 3);
         shard.mend();
     },
     5,
     {"end", "damaged"}},
    {"a_count_of_rows",
     HR_CONTAINER_LZ4,
     [](Shard &shard) {
         hr_put_u32(shard.page() + 12, 63);
         shard.mend();
     },
     5,
     {"page 0", "not the one that is due"}},
    {"a_bomb_of_1_tib_in_1_kib",
     HR_CONTAINER_LZ4,
     [](Shard &shard) {
         hr_put_u64(shard.tail() + 16, UINT64_C(1) << 40);
         hr_put_u32(shard.tail() + 32, 1u << 18);
         hr_put_u64(shard.tail() + 24, 0);
         shard.mend();
         shard.bytes.erase(0, shard.bytes.size() - 1024);
     },
     5,
     {"end", "damaged"},
     {},
     false},
    {"a_bomb_of_1_tib_in_4_kib",
     HR_CONTAINER_LZ4,
     [](Shard &shard) {
         hr_put_u64(shard.tail() + 16, UINT64_C(1) << 40);
         hr_put_u32(shard.tail() + 32, 1u << 18);
         hr_put_u64(shard.tail() + 24, 0);
         shard.mend();
         shard.bytes.erase(0, shard.bytes.size() - 4160);
     },
     5,
     {"end", "damaged"}},
    {"a_frame_of_1_tib",
     HR_CONTAINER_LZ4,
     [](Shard &shard) {
         hr_put_u64(shard.stored(1) + 6, UINT64_C(1) << 40);
         shard.stored(1)[14] = hr_lz4_frame_checksum(shard.stored(1) + 4);
         shard.mend_chunk(1);
         shard.mend();
     },
     5,
     {"chunk 1"},
     {"not what its codec makes"}},
    {"planes_of_4_gib",
     HR_CONTAINER_HEADRACE,
     [](Shard &shard) {
         hr_put_u32(shard.stored(1) + 8, UINT32_MAX);
         hr_put_u32(shard.stored(1) + 12, 65536);
         shard.mend_chunk(1);
         shard.mend();
     },
     5,
     {"chunk 1"},
     {"not what its codec makes"}},
    {"a_digest_of_what_is_stored",
     HR_CONTAINER_ZSTD,
     [](Shard &shard) {
         hr_put_u32(shard.row(1) + 16, 77);
         shard.mend();
     },
     5,
     {"chunk 1", "digest"}},
    {"a_digest_of_the_content",
     HR_CONTAINER_ZSTD,
     [](Shard &shard) {
         hr_put_u32(shard.row(1) + 20, 77);
         shard.mend();
     },
     5,
     {"chunk 1", "digest"}},
    {"a_codec_from_the_future",
     HR_CONTAINER_LZ4,
     [](Shard &shard) {
         shard.row(1)[26] = 200;
         shard.mend();
     },
     11,
     {"index, chunk 1", "codec is unknown to this version"}},
    {"planes_from_the_future",
     HR_CONTAINER_HEADRACE,
     [](Shard &shard) {
         shard.stored(1)[4] = 2;
         shard.mend_chunk(1);
         shard.mend();
     },
     11,
     {"chunk 1", "later version"}},
    {"a_version_from_the_future",
     HR_CONTAINER_LZ4,
     [](Shard &shard) {
         hr_put_u32(shard.tail() + 8, 2);
         shard.mend();
     },
     11,
     {"later version"}},
    {"a_container_from_the_future",
     HR_CONTAINER_LZ4,
     [](Shard &shard) {
         hr_put_u32(shard.tail() + 12, 77);
         shard.mend();
     },
     11,
     {"later version"}},
    {"the_magic_on_a_file_of_another",
     HR_CONTAINER_LZ4,
     [](Shard &shard) {
         shard.bytes = noise(3 * 4096 + 64);
         memcpy(shard.tail(), "HRPACKED", 8);
     },
     5,
     {"end", "damaged"}},
};

INSTANTIATE_TEST_SUITE_P(Lies, PackHostile, ::testing::ValuesIn(lies),
                         [](const ::testing::TestParamInfo<Lie> &lie) { return lie.param.name; });

} // namespace
