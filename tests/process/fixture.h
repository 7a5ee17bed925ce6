// SPDX-License-Identifier: Apache-2.0
// Headrace as its users run it: a directory that is served, a server on a free port, gets, and what
// they said. Each test has a directory of its own; the program is the one that was built beside the
// tests.
#ifndef HR_PROCESS_FIXTURE_H
#define HR_PROCESS_FIXTURE_H

#include <gtest/gtest.h>

#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <jansson.h>
#include <memory>
#include <poll.h>
#include <signal.h>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

extern "C" {
#include "journal.h"
#include "process.h"
#include "stranger.h"
#include "temp.h"
}

constexpr uint64_t MIB = 1 << 20;
constexpr uint64_t CHUNK = 4 * MIB;
constexpr uint64_t WINDOW = 16 * CHUNK; // of one link

constexpr uid_t NOBODY = 65534;

// One line of what --json prints.
class Json
{
  public:
    explicit Json(const std::string &line = "{}")
        : object_(json_loads(line.c_str(), 0, nullptr), json_decref)
    {
    }
    bool is_valid() const
    {
        return object_ != nullptr;
    }
    bool has(const char *key) const
    {
        return json_object_get(object_.get(), key) != nullptr;
    }
    std::string text(const char *key) const
    {
        const char *value = json_string_value(json_object_get(object_.get(), key));
        return value != nullptr ? value : "";
    }
    uint64_t number(const char *key) const
    {
        return (uint64_t)json_integer_value(json_object_get(object_.get(), key));
    }

  private:
    std::shared_ptr<json_t> object_;
};

// What a program runs under, beside its arguments.
struct Surroundings {
    uid_t user = 0;
    bool no_io_uring = false;
    std::vector<std::pair<int, rlim_t>> limits = {};
    std::vector<std::string> environment = {};
    std::string directory = "";
};

// Where the programs of a test find what a user has configured: the key of this user, the same for
// every user of the test, so that one may fetch what the other serves.
class ConfigHome
{
  public:
    static std::string of(uid_t user)
    {
        static ConfigHome home;
        return home.path_ + (user == NOBODY ? "/nobody" : "/user");
    }

  private:
    ConfigHome()
    {
        char path[HR_TEMP_PATH_MAX] = "";
        EXPECT_EQ(HR_OK, hr_temp_make(path));
        path_ = path;
        for (const char *name : {"/user", "/nobody"}) {
            std::string folder = path_ + name + "/headrace";
            EXPECT_EQ(0, mkdir((path_ + name).c_str(), 0755));
            EXPECT_EQ(0, mkdir(folder.c_str(), 0755));
            std::ofstream(folder + "/key")
                << "headrace-key-1 00112233445566ff " << std::string(64, '7') << "\n";
            EXPECT_EQ(0, chmod((folder + "/key").c_str(), 0600));
            if (geteuid() == 0 && std::string(name) == "/nobody") {
                EXPECT_EQ(0, chown((folder + "/key").c_str(), NOBODY, NOBODY));
            }
        }
    }
    ~ConfigHome()
    {
        EXPECT_EQ(HR_OK, hr_temp_remove(path_.c_str()));
    }
    std::string path_;
};

class Program
{
  public:
    Program() = default;
    Program(const Program &) = delete;
    Program &operator=(const Program &) = delete;
    ~Program()
    {
        hr_process_stop(&process_);
    }

