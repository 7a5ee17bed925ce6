/* SPDX-License-Identifier: Apache-2.0 */
/* Headrace: brings shards from a server's disk into the asker's memory or disk, verified and
 * resumable. This is the whole public API; the headrace program uses nothing else.
 *
 * How it is used:
 *
 *     hr_engine_create(&engine_options, &engine, &error);
 *     hr_client_open(engine, &client_options, &client, &error);
 *     hr_get_start(client, &get_options, &get, &error);
 *     while (hr_get_status(get) == HR_AGAIN)
 *         hr_engine_step(engine, HR_WAIT_FOREVER);
 *     ... hr_get_error(get) ...
 *     hr_get_destroy(get);
 *     hr_client_destroy(client);
 *     hr_engine_destroy(engine);
 *
 * Threads. An engine is stepped: nothing happens but in hr_engine_step, on the caller's thread,
 * except for the further workers that hr_engine_start runs on threads of their own. Every handle
 * belongs to the thread that steps its engine; only the cancel functions and hr_engine_wake may be
 * called from others (and from signal handlers). No function blocks but hr_engine_step, the destroy
 * functions while the last operations end, and those that say so.
 *
 * Ownership. Who creates destroys. Destroy functions accept NULL. Strings and spans in options are
 * copied, except for the memory of a target, which is lent until hr_get_destroy. What is returned
 * by pointer is good until the next step.
 *
 * Errors. Functions that can fail return hr_status; what happens later is told by the _status of
 * the handle: HR_AGAIN while it goes on, HR_OK, or a failure, with the sentence in its _error. */
#ifndef HEADRACE_H
#define HEADRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "span.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HR_WAIT_FOREVER UINT64_MAX
#define HR_PORT_DEFAULT 7431

/* "0.1.0" */
HR_API const char *hr_version(void);

/* ---- engine ---- */

typedef struct hr_engine hr_engine;

typedef enum hr_io_choice {
    HR_IO_AUTO,    /* io_uring where it works, else threads */
    HR_IO_URING,   /* io_uring or HR_UNSUPPORTED */
    HR_IO_THREADS, /* never io_uring */
} hr_io_choice;

typedef enum hr_transport_choice {
    HR_TRANSPORT_AUTO,  /* RDMA where both sides have it and a probe has shown that it works, else
                           TCP; the path says which and why */
    HR_TRANSPORT_TCP,   /* never RDMA */
    HR_TRANSPORT_VERBS, /* RDMA or HR_UNSUPPORTED */
} hr_transport_choice;

/* How RDMA is driven. */
typedef struct hr_rdma_options {
    const char *devices;  /* names, with commas; NULL: all */
    uint32_t message_len; /* bytes of one RDMA write; 0: 1 MiB */
    unsigned send_queue;  /* work requests of a queue pair; 0: 128 */
    unsigned ack_timeout; /* a packet is sent again after 4.096 us << ack_timeout, which is at most
                             31; 0: 14, 18 on soft-RoCE */
    unsigned retries;     /* so many times, at most 7; 0: 7 */
} hr_rdma_options;

/* Zero means default, everywhere. */
typedef struct hr_engine_options {
    unsigned workers;       /* 0: half of the cores, 1 to 8 */
    size_t worker_pool_len; /* bytes of slots that one worker takes at the start; 0: 64 MiB */
    bool pool_on_demand;    /* their memory is taken as they are needed: a client that finds that
                               everything is there needs none */
    hr_io_choice io;
    hr_transport_choice transport;
    hr_rdma_options rdma;
    const char *congestion; /* TCP congestion control; NULL: on loopback the faster of cubic and
                               reno that may be used, elsewhere the system's */
    int log_level;          /* 0 warnings and errors, 1 and informations, 2 and debug */
    void (*log)(void *context, int level, const char *line); /* NULL: stderr */
    void *log_context;
} hr_engine_options;

HR_API HR_CHECKED hr_status hr_engine_create(const hr_engine_options *options,
                                             hr_engine **engine_out, hr_error *error);
