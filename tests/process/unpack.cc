// SPDX-License-Identifier: Apache-2.0
// Packed shards on their way from a server: what crosses is what is stored, what arrives is the
// content, and the digests are those that were written down when it was packed.
#include "content.h"
#include "fixture.h"
#include "wire.h"

namespace
{

class Unpack : public Headrace
{
  protected:
    // data/NAME holds content, packed; beside it for codec none.
    void offer_packed(const std::string &name, const Bytes &content, const std::string &codec)
    {
        const std::string plain = at("plain");
        write_text(codec == "none" ? data(name) : plain, content);
        Program program;
        if (codec == "none")
            program.start({"pack", data(name), "--codec", codec});
        else
            program.start({"pack", plain, data(name), "--codec", codec, "--overwrite"});
        ASSERT_EQ(0, program.wait()) << program.errors();
    }
    void expect_content(const Result &result, const std::string &name, const Bytes &content)
    {
        EXPECT_EQ(0, result.exit_code) << result.errors;
        EXPECT_EQ(content.size(), result.summary.number("bytes_total"));
        EXPECT_TRUE(read_text(target(name)) == content) << name;
        EXPECT_FALSE(has_drafts());
    }
    static uint64_t size_of(const std::string &path)
    {
        struct stat info = {};
        EXPECT_EQ(0, stat(path.c_str(), &info));
        return (uint64_t)info.st_size;
    }
    // One bit, and no trace of it in the times of the file.
    static void rot(const std::string &path, uint64_t at)
    {
        struct stat info = {};
        ASSERT_EQ(0, stat(path.c_str(), &info));
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekg((std::streamoff)at);
        const char byte = (char)file.get();
        file.seekp((std::streamoff)at);
        file.put((char)(byte ^ 4));
        file.close();
        const timespec times[2] = {info.st_atim, info.st_mtim};
        ASSERT_EQ(0, utimensat(AT_FDCWD, path.c_str(), times, 0));
    }
};

struct Case {
    const char *codec;
    Bytes (*content)();
    bool shrinks;
};

// Some of its chunks are stored as they are, and the last one is short.
Bytes mixed()
{
    return text(2 * CHUNK) + noise(CHUNK) + text(CHUNK + 77);
}
Bytes nothing()
{
    return "";
}
Bytes some_weights()
{
    return weights(3 * MIB, 100);
}
Bytes only_noise()
{
    return noise(2 * CHUNK + 1);
}

class UnpackCase : public Unpack, public ::testing::WithParamInterface<Case>
{
};

INSTANTIATE_TEST_SUITE_P(Shards, UnpackCase,
                         ::testing::Values(Case{"lz4", mixed, true}, Case{"zstd", mixed, true},
                                           Case{"planes", some_weights, true},
                                           Case{"lz4", nothing, false},
                                           Case{"lz4", only_noise, false},
                                           Case{"zstd", only_noise, false}));

TEST_P(UnpackCase, IntoAFileAndIntoMemory)
{
    const Bytes content = GetParam().content();
    offer_packed("shard", content, GetParam().codec);
    serve();
    Result file = get(url("shard"), target("file"), {"--unpack"});
    expect_content(file, "file", content);
    Result memory = get(url("shard"), "host:");
    EXPECT_EQ(0, memory.exit_code) << memory.errors;
    EXPECT_EQ(content.size(), memory.summary.number("bytes_total"));
    EXPECT_EQ(memory.moved(), file.moved());
    if (GetParam().shrinks) {
        EXPECT_LT(file.moved(), content.size() * 4 / 5);
    }
    expect_content(get(data("shard"), target("local"), {"--unpack"}), "local", content);
}

TEST_F(Unpack, WithoutBeingAskedAFileIsACopy)
{
    offer_packed("shard", text(CHUNK), "lz4");
    serve();
    expect_content(get(url("shard"), target("shard")), "shard", read_text(data("shard")));
    Result result = get(url("shard"), "host:", {"--as-is"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_EQ(size_of(data("shard")), result.moved());
}

TEST_F(Unpack, TreeOfBothKinds)
{
    offer_packed("a", text(CHUNK + 5), "zstd");
    write_text(data("b"), noise(5000));
    serve();
    Result result = get("hr://" + address_ + "/data", target("tree"), {"--unpack"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    EXPECT_TRUE(read_text(target("tree/a")) == text(CHUNK + 5));
    EXPECT_TRUE(read_text(target("tree/b")) == noise(5000));
    // What was unpacked before is known again by its size and time.
    result = get("hr://" + address_ + "/data", target("tree"), {"--unpack"});
    EXPECT_EQ(2u, result.summary.number("files_kept")) << result.errors;
}

// Nobody compares what is there with what is packed: it is never said to be the same.
TEST_F(Unpack, TreeThatIsToBeComparedComesAgain)
{
    offer_packed("a", text(70000), "zstd");
    offer_packed("b.zst", text(70000), "zstd");
    serve();
    const std::string source = "hr://" + address_ + "/data";
    EXPECT_EQ(0, get(source, target("tree"), {"--unpack"}).exit_code);
    for (const char *name : {"a", "b"}) {
        struct stat before = {};
        ASSERT_EQ(0, stat(target(std::string("tree/") + name).c_str(), &before));
        write_text(target(std::string("tree/") + name), noise(70000));
        const timespec times[2] = {before.st_atim, before.st_mtim};
        ASSERT_EQ(0, utimensat(AT_FDCWD, target(std::string("tree/") + name).c_str(), times, 0));
    }
    Result result = get(source, target("tree"), {"--unpack", "--checksum"});
    EXPECT_EQ(3, result.exit_code);
    EXPECT_EQ(2u, result.summary.number("files_failed")); // something else has their names
    result = get(source, target("tree"), {"--unpack", "--checksum", "--overwrite"});
    EXPECT_EQ(0, result.exit_code) << result.errors;
    for (const char *name : {"a", "b"})
        EXPECT_TRUE(read_text(target(std::string("tree/") + name)) == text(70000)) << name;
}

// What is packed and brought back has the names that it had.
TEST_F(Unpack, TreeThatWasPackedHasItsNamesBack)
{
    make_directory(at("plain"));
    make_directory(at("plain/a"));
    write_text(at("plain/a/text"), text(CHUNK + 5));
    write_text(at("plain/a/noise"), noise(70000));
    write_text(at("plain/small"), "small");
    Program program;
    program.start({"pack", at("plain"), data("packed")});
    ASSERT_EQ(0, program.wait()) << program.errors();
    write_text(data("packed/foreign.zst"), "of somebody else's making");
    serve();
    auto expect_names = [&](uint64_t kept, const std::vector<std::string> &more) {
        std::vector<std::string> options = {"--unpack"};
        options.insert(options.end(), more.begin(), more.end());
        Result result = get(url("packed"), target("tree"), options);
        EXPECT_EQ(0, result.exit_code) << result.errors;
        EXPECT_EQ(kept, result.summary.number("files_kept"));
        EXPECT_EQ(0u, result.summary.number("removed"));
        EXPECT_TRUE(read_text(target("tree/a/text")) == text(CHUNK + 5));
        EXPECT_TRUE(read_text(target("tree/a/noise")) == noise(70000));
        EXPECT_EQ("small", read_text(target("tree/small")));
        EXPECT_EQ("of somebody else's making", read_text(target("tree/foreign.zst")));
        EXPECT_EQ(2, hr_temp_count(target("tree/a").c_str(), ""));
        EXPECT_EQ(3, hr_temp_count(target("tree").c_str(), ""));
    };
    expect_names(0, {});
    expect_names(4, {"--overwrite", "--delete"});
    write_text(data("packed/foreign"), "and beside it this");
    Result result = get(url("packed"), target("tree"), {"--unpack", "--overwrite"});
    EXPECT_EQ(3, result.exit_code) << "one of them is refused, and no other";
    EXPECT_EQ(1u, result.summary.number("files_failed"));
}

TEST_F(Unpack, IntoADirectoryAFileHasItsNameBack)
{
    offer_packed("shard.lz4", text(CHUNK), "lz4");
    serve();
    for (const char *to : {"", "/"}) {
        Result result = get(url("shard.lz4"), at("target") + to, {"--unpack", "--overwrite"});
        expect_content(result, "shard", text(CHUNK));
        EXPECT_FALSE(exists(target("shard.lz4")));
    }
    expect_content(get(url("shard.lz4"), target("named.lz4"), {"--unpack"}), "named.lz4",
                   text(CHUNK)); // as it was said
}

// What is not packed crosses by the thousand, what is, small as it may be, by itself.
TEST_F(Unpack, TreeOfManySmallFiles)
{
    for (int i = 0; i < 300; i++)
        write_text(data("plain" + std::to_string(i)), std::string(100 + (size_t)i, 'p'));
    for (int i = 0; i < 3; i++)
        offer_packed("packed" + std::to_string(i), text(70000 + (size_t)i), "lz4");
    serve();
    for (const std::string &where : {target("tree"), std::string("host:")}) {
        Result result = get("hr://" + address_ + "/data", where,
                            where == "host:" ? std::vector<std::string>{}
                                             : std::vector<std::string>{"--unpack"});
        EXPECT_EQ(0, result.exit_code) << result.errors;
        EXPECT_EQ(303u, result.summary.number("files"));
        EXPECT_LT(result.summary.number("control_messages"), 100u);
    }
    for (int i = 0; i < 3; i++)
        EXPECT_TRUE(read_text(target("tree/packed" + std::to_string(i))) ==
                    text(70000 + (size_t)i));
    EXPECT_EQ(std::string(399, 'p'), read_text(target("tree/plain299")));
}

TEST_F(Unpack, GoesOnAfterItWasKilled)
{
    const Bytes content = text(12 * CHUNK);
    offer_packed("shard", content, "lz4");
    serve();
    Held held(address_, 3);
    Program program;
    start_get(program, held.url("shard"), target("file"), {"--unpack"});
    ASSERT_GT(wait_noted(program, 2 * CHUNK), 0u) << program.errors();
    program.signal(SIGKILL);
    EXPECT_EQ(128 + SIGKILL, program.wait());
    EXPECT_FALSE(exists(target("file")));
    Result result = get(url("shard"), target("file"), {"--unpack"});
    expect_content(result, "file", content);
    EXPECT_GE(result.reused(), 2 * CHUNK);
    EXPECT_LT(result.moved(), size_of(data("shard")));
}

TEST_F(Unpack, DraftOfTheBytesIsNoDraftOfTheContent)
{
    offer_packed("shard", text(12 * CHUNK), "lz4");
    serve();
    Held held(address_, 1);
    Program program;
    start_get(program, held.url("shard"), target("file"));
    ASSERT_GT(wait_noted(program, 1), 0u) << program.errors();
    program.signal(SIGKILL);
    program.wait();
    Result result = get(url("shard"), target("file"), {"--unpack"});
    expect_content(result, "file", text(12 * CHUNK));
    EXPECT_EQ(0u, result.reused());
}

TEST_F(Unpack, BitThatFlipsOnTheWireIsMended)
{
    const Bytes content = text(4 * CHUNK);
    offer_packed("shard", content, "lz4");
    serve();
    std::atomic<unsigned> seen{0};
    std::atomic<bool> are_stored{true};
    Proxy proxy(address_, [&](const hr_receipt &receipt, uint8_t *payload) {
        are_stored = are_stored && (receipt.flags & HR_RECEIPT_DIGEST_STORED) != 0;
        if (receipt.chunk == 2 && seen++ == 0)
            payload[receipt.stored_len / 2] ^= 0x10;
    });
    Result result = get("hr://" + proxy.address() + "/data/shard", target("file"), {"--unpack"});
    EXPECT_EQ(2u, seen);
    EXPECT_TRUE(are_stored);
    expect_content(result, "file", content);
}

TEST_F(Unpack, DiskThatRotsUnderTheServerIsNamed)
{
    offer_packed("shard", text(4 * CHUNK), "zstd");
    rot(data("shard"), 5000);
    serve();
    for (const std::string &to : {target("file"), std::string("host:")}) {
        Result result = get(url("shard"), to, {"--unpack", "--quiet"});
        EXPECT_EQ(5, result.exit_code);
        const std::string text = result.summary.text("text");
        EXPECT_NE(std::string::npos, text.find("data/shard: chunk 0 (offset 0)")) << text;
        EXPECT_NE(std::string::npos, text.find("the server's own disk")) << text;
    }
    EXPECT_FALSE(exists(target("file"))); // a draft of the other chunks may stay
}

TEST_F(Unpack, DigestsBesideAPlainFileCoverTheDisk)
{
    offer_packed("file", noise(3 * CHUNK), "none");
    serve();
    std::atomic<bool> are_stored{true};
    {
        Proxy proxy(address_, [&](const hr_receipt &receipt, uint8_t *) {
            are_stored = are_stored && (receipt.flags & HR_RECEIPT_DIGEST_STORED) != 0;
        });
        expect_content(get("hr://" + proxy.address() + "/data/file", target("file")), "file",
                       noise(3 * CHUNK));
    }
    EXPECT_TRUE(are_stored);
    rot(data("file"), 2 * CHUNK + 1);
    Result result = get(url("file"), target("other"));
    EXPECT_EQ(5, result.exit_code) << result.errors;
    EXPECT_NE(std::string::npos, result.errors.find("chunk 2")) << result.errors;
    EXPECT_NE(std::string::npos, result.errors.find("the server's own disk")) << result.errors;
    EXPECT_FALSE(exists(target("other")));
}

// The file was written to since: its old digests say nothing.
TEST_F(Unpack, IndexOlderThanItsFileIsNotUsed)
{
    offer_packed("file", noise(2 * CHUNK), "none");
    const timespec times[2] = {{1000, 0}, {1000, 0}};
    ASSERT_EQ(0, utimensat(AT_FDCWD, data("file.hrindex").c_str(), times, 0));
    rot(data("file"), 17);
    serve();
    expect_content(get(url("file"), target("file")), "file", read_text(data("file")));
}

struct Damage {
    const char *what;
    int64_t at; // from the end
    int exit_code;
    const char *sentence;
};

class UnpackDamage : public Unpack, public ::testing::WithParamInterface<Damage>
{
};

INSTANTIATE_TEST_SUITE_P(Indexes, UnpackDamage,
                         ::testing::Values(Damage{"tail", -1, 5, "the end of it is damaged"},
                                           Damage{"page", -64 - 4000, 5, "its index, page 0"}));

// A typed error where content is asked for; the bytes can be had all the same.
TEST_P(UnpackDamage, IsNamed)
{
    offer_packed("shard", text(3 * CHUNK), "lz4");
    rot(data("shard"), size_of(data("shard")) + (uint64_t)GetParam().at);
    serve();
    expect_refused(get(url("shard"), target("file"), {"--unpack"}), GetParam().exit_code,
                   {"unpacking data/shard", GetParam().sentence, "--as-is"});
    expect_nothing("file");
    expect_content(get(url("shard"), target("copy")), "copy", read_text(data("shard")));
}

TEST_F(Unpack, ListingTellsHowItIsPackedWhenAsked)
{
    offer_packed("shard", text(2 * CHUNK) + noise(CHUNK), "lz4");
    write_text(data("plain"), noise(4096 + 64)); // of a length that a shard could have
    serve();
    for (const std::string &source : {"hr://" + address_ + "/data", url("shard"), at("data")}) {
        Program program;
        program.start({"ls", source, "--long", "--json"});
        Json packed = program.next("packed");
        ASSERT_TRUE(packed.is_valid()) << source << program.errors();
        EXPECT_EQ("lz4", packed.text("codec"));
        EXPECT_EQ(3u, packed.number("chunks"));
        EXPECT_EQ(1u, packed.number("chunks_stored"));
        EXPECT_EQ(3 * CHUNK, packed.number("bytes_total"));
        EXPECT_EQ(size_of(data("shard")), packed.number("stored_bytes"));
        EXPECT_FALSE(program.next("packed").is_valid());
        EXPECT_EQ(0, program.wait());
    }
}

TEST_F(Unpack, WhatIsNotPackedIsNotUnpacked)
{
    write_text(data("file"), noise(5000));
    serve();
    expect_refused(get(url("file"), target("file"), {"--unpack"}), 11, {"data/file", "no packed"});
    expect_nothing("file");
}

// Whoever asks for content does not get the bytes of a shard that lost its end.
TEST_F(Unpack, ShardWithoutItsEndIsNamed)
{
    offer_packed("shard", text(3 * CHUNK), "lz4");
    rot(data("shard"), size_of(data("shard")) - 64);
    ASSERT_EQ(0, system(("head -c 100000 " + data("shard") + " >" + data("cut")).c_str()));
    serve();
    for (const std::string &to : {target("file"), std::string("host:")})
        expect_refused(get(url("shard"), to, {to == "host:" ? "--quiet" : "--unpack"}), 5,
                       {"unpacking data/shard", "begins as a packed shard"});
    Result result = get(url("cut"), target("cut"), {"--unpack"});
    EXPECT_EQ(11, result.exit_code);
    EXPECT_NE(std::string::npos, result.errors.find("it was cut")) << result.errors;
    EXPECT_EQ(0, get(url("cut"), "host:").exit_code);
}

// It comes in a bundle, where only its end still says what it is.
TEST_F(Unpack, SmallShardOfATreeThatLostItsBeginningIsNamed)
{
    for (const char *name : {"rotten", "sound"})
        offer_packed(name, text(70000), "lz4");
    rot(data("rotten"), 0);
    serve();
    Result result = get("hr://" + address_ + "/data", target("tree"), {"--unpack"});
    EXPECT_EQ(3, result.exit_code) << result.errors;
    EXPECT_FALSE(exists(target("tree/rotten")));
    EXPECT_TRUE(read_text(target("tree/sound")) == text(70000));
}

TEST_F(Unpack, BothWaysAtOnceIsRefused)
{
    write_text(data("file"), "");
    expect_refused(get(data("file"), target("file"), {"--unpack", "--as-is"}), 2, {"exclude"});
}

} // namespace
