// SPDX-License-Identifier: Apache-2.0
// Files that say what they hold: models in safetensors, arrays of numpy; and weights that somebody
// has trained.
#include "content.h"
#include "fixture.h"

extern "C" {
#include "packed_reader.h"
}

namespace
{

Bytes little_endian(uint64_t value, int len)
{
    Bytes bytes;
    for (int i = 0; i < len; i++)
        bytes += static_cast<char>(value >> 8 * i);
    return bytes;
}

struct Tensor {
    const char *dtype;
    Bytes data;
};

Bytes safetensors(const std::vector<Tensor> &tensors)
{
    Bytes data, json = "{\"__metadata__\":{\"format\":\"pt\"}";
    for (const Tensor &tensor : tensors) {
        json += ",\"t" + std::to_string(data.size()) + "\":{\"dtype\":\"" + tensor.dtype +
                "\",\"shape\":[1],\"data_offsets\":[" + std::to_string(data.size());
        data += tensor.data;
        json += "," + std::to_string(data.size()) + "]}";
    }
    json += "}";
    return little_endian(json.size(), 8) + json + data;
}

Bytes bf16_of(const Bytes &fp32)
{
    Bytes bytes;
    for (size_t at = 0; at + 4 <= fp32.size(); at += 4) {
        uint32_t bits;
        memcpy(&bits, &fp32[at], sizeof bits);
        bits += 0x7FFF + (bits >> 16 & 1); // to the nearest, ties to even
        bytes += little_endian(bits >> 16, 2);
    }
    return bytes;
}

Bytes fp32_weights(size_t count)
{
    Bytes bytes(4 * count, 0);
    std::mt19937 generator(5);
    std::normal_distribution<float> normal(0, 0.02f);
    for (size_t i = 0; i < count; i++) {
        const float value = normal(generator);
        memcpy(&bytes[4 * i], &value, sizeof value);
    }
    return bytes;
}

class Elements : public Headrace
{
  protected:
    Result pack(const Bytes &content, const std::string &codec)
    {
        write_text(data("file"), content);
        Program program;
        program.start(
            {"pack", data("file"), target("shard"), "--codec", codec, "--overwrite", "--json"});
        Result result = result_of(program);
        EXPECT_EQ(0, result.exit_code) << result.errors;
        const Bytes shard = read_text(target("shard"));
        const auto *bytes = reinterpret_cast<const uint8_t *>(shard.data());
        Bytes back(content.size(), 0);
        EXPECT_TRUE(packed_reader_read(bytes, shard.size(), bytes, shard.size(),
                                       reinterpret_cast<uint8_t *>(&back[0])));
        EXPECT_TRUE(back == content) << "what another reader makes of it";
        program.start({"verify", target("shard"), "--quiet"});
        EXPECT_EQ(0, program.wait()) << program.errors();
        return result;
    }
    double times_shorter() const
    {
        return double(read_text(data("file")).size()) / double(read_text(target("shard")).size());
    }
    static void expect_said(const Result &result, const std::string &part)
    {
        const std::string choice = result.summary.text("choice");
        EXPECT_NE(std::string::npos, choice.find(part)) << choice;
    }
};

// A chunk is of what most of it is; what is no weights is left as it is.
TEST_F(Elements, SeveralTypesInOneFile)
{
    const Bytes bf16 = weights(CHUNK / 2, 0), fp32 = fp32_weights(CHUNK / 4);
    const Result result = pack(safetensors({{"BF16", bf16},
                                            {"F32", fp32.substr(0, CHUNK / 2)},
                                            {"I64", noise(2 * CHUNK)},
                                            {"F32", fp32},
                                            {"BF16", bf16.substr(0, CHUNK / 2)}}),
                               "planes");
    expect_said(result, "safetensors header");
    EXPECT_EQ(6u, result.summary.number("chunks"));
    EXPECT_EQ(1u, result.summary.number("chunks_stored")) << "nothing but integers";
    EXPECT_GE(times_shorter(), 1.11);
    EXPECT_EQ("planes", pack(safetensors({{"BF16", bf16}}), "auto").summary.text("codec"));
    EXPECT_GE(times_shorter(), 1.40);
}

TEST_F(Elements, AnArrayOfFloat32)
{
    const Bytes dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (1048576,), }\n";
    const Bytes content =
        Bytes("\x93NUMPY\x01\x00", 8) + little_endian(dictionary.size(), 2) + dictionary;
    const Result result = pack(content + fp32_weights(1 << 20), "auto");
    EXPECT_EQ("planes", result.summary.text("codec"));
    expect_said(result, ".npy header");
    EXPECT_GE(times_shorter(), 1.16);
}

TEST_F(Elements, WithoutAHeaderEachChunkIsTriedAsBoth)
{
    const Result result = pack(weights(CHUNK / 2, 0) + fp32_weights(CHUNK / 4), "planes");
    expect_said(result, "no safetensors or .npy header");
    EXPECT_GE(times_shorter(), 1.27);
}

// Nothing else comes of it than bytes that could have been saved.
TEST_F(Elements, HeaderThatLies)
{
    const Bytes bf16 = weights(CHUNK / 2, 0);
    for (const char *dtype : {"F32", "I64"}) {
        pack(safetensors({{dtype, bf16}}), "planes");
        EXPECT_LE(times_shorter(), 1.2) << dtype;
    }
}

// What scripts/weights has fetched: the start of a safetensors file of float32.
TEST_F(Elements, RealWeights)
{
    const Bytes file = read_text(HEADRACE_SOURCE "/.cache/weights");
    if (file.empty())
        GTEST_SKIP() << "no real weights: scripts/weights could not fetch them";
    uint64_t header_len = 0;
    memcpy(&header_len, file.data(), sizeof header_len);
    ASSERT_LT(header_len, file.size() - 2 * CHUNK);
    const Bytes fp32 = file.substr(8 + header_len + 4096, 2 * CHUNK); // behind a tensor of integers
    Result result = pack(safetensors({{"BF16", bf16_of(fp32)}}), "auto");
    EXPECT_EQ("planes", result.summary.text("codec"));
    EXPECT_GE(times_shorter(), 1.40);
    result = pack(safetensors({{"F32", fp32}}), "auto");
    EXPECT_EQ("planes", result.summary.text("codec"));
    EXPECT_GE(times_shorter(), 1.16);
}

} // namespace