/* Workers beyond the first get threads; without it hr_engine_step steps them all. */
HR_API HR_CHECKED hr_status hr_engine_start(hr_engine *engine, hr_error *error);
/* Does what there is to do, waiting for the first of it for at most timeout_ns. */
HR_API void hr_engine_step(hr_engine *engine, uint64_t timeout_ns);
/* Any thread: ends the wait of a step. */
HR_API void hr_engine_wake(hr_engine *engine);
/* Readable when a step would do something; -1 where there is none. For callers with a loop of their
 * own, who also step when hr_engine_due_ns (from now; HR_WAIT_FOREVER: no timer is set) is over. */
HR_API int hr_engine_fd(const hr_engine *engine);
HR_API uint64_t hr_engine_due_ns(const hr_engine *engine);
/* Everything made in it must be destroyed. */
HR_API void hr_engine_destroy(hr_engine *engine);

/* What the engine holds, and why: one row a kind of memory. Returns the number of rows written. */
typedef struct hr_footprint_row {
    const char *what;
    uint64_t bytes;
    char why[120];
} hr_footprint_row;
HR_API size_t hr_engine_footprint(const hr_engine *engine, hr_footprint_row *rows, size_t rows_max);
/* The same of one get into a GPU's memory, besides its content: on the GPU, but for what is pinned.
 * The engine's slots are pinned too, with the first of them. */
HR_API size_t hr_gpu_footprint(hr_footprint_row *rows, size_t rows_max);
/* Where the time of the chunks went, a row a stage, in the order of their way: grant, turn, read,
 * digest, wire, verify, decode, write, device (copied to a GPU, decoded and verified there),
 * publish (a file, or a batch of small ones, is synced and named); stages that no chunk came
 * through are left out. At each instant with a chunk under way a stage is busy, starved (none has
 * come so far) or blocked (all are further on, or the processor is with another stage). Returns the
 * number of rows written. */
#define HR_STAGES_MAX 16
typedef struct hr_stage_time {
    const char *stage;
    uint64_t busy_ns, starved_ns, blocked_ns;
    uint64_t chunks, bytes;
    double full; /* 0 to 1: the chunks in it, on average, of the most that it ever had at once */
} hr_stage_time;
HR_API size_t hr_engine_stages(const hr_engine *engine, hr_stage_time *rows, size_t rows_max);
/* System calls of the workers' loops so far, in which all data and control messages move; what the
 * helper threads do for names (open, rename) is not in it. */
HR_API uint64_t hr_engine_system_calls(const hr_engine *engine);
/* The row of the stage that held up the others; count: there is none. rows may be those of a client
 * followed by those of its server. */
HR_API size_t hr_stages_bound(const hr_stage_time *rows, size_t count);
/* The same in a sentence, with what would be without it. */
HR_API void hr_stages_describe(const hr_stage_time *rows, size_t count, char *out, size_t out_size);
/* "io_uring, O_DIRECT, registered buffers, transparent huge pages", or what it is and why not
 * better. */
HR_API const char *hr_engine_describe(hr_engine *engine);

/* ---- who is let in ---- */

/* Peers authenticate each other over TLS 1.3. A key file that has private parts must belong to the
 * user or to root and be readable by nobody else. It is read when a server or client is opened. */
typedef struct hr_trust {
    bool insecure;        /* in clear, and nobody is asked who he is */
    const char *key_path; /* shared keys (headrace key new), of which a client uses the first, or in
                             PEM a certificate with its private key, what leads from it to an
                             authority, and authorities. NULL: the user's own key, which is made
                             where it is missing and the other end is on this machine */
    const char *ca_path;  /* authorities, in PEM; NULL: those in key_path */
    const char *crl_path; /* what they have revoked, in PEM; NULL: nothing */
} hr_trust;

#define HR_KEY_PATH_MAX 4096
#define HR_KEY_TEXT_MAX 32768

/* Makes a file with a new shared key, 0600; path NULL: the user's own. path_out: where it is.
 * HR_EXISTS: there is one, and overwrite was not said. These three read and write on the caller's
 * thread. */
HR_API HR_CHECKED hr_status hr_key_file_make(const char *path, bool overwrite,
                                             char path_out[HR_KEY_PATH_MAX], hr_error *error);
/* What a key file holds, a line for each: "key:ID", or a certificate's name, authority and end.
 * Never a secret. */
