/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of hr_verify: verify.c reads the index and checks the chunks, verify_open.c finds
 * where either is. On worker 0. */
#ifndef HR_VERIFY_H
#define HR_VERIFY_H

#include "crew.h"
#include "engine.h"

#define HR_VERIFY_SUFFIX ".hrindex"

struct hr_verify {
    hr_engine *engine;
    const hr_env *env;
    hr_storage *storage;
    hr_verify_options options;
    char path[HR_PATH_MAX], index_path[HR_PATH_MAX + sizeof HR_VERIFY_SUFFIX];
    char shown[4 * 80];
    hr_status status;
    hr_error error;

    hr_io io;                         /* one step after the other, beside those of the seats */
    hr_file *index_file, *chunk_file; /* the same one, but beside a plain file */
    uint64_t index_size, chunk_size;
    hr_index_tail tail;
    hr_index_reader reader;
    hr_span buffer;
    uint32_t buffer_page, buffer_count; /* pages that lie in it */
    hr_index_row rows[HR_INDEX_PAGE_ROWS];
    bool index_checked;

    hr_crew crew;
    uint32_t next;
    uint32_t bad_chunk; /* the first one that is wrong */
    hr_error bad;
    unsigned under_way;
    bool closing, loading, begins_packed;
    hr_packed_progress progress;

    hr_letter cancel_letter;
    bool cancel_posted, cancel_taken; /* posted: through __atomic */
};

/* Ends it, once nothing is under way. */
void hr_verify_fail(hr_verify *verify, hr_status status, const char *format, ...) HR_PRINTF(3, 4);
/* "opening /a/file: ..." */
void hr_verify_fail_io(hr_verify *verify, const char *what, const hr_io *io);
/* One thing less is under way. True: go on; false: it has failed meanwhile. */
bool hr_verify_landed(hr_verify *verify);
void hr_verify_submit(hr_verify *verify, hr_io *io);
/* Into the buffer. */
void hr_verify_read_index(hr_verify *verify, uint64_t offset, size_t len, void (*done)(hr_io *io));

/* verify_open.c: opens the file that was named, and what lies beside it. */
void hr_verify_open(hr_verify *verify);
/* Back in verify.c: both files are open, and the end of the index was read. */
void hr_verify_opened(hr_verify *verify);

#endif
