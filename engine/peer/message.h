/* SPDX-License-Identifier: Apache-2.0 */
/* hr_message: the control messages as plain structs, to bytes and back. Meaning, order and limits
 * are in docs/PROTOCOL.md under the same names. Pure.
 *
 * What is unpacked points into the arena and is good until the arena is used again; every hr_bytes
 * in it is followed by a zero byte. Every number and length in it is within the limits below; that
 * it fits what went before (a known transfer, a chunk of it) is for the session to judge. */
#ifndef HR_MESSAGE_H
#define HR_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "framing.h"
#include "greeting.h"
#include "seal.h"
#include "status.h"

#define HR_PROTOCOL_MAJOR 1
#define HR_PROTOCOL_MINOR 1

/* Features, as hello and welcome carry them. */
#define HR_FEATURE_AEAD (UINT64_C(1) << 6) /* payloads of some exports come sealed */

/* The limits of PROTOCOL.md. */
#define HR_MESSAGE_BODY_MAX         (64u << 10)  /* bytes of a body that is no list page */
#define HR_MESSAGE_PAGE_MAX         (256u << 10) /* bytes of a body with entries */
#define HR_MESSAGE_PATH_MAX         32767u       /* bytes: export, slash, path inside it */
#define HR_MESSAGE_PATH_PLAIN       4095u        /* of them without HR_FEATURE_DEEP */
#define HR_MESSAGE_TARGET_MAX       4095u        /* bytes: what a symlink says */
#define HR_MESSAGE_NAME_MAX         255u
#define HR_MESSAGE_TEXT_MAX         499u /* an hr_error holds it and its terminator */
#define HR_MESSAGE_ADDRESS_MAX      255u
#define HR_MESSAGE_FAMILY_MAX       15u                  /* "tcp", "verbs" */
#define HR_MESSAGE_DIGEST_MAX       (UINT64_C(64) << 20) /* bytes of content in one digest */
#define HR_MESSAGE_DIGESTS_MAX      16u                  /* unanswered in one session */
#define HR_MESSAGE_XATTRS_MAX       16384u               /* bytes of one entry's */
#define HR_MESSAGE_ENTRIES_MAX      2048u                /* in one page */
#define HR_MESSAGE_LISTS_MAX        2u                   /* unanswered */
#define HR_MESSAGE_FOLDERS_MAX      256u                 /* directories of one list */
#define HR_MESSAGE_GRANTS_MAX       256u                 /* in one message */
#define HR_MESSAGE_SMALL_MAX        2048u                /* files in one transfer of bundles */
#define HR_MESSAGE_REGIONS_MAX      1024u                /* in one message */
#define HR_MESSAGE_LINKS_MAX        64u                  /* asked for in one message */
#define HR_MESSAGE_RAILS_MAX        64u
#define HR_MESSAGE_HEARTBEAT_MS     1000u /* what a server asks for */
#define HR_MESSAGE_HEARTBEAT_MS_MIN 100u
#define HR_MESSAGE_HEARTBEAT_MS_MAX 10000u
#define HR_MESSAGE_DIRECT_MAX       (32u << 10) /* bytes of opened.direct: of 1 TiB */
#define HR_ID_LEN                   16

/* Bits of features in hello and welcome. */
#define HR_FEATURE_BUNDLES (UINT64_C(1) << 0) /* open_bundles */
#define HR_FEATURE_PACKED  (UINT64_C(1) << 1) /* open.content and its answer */
#define HR_FEATURE_DIGESTS (UINT64_C(1) << 2) /* digest and digested */
#define HR_FEATURE_DEEP    (UINT64_C(1) << 3) /* paths of more than HR_MESSAGE_PATH_PLAIN bytes */
#define HR_FEATURE_LISTS   (UINT64_C(1) << 4) /* HR_MESSAGE_LISTS_MAX lists at once */
#define HR_FEATURE_FOLDERS (UINT64_C(1) << 5) /* list.folders and entries.counts */
/* Of this build. */
#define HR_FEATURES                                                                                \
    (HR_FEATURE_BUNDLES | HR_FEATURE_PACKED | HR_FEATURE_DIGESTS | HR_FEATURE_DEEP |               \
     HR_FEATURE_LISTS | HR_FEATURE_FOLDERS)

