/* SPDX-License-Identifier: Apache-2.0 */
/* hr_draft: a file until it has its name. The bytes are written into .headrace-<16 hex> beside the
 * target; .headrace-<16 hex>.journal says which chunks are there and verified, and its lock keeps a
 * second stager out. On worker 0; the chunks themselves are written by parts.
 *
 *   opening -ready-> open -finish-> syncing -synced-> synced -publish-> publishing -published->
 * closed any of them -failed-> the owner closes it: keeping it for the next run, or not -> closed
 *
 * After a failed sync nothing of it is believed: it is thrown away even if it was to be kept. */
#ifndef HR_DRAFT_H
#define HR_DRAFT_H

#include "chunk.h"
#include "env.h"
#include "journal.h"
#include "recorder.h"
#include "source.h"
#include "storage.h"

typedef struct hr_draft_events {
    void (*ready)(void *context);     /* the chunks given to open say what is there */
    void (*synced)(void *context);    /* all of it is on stable storage, still without its name */
    void (*published)(void *context); /* it has its name, and the directory says so after a crash */
    void (*failed)(void *context, hr_status status, const char *text);
    /* Instead of ready: the target is there, of the source's size and time (keep_same). */
    void (*same)(void *context);
    void (*closed)(void *context); /* nothing is under way any more, everything is closed */
} hr_draft_events;

#define HR_DRAFT_CAME                                                                              \
    " got its name from somebody else meanwhile, or from a name that differs only in case, where " \
    "the file system takes both for one"

typedef struct hr_draft_options {
    hr_dir *dir;
    const char *name;  /* beneath dir, may have slashes */
    const char *shown; /* how messages name the target */
    uint8_t identity[HR_IDENTITY_LEN];
    uint8_t boot[16]; /* of this host */
    uint64_t size;
    int64_t mtime_ns; /* of the source: the file gets it, as the mode */
    uint32_t mode;
    uint32_t uid, gid; /* with owner */
    bool owner;        /* the file is given to them too */
    bool sparse;       /* the source has holes: no space is reserved */
    uint32_t chunk_len;
    bool overwrite;
    bool fresh;         /* there was none of this name: one that is there now is another's */
    bool keep_same;     /* a target of this size and time was brought before */
    bool look;          /* only reads what an earlier run left: makes and changes nothing */
    uint64_t flush_len; /* bytes between flushes of data and journal; 0: 4 GiB */
} hr_draft_options;

typedef struct hr_draft {
    const hr_env *env;
    hr_storage *storage;
    const hr_draft_events *events;
    void *context;
    hr_draft_options options;
    hr_chunk *chunks;
    uint32_t chunk_count;
    hr_file *file;
    bool owned; /* the lock is held: the temporary files are ours */
    bool opened, fresh, published, poisoned, keep;
    bool owner_lost;    /* giving it its owner was not permitted */
    bool found;         /* an earlier run left a journal, and nothing speaks against it yet */
    hr_file_info there; /* what has the name, and stays */
    bool taken;         /* it is not what the source is */
    char *name, *data_path, *journal_path; /* beneath the directory */
    char *parent;                          /* the start of the memory of all four */
    char shown[300];

    hr_io io; /* one step after the other */
    bool stepping;
    hr_file *journal_file;
    hr_journal journal;
    hr_journal_reader reader;
    uint64_t journal_inode, data_inode, read_at;
    unsigned lock_tries;
    uint8_t *buffer; /* of the journal that is read; from ready on the recorder's */

    hr_recorder recorder;
    hr_recorder_note *notes;
    bool closing;
} hr_draft;

/* chunks: all zero, as many as the size has; they stay the caller's and must outlive the draft. */
HR_CHECKED hr_status hr_draft_open(hr_draft *draft, const hr_env *env, hr_storage *storage,
                                   const hr_draft_options *options, hr_chunk *chunks,
                                   const hr_draft_events *events, void *context);
/* The chunk lies in the file, verified. */
void hr_draft_note(hr_draft *draft, uint32_t chunk, uint32_t len, uint32_t crc);
static inline bool hr_draft_is_full(const hr_draft *draft)
{
    return hr_recorder_is_full(&draft->recorder);
}
/* What lies in the file is not what was written: it is thrown away, whatever close says. */
void hr_draft_distrust(hr_draft *draft);
/* Every chunk is noted: cuts it to its size and syncs it; synced follows. */
void hr_draft_finish(hr_draft *draft);
/* After synced: gives it its name; published follows, and it is closed. */
void hr_draft_publish(hr_draft *draft);
/* Not before ready, same or failed. closed follows. keep: the next run continues from it. No part
 * writes any more. */
void hr_draft_close(hr_draft *draft, bool keep);

/* ---- between its own files ---- */

/* draft.c: one request at a time, and how it fails. */

/* The request, zeroed but for the directory. */
hr_io *hr_draft_io(hr_draft *draft);
void hr_draft_step(hr_draft *draft, hr_io_kind kind, void (*done)(hr_io *io));
/* In done. */
hr_draft *hr_draft_stepped(hr_io *io);
void hr_draft_fail(hr_draft *draft, hr_status status, const char *format, ...) HR_PRINTF(3, 4);
void hr_draft_fail_io(hr_draft *draft, const char *what, const hr_io *io);
/* Mode, time and owner that the file is to have. */
void hr_draft_set_stamp(const hr_draft *draft, hr_io *io);

/* Where the journal of a file is that an interrupted run leaves: as snprintf, with room for
 * HR_DRAFT_JOURNAL_EXTRA more than the path has, the 0 at its end included. */
#define HR_DRAFT_JOURNAL_EXTRA (sizeof ".headrace-0123456789abcdef.journal")
size_t hr_draft_journal_path(const char *path, char *out, size_t size);

/* draft_open.c: ready, same or failed follows. */
void hr_draft_look_up(hr_draft *draft);

#endif
