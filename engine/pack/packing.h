/* SPDX-License-Identifier: Apache-2.0 */
/* hr_packing: one file becomes one packed shard. Chunks are read ahead and made by a crew of
 * threads; what is ready is placed in order, so that where each lies is known when it is written,
 * several at a time. The index follows, then the source is looked at once more, and the file gets
 * its name.
 *
 *   opening -> header (auto, planes) -> sampling (auto) -> packing -> indexing -> publishing ->
 * closing -> done
 *
 * A failure anywhere leads to closing once nothing is under way. On worker 0. */
#ifndef HR_PACKING_H
#define HR_PACKING_H

#include <stdio.h>

#include "choice.h"
#include "crew.h"
#include "elements.h"
#include "engine.h"
#include "foreign.h"
#include "outlet.h"

typedef struct hr_packing hr_packing;

typedef struct hr_packing_options {
    const char *source_path, *target_path; /* the caller's until done */
    bool in_tree; /* the codec's suffix is added to target_path, directories are made, and a target
                     that is not older than its source is kept */
    hr_pack_codec codec;
    int level;
    unsigned threads; /* 0: those of the platform */
    bool overwrite;
} hr_packing_options;

struct hr_packing {
    hr_engine *engine;
    const hr_env *env;
    hr_storage *storage;
    hr_packing_options options;
    void (*done)(hr_packing *packing);
    void *context; /* the caller's */
    char shown[4 * 80];
    hr_error error;
    bool kept; /* instead of packed: it was there */
    char choice_text[280];
    hr_packed_progress progress;

    hr_io io; /* one step after the other, beside those of the seats */
    hr_file *source;
    hr_file_info info;
    hr_container container;
    hr_index_tail tail;
    hr_elements elements; /* what the source holds where */
    hr_choice choice;
    unsigned sampled; /* pieces read */
    hr_crew crew;
    hr_outlet outlet;
    bool outlet_used;
    char target_path[HR_PATH_MAX];

    uint32_t next_read, next_place, written;
    uint64_t place_at; /* where the next chunk goes */
    hr_span pages;     /* of the index, and 4 KiB for the tail */
    size_t pages_len, pages_written;
    /* of a file that others have compressed */
    hr_foreign foreign;
    bool scanning;        /* a window is being read */
    const char *refusal;  /* it cannot be indexed so; NULL: it can, so far */
    uint32_t short_chunk; /* the first one that is not full: it must be the last */
    uint64_t foreign_content_len;

    unsigned under_way; /* requests and jobs */
    bool closing, publishing;
    bool stopped; /* through __atomic: chunks that no thread has begun need not be made */
};

/* Zeroed at first, later one that is done. done follows, once, from a step; error says how it went.
 */
void hr_packing_start(hr_packing *packing, hr_engine *engine, const hr_packing_options *options,
                      void (*done)(hr_packing *packing), void *context);
/* Ends it as HR_CANCELED, unless it is too late; done follows all the same. */
void hr_packing_cancel(hr_packing *packing);
/* After done: gives back what it holds. */
void hr_packing_fini(hr_packing *packing);

/* ---- between its own files ---- */

/* packing.c: what is under way, and how it fails. */
void hr_packing_submit(hr_packing *packing, hr_io *io);
/* One thing less is under way. True: go on; false: it has failed meanwhile. */
bool hr_packing_landed(hr_packing *packing);
void hr_packing_fail(hr_packing *packing, hr_status status, const char *format, ...)
    HR_PRINTF(3, 4);
void hr_packing_fail_io(hr_packing *packing, const char *what, const char *shown, const hr_io *io);
void hr_packing_fail_changed(hr_packing *packing);
static inline bool hr_packing_has_failed(const hr_packing *packing)
{
    return packing->error.status != HR_OK;
}
/* Nothing is left to do: closes all, once nothing is under way. */
void hr_packing_close(hr_packing *packing);
/* The container is known. */
void hr_packing_open_outlet(hr_packing *packing);

/* packing_elements.c: reads what the source's own header says it holds; a sample, or packing, is
 * next. */
void hr_packing_read_header(hr_packing *packing);
/* Appended to what was chosen. */
void hr_packing_say_elements(hr_packing *packing);

/* packing_sample.c: chooses the container by what a sample becomes. */
void hr_packing_sample(hr_packing *packing);

/* packing_chunks.c: reads, makes, places and writes chunks as far as there are seats. */
void hr_packing_pump(hr_packing *packing);
/* Into the content of the seat, from at on; O_DIRECT wants whole pages. */
void hr_packing_read(hr_packing *packing, hr_seat *seat, size_t at, uint64_t offset, size_t len,
                     void (*done)(hr_io *io));
uint8_t *hr_packing_page(const hr_packing *packing, uint32_t number);

/* packing_foreign.c: whether others have compressed the source, and then its chunks as they are. */
void hr_packing_look(hr_packing *packing);
void hr_packing_foreign_pump(hr_packing *packing);

/* packing_index.c: all chunks are written: the index, a last look at the source, the name. */
void hr_packing_write_index(hr_packing *packing);

#endif
