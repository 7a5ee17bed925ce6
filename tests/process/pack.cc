// SPDX-License-Identifier: Apache-2.0
// Packed shards as their users have them: lz4 and zstd give the content back, so does a second
// reader, and what is damaged is found and named.
#include "content.h"
#include "fixture.h"

#include <cstring>
#include <sys/mount.h>

extern "C" {
#include "packed_reader.h"
}

namespace
{

const uint8_t *data_of(const Bytes &bytes)
{
    return reinterpret_cast<const uint8_t *>(bytes.data());
}

class Packed : public Headrace
{
  protected:
    Result pack(const Bytes &content, const std::vector<std::string> &options)
    {
        write_text(data("file"), content);
        return pack_file(options);
    }
    Result pack_file(const std::vector<std::string> &options, const Surroundings &under = {})
    {
        std::vector<std::string> arguments = {"pack", data("file"), target("shard"), "--json"};
        arguments.insert(arguments.end(), options.begin(), options.end());
        return run(arguments, under);
    }
    static Result run(const std::vector<std::string> &arguments, const Surroundings &under = {})
    {
        Program program;
        program.start(arguments, under);
        return result_of(program);
    }
    static Result verify(const std::string &path)
    {
        return run({"verify", path, "--json"});
    }
    Bytes shard() const
    {
        return read_text(target("shard"));
    }
    // What the second reader makes of it; "damaged" if it refuses.
    static Bytes second_reading(const Bytes &shard, const Bytes &chunks)
    {
        uint64_t len = 0;
        if (!packed_reader_content_len(data_of(shard), shard.size(), &len))
            return "damaged";
        Bytes content(len, 0);
        if (!packed_reader_read(data_of(shard), shard.size(), data_of(chunks), chunks.size(),
                                reinterpret_cast<uint8_t *>(&content[0])))
            return "damaged";
        return content;
    }
    // Runs a tool of the system on the shard; what it gives is content.
    void expect_tool_gives(const std::string &tool, const Bytes &content)
    {
        const std::string made = at("made");
        ASSERT_EQ(0, system((tool + " '" + target("shard") + "' > '" + made + "'").c_str()));
        EXPECT_TRUE(read_text(made) == content) << tool;
        ASSERT_EQ(0, system((tool + " < '" + target("shard") + "' > '" + made + "'").c_str()));
        EXPECT_TRUE(read_text(made) == content) << tool << ", from a pipe";
    }
    void flip(const std::string &path, uint64_t at)
    {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekg(static_cast<std::streamoff>(at));
        const char byte = static_cast<char>(file.get());
        file.seekp(static_cast<std::streamoff>(at));
        file.put(static_cast<char>(byte ^ 0x10));
    }
};

TEST_F(Packed, TreeBecomesATreeOfShards)
{
    make_directory(data("sub"));
    make_directory(data("sub/empty"));
    write_text(data("text"), text(CHUNK + 1));
    write_text(data("sub/noise"), noise(5000));
    write_text(data("sub/.headrace-0123456789abcdef"), "left by a run");
    ASSERT_EQ(0, symlink("text", data("link").c_str()));
    const std::vector<std::string> again = {"pack",    at("data"), target("tree"),
                                            "--codec", "lz4",      "--json"};
    Result result = run(again);
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(2u, result.summary.number("files"));
    EXPECT_EQ(0u, result.summary.number("files_kept"));
    EXPECT_EQ(0, verify(target("tree/text.lz4")).exit_code);
    const Bytes shard = read_text(target("tree/sub/noise.lz4"));
    EXPECT_TRUE(second_reading(shard, shard) == noise(5000));
    EXPECT_EQ(1, hr_temp_count(target("tree/sub").c_str(), ""));
    // The same command again packs what has changed since.
    const timespec later[2] = {{4000000000, 0}, {4000000000, 0}};
    ASSERT_EQ(0, utimensat(AT_FDCWD, data("text").c_str(), later, 0));
    result = run(again);
    EXPECT_EQ(3, result.exit_code) << "one is older than its source";
    EXPECT_EQ(1u, result.summary.number("files_kept"));
    EXPECT_EQ(1u, result.summary.number("files_failed"));
    Program program;
    program.start({"pack", at("data"), target("tree"), "--codec", "lz4"});
    EXPECT_EQ(3, program.wait());
    EXPECT_EQ(0u, program.errors().find("headrace: text: ")) << program.errors();
    EXPECT_NE(std::string::npos, program.errors().find("--overwrite")) << program.errors();
}

TEST_F(Packed, TreeIsToldOfFileByFile)
{
    make_directory(data("sub"));
    write_text(data("sub/text"), text(CHUNK));
    write_text(data("weights"), weights(1 << 20, 0));
    Program program;
    program.start({"pack", at("data"), target("tree")});
    EXPECT_EQ(0, program.wait()) << program.errors();
    for (const char *part :
         {"weights: planes: a sample has a ratio of 1.4", "sub/text: zstd: a sample"})
        EXPECT_NE(std::string::npos, program.out().find(part)) << program.out();
    EXPECT_TRUE(exists(target("tree/weights.hrpacked")));
    EXPECT_TRUE(exists(target("tree/sub/text.zst")));
}

TEST_F(Packed, TreeGetsItsIndexesBesideItsFiles)
{
    make_directory(data("sub"));
    write_text(data("sub/file"), noise(CHUNK + 5));
    Result result = run({"pack", at("data"), "--codec", "none", "--json"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(0, verify(data("sub/file")).exit_code);
    result = run({"pack", at("data"), "--codec", "none", "--json"});
    EXPECT_EQ(1u, result.summary.number("files_kept")) << "an index needs no index";
    EXPECT_EQ(2, run({"pack", at("data"), target("tree"), "--codec", "none", "--json"}).exit_code);
}

TEST_F(Packed, TreeWithItsTargetInsideIsRefused)
{
    write_text(data("file"), text(100));
    Result result = run({"pack", at("data"), data("packed"), "--json"});
    EXPECT_EQ(2, result.exit_code) << result.errors;
    EXPECT_NE(std::string::npos, result.errors.find("inside")) << result.errors;
}

bool have(const char *tool)
{
    return system((std::string("command -v ") + tool + " >/dev/null").c_str()) == 0;
}

class PackedSize : public Packed, public ::testing::WithParamInterface<uint64_t>
{
  protected:
    void give_back(const char *codec, const char *tool)
    {
        if (!have(tool))
            GTEST_SKIP() << tool << " is not installed";
        const Bytes content = text(GetParam());
        Result result = pack(content, {"--codec", codec});
        ASSERT_EQ(0, result.exit_code) << result.errors;
        EXPECT_EQ(shard().size(), result.summary.number("stored_bytes") +
                                      4096 * (1 + result.summary.number("chunks") / 63) + 64);
        expect_tool_gives(std::string(tool) + " -dqc", content);
        EXPECT_TRUE(second_reading(shard(), shard()) == content);
        result = verify(target("shard"));
        EXPECT_EQ(0, result.exit_code) << result.errors;
        EXPECT_EQ(content.size(), result.summary.number("bytes_done"));
        EXPECT_FALSE(has_drafts());
    }
};

INSTANTIATE_TEST_SUITE_P(Corners, PackedSize,
                         ::testing::Values(0, 1, 4095, 65536, 65537, CHUNK - 1, CHUNK, CHUNK + 1,
                                           3 * CHUNK + 4097));

TEST_P(PackedSize, Lz4GivesItBack)
{
    give_back("lz4", "lz4");
}

TEST_P(PackedSize, ZstdGivesItBack)
{
    give_back("zstd", "zstd");
}

TEST_F(Packed, NoiseIsStoredAsItIsAndStillGivenBack)
{
    const Bytes content = noise(2 * CHUNK + 100);
    for (const char *tool : {"lz4", "zstd"}) {
        if (!have(tool))
            GTEST_SKIP() << tool << " is not installed";
        Result result = pack(content, {"--codec", tool, "--overwrite"});
        ASSERT_EQ(0, result.exit_code) << result.errors;
        EXPECT_EQ(3u, result.summary.number("chunks_stored"));
        EXPECT_LE(shard().size(), content.size() + 8 * 4096);
        expect_tool_gives(std::string(tool) + " -dqc", content);
        EXPECT_TRUE(second_reading(shard(), shard()) == content);
        EXPECT_EQ(0, verify(target("shard")).exit_code);
    }
}

TEST_F(Packed, WeightsBecomeShorterByMoreThanAQuarter)
{
    for (size_t header : {0u, 8u, 77u}) { // values may begin anywhere
        const Bytes content = weights(3 << 20, header);
        Result result = pack(content, {"--codec", "planes", "--overwrite"});
        ASSERT_EQ(0, result.exit_code) << result.errors;
        EXPECT_GE(double(content.size()) / double(shard().size()), 1.40) << header;
        EXPECT_TRUE(second_reading(shard(), shard()) == content);
        EXPECT_EQ(0, verify(target("shard")).exit_code);
    }
}

TEST_F(Packed, PlanesNeverMakeNoiseLonger)
{
    const Bytes content = noise(CHUNK + 1);
    ASSERT_EQ(0, pack(content, {"--codec", "planes"}).exit_code);
    EXPECT_LE(shard().size(), content.size() + 3 * 4096);
    EXPECT_TRUE(second_reading(shard(), shard()) == content);
}

TEST_F(Packed, AutoTakesWhatGainsMostAndSaysSo)
{
    Result result = pack(weights(1 << 20, 0), {});
    EXPECT_EQ("planes", result.summary.text("codec"));
    EXPECT_NE(std::string::npos,
              result.summary.text("choice").find("planes: a sample has a ratio of 1.4"));
    result = pack(noise(CHUNK), {"--overwrite"});
    EXPECT_EQ("lz4", result.summary.text("codec")) << "everybody can read it";
    result = pack(text(6 * CHUNK), {"--overwrite"});
    EXPECT_EQ("zstd", result.summary.text("codec"));
}

TEST_F(Packed, AutoTakesWhatTheNameOfTheTargetSays)
{
    write_text(data("file"), std::string(6 * CHUNK, 'x'));
    for (const char *name : {"file.lz4", "file.zst"}) {
        Result result = run({"pack", data("file"), target(name), "--json"});
        EXPECT_EQ(0, result.exit_code) << result.errors;
        EXPECT_EQ(strcmp(name, "file.lz4") == 0 ? "lz4" : "zstd", result.summary.text("codec"));
    }
    Result result = run({"pack", data("file"), target("other.lz4"), "--codec", "zstd", "--json"});
    EXPECT_EQ("zstd", result.summary.text("codec")) << "who says it himself gets it";
}

TEST_F(Packed, LevelsTradeTimeForBytes)
{
    const Bytes content = text(CHUNK);
    for (const char *codec : {"lz4", "zstd"}) {
        ASSERT_EQ(0, pack(content, {"--codec", codec, "--level", "1", "--overwrite"}).exit_code);
        const size_t fast = shard().size();
        ASSERT_EQ(0, pack(content, {"--codec", codec, "--level", "12", "--overwrite"}).exit_code);
        EXPECT_LT(shard().size(), fast) << codec;
        EXPECT_TRUE(second_reading(shard(), shard()) == content);
    }
}

TEST_F(Packed, IsTheSameWhateverTheThreadsAndTheIo)
{
    const Bytes content = text(9 * CHUNK + 5);
    ASSERT_EQ(0, pack(content, {"--codec", "lz4"}).exit_code);
    const Bytes first = shard();
    for (const char *threads : {"1", "2", "7"}) {
        ASSERT_EQ(
            0, pack_file({"--codec", "lz4", "--overwrite", "--threads", threads, "--io", "threads"})
                   .exit_code);
        EXPECT_TRUE(shard() == first) << threads;
    }
}

TEST_F(Packed, NoneMakesDigestsBesideTheFile)
{
    write_text(data("file"), text(2 * CHUNK + 9));
    Result result = run({"pack", data("file"), "--codec", "none", "--json"});
    ASSERT_EQ(0, result.exit_code) << result.errors;
    const Bytes content = read_text(data("file")), index = read_text(data("file.hrindex"));
    EXPECT_EQ(4096u + 64, index.size());
    EXPECT_TRUE(second_reading(index, content) == content);
    EXPECT_EQ(0, verify(data("file")).exit_code);
    EXPECT_EQ(0, verify(data("file.hrindex")).exit_code);
    flip(data("file"), CHUNK + 3);
    expect_refused(verify(data("file")), 5, {"file", "chunk 1", "offset 4194304", "digest"});
    ASSERT_EQ(0, truncate(data("file").c_str(), CHUNK));
    expect_refused(verify(data("file")), 5, {"file", "4194304", "8388617"});
}

// ---- what is damaged ----

class Damaged : public Packed
{
  protected:
    void SetUp() override
    {
        ASSERT_EQ(0, pack(text(4 * CHUNK), {"--codec", "lz4"}).exit_code);
        content_ = shard();
        for (uint64_t at = 0; at + 4096 < content_.size(); at += 4096)
            if (memcmp(&content_[at], "\x04\x22\x4D\x18", 4) == 0)
                chunks_.push_back(at);
        ASSERT_EQ(4u, chunks_.size());
    }
    // The last gap ends where the index begins.
    uint64_t index_at() const
    {
        return content_.size() - 4096 - 64;
    }
    Bytes content_;
    std::vector<uint64_t> chunks_;
};

TEST_F(Damaged, TheFirstChunkThatIsWrongIsNamed)
{
    flip(target("shard"), chunks_[3] + 1000);
    flip(target("shard"), chunks_[2] + 1000);
    expect_refused(verify(target("shard")), 5,
                   {"shard", "chunk 2", "offset " + std::to_string(chunks_[2])});
}

TEST_F(Damaged, AGapThatToolsWouldStumbleOverIsNamed)
{
    flip(target("shard"), index_at() - 1);
    expect_refused(verify(target("shard")), 5, {"chunk 3", "gap"});
}

TEST_F(Damaged, APageOfTheIndexIsNamed)
{
    flip(target("shard"), index_at() + 200);
    expect_refused(verify(target("shard")), 5, {"index", std::to_string(index_at())});
}

TEST_F(Damaged, ATailIsNamed)
{
    flip(target("shard"), content_.size() - 1);
    expect_refused(verify(target("shard")), 5, {"shard", "end", "damaged"});
}

TEST_F(Damaged, AShardThatWasCutIsSaidToBe)
{
    for (uint64_t len :
         {content_.size() - 1, content_.size() - 64, index_at(), uint64_t(100000), uint64_t(4)}) {
        ASSERT_EQ(0, truncate(target("shard").c_str(), (off_t)len));
        expect_refused(verify(target("shard")), 5, {"shard", "cut"});
    }
}

TEST_F(Damaged, AllPathsAreLookedAt)
{
    flip(target("shard"), chunks_[1] + 9);
    Program program;
    program.start({"verify", at("missing"), target("shard"), data("file")});
    EXPECT_EQ(4, program.wait()) << "of the first that failed";
    for (const char *part : {"missing", "chunk 1", "no packed shard"})
        EXPECT_NE(std::string::npos, program.errors().find(part)) << program.errors();
}

TEST_F(Packed, WhatIsNoShardIsNotVerified)
{
    write_text(data("file"), "plain");
    expect_refused(verify(data("file")), 11, {"file", "no packed shard"});
    write_text(data("file"), "");
    expect_refused(verify(data("file")), 11, {"file", "no packed shard"});
    expect_refused(verify(data("")), 2, {"directory"});
    expect_refused(verify(data("none")), 4, {"none", "No such file"});
}

// ---- what goes wrong while packing ----

TEST_F(Packed, ATargetThatExistsIsAConflict)
{
    write_text(target("shard"), "what was there");
    expect_refused(pack(text(10), {}), 10, {"shard", "exists", "--overwrite"});
    EXPECT_EQ("what was there", shard());
    EXPECT_EQ(0, pack(text(10), {"--overwrite"}).exit_code);
    EXPECT_EQ(0, verify(target("shard")).exit_code);
}

TEST_F(Packed, PathsThatCannotBeAreRefused)
{
    expect_refused(pack_file({}), 4, {"file", "No such file"});
    write_text(data("file"), "x");
    expect_refused(run({"pack", at("data"), "--json"}), 2, {"target"});
    expect_refused(run({"pack", data("file"), at("target"), "--json"}), 2, {"target", "directory"});
    expect_refused(run({"pack", data("file"), at("none/shard"), "--json"}), 4, {"none"});
    expect_refused(run({"pack", data("file"), "--json"}), 2, {"target"});
    expect_refused(run({"pack", data("file"), target("index"), "--codec", "none", "--json"}), 2,
                   {"hrindex"});
    expect_nothing("shard");
}

// Slow enough that something can happen meanwhile: a slow level, one thread.
const std::vector<std::string> slowly = {"--codec", "zstd", "--level", "16", "--threads", "1"};

class PackedMeanwhile : public Packed
{
  protected:
    // Until a chunk is written: only then is the target locked for certain.
    void start(Program &program)
    {
        write_text(data("file"), text(5 * CHUNK));
        std::vector<std::string> arguments = {"pack", data("file"), target("shard"), "--json"};
        arguments.insert(arguments.end(), slowly.begin(), slowly.end());
        program.start(arguments);
        Json json = program.next("progress");
        while (json.is_valid() && json.number("bytes_done") == 0)
            json = program.next("progress");
        ASSERT_TRUE(json.is_valid()) << "it ended before";
    }

    // What comes of it when something is done meanwhile. On a busy machine it may have ended by
    // then, which says nothing: once more.
    template <typename Deed> Result packed_while(Deed deed)
    {
        Result result;
        for (int i = 0; i < 10; i++) {
            Program program;
            start(program);
            deed(program);
            result = result_of(program);
            if (result.exit_code != 0)
                break;
            remove(target("shard").c_str());
        }
        return result;
    }
};

TEST_F(PackedMeanwhile, ASourceThatChangesIsNotPacked)
{
    const Result result =
        packed_while([&](Program &) { std::ofstream(data("file"), std::ios::app) << "more"; });
    expect_refused(result, 8, {"file", "changed"});
    expect_nothing("shard");
}

TEST_F(PackedMeanwhile, ASourceThatShrinksIsNotPacked)
{
    const Result result =
        packed_while([&](Program &) { EXPECT_EQ(0, truncate(data("file").c_str(), 10)); });
    expect_refused(result, 8, {"file", "changed"});
    expect_nothing("shard");
}

TEST_F(PackedMeanwhile, AnInterruptionLeavesNothing)
{
    const Result result = packed_while([](Program &program) { program.signal(SIGINT); });
    expect_refused(result, 9, {"interrupted"});
    expect_nothing("shard");
}

TEST_F(PackedMeanwhile, WhatAKilledRunLeftIsTakenOver)
{
    Program program;
    start(program);
    program.signal(SIGKILL);
    program.wait();
    EXPECT_FALSE(exists(target("shard")));
    EXPECT_EQ(0, pack_file({"--codec", "lz4"}).exit_code);
    EXPECT_FALSE(has_drafts());
    EXPECT_TRUE(second_reading(shard(), shard()) == read_text(data("file")));
}

TEST_F(PackedMeanwhile, ASecondPackerOfTheTargetIsAConflict)
{
    Result second;
    const Result first = packed_while([&](Program &program) {
        program.signal(SIGSTOP);
        second = pack_file({});
        program.signal(SIGINT);
        program.signal(SIGCONT);
    });
    EXPECT_EQ(9, first.exit_code) << first.errors;
    expect_refused(second, 10, {"shard", "another headrace"});
}

TEST_F(Packed, AFullDiskLeavesNothing)
{
    if (mount("tmpfs", at("target").c_str(), "tmpfs", 0, "size=6m") != 0)
        GTEST_SKIP() << "cannot mount a small file system: " << strerror(errno);
    Result result = pack(noise(4 * CHUNK), {"--codec", "lz4"});
    expect_refused(result, 7, {"shard", "room"});
    expect_nothing("shard");
    EXPECT_EQ(0, umount(at("target").c_str()));
}

// ---- what is said ----

TEST_F(Packed, LsTellsCodecRatioAndChunks)
{
    ASSERT_EQ(0, pack(text(2 * CHUNK), {"--codec", "zstd"}).exit_code);
    Program program;
    program.start({"ls", target("shard")});
    EXPECT_EQ(0, program.wait());
    for (const char *part : {"shard\n", "packed", "zstd", "ratio ", "2 chunks"})
        EXPECT_NE(std::string::npos, program.out().find(part)) << program.out();
    program.start({"ls", data("file")});
    EXPECT_EQ(0, program.wait());
    EXPECT_EQ("file\n", program.out()) << "of a plain file there is nothing to tell";
}

TEST_F(Packed, APersonIsToldWhatBecameOfIt)
{
    write_text(data("file"), text(2 * CHUNK));
    Program program;
    program.start({"pack", data("file"), target("shard"), "--codec", "lz4"});
    EXPECT_EQ(0, program.wait());
    EXPECT_NE(std::string::npos, program.out().find("packed ")) << program.out();
    EXPECT_NE(std::string::npos, program.out().find("lz4, 2 chunks")) << program.out();
    program.start({"verify", target("shard"), "--quiet"});
    EXPECT_EQ(0, program.wait());
    EXPECT_EQ("", program.out());
}

} // namespace