/* Enough arena for every message within the limits, to pack or unpack it. */
#define HR_MESSAGE_ARENA_LEN      (512u << 10)
#define HR_MESSAGE_PAGE_ARENA_LEN (1u << 20)

typedef enum hr_side {
    HR_SIDE_CLIENT,
    HR_SIDE_SERVER,
} hr_side;

/* The numbers are those of the envelope's fields and never reused. */
typedef enum hr_message_kind {
    HR_MESSAGE_HINT = 0, /* one that this build does not know and may skip; never packed */
    HR_MESSAGE_HELLO = 1,
    HR_MESSAGE_WELCOME = 2,
    HR_MESSAGE_LIST = 3,
    HR_MESSAGE_ENTRIES = 4,
    HR_MESSAGE_OPEN = 5,
    HR_MESSAGE_OPENED = 6,
    HR_MESSAGE_KEYS = 7,
    HR_MESSAGE_TICKETS = 8,
    HR_MESSAGE_GRANT = 9,
    HR_MESSAGE_FAILED = 10,
    HR_MESSAGE_CANCEL = 11,
    HR_MESSAGE_CLOSE = 12,
    HR_MESSAGE_CLOSED = 13,
    HR_MESSAGE_ERROR = 14,
    HR_MESSAGE_PING = 15,
    HR_MESSAGE_PONG = 16,
    HR_MESSAGE_JOINED = 17,
    HR_MESSAGE_PARTED = 18,
    HR_MESSAGE_OPEN_BUNDLES = 20,
    HR_MESSAGE_DIGEST = 40,
    HR_MESSAGE_DIGESTED = 41,
} hr_message_kind;

/* Bytes that mean something to people or file systems; no encoding is assumed. Quote before
 * printing. */
typedef struct hr_bytes {
    const uint8_t *at;
    size_t len;
} hr_bytes;

typedef struct hr_message_hello {
    uint32_t major, minor;
    uint64_t features; /* that the client can */
    hr_bytes name;     /* of the client, for the server's log; may be empty */
} hr_message_hello;

typedef struct hr_message_welcome {
    uint32_t major, minor;
    uint64_t features;       /* that both can and the server wants */
    uint8_t boot[HR_ID_LEN]; /* random at each start of the server */
    uint64_t session;
    uint32_t links_max; /* that one session may have at once */
    uint32_t heartbeat_ms;
} hr_message_welcome;

typedef struct hr_message_list {
    uint32_t request;        /* the client's number, repeated in the answer */
    hr_bytes path;           /* export/path; empty: the exports */
    uint64_t cookie;         /* 0, or that of the page before */
    uint32_t entries_max;    /* 1 to HR_MESSAGE_ENTRIES_MAX */
    bool xattrs;             /* extended attributes too */
    const hr_bytes *folders; /* below path: these are listed, and not path itself */
    size_t folder_count;
} hr_message_list;

/* On the wire; never renumbered. */
typedef enum hr_node_type {
    HR_NODE_REGULAR = 1,
    HR_NODE_DIRECTORY = 2, /* exports too */
    HR_NODE_SYMLINK = 3,
    HR_NODE_SPECIAL = 4, /* device, fifo, socket */
} hr_node_type;

typedef struct hr_message_entry {
    hr_bytes name; /* one component: no slash, no zero byte, not "." or ".." */
    uint32_t type; /* hr_node_type, or one of a later minor */
    uint32_t mode; /* permission bits, 07777 */
    uint64_t size;
    int64_t mtime_ns, ctime_ns; /* since 1970 */
    hr_bytes target;            /* of a symlink */
    uint32_t uid, gid;
    /* Of a regular file with more names than one: which one it is. Else 0. */
    uint64_t inode, device;
    uint32_t links;
    hr_bytes xattrs;  /* at most HR_MESSAGE_XATTRS_MAX */
    bool xattrs_lost; /* they cannot be told: there are too many, or they cannot be read */
    bool sparse;      /* it takes less space than its size: zeros may become holes */
} hr_message_entry;

