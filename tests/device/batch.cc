// SPDX-License-Identifier: Apache-2.0
// Batches on the GPU itself: the same chunks, whole and damaged, as on the host's lanes.
#include <gtest/gtest.h>

#include <string>

extern "C" {
#include "device_check.h"
}

namespace
{

TEST(DeviceBatch, EveryChunkIsDecodedOrRefusedAsOnTheHost)
{
    device_report report = {};
    const hr_status status = device_check(&report);
    if (status == HR_UNSUPPORTED)
        GTEST_SKIP() << report.text;
    EXPECT_EQ(status, HR_OK) << report.text;
    EXPECT_GT(report.right, 50u) << "chunks that are right";
    EXPECT_GT(report.refused, 200u) << "chunks that are damaged";
}

} // namespace