    void start(const std::vector<std::string> &arguments, const Surroundings &under = {})
    {
        hr_process_stop(&process_);
        process_ = {};
        std::vector<const char *> argv = {HEADRACE_PROGRAM}, environment;
        for (const std::string &argument : arguments)
            argv.push_back(argument.c_str());
        // Not what the user of this machine has configured.
        std::vector<std::string> variables = under.environment; // the first of a name counts
        variables.push_back("HOME=/nonexistent");
        variables.push_back("XDG_CONFIG_HOME=" + ConfigHome::of(under.user));
        for (const std::string &variable : variables)
            environment.push_back(variable.c_str());
        argv.push_back(nullptr);
        environment.push_back(nullptr);
        hr_process_options options = {};
        options.arguments = argv.data();
        options.environment = environment.data();
        options.directory = under.directory.empty() ? nullptr : under.directory.c_str();
        options.user = under.user;
        options.no_io_uring = under.no_io_uring;
        for (const auto &[resource, value] : under.limits) {
            options.limits[options.limit_count].resource = resource;
            options.limits[options.limit_count++].value = value;
        }
        ASSERT_EQ(HR_OK, hr_process_start(&process_, &options)) << HEADRACE_PROGRAM;
    }
    // The exit code; 128 and its number for a signal, as a shell has it.
    int wait()
    {
        EXPECT_EQ(HR_OK, hr_process_wait(&process_, HR_PROCESS_WATCHDOG_MS)) << "it hung:\n"
                                                                             << out() << errors();
        return process_.signal != 0 ? 128 + process_.signal : process_.exit_code;
    }
    void signal(int number)
    {
        hr_process_signal(&process_, number);
    }
    // Whether it still runs so much later; back at once when it ends before.
    bool runs_for(uint64_t us)
    {
        pollfd end = {process_.pidfd, POLLIN, 0};
        timespec moment = {(time_t)(us / 1000000), (long)(us % 1000000 * 1000)};
        return ppoll(&end, 1, &moment, nullptr) == 0;
    }
    // Of a stopped process the stop is seen, so that what comes next finds it stopped.
    void stop_for_good()
    {
        siginfo_t info = {};
        signal(SIGSTOP);
        ASSERT_EQ(0, waitid(P_PID, (id_t)process_.pid, &info, WSTOPPED | WNOWAIT));
    }
    // The next line of stdout of this type; not valid if it ended before.
    Json next(const std::string &type)
    {
        char *line = hr_process_wait_line(&process_, ("\"type\":\"" + type + "\"").c_str(),
                                          HR_PROCESS_WATCHDOG_MS);
        Json json(line != nullptr ? line : "");
        free(line);
        return json;
    }
    // Waits until so much is verified; returns how much it was then, 0 if it ended before.
    uint64_t wait_verified(uint64_t bytes)
    {
        for (Json json = next("progress"); json.is_valid(); json = next("progress"))
            if (json.number("bytes_verified") >= bytes)
                return json.number("bytes_verified");
        return 0;
    }
    std::string out()
    {
        hr_process_stdout(&process_);
        return std::string(process_.out != nullptr ? process_.out : "", process_.out_len);
    }
    std::string errors()
    {
        return hr_process_stderr(&process_);
    }
    pid_t pid() const
    {
        return process_.pid;
    }

  private:
    hr_process process_ = {};
};

// How a get ended.
struct Result {
    int exit_code = -1;
    std::string errors = ""; // stderr
    Json summary = Json();

    uint64_t moved() const
    {
        return summary.number("bytes_moved");
    }
    uint64_t reused() const
    {
        return summary.number("bytes_reused");
    }
    std::string status() const
    {
        return summary.text("status");
    }
};

inline Result result_of(Program &program)
{
    Result result;
    result.exit_code = program.wait();
    result.errors = program.errors();
    std::istringstream lines(program.out());
    for (std::string line; std::getline(lines, line);)
        if (line.find("\"type\":\"summary\"") != std::string::npos)
            result.summary = Json(line);
    return result;
}

inline bool exists(const std::string &path)
{
    struct stat info;
    return lstat(path.c_str(), &info) == 0;
}

inline void write_text(const std::string &path, const std::string &text)
{
    std::ofstream(path) << text;
}

