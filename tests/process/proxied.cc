// SPDX-License-Identifier: Apache-2.0
// Between client and server is a proxy that flips bits, cuts, duplicates, reorders, drops and
// stalls, with TLS and in clear: a get through it brings every byte right or says what went wrong,
// and the same get without it goes on from there.
//
//   HEADRACE_PROXIED=1000 HEADRACE_PROXIED_SEED=7 process_proxied     more runs of each, and others
#include "fixture.h"
#include "proxy.h"

#include <cstdlib>
#include <map>
#include <set>

namespace
{

constexpr uint64_t file_len = 3 * CHUNK + 1234;
constexpr unsigned small_files = 20;

struct Plan {
    const char *name;
    Mischief mischief;
    uint64_t every; // blocks: a file is about 800
    bool clear;
    unsigned runs;
};

const Plan plans[] = {
    {"FlipInTls", Mischief::flip, 400, false, 2},
    {"FlipInClear", Mischief::flip, 400, true, 2},
    {"FlipOften", Mischief::flip, 20, true, 2},
    {"CutInTls", Mischief::cut, 400, false, 2},
    {"CutInClear", Mischief::cut, 400, true, 2},
    {"CutOften", Mischief::cut, 5, true, 2},
    {"DuplicateInTls", Mischief::duplicate, 400, false, 2},
    {"DuplicateInClear", Mischief::duplicate, 50, true, 2},
    {"SwapInTls", Mischief::swap, 400, false, 2},
    {"SwapInClear", Mischief::swap, 50, true, 2},
    {"DropInTls", Mischief::drop, 400, false, 2},
    {"DropInClear", Mischief::drop, 400, true, 2},
    {"CloseBeforeDataInTls", Mischief::close, 300, false, 2},
    {"CloseBeforeDataInClear", Mischief::close, 300, true, 2},
    {"StallInTls", Mischief::stall, 300, false, 1},
    {"StallInClear", Mischief::stall, 300, true, 1},
};

uint64_t number_of(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != nullptr ? strtoull(text, nullptr, 0) : otherwise;
}

class Proxied : public Headrace, public testing::WithParamInterface<Plan>
{
  protected:
    std::vector<std::string> options_;

    void SetUp() override
    {
        offer("file", file_len);
        make_directory(data("tree"));
        for (unsigned i = 0; i < small_files; i++)
            offer("tree/f" + std::to_string(i), 1 + i * 4999, i + 1);
        if (GetParam().clear)
            options_ = {"--insecure"};
        serve(options_);
    }
    // What is under the final names is right; returns whether all of it is there.
    bool look() const
    {
        bool all = true;
        const auto see = [&](const std::string &path, uint64_t len, uint64_t seed) {
            EXPECT_TRUE(!exists(path) || hr_temp_holds(path.c_str(), len, seed))
                << path << ": a wrong byte";
            all = all && exists(path);
        };
        if (tree_)
            for (unsigned i = 0; i < small_files; i++)
                see(target("tree/f" + std::to_string(i)), 1 + i * 4999, i + 1);
        else
            see(target("file"), file_len, 1);
        return all;
    }
    std::string source() const
    {
        return tree_ ? "tree" : "file";
    }
    void play(uint64_t seed)
    {
        tree_ = seed % 3 == 0;
        std::vector<std::string> options = options_;
        // A peer that is silent is given up after 10 s; the test does not wait so long.
        for (const char *option : {"--deadline", "5s", "--stall", "2s", "--links", "2"})
            options.push_back(option);
        {
            Proxy proxy(address_, GetParam().mischief, GetParam().every, seed);
            Program program;
            start_get(program, "hr://" + proxy.address() + "/data/" + source(), target(source()),
                      options);
            const int code = program.wait();
            const std::set<int> honest = {0, 3, 5, 6, 8, 9, 11, 12};
            EXPECT_TRUE(honest.count(code) == 1) << code << ": " << program.errors();
            EXPECT_TRUE(look() || code != 0) << "it says that all is there";
            codes_[code]++;
            done_ += proxy.done();
        }
        options = options_;
        Program program;
        start_get(program, url(source()), target(source()), options);
        const int code = program.wait();
        EXPECT_TRUE(code == 0 || (code == 10 && !tree_)) << code << ": " << program.errors();
        EXPECT_TRUE(look()) << program.errors();
    }

    bool tree_ = false;
    std::map<int, unsigned> codes_;
    uint64_t done_ = 0;
};

TEST_P(Proxied, EveryByteIsRightOrNotThere)
{
    const uint64_t runs = number_of("HEADRACE_PROXIED", GetParam().runs);
    const uint64_t first = number_of("HEADRACE_PROXIED_SEED", 1);
    for (uint64_t seed = first; seed < first + runs && !HasFailure(); seed++) {
        SCOPED_TRACE("HEADRACE_PROXIED_SEED=" + std::to_string(seed));
        ASSERT_EQ(HR_OK, hr_temp_remove(at("target").c_str()));
        make_directory(at("target"));
        play(seed);
    }
    printf("%llu times; exit codes:", (unsigned long long)done_);
    for (const auto &[code, count] : codes_)
        printf(" %d: %u", code, count);
    printf("\n");
    EXPECT_GT(done_, 0u);
}

std::string name_of(const testing::TestParamInfo<Plan> &plan)
{
    return plan.param.name;
}

INSTANTIATE_TEST_SUITE_P(All, Proxied, testing::ValuesIn(plans), name_of);

} // namespace
