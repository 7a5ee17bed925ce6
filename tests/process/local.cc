// SPDX-License-Identifier: Apache-2.0
// Without a server: the engine is in the program, and the promise is the same.
#include "fixture.h"

namespace
{

using Local = Headrace;

TEST_F(Local, FileArrivesAsItWas)
{
    offer("file", 3 * CHUNK + 4097);
    Result result = get(data("file"), target("file"));
    expect_got(result, "file", 3 * CHUNK + 4097);
    EXPECT_EQ(0u, result.summary.text("path").find("local, "));
}

TEST_F(Local, FileToMemory)
{
    offer("file", 3 * CHUNK + 4097);
    Result result = get(data("file"), "host:", {"--require", "local"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(3 * CHUNK + 4097, result.moved());
}

TEST_F(Local, TreeArrivesAsItWas)
{
    make_directory(data("deep"));
    offer("file", CHUNK + 1, 1);
    offer("deep/file", 4097, 2);
    Result result = get(at("data"), target("tree"));
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_TRUE(hr_temp_holds(target("tree/file").c_str(), CHUNK + 1, 1));
    EXPECT_TRUE(hr_temp_holds(target("tree/deep/file").c_str(), 4097, 2));
}

TEST_F(Local, RelativePathsAndSymlinksAreTheUsers)
{
    offer("file", 10);
    ASSERT_EQ(0, symlink(data("file").c_str(), target("link").c_str()));
    Surroundings under;
    under.directory = at("target");
    expect_got(get("../data/file", "one", {}, under), "one", 10);
    expect_got(get("link", "two", {}, under), "two", 10);
}

TEST_F(Local, WithoutIoUring)
{
    offer("file", 2 * CHUNK + 1);
    Surroundings under;
    under.no_io_uring = true;
    Result result = get(data("file"), target("file"), {}, under);
    expect_got(result, "file", 2 * CHUNK + 1);
    EXPECT_NE(std::string::npos, result.summary.text("path").find("threads"));
}

TEST_F(Local, IsResumedToo)
{
    offer("file", 20 * CHUNK);
    Program program;
    start_get(program, data("file"), target("file"), {"--limit", "8M"}); // ten seconds
    ASSERT_NE(0u, wait_noted(program, 2 * CHUNK));
    program.signal(SIGKILL);
    EXPECT_EQ(128 + SIGKILL, program.wait());
    EXPECT_FALSE(exists(target("file")));
    Result result = get(data("file"), target("file"));
    expect_got(result, "file", 20 * CHUNK);
    EXPECT_GT(result.reused(), 0u);
    EXPECT_EQ(20 * CHUNK, result.moved() + result.reused());
}

TEST_F(Local, MissingSource)
{
    expect_refused(get(data("nothing"), target("file")), 4, {"nothing", "No such file"});
    expect_nothing("file");
}

TEST_F(Local, OntoItselfIsRefused)
{
    offer("file", 10);
    expect_refused(get(data("file"), data("file")), 2, {"the source itself"});
    expect_refused(get(data("file"), data("file"), {"--overwrite"}), 2, {"the source itself"});
    expect_refused(get(at("data"), data("copy")), 2, {"within it"});
    EXPECT_TRUE(hr_temp_holds(data("file").c_str(), 10, 1));
    EXPECT_EQ(1, hr_temp_count(at("data").c_str(), ""));
}

TEST_F(Local, DeviceIsNoShard)
{
    expect_refused(get("/dev/zero", target("file"), {"--deadline", "20s"}), 11,
                   {"zero", "neither a file nor a directory"});
    expect_nothing("file");
}

} // namespace
