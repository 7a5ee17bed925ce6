/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_settings.h"

#include "demand.h"

#define WIRE         (1u << HR_BENCH_WIRE)
#define STORAGE      (1u << HR_BENCH_STORAGE)
#define TRANSFER     (1u << HR_BENCH_TRANSFER)
#define PEERS        (1u << HR_BENCH_PEERS)
#define COMPARE      (1u << HR_BENCH_COMPARE)
#define DECODE       (1u << HR_BENCH_DECODE)
#define REGISTER     (1u << HR_BENCH_REGISTER)
#define REPORT       (1u << HR_BENCH_REPORT)
#define TREE         (1u << HR_BENCH_FILES)
#define FANOUT       (1u << HR_BENCH_FANOUT)
#define LOADER       (1u << HR_BENCH_LOADER)
#define CLIENT       (1u << HR_BENCH_CLIENT)
#define SERVES       (1u << HR_BENCH_SERVE)
#define LARGE        (STORAGE | TRANSFER | PEERS)
#define CROWD        (FANOUT | LOADER)
#define MEASURES     (WIRE | LARGE | DECODE | REGISTER | TREE | CROWD)
#define MEMBER(name) offsetof(hr_bench_settings, name)

unsigned hr_bench_settings_files(const hr_bench_settings *settings, unsigned verb)
{
    if (settings->files != 0)
        return settings->files;
    return verb == HR_BENCH_FILES ? 10000 : 1;
}

