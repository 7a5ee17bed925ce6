/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#define SERVE  (1u << HR_CLI_SERVE)
#define GET    (1u << HR_CLI_GET)
#define LS     (1u << HR_CLI_LS)
#define PACK   (1u << HR_CLI_PACK)
#define VERIFY (1u << HR_CLI_VERIFY)
#define DOCTOR (1u << HR_CLI_DOCTOR)
#define KEY    (1u << HR_CLI_KEY)

/* In the order of hr_io_choice. */
static const char *const io_choices[] = {"auto", "uring", "threads", NULL};
static const char *const transport_choices[] = {"auto", "tcp", "verbs", NULL};

/* In the order of hr_pack_codec. */
static const char *const codec_choices[] = {"auto", "lz4", "zstd", "planes", "none", NULL};

/* name, type, member, verbs, help, and what else it has. */
#define ROW(...) HR_OPTION_ROW(hr_cli_settings, __VA_ARGS__)

static const hr_option options[] = {
    ROW("export", LIST, exports, SERVE, "Serves the directory DIR under NAME. May be repeated.",
        .argument = "NAME=DIR"),
    ROW("listen", STRING, listen, SERVE,
        "Listens there; port 0 takes any free one, an IPv6 address is in brackets. unix:/PATH is a "
        "socket of this machine, whose peers are known by their users.",
        .argument = "ADDR:PORT", .fallback = "127.0.0.1:7431"),
    ROW("rules", STRING, rules_path, SERVE,
        "Who may list and read what; without it whoever has a key may read everything.",
        .argument = "FILE"),
    ROW("audit", STRING, audit, SERVE, "Appends a line of JSON for each session and transfer.",
        .argument = "FILE"),
    ROW("protect", LIST, protect, SERVE,
        "How chunks of the export NAME cross: clear, with digests, or aead, encrypted. May be "
        "repeated.",
        .argument = "NAME=HOW"),
    ROW("insecure", FLAG, insecure, SERVE | GET | LS | VERIFY,
        "In clear, and nobody is asked who he is; both sides have to say it."),
    ROW("unconfined", FLAG, unconfined, SERVE,
        "Does not give up the rights that a server does not need."),
    ROW("key", STRING, key, SERVE | GET | LS | VERIFY,
        "The key that both sides share, or a certificate; without it the user's own key.",
        .argument = "FILE"),
    ROW("ca", STRING, ca, SERVE | GET | LS | VERIFY,
        "The authorities that sign certificates; without it those in the file of --key.",
        .argument = "FILE"),
    ROW("crl", STRING, crl, SERVE | GET | LS | VERIFY, "The certificates that were revoked.",
        .argument = "FILE"),
    ROW("pool", BYTES, pool_len, SERVE | DOCTOR, "The slots that each worker takes at the start.",
        .argument = "SIZE", .fallback = "64MiB", .min = "16MiB", .max = "1TiB"),
    ROW("overwrite", FLAG, overwrite, GET | PACK | KEY,
        "Replaces targets that exist; without it they are a conflict."),
    ROW("dry-run", FLAG, dry_run, GET, "Says what would move, and moves nothing.", .letter = 'n'),
    ROW("strict", FLAG, strict, GET,
        "Ends a tree with its first failure; without it the other files still come."),
    ROW("read-back", FLAG, read_back, GET,
        "Reads each file again from the disk before it gets its name."),
    ROW("unpack", FLAG, unpack, GET,
        "Unpacks packed shards on their way into files, which lose .lz4, .zst or .hrpacked where "
        "TARGET is a directory; into memory they always are."),
    ROW("as-is", FLAG, as_is, GET, "Leaves packed shards packed, also on their way into memory."),
    ROW("checksum", FLAG, checksum, GET,
        "Of a tree, compares files of the same size by their content, whatever their time.",
        .letter = 'c'),
    ROW("include", LIST, rules, GET | VERIFY,
        "Of a tree, keeps what matches from being excluded by a later --exclude. May be repeated.",
        .argument = "PATTERN"),
    ROW("exclude", LIST, rules, GET | VERIFY,
        "Of a tree, leaves out what matches, with all in it. Patterns are those of rsync, and the "
        "first that matches decides. May be repeated.",
        .argument = "PATTERN"),
    ROW("delete", FLAG, remove, GET,
        "Of a tree, removes from TARGET what SOURCE does not have, after all has come and only if "
        "nothing failed. What is excluded stays."),
    ROW("preserve", FLAG, preserve, GET | VERIFY,
        "Also keeps (verify: compares) owner and group, with them setuid, setgid and sticky; of a "
        "tree get keeps extended attributes too. Takes root."),
    ROW("limit", RATE, limit_bytes_per_s, GET, "Moves at most so many bytes per second.",
        .argument = "RATE", .min = "1K"),
    ROW("deadline", DURATION, deadline_ns, GET,
        "Gives up after so long; what was verified is kept.", .argument = "DURATION", .min = "1ms"),
    ROW("stall", DURATION, stall_ns, GET, "Gives up when nothing was verified for so long.",
        .argument = "DURATION", .fallback = "60s", .min = "100ms"),
    ROW("links", UNSIGNED, links, GET, "Data connections; without it one a worker.",
        .argument = "N", .min = "1", .max = "64"),
    ROW("max-sms", UNSIGNED, max_sms, GET,
        "Into cuda:N, multiprocessors of the GPU that decoding may take; without it all.",
        .argument = "N", .min = "1", .max = "65535"),
    ROW("require", STRING, require, GET,
        "Refuses to take a path without all of LIST (of tcp, rdma, gpu, gpudirect, local, aead; "
        "with commas).",
        .argument = "LIST"),
    ROW("cluster", STRING, cluster, KEY,
        "Makes certificates, signed by an authority in DIR, which is made first.",
        .argument = "DIR"),
    ROW("long", FLAG, long_form, LS,
        "Also tells type, permissions, bytes and time of change, and how files are packed.",
        .letter = 'l'),
    ROW("print0", FLAG, print0, LS, "Ends each name with a zero byte and writes it as it is.",
        .letter = '0'),
    ROW("codec", CHOICE, codec, PACK,
        "How chunks are compressed; auto takes what the target's name says (.lz4, .zst), else what "
        "a sample gains most by.",
        .choices = codec_choices, .fallback = "auto"),
    ROW("level", UNSIGNED, level, PACK,
        "As lz4 and zstd have it; without it lz4 takes 1 and zstd 3.", .argument = "N", .min = "1",
        .max = "22"),
    ROW("threads", UNSIGNED, threads, PACK | VERIFY,
        "Threads that compress or check; 0 is one a core.", .letter = 'T', .argument = "N",
        .max = "256"),
    ROW("against", STRING, against, VERIFY,
        "Compares the tree or file PATH with what it was brought from, and names each difference.",
        .argument = "SOURCE"),
    ROW("dir", STRING, directory, DOCTOR, "Where files would be read from or written to.",
        .argument = "DIR", .fallback = "."),
    ROW("workers", UNSIGNED, workers, SERVE | GET | DOCTOR,
        "Threads that move data; without it half of the cores, at most 8.", .argument = "N",
        .min = "1", .max = "64"),
    ROW("io", CHOICE, io, SERVE | GET | LS | PACK | VERIFY,
        "How files and sockets are driven; auto is io_uring where it works.", .choices = io_choices,
        .fallback = "auto"),
    ROW("transport", CHOICE, transport, SERVE | GET,
        "What carries the data; auto is RDMA where both sides have it and a probe arrives.",
        .choices = transport_choices, .fallback = "auto"),
    ROW("rdma-devices", STRING, rdma_devices, SERVE | GET,
        "Uses only these RDMA devices, such as mlx5_0,mlx5_1; without it all.", .argument = "LIST"),
    ROW("rdma-message", BYTES, rdma_message_len, SERVE | GET,
        "The most that one RDMA write carries.", .argument = "SIZE", .fallback = "1MiB",
        .min = "4KiB", .max = "1GiB"),
    ROW("rdma-queue", UNSIGNED, rdma_queue, SERVE | GET,
        "RDMA writes that one link may have under way.", .argument = "N", .fallback = "128",
        .min = "8", .max = "32768"),
    ROW("rdma-timeout", UNSIGNED, rdma_timeout, SERVE | GET,
        "An RDMA packet without an answer is sent again after 4.096 us << N; without it 14 (67 "
        "ms), and 18 (1.1 s) on soft-RoCE.",
        .argument = "N", .min = "1", .max = "31"),
    ROW("rdma-retries", UNSIGNED, rdma_retries, SERVE | GET,
        "How often, before the link is given up and built again.", .argument = "N", .fallback = "7",
        .min = "1", .max = "7"),
    ROW("congestion", STRING, congestion, SERVE | GET,
        "TCP congestion control, such as cubic; without it the fastest on loopback and the "
        "system's elsewhere.",
        .argument = "NAME"),
    ROW("footprint", FLAG, footprint, SERVE | GET, "Prints the memory that is held, and why."),
    ROW("stages", FLAG, stages, SERVE | GET,
        "Prints at the end where the time went, and which stage held up the others."),
    ROW("json", FLAG, json, SERVE | GET | LS | PACK | VERIFY | DOCTOR,
        "Prints one JSON object a line."),
    ROW("quiet", FLAG, quiet, SERVE | GET | LS | PACK | VERIFY | DOCTOR | KEY,
        "Says nothing but what went wrong (with --json: no progress).", .letter = 'q'),
    ROW("verbose", COUNT, verbose, SERVE | GET | LS | PACK | VERIFY, "Says more; twice: even more.",
        .letter = 'v'),
};

