// SPDX-License-Identifier: Apache-2.0
// What every codec promises, on good input and on bad.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <initializer_list>
#include <random>
#include <set>
#include <string>
#include <vector>

// The headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "codec.h"
}

namespace
{

using Bytes = std::vector<uint8_t>;

hr_span span_of(Bytes &bytes, size_t len)
{
    return hr_span_host(bytes.data(), len);
}

Bytes noise(size_t len, unsigned seed)
{
    std::mt19937 generator(seed);
    Bytes bytes(len);
    for (uint8_t &byte : bytes)
        byte = static_cast<uint8_t>(generator());
    return bytes;
}

Bytes text(size_t len)
{
    Bytes bytes;
    while (bytes.size() < len)
        for (char c : std::string("shard ") + std::to_string(bytes.size() % 1009) + '\n')
            bytes.push_back(static_cast<uint8_t>(c));
    bytes.resize(len);
    return bytes;
}

// What the weights of a model look like: bfloat16 of a normal distribution.
Bytes weights(size_t count, unsigned seed, size_t lead = 0)
{
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0, 0.02f);
    Bytes bytes(lead, 'h');
    for (size_t i = 0; i < count; i++) {
        const float value = normal(generator);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        bytes.push_back(static_cast<uint8_t>(bits >> 16));
        bytes.push_back(static_cast<uint8_t>(bits >> 24));
    }
    return bytes;
}

class Codec : public testing::TestWithParam<const hr_codec *>
{
  protected:
    const hr_codec *codec = GetParam();

    hr_codec_job job(Bytes &source, size_t source_len, Bytes &target, size_t target_len)
    {
        scratch.resize(codec->scratch_len(std::max(source_len, target_len)));
        hr_codec_job made = {};
        made.source = span_of(source, source_len);
        made.target = span_of(target, target_len);
        made.scratch = span_of(scratch, scratch.size());
        return made;
    }

    Bytes encoded(Bytes content, int level = 0, bool store = false)
    {
        Bytes target(codec->bound(content.size()));
        hr_codec_job encode = job(content, content.size(), target, target.size());
        encode.level = level;
        encode.store = store;
        EXPECT_EQ(codec->encode(&encode), HR_OK);
        target.resize(encode.len_out);
        return target;
    }

    // Decodes into room bytes with a fence behind them, and sees that the fence still stands.
    hr_status decode(Bytes source, size_t room, Bytes *content_out)
    {
        Bytes target(room + 64, 0xFE);
        hr_codec_job decode = job(source, source.size(), target, room);
        const hr_status status = codec->decode(&decode);
        EXPECT_EQ(Bytes(target.end() - 64, target.end()), Bytes(64, 0xFE)) << "wrote past target";
        if (status == HR_OK) {
            EXPECT_LE(decode.len_out, room);
            target.resize(decode.len_out);
            *content_out = target;
        }
        return status;
    }

    Bytes scratch;
};

TEST_P(Codec, BringsContentBack)
{
    for (size_t len : {0u, 1u, 2u, 63u, 4096u, 65535u, 65536u, 65537u, 1u << 20}) {
        for (const Bytes &content :
             {noise(len, 1), text(len), Bytes(len, 0), weights(len, 2), weights(len, 3, 1)}) {
            Bytes back;
            ASSERT_EQ(decode(encoded(content), content.size(), &back), HR_OK) << len;
            EXPECT_EQ(back, content);
        }
    }
}

// Its bytes are elsewhere, whatever the address says.
TEST_P(Codec, DoesNotTouchMemoryOfAGpu)
{
    Bytes content = text(100), target(codec->bound(200) + 200, 0xFE);
    const Bytes before = target;
    for (const bool source_is_there : {true, false}) {
        hr_codec_job made = job(content, content.size(), target, target.size());
        (source_is_there ? made.source : made.target).kind = HR_MEMORY_CUDA;
        EXPECT_EQ(codec->decode(&made), HR_UNSUPPORTED);
        EXPECT_EQ(codec->encode(&made), HR_UNSUPPORTED);
    }
    EXPECT_EQ(target, before);
}