inline std::string read_text(const std::string &path)
{
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

class Headrace : public ::testing::Test
{
  protected:
    Headrace()
    {
        char path[HR_TEMP_PATH_MAX] = "";
        EXPECT_EQ(HR_OK, hr_temp_make(path));
        temp_ = path;
        make_directory(at("data"));
        make_directory(at("target"));
    }
    ~Headrace() override
    {
        end_server();
        EXPECT_EQ(HR_OK, hr_temp_remove(temp_.c_str()));
    }

    std::string at(const std::string &name) const
    {
        return temp_ + "/" + name;
    }
    std::string data(const std::string &name) const
    {
        return at("data/" + name);
    }
    std::string target(const std::string &name) const
    {
        return at("target/" + name);
    }
    static void make_directory(const std::string &path)
    {
        ASSERT_EQ(0, mkdir(path.c_str(), 0777));
        ASSERT_EQ(0, chmod(path.c_str(), 0777)); // whatever the umask
    }
    // A file of the served directory.
    void offer(const std::string &name, uint64_t len, uint64_t seed = 1)
    {
        ASSERT_EQ(HR_OK, hr_temp_write(data(name).c_str(), len, seed));
    }

    // Serves data/ under that name.
    void serve(const std::vector<std::string> &options = {}, const Surroundings &under = {},
               const std::string &listen = "127.0.0.1:0")
    {
        std::vector<std::string> arguments = {"serve", at("data"), "--json", "--listen", listen};
        arguments.insert(arguments.end(), options.begin(), options.end());
        server_.start(arguments, under);
        Json listening = server_.next("listening");
        ASSERT_TRUE(listening.is_valid()) << server_.errors();
        address_ = listening.text("address");
        is_serving_ = true;
    }
    // A server ends as well as it served: with 0, and under a sanitizer without a report.
    void end_server()
    {
        if (!is_serving_)
            return;
        is_serving_ = false;
        server_.signal(SIGTERM);
        EXPECT_EQ(0, server_.wait()) << server_.errors();
    }
    void kill_server()
    {
        is_serving_ = false;
        server_.signal(SIGKILL);
        EXPECT_EQ(128 + SIGKILL, server_.wait());
    }
    std::string url(const std::string &name) const
    {
        return "hr://" + address_ + "/data/" + name;
    }

    static std::vector<std::string> get_arguments(const std::string &source,
                                                  const std::string &target,
                                                  const std::vector<std::string> &options)
    {
        std::vector<std::string> arguments = {"get", source, target, "--json"};
        arguments.insert(arguments.end(), options.begin(), options.end());
        return arguments;
    }
    static Result get(const std::string &source, const std::string &target,
                      const std::vector<std::string> &options = {}, const Surroundings &under = {})
    {
        Program program;
        program.start(get_arguments(source, target, options), under);
        return result_of(program);
    }
    // A get that goes on while the test does something.
    static void start_get(Program &program, const std::string &source, const std::string &target,
                          const std::vector<std::string> &options = {},
                          const Surroundings &under = {})
    {
        program.start(get_arguments(source, target, options), under);
    }

    // Waits until so much of one file is verified, and noted in its journal, which lies beside it
    // in target/FOLDER: the next run goes on from what is noted, and a chunk is that a moment after
    // it was verified. Returns how much was verified then, 0 if it ended before.
    uint64_t wait_noted(Program &program, uint64_t bytes, const std::string &folder = "") const
    {
        const uint64_t verified = program.wait_verified(bytes);
        while (verified != 0 && noted_in(target(folder)) < (bytes + CHUNK - 1) / CHUNK)
            if (!program.next("progress").is_valid())
                return 0;
        return verified;
    }
    // Records of the journals that lie there.
    static uint64_t noted_in(const std::string &folder)
    {
        uint64_t records = 0;
        DIR *directory = opendir(folder.c_str());
        while (const dirent *entry = directory != nullptr ? readdir(directory) : nullptr) {
            struct stat info = {};
            if (strstr(entry->d_name, ".journal") != nullptr &&
                stat((folder + "/" + entry->d_name).c_str(), &info) == 0 &&
                info.st_size > HR_JOURNAL_HEADER_LEN)
                records += (uint64_t)(info.st_size - HR_JOURNAL_HEADER_LEN) / HR_JOURNAL_RECORD_LEN;
        }
        if (directory != nullptr)
            closedir(directory);
        return records;
    }

    // A temporary file or journal is there.
    bool has_drafts() const
    {
        return hr_temp_count(at("target").c_str(), ".headrace-") != 0;
    }
    void expect_got(const Result &result, const std::string &name, uint64_t len, uint64_t seed = 1)
    {
        EXPECT_EQ(0, result.exit_code) << result.errors;
        EXPECT_EQ("HR_OK", result.status());
        EXPECT_EQ(len, result.summary.number("bytes_total"));
        EXPECT_TRUE(hr_temp_holds(target(name).c_str(), len, seed)) << name;
        EXPECT_FALSE(has_drafts());
    }
    // Ended with this exit code, one sentence that holds all of parts, and the same one in JSON.
    static void expect_refused(const Result &result, int exit_code,
                               const std::vector<std::string> &parts)
    {
        std::string errors = result.errors;
        if (errors.find("headrace: --insecure: ") == 0) // which is said at each start
            errors.erase(0, errors.find('\n') + 1);
        EXPECT_EQ(exit_code, result.exit_code) << errors;
        EXPECT_EQ((uint64_t)exit_code, result.summary.number("exit"));
        EXPECT_EQ(0u, errors.find("headrace: ")) << errors;
        EXPECT_EQ(errors.size() - 1, errors.find('\n')) << "one sentence: " << errors;
        for (const std::string &part : parts)
            EXPECT_NE(std::string::npos, errors.find(part)) << "'" << part << "' in: " << errors;
        EXPECT_EQ(errors, "headrace: " + result.summary.text("text") + "\n");
    }
    void expect_nothing(const std::string &name) const
    {
        EXPECT_FALSE(exists(target(name))) << name;
        EXPECT_FALSE(has_drafts());
    }

    std::string temp_, address_;
    Program server_;
    bool is_serving_ = false;
};

#endif
