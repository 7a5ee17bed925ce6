// SPDX-License-Identifier: Apache-2.0
// Files that lz4 and zstd themselves have made: indexed and unpacked as they are where they can be,
// else served as plain files, with the reason.
#include "content.h"
#include "fixture.h"

#include <sys/stat.h>

extern "C" {
#include "packed_reader.h"
}

namespace
{

class Foreign : public Headrace
{
  protected:
    void SetUp() override
    {
        for (const char *tool : {"lz4", "zstd"})
            if (system((std::string("command -v ") + tool + " >/dev/null").c_str()) != 0)
                GTEST_SKIP() << tool << " is not installed";
    }
    // data/shard is what the tool makes of the content.
    void make(const std::string &tool, const Bytes &content)
    {
        write_text(at("plain"), content);
        ASSERT_EQ(0, system((tool + " < " + at("plain") + " > " + data("shard")).c_str()));
    }
    // Frames of 256 KiB, and the table of the seekable format behind them.
    void make_seekable(const Bytes &content)
    {
        ASSERT_EQ(0, system(("rm -f " + data("shard")).c_str()));
        for (size_t from = 0; from < content.size(); from += CHUNK / 16) {
            const Bytes frame = content.substr(from, CHUNK / 16);
            write_text(at("frame"), frame);
            ASSERT_EQ(0, system(("zstd -qc " + at("frame") + " >> " + data("shard")).c_str()));
        }
        const char table[] = "\x5E\x2A\x4D\x18\x09\0\0\0\0\0\0\0\0\xB1\xEA\x92\x8F";
        std::ofstream(data("shard"), std::ios::app | std::ios::binary).write(table, 17);
    }
    // What pack said of its choice.
    std::string index()
    {
        Program program;
        program.start({"pack", data("shard"), "--codec", "none", "--json", "--overwrite"});
        Result result = result_of(program);
        EXPECT_EQ(0, result.exit_code) << result.errors;
        return result.summary.text("choice");
    }
    void expect_unpacked(const Bytes &content)
    {
        Program program;
        program.start({"verify", data("shard")});
        EXPECT_EQ(0, program.wait()) << program.errors();
        const Bytes table = read_text(data("shard.hrindex")), chunks = read_text(data("shard"));
        Bytes other(content.size(), 0);
        EXPECT_TRUE(packed_reader_read(reinterpret_cast<const uint8_t *>(table.data()),
                                       table.size(),
                                       reinterpret_cast<const uint8_t *>(chunks.data()),
                                       chunks.size(), reinterpret_cast<uint8_t *>(&other[0])));
        EXPECT_TRUE(other == content) << "what another reader makes of it";
        serve();
        Result result = get(url("shard"), target("file"), {"--unpack"});
        EXPECT_EQ(0, result.exit_code) << result.errors;
        EXPECT_TRUE(read_text(target("file")) == content);
        EXPECT_LT(result.moved(), content.size());
        result = get(url("shard"), target("copy"));
        EXPECT_EQ(0, result.exit_code) << result.errors;
        EXPECT_TRUE(read_text(target("copy")) == read_text(data("shard")));
        end_server();
    }
    void expect_plain(const std::string &reason)
    {
        const std::string choice = index();
        EXPECT_NE(std::string::npos, choice.find("plain file")) << choice;
        EXPECT_NE(std::string::npos, choice.find(reason)) << choice;
        Result result = get(data("shard"), target("plain"), {"--overwrite"});
        EXPECT_EQ(0, result.exit_code) << result.errors;
        EXPECT_EQ(11, get(data("shard"), target("none"), {"--unpack"}).exit_code);
    }
};

TEST_F(Foreign, BlocksOfLz4)
{
    const Bytes content = text(2 * CHUNK) + noise(CHUNK) + text(123456);
    make("lz4 -qc -B4", content);
    EXPECT_NE(std::string::npos, index().find("64 KiB"));
    expect_unpacked(content);
}

TEST_F(Foreign, BlocksOfLz4ThatAreSlowOnAGpu)
{
    const Bytes content = text(2 * CHUNK + 1);
    make("lz4 -qc", content);
    const std::string choice = index();
    EXPECT_NE(std::string::npos, choice.find("lz4 -B4")) << choice;
    expect_unpacked(content);
}

TEST_F(Foreign, FramesOfZstd)
{
    const Bytes content = text(CHUNK + 300000);
    make_seekable(content);
    EXPECT_NE(std::string::npos, index().find("256 KiB"));
    expect_unpacked(content);
}

TEST_F(Foreign, WhatCannotBeIndexedIsPlainWithTheReason)
{
    const Bytes content = text(2 * CHUNK);
    make("lz4 -qc -BD -B4", content);
    expect_plain("depend on each other");
    make("lz4 -qc -BX", content);
    expect_plain("checksums");
    make("lz4 -qcl", content);
    expect_plain("legacy");
    make("zstd -qc", content);
    expect_plain("256 KiB");
}

// Only seen after some of it was indexed already.
TEST_F(Foreign, WhatTurnsOutLateIsPlainToo)
{
    make("lz4 -qc -B4", text(2 * CHUNK));
    const Bytes frame = read_text(data("shard"));
    write_text(data("shard"), frame + frame);
    expect_plain("more than one");
    write_text(data("shard"), frame.substr(0, frame.size() - 1000));
    expect_plain("cut");
    // A block that decodes to another length than the rest, in the midst of full ones.
    make("lz4 -qc -B4", text(100));
    const Bytes small = read_text(data("shard"));
    const Bytes block = small.substr(7, small.size() - 7 - 8);
    write_text(data("shard"), frame.substr(0, 7) + block + frame.substr(7));
    expect_plain("different lengths");
}

TEST_F(Foreign, DamageIsNamed)
{
    make("lz4 -qc -B4", text(2 * CHUNK));
    index();
    std::fstream file(data("shard"), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(100000);
    file.write("damage", 6);
    file.close();
    // The index was made a moment ago, and a file system may count in ticks of some milliseconds.
    const timespec later[2] = {{0, UTIME_OMIT}, {time(nullptr) + 10, 0}};
    ASSERT_EQ(0, utimensat(AT_FDCWD, data("shard").c_str(), later, 0));
    Program program;
    program.start({"verify", data("shard")});
    EXPECT_EQ(5, program.wait());
    EXPECT_NE(std::string::npos, program.errors().find("chunk 0")) << program.errors();
    // An index of what it was before does not make it another file's.
    EXPECT_EQ(11, get(data("shard"), target("file"), {"--unpack"}).exit_code);
}

} // namespace