TEST_P(Codec, TakesAnyLevel)
{
    const Bytes content = text(200000);
    for (int level : {-1000000, -7, -1, 1, 2, 3, 9, 12, 19, 22, 1000000}) {
        Bytes back;
        ASSERT_EQ(decode(encoded(content, level), content.size(), &back), HR_OK) << level;
        EXPECT_EQ(back, content) << level;
    }
}

TEST_P(Codec, FramesWhatIsOnlyToBeStored)
{
    for (size_t len : {0u, 1u, 65537u, 131073u, 262145u, 4u << 20}) {
        const Bytes content = text(len), stored = encoded(content, 0, true);
        Bytes back;
        ASSERT_EQ(decode(stored, len, &back), HR_OK) << len;
        EXPECT_EQ(back, content);
        EXPECT_GE(stored.size(), len);
        EXPECT_LE(stored.size(), len + 64 + len / 1024);
    }
}

TEST_P(Codec, RefusesToEncodeIntoTooLittleRoom)
{
    Bytes content = noise(5000, 2);
    const size_t needed = encoded(content).size();
    Bytes target(needed, 0xFE);
    hr_codec_job encode = job(content, content.size(), target, needed - 1);
    EXPECT_EQ(codec->encode(&encode), HR_NO_SPACE);
    EXPECT_EQ(target.back(), 0xFE) << "wrote past target";
}

TEST_P(Codec, SaysSoWhateverTheRoomThatIsTooLittle)
{
    for (const bool store : {true, false}) {
        Bytes content = text(70), target(codec->bound(content.size()) + 1, 0xFE);
        const size_t needed = encoded(content, 0, store).size();
        for (size_t room = 0; room < needed; room++) {
            hr_codec_job encode = job(content, content.size(), target, room);
            encode.store = store;
            ASSERT_EQ(codec->encode(&encode), HR_NO_SPACE) << room;
            ASSERT_EQ(target[room], 0xFE) << "wrote past target";
        }
    }
}

TEST_P(Codec, NeedsNoMoreScratchToDecodeThanItSays)
{
    Bytes content = text(100000), stored = encoded(content), back(content.size());
    scratch.assign(codec->decode_scratch_len(), 0);
    hr_codec_job decode = {};
    decode.source = span_of(stored, stored.size());
    decode.target = span_of(back, back.size());
    decode.scratch = span_of(scratch, scratch.size());
    ASSERT_EQ(codec->decode(&decode), HR_OK);
    EXPECT_EQ(back, content);
}

TEST_P(Codec, RefusesContentThatIsLongerThanItsTarget)
{
    for (size_t room : {0u, 1u, 4999u}) {
        Bytes back;
        EXPECT_EQ(decode(encoded(text(5000)), room, &back), HR_INTEGRITY) << room;
    }
}

TEST_P(Codec, NeverTakesTruncatedInputForTheWhole)
{
    const Bytes content = text(3000), whole = encoded(content);
    for (size_t len = 0; len < whole.size(); len += 7) {
        Bytes back;
        const Bytes cut(whole.begin(), whole.begin() + static_cast<long>(len));
        if (decode(cut, content.size(), &back) == HR_OK) {
            EXPECT_NE(back.size(), content.size()) << "cut at " << len;
        }
    }
}

TEST_P(Codec, StaysInsideItsSpansOnHostileInput)
{
    const Bytes wholes[] = {encoded(text(3000)), encoded(weights(1500, 4))};
    std::mt19937 generator(3);
    for (int round = 0; round < 4000; round++) {
        Bytes bad = round % 2 ? wholes[round / 2 % 2]
                              : noise(generator() % 4000, static_cast<unsigned>(round));
        for (unsigned flips = generator() % 8; flips > 0 && !bad.empty(); flips--)
            bad[generator() % bad.size()] ^= static_cast<uint8_t>(1u << generator() % 8);
        Bytes back;
        const hr_status status = decode(bad, generator() % 4000, &back);
        EXPECT_TRUE(status == HR_OK || status == HR_INTEGRITY ||
                    (codec == &hr_codec_planes && status == HR_UNSUPPORTED))
            << hr_status_name(status);
    }
}

