/* SPDX-License-Identifier: Apache-2.0 */
/* hr_bench_settings: the values of all options, and the table that they come from. */
#ifndef HR_BENCH_SETTINGS_H
#define HR_BENCH_SETTINGS_H

#include "option.h"

#define HR_BENCH_SOURCE_MAX 512 /* "hr://host:port/export/path" */

typedef struct hr_bench_settings {
    unsigned rounds;
    uint64_t duration_ns; /* of one measurement over the wire */
    bool json, quiet;

    /* wire */
    bool digests;
    unsigned links, slots;
    uint64_t message_len;
    uint64_t peer_rate; /* about what a peer that counts messages reaches, so that it runs as long;
                           0: guessed */
    bool asks, once, peers, softroce, both, is_inline;
    const char *from;           /* the desk of a writer elsewhere */
    const char *host;           /* where a writer is started, or a server */
    const char *remote_address; /* of that host's RDMA device */
    const char *congestion;
    const char *address; /* of an RDMA device; NULL: over TCP */

    /* storage, transfer, peers */
    uint64_t size;         /* of the file that is moved */
    const char *directory; /* where a folder of our own is made */
    const char *program;   /* headrace; NULL: the one beside us */
    uint64_t block_len;    /* of a request to the storage */
    unsigned depth;        /* requests under way */
    bool buffered, plain;  /* through the page cache; into memory that is not registered */
    uint64_t rate;         /* bytes per second that are asked for; 0: as many as can be had */
    uint64_t big_size;     /* of the sparse shard for the server's memory */
    bool gate;
    const char *output;  /* the result file */
    const char *command; /* the command line that all of this came from */

    const char *sweep; /* "block=64KiB,1MiB" */
    char **words;      /* the command line as it was, for the points of a sweep */
    int word_count;

    /* files, storage */
    unsigned files; /* 0: not said; hr_bench_settings_files */
    uint64_t file_len;

    /* fanout, loader, transfer, client, serve */
    unsigned clients, number;
    uint64_t shard_len; /* that each client fetches */
    const char *source; /* of a server elsewhere; NULL: one is started here */
    const char *listen; /* of the server that is started; NULL: loopback, any port */
    const char *hosts;  /* where clients run: "a,b"; NULL: here */
    const char *ssh, *remote_program;
    const char *key;
    bool insecure, trains, to_gpu;

    /* loader: 0: as the profile has it */
    unsigned profile, accelerators, batch, samples_per_file, threshold, codec;
    uint64_t record_len, compute_ns;

    unsigned gpu;    /* decode, register, loader: cuda:N */
    unsigned chunks; /* decode: of a batch on a GPU */

    bool csv; /* report */

    /* compare */
    uint64_t min_rate, max_latency_ns;
} hr_bench_settings;

/* The verbs, in the order of hr_bench_syntax.verbs. */
enum {
    HR_BENCH_WIRE,
    HR_BENCH_STORAGE,
    HR_BENCH_TRANSFER,
    HR_BENCH_PEERS,
    HR_BENCH_DECODE,
    HR_BENCH_REGISTER,
    HR_BENCH_FILES,
    HR_BENCH_FANOUT,
    HR_BENCH_LOADER,
    HR_BENCH_CLIENT,
    HR_BENCH_SERVE,
    HR_BENCH_COMPARE,
    HR_BENCH_REPORT,
    HR_BENCH_HELP,
    HR_BENCH_VERBS,
};

/* Of a tree, or of the storage. */
unsigned hr_bench_settings_files(const hr_bench_settings *settings, unsigned verb);
/* What is fetched is another machine's. */
bool hr_bench_is_served_elsewhere(const hr_bench_settings *settings);

extern const hr_syntax hr_bench_syntax;
extern const char *const hr_bench_codec_names[]; /* ends with NULL */

#endif