static const hr_verb verbs[HR_CLI_VERBS] = {
    [HR_CLI_SERVE] =
        {
            .name = "serve",
            .arguments = "DIR | --export NAME=DIR ...",
            .arguments_max = 1,
            .summary = "Offers directories until it is interrupted.",
            .details =
                "DIR is served under its last name. It is only read, and nothing outside of\n"
                "it can be reached through it.",
        },
    [HR_CLI_GET] =
        {
            .name = "get",
            .arguments = "SOURCE TARGET",
            .arguments_min = 2,
            .arguments_max = 2,
            .summary = "Brings a file or a tree here, verified.",
            .details =
                "SOURCE  hr://host[:port]/export/path (%XX stands for a byte), a local path, or\n"
                "        hr+unix:///path/to/socket:export/path of a server on this machine\n"
                "TARGET  a path, or host: to bring it to memory, or cuda:N to that of a GPU,\n"
                "        both as a measurement\n"
                "\n"
                "A TARGET that ends with / is a directory that the source comes into under\n"
                "its own name; so is an existing directory, for a source that is a file.\n"
                "What was interrupted goes on where it ended when the same command is given\n"
                "again.\n"
                "\n"
                "Exit codes: 0 complete and verified, 2 usage, 3 a part failed, 4 not found,\n"
                "5 the bytes are wrong, 6 not permitted, 7 no space, 8 try again, 9 interrupted,\n"
                "10 conflict, 11 not supported, 12 deadline or stall, 1 internal.",
        },
    [HR_CLI_LS] =
        {
            .name = "ls",
            .arguments = "SOURCE",
            .arguments_min = 1,
            .arguments_max = 1,
            .summary = "Lists a directory, or the exports of a server.",
            .details =
                "SOURCE  hr://host[:port][/export[/path]], a local path, or\n"
                "        hr+unix:///path/to/socket:[export[/path]]\n"
                "\n"
                "Names are written as they are where that is harmless; a backslash and what\n"
                "is no printable UTF-8 become \\\\, \\n and \\xNN.",
        },
    [HR_CLI_PACK] =
        {
            .name = "pack",
            .arguments = "SOURCE TARGET",
            .arguments_min = 1,
            .arguments_max = 2,
            .summary = "Makes packed shards of a file or a tree: compressed, with digests.",
            .details =
                "lz4 -d and zstd -d give the content of the shard back; planes, which is for\n"
                "weights in bfloat16, is read by Headrace only. With --codec none the file\n"
                "stays as it is, and its digests go into SOURCE.hrindex; what lz4 or zstd have\n"
                "made can then be unpacked too, if it can be decoded in parts.\n"
                "\n"
                "Of a directory every file gets a shard below TARGET, named as itself and .lz4,\n"
                ".zst or .hrpacked; those that are there and not older are kept.",
        },
    [HR_CLI_VERIFY] =
        {
            .name = "verify",
            .arguments = "PATH...",
            .arguments_min = 1,
            .arguments_max = 1024,
            .summary =
                "Checks every digest of packed shards, or a tree or file against its source.",
            .details =
                "PATH    a packed shard, or a file that has its digests in PATH.hrindex;\n"
                "        with --against SOURCE a directory or a file, and SOURCE as for get\n"
                "\n"
                "The first chunk that is damaged is named, and the exit code is 5; of a\n"
                "tree every difference is, and both sides read all of it.",
        },
    [HR_CLI_DOCTOR] =
        {
            .name = "doctor",
            .arguments = "",
            .summary = "Tells what this machine can do, what it lacks, and how to get it.",
            .details =
                "Each line is the result of doing the thing. What is lacking comes with the\n"
                "command that mends it, and is no failure: Headrace takes another path.",
        },
    [HR_CLI_KEY] =
        {
            .name = "key",
            .arguments = "new|show [FILE] | new --cluster DIR NAME...",
            .arguments_min = 1,
            .arguments_max = 1024,
            .summary = "Makes the keys that peers know each other by.",
            .details =
                "new      a key that both sides share, in FILE or as the user's own\n"
                "new --cluster DIR NAME...\n"
                "         DIR/NAME.pem for each machine: a certificate with its key, for --key\n"
                "show     what a file holds; never a secret\n"
                "\n"
                "NAME is the name or address that others reach the machine by. Keep DIR/ca.key\n"
                "to yourself: who has it is let in everywhere.",
        },
    [HR_CLI_HELP] =
        {
            .name = "help",
            .arguments = "[COMMAND]",
            .arguments_max = 1,
            .summary = "Tells the options of a command.",
        },
};

const hr_syntax hr_cli_syntax = {
    .program = "headrace",
    .environment = "HEADRACE_",
    .config = "headrace",
    .summary = "headrace brings shards from a server's disk here, verified and resumable.",
    .verbs = verbs,
    .verb_count = HR_CLI_VERBS,
    .options = options,
    .option_count = sizeof options / sizeof options[0],
};