const char *const hr_bench_codec_names[] = {"none", "lz4", "zstd", "planes", NULL};

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
        .verbs = WIRE | TRANSFER | PEERS | DECODE | REGISTER | CROWD | CLIENT,
        .fallback = "3s",
        .min = "100ms",
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
        .help = "Connections, which share the slots; over RDMA queue pairs.",
        .offset = MEMBER(links),
    },
    {
        .name = "message",
        .argument = "SIZE",
        .type = HR_OPTION_BYTES,
        .verbs = WIRE,
        .fallback = "4MiB",
        .min = "1",
        .max = "4MiB",
        .help = "The length of a message.",
        .offset = MEMBER(message_len),
    },
    {
        .name = "slots",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = WIRE,
        .fallback = "16",
        .min = "1",
        .max = "64",
        .help = "Messages under way, of all links together.",
        .offset = MEMBER(slots),
    },
    {
        .name = "ask",
        .type = HR_OPTION_FLAG,
        .verbs = WIRE,
        .help = "Asks for each message, as a transfer does, and tells how long each took; always "
                "over RDMA and with --rate.",
        .offset = MEMBER(asks),
    },
    {
        .name = "both",
        .type = HR_OPTION_FLAG,
        .verbs = WIRE,
        .help = "Messages go both ways at the same time, over links of their own; the rate is the "
                "sum.",
        .offset = MEMBER(both),
    },
    {
        .name = "inline",
        .type = HR_OPTION_FLAG,
        .verbs = WIRE,
        .help = "Over RDMA: copies each message into its work request, as devices do with a few "
                "hundred bytes.",
        .offset = MEMBER(is_inline),
    },
    {
        .name = "from",
        .argument = "HOST:PORT",
        .type = HR_OPTION_STRING,
        .verbs = WIRE,
        .help = "Reads from a wire --listen that runs there.",
        .offset = MEMBER(from),
    },
    {
        .name = "host",
        .argument = "HOST",
        .type = HR_OPTION_STRING,
        .verbs = WIRE | CROWD,
        .help = "Starts the other side there, by --ssh: of wire the writer, of clients their "
                "server, with files in its --directory.",
        .offset = MEMBER(host),
    },
    {
        .name = "remote-rdma",
        .argument = "ADDR",
        .type = HR_OPTION_STRING,
        .verbs = WIRE,
        .help = "With --host: the address of that host's RDMA device.",
        .offset = MEMBER(remote_address),
    },
    {
        .name = "once",
        .type = HR_OPTION_FLAG,
        .verbs = WIRE,
        .help = "With --listen: ends with the first reader.",
        .offset = MEMBER(once),
    },
    {
        .name = "peers",
        .type = HR_OPTION_FLAG,
        .verbs = WIRE,
        .help = "Beside iperf3 and ucx_perftest, over RDMA beside ib_write_bw: whichever are "
                "installed.",
        .offset = MEMBER(peers),
    },
    {
        .name = "peer-rate",
        .argument = "RATE",
        .type = HR_OPTION_RATE,
        .verbs = WIRE,
        .min = "1M",
        .help = "About what ucx_perftest or ib_write_bw reach: they count messages, and run so as "
                "long.",
        .offset = MEMBER(peer_rate),
    },
    {
        .name = "softroce",
        .type = HR_OPTION_FLAG,
        .verbs = WIRE | TRANSFER,
        .help = "Over soft-RoCE: this kernel's, taken down afterwards, or that of a guest.",
        .offset = MEMBER(softroce),
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
        .verbs = WIRE | TRANSFER,
        .help = "Over RDMA, through the device that answers for this address of this machine.",
        .offset = MEMBER(address),
    },
    {
        .name = "size",
        .argument = "SIZE",
        .type = HR_OPTION_BYTES,
        .verbs = LARGE | LOADER | SERVES,
        .fallback = "2GiB",
        .min = "4MiB",
        .help = "The file that is read and moved; three times as much must be free. Of a loader "
                "all its "
                "files together.",
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
        .verbs = STORAGE | WIRE,
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
        .verbs = LARGE | TREE | CROWD | SERVES,
        .fallback = "/var/tmp",
        .help = "Where the files are made, in a folder that is removed at the end.",
        .offset = MEMBER(directory),
    },
    {
        .name = "program",
        .argument = "FILE",
        .type = HR_OPTION_STRING,
        .verbs = TRANSFER | PEERS | TREE | CROWD | SERVES,
        .help = "The headrace program; without it the one that lies beside this one.",
        .offset = MEMBER(program),
    },
    {
        .name = "sweep",
        .argument = "OPTION=V,V",
        .type = HR_OPTION_STRING,
        .verbs = MEASURES,
        .help =
            "Measures all of it once for each value of one option, as in --sweep block=64KiB,1MiB.",
        .offset = MEMBER(sweep),
    },
    {
        .name = "files",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = TREE | STORAGE,
        .min = "1",
        .max = "1000000",
        .help = "So many files, of files 10000 without it; twice their bytes must be free. Of "
                "storage 1, at most 64: the bytes are in all of them, block by block.",
        .offset = MEMBER(files),
    },
    {
        .name = "file-size",
        .argument = "SIZE",
        .type = HR_OPTION_BYTES,
        .verbs = TREE,
        .fallback = "4KiB",
        .min = "1",
        .max = "1GiB",
        .help = "The length of each file.",
        .offset = MEMBER(file_len),
    },
    {
        .name = "shard",
        .argument = "SIZE",
        .type = HR_OPTION_BYTES,
        .verbs = FANOUT | SERVES,
        .fallback = "64MiB",
        .min = "4MiB",
        .help = "What each client fetches over and over, in whole chunks.",
        .offset = MEMBER(shard_len),
    },
    {
        .name = "clients",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = FANOUT,
        .fallback = "4",
        .min = "1",
        .max = "64",
        .help = "Clients at once, each a process with a session of its own.",
        .offset = MEMBER(clients),
    },
    {
        .name = "accelerators",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = LOADER,
        .fallback = "0",
        .min = "0",
        .max = "64",
        .help = "So many accelerators; 0 finds the largest number that stays above the threshold.",
        .offset = MEMBER(accelerators),
    },
    {
        .name = "profile",
        .type = HR_OPTION_CHOICE,
        .verbs = LOADER | SERVES | CLIENT,
        .fallback = "resnet50_h100",
        .choices = hr_bench_profile_names,
        .help = "What an accelerator wants, as the configurations of MLPerf Storage have it.",
        .offset = MEMBER(profile),
    },
    {
        .name = "batch",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = LOADER | CLIENT | SERVES,
        .min = "1",
        .max = "100000",
        .help = "Samples of a step, in place of the profile's.",
        .offset = MEMBER(batch),
    },
    {
        .name = "record",
        .argument = "SIZE",
        .type = HR_OPTION_BYTES,
        .verbs = LOADER | CLIENT | SERVES,
        .min = "1",
        .max = "1GiB",
        .help = "Bytes of a sample, in place of the profile's.",
        .offset = MEMBER(record_len),
    },
    {
        .name = "samples",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = LOADER | CLIENT | SERVES,
        .min = "1",
        .max = "100000",
        .help = "Samples of a file, in place of the profile's.",
        .offset = MEMBER(samples_per_file),
    },
    {
        .name = "compute",
        .argument = "DURATION",
        .type = HR_OPTION_DURATION,
        .verbs = LOADER | CLIENT,
        .min = "1us",
        .max = "1h",
        .help = "How long an accelerator computes a step, in place of the profile's.",
        .offset = MEMBER(compute_ns),
    },
    {
        .name = "threshold",
        .argument = "PERCENT",
        .type = HR_OPTION_UNSIGNED,
        .verbs = LOADER,
        .min = "1",
        .max = "100",
        .help = "The least utilisation of accelerators, in place of the profile's.",
        .offset = MEMBER(threshold),
    },
    {
        .name = "codec",
        .type = HR_OPTION_CHOICE,
        .verbs = LOADER | SERVES,
        .fallback = "none",
        .choices = hr_bench_codec_names,
        .help = "Packs the files: they are decoded where they land.",
        .offset = MEMBER(codec),
    },
    {
        .name = "source",
        .argument = "URL",
        .type = HR_OPTION_STRING,
        .verbs = CROWD,
        .help = "Fetches from a server that runs elsewhere, hr://HOST:PORT/EXPORT/PATH, and starts "
                "none.",
        .offset = MEMBER(source),
    },
    {
        .name = "listen",
        .argument = "ADDR:PORT",
        .type = HR_OPTION_STRING,
        .verbs = CROWD | SERVES | WIRE,
        .help = "Where the server that is started listens; without it on 127.0.0.1, at any port. "
                "Of wire: "
                "is the writer of readers elsewhere, until interrupted.",
        .offset = MEMBER(listen),
    },
    {
        .name = "hosts",
        .argument = "HOST,HOST",
        .type = HR_OPTION_STRING,
        .verbs = CROWD,
        .help = "Starts the clients there, in turn, and merges what they measure.",
        .offset = MEMBER(hosts),
    },
    {
        .name = "ssh",
        .argument = "COMMAND",
        .type = HR_OPTION_STRING,
        .verbs = CROWD | WIRE,
        .fallback = "ssh",
        .help = "What starts a command on a host: its words, the host, the command; srun -N1 -n1 "
                "-w does too.",
        .offset = MEMBER(ssh),
    },
    {
        .name = "remote-program",
        .argument = "FILE",
        .type = HR_OPTION_STRING,
        .verbs = CROWD | WIRE,
        .help = "This program as the hosts have it; without it at the same path as here.",
        .offset = MEMBER(remote_program),
    },
    {
        .name = "key",
        .argument = "FILE",
        .type = HR_OPTION_STRING,
        .verbs = CROWD | CLIENT | SERVES | TRANSFER | PEERS | TREE,
        .help = "The key that server and clients share; without it the user's own.",
        .offset = MEMBER(key),
    },
    {
        .name = "insecure",
        .type = HR_OPTION_FLAG,
        .verbs = CROWD | CLIENT | SERVES | TRANSFER | PEERS | TREE,
        .help = "In clear, and nobody is asked who he is; of server and clients alike.",
        .offset = MEMBER(insecure),
    },
    {
        .name = "trains",
        .type = HR_OPTION_FLAG,
        .verbs = CLIENT | SERVES,
        .help = "As an accelerator of the profile, of serve: files for one.",
        .offset = MEMBER(trains),
    },
    {
        .name = "to-gpu",
        .type = HR_OPTION_FLAG,
        .verbs = CLIENT,
        .help = "With --trains: its data ends in the memory of a GPU.",
        .offset = MEMBER(to_gpu),
    },
    {
        .name = "number",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = CLIENT,
        .fallback = "0",
        .min = "0",
        .max = "63",
        .help = "Which of those that run together: their orders of files differ.",
        .offset = MEMBER(number),
    },
    {
        .name = "gate",
        .type = HR_OPTION_FLAG,
        .verbs = MEASURES | COMPARE,
        .help = "Ends with exit code 3 if a target is missed, or if something became slower.",
        .offset = MEMBER(gate),
    },
    {
        .name = "gpu",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = DECODE | REGISTER | LOADER | CLIENT,
        .fallback = "0",
        .min = "0",
        .max = "15",
        .help = "Which GPU, where there are several; of accelerators, that of the first one.",
        .offset = MEMBER(gpu),
    },
    {
        .name = "chunks",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = DECODE,
        .fallback = "32",
        .min = "1",
        .max = "256",
        .help = "Chunks of 4 MiB that a GPU decodes at once.",
        .offset = MEMBER(chunks),
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
        .verbs = MEASURES | COMPARE,
        .help =
            "Ends with exit code 3 if a rate of the (last) result is lower; peers do not count.",
        .offset = MEMBER(min_rate),
    },
    {
        .name = "max-latency",
        .argument = "DURATION",
        .type = HR_OPTION_DURATION,
        .verbs = MEASURES | COMPARE,
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