typedef struct hr_message_entries {
    uint32_t request;
    hr_status status;
    hr_bytes text;
    uint64_t cookie; /* for the next page; 0: this was the last */
    const hr_message_entry *entries;
    size_t count;
    const uint32_t *counts; /* of a list of folders: entries of each of the first of them */
    size_t folder_count;    /* that this is the answer for */
} hr_message_entries;

typedef struct hr_message_open {
    uint64_t transfer; /* the client's number, never used again in this session */
    hr_bytes path;
    bool content; /* of a packed shard: what is packed in it, and not its own bytes */
    bool listed;  /* as a file: what became a symlink is not followed */
} hr_message_open;

/* A file that is small enough for a bundle. */
typedef struct hr_message_small {
    hr_bytes directory; /* below the message's path, "." is that itself; empty: as before */
    hr_bytes name;
    uint32_t size; /* as they were listed */
    int64_t mtime_ns, ctime_ns;
} hr_message_small;

typedef struct hr_message_open_bundles {
    uint64_t transfer; /* as of open */
    hr_bytes path;     /* of a directory */
    const hr_message_small *files;
    size_t count; /* 1 to HR_MESSAGE_SMALL_MAX */
} hr_message_open_bundles;

typedef struct hr_message_opened {
    uint64_t transfer;
    hr_status status;
    hr_bytes text; /* with HR_OK: why content was asked for and the file comes as it is, or empty */
    uint8_t identity[HR_ID_LEN]; /* this and what follows: zero unless status is HR_OK */
    uint32_t type; /* HR_NODE_REGULAR, or HR_NODE_DIRECTORY: then there is no transfer, list it */
    uint32_t mode;
    uint64_t size; /* content bytes; 0 of a directory */
    int64_t mtime_ns;
    uint32_t chunk_len;
    uint32_t codec; /* hr_codec_id of the chunks that are compressed; stored: none is */
    /* Of a packed shard whose content was asked for: */
    uint64_t stored_len; /* of the shard itself */
    hr_bytes direct;     /* bit n % 8 of byte n / 8: chunk n is stored as it is. Empty: not told */
    bool sparse;         /* it has holes: what is all zeros need not take space */
    uint32_t uid, gid;
    uint32_t cipher;                /* hr_cipher: of the payloads */
    uint8_t salt[HR_SEAL_SALT_LEN]; /* of their key; zero in clear */
} hr_message_opened;

typedef struct hr_region_key {
    uint32_t index; /* the client's number, as in grants */
    uint64_t address;
    uint64_t len;
    uint32_t rkey;
} hr_region_key;

/* Where the receipts of an RDMA link land. */
typedef struct hr_ring_key {
    uint32_t link;
    uint64_t address;
    uint32_t rkey;
} hr_ring_key;

typedef struct hr_message_keys {
    uint32_t first_link; /* tickets are wanted for links first_link, first_link + 1, ... */
    uint32_t links;      /* that many; 0 when only regions and rings are told */
    const hr_region_key *regions;
    size_t region_count;
    const hr_ring_key *rings;
    size_t ring_count;
} hr_message_keys;

typedef struct hr_ticket {
    uint32_t link;
    uint8_t ticket[HR_TICKET_LEN];
} hr_ticket;

typedef struct hr_rail {
    hr_bytes family; /* "tcp", "verbs" */
    /* Of the family. tcp: "host:port"; empty: where the channel was connected to. */
    hr_bytes address;
} hr_rail;

typedef struct hr_message_tickets {
    hr_status status;
    hr_bytes text;
    const hr_ticket *tickets;
    size_t ticket_count;
    const hr_rail *rails;
    size_t rail_count;
} hr_message_tickets;

/* The server has taken this link: from now on grants may name it. A grant could otherwise overtake
 * the greeting of its link, as they cross on different connections. */
typedef struct hr_message_joined {
    uint32_t link;
} hr_message_joined;

/* Its sender's end of an RDMA link is gone. */
typedef struct hr_message_parted {
    uint32_t link;
} hr_message_parted;

