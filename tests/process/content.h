// SPDX-License-Identifier: Apache-2.0
// What shards are packed of.
#ifndef HR_PROCESS_CONTENT_H
#define HR_PROCESS_CONTENT_H

#include <cstring>
#include <random>
#include <string>

using Bytes = std::string;

// Compresses by a factor of a few.
inline Bytes text(size_t len)
{
    Bytes bytes;
    std::mt19937 generator(1);
    while (bytes.size() < len)
        bytes += "sample " + std::to_string(generator() % 100000) + " of the " +
                 (generator() % 2 != 0 ? "training" : "validation") + " set\n";
    bytes.resize(len);
    return bytes;
}

inline Bytes noise(size_t len)
{
    Bytes bytes(len, 0);
    std::mt19937_64 generator(2);
    for (char &byte : bytes)
        byte = static_cast<char>(generator());
    return bytes;
}

// bfloat16 of a normal distribution, behind a header of so many bytes.
inline Bytes weights(size_t count, size_t header)
{
    Bytes bytes(header, '{');
    std::mt19937 generator(3);
    std::normal_distribution<float> normal(0, 0.02f);
    for (size_t i = 0; i < count; i++) {
        const float value = normal(generator);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        bytes += static_cast<char>(bits >> 16);
        bytes += static_cast<char>(bits >> 24);
    }
    return bytes;
}

#endif
