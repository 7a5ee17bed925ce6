/* SPDX-License-Identifier: Apache-2.0 */
/* hr_index_load: reads the index at the end of a file, checks all of it, and keeps of each row what
 * a server needs to send its chunk. On worker 0; one load at a time. */
#ifndef HR_INDEX_LOAD_H
#define HR_INDEX_LOAD_H

#include "env.h"
#include "index.h"
#include "storage.h"

/* What all the tables of a server may take together: the indexes of 5 TiB that are open at once. */
#define HR_INDEX_TABLES_MAX (32u << 20)

typedef struct hr_index_entry {
    uint64_t stored_offset;
    uint32_t stored_len, stored_crc, content_crc;
    uint16_t content_at;
    uint8_t codec;
} hr_index_entry;

typedef struct hr_index_table {
    hr_index_tail tail;
    hr_index_entry *entries; /* tail.chunk_count; NULL: there is no index */
    size_t len;              /* bytes, as counted in the budget */
} hr_index_table;

typedef struct hr_index_load hr_index_load;
struct hr_index_load {
    const hr_env *env;
    hr_storage *storage;
    hr_file *file;
    uint64_t file_len;
    size_t *tables_len; /* the server's, see HR_INDEX_TABLES_MAX */
    void (*done)(hr_index_load *load, hr_status status);
    void *context;
    hr_index_table table; /* with HR_OK: the caller's from then on */
    char text[160];       /* with a failure: what is wrong, for a sentence about the file */

    hr_io io;
    hr_index_reader reader;
    uint8_t *memory, *buffer; /* buffer is aligned */
    uint32_t pages_read;      /* in buffer */
};

/* Whether a file of this length can end with an index at all. */
static inline bool hr_index_can_end(uint64_t file_len)
{
    return file_len % HR_INDEX_ALIGN == HR_INDEX_TAIL_LEN && file_len > HR_INDEX_PAGE_LEN;
}

/* Fill in the members above table; the file may be open O_DIRECT. done follows, perhaps within the
 * call. HR_NOT_FOUND: there is no index. */
void hr_index_load_start(hr_index_load *load);
/* Gives back what a table holds. An empty one is accepted. */
void hr_index_table_release(hr_index_table *table, const hr_env *env, size_t *tables_len);

#endif