HR_API HR_CHECKED hr_status hr_key_file_show(const char *path, char *text_out, size_t text_max,
                                             hr_error *error);
/* Makes directory/NAME.pem for a machine, signed by the authority in the directory, which is made
 * where there is none. */
HR_API HR_CHECKED hr_status hr_certificate_issue(const char *directory, const char *name,
                                                 bool overwrite, hr_error *error);

/* ---- server ---- */

typedef struct hr_server hr_server;

typedef struct hr_export {
    const char *name; /* NULL: the last name of path */
    const char *path;
    bool aead; /* payloads cross encrypted and authenticated, and in no other way; else in clear,
                  with digests */
} hr_export;

typedef struct hr_server_options {
    const char *listen; /* "ADDR:PORT"; NULL: 127.0.0.1:7431; port 0: any. "unix:/path/to/socket":
                           peers are the users that the kernel says, in clear and without keys */
    const hr_export *exports;
    size_t export_count;
    hr_trust trust;
    const char *rules_path; /* who may list and read what (docs/DEPLOYMENT.md); NULL: whoever is let
                               in may read everything */
    const char *audit_path; /* a line of JSON for each session and transfer; NULL: none */
    unsigned sessions_max;  /* 0: 256 */
} hr_server_options;

/* Takes from this process, for good, what a server of these options does not need: files but the
 * exports, keys, rules and the audit (Landlock), connections of its own, capabilities, new
 * privileges. For a program that does nothing else, on its only thread, before the engine is made;
 * options are those of hr_server_open. told, for each: what was given up, or lacking: this machine
 * cannot. Makes the user's own key where hr_server_open would. */
HR_API HR_CHECKED hr_status hr_server_confine(const hr_server_options *options,
                                              void (*told)(void *context, bool lacking,
                                                           const char *line),
                                              void *context, hr_error *error);

/* HR_AGAIN in hr_server_status until it listens, then HR_OK as long as it does. */
HR_API HR_CHECKED hr_status hr_server_open(hr_engine *engine, const hr_server_options *options,
                                           hr_server **server_out, hr_error *error);
HR_API hr_status hr_server_status(const hr_server *server);
HR_API const hr_error *hr_server_error(const hr_server *server);
/* "127.0.0.1:7431" once it listens. */
HR_API const char *hr_server_address(const hr_server *server);

/* Reads keys, certificates and rules again; what cannot be read leaves everything as it was. The
 * audit goes on in a new file if the old one was renamed. */
HR_API HR_CHECKED hr_status hr_server_reload(hr_server *server, hr_error *error);

typedef struct hr_server_counters {
    uint64_t sessions, sessions_open;
    uint64_t transfers, transfers_open;
    uint64_t chunks_sent, bytes_sent;
    uint64_t refused; /* connections and messages that broke the protocol or a limit */
} hr_server_counters;
HR_API hr_server_counters hr_server_count(const hr_server *server);
/* Ends all sessions; steps the engine until the last operation is over. */
HR_API void hr_server_destroy(hr_server *server);

/* ---- client ---- */

typedef struct hr_client hr_client;

typedef struct hr_client_options {
    const char
        *address; /* "host:port" or "unix:/path" of a server; NULL: no server, see local_path */
    const char *local_path;      /* a directory that is served to this client within the process */
    hr_trust trust;              /* what is shown to address, and what it must show */
    unsigned links;              /* data connections; 0: one a worker */
    const char *require;         /* comma-separated of tcp, rdma, gpu, gpudirect, local, aead; what
                                    is missing is HR_UNSUPPORTED instead of a slower path. NULL:
                                    none */
    uint64_t connect_timeout_ns; /* 0: 5 s */
    const char *target;          /* where most of it will go: a path, "cuda:N", or NULL. Of several
                                    RDMA NICs the nearest to it is taken */
} hr_client_options;

/* Connects in the background; requests may be made at once and wait for it. */
HR_API HR_CHECKED hr_status hr_client_open(hr_engine *engine, const hr_client_options *options,
                                           hr_client **client_out, hr_error *error);
/* HR_AGAIN while it connects, HR_OK, or why it is of no more use. */
HR_API hr_status hr_client_status(const hr_client *client);
HR_API const hr_error *hr_client_error(const hr_client *client);
HR_API void hr_client_destroy(hr_client *client);

