// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>

// The public headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "progress.h"
}

namespace
{

constexpr uint64_t kSecond = 1000000000;

hr_get_progress half_way()
{
    hr_get_progress count = {};
    count.files = 1;
    count.bytes = 4000000000;
    count.bytes_verified = 2000000000;
    return count;
}

void sample(hr_cli_progress *progress, uint64_t now_ns, uint64_t bytes, uint64_t files = 0)
{
    hr_get_progress count = {};
    count.bytes_verified = bytes;
    count.files_done = files;
    hr_cli_progress_sample(progress, now_ns, &count);
}

std::string line(const hr_get_progress &count, uint64_t rate, double left = -1)
{
    char out[HR_CLI_LINE_MAX];
    hr_cli_progress_line(out, &count, rate, left, "tcp, 1 link");
    return out;
}

TEST(Progress, IsDueFiveTimesASecond)
{
    hr_cli_progress progress = {};
    EXPECT_TRUE(hr_cli_progress_is_due(&progress, 7));
    sample(&progress, 7, 0);
    EXPECT_FALSE(hr_cli_progress_is_due(&progress, 7 + kSecond / 5 - 1));
    EXPECT_TRUE(hr_cli_progress_is_due(&progress, 7 + kSecond / 5));
}

TEST(Progress, TakesTheRateOfTheLastSamples)
{
    hr_cli_progress progress = {};
    EXPECT_EQ(hr_cli_progress_rate(&progress), 0u);
    sample(&progress, 1 * kSecond, 0);
    EXPECT_EQ(hr_cli_progress_rate(&progress), 0u);
    sample(&progress, 2 * kSecond, 500);
    EXPECT_EQ(hr_cli_progress_rate(&progress), 500u);
    // Once it goes at another pace for long enough the first one is forgotten.
    for (unsigned i = 0; i < HR_CLI_PROGRESS_SEEN; i++)
        sample(&progress, (3 + i) * kSecond, 500 + 100 * (i + 1));
    EXPECT_EQ(hr_cli_progress_rate(&progress), 100u);
}

TEST(Progress, TellsBytesRateTimeLeftAndPath)
{
    EXPECT_EQ(line(half_way(), 1000000000, 2),
              "2.00 GB of 4.00 GB  50%  1.00 GB/s  2.00 s left  tcp, 1 link");
}

// When all bytes are there the work is not over.
TEST(Progress, SaysWhatIsDoneWithoutBytes)
{
    hr_get_progress count = half_way();
    count.bytes_verified = count.bytes;
    count.files = 120;
    count.files_done = 70;
    EXPECT_EQ(line(count, 1000000, 0), "4.00 GB of 4.00 GB  100%  1.00 MB/s  syncing and naming  "
                                       "70 of 120 files  tcp, 1 link");
    count.files_done = 120;
    EXPECT_EQ(line(count, 1000000, 0), "4.00 GB of 4.00 GB  100%  1.00 MB/s  finishing "
                                       "directories  120 of 120 files  tcp, 1 link");
}

TEST(Progress, ForetellsNothingWithoutARateOrATotal)
{
    EXPECT_EQ(line(half_way(), 0), "2.00 GB of 4.00 GB  50%  0 B/s  tcp, 1 link");
    hr_get_progress count = half_way();
    count.listing = true;
    count.files = 120;
    count.files_done = 70;
    EXPECT_EQ(line(count, 1000000),
              "2.00 GB of 4.00 GB and more  1.00 MB/s  70 of 120 files  tcp, 1 link");
}

// What is left takes as long as what came did, whether that was bytes or files.
TEST(Progress, ForetellsByBytesAndByFiles)
{
    hr_cli_progress progress = {};
    hr_get_progress count = half_way();
    EXPECT_LT(hr_cli_progress_left(&progress, &count), 0);
    sample(&progress, 1 * kSecond, 0);
    EXPECT_LT(hr_cli_progress_left(&progress, &count), 0) << "nothing came yet";
    sample(&progress, 3 * kSecond, 2000000000);
    EXPECT_NEAR(hr_cli_progress_left(&progress, &count), 2, 0.01);
    count.listing = true;
    EXPECT_LT(hr_cli_progress_left(&progress, &count), 0) << "nobody knows how much there is";

    progress = {};
    count = {};
    count.files = 100000;
    count.files_done = 20000;
    count.bytes = count.bytes_verified = 100000; // of such small ones all have come
    sample(&progress, 0, 100000, 0);
    sample(&progress, 2 * kSecond, 100000, 20000);
    EXPECT_NEAR(hr_cli_progress_left(&progress, &count), 8, 0.01);
    count.files_done = 100000;
    EXPECT_EQ(hr_cli_progress_left(&progress, &count), 0);

    // Large ones first: that few files came says nothing of the small ones.
    progress = {};
    count = {};
    count.files = 1010;
    count.files_done = 10;
    count.bytes = 10001000000;
    count.bytes_verified = 10000000000;
    sample(&progress, 0, 5000000000, 5);
    sample(&progress, 5 * kSecond, 10000000000, 10);
    EXPECT_LT(hr_cli_progress_left(&progress, &count), 0.2);
}

// A slow wire makes bytes slow and not names, which come by the thousand at a batch's end.
TEST(Progress, ForetellsOverASlowWireWithSmallAndLargeFiles)
{
    hr_cli_progress progress = {};
    hr_get_progress count = {};
    count.files = 5010;
    count.bytes = 100000000;
    count.bytes_verified = 20000000;
    sample(&progress, 0, 0, 0);
    sample(&progress, 2 * kSecond, 20000000, 0); // none has its name yet
    EXPECT_NEAR(hr_cli_progress_left(&progress, &count), 8, 0.5);
    sample(&progress, 3 * kSecond, 30000000, 5000); // and then all of the small ones
    count.bytes_verified = 30000000;
    count.files_done = 5000;
    EXPECT_NEAR(hr_cli_progress_left(&progress, &count), 7, 1);
}

// What an earlier run left is verified in no time, and is no measure of what is missing.
TEST(Progress, ForetellsByWhatMovesInThisRun)
{
    hr_cli_progress progress = {};
    hr_get_progress count = {};
    count.files = 1001;
    count.bytes = 10000000000;
    sample(&progress, 0, 0, 0);
    count.bytes_verified = count.bytes_reused = 9000000000;
    count.files_done = count.files_kept = 1000;
    hr_cli_progress_sample(&progress, kSecond / 5, &count);
    EXPECT_EQ(hr_cli_progress_rate(&progress), 0u);
    EXPECT_LT(hr_cli_progress_left(&progress, &count), 0) << "nothing has moved yet";
    count.bytes_verified += 100000000;
    hr_cli_progress_sample(&progress, kSecond, &count);
    EXPECT_EQ(hr_cli_progress_rate(&progress), 100000000u);
    EXPECT_NEAR(hr_cli_progress_left(&progress, &count), 9, 0.1);
}

TEST(Progress, KeepsToItsLineWhateverThePathSays)
{
    char out[HR_CLI_LINE_MAX];
    hr_get_progress count = half_way();
    hr_cli_progress_line(out, &count, 1, 1, std::string(1000, 'p').c_str());
    EXPECT_EQ(std::string(out).size(), HR_CLI_LINE_MAX - 1u);
}

} // namespace
