// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <utility>

extern "C" {
#include "tool_output.h"
}

namespace
{

using Reader = hr_status (*)(const char *, hr_bench_measure *, hr_error *);

struct Read {
    hr_status status;
    hr_bench_measure measure;
    hr_error error;
};

Read read(Reader reader, const std::string &text)
{
    Read result = {};
    result.measure.bytes = 77; // must stay if it fails
    result.status = reader(text.c_str(), &result.measure, &result.error);
    return result;
}

void expect_refused(Reader reader, const std::string &text)
{
    Read result = read(reader, text);
    EXPECT_EQ(result.status, HR_PROTOCOL) << text;
    EXPECT_STRNE(result.error.text, "") << text;
    EXPECT_EQ(result.measure.bytes, 77u) << text;
}

// What iperf3 3.12 reports, without the members that are not looked at.
const char iperf3[] = R"({
	"start":	{ "version": "iperf 3.12" },
	"intervals":	[],
	"end":	{
		"sum_sent":	{ "seconds": 1.000167, "bytes": 858521600, "sender": true },
		"sum_received":	{ "seconds": 2.0, "bytes": 852230144, "sender": true },
		"cpu_utilization_percent":	{
			"host_total": 10.1, "host_user": 1.3, "host_system": 8.8,
			"remote_total": 29.8, "remote_user": 1.6, "remote_system": 28.1
		},
		"sender_tcp_congestion":	"cubic",
		"receiver_tcp_congestion":	"cubic"
	}
})";

TEST(ToolOutput, TakesWhatArrivedFromIperf3)
{
    Read result = read(hr_bench_iperf3_read, iperf3);
    ASSERT_EQ(result.status, HR_OK) << result.error.text;
    EXPECT_EQ(result.measure.bytes, 852230144u);
    EXPECT_DOUBLE_EQ(result.measure.seconds, 2.0);
    EXPECT_DOUBLE_EQ(result.measure.cpu_seconds[HR_BENCH_SENDER], 0.202);
    EXPECT_DOUBLE_EQ(result.measure.cpu_seconds[HR_BENCH_RECEIVER], 0.596);
    EXPECT_STREQ(result.measure.note, "cubic");
}

// A result over soft-RoCE is never taken for one of hardware.
TEST(ToolOutput, TellsSoftRoceFromHardware)
{
    const std::pair<const char *, const char *> paths[] = {
        {"verbs (rxe0, soft-RoCE), 1 link, io_uring -> host slots", "soft-RoCE"},
        {"soft-RoCE, rxe0, io_uring, 1 link", "soft-RoCE"},
        {"verbs (mlx5_0), 2 links, io_uring -> host slots", "verbs"},
        {"verbs, mlx5_0, io_uring, 1 link", "verbs"},
        {"tcp, cubic, io_uring", "tcp"},
        {"tcp, 1 link; no RDMA: no device (where the kernel has soft-RoCE, scripts/softroce)",
         "tcp"},
        {"verbs (mlx5_0), 1 link; not soft-RoCE", "verbs"},
        {"local, io_uring", "local"},
        {"", ""},
        {"what has no end to its first word is none of these", "what"},
        {"awordthatislongerthanallofthese,", ""},
    };
    for (const auto &[path, name] : paths) {
        char found[HR_BENCH_CLASS_MAX];
        hr_bench_path_class(path, found);
        EXPECT_STREQ(found, name) << path;
    }
}

// With --bidir: what arrived here is beside what arrived there.
TEST(ToolOutput, AddsBothDirectionsOfIperf3)
{
    std::string text = iperf3;
    text.insert(text.find("\"cpu_utilization_percent\""),
                R"("sum_sent_bidir_reverse": { "seconds": 2.0, "bytes": 5000 },
                   "sum_received_bidir_reverse": { "seconds": 2.0, "bytes": 4000 }, )");
    Read result = read(hr_bench_iperf3_read, text.c_str());
    ASSERT_EQ(result.status, HR_OK) << result.error.text;
    EXPECT_EQ(result.measure.bytes, 852230144u + 4000u);
}

TEST(ToolOutput, SaysWhatIperf3Said)
{
    Read result = read(hr_bench_iperf3_read, R"({"start": {"connected": []}, "end": {},
        "error": "unable to connect to server: Connection refused"})");
    EXPECT_NE(result.status, HR_OK);
    EXPECT_STREQ(result.error.text, "iperf3: unable to connect to server: Connection refused");
}

