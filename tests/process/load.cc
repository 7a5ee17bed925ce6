// SPDX-License-Identifier: Apache-2.0
// Many clients of one server at once, large and small, some slow, a tenth of them killed: every
// other one ends well or says why not, no byte is wrong, and the server's memory and descriptors
// are in the end what they were.
//
//   HEADRACE_LOAD_CLIENTS=256 HEADRACE_LOAD_SECONDS=600 process_load     (scripts/soak)
#include "fixture.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <dirent.h>
#include <map>
#include <random>

namespace
{

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr uint64_t gets_default = 40;
#else
constexpr uint64_t gets_default = 120;
#endif
constexpr uint64_t clients_default = 16;
constexpr uint64_t large_len = 3 * CHUNK + 5;
constexpr unsigned small_files = 30;
constexpr uint64_t growth_max = 32 * MIB; // of the server, once it is warm

uint64_t number_of(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != nullptr ? strtoull(text, nullptr, 0) : otherwise;
}

struct Client {
    Program program;
    bool is_tree = false, is_slow = false, is_to_die = false, is_running = false;
    uint64_t started_us = 0, dies_us = 0;
    std::string name;
};

uint64_t now_us()
{
    return (uint64_t)std::chrono::duration_cast<std::chrono::microseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

class Load : public Headrace
{
  protected:
    std::mt19937_64 dice_{number_of("HEADRACE_LOAD_SEED", 1)};
    uint64_t started_ = 0, killed_ = 0, slowest_us_ = 0, fastest_us_ = UINT64_MAX;
    std::map<int, uint64_t> codes_;

    uint64_t resident() const
    {
        std::ifstream file("/proc/" + std::to_string(server_.pid()) + "/statm");
        uint64_t size = 0, pages = 0;
        file >> size >> pages;
        return pages * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    unsigned descriptors() const
    {
        unsigned count = 0;
        DIR *folder = opendir(("/proc/" + std::to_string(server_.pid()) + "/fd").c_str());
        while (folder != nullptr && readdir(folder) != nullptr)
            count++;
        if (folder != nullptr)
            closedir(folder);
        return count;
    }
    bool is_right(const Client &client) const
    {
        if (!client.is_tree)
            return hr_temp_holds(target(client.name).c_str(), large_len, 1);
        for (unsigned i = 0; i < small_files; i++)
            if (!hr_temp_holds(target(client.name + "/f" + std::to_string(i)).c_str(),
                               100 + i * 733, i + 1))
                return false;
        return true;
    }
    void begin(Client &client)
    {
        client.name = "c" + std::to_string(started_++);
        client.is_tree = dice_() % 2 == 0;
        client.is_slow = !client.is_tree && dice_() % 8 == 0;
        client.is_to_die = dice_() % 10 == 0;
        client.is_running = true;
        client.started_us = now_us();
        client.dies_us = client.started_us + dice_() % 200000;
        std::vector<std::string> options = {"--workers", "1"};
        if (client.is_slow)
            options.insert(options.end(), {"--limit", "12M"});
        start_get(client.program, url(client.is_tree ? "tree" : "large"), target(client.name),
                  options);
    }
    void end(Client &client)
    {
        const int code = client.program.wait();
        client.is_running = false;
        codes_[code]++;
        if (code == 128 + SIGKILL) {
            EXPECT_TRUE(client.is_to_die);
            killed_++;
        } else if (code != 0) {
            // As many as there may be at once are served; the others are told to come again.
            EXPECT_TRUE(code == 8 || code == 3) << code << ": " << client.program.errors();
            EXPECT_NE("", client.program.errors());
        } else {
            EXPECT_TRUE(is_right(client)) << client.name;
            const uint64_t took_us = now_us() - client.started_us;
            if (!client.is_slow && client.is_tree) {
                slowest_us_ = std::max(slowest_us_, took_us);
                fastest_us_ = std::min(fastest_us_, took_us);
            }
        }
        EXPECT_EQ(HR_OK, hr_temp_remove(target(client.name).c_str()));
    }
    // Those whose time has come, looked for so often that it has not passed: of a crowd all others
    // take long.
    static void kill_due(const std::vector<std::unique_ptr<Client>> &clients)
    {
        const uint64_t now = now_us();
        for (const auto &client : clients)
            if (client->is_running && client->is_to_die && now >= client->dies_us)
                client->program.signal(SIGKILL);
    }
    void attend(std::vector<std::unique_ptr<Client>> &clients, bool go_on)
    {
        for (auto &client : clients) {
            kill_due(clients);
            if (client->is_running && !client->program.runs_for(1000))
                end(*client);
            if (!client->is_running && go_on)
                begin(*client);
        }
    }
};

TEST_F(Load, MemoryAndDescriptorsStayWhatTheyAre)
{
    offer("large", large_len);
    make_directory(data("tree"));
    for (unsigned i = 0; i < small_files; i++)
        offer("tree/f" + std::to_string(i), 100 + i * 733, i + 1);
    serve();
    const uint64_t seconds = number_of("HEADRACE_LOAD_SECONDS", 0);
    const uint64_t gets = number_of("HEADRACE_LOAD_GETS", seconds == 0 ? gets_default : UINT64_MAX);
    const uint64_t end_us = seconds == 0 ? UINT64_MAX : now_us() + seconds * 1000000;
    const unsigned fds_before = descriptors();
    std::vector<std::unique_ptr<Client>> clients;
    for (uint64_t i = number_of("HEADRACE_LOAD_CLIENTS", clients_default); i > 0; i--)
        clients.push_back(std::make_unique<Client>());
    uint64_t warm = 0, most = 0, next_us = now_us();
    const auto going_on = [&] { return started_ < gets && now_us() < end_us && !HasFailure(); };
    for (const uint64_t begin_us = now_us(); going_on();) {
        attend(clients, true);
        most = std::max(most, resident());
        // Warm once every client of the crowd has been there, and a quarter of the time has gone.
        const bool is_warm = seconds == 0 ? started_ >= gets / 4 + clients.size()
                                          : now_us() - begin_us > seconds * 250000;
        if (warm == 0 && is_warm)
            warm = most;
        if (seconds != 0 && now_us() >= next_us) {
            printf("%4llu s: %llu gets, %llu killed, %llu MiB, %u descriptors\n",
                   (unsigned long long)((now_us() - begin_us) / 1000000),
                   (unsigned long long)started_, (unsigned long long)killed_,
                   (unsigned long long)(resident() / MIB), descriptors());
            fflush(stdout);
            next_us = now_us() + 30000000;
        }
    }
    for (auto left =
             [&] {
                 return std::any_of(clients.begin(), clients.end(),
                                    [](const auto &client) { return client->is_running; });
             };
         left();)
        attend(clients, false);
    const uint64_t patience_us = now_us() + 60000000; // a watchdog
    // The server sees the ends of the last ones; then nothing of them is left.
    while (descriptors() > fds_before && server_.runs_for(1000) && now_us() < patience_us)
        ;
    EXPECT_EQ(fds_before, descriptors());
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
    EXPECT_LE(resident(), warm + growth_max);
#endif
    printf("%llu gets: ", (unsigned long long)started_);
    for (const auto &[code, count] : codes_)
        printf("%llu ended with %d, ", (unsigned long long)count, code);
    printf("%llu MiB warm, %llu MiB in the end; equal clients took %.3f to %.3f s\n",
           (unsigned long long)(warm / MIB), (unsigned long long)(resident() / MIB),
           (double)fastest_us_ / 1e6, (double)slowest_us_ / 1e6);
    EXPECT_GT(codes_[0], started_ / 2);
}

} // namespace
