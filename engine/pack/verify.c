/* SPDX-License-Identifier: Apache-2.0 */
/* The index is read and checked whole, page after page, before any chunk; then a crew of threads
 * checks the chunks as they are read. What is wrong with the first of them that is wrong is what is
 * told: chunks before it that are still under way may have something to say too. */
#include "verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"

#define BUFFER_PAGES 64u /* 4032 chunks, 16 GiB of content, at a time */
#define BUFFER_LEN   ((size_t)BUFFER_PAGES * HR_INDEX_PAGE_LEN)
#define NO_PAGE      UINT32_MAX

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

void hr_verify_fail(hr_verify *verify, hr_status status, const char *format, ...)
{
    char text[sizeof verify->error.text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    hr_error_set(&verify->error, status, "%s", text);
    close_all(verify);
}

void hr_verify_fail_io(hr_verify *verify, const char *what, const hr_io *io)
{
    hr_verify_fail(verify, io->status, "%s %s: %s", what, verify->shown, hr_io_why(io));
}

static bool has_failed(const hr_verify *verify)
{
    return verify->error.status != HR_OK;
}

bool hr_verify_landed(hr_verify *verify)
{
    verify->under_way--;
    if (has_failed(verify))
        close_all(verify);
    return !has_failed(verify);
}

void hr_verify_submit(hr_verify *verify, hr_io *io)
{
    verify->under_way++;
    io->buffer = -1;
    hr_storage_submit(verify->storage, io);
}

void hr_verify_read_index(hr_verify *verify, uint64_t offset, size_t len, void (*done)(hr_io *io))
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
    hr_verify_submit(verify, &verify->io);
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
    if (!hr_verify_landed(verify))
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
    if (!hr_verify_landed(verify))
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
    hr_verify_submit(verify, &seat->io);
}

/* ---- the index ---- */

static void load_page(hr_verify *verify);

static void fail_index(hr_verify *verify, hr_status status)
{
    const hr_index_reader *reader = &verify->reader;
    if (reader->chunk != HR_INDEX_NO_ROW)
        hr_verify_fail(verify, status, "%s: the index, chunk %u: %s", verify->shown, reader->chunk,
                       reader->what);
    else
        hr_verify_fail(verify, status, "%s: the index, page %u at offset %llu: %s", verify->shown,
                       reader->page,
                       (unsigned long long)verify->tail.index_offset +
                           (unsigned long long)reader->page * HR_INDEX_PAGE_LEN,
                       reader->what);
}

static void loaded_pages(hr_io *io)
{
    hr_verify *verify = io->context;
    verify->loading = false;
    if (!hr_verify_landed(verify))
        return;
    if (io->status != HR_OK) {
        hr_verify_fail_io(verify, "reading the index of", io);
        return;
    }
    if (io->bytes < verify->buffer_count * (size_t)HR_INDEX_PAGE_LEN) {
        hr_verify_fail(verify, HR_CHANGED, "%s became shorter while it was verified",
                       verify->shown);
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
    hr_verify_read_index(
        verify, verify->tail.index_offset + (uint64_t)verify->buffer_page * HR_INDEX_PAGE_LEN,
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
            hr_verify_fail(verify, status,
                           "taking memory to verify %s: %s; fewer threads need less", verify->shown,
                           hr_status_text(status));
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

void hr_verify_opened(hr_verify *verify)
{
    verify->progress.bytes = verify->tail.content_len;
    verify->progress.chunks = verify->tail.chunk_count;
    verify->progress.codec = hr_container_name(verify->tail.container);
    verify->progress.stored_bytes = verify->chunk_size;
    rewind_index(verify);
    const hr_index_tail *tail = &verify->tail;
    uint64_t due = hr_container_is_foreign(tail->container) ? tail->file_len : tail->content_len;
    if (hr_container_is_beside(tail->container) && verify->chunk_size != due)
        hr_verify_fail(verify, HR_INTEGRITY, "%s has %llu bytes, and its index is of %llu",
                       verify->shown, (unsigned long long)verify->chunk_size,
                       (unsigned long long)due);
    else
        pump(verify);
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
        hr_verify_fail(verify, HR_CANCELED, "interrupted while verifying %s", verify->shown);
}

hr_status hr_verify_start(hr_engine *engine, const hr_verify_options *options,
                          hr_verify **verify_out, hr_error *error)
{
    hr_page_kind pages;
    hr_memory *memory = engine->platform->memory;
    if (options->path == NULL || options->path[0] == '\0' ||
        strlen(options->path) + sizeof HR_VERIFY_SUFFIX >= HR_PATH_MAX)
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
    hr_verify_open(verify);
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
