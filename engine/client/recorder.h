/* SPDX-License-Identifier: Apache-2.0 */
/* hr_recorder: appends to a journal what is verified, while the data file is written by others, and
 * flushes both from time to time. One request at a time: what is noted meanwhile waits. On worker
 * 0. */
#ifndef HR_RECORDER_H
#define HR_RECORDER_H

#include "env.h"
#include "journal.h"
#include "storage.h"

/* Notes that wait while data is flushed; a recorder that has more is full, and no new chunk should
 * be started. Room is left for those that are under way. */
#define HR_RECORDER_FULL 1024
#define HR_RECORDER_MAX  4096

/* The most that one request writes. */
#define HR_RECORDER_BUFFER_LEN (64u << 10)

typedef struct hr_recorder_events {
    /* The request could not be done; not after hr_recorder_end. */
    void (*failed)(void *context, const char *what, const hr_io *io);
    void (*idle)(void *context); /* nothing waits and nothing is under way */
} hr_recorder_events;

typedef struct hr_recorder_note {
    uint32_t chunk, len, crc;
} hr_recorder_note;

typedef struct hr_recorder {
    hr_storage *storage;
    const hr_recorder_events *events;
    void *context;
    hr_file *journal_file, *data_file;
    hr_journal journal;
    uint64_t flush_len; /* bytes noted between two flushes */
    uint8_t *buffer;

    hr_io io;
    bool busy, ending, flush_wanted;
    bool poisoned;           /* a flush has failed: nothing that was written is believed */
    hr_recorder_note *notes; /* a ring */
    size_t first, count;
    uint64_t unflushed_len;
} hr_recorder;

/* buffer: of HR_RECORDER_BUFFER_LEN, the caller's, who leaves it alone from start on; notes has
 * room for HR_RECORDER_MAX. */
void hr_recorder_init(hr_recorder *recorder, hr_storage *storage, uint64_t flush_len,
                      uint8_t *buffer, hr_recorder_note *notes, const hr_recorder_events *events,
                      void *context);
/* Goes on behind what was written to the journal before. */
void hr_recorder_start(hr_recorder *recorder, hr_file *journal_file, hr_file *data_file,
                       const hr_journal *journal);
/* The chunk lies in the data file, verified. */
void hr_recorder_add(hr_recorder *recorder, uint32_t chunk, uint32_t len, uint32_t crc);
static inline bool hr_recorder_is_full(const hr_recorder *recorder)
{
    return recorder->count >= HR_RECORDER_FULL;
}
/* The last notes and a last flush, or with forget none of it; idle follows, maybe at once. */
void hr_recorder_end(hr_recorder *recorder, bool forget);

#endif