TEST(ToolOutput, RefusesWhatIsNoReportOfIperf3)
{
    expect_refused(hr_bench_iperf3_read, "");
    expect_refused(hr_bench_iperf3_read, "iperf3: parameter error");
    expect_refused(hr_bench_iperf3_read, "{}");
    expect_refused(hr_bench_iperf3_read, "[1, 2]");
    expect_refused(hr_bench_iperf3_read, std::string(iperf3).substr(0, 300));
    std::string text = iperf3;
    expect_refused(hr_bench_iperf3_read, text.replace(text.find("852230144"), 9, "\"many\""));
    text = iperf3;
    expect_refused(hr_bench_iperf3_read, text.replace(text.find("852230144"), 9, "0"));
    text = iperf3;
    expect_refused(hr_bench_iperf3_read, text.replace(text.find("852230144"), 9, "1e300"));
}

// What fio 3.33 reports, without the members that are not looked at.
const char fio_read_and_write[] = R"({
  "fio version" : "fio-3.33",
  "jobs" : [
    { "jobname" : "read", "error" : 0,
      "read" : { "io_bytes" : 8388608, "bw" : 234057, "runtime" : 350 },
      "write" : { "io_bytes" : 0, "bw" : 0, "runtime" : 0 },
      "job_runtime" : 340, "usr_cpu" : 5.0, "sys_cpu" : 15.0 },
    { "jobname" : "write", "error" : 0,
      "read" : { "io_bytes" : 0, "bw" : 0, "runtime" : 0 },
      "write" : { "io_bytes" : 8388608, "bw" : 546133, "runtime" : 500 },
      "job_runtime" : 500, "usr_cpu" : 0.0, "sys_cpu" : 10.0 }
  ]
})";

TEST(ToolOutput, TakesTheSlowestJobOfFio)
{
    Read result = read(hr_bench_fio_read, fio_read_and_write);
    ASSERT_EQ(result.status, HR_OK) << result.error.text;
    EXPECT_EQ(result.measure.bytes, 8388608u);
    EXPECT_DOUBLE_EQ(result.measure.seconds, 0.5);
    EXPECT_DOUBLE_EQ(result.measure.cpu_seconds[0], 0.068 + 0.05);
    EXPECT_STREQ(result.measure.note, "fio-3.33");
}

TEST(ToolOutput, TakesTheJsonOfFioFromBetweenItsRemarks)
{
    std::string text = std::string("fio: this platform does not support process shared mutexes\n") +
                       fio_read_and_write + "\nfio: done\n";
    Read result = read(hr_bench_fio_read, text);
    ASSERT_EQ(result.status, HR_OK) << result.error.text;
    EXPECT_EQ(result.measure.bytes, 8388608u);
}

TEST(ToolOutput, OneJobOfFioThatOnlyWroteCountsWhatItWrote)
{
    Read result = read(hr_bench_fio_read,
                       R"({"fio version": "fio-3.33", "jobs": [{"error": 0, "usr_cpu": 10.0,
                           "sys_cpu": 20.0, "job_runtime": 1000,
                           "read": {"io_bytes": 0, "runtime": 0},
                           "write": {"io_bytes": 4096, "runtime": 500}}]})");
    EXPECT_EQ(HR_OK, result.status) << result.error.text;
    EXPECT_EQ(4096u, result.measure.bytes);
    EXPECT_EQ(0.5, result.measure.seconds);
}

TEST(ToolOutput, RefusesWhatIsNoReportOfFio)
{
    expect_refused(hr_bench_fio_read, "");
    expect_refused(hr_bench_fio_read, "fio: engine io_uring not loadable");
    expect_refused(hr_bench_fio_read, "{}");
    expect_refused(hr_bench_fio_read, R"({"jobs": []})");
    expect_refused(hr_bench_fio_read, R"({"jobs": 3})");
    std::string text = fio_read_and_write;
    expect_refused(hr_bench_fio_read, text.replace(text.find("8388608"), 7, "0"));
    text = fio_read_and_write;
    expect_refused(hr_bench_fio_read,
                   text.replace(text.find("\"error\" : 0"), 11, "\"error\" : 5"));
}

const char got[] =
    R"({"type":"plan","files":1,"bytes_total":67108864})"
    "\n"
    R"({"type":"summary","status":"HR_OK","exit":0,"text":"","files":1,"files_failed":0,)"
    R"("bytes_total":67108864,"bytes_moved":67108864,"bytes_reused":0,"seconds":0.5,)"
    R"("rate_bytes_per_second":134217728,"first_byte_seconds":0.003,"cpu_seconds":0.25,)"
    R"("path":"tcp, 1 link, host slots"})"
    "\n";

