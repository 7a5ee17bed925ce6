/* SPDX-License-Identifier: Apache-2.0 */
/* hr_verify: the index is read and checked whole, page after page, before any chunk; then a crew of
 * threads checks the chunks as they are read. What is wrong with the first of them that is wrong is
 * what is told: chunks before it that are still under way may have something to say too. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "crew.h"
#include "engine.h"

#define SUFFIX       ".hrindex"
#define BUFFER_PAGES 64u /* 4032 chunks, 16 GiB of content, at a time */
#define BUFFER_LEN   ((size_t)BUFFER_PAGES * HR_INDEX_PAGE_LEN)
#define NO_PAGE      UINT32_MAX

struct hr_verify {
    hr_engine *engine;
    const hr_env *env;
    hr_storage *storage;
    hr_verify_options options;
    char path[HR_PATH_MAX], index_path[HR_PATH_MAX + sizeof SUFFIX];
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

static hr_worker *home(const hr_verify *verify)
{
    return hr_engine_home(verify->engine);
}

/* ---- the end ---- */

static void close_files(hr_verify *verify);

static void closed_file(hr_io *io)
{
    close_files(io->context);
}

static void close_files(hr_verify *verify)
{
    hr_file **file = verify->index_file != NULL ? &verify->index_file : &verify->chunk_file;
    if (*file == NULL) {
        verify->status = verify->error.status;
        return;
    }
    verify->io = (hr_io){
        .kind = HR_IO_CLOSE,
        .file = *file,
        .done = closed_file,
        .context = verify,
    };
    if (verify->chunk_file == verify->index_file)
        verify->chunk_file = NULL;
    *file = NULL;
    hr_storage_submit(verify->storage, &verify->io);
}

static void close_all(hr_verify *verify)
{
    if (verify->closing || verify->under_way > 0)
        return;
    verify->closing = true;
    if (verify->bad.status != HR_OK)
        hr_error_set(&verify->error, verify->bad.status, "%s", verify->bad.text);
    close_files(verify);
}

static void fail(hr_verify *verify, hr_status status, const char *format, ...) HR_PRINTF(3, 4);
static void fail(hr_verify *verify, hr_status status, const char *format, ...)
{
    char text[sizeof verify->error.text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    hr_error_set(&verify->error, status, "%s", text);
    close_all(verify);
}

static void fail_io(hr_verify *verify, const char *what, const hr_io *io)
{
    fail(verify, io->status, "%s %s: %s", what, verify->shown, hr_io_why(io));
}

static bool has_failed(const hr_verify *verify)
{
    return verify->error.status != HR_OK;
}

/* One thing less is under way. True: go on; false: it has failed meanwhile. */
static bool landed(hr_verify *verify)
{
    verify->under_way--;
    if (has_failed(verify))
        close_all(verify);
    return !has_failed(verify);
}

static void submit(hr_verify *verify, hr_io *io)
{
    verify->under_way++;
    io->buffer = -1;
    hr_storage_submit(verify->storage, io);
}

static void read_index(hr_verify *verify, uint64_t offset, size_t len, void (*done)(hr_io *io))
{
    verify->io = (hr_io){
        .kind = HR_IO_READ,
        .file = verify->index_file,
        .data = verify->buffer.addr,
        .len = len,
        .offset = offset,
        .done = done,
        .context = verify,
    };
    submit(verify, &verify->io);
}

/* ---- chunks ---- */

static void pump(hr_verify *verify);

static void note_bad(hr_verify *verify, const hr_seat *seat, hr_status status, const char *what)
{
    if (seat->chunk >= verify->bad_chunk)
        return;
    verify->bad_chunk = seat->chunk;
    verify->bad = (hr_error){.status = HR_OK};
    hr_error_set(&verify->bad, status, "%s: chunk %u at offset %llu: %s", verify->shown,
                 seat->chunk, (unsigned long long)seat->row.stored_offset, what);
}

static uint32_t extent_of(const hr_verify *verify, const hr_index_row *row)
{
    bool beside = hr_container_is_beside(verify->tail.container);
    return row->stored_len + (beside ? 0 : hr_index_gap_len(row->stored_len));
}

/* On a thread of the crew. */
static void check_chunk(hr_job *job)
{
    hr_seat *seat = HR_CONTAINER(job, hr_seat, job);
    const hr_verify *verify = seat->owner;
    size_t skip = seat->row.stored_offset % HR_DIRECT_ALIGN;
    hr_span stored = hr_span_host((uint8_t *)seat->stored.addr + skip, seat->stored.len - skip);
    seat->status =
        hr_packed_check(&seat->row, &stored, &seat->content, &seat->scratch, &seat->what);
    if (seat->status != HR_OK)
        return;
    const uint8_t *gap = (const uint8_t *)stored.addr + seat->row.stored_len;
    if (!hr_index_gap_is_right(gap, extent_of(verify, &seat->row) - seat->row.stored_len)) {
        seat->status = HR_INTEGRITY;
        seat->what = "the gap after it is damaged";
    }
}

static void checked_chunk(hr_job *job)
{
    hr_seat *seat = HR_CONTAINER(job, hr_seat, job);
    hr_verify *verify = seat->owner;
    seat->state = HR_SEAT_FREE;
    if (!landed(verify))
        return;
    if (seat->status != HR_OK)
        note_bad(verify, seat, seat->status, seat->what);
    verify->progress.bytes_done += seat->row.content_len;
    verify->progress.chunks_done++;
    pump(verify);
}

static void read_chunk(hr_io *io)
{
    hr_seat *seat = io->context;
    hr_verify *verify = seat->owner;
    if (!landed(verify))
        return;
    size_t skip = seat->row.stored_offset % HR_DIRECT_ALIGN;
    if (io->status == HR_OK && io->bytes >= skip + extent_of(verify, &seat->row)) {
        verify->under_way++;
        hr_crew_work(&verify->crew, seat, check_chunk, checked_chunk);
        return;
    }
    seat->state = HR_SEAT_FREE;
    if (io->status != HR_OK)
        note_bad(verify, seat, io->status, hr_status_text(io->status));
    else
        note_bad(verify, seat, HR_INTEGRITY, "the file ends before it does");
    pump(verify);
}

static void start_chunk(hr_verify *verify, hr_seat *seat)
{
    seat->chunk = verify->next++;
    seat->row = verify->rows[seat->chunk % HR_INDEX_PAGE_ROWS];
    seat->state = HR_SEAT_READING;
    size_t skip = seat->row.stored_offset % HR_DIRECT_ALIGN; /* of a foreign file */
    seat->io = (hr_io){
        .kind = HR_IO_READ,
        .file = verify->chunk_file,
        .data = seat->stored.addr,
        .len = (size_t)hr_round_up(skip + extent_of(verify, &seat->row), HR_DIRECT_ALIGN),
        .offset = seat->row.stored_offset - skip,
        .done = read_chunk,
        .context = seat,
    };
    submit(verify, &seat->io);
}

/* ---- the index ---- */

static void load_page(hr_verify *verify);

static void fail_index(hr_verify *verify, hr_status status)
{
    const hr_index_reader *reader = &verify->reader;
    if (reader->chunk != HR_INDEX_NO_ROW)
        fail(verify, status, "%s: the index, chunk %u: %s", verify->shown, reader->chunk,
             reader->what);
    else
        fail(verify, status, "%s: the index, page %u at offset %llu: %s", verify->shown,
             reader->page,
             (unsigned long long)verify->tail.index_offset +
                 (unsigned long long)reader->page * HR_INDEX_PAGE_LEN,
             reader->what);
}

static void loaded_pages(hr_io *io)
{
    hr_verify *verify = io->context;
    verify->loading = false;
    if (!landed(verify))
        return;
    if (io->status != HR_OK) {
        fail_io(verify, "reading the index of", io);
        return;
    }
    if (io->bytes < verify->buffer_count * (size_t)HR_INDEX_PAGE_LEN) {
        fail(verify, HR_CHANGED, "%s became shorter while it was verified", verify->shown);
        return;
    }
    pump(verify);
}

static void load_page(hr_verify *verify)
{
    uint32_t pages = hr_index_pages(verify->tail.chunk_count);
    verify->buffer_page = verify->reader.page;
    verify->buffer_count = (uint32_t)hr_min_u64(pages - verify->buffer_page, BUFFER_PAGES);
    verify->loading = true;
    read_index(verify,
               verify->tail.index_offset + (uint64_t)verify->buffer_page * HR_INDEX_PAGE_LEN,
               verify->buffer_count * (size_t)HR_INDEX_PAGE_LEN, loaded_pages);
}

/* The next page of the index into rows. False: it is not in memory yet, or wrong. */
static bool next_page(hr_verify *verify, uint32_t *count_out)
{
    uint32_t in_buffer = verify->reader.page - verify->buffer_page;
    if (verify->buffer_page == NO_PAGE || in_buffer >= verify->buffer_count) {
        if (!verify->loading)
            load_page(verify);
        return false;
    }
    const uint8_t *page =
        (const uint8_t *)verify->buffer.addr + (size_t)in_buffer * HR_INDEX_PAGE_LEN;
    hr_status status = hr_index_page_read(&verify->reader, page, verify->rows, count_out);
    if (status != HR_OK)
        fail_index(verify, status);
    return status == HR_OK;
}

static void rewind_index(hr_verify *verify)
{
    hr_index_reader_init(&verify->reader, &verify->tail);
    verify->buffer_page = NO_PAGE;
}

static hr_status take_crew(hr_verify *verify)
{
    const hr_platform *platform = verify->engine->platform;
    unsigned threads = verify->options.threads;
    if (threads == 0)
        threads = platform->processors;
    return hr_crew_init(&verify->crew, verify->env, home(verify)->loop, platform->memory, threads,
                        verify->tail.chunk_count, hr_packed_scratch_len(verify->tail.container),
                        verify);
}

/* All of it, before the first chunk. True: it is right, and what it says counts. */
static bool check_index(hr_verify *verify)
{
    uint32_t count;
    while (verify->reader.page < hr_index_pages(verify->tail.chunk_count)) {
        if (!next_page(verify, &count))
            return false;
        for (uint32_t i = 0; i < count; i++)
            verify->progress.chunks_stored +=
                verify->rows[i].stored_len >= verify->rows[i].content_len;
    }
    hr_status status = hr_index_reader_finish(&verify->reader);
    if (status == HR_OK) {
        verify->index_checked = true;
        rewind_index(verify);
        if (!verify->options.index_only)
            status = take_crew(verify);
        if (status != HR_OK)
            fail(verify, status, "taking memory to verify %s: %s; fewer threads need less",
                 verify->shown, hr_status_text(status));
    } else {
        fail_index(verify, status);
    }
    return status == HR_OK;
}

static void pump(hr_verify *verify)
{
    uint32_t count = verify->tail.chunk_count, ignored;
    if (!verify->index_checked && !check_index(verify))
        return;
    if (verify->options.index_only) {
        verify->progress.bytes_done = verify->progress.bytes;
        verify->progress.chunks_done = verify->progress.chunks;
        close_all(verify);
        return;
    }
    while (verify->next < count && verify->bad.status == HR_OK) {
        hr_seat *seat = hr_crew_seat(&verify->crew, verify->next);
        if (seat->state != HR_SEAT_FREE)
            return;
        if (verify->next / HR_INDEX_PAGE_ROWS == verify->reader.page &&
            !next_page(verify, &ignored))
            return;
        start_chunk(verify, seat);
    }
    close_all(verify); /* once nothing is under way */
}

/* ---- opening ---- */

static void open_index(hr_verify *verify, const char *path, void (*done)(hr_io *io))
{
    verify->io = (hr_io){
        .kind = HR_IO_OPEN,
        .path = path,
        .flags = HR_IO_READABLE | HR_IO_DIRECT,
        .done = done,
        .context = verify,
    };
    submit(verify, &verify->io);
}

static void take_tail(hr_verify *verify)
{
    verify->progress.bytes = verify->tail.content_len;
    verify->progress.chunks = verify->tail.chunk_count;
    verify->progress.codec = hr_container_name(verify->tail.container);
    verify->progress.stored_bytes = verify->chunk_size;
    rewind_index(verify);
    const hr_index_tail *tail = &verify->tail;
    uint64_t due = hr_container_is_foreign(tail->container) ? tail->file_len : tail->content_len;
    if (hr_container_is_beside(tail->container) && verify->chunk_size != due)
        fail(verify, HR_INTEGRITY, "%s has %llu bytes, and its index is of %llu", verify->shown,
             (unsigned long long)verify->chunk_size, (unsigned long long)due);
    else
        pump(verify);
}

static void opened_chunks(hr_io *io)
{
    hr_verify *verify = io->context;
    if (io->status == HR_OK)
        verify->chunk_file = io->file_out;
    if (!landed(verify))
        return;
    if (io->status != HR_OK) {
        fail_io(verify, "opening the file that this is the index of,", io);
        return;
    }
    verify->chunk_size = io->info.size;
    take_tail(verify);
}

/* The index was named: the file beside it has the name without the suffix. */
static void open_chunks(hr_verify *verify)
{
    size_t len = strlen(verify->path), suffix = sizeof SUFFIX - 1;
    if (len <= suffix || strcmp(verify->path + len - suffix, SUFFIX) != 0) {
        fail(verify, HR_UNSUPPORTED, "%s is the index of a plain file, but not named *" SUFFIX,
             verify->shown);
        return;
    }
    verify->path[len - suffix] = '\0';
    open_index(verify, verify->path, opened_chunks);
}

static void read_tail(hr_verify *verify);

static void opened_beside(hr_io *io)
{
    hr_verify *verify = io->context;
    if (io->status == HR_OK)
        verify->index_file = io->file_out;
    if (!landed(verify))
        return;
    if (io->status == HR_NOT_FOUND && verify->begins_packed) {
        fail(verify, HR_INTEGRITY,
             "%s does not end with an index of Headrace, and has none beside it: it was cut, or "
             "something else made it",
             verify->shown);
        return;
    }
    if (io->status == HR_NOT_FOUND) {
        fail(verify, HR_UNSUPPORTED,
             "%s is no packed shard, and has no index beside it; headrace pack makes either",
             verify->shown);
        return;
    }
    if (io->status != HR_OK) {
        fail_io(verify, "opening the index beside", io);
        return;
    }
    verify->index_size = io->info.size;
    read_tail(verify);
}

static void look_beside(hr_verify *verify)
{
    verify->chunk_file = verify->index_file;
    verify->chunk_size = verify->index_size;
    verify->index_file = NULL;
    snprintf(verify->index_path, sizeof verify->index_path, "%s" SUFFIX, verify->path);
    open_index(verify, verify->index_path, opened_beside);
}

static void got_head(hr_io *io)
{
    hr_verify *verify = io->context;
    if (!landed(verify))
        return;
    verify->begins_packed = hr_index_begins(verify->buffer.addr, io->bytes);
    if (io->status != HR_OK)
        fail_io(verify, "reading", io);
    else
        look_beside(verify);
}

static void refuse_tail(hr_verify *verify, hr_status status)
{
    bool is_beside = verify->chunk_file != NULL;
    if (status == HR_VERSION)
        fail(verify, status, "%s is of a later version of the format than this headrace knows",
             verify->shown);
    else if (status == HR_NOT_FOUND && !is_beside)
        read_index(verify, 0, HR_DIRECT_ALIGN, got_head);
    else
        fail(verify, HR_INTEGRITY, "%s: the index%s: the end of it is damaged", verify->shown,
             is_beside ? " beside it" : "");
}

static void got_tail(hr_io *io)
{
    hr_verify *verify = io->context;
    uint64_t at = verify->index_size < HR_INDEX_TAIL_LEN
                      ? 0
                      : verify->index_size - HR_INDEX_TAIL_LEN - io->offset;
    if (!landed(verify))
        return;
    if (io->status != HR_OK) {
        fail_io(verify, "reading the end of", io);
        return;
    }
    hr_status status = HR_NOT_FOUND;
    if (io->bytes >= at + HR_INDEX_TAIL_LEN)
        status = hr_index_tail_unpack((const uint8_t *)verify->buffer.addr + at, verify->index_size,
                                      &verify->tail);
    if (status != HR_OK) {
        refuse_tail(verify, status);
    } else if (verify->chunk_file != NULL) {
        take_tail(verify);
    } else if (hr_container_is_beside(verify->tail.container)) {
        open_chunks(verify);
    } else {
        verify->chunk_file = verify->index_file;
        verify->chunk_size = verify->index_size;
        take_tail(verify);
    }
}

static void read_tail(hr_verify *verify)
{
    uint64_t size = verify->index_size < HR_INDEX_TAIL_LEN ? HR_INDEX_TAIL_LEN : verify->index_size;
    read_index(verify, hr_round_down(size - HR_INDEX_TAIL_LEN, HR_DIRECT_ALIGN),
               (size_t)2 * HR_DIRECT_ALIGN, got_tail);
}

static void opened_file(hr_io *io)
{
    hr_verify *verify = io->context;
    if (io->status == HR_OK)
        verify->index_file = io->file_out;
    if (!landed(verify))
        return;
    if (io->status != HR_OK) {
        fail_io(verify, "opening", io);
        return;
    }
    verify->index_size = io->info.size;
    read_tail(verify);
}

/* ---- the interface ---- */

static void release(hr_verify *verify)
{
    hr_memory *memory = verify->engine->platform->memory;
    hr_crew_fini(&verify->crew);
    if (verify->buffer.addr != NULL)
        memory->ops->release(memory, &verify->buffer);
    hr_release(verify->env, verify);
}

static void deliver_cancel(hr_letter *letter)
{
    hr_verify *verify = HR_CONTAINER(letter, hr_verify, cancel_letter);
    verify->cancel_taken = true;
    if (!verify->closing)
        fail(verify, HR_CANCELED, "interrupted while verifying %s", verify->shown);
}

hr_status hr_verify_start(hr_engine *engine, const hr_verify_options *options,
                          hr_verify **verify_out, hr_error *error)
{
    hr_page_kind pages;
    hr_memory *memory = engine->platform->memory;
    if (options->path == NULL || options->path[0] == '\0' ||
        strlen(options->path) + sizeof SUFFIX >= HR_PATH_MAX)
        return hr_error_set(error, HR_INVALID, "verifying: the path is empty or too long");
    hr_verify *verify = hr_alloc(engine->env, sizeof *verify);
    if (verify == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "verifying: out of memory");
    verify->engine = engine;
    verify->env = engine->env;
    verify->storage = home(verify)->storage;
    verify->options = *options;
    verify->status = HR_AGAIN;
    verify->bad_chunk = HR_INDEX_NO_ROW;
    verify->progress.codec = "";
    verify->cancel_letter.deliver = deliver_cancel;
    memcpy(verify->path, options->path, strlen(options->path) + 1);
    hr_quote(verify->shown, sizeof verify->shown, options->path, strlen(options->path));
    if (memory->ops->alloc(memory, BUFFER_LEN, &verify->buffer, &pages) != HR_OK) {
        release(verify);
        return hr_error_set(error, HR_NO_MEMORY, "verifying: out of memory");
    }
    open_index(verify, verify->path, opened_file);
    *verify_out = verify;
    return HR_OK;
}

hr_status hr_verify_status(const hr_verify *verify)
{
    return verify->status;
}

const hr_error *hr_verify_error(const hr_verify *verify)
{
    return &verify->error;
}

hr_packed_progress hr_verify_count(const hr_verify *verify)
{
    return verify->progress;
}

void hr_verify_cancel(hr_verify *verify)
{
    if (!__atomic_exchange_n(&verify->cancel_posted, true, __ATOMIC_ACQ_REL))
        hr_loop_post(home(verify)->loop, &verify->cancel_letter);
}

void hr_verify_destroy(hr_verify *verify)
{
    if (verify == NULL)
        return;
    if (verify->status == HR_AGAIN)
        hr_verify_cancel(verify);
    while (verify->status == HR_AGAIN || (verify->cancel_posted && !verify->cancel_taken))
        hr_engine_step(verify->engine, HR_NS_PER_S);
    release(verify);
}
