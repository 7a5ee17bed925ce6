// SPDX-License-Identifier: Apache-2.0
// The measuring program as a process, in a directory of its own, and what it said.
#ifndef BENCH_H
#define BENCH_H

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <jansson.h>
#include <set>
#include <string>
#include <sys/stat.h>
#include <vector>

extern "C" {
#include "process.h"
#include "temp.h"
}

struct Bench : testing::Test {
    hr_process process = {};
    char directory[HR_TEMP_PATH_MAX] = "";
    json_t *report = nullptr;
    std::string programs = "/nonexistent"; // where peers are looked for
    std::string driver = "/nonexistent";   // where a GPU's driver is

    // A peer of this name that does what the script says.
    void make_peer(const char *name, const std::string &script)
    {
        programs = std::string(directory) + "/peers";
        ASSERT_EQ(mkdir(programs.c_str(), 0700), 0);
        std::string file = programs + "/" + name;
        std::ofstream(file) << "#!/bin/sh\n" << script << "\n";
        ASSERT_EQ(chmod(file.c_str(), 0700), 0);
    }

    void SetUp() override
    {
        ASSERT_EQ(hr_temp_make(directory), HR_OK);
    }
    void TearDown() override
    {
        hr_process_stop(&process);
        EXPECT_EQ(hr_temp_remove(directory), HR_OK);
        json_decref(report);
    }

    void start(std::vector<const char *> arguments)
    {
        hr_process_stop(&process);
        process = {};
        // No peer is found there, so that the tests are the same on every machine.
        const std::string path = "PATH=" + programs, libraries = "LD_LIBRARY_PATH=" + driver;
        const char *const environment[] = {path.c_str(), libraries.c_str(), nullptr};
        arguments.insert(arguments.begin(), HEADRACE_BENCH);
        arguments.push_back(nullptr);
        hr_process_options options = {};
        options.arguments = arguments.data();
        options.environment = environment;
        ASSERT_EQ(hr_process_start(&process, &options), HR_OK);
    }
    int wait()
    {
        EXPECT_EQ(hr_process_wait(&process, 5 * HR_PROCESS_WATCHDOG_MS), HR_OK);
        return process.exit_code;
    }
    const json_t *contender(const char *name)
    {
        size_t i;
        json_t *row;
        json_array_foreach(json_object_get(report, "contenders"), i, row)
        {
            if (std::string(json_string_value(json_object_get(row, "name"))) == name)
                return row;
        }
        return nullptr;
    }
    double rate(const char *name)
    {
        const json_t *spread = json_object_get(contender(name), "gb_per_second");
        return json_real_value(json_object_get(spread, "median"));
    }
    static std::multiset<std::string> read_lines(const std::string &file)
    {
        std::multiset<std::string> lines;
        std::ifstream stream(file);
        for (std::string line; std::getline(stream, line);)
            lines.insert(line);
        return lines;
    }
    static size_t lines_of(const std::string &file)
    {
        return read_lines(file).size();
    }
    static size_t different_lines_of(const std::string &file)
    {
        const std::multiset<std::string> lines = read_lines(file);
        return std::set<std::string>(lines.begin(), lines.end()).size();
    }
    // Of a real GPU, on this machine.
    static bool has_driver()
    {
        return system("/sbin/ldconfig -p | grep -q libcuda.so.1") == 0;
    }
    std::string why_missing(const char *name)
    {
        const char *why = json_string_value(json_object_get(contender(name), "why_missing"));
        return why != nullptr ? why : "";
    }
    bool missing(const char *name)
    {
        return json_is_true(json_object_get(contender(name), "missing"));
    }
};

#endif
