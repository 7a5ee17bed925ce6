// SPDX-License-Identifier: Apache-2.0
// A bit that flips on the wire is found: the chunk is asked for again once, and if it is wrong
// again the get ends and says which chunk of what it was.
#include "fixture.h"
#include "wire.h"

namespace
{

using Integrity = Headrace;

TEST_F(Integrity, BitThatFlipsOnceIsMended)
{
    offer("file", 4 * CHUNK + 5);
    serve();
    std::atomic<unsigned> seen{0};
    Proxy proxy(address_, [&](const hr_receipt &receipt, uint8_t *payload) {
        if (receipt.chunk == 2 && seen++ == 0)
            payload[receipt.stored_len / 2] ^= 0x10;
    });
    Result result = get("hr://" + proxy.address() + "/data/file", target("file"));
    EXPECT_EQ(2u, seen);
    expect_got(result, "file", 4 * CHUNK + 5);
    EXPECT_EQ(5 * CHUNK + 5, result.moved());
    EXPECT_NE(std::string::npos, result.errors.find("chunk 2 does not match")) << result.errors;
}

TEST_F(Integrity, BitThatFlipsAlwaysEndsIt)
{
    offer("file", 4 * CHUNK + 5);
    serve();
    std::atomic<unsigned> seen{0};
    Proxy proxy(address_, [&](const hr_receipt &receipt, uint8_t *payload) {
        if (receipt.chunk == 2) {
            seen++;
            payload[receipt.stored_len - 1] ^= 1;
        }
    });
    for (const std::string &to : {target("file"), std::string("host:")}) {
        seen = 0;
        Result result = get("hr://" + proxy.address() + "/data/file", to);
        EXPECT_EQ(5, result.exit_code) << result.errors;
        EXPECT_EQ("HR_INTEGRITY", result.status());
        EXPECT_EQ(2u, seen) << "asked for again once";
        EXPECT_NE(std::string::npos, result.summary.text("text").find("data/file: chunk 2 "))
            << result.errors;
        EXPECT_NE(std::string::npos, result.errors.find(result.summary.text("text") + "\n"));
        EXPECT_FALSE(exists(target("file")));
    }
}

TEST_F(Integrity, WhatWasRightBeforeIsReusedOnceTheWireIsWell)
{
    offer("file", 4 * CHUNK);
    serve();
    {
        Proxy proxy(address_, [&](const hr_receipt &receipt, uint8_t *payload) {
            if (receipt.chunk == 3)
                payload[0] ^= 0x80;
        });
        Result result = get("hr://" + proxy.address() + "/data/file", target("file"));
        EXPECT_EQ(5, result.exit_code) << result.errors;
    }
    Result result = get(url("file"), target("file"));
    expect_got(result, "file", 4 * CHUNK);
    EXPECT_EQ(3 * CHUNK, result.reused());
}

TEST_F(Integrity, ReadBackFindsNothingWrongWithWhatIsRight)
{
    offer("file", 4 * CHUNK + 5);
    serve();
    std::atomic<bool> flipped{false};
    Proxy proxy(address_, [&](const hr_receipt &, uint8_t *payload) {
        if (!flipped.exchange(true))
            payload[0] ^= 1;
    });
    Result result = get("hr://" + proxy.address() + "/data/file", target("file"), {"--read-back"});
    EXPECT_TRUE(flipped);
    expect_got(result, "file", 4 * CHUNK + 5);
}

} // namespace
