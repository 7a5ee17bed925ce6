// SPDX-License-Identifier: Apache-2.0
// Batches on the GPU itself: the same chunks, whole and damaged, as on the host's lanes.
#include <gtest/gtest.h>

#include <string>

extern "C" {
#include "batch_check.h"
#include "device_gpu.h"
}

namespace
{

TEST(DeviceBatch, EveryChunkIsDecodedOrRefusedAsOnTheHost)
{
    batch_report report = {};
    if (!device_gpu_there(report.text, sizeof report.text))
        GTEST_SKIP() << report.text;
    EXPECT_EQ(batch_check(device_gpu_run, &report), HR_OK) << report.text;
    EXPECT_GT(report.right, 50u) << "chunks that are right";
    EXPECT_GT(report.refused, 200u) << "chunks that are damaged";
}

} // namespace
