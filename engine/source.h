/* SPDX-License-Identifier: Apache-2.0 */
/* hr_source: one shard that a session has open. Made and ended on worker 0; senders only read what
 * does not change, and the flag. */
#ifndef HR_SOURCE_H
#define HR_SOURCE_H

#include "gather.h"
#include "index_load.h"
#include "list.h"
#include "mailbox.h"
#include "message.h"
#include "seal.h"
#include "storage.h"

#define HR_IDENTITY_LEN 16

typedef struct hr_source hr_source;
struct hr_source {
    uint64_t transfer; /* the client's number */
    hr_file *file;
    hr_gather *gather;    /* instead of file: its chunks are bundles */
    uint64_t gather_len;  /* bytes that the tenant was charged for it */
    bool content;         /* was asked for, if it is a packed shard */
    bool listed;          /* as a file: a symlink by now has changed */
    hr_index_table table; /* without entries: digests are computed */
    uint64_t size;        /* of what is offered: the file, or the content of a packed shard */
    uint32_t chunk_len;
    uint8_t identity[HR_IDENTITY_LEN];
    hr_file_info info; /* when it was opened */
    bool is_probe;     /* no file: the bytes of probe.h */
    hr_seal_key key;   /* of its chunks */
    uint32_t sealed;   /* through __atomic: how many */
    bool canceled;     /* through __atomic: shipments that have not started go back */
    uint64_t attached; /* through __atomic: bit n: the storage of worker n knows the file */

    /* worker 0's */
    hr_list node;
    hr_io io;
    void *session;
    hr_letter detach_letter;
    unsigned detaching;   /* the worker that has it */
    unsigned outstanding; /* shipments that are not back */
    uint64_t bytes_sent, since_ns;
    hr_status ended; /* for the audit */
    bool opened, closing, wants_answer;
    uint8_t salt[HR_SEAL_SALT_LEN]; /* of the key */

    /* while it is opened */
    hr_dir *dir;
    const char *name; /* beneath dir */
    hr_file *index_file;
    hr_index_load load;
    uint8_t *head_memory, *head; /* head is aligned */
    void (*indexed)(hr_source *source, hr_status status);
    char note[200];   /* what is to be said about its index */
    uint8_t *direct;  /* of a packed shard, as in opened; NULL: it would be too long */
    char *index_name; /* while it is looked for beside the file */
    char *path;       /* with its export; lies behind the source */
};

/* Of source_index.c: looks for the index of a file that was just opened, at its end (if its content
 * was asked for) or beside it, and sets table, size and chunk_len. source->indexed is called,
 * perhaps within the call; a failure is one of a packed shard that cannot be unpacked, and note has
 * the sentence. An index beside a file that cannot be used is a note and no failure. */
void hr_source_find_index(hr_source *source, const hr_env *env, hr_storage *storage,
                          size_t *tables_len);
/* Whether the chunks of the table are what crosses, and not the bytes of the file. Pure. */
static inline bool hr_source_is_packed(const hr_source *source)
{
    return source->table.entries != NULL && source->table.tail.container != HR_CONTAINER_BESIDE;
}

/* Of a packed shard: makes direct, and says what opened tells of it. */
HR_CHECKED hr_status hr_source_make_direct(hr_source *source, const hr_env *env);
void hr_source_describe(const hr_source *source, hr_message_opened *opened);

/* What crosses of a chunk, and where it lies in the file. Pure. */
typedef struct hr_extent {
    uint64_t offset;
    uint32_t len, content_len;
    uint8_t codec;
    bool has_digests;
    uint32_t crc, content_crc;
} hr_extent;
hr_extent hr_source_extent(const hr_source *source, uint32_t chunk);

/* Section 6 of the design: which version of which file this is. Survives a restart of the server; a
 * source that was changed has another one. Pure. */
void hr_source_identify(const char *path, const hr_file_info *info,
                        uint8_t identity_out[HR_IDENTITY_LEN]);
/* In which respect two looks at an open file differ, for a sentence; NULL if in none that the
 * identity is made of. Pure. */
const char *hr_source_difference(const hr_file_info *before, const hr_file_info *now);

#endif
