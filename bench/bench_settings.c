/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_settings.h"

#define WIRE         (1u << HR_BENCH_WIRE)
#define STORAGE      (1u << HR_BENCH_STORAGE)
#define TRANSFER     (1u << HR_BENCH_TRANSFER)
#define PEERS        (1u << HR_BENCH_PEERS)
#define COMPARE      (1u << HR_BENCH_COMPARE)
#define DECODE       (1u << HR_BENCH_DECODE)
#define REGISTER     (1u << HR_BENCH_REGISTER)
#define REPORT       (1u << HR_BENCH_REPORT)
#define FILES        (STORAGE | TRANSFER | PEERS)
#define MEASURES     (WIRE | FILES | DECODE | REGISTER)
#define MEMBER(name) offsetof(hr_bench_settings, name)

static const hr_option options[] = {
    {
        .name = "rounds",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = MEASURES,
        .fallback = "5",
        .min = "1",
        .max = "99",
        .help = "Each contender is measured once a round; odd, so that a median is a measurement.",
        .offset = MEMBER(rounds),
    },
    {
        .name = "seconds",
        .letter = 's',
        .argument = "DURATION",
        .type = HR_OPTION_DURATION,
        .verbs = WIRE | TRANSFER | PEERS | DECODE | REGISTER,
        .fallback = "3s",
        .min = "1s",
        .max = "1h",
        .help = "How long one measurement takes that moves no file.",
        .offset = MEMBER(duration_ns),
    },
    {
        .name = "digests",
        .type = HR_OPTION_FLAG,
        .verbs = WIRE,
        .help = "Computes the CRC32C of each chunk where it is sent and checks it where it lands.",
        .offset = MEMBER(digests),
    },
    {
        .name = "links",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = WIRE,
        .fallback = "1",
        .min = "1",
        .max = "8",
        .help = "Connections, which share the sixteen slots.",
        .offset = MEMBER(links),
    },
    {
        .name = "congestion",
        .argument = "NAME",
        .type = HR_OPTION_STRING,
        .verbs = WIRE,
        .help = "TCP congestion control; without it what the transport chooses.",
        .offset = MEMBER(congestion),
    },
    {
        .name = "rdma",
        .argument = "ADDR",
        .type = HR_OPTION_STRING,
        .verbs = WIRE,
        .help = "Over RDMA, through the device that answers for this address of this machine.",
        .offset = MEMBER(address),
    },
    {
        .name = "size",
        .argument = "SIZE",
        .type = HR_OPTION_BYTES,
        .verbs = FILES,
        .fallback = "2GiB",
        .min = "64MiB",
        .help = "The file that is read and moved; three times as much must be free.",
        .offset = MEMBER(size),
    },
    {
        .name = "block",
        .argument = "SIZE",
        .type = HR_OPTION_BYTES,
        .verbs = STORAGE | PEERS,
        .fallback = "4MiB",
        .min = "4KiB",
        .max = "16MiB",
        .help = "Each request to the storage is so long; a multiple of 4 KiB.",
        .offset = MEMBER(block_len),
    },
    {
        .name = "depth",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = STORAGE | PEERS,
        .fallback = "8",
        .min = "1",
        .max = "64",
        .help = "So many requests to the storage are under way at once.",
        .offset = MEMBER(depth),
    },
    {
        .name = "buffered",
        .type = HR_OPTION_FLAG,
        .verbs = STORAGE,
        .help = "Reads and writes through the page cache, and not past it with O_DIRECT.",
        .offset = MEMBER(buffered),
    },
    {
        .name = "plain",
        .type = HR_OPTION_FLAG,
        .verbs = STORAGE,
        .help = "Does not register the memory that is read into.",
        .offset = MEMBER(plain),
    },
    {
        .name = "rate",
        .argument = "RATE",
        .type = HR_OPTION_RATE,
        .verbs = STORAGE,
        .min = "1K",
        .help = "Asks for so many bytes per second; latency then counts from when a request was "
                "due, and not from when there was room for it.",
        .offset = MEMBER(rate),
    },
    {
        .name = "big",
        .argument = "SIZE",
        .type = HR_OPTION_BYTES,
        .verbs = TRANSFER | PEERS,
        .fallback = "20GiB",
        .min = "64MiB",
        .help = "The sparse shard that is fetched to see what memory the server takes for it.",
        .offset = MEMBER(big_size),
    },
    {
        .name = "directory",
        .argument = "DIR",
        .type = HR_OPTION_STRING,
        .verbs = FILES,
        .fallback = "/var/tmp",
        .help = "Where the files are made, in a folder that is removed at the end.",
        .offset = MEMBER(directory),
    },
    {
        .name = "program",
        .argument = "FILE",
        .type = HR_OPTION_STRING,
        .verbs = TRANSFER | PEERS,
        .help = "The headrace program; without it the one that lies beside this one.",
        .offset = MEMBER(program),
    },
    {
        .name = "gate",
        .type = HR_OPTION_FLAG,
        .verbs = FILES | COMPARE,
        .help = "Ends with exit code 3 if a target is missed, or if something became slower.",
        .offset = MEMBER(gate),
    },
    {
        .name = "csv",
        .type = HR_OPTION_FLAG,
        .verbs = REPORT,
        .help = "Writes rows for a spreadsheet, and no page.",
        .offset = MEMBER(csv),
    },
    {
        .name = "min-rate",
        .argument = "RATE",
        .type = HR_OPTION_RATE,
        .verbs = COMPARE,
        .help = "Ends with exit code 3 if a rate of the last result is lower; peers do not count.",
        .offset = MEMBER(min_rate),
    },
    {
        .name = "max-latency",
        .argument = "DURATION",
        .type = HR_OPTION_DURATION,
        .verbs = COMPARE,
        .help = "Ends with exit code 3 if more than 1 in 100 requests took longer.",
        .offset = MEMBER(max_latency_ns),
    },
    {
        .name = "output",
        .letter = 'o',
        .argument = "FILE",
        .type = HR_OPTION_STRING,
        .verbs = MEASURES | REPORT,
        .help = "Writes the result there, for compare and report; the page, of a report.",
        .offset = MEMBER(output),
    },
    {
        .name = "json",
        .type = HR_OPTION_FLAG,
        .verbs = MEASURES,
        .help = "Prints one JSON object instead of tables.",
        .offset = MEMBER(json),
    },
    {
        .name = "quiet",
        .letter = 'q',
        .type = HR_OPTION_FLAG,
        .verbs = MEASURES,
        .help = "Shows no progress.",
        .offset = MEMBER(quiet),
    },
};

static const hr_verb verbs[HR_BENCH_VERBS] = {
    [HR_BENCH_WIRE] =
        {
            .name = "wire",
            .arguments = "",
            .summary = "From memory to memory over TCP or RDMA, the transport alone.",
            .details =
                "Two processes on this machine, chunks of 4 MiB from a ring of sixteen slots.",
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
            .details = "Beside fio and rsync where they are installed.",
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
            .summary = "Each codec by itself, on one core.",
            .details = "Chunks of 4 MiB in memory, of text, and for planes of weights in bfloat16.",
        },
    [HR_BENCH_REGISTER] =
        {
            .name = "register",
            .arguments = "",
            .summary = "What registering a worker's pool costs.",
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