std::vector<const hr_codec *> all_codecs()
{
    std::vector<const hr_codec *> all;
    for (unsigned id = 0; id < 256; id++)
        if (const hr_codec *codec = hr_codec_find(id))
            all.push_back(codec);
    return all;
}

INSTANTIATE_TEST_SUITE_P(Contract, Codec, testing::ValuesIn(all_codecs()),
                         [](const testing::TestParamInfo<const hr_codec *> &codec) {
                             return codec.param->name;
                         });

TEST(CodecTable, FindsWhatItHasAndNothingElse)
{
    ASSERT_NE(hr_codec_find(HR_CODEC_STORED), nullptr);
    EXPECT_EQ(hr_codec_find(4), nullptr);
    EXPECT_EQ(hr_codec_find(~0u), nullptr);
    std::set<std::string> names;
    for (const hr_codec *codec : all_codecs()) {
        EXPECT_EQ(hr_codec_find(codec->id), codec);
        EXPECT_TRUE(names.insert(codec->name).second) << codec->name;
    }
}

TEST_P(Codec, NeverMakesMuchMoreOfNoise)
{
    const Bytes content = noise(4u << 20, 5);
    EXPECT_LE(encoded(content).size(), content.size() + content.size() / 1024 + 64);
}

TEST(CodecPlanes, MakesWeightsShorterByMoreThanAQuarter)
{
    for (size_t lead : {0u, 1u}) { // values may lie at odd offsets
        Bytes content = weights(1u << 20, 6, lead), target(hr_codec_planes.bound(content.size()));
        hr_codec_job job = {};
        job.source = span_of(content, content.size());
        job.target = span_of(target, target.size());
        ASSERT_EQ(hr_codec_planes.encode(&job), HR_OK);
        EXPECT_GE(double(content.size()) / double(job.len_out), 1.40) << lead;
    }
}

// With and without being told of which type they are.
TEST(CodecPlanes, MakesFloat32ShorterToo)
{
    std::mt19937 generator(8);
    std::normal_distribution<float> normal(0, 0.02f);
    for (size_t lead : {0u, 1u, 2u, 3u})
        for (hr_element element : {HR_ELEMENT_UNKNOWN, HR_ELEMENT_FP32}) {
            Bytes content(lead, 'h'), target, back;
            for (int i = 0; i < 200000; i++) {
                const float value = normal(generator);
                const auto *bytes = reinterpret_cast<const uint8_t *>(&value);
                content.insert(content.end(), bytes, bytes + sizeof value);
            }
            target.resize(hr_codec_planes.bound(content.size()));
            back.resize(content.size());
            hr_codec_job job = {};
            job.source = span_of(content, content.size());
            job.target = span_of(target, target.size());
            job.element = element;
            ASSERT_EQ(hr_codec_planes.encode(&job), HR_OK);
            EXPECT_GE(double(content.size()) / double(job.len_out), 1.17) << lead;
            job.source = span_of(target, job.len_out);
            job.target = span_of(back, back.size());
            ASSERT_EQ(hr_codec_planes.decode(&job), HR_OK);
            EXPECT_EQ(back, content) << lead;
        }
}

TEST(CodecPlanes, SaysWhatALaterVersionMade)
{
    Bytes content = weights(1000, 9), target(hr_codec_planes.bound(content.size()));
    hr_codec_job job = {};
    job.source = span_of(content, content.size());
    job.target = span_of(target, target.size());
    ASSERT_EQ(hr_codec_planes.encode(&job), HR_OK);
    const size_t len = job.len_out;
    for (size_t at : {4u, 5u, 6u, 7u}) { // version, element, what is zero now
        Bytes later = target;
        later[at] = 9;
        job.source = span_of(later, len);
        job.target = span_of(content, content.size());
        EXPECT_EQ(hr_codec_planes.decode(&job), HR_UNSUPPORTED) << at;
        later[at] = 0;
        EXPECT_EQ(hr_codec_planes.decode(&job), at < 6 ? HR_INTEGRITY : HR_OK) << at;
    }
}

