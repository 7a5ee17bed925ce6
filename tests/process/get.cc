// SPDX-License-Identifier: Apache-2.0
// A file comes from a server: to a path, to memory, in every way that the options say, and is what
// it was.
#include "fixture.h"

namespace
{

using Get = Headrace;

class GetSize : public Headrace, public ::testing::WithParamInterface<uint64_t>
{
};

// The corners: nothing, one byte, around the alignment of O_DIRECT, around a chunk, several of
// them.
INSTANTIATE_TEST_SUITE_P(Corners, GetSize,
                         ::testing::Values(0, 1, 511, 4095, 4096, 4097, CHUNK - 1, CHUNK, CHUNK + 1,
                                           3 * CHUNK + 4097));

TEST_P(GetSize, ArrivesAsItWas)
{
    offer("file", GetParam());
    serve();
    Result result = get(url("file"), target("file"));
    expect_got(result, "file", GetParam());
    EXPECT_EQ(GetParam(), result.moved());
    EXPECT_EQ(0u, result.reused());
}

TEST_F(Get, FillsHolesOfASparseFileWithZeros)
{
    std::string sparse = data("sparse");
    write_text(sparse, "start");
    ASSERT_EQ(0, truncate(sparse.c_str(), 9 * MIB));
    std::ofstream(sparse, std::ios::app) << "end";
    serve();
    Result result = get(url("sparse"), target("sparse"));
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_TRUE(read_text(sparse) == read_text(target("sparse")));
}

TEST_F(Get, ToMemoryLeavesNoFile)
{
    offer("file", 3 * CHUNK + 1);
    serve();
    Surroundings under;
    under.directory = at("target");
    Result result = get(url("file"), "host:", {}, under);
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(3 * CHUNK + 1, result.moved());
    EXPECT_EQ(0, hr_temp_count(at("target").c_str(), ""));
}

TEST_F(Get, ToADirectoryKeepsTheName)
{
    offer("file", 10);
    serve();
    expect_got(get(url("file"), at("target")), "file", 10);
    make_directory(target("new"));
    Result result = get(url("file"), target("new/"));
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_TRUE(hr_temp_holds(target("new/file").c_str(), 10, 1));
}

TEST_F(Get, TakesARelativeTarget)
{
    offer("file", 10);
    serve();
    Surroundings under;
    under.directory = at("target");
    expect_got(get(url("file"), "here", {}, under), "here", 10);
}

TEST_F(Get, OverSeveralLinksAndWorkers)
{
    offer("file", 12 * CHUNK + 5);
    serve({"--workers", "3"});
    Result result = get(url("file"), target("file"), {"--links", "5", "--workers", "2"});
    expect_got(result, "file", 12 * CHUNK + 5);
    EXPECT_NE(std::string::npos, result.summary.text("path").find("5 links"));
}

TEST_F(Get, ThroughThreadsWhereTheyAreAskedFor)
{
    offer("file", 2 * CHUNK + 5);
    serve({"--io", "threads"});
    Result result = get(url("file"), target("file"), {"--io", "threads"});
    expect_got(result, "file", 2 * CHUNK + 5);
    EXPECT_NE(std::string::npos, result.summary.text("path").find("threads"));
    EXPECT_EQ(std::string::npos, result.summary.text("path").find("uring"));
}

TEST_F(Get, FollowsASymlinkThatStaysInTheExport)
{
    offer("file", 10);
    ASSERT_EQ(0, symlink("file", data("link").c_str()));
    serve();
    expect_got(get(url("link"), target("link")), "link", 10);
    struct stat info;
    ASSERT_EQ(0, lstat(target("link").c_str(), &info));
    EXPECT_TRUE(S_ISREG(info.st_mode));
}

TEST_F(Get, DryRunSaysWhatWouldMoveAndLeavesNoTrace)
{
    offer("file", 2 * CHUNK);
    serve();
    Result result = get(url("file"), target("file"), {"--dry-run"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(2 * CHUNK, result.summary.number("bytes_total"));
    EXPECT_EQ(0u, result.moved());
    EXPECT_EQ(0, hr_temp_count(at("target").c_str(), ""));
}

TEST_F(Get, ReadsItBackBeforeItGetsItsName)
{
    offer("file", 2 * CHUNK + 3);
    serve();
    expect_got(get(url("file"), target("file"), {"--read-back"}), "file", 2 * CHUNK + 3);
}

TEST_F(Get, OverwriteReplacesWhatWasThere)
{
    offer("file", CHUNK + 3);
    write_text(target("file"), "what was there");
    serve();
    expect_got(get(url("file"), target("file"), {"--overwrite"}), "file", CHUNK + 3);
}

TEST_F(Get, SaysWhatItHoldsAndWhy)
{
    offer("file", 10);
    serve();
    Program program;
    start_get(program, url("file"), target("file"), {"--footprint"});
    EXPECT_EQ(0, program.wait());
    EXPECT_NE(std::string::npos, program.out().find("\"type\":\"footprint\""));
}

TEST_F(Get, QuietSaysNothing)
{
    offer("file", 10);
    serve();
    Program program;
    program.start({"get", url("file"), target("file"), "--quiet"});
    EXPECT_EQ(0, program.wait());
    EXPECT_EQ("", program.out());
    EXPECT_EQ("", program.errors());
}

TEST_F(Get, TellsAPersonWhatWasVerified)
{
    offer("file", 2 * CHUNK);
    serve();
    Program program;
    program.start({"get", url("file"), target("file")});
    EXPECT_EQ(0, program.wait());
    EXPECT_NE(std::string::npos, program.out().find("verified 1 file, 8.39 MB")) << program.out();
    EXPECT_NE(std::string::npos, program.out().find("tcp, 1 link")) << program.out();
}

// The rate is held, by the program's own clock: the last of six chunks is not due before 5/16 s.
TEST_F(Get, LimitIsKept)
{
    offer("file", 6 * CHUNK);
    serve();
    Result result = get(url("file"), target("file"), {"--limit", "64M"});
    expect_got(result, "file", 6 * CHUNK);
    EXPECT_LT(result.summary.number("rate_bytes_per_second"), 2 * 64000000u);
}

TEST_F(Get, DeadlineEndsItResumable)
{
    offer("file", 6 * CHUNK);
    serve();
    Result result = get(url("file"), target("file"), {"--limit", "8M", "--deadline", "900ms"});
    expect_refused(
        result, 12,
        {"the deadline passed, after 0.900 s", "had arrived", "continues", "--deadline"});
    EXPECT_FALSE(exists(target("file")));
    result = get(url("file"), target("file"));
    expect_got(result, "file", 6 * CHUNK);
    EXPECT_EQ(6 * CHUNK, result.moved() + result.reused());
}

TEST_F(Get, EndsWhereNothingMovesForTooLong)
{
    offer("file", 2 * CHUNK);
    serve();
    Result result = get(url("file"), target("file"), {"--limit", "1K", "--stall", "300ms"});
    expect_refused(result, 12,
                   {"nothing was verified for 0.300 s", "had arrived", "continues", "--stall"});
    EXPECT_FALSE(exists(target("file")));
}

TEST_F(Get, TakesASmallPoolAndSaysMoreWhereItIsAsked)
{
    offer("file", 12 * CHUNK);
    serve({"--pool", "16MiB"});
    Result result = get(url("file"), target("file"), {"-vv", "--links", "3"});
    expect_got(result, "file", 12 * CHUNK);
}

TEST_F(Get, RequiredPathsThatAreNotThereAreRefused)
{
    offer("file", 10);
    serve();
    expect_got(get(url("file"), target("file"), {"--require", "tcp"}), "file", 10);
    expect_refused(get(url("file"), target("other"), {"--require", "tcp,rdma"}), 11,
                   {"rdma", "required", "tcp"});
    expect_refused(get(url("file"), target("other"), {"--require", "gpu"}), 11,
                   {"gpu", "required"});
    expect_refused(get(url("file"), target("other"), {"--require", "local"}), 11,
                   {"local", "required"});
    expect_nothing("other");
}

TEST_F(Get, CongestionControlIsChosenOrRefused)
{
    offer("file", CHUNK);
    serve();
    expect_got(get(url("file"), target("file"), {"--congestion", "reno"}), "file", CHUNK);
    expect_refused(get(url("file"), target("other"), {"--congestion", "nonsense"}), 11,
                   {"congestion control"});
    expect_nothing("other");
}

} // namespace
