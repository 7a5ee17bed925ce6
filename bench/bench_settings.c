/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_settings.h"

#include "demand.h"

#define WIRE     (1u << HR_BENCH_WIRE)
#define STORAGE  (1u << HR_BENCH_STORAGE)
#define TRANSFER (1u << HR_BENCH_TRANSFER)
#define PEERS    (1u << HR_BENCH_PEERS)
#define COMPARE  (1u << HR_BENCH_COMPARE)
#define DECODE   (1u << HR_BENCH_DECODE)
#define REGISTER (1u << HR_BENCH_REGISTER)
#define REPORT   (1u << HR_BENCH_REPORT)
#define TREE     (1u << HR_BENCH_FILES)
#define FANOUT   (1u << HR_BENCH_FANOUT)
#define LOADER   (1u << HR_BENCH_LOADER)
#define CLIENT   (1u << HR_BENCH_CLIENT)
#define SERVES   (1u << HR_BENCH_SERVE)
#define LARGE    (STORAGE | TRANSFER | PEERS)
#define CROWD    (FANOUT | LOADER)
#define MEASURES (WIRE | LARGE | DECODE | REGISTER | TREE | CROWD)

unsigned hr_bench_settings_files(const hr_bench_settings *settings, unsigned verb)
{
    if (settings->files != 0)
        return settings->files;
    return verb == HR_BENCH_FILES ? 10000 : 1;
}

bool hr_bench_is_served_elsewhere(const hr_bench_settings *settings)
{
    return settings->source != NULL || settings->host != NULL;
}

const char *const hr_bench_codec_names[] = {"none", "lz4", "zstd", "planes", NULL};

/* name, type, member, verbs, help, and what else it has. */
#define ROW(...) HR_OPTION_ROW(hr_bench_settings, __VA_ARGS__)