TEST(CodecPlanes, GivesBackAnyExponents)
{
    for (unsigned base = 0; base <= 249; base++) {
        Bytes content, target(10000), back(4001);
        for (unsigned i = 0; i < 2000; i++) { // one in 20 is none of the seven
            const unsigned exponent = i % 20 == 0 ? (base + 7 + i) % 256 : base + i % 7;
            content.push_back(static_cast<uint8_t>(exponent << 7 | (i & 0x7F)));
            content.push_back(static_cast<uint8_t>((i & 0x80) | exponent >> 1));
        }
        content.push_back(9);
        hr_codec_job job = {};
        job.source = span_of(content, content.size());
        job.target = span_of(target, target.size());
        ASSERT_EQ(hr_codec_planes.encode(&job), HR_OK);
        EXPECT_LT(job.len_out, content.size() * 3 / 4) << base;
        job.source = span_of(target, job.len_out);
        job.target = span_of(back, back.size());
        ASSERT_EQ(hr_codec_planes.decode(&job), HR_OK);
        EXPECT_EQ(back, content) << base;
    }
}

TEST(CodecStored, IsItsContentAndDecodesInPlace)
{
    Bytes bytes = text(1000);
    const Bytes before = bytes;
    hr_codec_job job = {};
    job.source = job.target = span_of(bytes, bytes.size());
    ASSERT_EQ(hr_codec_find(HR_CODEC_STORED)->decode(&job), HR_OK);
    EXPECT_EQ(bytes, before);
    EXPECT_EQ(job.len_out, before.size());
}

// A number of four bytes, as formats have it.
Bytes four(uint32_t value)
{
    return {uint8_t(value), uint8_t(value >> 8), uint8_t(value >> 16), uint8_t(value >> 24)};
}

Bytes joined(std::initializer_list<Bytes> pieces)
{
    Bytes all;
    for (const Bytes &piece : pieces)
        all.insert(all.end(), piece.begin(), piece.end());
    return all;
}

// What becomes of bytes that somebody else may have written, in a target of room bytes.
hr_status decode_with(const hr_codec *codec, Bytes source, size_t room, Bytes *content_out)
{
    Bytes scratch(codec->decode_scratch_len());
    content_out->assign(room, 0xFE);
    hr_codec_job decode = {};
    decode.source = span_of(source, source.size());
    decode.target = span_of(*content_out, room);
    decode.scratch = span_of(scratch, scratch.size());
    const hr_status status = codec->decode(&decode);
    content_out->resize(status == HR_OK ? decode.len_out : 0);
    return status;
}

Bytes encode_with(const hr_codec *codec, Bytes content, bool store = false)
{
    Bytes target(codec->bound(content.size())), scratch(codec->scratch_len(content.size()));
    hr_codec_job encode = {};
    encode.source = span_of(content, content.size());
    encode.target = span_of(target, target.size());
    encode.scratch = span_of(scratch, scratch.size());
    encode.store = store;
    EXPECT_EQ(codec->encode(&encode), HR_OK);
    target.resize(encode.len_out);
    return target;
}

struct Lie {
    const char *name;
    Bytes source;
    size_t room;
    hr_status status;
};

void expect_all(const hr_codec *codec, const std::vector<Lie> &lies)
{
    for (const Lie &lie : lies) {
        Bytes content;
        EXPECT_EQ(decode_with(codec, lie.source, lie.room, &content), lie.status) << lie.name;
    }
}

constexpr uint32_t RAW = UINT32_C(1) << 31;

