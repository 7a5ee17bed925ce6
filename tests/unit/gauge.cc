// SPDX-License-Identifier: Apache-2.0
// Where the time of chunks goes, on a clock that the test moves.
#include <gtest/gtest.h>

#include <string>

extern "C" {
#include "engine.h"
#include "gauge.h"
}

namespace
{

class Gauge : public ::testing::Test
{
  protected:
    Gauge()
    {
        env_.context = &now_ns_;
        env_.now_ns = [](void *context) { return *static_cast<uint64_t *>(context); };
        worker_.gauge.env = &env_;
        engine_.workers = &worker_;
        engine_.worker_count = 1;
    }
    void move(hr_gauge_stage from, hr_gauge_stage to, uint64_t after_ns)
    {
        now_ns_ += after_ns;
        hr_gauge_move(&worker_.gauge, from, to, 100);
    }
    const hr_gauge_row &row(hr_gauge_stage stage) const
    {
        return worker_.gauge.rows[stage];
    }
    void expect_times(hr_gauge_stage stage, uint64_t busy, uint64_t starved, uint64_t blocked)
    {
        EXPECT_EQ(busy, row(stage).busy_ns);
        EXPECT_EQ(starved, row(stage).starved_ns);
        EXPECT_EQ(blocked, row(stage).blocked_ns);
    }
    std::string bound()
    {
        hr_stage_time rows[HR_STAGES_MAX];
        size_t count = hr_engine_stages(&engine_, rows, HR_STAGES_MAX);
        size_t index = hr_stages_bound(rows, count);
        char text[300];
        hr_stages_describe(rows, count, text, sizeof text);
        said_ = text;
        return index < count ? rows[index].stage : "";
    }

    uint64_t now_ns_ = 1000;
    hr_env env_ = {};
    hr_worker worker_ = {};
    hr_engine engine_ = {};
    std::string said_;
};

TEST_F(Gauge, AStageIsBusyStarvedOrBlocked)
{
    move(HR_GAUGE_NONE, HR_GAUGE_READ, 0);
    move(HR_GAUGE_READ, HR_GAUGE_WIRE, 7);
    move(HR_GAUGE_WIRE, HR_GAUGE_NONE, 3);
    expect_times(HR_GAUGE_READ, 7, 0, 3);
    expect_times(HR_GAUGE_DIGEST, 0, 7, 3);
    expect_times(HR_GAUGE_WIRE, 3, 7, 0);
    EXPECT_EQ(1u, row(HR_GAUGE_READ).chunks);
    EXPECT_EQ(100u, row(HR_GAUGE_WIRE).bytes);
}

TEST_F(Gauge, TimeWithNothingUnderWayIsNobodys)
{
    move(HR_GAUGE_NONE, HR_GAUGE_READ, 0);
    move(HR_GAUGE_READ, HR_GAUGE_NONE, 5);
    move(HR_GAUGE_NONE, HR_GAUGE_READ, 1000);
    move(HR_GAUGE_READ, HR_GAUGE_NONE, 5);
    expect_times(HR_GAUGE_READ, 10, 0, 0);
}

TEST_F(Gauge, WhileTheProcessorDigestsNothingElseGoesOn)
{
    move(HR_GAUGE_NONE, HR_GAUGE_READ, 0);
    move(HR_GAUGE_NONE, HR_GAUGE_DIGEST, 0);
    move(HR_GAUGE_DIGEST, HR_GAUGE_NONE, 9);
    move(HR_GAUGE_READ, HR_GAUGE_NONE, 1);
    expect_times(HR_GAUGE_DIGEST, 9, 1, 0);
    expect_times(HR_GAUGE_READ, 1, 0, 9);
}

TEST_F(Gauge, APlaceOfAChunkThatIsAtTheServerIsNotWaitingForIt)
{
    move(HR_GAUGE_NONE, HR_GAUGE_GRANT, 0);
    move(HR_GAUGE_NONE, HR_GAUGE_WIRE, 0);
    move(HR_GAUGE_WIRE, HR_GAUGE_NONE, 4);
    expect_times(HR_GAUGE_READ, 0, 0, 4);
    move(HR_GAUGE_GRANT, HR_GAUGE_NONE, 2);
    expect_times(HR_GAUGE_READ, 0, 2, 4);
}

// A processor that takes nine tenths of the time, beside a drive that keeps two chunks.
TEST_F(Gauge, SlowDigestIsTheBound)
{
    move(HR_GAUGE_NONE, HR_GAUGE_READ, 0);
    for (int i = 0; i < 10; i++) {
        move(HR_GAUGE_READ, HR_GAUGE_DIGEST, 10);
        move(HR_GAUGE_NONE, HR_GAUGE_READ, 0);
        move(HR_GAUGE_DIGEST, HR_GAUGE_WIRE, 90);
        move(HR_GAUGE_WIRE, HR_GAUGE_NONE, 0);
    }
    EXPECT_EQ("digest", bound());
    EXPECT_EQ(0u, said_.find("bound by digest: busy for 90 % of the time")) << said_;
    EXPECT_NE(std::string::npos, said_.find("9.0 times")) << said_;
}

// Always a chunk on the wire, and room for three more: it takes long and holds up nobody.
TEST_F(Gauge, LongWireIsNoBoundWhileItHasRoom)
{
    for (int i = 0; i < 4; i++)
        move(HR_GAUGE_NONE, HR_GAUGE_WIRE, 0);
    for (int i = 0; i < 3; i++)
        move(HR_GAUGE_WIRE, HR_GAUGE_NONE, 0);
    move(HR_GAUGE_NONE, HR_GAUGE_READ, 0);
    for (int i = 0; i < 10; i++) {
        move(HR_GAUGE_READ, HR_GAUGE_WIRE, 100);
        move(HR_GAUGE_NONE, HR_GAUGE_READ, 0);
        move(HR_GAUGE_WIRE, HR_GAUGE_NONE, 0);
    }
    EXPECT_EQ(row(HR_GAUGE_WIRE).busy_ns, row(HR_GAUGE_READ).busy_ns);
    EXPECT_EQ("read", bound());
}

TEST_F(Gauge, AClientWithRoomWaitsForItsServer)
{
    move(HR_GAUGE_NONE, HR_GAUGE_GRANT, 0);
    move(HR_GAUGE_GRANT, HR_GAUGE_VERIFY, 90);
    move(HR_GAUGE_VERIFY, HR_GAUGE_NONE, 10);
    EXPECT_EQ("grant", bound());
    EXPECT_EQ(0u, said_.find("bound by the server or the wire")) << said_;
}

TEST_F(Gauge, NothingMovedNothingIsSaid)
{
    EXPECT_EQ("", bound());
    EXPECT_EQ("", said_);
}

} // namespace