static const hr_option options[] = {
    ROW("rounds", UNSIGNED, rounds, MEASURES,
        "Each contender is measured once a round; odd, so that a median is a measurement.",
        .argument = "N", .fallback = "5", .min = "1", .max = "99"),
    ROW("seconds", DURATION, duration_ns,
        WIRE | TRANSFER | PEERS | DECODE | REGISTER | CROWD | CLIENT,
        "How long one measurement takes that moves no file.", .letter = 's', .argument = "DURATION",
        .fallback = "3s", .min = "100ms", .max = "1h"),
    ROW("digests", FLAG, digests, WIRE,
        "Computes the CRC32C of each chunk where it is sent and checks it where it lands."),
    ROW("links", UNSIGNED, links, WIRE,
        "Connections, which share the slots; over RDMA queue pairs.", .argument = "N",
        .fallback = "1", .min = "1", .max = "8"),
    ROW("message", BYTES, message_len, WIRE, "The length of a message.", .argument = "SIZE",
        .fallback = "4MiB", .min = "1", .max = "4MiB"),
    ROW("slots", UNSIGNED, slots, WIRE, "Messages under way, of all links together.",
        .argument = "N", .fallback = "16", .min = "1", .max = "64"),
    ROW("ask", FLAG, asks, WIRE,
        "Asks for each message, as a transfer does, and tells how long each took; always over RDMA "
        "and with --rate."),
    ROW("both", FLAG, both, WIRE,
        "Messages go both ways at the same time, over links of their own; the rate is the sum."),
    ROW("inline", FLAG, is_inline, WIRE,
        "Over RDMA: copies each message into its work request, as devices do with a few hundred "
        "bytes."),
    ROW("from", STRING, from, WIRE, "Reads from a wire --listen that runs there.",
        .argument = "HOST:PORT"),
    ROW("host", STRING, host, WIRE | CROWD | TRANSFER,
        "Starts the other side there, by --ssh: of wire the writer, else the server, with files of "
        "its own.",
        .argument = "HOST"),
    ROW("remote-rdma", STRING, remote_address, WIRE,
        "With --host: the address of that host's RDMA device.", .argument = "ADDR"),
    ROW("once", FLAG, once, WIRE, "With --listen: ends with the first reader."),
    ROW("peers", FLAG, peers, WIRE,
        "Beside iperf3 and ucx_perftest, over RDMA beside ib_write_bw: whichever are installed."),
    ROW("peer-rate", RATE, peer_rate, WIRE,
        "About what ucx_perftest or ib_write_bw reach: they count messages, and run so as long.",
        .argument = "RATE", .min = "1M"),
    ROW("softroce", FLAG, softroce, WIRE | TRANSFER,
        "Over soft-RoCE: this kernel's, taken down afterwards, or that of a guest."),
    ROW("congestion", STRING, congestion, WIRE,
        "TCP congestion control; without it what the transport chooses.", .argument = "NAME"),
    ROW("rdma", STRING, address, WIRE | TRANSFER,
        "Over RDMA, through the device that answers for this address of this machine.",
        .argument = "ADDR"),
    ROW("size", BYTES, size, LARGE | LOADER | SERVES,
        "The file that is read and moved; three times as much must be free. Of a loader all its "
        "files together.",
        .argument = "SIZE", .fallback = "2GiB", .min = "4MiB"),
    ROW("block", BYTES, block_len, STORAGE | PEERS,
        "Each request to the storage is so long; a multiple of 4 KiB.", .argument = "SIZE",
        .fallback = "4MiB", .min = "4KiB", .max = "16MiB"),
    ROW("depth", UNSIGNED, depth, STORAGE | PEERS,
        "So many requests to the storage are under way at once.", .argument = "N", .fallback = "8",
        .min = "1", .max = "64"),
    ROW("buffered", FLAG, buffered, STORAGE,
        "Reads and writes through the page cache, and not past it with O_DIRECT."),
    ROW("plain", FLAG, plain, STORAGE, "Does not register the memory that is read into."),
    ROW("rate", RATE, rate, STORAGE | WIRE,
        "Asks for so many bytes per second; latency then counts from when a request was due, and "
        "not from when there was room for it.",
        .argument = "RATE", .min = "1K"),
    ROW("big", BYTES, big_size, TRANSFER | PEERS,
        "The sparse shard that is fetched to see what memory the server takes for it.",
        .argument = "SIZE", .fallback = "20GiB", .min = "64MiB"),
    ROW("directory", STRING, directory, LARGE | TREE | CROWD | SERVES,
        "Where the files are made, in a folder that is removed at the end.", .argument = "DIR",
        .fallback = "/var/tmp"),
    ROW("program", STRING, program, TRANSFER | PEERS | TREE | CROWD | SERVES,
        "The headrace program; without it the one that lies beside this one.", .argument = "FILE"),
    ROW("sweep", STRING, sweep, MEASURES,
        "Measures all of it once for each value of one option, as in --sweep block=64KiB,1MiB.",
        .argument = "OPTION=V,V"),
    ROW("files", UNSIGNED, files, TREE | STORAGE,
        "So many files, of files 10000 without it; twice their bytes must be free. Of storage 1, "
        "at most 64: the bytes are in all of them, block by block.",
        .argument = "N", .min = "1", .max = "1000000"),
    ROW("file-size", BYTES, file_len, TREE, "The length of each file.", .argument = "SIZE",
        .fallback = "4KiB", .min = "1", .max = "1GiB"),
    ROW("shard", BYTES, shard_len, FANOUT | SERVES,
        "What each client fetches over and over, in whole chunks.", .argument = "SIZE",
        .fallback = "64MiB", .min = "4MiB"),
    ROW("clients", UNSIGNED, clients, FANOUT,
        "Clients at once, each a process with a session of its own.", .argument = "N",
        .fallback = "4", .min = "1", .max = "64"),
    ROW("accelerators", UNSIGNED, accelerators, LOADER,
        "So many accelerators; 0 finds the largest number that stays above the threshold.",
        .argument = "N", .fallback = "0", .min = "0", .max = "64"),
    ROW("profile", CHOICE, profile, LOADER | SERVES | CLIENT,
        "What an accelerator wants, as the configurations of MLPerf Storage have it.",
        .choices = hr_bench_profile_names, .fallback = "resnet50_h100"),
    ROW("batch", UNSIGNED, batch, LOADER | CLIENT | SERVES,
        "Samples of a step, in place of the profile's.", .argument = "N", .min = "1",
        .max = "100000"),
    ROW("record", BYTES, record_len, LOADER | CLIENT | SERVES,
        "Bytes of a sample, in place of the profile's.", .argument = "SIZE", .min = "1",
        .max = "1GiB"),
    ROW("samples", UNSIGNED, samples_per_file, LOADER | CLIENT | SERVES,
        "Samples of a file, in place of the profile's.", .argument = "N", .min = "1",
        .max = "100000"),
    ROW("compute", DURATION, compute_ns, LOADER | CLIENT,
        "How long an accelerator computes a step, in place of the profile's.",
        .argument = "DURATION", .min = "1us", .max = "1h"),
    ROW("threshold", UNSIGNED, threshold, LOADER,
        "The least utilisation of accelerators, in place of the profile's.", .argument = "PERCENT",
        .min = "1", .max = "100"),
    ROW("codec", CHOICE, codec, LOADER | SERVES,
        "Packs the files: they are decoded where they land.", .choices = hr_bench_codec_names,
        .fallback = "none"),
    ROW("source", STRING, source, CROWD | TRANSFER,
        "Fetches from a server that runs elsewhere, hr://HOST:PORT/EXPORT/PATH, and starts none.",
        .argument = "URL"),
    ROW("listen", STRING, listen, CROWD | SERVES | WIRE | TRANSFER,
        "Where the server that is started listens; without it on 127.0.0.1, at any port. Of wire: "
        "is the writer of readers elsewhere, until interrupted.",
        .argument = "ADDR:PORT"),
    ROW("hosts", STRING, hosts, CROWD,
        "Starts the clients there, in turn, and merges what they measure.",
        .argument = "HOST,HOST"),
    ROW("ssh", STRING, ssh, CROWD | WIRE | TRANSFER,
        "What starts a command on a host: its words, the host, the command; srun -N1 -n1 -w does "
        "too.",
        .argument = "COMMAND", .fallback = "ssh"),
    ROW("remote-program", STRING, remote_program, CROWD | WIRE | TRANSFER,
        "This program as the hosts have it; without it at the same path as here.",
        .argument = "FILE"),
    ROW("key", STRING, key, CROWD | CLIENT | SERVES | TRANSFER | PEERS | TREE,
        "The key that server and clients share; without it the user's own.", .argument = "FILE"),
    ROW("insecure", FLAG, insecure, CROWD | CLIENT | SERVES | TRANSFER | PEERS | TREE,
        "In clear, and nobody is asked who he is; of server and clients alike."),
    ROW("trains", FLAG, trains, CLIENT | SERVES,
        "As an accelerator of the profile, of serve: files for one."),
    ROW("to-gpu", FLAG, to_gpu, CLIENT, "With --trains: its data ends in the memory of a GPU."),
    ROW("number", UNSIGNED, number, CLIENT,
        "Which of those that run together: their orders of files differ.", .argument = "N",
        .fallback = "0", .min = "0", .max = "63"),
    ROW("gate", FLAG, gate, MEASURES | COMPARE,
        "Ends with exit code 3 if a target is missed, or if something became slower."),
    ROW("gpu", UNSIGNED, gpu, DECODE | REGISTER | LOADER | CLIENT,
        "Which GPU, where there are several; of accelerators, that of the first one.",
        .argument = "N", .fallback = "0", .min = "0", .max = "15"),
    ROW("chunks", UNSIGNED, chunks, DECODE, "Chunks of 4 MiB that a GPU decodes at once.",
        .argument = "N", .fallback = "32", .min = "1", .max = "256"),
    ROW("csv", FLAG, csv, REPORT, "Writes rows for a spreadsheet, and no page."),
    ROW("min-rate", RATE, min_rate, MEASURES | COMPARE,
        "Ends with exit code 3 if a rate of the (last) result is lower; peers do not count.",
        .argument = "RATE"),
    ROW("max-latency", DURATION, max_latency_ns, MEASURES | COMPARE,
        "Ends with exit code 3 if more than 1 in 100 requests took longer.",
        .argument = "DURATION"),
    ROW("output", STRING, output, MEASURES | REPORT,
        "Writes the result there, for compare and report; the page, of a report.", .letter = 'o',
        .argument = "FILE"),
    ROW("json", FLAG, json, MEASURES, "Prints one JSON object instead of tables."),
    ROW("quiet", FLAG, quiet, MEASURES, "Shows no progress.", .letter = 'q'),
};

