// SPDX-License-Identifier: Apache-2.0
// Whatever ends a get, the same command again brings what is missing and hardly more, and until it
// is whole there is nothing under its name.
#include "fixture.h"
#include "wire.h"

#include <dirent.h>

namespace
{

// More than a window, so that what moves again can be told from all of it.
constexpr uint64_t SIZE = 26 * CHUNK + 1234;
constexpr uint64_t SMALL = 8 * CHUNK + 1234; // where that is not asked

class Resume : public Headrace
{
  protected:
    // Starts it and waits until so much is verified; it goes on when it is let go, or its server is
    // another one.
    uint64_t run_until(Program &program, uint64_t bytes,
                       const std::vector<std::string> &options = {})
    {
        held_ = std::make_unique<Held>(address_, bytes / CHUNK);
        start_get(program, held_->url("file"), target("file"), options);
        uint64_t verified = wait_noted(program, bytes);
        EXPECT_GE(verified, bytes) << "it was over before: " << program.errors();
        return verified;
    }
    void expect_resumed(uint64_t verified_before, const std::vector<std::string> &options = {})
    {
        EXPECT_FALSE(exists(target("file")));
        Result result = get(url("file"), target("file"), options);
        expect_got(result, "file", SIZE);
        EXPECT_GT(result.reused(), 0u);
        EXPECT_LE(result.moved(), SIZE - verified_before + WINDOW);
        EXPECT_GE(result.moved() + result.reused(), SIZE);
    }