/* ---- listing ---- */

typedef enum hr_entry_type {
    HR_ENTRY_FILE,
    HR_ENTRY_DIRECTORY,
    HR_ENTRY_SYMLINK,
    HR_ENTRY_SPECIAL,
    HR_ENTRY_EXPORT,
} hr_entry_type;

typedef struct hr_entry {
    const char *name; /* bytes, any but '/' and 0; terminated */
    size_t name_len;
    hr_entry_type type;
    uint32_t mode;
    uint64_t size; /* bytes */
    int64_t mtime_ns, ctime_ns;
    const char *target; /* of a symlink, terminated; else "" */
    uint32_t uid, gid;
    /* Of a file with several names: equal in those of one file; else 0. */
    uint64_t inode, device;
    const char *xattrs; /* within a get that preserves them */
    size_t xattrs_len;
    bool xattrs_lost;
    bool sparse; /* it takes less space than its size */
} hr_entry;

typedef struct hr_listing hr_listing;

/* path: "EXPORT/some/path"; "" lists the exports; a file lists itself. Bounded memory: a page is
 * asked for when the one before has been taken. */
HR_API HR_CHECKED hr_status hr_listing_open(hr_client *client, const char *path,
                                            hr_listing **listing_out, hr_error *error);
/* The next entry, if one is there; false: step the engine while hr_listing_status is HR_AGAIN. */
HR_API bool hr_listing_next(hr_listing *listing, hr_entry *entry_out);
HR_API hr_status hr_listing_status(const hr_listing *listing);
HR_API const hr_error *hr_listing_error(const hr_listing *listing);
HR_API void hr_listing_destroy(hr_listing *listing);

/* ---- get ---- */

typedef struct hr_get hr_get;

/* What became of one file (of a tree, or the only one). */
typedef struct hr_file_report {
    const char *path; /* in the source, below the request's path; "" for a single file */
    hr_status status;
    const char *text; /* the sentence of a failure; of a file that was packed what was chosen, as
                         hr_pack_choice has it; else "" */
    uint64_t bytes, bytes_moved, bytes_reused;
    bool kept; /* of a tree: it was there, and nothing of it is to move */
} hr_file_report;

/* A pattern is written as for --include and --exclude of rsync. */
typedef struct hr_rule {
    bool include;
    const char *pattern;
} hr_rule;

typedef struct hr_get_options {
    const char *path; /* "EXPORT/file" or "EXPORT/directory" */

    /* Where it goes: exactly one of these. */
    const char *target_path; /* a file, or for a tree a directory; "NAME/" puts it below NAME */
    hr_span target_span;     /* memory of the caller, of at least the shard's size: the host's, or
                                HR_MEMORY_CUDA: that of a GPU, aligned to 16 */
    bool target_host;        /* host memory of the engine's, to measure; a file or a tree */
    bool target_cuda;        /* memory of GPU cuda_device, taken for it, to measure; a file. Where
                                there is no GPU it is target_host, and the path says why */

    /* A packed shard is unpacked on its way into memory, and copied into a file. */
    bool unpack; /* also into a file; in a tree it gets the name that hr_unpacked_len leaves */
    bool as_is;  /* not even into memory */

    /* Of a target on a GPU. */
    unsigned cuda_device; /* of target_cuda */
    void *cuda_stream;    /* a CUstream or cudaStream_t of the device's primary context: what is in
                             it when the get starts runs before anything is written. NULL: nothing
                             is waited for */
    void *cuda_event;     /* a CUevent or cudaEvent_t of that context: recorded behind the last
                             thing that is done there, before the get is over, however it ends; any
                             stream may wait for it then. NULL: none */
    unsigned max_sms;     /* multiprocessors that decoding may take; 0: all */

    bool overwrite; /* else a target that exists is HR_EXISTS */
    bool strict;    /* a tree ends with its first failure, and as that */
    bool dry_run;   /* says what would move, moves nothing, leaves no trace */
    bool read_back; /* reads the file again, O_DIRECT, before it gets its name */
    bool checksum;  /* of a tree: files of the same size are compared by their content, and not
                       by their time */
    bool remove;    /* of a tree: removes from the target what the source does not have;
                       not if anything failed */
    const hr_rule *rules; /* of a tree: what of it is meant. What they exclude is not listed,
                             brought or removed. The first that matches decides */
    size_t rule_count;
    bool owner; /* also owner, group, and the setuid, setgid and sticky bits, and extended
                   attributes. What arrives without them is counted, and the get is HR_PARTIAL */
    uint64_t limit_bytes_per_s; /* 0: none */
    uint64_t deadline_ns;       /* from now; 0: none. Then HR_DEADLINE */
    uint64_t stall_ns;          /* nothing verified for so long is HR_STALLED; 0: 60 s */
    void (*file_done)(void *context, const hr_file_report *report); /* may be NULL */
    /* What was removed, or in a dry run would be; may be NULL. */
    void (*removed)(void *context, const char *path);
    void *context;
} hr_get_options;

