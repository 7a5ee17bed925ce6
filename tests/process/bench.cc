// SPDX-License-Identifier: Apache-2.0
// The measuring program as people run it: what it leaves behind, what it says when a peer is
// missing or when it is interrupted. What it measures is nobody's business here.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <jansson.h>
#include <netinet/in.h>
#include <set>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "fake_cuda.h"

extern "C" {
#include "process.h"
#include "temp.h"
#include "wire_parts.h"
}

namespace
{

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
    static int dial(int port)
    {
        struct sockaddr_in address = {};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons((uint16_t)port);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
        return fd;
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

// A sweep is one contender for each value, and the rest of the world sees contenders.
TEST_F(Bench, SweepsOverAnyOption)
{
    start({"storage", "--json", "--rounds", "2", "--size", "8MiB", "--directory", directory,
           "--sweep", "block=256KiB,4MiB"});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    for (const char *name : {"storage_read@block=256KiB", "storage_write@block=4MiB"})
        EXPECT_GT(rate(name), 0) << name;
    const json_t *sweep = json_object_get(contender("storage_read@block=4MiB"), "sweep");
    EXPECT_STREQ(json_string_value(json_object_get(sweep, "parameter")), "block");
    EXPECT_STREQ(json_string_value(json_object_get(sweep, "value")), "4MiB");
    EXPECT_STREQ(json_string_value(json_object_get(sweep, "contender")), "storage_read");
    EXPECT_EQ(json_array_size(json_object_get(contender("storage_read@block=4MiB"), "rounds")), 2u);
    EXPECT_EQ(hr_temp_count(directory, ""), 0);
}

// One file, as long as the longest, of which each value reads its own length; of trees each its
// own.
TEST_F(Bench, MakesTheFilesOfASweepOnce)
{
    std::string log = std::string(directory) + "/log";
    make_peer("fio", "for word; do case $word in --filename=*/large) echo $word >>" + log +
                         ";; esac; done; exit 1");
    start({"storage", "--json", "--rounds", "2", "--block", "1MiB", "--directory", directory,
           "--sweep", "size=4MiB,12MiB"});
    ASSERT_EQ(wait(), 3) << hr_process_stderr(&process);
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    const std::pair<const char *, int> requests[] = {
        {"storage_read@size=4MiB", 2 * 4},
        {"storage_write@size=4MiB", 2 * 4},
        {"storage_read@size=12MiB", 2 * 12},
        {"storage_write@size=12MiB", 2 * 12},
    };
    for (const auto &[name, count] : requests) {
        const json_t *latency = json_object_get(contender(name), "latency_us");
        EXPECT_EQ(json_integer_value(json_object_get(latency, "count")), count) << name;
    }
    EXPECT_EQ(lines_of(log), 4u);
    EXPECT_EQ(different_lines_of(log), 1u) << "the same file each time";

    ASSERT_EQ(hr_temp_remove(programs.c_str()), HR_OK);
    ASSERT_EQ(unlink(log.c_str()), 0);
    make_peer("rsync",
              "for word; do case $word in */tree/) echo $word >>" + log + ";; esac; done; exit 1");
    start({"files", "--json", "--rounds", "2", "--files", "3", "--directory", directory, "--sweep",
           "file-size=10,20"});
    ASSERT_EQ(wait(), 3) << hr_process_stderr(&process);
    EXPECT_EQ(lines_of(log), 4u);
    EXPECT_EQ(different_lines_of(log), 2u) << "one tree for each value";
    EXPECT_EQ(hr_temp_count(directory, "headrace-bench."), 0);
}

TEST_F(Bench, ReadsAndWritesSeveralFilesInTurn)
{
    std::string log = std::string(directory) + "/log";
    make_peer("fio", "for word; do case $word in --filename=*) echo $word >>" + log +
                         ";; esac; done; exit 1");
    start({"storage", "--json", "--rounds", "1", "--size", "12MiB", "--files", "3", "--block",
           "1536KiB", "--directory", directory});
    ASSERT_EQ(wait(), 3) << hr_process_stderr(&process);
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    for (const char *name : {"storage_read", "storage_write"}) {
        const json_t *latency = json_object_get(contender(name), "latency_us");
        EXPECT_EQ(json_integer_value(json_object_get(latency, "count")), 9)
            << name << ": of each 4 MiB three blocks, the last one shorter";
        std::string in_use = json_string_value(json_object_get(contender(name), "in_use"));
        EXPECT_NE(in_use.find("3 files"), std::string::npos) << in_use;
    }
    for (const std::string &words : read_lines(log))
        EXPECT_EQ(std::count(words.begin(), words.end(), ':'), 2) << words;
    EXPECT_EQ(lines_of(log), 2u);
    EXPECT_EQ(hr_temp_count(directory, "headrace-bench."), 0);
    start({"storage", "--size", "12MiB", "--files", "4", "--directory", directory});
    EXPECT_EQ(wait(), 2) << "3 MiB are no whole chunk";
}

TEST_F(Bench, SaysWhatIsWrongWithASweep)
{
    const std::pair<const char *, const char *> wrong[] = {
        {"block", "OPTION=VALUE"},
        {"=1", "OPTION=VALUE"},
        {"block=64KiB,,1MiB", "empty"},
        {"colour=red", "there is no option --colour"},
        {"block=64KiB,red", "red"},
        {"clients=1", "storage has no option --clients"},
        {"block=64K", "no multiple of 4096"},
        {"block=16MiB", "longer than the file"},
    };
    for (const auto &[sweep, part] : wrong) {
        start({"storage", "--size", "8MiB", "--sweep", sweep, "--directory", directory});
        EXPECT_EQ(wait(), 2) << sweep;
        EXPECT_NE(std::string(hr_process_stderr(&process)).find(part), std::string::npos)
            << hr_process_stderr(&process);
    }
}

TEST_F(Bench, CopiesManyFiles)
{
    start({"files", "--json", "--rounds", "1", "--files", "120", "--file-size", "100",
           "--directory", directory});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    const json_t *items = json_object_get(contender("files_get"), "items_per_second");
    EXPECT_GT(json_real_value(json_object_get(items, "median")), 0);
    EXPECT_TRUE(missing("rsync_files"));
    EXPECT_EQ(hr_temp_count(directory, ""), 0);
}

// What several clients measured is one histogram: as many requests as all of them had.
TEST_F(Bench, MergesWhatClientsMeasure)
{
    start({"fanout", "--json", "--rounds", "1", "--seconds", "200ms", "--shard", "4MiB",
           "--clients", "3", "--directory", directory, "--insecure"});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    const json_t *row = contender("fanout");
    EXPECT_GT(rate("fanout"), 0);
    EXPECT_GE(json_integer_value(json_object_get(json_object_get(row, "latency_us"), "count")), 3);
    std::string in_use = json_string_value(json_object_get(row, "in_use"));
    EXPECT_NE(in_use.find("3 clients"), std::string::npos) << in_use;
    EXPECT_EQ(hr_temp_count(directory, ""), 0);
}

// The hosts are this one; what starts a command there is a shell, which takes the words apart as
// that of another machine would.
TEST_F(Bench, StartsClientsOnOtherHosts)
{
    std::string ssh = std::string(directory) + "/ssh", hosts = std::string(directory) + "/hosts";
    FILE *script = fopen(ssh.c_str(), "w");
    ASSERT_NE(script, nullptr);
    fprintf(script, "#!/bin/sh\necho \"$1\" >>%s\nshift\nexec /bin/sh -c \"$*\"\n", hosts.c_str());
    ASSERT_EQ(fchmod(fileno(script), 0700), 0);
    fclose(script);

    hr_process server = {};
    const char *const arguments[] = {
        HEADRACE_BENCH, "serve",       "--trains", "--batch",    "2",    "--record",
        "100KB",        "--samples",   "3",        "--size",     "4MiB", "--codec",
        "lz4",          "--directory", directory,  "--insecure", nullptr};
    hr_process_options options = {};
    options.arguments = arguments;
    ASSERT_EQ(hr_process_start(&server, &options), HR_OK);
    char *line = hr_process_wait_line(&server, "serving", HR_PROCESS_WATCHDOG_MS);
    ASSERT_NE(line, nullptr) << hr_process_stderr(&server);
    json_t *serving = json_loads(line, 0, nullptr);
    free(line);
    const char *source = json_string_value(json_object_get(serving, "source"));
    start({"loader",    "--json",         "--rounds",   "1",         "--seconds", "200ms",
           "--source",  source,           "--insecure", "--hosts",   "one,two",   "--ssh",
           ssh.c_str(), "--accelerators", "3",          "--batch",   "2",         "--record",
           "100KB",     "--samples",      "3",          "--compute", "5ms"});
    EXPECT_EQ(wait(), 0) << hr_process_stderr(&process);
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    const json_t *utilisation = json_object_get(contender("loader"), "utilisation");
    EXPECT_GT(json_real_value(json_object_get(utilisation, "median")), 0);
    EXPECT_LE(json_real_value(json_object_get(utilisation, "median")), 1);
    EXPECT_EQ(hr_temp_count(directory, "headrace-bench."), 1) << "the server's";
    hr_process_signal(&server, SIGTERM);
    EXPECT_EQ(hr_process_wait(&server, HR_PROCESS_WATCHDOG_MS), HR_OK);
    EXPECT_EQ(server.exit_code, 0) << hr_process_stderr(&server);
    EXPECT_EQ(hr_temp_count(directory, "headrace-bench."), 0);
    hr_process_stop(&server);
    json_decref(serving);

    std::ifstream said(hosts);
    std::multiset<std::string> started;
    for (std::string host; std::getline(said, host);)
        started.insert(host);
    EXPECT_EQ(started, (std::multiset<std::string>{"one", "one", "one", "one", "two", "two"}))
        << "in turn, with the data in host memory and then in a GPU's";
    if (!has_driver()) {
        EXPECT_TRUE(missing("loader_gpu")) << "which only the hosts can know";
        EXPECT_NE(why_missing("loader_gpu").find("libcuda"), std::string::npos);
    }
}

TEST_F(Bench, SaysWhyAClientElsewhereDidNotStart)
{
    const std::pair<std::vector<const char *>, const char *> wrong[] = {
        {{"--ssh", "/bin/false"}, "false: "},
        {{"--ssh", "/bin/echo hello"}, "should be ready"},
        {{"--ssh", "/nonexistent/ssh"}, "No such file"},
        {{"--ssh", " "}, "names no command"},
        {{"--ssh", "/bin/false", "--remote-program", "/a b"}, "cannot be said to another host"},
    };
    for (const auto &[words, part] : wrong) {
        std::vector<const char *> all = {"fanout",  "--source",  "hr://127.0.0.1:1/a/b",
                                         "--hosts", "one",       "--rounds",
                                         "1",       "--seconds", "200ms"};
        all.insert(all.end(), words.begin(), words.end());
        start(all);
        EXPECT_NE(wait(), 0);
        EXPECT_NE(std::string(hr_process_stderr(&process)).find(part), std::string::npos)
            << hr_process_stderr(&process);
    }
}

// What computes for a microsecond and then wants a megabyte is never busy.
TEST_F(Bench, FindsHowManyAcceleratorsAreKeptBusy)
{
    start({"loader",      "--json", "--rounds",    "1",       "--seconds", "100ms",
           "--size",      "4MiB",   "--directory", directory, "--batch",   "1",
           "--record",    "1MiB",   "--samples",   "1",       "--compute", "1us",
           "--threshold", "100",    "--insecure"});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    const json_t *loader = json_object_get(report, "loader");
    EXPECT_EQ(json_integer_value(json_object_get(loader, "accelerators")), 0);
    EXPECT_EQ(json_integer_value(json_object_get(loader, "batch")), 1);
    EXPECT_TRUE(json_is_true(json_object_get(loader, "changed")));
    EXPECT_NE(contender("loader@accelerators=1"), nullptr);
    EXPECT_EQ(contender("loader@accelerators=2"), nullptr) << "one was too many";
}

// Over a driver that has no GPU, whose two take the accelerators in turn.
TEST_F(Bench, TrainsOnGpusToo)
{
    driver = fake_cuda_folder();
    start({"loader",    "--json", "--rounds",       "1", "--seconds",   "100ms",
           "--size",    "4MiB",   "--accelerators", "2", "--batch",     "1",
           "--record",  "100KB",  "--samples",      "2", "--compute",   "5ms",
           "--codec",   "lz4",    "--gpu",          "1", "--directory", directory,
           "--insecure"});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    EXPECT_GT(rate("loader"), 0);
    EXPECT_GT(rate("loader_gpu"), 0);
    const json_t *row = contender("loader_gpu");
    std::string in_use = json_string_value(json_object_get(row, "in_use"));
    EXPECT_NE(in_use.find("-> cuda:"), std::string::npos) << in_use;
    EXPECT_STREQ(json_string_value(json_object_get(row, "memory_class")), "pinned bounce")
        << in_use;
    EXPECT_EQ(hr_temp_count(directory, ""), 0);
}

// Each message is asked for, so that its latency is known; with a rate it counts from when it was
// due.
TEST_F(Bench, AsksForMessagesAndTellsHowLongEachTook)
{
    start({"wire", "--json", "--rounds", "1", "--seconds", "200ms", "--message", "16KiB", "--slots",
           "4", "--links", "2", "--rate", "20M", "--digests"});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    const json_t *latency = json_object_get(contender("wire"), "latency_us");
    EXPECT_GT(json_integer_value(json_object_get(latency, "count")), 0);
    EXPECT_LE(rate("wire"), 0.02 * 1.05) << "no more than what was asked for";
    start({"wire", "--slots", "1", "--links", "2"});
    EXPECT_EQ(wait(), 2);
}

// As many messages as both readers had, and none of one way only.
TEST_F(Bench, SendsBothWaysAtOnce)
{
    start({"wire", "--json", "--rounds", "1", "--seconds", "200ms", "--both", "--ask"});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    std::string in_use = json_string_value(json_object_get(contender("wire"), "in_use"));
    double there = 0, back = 0;
    size_t at = in_use.find("both ways: ");
    ASSERT_NE(at, std::string::npos) << in_use;
    ASSERT_EQ(sscanf(in_use.c_str() + at, "both ways: %lf and %lf", &there, &back), 2) << in_use;
    EXPECT_GT(there, 0);
    EXPECT_GT(back, 0);
    const json_t *latency = json_object_get(contender("wire"), "latency_us");
    EXPECT_GT(json_integer_value(json_object_get(latency, "count")), 1);
}

TEST_F(Bench, SaysThatInlineIsForRdma)
{
    start({"wire", "--inline", "--rounds", "1"});
    EXPECT_EQ(wait(), 2);
    EXPECT_NE(std::string(hr_process_stderr(&process)).find("--rdma"), std::string::npos);
}

TEST_F(Bench, ReadsFromAWriterElsewhere)
{
    hr_process writer = {};
    const char *const arguments[] = {HEADRACE_BENCH, "wire", "--listen", "127.0.0.1:0", nullptr};
    hr_process_options options = {};
    options.arguments = arguments;
    ASSERT_EQ(hr_process_start(&writer, &options), HR_OK);
    char *line = hr_process_wait_line(&writer, "listening", HR_PROCESS_WATCHDOG_MS);
    ASSERT_NE(line, nullptr) << hr_process_stderr(&writer);
    json_t *listening = json_loads(line, 0, nullptr);
    free(line);
    const char *address = json_string_value(json_object_get(listening, "address"));
    for (const char *ask : {"--ask=no", "--ask=yes", "--both"}) {
        start({"wire", "--json", "--rounds", "2", "--seconds", "100ms", "--from", address, ask});
        EXPECT_EQ(wait(), 0) << hr_process_stderr(&process);
        json_decref(report);
        report = json_loads(hr_process_stdout(&process), 0, nullptr);
        EXPECT_GT(rate("wire"), 0);
    }
    hr_process_signal(&writer, SIGTERM);
    EXPECT_EQ(hr_process_wait(&writer, HR_PROCESS_WATCHDOG_MS), HR_OK);
    EXPECT_EQ(writer.exit_code, 0) << hr_process_stderr(&writer);
    hr_process_stop(&writer);
    start({"wire", "--from", address, "--rounds", "1"});
    EXPECT_EQ(wait(), 8);
    EXPECT_NE(std::string(hr_process_stderr(&process)).find("wire --listen"), std::string::npos);
    json_decref(listening);
}

// Whoever else comes to the desk meanwhile is not taken for the reader's second way.
TEST_F(Bench, TiesBothDirectionsToOneReader)
{
    start({"wire", "--listen", "127.0.0.1:0", "--once"});
    char *line = hr_process_wait_line(&process, "listening", HR_PROCESS_WATCHDOG_MS);
    ASSERT_NE(line, nullptr) << hr_process_stderr(&process);
    json_t *listening = json_loads(line, 0, nullptr);
    free(line);
    const int port = (int)json_integer_value(json_object_get(listening, "port"));
    json_decref(listening);
    wire_hello hello = {};
    hello.magic = WIRE_MAGIC;
    hello.links = hello.slots = hello.both = 1;
    hello.message_len = 4096;
    hello.ticket = UINT64_C(0x1234567890abcdef);
    const uint64_t wrong = hello.ticket + 1;
    const int reader = dial(port);
    ASSERT_EQ(send(reader, &hello, sizeof hello, MSG_NOSIGNAL), (ssize_t)sizeof hello);
    const int stranger = dial(port);
    ASSERT_EQ(send(stranger, &wrong, sizeof wrong, MSG_NOSIGNAL), (ssize_t)sizeof wrong);
    char byte;
    EXPECT_LE(recv(stranger, &byte, 1, 0), 0) << "it is turned away";
    const int back = dial(port);
    ASSERT_EQ(send(back, &hello.ticket, sizeof hello.ticket, MSG_NOSIGNAL),
              (ssize_t)sizeof hello.ticket);
    wire_hello said = {};
    EXPECT_EQ(recv(back, &said, sizeof said, MSG_WAITALL), (ssize_t)sizeof said);
    EXPECT_EQ(said.magic, WIRE_MAGIC) << "there it reads, and says what it wants";
    EXPECT_EQ(said.message_len, 4096u);
    for (int fd : {reader, stranger, back})
        close(fd);
    EXPECT_NE(wait(), 0) << "neither way had another end";
}

TEST_F(Bench, StartsAWriterOnAnotherHost)
{
    make_peer("ssh", "shift\nexec /bin/sh -c \"$*\"");
    start({"wire", "--json", "--rounds", "1", "--seconds", "100ms", "--host", "me@127.0.0.1"});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    EXPECT_GT(rate("wire"), 0);
    const json_t *cost = json_object_get(contender("wire"), "sender_cpu_seconds_per_gb");
    EXPECT_GT(json_real_value(json_object_get(cost, "median")), 0) << "the writer's own";
}

// The server and its files live there as long as they are wanted here.
TEST_F(Bench, StartsTheServerOfClientsOnAnotherHost)
{
    make_peer("ssh",
              "echo \"$1\" >>" + std::string(directory) + "/hosts\nshift\nexec /bin/sh -c \"$*\"");
    start({"loader",   "--json",       "--rounds",       "2",       "--seconds", "100ms",
           "--host",   "me@127.0.0.1", "--accelerators", "1",       "--batch",   "1",
           "--record", "100KB",        "--samples",      "2",       "--compute", "5ms",
           "--size",   "4MiB",         "--directory",    directory, "--insecure"});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    EXPECT_GT(rate("loader"), 0);
    EXPECT_TRUE(json_is_null(json_object_get(contender("loader"), "sender_cpu_seconds_per_gb")))
        << "what the server takes is not known here";
    EXPECT_EQ(lines_of(std::string(directory) + "/hosts"), 1u) << "once, for all rounds";
    EXPECT_EQ(hr_temp_count(directory, "headrace-bench."), 0);
    start({"fanout", "--host", "me@127.0.0.1", "--source", "hr://127.0.0.1:1/a/b"});
    EXPECT_EQ(wait(), 2);
    start({"fanout", "--host", "me@127.0.0.1", "--ssh", "/bin/false", "--rounds", "1"});
    EXPECT_NE(wait(), 0);
}

// Two namespaces stand for two machines, and a file for the speed of the line between them: what
// crossed is more than it carries. What a host's clients took and what was sent here counts.
TEST_F(Bench, HoldsTheClientsOfAHostAgainstItsLine)
{
    const char *const within =
        "set -e\n"
        "{ mount -t tmpfs none /run && mkdir /run/netns && ip netns add far &&\n"
        "  ip link set lo up && ip link add near0 type veth peer name far0 netns far &&\n"
        "  ip addr add 10.99.0.1/24 dev near0 && ip link set near0 up &&\n"
        "  ip -n far addr add 10.99.0.2/24 dev far0 && ip -n far link set far0 up &&\n"
        "  mount -t sysfs none /sys && echo 1 >\"$0/speed\" &&\n"
        "  mount --bind \"$0/speed\" /sys/class/net/near0/speed; } || exit 125\n"
        "printf '#!/bin/sh\\nshift\\nexec ip netns exec far /bin/sh -c \"$*\"\\n' >\"$0/ssh\"\n"
        "chmod 700 \"$0/ssh\"; exec \"$@\" --ssh \"$0/ssh\"\n";
    const char *const arguments[] = {
        "/usr/bin/unshare", "-rmn",    "/bin/sh",  "-c",          within,      directory,
        HEADRACE_BENCH,     "fanout",  "--json",   "--gate",      "--rounds",  "1",
        "--seconds",        "200ms",   "--shard",  "4MiB",        "--clients", "2",
        "--directory",      directory, "--listen", "10.99.0.1:0", "--hosts",   "10.99.0.2",
        "--insecure",       nullptr};
    hr_process_options options = {};
    options.arguments = arguments;
    ASSERT_EQ(hr_process_start(&process, &options), HR_OK);
    int code = wait();
    std::string errors = hr_process_stderr(&process);
    if (code == 125 || errors.find("unshare") != std::string::npos)
        GTEST_SKIP() << "no namespaces with a line between them here: " << errors;
    ASSERT_EQ(code, 3) << errors;
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    const char *impossible = json_string_value(json_object_get(contender("fanout"), "impossible"));
    ASSERT_NE(impossible, nullptr) << hr_process_stdout(&process);
    EXPECT_NE(std::string(impossible).find("the line of near0 of this machine carries"),
              std::string::npos)
        << impossible;
    EXPECT_EQ(hr_temp_count(directory, "headrace-bench."), 0);
}

// srun has no shell: it starts the words as they are, and gives its stdin on.
TEST_F(Bench, StartsClientsBySrun)
{
    make_peer("srun",
              "[ \"$1 $2 $3 $4\" = '-N1 -n1 -w here' ] || { echo \"srun: $*\" >&2; exit 2; }\n"
              "shift 4\nexec \"$@\"");
    start({"fanout", "--json", "--rounds", "1", "--seconds", "100ms", "--shard", "4MiB",
           "--clients", "2", "--directory", directory, "--insecure", "--hosts", "here", "--ssh",
           "srun -N1 -n1 -w"});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    EXPECT_GT(rate("fanout"), 0);
}

TEST_F(Bench, SaysWhatAPeerDidWrong)
{
    const std::pair<const char *, const char *> wrong[] = {
        {"echo fire >&2; exit 7", "exit 7: fire"},
        {"echo '{\"fio version\": \"fio-9\", \"jobs\": [3]}'", "its report"},
        {"echo nothing", "its report"},
    };
    for (const auto &[script, part] : wrong) {
        std::string fio = std::string(directory) + "/peers";
        ASSERT_EQ(hr_temp_remove(fio.c_str()), HR_OK);
        make_peer("fio", script);
        start({"storage", "--json", "--rounds", "1", "--size", "4MiB", "--directory", directory});
        EXPECT_EQ(wait(), 3) << script;
        json_decref(report);
        report = json_loads(hr_process_stdout(&process), 0, nullptr);
        std::string failure = json_string_value(json_object_get(contender("fio_read"), "failure"));
        EXPECT_NE(failure.find(part), std::string::npos) << failure;
        EXPECT_GT(rate("storage_read"), 0) << "ours was measured all the same";
        EXPECT_EQ(hr_temp_count(directory, "headrace-bench."), 0);
    }
}

// In the middle of a peer's work: what was measured is told, and nothing is left.
TEST_F(Bench, InterruptedItRemovesItsFiles)
{
    std::string fifo = std::string(directory) + "/fifo";
    ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    make_peer("fio", "echo here >" + fifo + "; exec /bin/sleep 1000");
    std::string output = std::string(directory) + "/result.json";
    start({"storage", "--rounds", "3", "--size", "4MiB", "--directory", directory, "-o",
           output.c_str()});
    std::string word;
    std::ifstream(fifo) >> word;
    EXPECT_EQ(word, "here");
    hr_process_signal(&process, SIGINT);
    EXPECT_EQ(wait(), 9) << hr_process_stderr(&process);
    EXPECT_NE(std::string(hr_process_stdout(&process)).find("0 of 3 rounds"), std::string::npos);
    EXPECT_EQ(hr_temp_count(directory, "headrace-bench."), 0);
}

TEST_F(Bench, RefusesADirectoryThatCannotBeWritten)
{
    start({"storage", "--size", "4MiB", "--directory", "/sys"});
    EXPECT_EQ(wait(), 6) << hr_process_stderr(&process);
    EXPECT_NE(std::string(hr_process_stderr(&process)).find("another --directory"),
              std::string::npos)
        << hr_process_stderr(&process);
}

// ramfs, which has no size either, in a mount namespace of the test's own.
TEST_F(Bench, SaysThatAFileSystemDoesNotTakeODirect)
{
    const char *const within =
        "/bin/mount -t ramfs none \"$0\" || exit 125\n\"$@\"\ncode=$?\n"
        "[ -z \"$(/bin/ls -A \"$0\")\" ] || { echo files are left >&2; exit 124; }\n"
        "exit $code\n";
    const char *const arguments[] = {
        "/usr/bin/unshare", "-rm",         "/bin/sh", "-c",   within,     directory,
        HEADRACE_BENCH,     "storage",     "--size",  "4MiB", "--rounds", "1",
        "--quiet",          "--directory", directory, nullptr};
    const char *const environment[] = {"PATH=/nonexistent", nullptr};
    hr_process_options options = {};
    options.arguments = arguments;
    options.environment = environment;
    ASSERT_EQ(hr_process_start(&process, &options), HR_OK);
    int code = wait();
    std::string said = hr_process_stdout(&process), errors = hr_process_stderr(&process);
    if (code == 125 || errors.find("unshare:") != std::string::npos)
        GTEST_SKIP() << "no ramfs can be mounted here: " << errors;
    ASSERT_EQ(code, 0) << errors << said;
    EXPECT_NE(said.find("which does not take O_DIRECT"), std::string::npos) << said;
    EXPECT_NE(said.find(", page cache, "), std::string::npos) << said;
}

TEST_F(Bench, HoldsWhatItMeasuredAgainstBounds)
{
    start({"storage", "--rounds", "1", "--size", "4MiB", "--directory", directory, "--min-rate",
           "1000G"});
    EXPECT_EQ(wait(), 3);
    EXPECT_NE(std::string(hr_process_stderr(&process)).find("--min-rate"), std::string::npos);
    start({"storage", "--rounds", "1", "--size", "4MiB", "--directory", directory, "--max-latency",
           "1us"});
    EXPECT_EQ(wait(), 3);
    EXPECT_NE(std::string(hr_process_stderr(&process)).find("--max-latency"), std::string::npos);
}

TEST_F(Bench, RefusesResultsThatAreNone)
{
    std::string file = std::string(directory) + "/result.json";
    const std::pair<const char *, const char *> wrong[] = {
        {"{\"type\": \"bench\", \"schema\": 1, \"contenders\": [", "cut short"},
        {"{\"type\": \"bench\", \"schema\": 99, \"contenders\": []}", "another version"},
        {"{}", "no result"},
    };
    for (const auto &[text, part] : wrong) {
        std::ofstream(file, std::ios::trunc) << text;
        for (const char *verb : {"report", "compare"}) {
            start({verb, file.c_str(), file.c_str()});
            EXPECT_EQ(wait(), 2) << text;
            EXPECT_NE(std::string(hr_process_stderr(&process)).find(part), std::string::npos)
                << hr_process_stderr(&process);
        }
    }
}

TEST_F(Bench, ReadsAFileWithoutItsPeerAndLeavesNothing)
{
    start({"storage", "--json", "--rounds", "1", "--size", "64MiB", "--directory", directory});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    EXPECT_GT(rate("storage_read"), 0);
    EXPECT_TRUE(missing("fio_read"));
    EXPECT_EQ(hr_temp_count(directory, ""), 0);
}

// A request is asked for when it is due, however early the others were answered.
TEST_F(Bench, TellsTheLatencyOfEachRequestAtARate)
{
    start({"storage", "--json", "--rounds", "1", "--size", "64MiB", "--block", "1MiB", "--depth",
           "2", "--rate", "512M", "--plain", "--directory", directory});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    for (const char *name : {"storage_read", "storage_write"}) {
        const json_t *latency = json_object_get(contender(name), "latency_us");
        EXPECT_EQ(json_integer_value(json_object_get(latency, "count")), 64) << name;
        EXPECT_GT(json_real_value(json_object_get(latency, "min")), 0) << name;
        EXPECT_GE(json_real_value(json_object_get(latency, "p99_99")),
                  json_real_value(json_object_get(latency, "p50")))
            << name;
        EXPECT_GT(rate(name), 0);
        EXPECT_LE(rate(name), 0.512 * 1.02) << "no more than what was asked for";
    }
    EXPECT_EQ(hr_temp_count(directory, ""), 0);
}

TEST_F(Bench, MeasuresTheRealProgramsAndLeavesNothing)
{
    start({"transfer", "--json", "--rounds", "1", "--seconds", "100ms", "--size", "64MiB", "--big",
           "64MiB", "--directory", directory});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process) << hr_process_stdout(&process);
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    EXPECT_GT(rate("disk_to_host"), 0);
    EXPECT_GT(rate("disk_to_file"), 0);
    EXPECT_TRUE(missing("rsync"));
    const json_t *where = json_object_get(report, "where");
    EXPECT_STRNE(json_string_value(json_object_get(where, "bound")), "");
    std::string order; // a chunk's way, through client and server
    size_t at;
    json_t *stage;
    json_array_foreach(json_object_get(where, "stages"), at, stage) order +=
        std::string(json_string_value(json_object_get(stage, "stage"))) + " ";
    EXPECT_EQ(order, "grant turn read digest wire verify ");
    for (const char *name : {"server_system_calls_per_chunk", "client_system_calls_per_chunk",
                             "server_memory_bytes", "client_memory_bytes"})
        EXPECT_GT(json_number_value(json_object_get(where, name)), 0) << name;
    size_t count =
        json_array_size(json_object_get(json_object_get(report, "where_file"), "stages"));
    EXPECT_EQ(count, 8u) << "it is written too, and gets its name";
    if (json_is_true(json_object_get(report, "direct"))) {
        EXPECT_EQ(json_integer_value(json_object_get(where, "copies_per_byte")), 2) << "over TCP";
    }
    size_t i;
    json_t *limit;
    EXPECT_EQ(json_array_size(json_object_get(report, "limits")), 3u);
    json_array_foreach(json_object_get(report, "limits"), i, limit)
        EXPECT_EQ(json_object_get(limit, "failure"), nullptr);
    EXPECT_EQ(hr_temp_count(directory, ""), 0);
}

TEST_F(Bench, InterruptedItSaysWhatWasMeasured)
{
    start({"wire", "--rounds", "99", "--seconds", "100ms", "--digests"});
    char *first = hr_process_wait_line(&process, "    1 ", HR_PROCESS_WATCHDOG_MS);
    ASSERT_NE(first, nullptr) << hr_process_stderr(&process);
    free(first);
    hr_process_signal(&process, SIGINT);
    EXPECT_EQ(wait(), 9);
    EXPECT_NE(std::string(hr_process_stdout(&process)).find("median"), std::string::npos);
}

TEST_F(Bench, MeasuresWhatNeedsNoFile)
{
    start({"wire", "--json", "--rounds", "1", "--seconds", "100ms"});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    EXPECT_GT(rate("wire"), 0);
    EXPECT_STREQ(json_string_value(json_object_get(contender("wire"), "transport_class")), "tcp");
}

// Over a driver that has no GPU.
TEST_F(Bench, DecodesOnACoreAndOnAGpu)
{
    const char *const names[] = {"decode_gpu_lz4", "decode_gpu_planes", "decode_gpu_planes_fp32"};
    driver = fake_cuda_folder();
    start(
        {"decode", "--json", "--rounds", "1", "--seconds", "100ms", "--gpu", "1", "--chunks", "2"});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    for (const char *name : {"decode_lz4", "decode_zstd", "decode_planes"})
        EXPECT_GT(rate(name), 0) << name;
    for (const char *name : names) {
        std::string in_use = json_string_value(json_object_get(contender(name), "in_use"));
        EXPECT_GT(rate(name), 0) << name;
        EXPECT_NE(in_use.find("fake GPU 1"), std::string::npos) << in_use;
        EXPECT_STREQ(json_string_value(json_object_get(contender(name), "memory_class")), "gpu");
    }
}

TEST_F(Bench, RegistersMemoryOrSaysWhyNot)
{
    start({"register", "--json", "--rounds", "1", "--seconds", "100ms"});
    int code = wait();
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    if (!has_driver()) {
        EXPECT_TRUE(missing("register_pinned"));
        EXPECT_NE(why_missing("register_pinned").find("libcuda"), std::string::npos);
    }
    if (code != 0) // a limit, or no io_uring
        EXPECT_NE(json_object_get(contender("register_huge"), "failure"), nullptr);
    else
        EXPECT_GT(rate("register_huge"), 0);
}

TEST_F(Bench, PinsMemoryForAGpu)
{
    driver = fake_cuda_folder();
    start({"register", "--json", "--rounds", "1", "--seconds", "100ms", "--gpu", "1"});
    wait(); // of the others one may fail
    report = json_loads(hr_process_stdout(&process), 0, nullptr);
    EXPECT_GT(rate("register_pinned"), 0) << hr_process_stdout(&process);
    std::string in_use = json_string_value(json_object_get(contender("register_pinned"), "in_use"));
    EXPECT_NE(in_use.find("fake GPU 1"), std::string::npos) << in_use;
}

TEST_F(Bench, ComparesWhatItWroteAndHoldsItAgainstBounds)
{
    std::string result = std::string(directory) + "/result.json";
    start({"storage", "--rounds", "3", "--size", "64MiB", "--directory", directory, "--output",
           result.c_str()});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
    EXPECT_EQ(hr_temp_count(directory, ""), 1) << "the result alone";

    start({"compare", result.c_str(), result.c_str(), "--gate"});
    EXPECT_EQ(wait(), 0) << hr_process_stderr(&process);
    EXPECT_NE(std::string(hr_process_stdout(&process)).find("within the noise"), std::string::npos);

    start({"compare", result.c_str(), "--min-rate", "1000G"});
    EXPECT_EQ(wait(), 3);
    start({"compare", result.c_str(), "--max-latency", "1us"});
    EXPECT_EQ(wait(), 3);
    start({"compare", result.c_str(), "--max-latency", "1h", "--min-rate", "1K"});
    EXPECT_EQ(wait(), 0) << hr_process_stderr(&process);
    start({"compare", result.c_str()});
    EXPECT_EQ(wait(), 2);
}

TEST_F(Bench, MakesRowsForASpreadsheet)
{
    std::string result = std::string(directory) + "/result.json";
    start({"storage", "--rounds", "1", "--size", "4MiB", "--directory", directory, "--quiet", "-o",
           result.c_str()});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
    start({"report", result.c_str(), "--csv"});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
    EXPECT_NE(
        std::string(hr_process_stdout(&process)).find("\"storage_write\",\"none\",\"host\",1,"),
        std::string::npos);
}

TEST_F(Bench, LooksForRoomForItsResultFirst)
{
    start({"storage", "--size", "4MiB", "--directory", directory, "-o", "/nonexistent/r.json"});
    EXPECT_EQ(wait(), 4);
    EXPECT_NE(std::string(hr_process_stderr(&process)).find("nothing was measured"),
              std::string::npos);
    EXPECT_EQ(std::string(hr_process_stdout(&process)), "");
}

TEST_F(Bench, RefusesADirectoryWithoutRoom)
{
    start({"storage", "--size", "1PiB", "--directory", directory});
    EXPECT_EQ(wait(), 7);
    EXPECT_NE(std::string(hr_process_stderr(&process)).find("are needed"), std::string::npos);
    EXPECT_EQ(hr_temp_count(directory, ""), 0);
}

TEST_F(Bench, SaysWhichCongestionControlItCannotHave)
{
    start({"wire", "--congestion", "none-such", "--rounds", "1"});
    EXPECT_EQ(wait(), 11);
    EXPECT_NE(std::string(hr_process_stderr(&process)).find("--congestion none-such: this kernel"),
              std::string::npos)
        << hr_process_stderr(&process);
}

TEST_F(Bench, SaysWhatItCannotDo)
{
    start({"fly"});
    EXPECT_EQ(wait(), 2);
    EXPECT_NE(std::string(hr_process_stderr(&process)), "");
}

} // namespace