enum {
    HR_GRANT_COMPLAIN = 1 << 0, /* what came before did not match its digest: read again, and do
                                   not trust a stored digest */
};

typedef struct hr_grant {
    uint64_t transfer;
    uint32_t chunk;
    uint32_t generation;
    uint32_t link;
    uint32_t region;
    uint64_t offset;
    uint32_t flags;
} hr_grant;

typedef struct hr_message_grant {
    const hr_grant *grants; /* at least one */
    size_t count;
} hr_message_grant;

typedef struct hr_message_failed {
    uint64_t transfer;
    uint32_t chunk;
    uint32_t generation;
    hr_status status; /* never HR_OK */
    hr_bytes text;
} hr_message_failed;

typedef struct hr_message_cancel {
    uint64_t transfer;
} hr_message_cancel;

typedef struct hr_message_close {
    uint64_t transfer;
} hr_message_close;

typedef struct hr_message_closed {
    uint64_t transfer;
    hr_status status; /* HR_OK, HR_CHANGED, HR_CANCELED or a failure to look */
    hr_bytes text;
} hr_message_closed;

/* What is a part of a file's content? */
typedef struct hr_message_digest {
    uint32_t request; /* the client's number, repeated in the answer */
    hr_bytes path;    /* not empty */
    uint64_t offset;  /* a multiple of HR_CHUNK_LEN */
    uint64_t len;     /* 1 to HR_MESSAGE_DIGEST_MAX; the file may end before */
} hr_message_digest;

typedef struct hr_message_digested {
    uint32_t request;
    hr_status status;
    hr_bytes text;
    uint8_t identity[HR_ID_LEN]; /* this and what follows: zero unless status is HR_OK */
    uint64_t size;               /* of the whole file */
    uint32_t crc32c;
} hr_message_digested;

typedef struct hr_message_error {
    hr_status status; /* never HR_OK */
    hr_bytes text;
} hr_message_error;

typedef struct hr_message_ping {
    uint64_t number;
} hr_message_ping;

typedef struct hr_message {
    hr_message_kind kind;
    union {
        hr_message_hello hello;
        hr_message_welcome welcome;
        hr_message_list list;
        hr_message_entries entries;
        hr_message_open open;
        hr_message_open_bundles open_bundles;
        hr_message_opened opened;
        hr_message_keys keys;
        hr_message_tickets tickets;
        hr_message_joined joined;
        hr_message_parted parted;
        hr_message_grant grant;
        hr_message_failed failed;
        hr_message_cancel cancel;
        hr_message_close close;
        hr_message_closed closed;
        hr_message_error error;
        hr_message_ping ping; /* and pong */
        hr_message_digest digest;
        hr_message_digested digested;
    };
} hr_message;

/* "hello" */
const char *hr_message_name(hr_message_kind kind);

/* Packs header and body into frame_out and tells how long both are. The arena is scratch, used from
 * its start. HR_INVALID: something is outside the limits or does not fit into frame_max. */
HR_CHECKED hr_status hr_message_pack(const hr_message *message, hr_arena *arena, uint8_t *frame_out,
                                     size_t frame_max, size_t *len_out);

/* Unpacks a body that sender sent; the arena is used from its start. HR_PROTOCOL: malformed,
 * outside the limits, not sender's to say, or larger than the arena. */
HR_CHECKED hr_status hr_message_unpack(const uint8_t *body, size_t len, hr_side sender,
                                       hr_arena *arena, hr_message *message_out);

/* HR_INVALID if a number, a length or a name is outside the limits. Both calls above do it. */
HR_CHECKED hr_status hr_message_check(const hr_message *message);
/* Whether this side may say it at all. */
bool hr_message_is_from(hr_message_kind kind, hr_side sender);

/* Bytes that a file of open_bundles takes at most; beside them there are the path and
 * HR_MESSAGE_PAGE_HEAD. */
#define HR_MESSAGE_PAGE_HEAD 1024u
size_t hr_message_small_len(const hr_message_small *file);

static inline hr_bytes hr_bytes_make(const void *at, size_t len)
{
    hr_bytes bytes = {(const uint8_t *)at, len};
    return bytes;
}

#endif
