// SPDX-License-Identifier: Apache-2.0
// Both sides lay small files out alike, and a row that lies is found.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

extern "C" {
#include "bundle.h"
#include "bytes.h"
#include "crc32c.h"
#include "transport.h"
}

namespace
{

// Files of these sizes, laid out and read: what a server sends of them.
class Bundles
{
  public:
    explicit Bundles(const std::vector<uint32_t> &sizes) : files_(sizes.size())
    {
        for (size_t i = 0; i < sizes.size(); i++)
            files_[i].info.size = sizes[i];
        bundles_.resize(hr_bundles_lay(files_.data(), (uint32_t)files_.size(), nullptr));
        hr_bundles_lay(files_.data(), (uint32_t)files_.size(), bundles_.data());
        all = {files_.data(), (uint32_t)files_.size(), bundles_.data(), (uint32_t)bundles_.size()};
    }
    std::vector<uint8_t> sealed(uint32_t bundle, uint32_t changed = UINT32_MAX)
    {
        std::vector<uint8_t> bytes(all.bundles[bundle].len, 0xEE);
        hr_bundle_place(&all, bundle, bytes.data());
        for (uint32_t i = 0; i < all.bundles[bundle].count; i++) {
            hr_io_file *file = &all.files[all.bundles[bundle].first + i];
            file->status = i == changed ? HR_CHANGED : HR_OK;
            memset(file->data, (int)(i & 0xFF), (size_t)file->info.size);
        }
        hr_bundle_seal(&all, bundle, bytes.data());
        return bytes;
    }

    hr_bundles all = {};

  private:
    std::vector<hr_io_file> files_;
    std::vector<hr_bundle> bundles_;
};

TEST(Bundle, TakesFilesInOrderAsLongAsAChunkHoldsThem)
{
    const uint32_t least = HR_CHUNK_LEN / (4096 + HR_BUNDLE_ROW_LEN);
    Bundles bundles(std::vector<uint32_t>(2048, 4096));
    uint32_t first = 0;
    for (uint32_t i = 0; i < bundles.all.count; i++) {
        const hr_bundle *bundle = &bundles.all.bundles[i];
        EXPECT_EQ(bundle->first, first);
        EXPECT_LE(bundle->len, HR_CHUNK_LEN);
        EXPECT_EQ(bundle->len, bundle->count * (4096 + HR_BUNDLE_ROW_LEN));
        EXPECT_EQ(bundle->count, std::min(least, 2048 - first));
        first += bundle->count;
    }
    EXPECT_EQ(first, 2048u);
}

TEST(Bundle, OfTheLargestFilesAndOfEmptyOnesFits)
{
    Bundles large({HR_BUNDLE_FILE_MAX, HR_BUNDLE_FILE_MAX, HR_BUNDLE_FILE_MAX, HR_BUNDLE_FILE_MAX});
    ASSERT_EQ(large.all.count, 2u); // four of them and their rows are a little more than a chunk
    EXPECT_EQ(large.all.bundles[0].count, 3u);
    Bundles empty({0, 0, 0});
    ASSERT_EQ(empty.all.count, 1u);
    EXPECT_EQ(empty.all.bundles[0].len, 3u * HR_BUNDLE_ROW_LEN);
    std::vector<uint8_t> bytes = empty.sealed(0);
    EXPECT_EQ(hr_bundle_open(&empty.all, 0, bytes.data()), HR_OK);
}

TEST(Bundle, CrossesWithWhatBecameOfEachFile)
{
    Bundles bundles({100, 5000, 0, 70});
    std::vector<uint8_t> bytes = bundles.sealed(0, 1);
    const uint8_t *changed = bytes.data() + 4 * HR_BUNDLE_ROW_LEN + 100;
    EXPECT_TRUE(std::all_of(changed, changed + 5000, [](uint8_t b) { return b == 0; }));
    for (uint32_t i = 0; i < 4; i++)
        bundles.all.files[i].status = HR_AGAIN;
    ASSERT_EQ(hr_bundle_open(&bundles.all, 0, bytes.data()), HR_OK);
    EXPECT_EQ(bundles.all.files[0].status, HR_OK);
    EXPECT_EQ(bundles.all.files[1].status, HR_CHANGED);
    EXPECT_EQ(bundles.all.files[2].status, HR_OK);
    EXPECT_EQ(*(const uint8_t *)bundles.all.files[3].data, 3);
    EXPECT_EQ(hr_bundle_good_len(&bundles.all, 0), 170u);
}

TEST(Bundle, ARowThatLiesIsRefused)
{
    const struct {
        const char *what;
        size_t at;
        uint32_t value;
        hr_status expected;
    } lies[] = {
        {"another file", 0, 1, HR_PROTOCOL},
        {"no such file", 0, UINT32_MAX, HR_PROTOCOL},
        {"longer", 8, 101, HR_PROTOCOL},
        {"much longer", 8, UINT32_MAX, HR_PROTOCOL},
        {"shorter", 8, 99, HR_PROTOCOL},
        {"failed, and has bytes", 4, (uint32_t)HR_IO, HR_PROTOCOL},
        {"no answer", 4, (uint32_t)HR_AGAIN, HR_PROTOCOL},
        {"another digest", 12, 0, HR_INTEGRITY},
    };
    for (const auto &lie : lies) {
        Bundles bundles({100, 100});
        std::vector<uint8_t> bytes = bundles.sealed(0);
        hr_put_u32(bytes.data() + lie.at, lie.value);
        EXPECT_EQ(hr_bundle_open(&bundles.all, 0, bytes.data()), lie.expected) << lie.what;
    }
}

TEST(Bundle, AFileThatNothingIsSaidOfHasFailed)
{
    Bundles bundles({100, 100});
    std::vector<uint8_t> bytes = bundles.sealed(0, 1);
    hr_put_u32(bytes.data() + HR_BUNDLE_ROW_LEN + 4, (uint32_t)HR_AGAIN);
    ASSERT_EQ(hr_bundle_open(&bundles.all, 0, bytes.data()), HR_OK);
    EXPECT_EQ(bundles.all.files[0].status, HR_OK);
    EXPECT_EQ(bundles.all.files[1].status, HR_PROTOCOL);
}

} // namespace