typedef struct hr_get_progress {
    uint64_t files, files_done, files_failed; /* files: known so far; done: also the kept ones */
    uint64_t
        files_kept;   /* of a tree: there already, of the source's size and time, or a symlink or
                         further name as it is to be; not read, and their bytes are not counted */
    uint64_t removed; /* files, symlinks and directories; in a dry run, that would be */
    uint64_t owners_lost, xattrs_lost; /* files, symlinks and directories that are there, but
                                          without owner and group, or extended attributes, since
                                          that is not permitted */
    uint64_t bytes;                    /* content of the files known so far */
    uint64_t bytes_verified;           /* moved and reused */
    uint64_t bytes_moved;              /* over the wire in this run, repeated ones counted again */
    uint64_t bytes_reused;             /* there from an earlier run, and verified */
    uint64_t control_messages; /* of the client's session so far, both ways, without pings */
    bool listing;              /* the totals still grow */
    uint64_t first_byte_ns;    /* from the start to the first landed chunk; 0: none yet */
    unsigned links;
    /* Of the first packed shard whose content is brought, once it is known. */
    const char *codec;                            /* "lz4"; "": there was none */
    uint64_t stored_bytes, chunks, chunks_stored; /* of the shard; stored: as they are */
} hr_get_progress;

/* How much of the path of a packed file is left without .lz4, .zst or .hrpacked: all of it, if it
 * has none of these. */
HR_API size_t hr_unpacked_len(const char *path);

HR_API HR_CHECKED hr_status hr_get_start(hr_client *client, const hr_get_options *options,
                                         hr_get **get_out, hr_error *error);
/* HR_AGAIN until it is over. HR_OK: all of it is published and verified. */
HR_API hr_status hr_get_status(const hr_get *get);
HR_API const hr_error *hr_get_error(const hr_get *get);
HR_API hr_get_progress hr_get_count(const hr_get *get);
/* "tcp, 1 link, host slots, O_DIRECT", and why a better path was not taken. */
HR_API const char *hr_get_path(const hr_get *get);
/* Any thread and signal handlers: ends it as HR_CANCELED, resumable, as soon as nothing can land
 * any more. */
HR_API void hr_get_cancel(hr_get *get);
/* Cancels first if it still runs, and steps the engine until it is over. */
HR_API void hr_get_destroy(hr_get *get);

/* ---- on a GPU ---- */

typedef struct hr_gpu hr_gpu;

/* Zero means default. */
typedef struct hr_gpu_options {
    unsigned device;     /* cuda:N */
    unsigned max_sms;    /* multiprocessors that decoding may take; 0: all */
    unsigned chunks_max; /* of one batch; 0: 256 */
} hr_gpu_options;

/* A chunk as a packed shard has it, in the GPU's memory. */
typedef struct hr_gpu_chunk {
    const void *stored;               /* codec 0: where the content begins in it */
    void *content;                    /* aligned to 16; NULL with codec 0: verified where it lies */
    uint32_t stored_len, content_len; /* content: at most 4 MiB */
    uint32_t content_crc;             /* CRC32C */
    uint32_t codec;                   /* 0 stored, 1 lz4, 3 planes */
} hr_gpu_chunk;

/* Takes everything that batches need, in the device's primary context, which CUDA's runtime uses
 * too. Blocks. HR_UNSUPPORTED: there is no GPU, or none that this build has kernels for;
 * HR_NOT_FOUND: none of this number. */
