// SPDX-License-Identifier: Apache-2.0
// The measuring program as people run it: what it leaves behind, what it says when a peer is
// missing or when it is interrupted. What it measures is nobody's business here.
#include "bench.h"

#include <algorithm>
#include <unistd.h>
#include <utility>

#include "fake_cuda.h"

namespace
{

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

TEST_F(Bench, AClientByItselfSaysWhoSpeaks)
{
    start({"client", "nonsense"});
    EXPECT_EQ(wait(), 2);
    EXPECT_EQ(
        std::string(hr_process_stderr(&process)).find("headrace-bench: nonsense is no source"), 0u)
        << hr_process_stderr(&process);
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

    std::string other = std::string(directory) + "/other.json";
    start({"wire", "--rounds", "1", "--seconds", "100ms", "-o", other.c_str()});
    ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
    start({"compare", other.c_str(), result.c_str()});
    EXPECT_EQ(wait(), 2) << "nothing was compared";
    EXPECT_NE(std::string(hr_process_stderr(&process)).find("no measurement in common"),
              std::string::npos);
    start({"compare", other.c_str(), result.c_str(), "--gate"});
    EXPECT_EQ(wait(), 3);
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
