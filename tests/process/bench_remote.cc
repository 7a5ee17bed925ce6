// SPDX-License-Identifier: Apache-2.0
// The measuring program with others on other hosts, which are this one: clients, a server, writers.
#include "bench.h"

#include <cstdio>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

extern "C" {
#include "wire_parts.h"
}

namespace
{

int dial(int port)
{
    struct sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

// Starts a program that serves, and brings back the line in which it says where. Both are the
// caller's.
json_t *start_serving(hr_process *process, const std::vector<const char *> &words, const char *said)
{
    std::vector<const char *> arguments = words;
    arguments.push_back(nullptr);
    hr_process_options options = {};
    options.arguments = arguments.data();
    EXPECT_EQ(hr_process_start(process, &options), HR_OK);
    char *line = hr_process_wait_line(process, said, HR_PROCESS_WATCHDOG_MS);
    EXPECT_NE(line, nullptr) << hr_process_stderr(process);
    json_t *object = line != nullptr ? json_loads(line, 0, nullptr) : nullptr;
    free(line);
    return object;
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
    json_t *serving = start_serving(&server,
                                    {HEADRACE_BENCH, "serve", "--trains", "--batch", "2",
                                     "--record", "100KB", "--samples", "3", "--size", "4MiB",
                                     "--codec", "lz4", "--directory", directory, "--insecure"},
                                    "serving");
    ASSERT_NE(serving, nullptr);
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

TEST_F(Bench, ReadsFromAWriterElsewhere)
{
    hr_process writer = {};
    json_t *listening =
        start_serving(&writer, {HEADRACE_BENCH, "wire", "--listen", "127.0.0.1:0"}, "listening");
    ASSERT_NE(listening, nullptr);
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

// Of a server that runs elsewhere, started by hand or by ssh, the client's stages are told; what is
// measured beside it here, and what the server takes, is not.
TEST_F(Bench, MovesFromAServerElsewhere)
{
    hr_process server = {};
    const std::string data = std::string(directory) + "/data", shard = data + "/shard";
    ASSERT_EQ(mkdir(data.c_str(), 0700), 0);
    std::ofstream(shard) << std::string(5000000, 's');
    json_t *listening = start_serving(&server,
                                      {HEADRACE_PROGRAM, "serve", data.c_str(), "--listen",
                                       "127.0.0.1:0", "--insecure", "--json"},
                                      "listening");
    ASSERT_NE(listening, nullptr);
    const std::string source = std::string("hr://") +
                               json_string_value(json_object_get(listening, "address")) +
                               "/data/shard";
    json_decref(listening);
    make_peer("ssh", "shift\nexec /bin/sh -c \"$*\"");
    const std::vector<const char *> ways[] = {{"--source", source.c_str()},
                                              {"--host", "127.0.0.1", "--size", "4MiB"}};
    for (const auto &way : ways) {
        std::vector<const char *> words = {"transfer",    "--json",  "--rounds",  "1",
                                           "--directory", directory, "--insecure"};
        words.insert(words.end(), way.begin(), way.end());
        start(words);
        ASSERT_EQ(wait(), 0) << hr_process_stderr(&process);
        json_decref(report);
        report = json_loads(hr_process_stdout(&process), 0, nullptr);
        EXPECT_EQ(json_array_size(json_object_get(report, "contenders")), 2u);
        EXPECT_GT(rate("disk_to_host"), 0);
        EXPECT_GT(rate("disk_to_file"), 0);
        const json_t *cost =
            json_object_get(contender("disk_to_host"), "sender_cpu_seconds_per_gb");
        EXPECT_TRUE(json_is_null(cost));
        const json_t *where = json_object_get(report, "where_file");
        EXPECT_GT(json_array_size(json_object_get(where, "stages")), 0u);
        EXPECT_TRUE(json_is_null(json_object_get(where, "server_memory_bytes")));
        EXPECT_GT(json_integer_value(json_object_get(where, "client_memory_bytes")), 0);
        EXPECT_EQ(hr_temp_count(directory, "headrace-bench."), 0);
    }
    hr_process_stop(&server);
    start({"transfer", "--source", source.c_str(), "--rounds", "1", "--directory", directory});
    EXPECT_EQ(wait(), 8) << hr_process_stderr(&process);
    start({"transfer", "--source", source.c_str(), "--softroce"});
    EXPECT_EQ(wait(), 2);
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

} // namespace