HR_API HR_CHECKED hr_status hr_gpu_open(const hr_gpu_options *options, hr_gpu **gpu_out,
                                        hr_error *error);
/* Waits for the batches under way. */
HR_API void hr_gpu_close(hr_gpu *gpu);
/* "NVIDIA H200" */
HR_API const char *hr_gpu_name(const hr_gpu *gpu);
/* Puts a batch into a stream (a CUstream or cudaStream_t of the primary context) and returns; the
 * host is not asked again. chunks may be forgotten at once; the memory that they name is lent until
 * the stream has come past. statuses: an hr_status a chunk, in memory that the GPU reaches: its
 * own, or pinned. HR_OK: decoded, and verified from what lies there; HR_INTEGRITY: not, and what
 * its content's place holds is not to be used. event: recorded behind it; NULL: none.
 * HR_AGAIN: four batches are under way already. HR_INVALID: an address or a length that cannot be;
 * nothing was started, and error names the chunk. */
HR_API HR_CHECKED hr_status hr_gpu_decode(hr_gpu *gpu, const hr_gpu_chunk *chunks, size_t count,
                                          int32_t *statuses, void *stream, void *event,
                                          hr_error *error);

/* ---- comparing ---- */

typedef struct hr_compare hr_compare;

/* Two clients of one engine; one of both may be the same. Everything is lent until
 * hr_compare_destroy. */
typedef struct hr_compare_options {
    hr_client *tree, *source;
    const char *tree_path, *source_path; /* "EXPORT/directory" */
    bool file;                           /* both are files, whatever their names */
    bool owner;                          /* also owner, group, setuid, setgid and sticky */
    const hr_rule *rules;                /* as in hr_get_options: what is not compared */
    size_t rule_count;
    /* For each difference; status is HR_OK, or why something could not be compared. */
    void (*differs)(void *context, const char *path, hr_status status, const char *text);
    void *context;
} hr_compare_options;

typedef struct hr_compare_progress {
    uint64_t files;                 /* in both */
    uint64_t bytes, bytes_compared; /* of files of the same size */
    uint64_t differences;
} hr_compare_progress;

/* Reads both trees: names, types, sizes, permissions, times, what symlinks say, and contents. */
HR_API HR_CHECKED hr_status hr_compare_start(const hr_compare_options *options,
                                             hr_compare **compare_out, hr_error *error);
/* HR_AGAIN until it is over. HR_OK: nothing differs. HR_INTEGRITY: something does. HR_PARTIAL: a
 * part could not be read. */
HR_API hr_status hr_compare_status(const hr_compare *compare);
HR_API const hr_error *hr_compare_error(const hr_compare *compare);
HR_API hr_compare_progress hr_compare_count(const hr_compare *compare);
HR_API void hr_compare_cancel(hr_compare *compare);
/* Cancels first if it still runs, and steps the engine until it is over. */
HR_API void hr_compare_destroy(hr_compare *compare);

/* ---- packing and verifying ---- */

typedef enum hr_pack_codec {
    HR_PACK_AUTO, /* of x.lz4 and x.zst what the name says; else what a sample gains most by, lz4
                     where nothing gains */
    HR_PACK_LZ4,
    HR_PACK_ZSTD,
    HR_PACK_PLANES, /* of bfloat16 and float32; read by Headrace only */
    HR_PACK_NONE,   /* only an index beside the file, so that it has stored digests */
} hr_pack_codec;

typedef struct hr_pack hr_pack;

typedef struct hr_pack_options {
    const char *source_path; /* a file, or a directory: then every file below it gets a shard */
    /* Of a directory another one: shards are named as their sources, and ".lz4", ".zst",
     * ".hrpacked". NULL with HR_PACK_NONE: source_path and ".hrindex", or beside every file. */
    const char *target_path;
    hr_pack_codec codec;
    int level;        /* as lz4 and zstd have them; 0: the codec's own */
    unsigned threads; /* 0: one a core */
    bool overwrite;   /* else a target that exists is HR_EXISTS, or kept, see files_kept */
    void (*file_done)(void *context, const hr_file_report *report); /* of a tree; may be NULL */
    void *context;
} hr_pack_options;

