// SPDX-License-Identifier: Apache-2.0
// kill -9 of either side at moments of chance, over and over, and the same command again: never a
// wrong byte under a final name, and in the end all of it is there. Whole gets say how long one
// takes on this machine just now: the moments lie in that time, from the start of the program to
// behind its end.
//
//   HEADRACE_KILLS=10000 HEADRACE_KILLS_SEED=7 process_kills     more of them, and others
#include "fixture.h"

#include <chrono>
#include <cstdlib>
#include <random>

namespace
{

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t kills_default = 60;
#else
constexpr uint64_t kills_default = 180;
#endif
constexpr uint64_t file_len = 2 * CHUNK + 1234;
constexpr unsigned small_files = 20;

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
    uint64_t usual_us = 0; // that it takes when nobody is killed; 0: not known yet
};

uint64_t now_us()
{
    return (uint64_t)std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

class Kills : public Headrace
{
  protected:
    std::mt19937_64 dice_{number_of("HEADRACE_KILLS_SEED", 1)};
    uint64_t killed_clients_ = 0, killed_servers_ = 0, finished_ = 0, in_clear_ = 0;
    bool clear_ = false; // as the server speaks that is there now

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
        begin_server();
    }
    std::vector<Errand> errands_ = {
        {"file", "file", "file", {}, false, false},
        {"tree", "tree", "tree", {}, true, false},
        {"two links", "file", "file", {"--links", "2", "--workers", "2"}, false, false},
        {"overwrite", "file", "file", {"--overwrite"}, false, true},
        {"unpack", "packed", "plain", {"--unpack"}, false, false},
        {"read back", "file", "file", {"--read-back", "--io", "threads"}, false, false},
    };
    // Every other one on the average speaks TLS: what the one began the other goes on with.
    void begin_server()
    {
        std::vector<std::string> options = {"--pool", "16MiB"}; // what is taken at the start costs
        clear_ = dice_() % 2 == 0;
        if (clear_)
            options.push_back("--insecure");
        serve(options);
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
        std::vector<std::string> options = errand.options;
        if (clear_)
            options.push_back("--insecure");
        start_get(program, url(errand.source), target(errand.target), options);
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
        const uint64_t moment_us = dice_() % (errand.usual_us + errand.usual_us / 8 + 1);
        const bool is_server = dice_() % 3 == 0;
        start(program, errand);
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
        in_clear_ += clear_;
        if (!is_server) {
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
        begin_server();
        return true;
    }
    // The code it ends with.
    int run_to_the_end(const Errand &errand, std::string *errors)
    {
        Program program;
        int code;
        do {
            start(program, errand);
            code = program.wait();
        } while (is_still_locked(program, code));
        *errors = program.errors();
        return code;
    }
    void finish(const Errand &errand)
    {
        std::string errors;
        const int code = run_to_the_end(errand, &errors);
        EXPECT_TRUE(code == 0 || (code == 10 && !errand.tree))
            << errand.name << ": " << code << ": " << errors;
        EXPECT_TRUE(is_whole(errand)) << errand.name;
        // Of a run that died between giving the name and tidying up the journal stays, and who is
        // refused because the name is taken changes nothing.
        EXPECT_LE(hr_temp_count(at("target").c_str(), ".headrace-"), code == 10 ? 1 : 0)
            << errand.name;
    }
    // The mean of some of the last ones: the machine is not always as busy.
    void learn(Errand &errand)
    {
        forget(errand);
        const uint64_t begin_us = now_us();
        finish(errand);
        const uint64_t took_us = now_us() - begin_us;
        errand.usual_us = errand.usual_us == 0 ? took_us : (3 * errand.usual_us + took_us) / 4;
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
        Errand &errand = errands_[cycle % errands_.size()];
        if (cycle / errands_.size() % 8 == 0)
            learn(errand);
        forget(errand);
        for (uint64_t kills = 2 + dice_() % 6; kills > 0 && !HasFailure(); kills--) {
            if (!kill_one(errand))
                break;
            expect_no_wrong_byte(errand);
        }
        finish(errand);
    }
    printf("%llu clients and %llu servers killed (%llu in clear), %llu runs were faster\n",
           (unsigned long long)killed_clients_, (unsigned long long)killed_servers_,
           (unsigned long long)in_clear_, (unsigned long long)finished_);
}

} // namespace
