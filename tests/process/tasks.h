// SPDX-License-Identifier: Apache-2.0
// The threads of this process, and whether signals can come to them.
#ifndef HR_PROCESS_TASKS_H
#define HR_PROCESS_TASKS_H

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

inline std::set<std::string> tasks()
{
    std::set<std::string> all;
    for (const auto &entry : std::filesystem::directory_iterator("/proc/self/task"))
        all.insert(entry.path().filename());
    return all;
}

// Those that are not among these.
inline std::set<std::string> tasks_since(const std::set<std::string> &before)
{
    std::set<std::string> all;
    for (const std::string &task : tasks())
        if (before.count(task) == 0)
            all.insert(task);
    return all;
}

inline bool blocks(const std::string &task, int signal)
{
    std::ifstream status("/proc/self/task/" + task + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.rfind("SigBlk:", 0) == 0)
            return (std::stoull(line.substr(7), nullptr, 16) >> (signal - 1) & 1) != 0;
    return false;
}

inline void expect_signals_blocked(const std::set<std::string> &some)
{
    for (const std::string &task : some)
        for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1})
            EXPECT_TRUE(blocks(task, signal)) << "thread " << task << ", signal " << signal;
}

#endif
