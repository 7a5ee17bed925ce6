// SPDX-License-Identifier: Apache-2.0
// kill -9 of either side at moments of chance, over and over, and the same command again: never a
// wrong byte under a final name, and in the end all of it is there.
//
//   HEADRACE_KILLS=10000 HEADRACE_KILLS_SEED=7 process_kills     more of them, and others
#include "fixture.h"

#include <cstdlib>
#include <random>

namespace
{

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kills_default = 60;
#else
constexpr uint64_t kills_default = 180;
#endif
constexpr uint64_t file_len = 5 * CHUNK + 1234;
constexpr unsigned small_files = 40;

uint64_t number_of(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != nullptr ? strtoull(text, nullptr, 0) : otherwise;
}

// What is brought, and what may be under which name meanwhile.
struct Errand {
    const char *name;
    std::string source, target;
    std::vector<std::string> options;
    bool tree, replaces;
};

class Kills : public Headrace
{
  protected:
    std::mt19937_64 dice_{number_of("HEADRACE_KILLS_SEED", 1)};
    uint64_t killed_clients_ = 0, killed_servers_ = 0, finished_ = 0;
    // How long a run takes that nobody kills: so far ahead lies the moment.
    uint64_t usual_us_ = 100000;

    void SetUp() override
    {
        offer("file", file_len);
        make_directory(data("tree"));
        for (unsigned i = 0; i < small_files; i++)
            offer("tree/f" + std::to_string(i), 100 + i * 997, i + 1);
        offer("tree/large", CHUNK + 77, 99);
        Program pack;
        offer("plain", 2 * CHUNK, 5);
        pack.start({"pack", data("plain"), data("packed"), "--codec", "lz4"});
        ASSERT_EQ(0, pack.wait()) << pack.errors();
        serve();
    }
    const std::vector<Errand> &errands() const
    {
        static const std::vector<Errand> all = {
            {"file", "file", "file", {}, false, false},
            {"tree", "tree", "tree", {}, true, false},
            {"two links", "file", "file", {"--links", "2", "--workers", "2"}, false, false},
            {"overwrite", "file", "file", {"--overwrite"}, false, true},
            {"unpack", "packed", "plain", {"--unpack"}, false, false},
            {"read back", "file", "file", {"--read-back", "--io", "threads"}, false, false},
        };
        return all;
    }
    bool is_whole(const Errand &errand) const
    {
        if (!errand.tree)
            return errand.target == "plain" ? hr_temp_holds(target("plain").c_str(), 2 * CHUNK, 5)
                                            : hr_temp_holds(target("file").c_str(), file_len, 1);
        for (unsigned i = 0; i < small_files; i++)
            if (!hr_temp_holds(target("tree/f" + std::to_string(i)).c_str(), 100 + i * 997, i + 1))
                return false;
        return hr_temp_holds(target("tree/large").c_str(), CHUNK + 77, 99);
    }
    // Nothing, or what was there before, or all of it.
    void expect_no_wrong_byte(const Errand &errand) const
    {
        if (errand.replaces && read_text(target("file")) == "what was there")
            return;
        if (!errand.tree) {
            EXPECT_TRUE(!exists(target(errand.target)) || is_whole(errand)) << errand.name;
            EXPECT_TRUE(!errand.replaces || exists(target(errand.target))) << "it is gone";
            return;
        }
        for (unsigned i = 0; i < small_files; i++) {
            const std::string path = target("tree/f" + std::to_string(i));
            EXPECT_TRUE(!exists(path) || hr_temp_holds(path.c_str(), 100 + i * 997, i + 1)) << path;
        }
        EXPECT_TRUE(!exists(target("tree/large")) ||
                    hr_temp_holds(target("tree/large").c_str(), CHUNK + 77, 99));
    }
    void start(Program &program, const Errand &errand)
    {
        start_get(program, url(errand.source), target(errand.target), errand.options);
    }
    // The ring of a client that was killed is taken apart after its end, and only then what it had
    // locked is free.
    static bool is_still_locked(Program &program, int code)
    {
        return code == 10 &&
               program.errors().find("is being written by another headrace") != std::string::npos;
    }
    // True: something was killed.
    bool kill_one(const Errand &errand)
    {
        Program program;
        start(program, errand);
        const uint64_t moment_us = dice_() % (usual_us_ + usual_us_ / 4);
        if (!program.runs_for(moment_us)) {
            finished_++;
            const int code = program.wait();
            if (is_still_locked(program, code))
                return false; // it is brought in the end
            // The name was given by the run before, which died before it could say so.
            EXPECT_TRUE(code == 0 || code == 10) << code << ": " << program.errors();
            EXPECT_TRUE(is_whole(errand)) << errand.name;
            return false;
        }
        if (dice_() % 3 != 0) {
            program.signal(SIGKILL);
            program.wait();
            killed_clients_++;
            return true;
        }
        kill_server();
        killed_servers_++;
        const int code = program.wait();
        EXPECT_TRUE(code == 0 || code == 3 || code == 8 || code == 9 || code == 10)
            << errand.name << ": " << code << ": " << program.errors();
        if (code == 0) {
            EXPECT_TRUE(is_whole(errand)) << errand.name;
        }
        serve();
        return true;
    }
    void finish(const Errand &errand)
    {
        Program program;
        int code;
        do {
            start(program, errand);
            code = program.wait();
        } while (is_still_locked(program, code));
        EXPECT_TRUE(code == 0 || (code == 10 && !errand.tree))
            << errand.name << ": " << code << ": " << program.errors();
        EXPECT_TRUE(is_whole(errand)) << errand.name;
        Program again; // what a run that died before it could tidy up has left
        start(again, errand);
        again.wait();
        EXPECT_TRUE(is_whole(errand)) << errand.name;
    }
    void forget(const Errand &errand)
    {
        ASSERT_EQ(HR_OK, hr_temp_remove(at("target").c_str()));
        make_directory(at("target"));
        if (errand.replaces)
            write_text(target("file"), "what was there");
    }
};

TEST_F(Kills, NothingIsEverWrongAndAllOfItComes)
{
    const uint64_t wanted = number_of("HEADRACE_KILLS", kills_default);
    for (uint64_t cycle = 0; killed_clients_ + killed_servers_ < wanted && !HasFailure(); cycle++) {
        const Errand &errand = errands()[cycle % errands().size()];
        forget(errand);
        for (uint64_t kills = 1 + dice_() % 5; kills > 0 && !HasFailure(); kills--) {
            if (!kill_one(errand))
                break;
            expect_no_wrong_byte(errand);
        }
        finish(errand);
    }
    printf("%llu clients and %llu servers killed, %llu runs were faster\n",
           (unsigned long long)killed_clients_, (unsigned long long)killed_servers_,
           (unsigned long long)finished_);
}

} // namespace