TEST(ToolOutput, TakesTheSummaryOfAGet)
{
    Read result = read(hr_bench_get_read, got);
    ASSERT_EQ(result.status, HR_OK) << result.error.text;
    EXPECT_EQ(result.measure.bytes, 67108864u);
    EXPECT_DOUBLE_EQ(result.measure.seconds, 0.5);
    EXPECT_DOUBLE_EQ(result.measure.first_byte_seconds, 0.003);
    EXPECT_DOUBLE_EQ(result.measure.cpu_seconds[HR_BENCH_RECEIVER], 0.25);
    EXPECT_DOUBLE_EQ(result.measure.cpu_seconds[HR_BENCH_SENDER], 0);
    EXPECT_STREQ(result.measure.note, "tcp, 1 link, host slots");
}

TEST(ToolOutput, RefusesAGetThatTellsNoSum)
{
    std::string text = got;
    expect_refused(hr_bench_get_read, "");
    expect_refused(hr_bench_get_read, text.substr(0, text.find('\n') + 1));
    expect_refused(hr_bench_get_read, "verified 1 file\n");
    expect_refused(hr_bench_get_read,
                   text.replace(text.find("\"bytes_moved\":67108864"), 22, "\"bytes_moved\":0"));
}

TEST(ToolOutput, LearnsAddressAndPoolOfAServer)
{
    char address[64] = "";
    uint64_t slots_len = 0;
    hr_error error = {};
    EXPECT_EQ(hr_bench_listening_read(R"({"type":"listening","address":"127.0.0.1:40111"})",
                                      address, &error),
              HR_OK);
    EXPECT_STREQ(address, "127.0.0.1:40111");
    EXPECT_EQ(hr_bench_footprint_read(R"({"type":"footprint","bytes_total":69206016,"rows":[)"
                                      R"({"what":"channels","bytes":1048576,"why":""},)"
                                      R"({"what":"slots","bytes":68157440,"why":""}]})",
                                      &slots_len, &error),
              HR_OK);
    EXPECT_EQ(slots_len, 68157440u);
    EXPECT_EQ(hr_bench_listening_read("headrace: serving", address, &error), HR_PROTOCOL);
    EXPECT_EQ(hr_bench_footprint_read("{}", &slots_len, &error), HR_PROTOCOL);
    EXPECT_STREQ(address, "127.0.0.1:40111");
    EXPECT_EQ(slots_len, 68157440u);
}

// What perftest 4.5 and UCX 1.13 print, and only what matters of it.
TEST(ToolOutput, TakesTheRowOfPerftest)
{
    const char text[] =
        " #bytes     #iterations    BW peak[MB/sec]    BW average[MB/sec]   MsgRate[Mpps]\n"
        " 65536      300              0.00               91.25              0.001460\n";
    hr_bench_measure measure = {};
    hr_error error = {};
    ASSERT_EQ(HR_OK, hr_bench_ib_read(text, 65536, &measure, &error)) << error.text;
    EXPECT_NEAR(hr_bench_rate(&measure), 91.25 * 1.048576 / 1000, 1e-9);
    EXPECT_EQ(measure.items, 300u);
    for (const char *bad : {"", " 65536 300 0.0", " 4096 300 1 2\n", " 65536 300 0.00 0.00 0.0\n"})
        EXPECT_EQ(HR_PROTOCOL, hr_bench_ib_read(bad, 65536, &measure, &error)) << bad;
}

TEST(ToolOutput, TakesTheLastLineOfUcx)
{
    const char text[] = "[thread 0]  384  0.271  2621.792  2621.792  381.42  381.42  381  381\n"
                        "Final:      500  0.281 16403.533  5819.156   60.96  171.85   61  172\n";
    hr_bench_measure measure = {};
    hr_error error = {};
    ASSERT_EQ(HR_OK, hr_bench_ucx_read(text, 1 << 20, &measure, &error)) << error.text;
    EXPECT_NEAR(hr_bench_rate(&measure), 171.85 * 1.048576 / 1000, 1e-5);
    for (const char *bad : {"", "Final:", "Final: 0 1 1 1", "Final: 5 1 1 0"})
        EXPECT_EQ(HR_PROTOCOL, hr_bench_ucx_read(bad, 1 << 20, &measure, &error)) << bad;
}

} // namespace