    std::unique_ptr<Held> held_; // the one that was started last
};

class ResumeAt : public Resume, public ::testing::WithParamInterface<uint64_t>
{
};

INSTANTIATE_TEST_SUITE_P(Chunks, ResumeAt, ::testing::Values(1, 7, 18));

TEST_P(ResumeAt, AfterTheClientWasKilled)
{
    offer("file", SIZE);
    serve();
    Program program;
    uint64_t verified = run_until(program, GetParam() * CHUNK);
    program.signal(SIGKILL);
    EXPECT_EQ(128 + SIGKILL, program.wait());
    expect_resumed(verified);
}

TEST_P(ResumeAt, AfterTheServerWasKilled)
{
    offer("file", SIZE);
    serve();
    Program program;
    uint64_t verified = run_until(program, GetParam() * CHUNK);
    kill_server();
    expect_refused(result_of(program), 8, {held_->address(), "same command"});
    serve(); // on another port: nobody holds the old one free
    expect_resumed(verified);
}

TEST_F(Resume, AfterBothWereKilled)
{
    offer("file", SIZE);
    serve();
    Program program;
    uint64_t verified = run_until(program, 18 * CHUNK);
    kill_server();
    program.signal(SIGKILL);
    EXPECT_EQ(128 + SIGKILL, program.wait());
    serve();
    expect_resumed(verified);
}

TEST_F(Resume, AfterAnInterrupt)
{
    offer("file", SIZE);
    serve();
    for (int number : {SIGINT, SIGTERM}) {
        Program program;
        run_until(program, CHUNK * (number == SIGINT ? 3 : 6)); // more of it each time
        program.signal(number);
        expect_refused(result_of(program), 9, {"interrupted", "same command"});
    }
    Program program;
    uint64_t verified = run_until(program, 12 * CHUNK);
    program.signal(SIGINT);
    Result result = result_of(program);
    EXPECT_EQ(9, result.exit_code);
    EXPECT_GT(result.reused(), 0u);
    expect_resumed(verified);
}

TEST_F(Resume, OverSeveralLinks)
{
    offer("file", SIZE);
    serve({"--workers", "2"});
    Program program;
    run_until(program, 8 * CHUNK, {"--links", "2", "--workers", "2"});
    program.signal(SIGKILL);
    EXPECT_EQ(128 + SIGKILL, program.wait());
    Result result = get(url("file"), target("file"), {"--links", "2", "--workers", "2"});
    expect_got(result, "file", SIZE);
    EXPECT_GT(result.reused(), 0u);
    EXPECT_GE(result.moved() + result.reused(), SIZE);
}

TEST_F(Resume, ThroughThreads)
{
    offer("file", SIZE);
    serve({"--io", "threads"});
    Program program;
    uint64_t verified = run_until(program, 12 * CHUNK, {"--io", "threads"});
    program.signal(SIGKILL);
    EXPECT_EQ(128 + SIGKILL, program.wait());
    expect_resumed(verified, {"--io", "threads"});
}

TEST_F(Resume, DryRunSaysWhatIsThere)
{
    offer("file", SMALL);
    serve();
    Program program;
    uint64_t verified = run_until(program, 3 * CHUNK);
    program.signal(SIGKILL);
    EXPECT_EQ(128 + SIGKILL, program.wait());
    int drafts = hr_temp_count(at("target").c_str(), ".headrace-");
    Result result = get(url("file"), target("file"), {"--dry-run"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_GE(result.reused() + WINDOW, verified);
    EXPECT_EQ(0u, result.moved());
    EXPECT_EQ(drafts, hr_temp_count(at("target").c_str(), ".headrace-"));
    result = get(url("file"), target("file"));
    expect_got(result, "file", SMALL);
    EXPECT_GT(result.reused(), 0u);
}

TEST_F(Resume, StartsAgainWhereTheSourceChanged)
{
    offer("file", SMALL);
    serve();
    Program program;
    run_until(program, 3 * CHUNK);
    program.signal(SIGKILL);
    EXPECT_EQ(128 + SIGKILL, program.wait());
    offer("file", SMALL, 2); // as long, and another content
    Result result = get(url("file"), target("file"));
    expect_got(result, "file", SMALL, 2);
    EXPECT_EQ(0u, result.reused());
    EXPECT_EQ(SMALL, result.moved());
}

TEST_F(Resume, OfAnotherSourceToTheSameTargetTakesNothingOver)
{
    offer("file", SMALL);
    offer("other", SMALL, 3);
    serve();
    Program program;
    run_until(program, 3 * CHUNK);
    program.signal(SIGKILL);
    EXPECT_EQ(128 + SIGKILL, program.wait());
    Result result = get(url("other"), target("file"));
    expect_got(result, "file", SMALL, 3);
    EXPECT_EQ(0u, result.reused());
}

TEST_F(Resume, KeepsWhatIsToBeReplacedUntilTheEnd)
{
    offer("file", SMALL);
    write_text(target("file"), "what was there");
    serve();
    Program program;
    run_until(program, 3 * CHUNK, {"--overwrite"});
    EXPECT_EQ("what was there", read_text(target("file")));
    program.signal(SIGKILL);
    EXPECT_EQ(128 + SIGKILL, program.wait());
    EXPECT_EQ("what was there", read_text(target("file")));
    Result result = get(url("file"), target("file"), {"--overwrite"});
    expect_got(result, "file", SMALL);
    EXPECT_GT(result.reused(), 0u);
}

// Both drafts, cut in the middle of whatever they hold: what cannot be believed moves again.
TEST_F(Resume, BelievesNoJournalThatWasCut)
{
    offer("file", SMALL);
    serve();
    Program program;
    run_until(program, 3 * CHUNK);
    program.signal(SIGKILL);
    EXPECT_EQ(128 + SIGKILL, program.wait());
    DIR *directory = opendir(at("target").c_str());
    ASSERT_NE(nullptr, directory);
    unsigned drafts = 0;
    while (struct dirent *entry = readdir(directory)) {
        struct stat info;
        std::string draft = target(entry->d_name);
        if (strncmp(entry->d_name, ".headrace-", 10) != 0 || stat(draft.c_str(), &info) != 0)
            continue;
        drafts++;
        if (info.st_size < (off_t)MIB) { // the journal
            EXPECT_EQ(0, truncate(draft.c_str(), info.st_size / 2 + 1));
        }
    }
    closedir(directory);
    EXPECT_EQ(2u, drafts);
    expect_got(get(url("file"), target("file")), "file", SMALL);
}

} // namespace
