/* SPDX-License-Identifier: Apache-2.0 */
/* hr_journal: the verified chunks of an unfinished file, so that the next run continues. Here are
 * its bytes; who writes them where is the caller's business. Pure.
 *
 * A header of 64 bytes, then records of 32 bytes, each with its own CRC. The first record that is
 * not right ends the journal. Layout: docs/FORMAT.md, "The journal".
 *
 * A VERIFIED record is believed if the page cache that held the chunk still exists (the same boot
 * of the same host) or if a FLUSHED record follows it within its boot. Otherwise the chunk is
 * doubtful: it must be read and digested again. */
#ifndef HR_JOURNAL_H
#define HR_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunk.h"
#include "status.h"

#define HR_JOURNAL_HEADER_LEN 64
#define HR_JOURNAL_RECORD_LEN 32

typedef struct hr_journal_header {
    uint8_t identity[16]; /* of the shard */
    uint8_t boot[16];     /* of the host that writes: /proc/sys/kernel/random/boot_id */
    uint64_t content_len;
    uint32_t chunk_len;
    /* CRC32C of what ties the journal to its data file: the target's name and the data file's
     * inode. A journal that outlived its file must not vouch for the next one. */
    uint32_t target;
} hr_journal_header;

/* ---- writing ---- */

/* Where the writer is. The caller writes what a call packs at hr_journal_offset as it was before
 * the call, in the order of the calls. */
typedef struct hr_journal {
    uint32_t seed; /* the header's CRC: records of another journal do not pass for this one's */
    uint32_t sequence;
} hr_journal;

void hr_journal_begin(hr_journal *journal, const hr_journal_header *header,
                      uint8_t bytes_out[HR_JOURNAL_HEADER_LEN]);
/* Only after the chunk's write has completed. */
void hr_journal_verified(hr_journal *journal, uint32_t chunk, uint32_t content_len, uint32_t crc,
                         uint8_t bytes_out[HR_JOURNAL_RECORD_LEN]);
/* Only after an fdatasync of the data that began after the last VERIFIED record was packed. */
void hr_journal_flushed(hr_journal *journal, uint8_t bytes_out[HR_JOURNAL_RECORD_LEN]);
/* The first record of a run on another boot than the one before it. */
void hr_journal_boot(hr_journal *journal, const uint8_t boot[16],
                     uint8_t bytes_out[HR_JOURNAL_RECORD_LEN]);

static inline uint64_t hr_journal_offset(const hr_journal *journal)
{
    return HR_JOURNAL_HEADER_LEN + (uint64_t)journal->sequence * HR_JOURNAL_RECORD_LEN;
}

/* ---- reading ---- */

typedef struct hr_journal_reader {
    hr_journal journal; /* behind the last good record */
    hr_chunk *chunks;
    uint32_t chunk_count;
    uint64_t content_len;
    uint32_t chunk_len;
    uint32_t pending_first; /* chunks whose fate is open: list through hr_chunk.next */
    uint8_t boot_now[16];
    uint8_t boot[16]; /* of the records being read */
    bool ended;
} hr_journal_reader;

/* now: what this run would write as its header. chunks: chunk_count elements, all zero, where
 * chunk_count is that of now. HR_INTEGRITY: not a journal, or its header is torn. HR_CHANGED: a
 * journal of other content or of another target. In both cases a new journal begins. */
HR_CHECKED hr_status hr_journal_open(hr_journal_reader *reader,
                                     const uint8_t bytes[HR_JOURNAL_HEADER_LEN],
                                     const hr_journal_header *now, hr_chunk *chunks,
                                     uint32_t chunk_count);
/* Reads whole records, in pieces of any length that is a multiple of HR_JOURNAL_RECORD_LEN (a rest
 * is a torn record and ends the journal). False: the journal has ended, more is ignored. */
bool hr_journal_read(hr_journal_reader *reader, const uint8_t *bytes, size_t len);
/* Settles every chunk: MISSING, DOUBTFUL or VERIFIED. journal_out goes on writing behind the last
 * good record (the caller truncates there). True: this is another boot, and the first record to be
 * written is hr_journal_boot. */
bool hr_journal_finish(hr_journal_reader *reader, hr_journal *journal_out);

#endif
