// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

// The public headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "headrace.h"
#include "settings.h"
}

namespace
{

hr_cli_settings parse(std::vector<std::string> words)
{
    words.insert(words.begin(), "headrace");
    words.push_back("--config=/dev/null");
    std::vector<char *> pointers;
    for (std::string &word : words)
        pointers.push_back(&word[0]);
    hr_cli_settings settings = {};
    hr_invocation invocation = {};
    hr_error error = {};
    EXPECT_EQ(hr_options_parse(&hr_cli_syntax, static_cast<int>(pointers.size()), pointers.data(),
                               &settings, &invocation, &error),
              HR_OK)
        << error.text;
    hr_invocation_release(&invocation);
    return settings;
}

std::string help(const hr_verb *verb)
{
    char *text = nullptr;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    hr_options_help(&hr_cli_syntax, verb, out);
    fclose(out);
    std::string copy(text, len);
    free(text);
    return copy;
}

TEST(Settings, HaveTheirDefaults)
{
    hr_cli_settings settings = parse({"get", "a", "b"});
    EXPECT_STREQ(settings.listen, "127.0.0.1:7431");
    EXPECT_EQ(settings.io, static_cast<unsigned>(HR_IO_AUTO));
    EXPECT_EQ(settings.stall_ns, UINT64_C(60000000000));
    EXPECT_EQ(settings.deadline_ns, 0u);
    EXPECT_EQ(settings.limit_bytes_per_s, 0u);
    EXPECT_FALSE(settings.overwrite);
}

TEST(Settings, ChooseTheIoOfTheApi)
{
    EXPECT_EQ(parse({"get", "a", "b", "--io", "uring"}).io, static_cast<unsigned>(HR_IO_URING));
    EXPECT_EQ(parse({"get", "a", "b", "--io=threads"}).io, static_cast<unsigned>(HR_IO_THREADS));
}

// Both ends of a link have a queue pair, and each sets up its own.
TEST(Settings, DriveRdmaOnBothSides)
{
    for (const std::vector<std::string> &words :
         {std::vector<std::string>{"get", "a", "b"}, std::vector<std::string>{"serve", "a"}}) {
        hr_cli_settings settings = parse(words);
        EXPECT_EQ(settings.rdma_message_len, 1u << 20);
        EXPECT_EQ(settings.rdma_queue, 128u);
        EXPECT_EQ(settings.rdma_timeout, 0u);
        EXPECT_EQ(settings.rdma_retries, 7u);
        EXPECT_EQ(settings.rdma_devices, nullptr);
        std::vector<std::string> more = words;
        for (const char *word : {"--rdma-message=256KiB", "--rdma-queue=64", "--rdma-timeout=16",
                                 "--rdma-retries=3", "--rdma-devices=mlx5_0,mlx5_1"})
            more.push_back(word);
        settings = parse(more);
        EXPECT_EQ(settings.rdma_message_len, 256u << 10);
        EXPECT_EQ(settings.rdma_queue, 64u);
        EXPECT_EQ(settings.rdma_timeout, 16u);
        EXPECT_EQ(settings.rdma_retries, 3u);
        EXPECT_NE(settings.rdma_devices, nullptr); // in words, which are gone
    }
}

TEST(Settings, HaveHelpThatFitsATerminal)
{
    std::vector<const hr_verb *> verbs = {nullptr};
    for (unsigned i = 0; i < hr_cli_syntax.verb_count; i++)
        verbs.push_back(&hr_cli_syntax.verbs[i]);
    for (const hr_verb *verb : verbs) {
        std::istringstream lines(help(verb));
        for (std::string line; std::getline(lines, line);)
            EXPECT_LE(line.size(), 80u) << line;
    }
}

TEST(Settings, HaveNoLetterTwice)
{
    std::string letters = "h";
    for (unsigned i = 0; i < hr_cli_syntax.option_count; i++) {
        char letter = hr_cli_syntax.options[i].letter;
        if (letter == 0)
            continue;
        EXPECT_EQ(letters.find(letter), std::string::npos) << letter;
        letters += letter;
    }
}

} // namespace