// Blocks without a frame: of files that lz4 itself has made.
TEST(CodecLz4, DecodesBareBlocksAndRefusesThoseThatLie)
{
    const hr_codec *codec = hr_codec_find(HR_CODEC_LZ4);
    const Bytes content = text(1000), frame = encode_with(codec, content);
    const Bytes block(frame.begin() + 15, frame.end() - 4), raw = joined({four(RAW | 4), four(1)});
    Bytes back;
    ASSERT_EQ(decode_with(codec, joined({block, raw, block}), 2004, &back), HR_OK);
    EXPECT_EQ(back, joined({content, four(1), content}));
    expect_all(codec, {
                          {"exactly its room", block, 1000, HR_OK},
                          {"longer than its room", block, 999, HR_INTEGRITY},
                          {"no room", block, 0, HR_INTEGRITY},
                          {"raw, longer than its room", raw, 3, HR_INTEGRITY},
                          {"cut in a length", joined({raw, {9, 0, 0}}), 100, HR_INTEGRITY},
                          {"of no length", joined({raw, four(0)}), 100, HR_INTEGRITY},
                          {"raw, of no length", joined({raw, four(RAW)}), 100, HR_INTEGRITY},
                          {"cut", joined({four(5), four(1)}), 100, HR_INTEGRITY},
                          {"too long", joined({four((4u << 20) + 1), Bytes((4u << 20) + 1)}),
                           5u << 20, HR_INTEGRITY},
                          {"of noise", joined({four(4), four(~0u)}), 100, HR_INTEGRITY},
                          {"of no content", joined({four(1), Bytes(1)}), 100, HR_INTEGRITY},
                      });
}

TEST(CodecLz4, RefusesFramesWhoseBlocksLie)
{
    const hr_codec *codec = hr_codec_find(HR_CODEC_LZ4);
    const Bytes whole = encode_with(codec, text(1000));
    const Bytes header(whole.begin(), whole.begin() + 15),
        block(whole.begin() + 15, whole.end() - 4);
    const Bytes raw = joined({header, four(RAW | 1000), text(1000), four(0)});
    const auto framed = [&](const Bytes &inner) { return joined({header, inner, four(0)}); };
    Bytes shorter = block;
    shorter.pop_back();
    shorter[0]--;
    expect_all(
        codec,
        {
            {"whole", whole, 1000, HR_OK},
            {"raw", raw, 1000, HR_OK},
            {"raw and shorter", framed(joined({four(RAW | 999), text(999)})), 1000, HR_INTEGRITY},
            {"raw and longer", framed(joined({four(RAW | 1001), text(1001)})), 1001, HR_INTEGRITY},
            {"of less content", framed(shorter), 1000, HR_INTEGRITY},
            {"no block", framed({}), 1000, HR_INTEGRITY},
            {"no block and no end", header, 1000, HR_INTEGRITY},
            {"cut in its block", joined({header, four(1000), text(10)}), 1000, HR_INTEGRITY},
            {"without its end", joined({header, block}), 1000, HR_INTEGRITY},
            {"a block more", framed(joined({block, block})), 2000, HR_INTEGRITY},
            {"an end that is none", joined({header, block, four(1)}), 1000, HR_INTEGRITY},
            {"bytes behind its end", joined({framed(block), four(0)}), 1000, HR_INTEGRITY},
        });
}

TEST(CodecPlanes, RefusesPiecesThatLie)
{
    const hr_codec *codec = hr_codec_find(HR_CODEC_PLANES);
    const Bytes whole = encode_with(codec, weights(1000, 9));
    const Bytes stored = encode_with(codec, text(1000), true);
    const Bytes head(stored.begin(), stored.begin() + 16);
    const Bytes pack_head(whole.begin(), whole.begin() + 20),
        piece(whole.begin() + 20, whole.end());
    const auto changed = [](Bytes bytes, size_t at, uint8_t value) {
        bytes[at] = value;
        return bytes;
    };
    const auto with_len = [&](uint32_t len) {
        Bytes bytes = whole;
        const Bytes number = four(len);
        std::copy(number.begin(), number.end(), bytes.begin() + 16);
        bytes.resize(20 + len, 0);
        return bytes;
    };
    expect_all(
        codec,
        {
            {"whole", whole, 2000, HR_OK},
            {"stored", stored, 1000, HR_OK},
            {"raw and shorter", joined({head, four(RAW | 999), text(999)}), 1000, HR_INTEGRITY},
            {"longer than there is", joined({head, four(RAW | 1000), text(999)}), 1000,
             HR_INTEGRITY},
            {"bytes behind it", joined({whole, {0}}), 2000, HR_INTEGRITY},
            {"a piece without a header", with_len(3), 2000, HR_INTEGRITY},
            {"a base that cannot be", changed(whole, 20, 255), 2000, HR_INTEGRITY},
            {"a lead as long as a value", changed(whole, 21, 2), 2000, HR_INTEGRITY},
            {"more escapes than values", changed(whole, 23, 255), 2000, HR_INTEGRITY},
            {"another count of pieces", changed(whole, 12, 2), 2000, HR_INTEGRITY},
            {"more content than room", whole, 1999, HR_INTEGRITY},
            {"cut in its header", Bytes(whole.begin(), whole.begin() + 15), 2000, HR_INTEGRITY},
            {"without its lengths", Bytes(whole.begin(), whole.begin() + 16), 2000, HR_INTEGRITY},
            {"content shorter than a value", changed(changed(whole, 8, 1), 9, 0), 2000,
             HR_INTEGRITY},
        });
}