typedef struct hr_packed_progress {
    uint64_t bytes, bytes_done;   /* of content */
    uint64_t stored_bytes;        /* what they take in the shard so far, gaps included */
    uint64_t chunks, chunks_done; /* of the shard */
    uint64_t chunks_stored;       /* of those done: that are stored as they are */
    const char *codec; /* "lz4", "zstd", "planes", "none"; "" before it is known; of a tree
                          "several" if it is so */
    uint64_t files, files_failed; /* that were come to; of no tree 0 */
    uint64_t files_kept;          /* of them: packed before, and not older than their sources */
} hr_packed_progress;

/* Makes a packed shard of a file, which lz4 -d or zstd -d read too (docs/FORMAT.md), or of every
 * file of a tree. HR_PARTIAL: some files of the tree failed. */
HR_API HR_CHECKED hr_status hr_pack_start(hr_engine *engine, const hr_pack_options *options,
                                          hr_pack **pack_out, hr_error *error);
/* HR_AGAIN until it is over. HR_OK: the shard is whole, on stable storage, and has its name. */
HR_API hr_status hr_pack_status(const hr_pack *pack);
HR_API const hr_error *hr_pack_error(const hr_pack *pack);
HR_API hr_packed_progress hr_pack_count(const hr_pack *pack);
/* "zstd: a sample has a ratio of 3.10 (lz4 2.00, planes 1.00)"; "" before it was chosen, and of
 * a tree, whose files are told of one by one. */
HR_API const char *hr_pack_choice(const hr_pack *pack);
/* Any thread and signal handlers: ends it as HR_CANCELED; nothing of it stays. */
HR_API void hr_pack_cancel(hr_pack *pack);
/* Cancels first if it still runs, and steps the engine until it is over. */
HR_API void hr_pack_destroy(hr_pack *pack);

typedef struct hr_verify hr_verify;

typedef struct hr_verify_options {
    const char *path; /* a packed shard, an .hrindex, or a file that has one beside it */
    bool index_only;  /* reads and checks the index, and no chunk: what is it? */
    unsigned threads; /* 0: one a core */
} hr_verify_options;

/* Checks all digests of a shard, and that everything in it is accounted for. */
HR_API HR_CHECKED hr_status hr_verify_start(hr_engine *engine, const hr_verify_options *options,
                                            hr_verify **verify_out, hr_error *error);
/* HR_AGAIN until it is over. HR_NOT_FOUND: there is no such file; HR_UNSUPPORTED: it has no index
 * of Headrace; HR_INTEGRITY: it is damaged, and the error names the first place. */
HR_API hr_status hr_verify_status(const hr_verify *verify);
HR_API const hr_error *hr_verify_error(const hr_verify *verify);
/* With index_only all of it is counted as done. */
HR_API hr_packed_progress hr_verify_count(const hr_verify *verify);
HR_API void hr_verify_cancel(hr_verify *verify);
HR_API void hr_verify_destroy(hr_verify *verify);

/* ---- doctor ---- */

typedef enum hr_doctor_state {
    HR_DOCTOR_OK,
    HR_DOCTOR_LACKING,
    HR_DOCTOR_UNKNOWN, /* could not be tried */
} hr_doctor_state;

/* One thing that was tried. */
typedef struct hr_doctor_row {
    const char *topic; /* "rdma", "io_uring" */
    const char *name;  /* of the thing: "mlx5_0 port 1", "DEFER_TASKRUN" */
    hr_doctor_state state;
    char text[240];   /* what came of it */
    char remedy[160]; /* the command that mends a lack; "": there is none */
} hr_doctor_row;

typedef struct hr_doctor_options {
    const char *directory;  /* where files would be; NULL: the current one */
    size_t worker_pool_len; /* as in hr_engine_options: what has to fit under the limits */
    unsigned workers;
    void (*found)(void *context, const hr_doctor_row *row); /* row is good during the call */
    void *context;
} hr_doctor_options;

/* Tries, on this thread, what Headrace needs of a machine, and tells each result as it comes. What
 * is lacking is no failure; HR_NOT_FOUND: there is no such directory. */
HR_API HR_CHECKED hr_status hr_doctor_examine(const hr_doctor_options *options, hr_error *error);

#ifdef __cplusplus
}
#endif

#endif