static const hr_verb verbs[HR_BENCH_VERBS] = {
    [HR_BENCH_WIRE] =
        {
            .name = "wire",
            .arguments = "",
            .summary = "From memory to memory over TCP or RDMA, the transport alone.",
            .details =
                "Two processes on this machine, or with --listen there and --from here on two.",
        },
    [HR_BENCH_STORAGE] =
        {
            .name = "storage",
            .arguments = "",
            .summary = "Reads a file through the storage seam, beside fio.",
        },
    [HR_BENCH_TRANSFER] =
        {
            .name = "transfer",
            .arguments = "",
            .summary = "From disk to memory and to disk with headrace serve and get.",
            .details =
                "Beside fio and rsync where they are installed; or, with --source or --host,\n"
                "from another machine.",
        },
    [HR_BENCH_PEERS] =
        {
            .name = "peers",
            .arguments = "",
            .summary = "All of it beside iperf3, fio and rsync, and whether the targets are met.",
            .details =
                "Every contender is measured once a round, in turn, and each is compared with\n"
                "its peer in the same round: what a noisy machine does to one it mostly does\n"
                "to the other. A peer that is not installed is named and left out.",
        },
    [HR_BENCH_DECODE] =
        {
            .name = "decode",
            .arguments = "",
            .summary = "Each codec by itself: on one core, beside its library, and on a GPU.",
            .details = "Chunks of 4 MiB in memory, of text, and for planes of weights. On the GPU\n"
                       "they are decoded in batches where they lie, and verified there.",
        },
    [HR_BENCH_REGISTER] =
        {
            .name = "register",
            .arguments = "",
            .summary = "What registering a worker's pool costs.",
            .details = "With the kernel's rings, and where they are there with a NIC and a GPU.",
        },
    [HR_BENCH_FILES] =
        {
            .name = "files",
            .arguments = "",
            .summary = "Many small files, beside rsync and cp.",
        },
    [HR_BENCH_FANOUT] =
        {
            .name = "fanout",
            .arguments = "",
            .summary = "One server and several clients at once.",
            .details = "Here, or with --source, --hosts and --ssh on other machines.",
        },
    [HR_BENCH_LOADER] =
        {
            .name = "loader",
            .arguments = "",
            .summary = "Replays what accelerators in training want, as MLPerf Storage has it.",
            .details = "Tells the utilisation of the accelerators, and how many of them a server\n"
                       "can keep busy.",
        },
    [HR_BENCH_CLIENT] =
        {
            .name = "client",
            .arguments = "SOURCE",
            .arguments_min = 1,
            .arguments_max = 1,
            .summary = "One client of a fanout or of a loader, on another machine.",
            .details = "Says \"ready\", begins at the first line of its stdin, and ends with it.",
        },
    [HR_BENCH_SERVE] =
        {
            .name = "serve",
            .arguments = "",
            .summary = "Makes files and serves them to fanout and loader on other machines.",
            .details =
                "Until it is interrupted, or the pipe at its stdin ends; then it removes them.",
        },
    [HR_BENCH_COMPARE] =
        {
            .name = "compare",
            .arguments = "BEFORE [AFTER]",
            .arguments_min = 1,
            .arguments_max = 2,
            .summary = "Tells what became faster or slower, and what is only noise.",
            .details =
                "The noise is that of the rounds in both results; what is smaller than the\n"
                "noise is no change. With one result only --min-rate and --max-latency count.",
        },
    [HR_BENCH_REPORT] =
        {
            .name = "report",
            .arguments = "RESULT...",
            .arguments_min = 1,
            .arguments_max = 8,
            .summary = "Makes a page with charts of results, side by side.",
            .details =
                "One HTML file that fetches nothing and runs no script. The first result is\n"
                "the one that the others are compared with.",
        },
    [HR_BENCH_HELP] =
        {
            .name = "help",
            .arguments = "[COMMAND]",
            .arguments_max = 1,
            .summary = "Tells the options of a command.",
        },
};

const hr_syntax hr_bench_syntax = {
    .program = "headrace-bench",
    .environment = "HEADRACE_BENCH_",
    .summary = "headrace-bench measures Headrace beside the tools that people know.",
    .verbs = verbs,
    .verb_count = HR_BENCH_VERBS,
    .options = options,
    .option_count = sizeof options / sizeof options[0],
};