TEST(CodecPlanes, TakesNoMoreThanItsNumbersCanSay)
{
    Bytes content(16), target(4096);
    hr_codec_job encode = {};
    encode.source = hr_span_host(content.data(), size_t(UINT32_MAX) + 1);
    encode.target = span_of(target, target.size());
    EXPECT_EQ(hr_codec_find(HR_CODEC_PLANES)->encode(&encode), HR_INVALID);
}

TEST(CodecZstd, WithoutScratchSaysThatItIsItsCallersFault)
{
    const hr_codec *codec = hr_codec_find(HR_CODEC_ZSTD);
    Bytes content = text(1000), target(codec->bound(content.size())), scratch(64);
    hr_codec_job made = {};
    made.source = span_of(content, content.size());
    made.target = span_of(target, target.size());
    made.scratch = span_of(scratch, scratch.size());
    EXPECT_EQ(codec->encode(&made), HR_INTERNAL);
    EXPECT_EQ(codec->decode(&made), HR_INTERNAL);
}

// Whoever decodes frames side by side knows where each one goes.
TEST(CodecZstd, EveryFrameIsFullButTheLast)
{
    const hr_codec *codec = hr_codec_find(HR_CODEC_ZSTD);
    const Bytes full = encode_with(codec, text(1000)), less = encode_with(codec, text(999));
    expect_all(codec, {
                          {"two alike", joined({full, full}), 2000, HR_OK},
                          {"the last is shorter", joined({full, less}), 2000, HR_OK},
                          {"the last is longer", joined({less, full}), 2000, HR_INTEGRITY},
                          {"the middle is shorter", joined({full, less, full}), 3000, HR_INTEGRITY},
                          {"more than its room", joined({full, full}), 1999, HR_INTEGRITY},
                          {"text behind it", joined({full, text(20)}), 2000, HR_INTEGRITY},
                      });
}

// What tools that write frames may put between those of content.
TEST(CodecZstd, PassesOverWhatIsNoContent)
{
    const hr_codec *codec = hr_codec_find(HR_CODEC_ZSTD);
    const Bytes content = text(100000);
    Bytes packed(codec->bound(content.size())), source = content;
    Bytes scratch(codec->scratch_len(packed.size()));
    hr_codec_job encode = {};
    encode.source = span_of(source, source.size());
    encode.target = span_of(packed, packed.size());
    encode.scratch = span_of(scratch, scratch.size());
    ASSERT_EQ(codec->encode(&encode), HR_OK);
    packed.resize(encode.len_out);
    const size_t at = packed.size();
    for (uint8_t byte : {0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3})
        packed.push_back(byte);
    for (const bool whole : {true, false}) {
        Bytes target(content.size());
        hr_codec_job decode = {};
        packed[at + 4] = whole ? 3 : 4; // longer than what is left
        decode.source = span_of(packed, packed.size());
        decode.target = span_of(target, target.size());
        decode.scratch = encode.scratch;
        EXPECT_EQ(codec->decode(&decode), whole ? HR_OK : HR_INTEGRITY);
        EXPECT_TRUE(target == content || !whole);
    }
}

} // namespace
