/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#define SERVE        (1u << HR_CLI_SERVE)
#define GET          (1u << HR_CLI_GET)
#define LS           (1u << HR_CLI_LS)
#define PACK         (1u << HR_CLI_PACK)
#define VERIFY       (1u << HR_CLI_VERIFY)
#define DOCTOR       (1u << HR_CLI_DOCTOR)
#define KEY          (1u << HR_CLI_KEY)
#define MEMBER(name) offsetof(hr_cli_settings, name)

/* In the order of hr_io_choice. */
static const char *const io_choices[] = {"auto", "uring", "threads", NULL};
static const char *const transport_choices[] = {"auto", "tcp", "verbs", NULL};

/* In the order of hr_pack_codec. */
static const char *const codec_choices[] = {"auto", "lz4", "zstd", "planes", "none", NULL};

static const hr_option options[] = {
    {
        .name = "export",
        .argument = "NAME=DIR",
        .type = HR_OPTION_LIST,
        .verbs = SERVE,
        .help = "Serves the directory DIR under NAME. May be repeated.",
        .offset = MEMBER(exports),
    },
    {
        .name = "listen",
        .argument = "ADDR:PORT",
        .type = HR_OPTION_STRING,
        .verbs = SERVE,
        .fallback = "127.0.0.1:7431",
        .help = "Listens there; port 0 takes any free one, an IPv6 address is in brackets. "
                "unix:/PATH is a "
                "socket of this machine, whose peers are known by their users.",
        .offset = MEMBER(listen),
    },
    {
        .name = "rules",
        .argument = "FILE",
        .type = HR_OPTION_STRING,
        .verbs = SERVE,
        .help = "Who may list and read what; without it whoever has a key may read everything.",
        .offset = MEMBER(rules_path),
    },
    {
        .name = "audit",
        .argument = "FILE",
        .type = HR_OPTION_STRING,
        .verbs = SERVE,
        .help = "Appends a line of JSON for each session and transfer.",
        .offset = MEMBER(audit),
    },
    {
        .name = "protect",
        .argument = "NAME=HOW",
        .type = HR_OPTION_LIST,
        .verbs = SERVE,
        .help = "How chunks of the export NAME cross: clear, with digests, or aead, encrypted. May "
                "be repeated.",
        .offset = MEMBER(protect),
    },
    {
        .name = "insecure",
        .type = HR_OPTION_FLAG,
        .verbs = SERVE | GET | LS,
        .help = "In clear, and nobody is asked who he is; both sides have to say it.",
        .offset = MEMBER(insecure),
    },
    {
        .name = "unconfined",
        .type = HR_OPTION_FLAG,
        .verbs = SERVE,
        .help = "Does not give up the rights that a server does not need.",
        .offset = MEMBER(unconfined),
    },
    {
        .name = "key",
        .argument = "FILE",
        .type = HR_OPTION_STRING,
        .verbs = SERVE | GET | LS,
        .help = "The key that both sides share, or a certificate; without it the user's own key.",
        .offset = MEMBER(key),
    },
    {
        .name = "ca",
        .argument = "FILE",
        .type = HR_OPTION_STRING,
        .verbs = SERVE | GET | LS,
        .help = "The authorities that sign certificates; without it those in the file of --key.",
        .offset = MEMBER(ca),
    },
    {
        .name = "crl",
        .argument = "FILE",
        .type = HR_OPTION_STRING,
        .verbs = SERVE | GET | LS,
        .help = "The certificates that were revoked.",
        .offset = MEMBER(crl),
    },
    {
        .name = "pool",
        .argument = "SIZE",
        .type = HR_OPTION_BYTES,
        .verbs = SERVE | DOCTOR,
        .fallback = "64MiB",
        .min = "16MiB",
        .max = "1TiB",
        .help = "The slots that each worker takes at the start.",
        .offset = MEMBER(pool_len),
    },
    {
        .name = "overwrite",
        .type = HR_OPTION_FLAG,
        .verbs = GET | PACK | KEY,
        .help = "Replaces targets that exist; without it they are a conflict.",
        .offset = MEMBER(overwrite),
    },
    {
        .name = "dry-run",
        .letter = 'n',
        .type = HR_OPTION_FLAG,
        .verbs = GET,
        .help = "Says what would move, and moves nothing.",
        .offset = MEMBER(dry_run),
    },
    {
        .name = "strict",
        .type = HR_OPTION_FLAG,
        .verbs = GET,
        .help = "Ends a tree with its first failure; without it the other files still come.",
        .offset = MEMBER(strict),
    },
    {
        .name = "read-back",
        .type = HR_OPTION_FLAG,
        .verbs = GET,
        .help = "Reads each file again from the disk before it gets its name.",
        .offset = MEMBER(read_back),
    },
    {
        .name = "unpack",
        .type = HR_OPTION_FLAG,
        .verbs = GET,
        .help = "Unpacks packed shards on their way into files; into memory they always are.",
        .offset = MEMBER(unpack),
    },
    {
        .name = "as-is",
        .type = HR_OPTION_FLAG,
        .verbs = GET,
        .help = "Leaves packed shards packed, also on their way into memory.",
        .offset = MEMBER(as_is),
    },
    {
        .name = "checksum",
        .letter = 'c',
        .type = HR_OPTION_FLAG,
        .verbs = GET,
        .help = "Of a tree, compares files of the same size by their content, whatever their time.",
        .offset = MEMBER(checksum),
    },
    {
        .name = "include",
        .argument = "PATTERN",
        .type = HR_OPTION_LIST,
        .verbs = GET | VERIFY,
        .help = "Of a tree, keeps what matches from being excluded by a later --exclude. May be "
                "repeated.",
        .offset = MEMBER(rules),
    },
    {
        .name = "exclude",
        .argument = "PATTERN",
        .type = HR_OPTION_LIST,
        .verbs = GET | VERIFY,
        .help = "Of a tree, leaves out what matches, with all in it. Patterns are those of rsync, "
                "and the first that matches decides. May be repeated.",
        .offset = MEMBER(rules),
    },
    {
        .name = "delete",
        .type = HR_OPTION_FLAG,
        .verbs = GET,
        .help = "Of a tree, removes from TARGET what SOURCE does not have, after all has come and "
                "only if nothing failed. What is excluded stays.",
        .offset = MEMBER(remove),
    },
    {
        .name = "preserve",
        .type = HR_OPTION_FLAG,
        .verbs = GET | VERIFY,
        .help = "Also keeps owner and group, with them setuid, setgid and sticky, and of a tree "
                "extended attributes; takes root.",
        .offset = MEMBER(preserve),
    },
    {
        .name = "limit",
        .argument = "RATE",
        .type = HR_OPTION_RATE,
        .verbs = GET,
        .min = "1K",
        .help = "Moves at most so many bytes per second.",
        .offset = MEMBER(limit_bytes_per_s),
    },
    {
        .name = "deadline",
        .argument = "DURATION",
        .type = HR_OPTION_DURATION,
        .verbs = GET,
        .min = "1ms",
        .help = "Gives up after so long; what was verified is kept.",
        .offset = MEMBER(deadline_ns),
    },
    {
        .name = "stall",
        .argument = "DURATION",
        .type = HR_OPTION_DURATION,
        .verbs = GET,
        .fallback = "60s",
        .min = "100ms",
        .help = "Gives up when nothing was verified for so long.",
        .offset = MEMBER(stall_ns),
    },
    {
        .name = "links",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = GET,
        .min = "1",
        .max = "64",
        .help = "Data connections; without it one a worker.",
        .offset = MEMBER(links),
    },
    {
        .name = "max-sms",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = GET,
        .min = "1",
        .max = "65535",
        .help = "Into cuda:N, multiprocessors of the GPU that decoding may take; without it all.",
        .offset = MEMBER(max_sms),
    },
    {
        .name = "require",
        .argument = "LIST",
        .type = HR_OPTION_STRING,
        .verbs = GET,
        .help = "Refuses to take a path without all of LIST (of tcp, rdma, gpu, gpudirect, local, "
                "aead; with commas).",
        .offset = MEMBER(require),
    },
    {
        .name = "cluster",
        .argument = "DIR",
        .type = HR_OPTION_STRING,
        .verbs = KEY,
        .help = "Makes certificates, signed by an authority in DIR, which is made first.",
        .offset = MEMBER(cluster),
    },
    {
        .name = "long",
        .letter = 'l',
        .type = HR_OPTION_FLAG,
        .verbs = LS,
        .help = "Also tells type, permissions, bytes and time of change, and how files are packed.",
        .offset = MEMBER(long_form),
    },
    {
        .name = "print0",
        .letter = '0',
        .type = HR_OPTION_FLAG,
        .verbs = LS,
        .help = "Ends each name with a zero byte and writes it as it is.",
        .offset = MEMBER(print0),
    },
    {
        .name = "codec",
        .type = HR_OPTION_CHOICE,
        .verbs = PACK,
        .fallback = "auto",
        .choices = codec_choices,
        .help =
            "How chunks are compressed; auto takes what the target's name says (.lz4, .zst), else "
            "what a sample gains most by.",
        .offset = MEMBER(codec),
    },
    {
        .name = "level",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = PACK,
        .min = "1",
        .max = "22",
        .help = "As lz4 and zstd have it; without it lz4 takes 1 and zstd 3.",
        .offset = MEMBER(level),
    },
    {
        .name = "threads",
        .letter = 'T',
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = PACK | VERIFY,
        .max = "256",
        .help = "Threads that compress or check; 0 is one a core.",
        .offset = MEMBER(threads),
    },
    {
        .name = "against",
        .argument = "SOURCE",
        .type = HR_OPTION_STRING,
        .verbs = VERIFY,
        .help = "Compares the tree PATH with what it was brought from, and names each difference.",
        .offset = MEMBER(against),
    },
    {
        .name = "dir",
        .argument = "DIR",
        .type = HR_OPTION_STRING,
        .verbs = DOCTOR,
        .fallback = ".",
        .help = "Where files would be read from or written to.",
        .offset = MEMBER(directory),
    },
    {
        .name = "workers",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = SERVE | GET | DOCTOR,
        .min = "1",
        .max = "64",
        .help = "Threads that move data; without it half of the cores, at most 8.",
        .offset = MEMBER(workers),
    },
    {
        .name = "io",
        .type = HR_OPTION_CHOICE,
        .verbs = SERVE | GET | LS | PACK | VERIFY,
        .fallback = "auto",
        .choices = io_choices,
        .help = "How files and sockets are driven; auto is io_uring where it works.",
        .offset = MEMBER(io),
    },
    {
        .name = "transport",
        .type = HR_OPTION_CHOICE,
        .verbs = SERVE | GET,
        .fallback = "auto",
        .choices = transport_choices,
        .help = "What carries the data; auto is RDMA where both sides have it and a probe arrives.",
        .offset = MEMBER(transport),
    },
    {
        .name = "rdma-devices",
        .argument = "LIST",
        .type = HR_OPTION_STRING,
        .verbs = SERVE | GET,
        .help = "Uses only these RDMA devices, such as mlx5_0,mlx5_1; without it all.",
        .offset = MEMBER(rdma_devices),
    },
    {
        .name = "rdma-message",
        .argument = "SIZE",
        .type = HR_OPTION_BYTES,
        .verbs = SERVE | GET,
        .fallback = "1MiB",
        .min = "4KiB",
        .max = "1GiB",
        .help = "The most that one RDMA write carries.",
        .offset = MEMBER(rdma_message_len),
    },
    {
        .name = "rdma-queue",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = SERVE | GET,
        .fallback = "128",
        .min = "8",
        .max = "32768",
        .help = "RDMA writes that one link may have under way.",
        .offset = MEMBER(rdma_queue),
    },
    {
        .name = "rdma-timeout",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = SERVE | GET,
        .min = "1",
        .max = "31",
        .help = "An RDMA packet without an answer is sent again after 4.096 us << N; without it 14 "
                "(67 ms), and 18 (1.1 s) on soft-RoCE.",
        .offset = MEMBER(rdma_timeout),
    },
    {
        .name = "rdma-retries",
        .argument = "N",
        .type = HR_OPTION_UNSIGNED,
        .verbs = SERVE | GET,
        .fallback = "7",
        .min = "1",
        .max = "7",
        .help = "How often, before the link is given up and built again.",
        .offset = MEMBER(rdma_retries),
    },
    {
        .name = "congestion",
        .argument = "NAME",
        .type = HR_OPTION_STRING,
        .verbs = SERVE | GET,
        .help = "TCP congestion control, such as cubic; without it the fastest on loopback and the "
                "system's elsewhere.",
        .offset = MEMBER(congestion),
    },
    {
        .name = "footprint",
        .type = HR_OPTION_FLAG,
        .verbs = SERVE | GET,
        .help = "Prints the memory that is held, and why.",
        .offset = MEMBER(footprint),
    },
    {
        .name = "stages",
        .type = HR_OPTION_FLAG,
        .verbs = SERVE | GET,
        .help = "Prints at the end where the time went, and which stage held up the others.",
        .offset = MEMBER(stages),
    },
    {
        .name = "json",
        .type = HR_OPTION_FLAG,
        .verbs = SERVE | GET | LS | PACK | VERIFY | DOCTOR,
        .help = "Prints one JSON object a line.",
        .offset = MEMBER(json),
    },
    {
        .name = "quiet",
        .letter = 'q',
        .type = HR_OPTION_FLAG,
        .verbs = SERVE | GET | LS | PACK | VERIFY | DOCTOR | KEY,
        .help = "Says nothing but what went wrong (with --json: no progress).",
        .offset = MEMBER(quiet),
    },
    {
        .name = "verbose",
        .letter = 'v',
        .type = HR_OPTION_COUNT,
        .verbs = SERVE | GET | LS | PACK | VERIFY,
        .help = "Says more; twice: even more.",
        .offset = MEMBER(verbose),
    },
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
                "SOURCE  hr://host[:port]/export/path (%XX stands for a byte) or a local path\n"
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
                "SOURCE  hr://host[:port][/export[/path]] or a local path\n"
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
            .summary = "Checks every digest of packed shards, or a tree against its source.",
            .details = "PATH    a packed shard, or a file that has its digests in PATH.hrindex;\n"
                       "        with --against SOURCE a directory, and SOURCE as for get\n"
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
