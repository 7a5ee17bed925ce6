/* SPDX-License-Identifier: Apache-2.0 */
/* hr_pack: a file becomes a packed shard. Chunks are read ahead and made by a crew of threads; what
 * is ready is placed in order, so that where each lies is known when it is written, several at a
 * time. The index follows, then the source is looked at once more, and the file gets its name.
 *
 *   opening -> sampling (auto) -> packing -> indexing -> publishing -> closing -> over
 *
 * A failure anywhere leads to closing once nothing is under way. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "choice.h"
#include "crew.h"
#include "engine.h"
#include "outlet.h"

#define INDEX_SUFFIX ".hrindex"

/* A sample is pieces from all over the file: a model begins with a header, a log with its start. */
#define SAMPLE_PIECES    8u
#define SAMPLE_PIECE_LEN (HR_INDEX_CHUNK_MAX / SAMPLE_PIECES)

struct hr_pack {
    hr_engine *engine;
    const hr_env *env;
    hr_storage *storage;
    hr_pack_options options;
    char *source_path, *target_path;
    char shown[4 * 80];
    hr_status status;
    hr_error error;
    char choice_text[160];

    hr_io io; /* one step after the other, beside those of the seats */
    hr_file *source;
    hr_file_info info;
    hr_container container;
    hr_index_tail tail;
    hr_choice choice;
    unsigned sampled; /* pieces read */
    hr_crew crew;
    hr_outlet outlet;
    bool outlet_used;

    uint32_t next_read, next_place, written;
    uint64_t place_at; /* where the next chunk goes */
    hr_span pages;     /* of the index, and 4 KiB for the tail */
    size_t pages_len, pages_written;
    unsigned under_way; /* requests and jobs */
    bool closing, publishing;
    bool stopped; /* through __atomic: chunks that no thread has begun need not be made */
    hr_packed_progress progress;

    hr_letter cancel_letter;
    bool cancel_posted, cancel_taken; /* posted: through __atomic */
};

static hr_worker *home(const hr_pack *pack)
{
    return hr_engine_home(pack->engine);
}

/* ---- the end ---- */

static void closed_source(hr_io *io)
{
    hr_pack *pack = io->context;
    pack->status = pack->error.status;
}

static void close_source(hr_outlet *outlet, hr_status status)
{
    hr_pack *pack = outlet->context;
    (void)status;
    pack->io = (hr_io){
        .kind = HR_IO_CLOSE,
        .file = pack->source,
        .done = closed_source,
        .context = pack,
    };
    if (pack->source != NULL)
        hr_storage_submit(pack->storage, &pack->io);
    else
        closed_source(&pack->io);
}

static void close_all(hr_pack *pack)
{
    if (pack->closing || pack->under_way > 0)
        return;
    pack->closing = true;
    pack->outlet.context = pack;
    if (pack->outlet_used)
        hr_outlet_close(&pack->outlet, close_source);
    else
        close_source(&pack->outlet, HR_OK);
}

static void fail(hr_pack *pack, hr_status status, const char *format, ...) HR_PRINTF(3, 4);
static void fail(hr_pack *pack, hr_status status, const char *format, ...)
{
    char text[sizeof pack->error.text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    hr_error_set(&pack->error, status, "%s", text);
    __atomic_store_n(&pack->stopped, true, __ATOMIC_RELAXED);
    close_all(pack);
}

static void fail_io(hr_pack *pack, const char *what, const char *shown, const hr_io *io)
{
    const char *advice =
        io->status == HR_NO_SPACE ? "; make room and run the same command again" : "";
    fail(pack, io->status, "%s %s: %s%s%s%s", what, shown, hr_status_text(io->status),
         io->error != 0 ? ", " : "", io->error != 0 ? strerror(io->error) : "", advice);
}

static bool has_failed(const hr_pack *pack)
{
    return pack->error.status != HR_OK;
}

/* One thing less is under way. True: go on; false: it has failed meanwhile. */
static bool landed(hr_pack *pack)
{
    pack->under_way--;
    if (has_failed(pack))
        close_all(pack);
    return !has_failed(pack);
}

static void submit(hr_pack *pack, hr_io *io)
{
    pack->under_way++;
    io->buffer = -1;
    hr_storage_submit(pack->storage, io);
}

/* ---- publishing ---- */

static void published(hr_outlet *outlet, hr_status status)
{
    hr_pack *pack = outlet->context;
    if (!landed(pack))
        return;
    if (status != HR_OK)
        fail(pack, status, "%s", outlet->text);
    else
        close_all(pack);
}

static bool is_unchanged(const hr_file_info *before, const hr_file_info *after)
{
    return before->size == after->size && before->mtime_ns == after->mtime_ns &&
           before->ctime_ns == after->ctime_ns && before->inode == after->inode;
}

static void fail_changed(hr_pack *pack)
{
    fail(pack, HR_CHANGED, "%s changed while it was packed; run the same command again",
         pack->shown);
}

static void looked_again(hr_io *io)
{
    hr_pack *pack = io->context;
    if (!landed(pack))
        return;
    if (io->status != HR_OK) {
        fail_io(pack, "looking again at", pack->shown, io);
    } else if (!is_unchanged(&pack->info, &io->info)) {
        fail_changed(pack);
    } else {
        pack->publishing = true;
        pack->under_way++;
        hr_outlet_publish(&pack->outlet,
                          pack->place_at + pack->pages_len - HR_INDEX_ALIGN + HR_INDEX_TAIL_LEN,
                          published);
    }
}

static void look_again(hr_pack *pack)
{
    pack->io = (hr_io){
        .kind = HR_IO_STAT,
        .file = pack->source,
        .done = looked_again,
        .context = pack,
    };
    submit(pack, &pack->io);
}

/* ---- the index ---- */

static void write_pages(hr_pack *pack);

static void wrote_pages(hr_io *io)
{
    hr_pack *pack = io->context;
    if (!landed(pack))
        return;
    if (io->status != HR_OK) {
        fail_io(pack, "writing the index of", pack->outlet.shown, io);
        return;
    }
    pack->pages_written += io->len;
    if (pack->pages_written < pack->pages_len)
        write_pages(pack);
    else
        look_again(pack);
}

static void write_pages(hr_pack *pack)
{
    size_t left = pack->pages_len - pack->pages_written;
    pack->io = (hr_io){
        .kind = HR_IO_WRITE,
        .file = pack->outlet.file,
        .data = (uint8_t *)pack->pages.addr + pack->pages_written,
        .len = hr_min_u64(left, HR_INDEX_CHUNK_MAX),
        .offset = pack->place_at + pack->pages_written,
        .done = wrote_pages,
        .context = pack,
    };
    submit(pack, &pack->io);
}

static uint8_t *page_at(const hr_pack *pack, uint32_t number)
{
    return (uint8_t *)pack->pages.addr + (size_t)number * HR_INDEX_PAGE_LEN;
}

static void finish_index(hr_pack *pack)
{
    uint32_t pages = hr_index_pages(pack->tail.chunk_count);
    pack->tail.index_offset = pack->place_at;
    for (uint32_t i = 0; i < pages; i++)
        hr_index_page_seal(&pack->tail, i, page_at(pack, i));
    hr_index_tail_pack(&pack->tail, page_at(pack, pages));
    write_pages(pack);
}

/* ---- chunks ---- */

static void pump(hr_pack *pack);

static void fail_chunk(hr_pack *pack, const hr_seat *seat, const char *what, const char *shown,
                       const hr_io *io)
{
    char text[100];
    snprintf(text, sizeof text, "%s chunk %u of", what, seat->chunk);
    fail_io(pack, text, shown, io);
}

static void settle_chunk(hr_pack *pack, hr_seat *seat)
{
    seat->state = HR_SEAT_FREE;
    pack->written++;
    pack->progress.bytes_done += seat->row.content_len;
    pack->progress.chunks_done++;
    pump(pack);
}

static void wrote_chunk(hr_io *io)
{
    hr_seat *seat = io->context;
    hr_pack *pack = seat->owner;
    if (!landed(pack))
        return;
    if (io->status != HR_OK)
        fail_chunk(pack, seat, "writing", pack->outlet.shown, io);
    else
        settle_chunk(pack, seat);
}

/* Chunks are placed in order; this one's turn has come. */
static void place_chunk(hr_pack *pack, hr_seat *seat)
{
    bool beside = pack->container == HR_CONTAINER_BESIDE;
    seat->row.stored_offset = beside ? (uint64_t)seat->chunk * HR_INDEX_CHUNK_MAX : pack->place_at;
    hr_index_row_pack(&seat->row, seat->chunk, page_at(pack, seat->chunk / HR_INDEX_PAGE_ROWS));
    pack->progress.chunks_stored += seat->row.stored_len >= seat->row.content_len;
    pack->progress.stored_bytes += seat->stored_len;
    if (beside) {
        settle_chunk(pack, seat);
        return;
    }
    seat->state = HR_SEAT_WRITING;
    seat->io = (hr_io){
        .kind = HR_IO_WRITE,
        .file = pack->outlet.file,
        .data = seat->stored.addr,
        .len = seat->stored_len,
        .offset = pack->place_at,
        .done = wrote_chunk,
        .context = seat,
    };
    pack->place_at += seat->stored_len;
    submit(pack, &seat->io);
}

static uint32_t content_len_of(const hr_pack *pack, uint32_t chunk)
{
    uint64_t left = pack->tail.content_len - (uint64_t)chunk * HR_INDEX_CHUNK_MAX;
    return (uint32_t)hr_min_u64(left, HR_INDEX_CHUNK_MAX);
}

/* On a thread of the crew. */
static void make_chunk(hr_job *job)
{
    hr_seat *seat = HR_CONTAINER(job, hr_seat, job);
    const hr_pack *pack = seat->owner;
    hr_span content = hr_span_host(seat->content.addr, content_len_of(pack, seat->chunk));
    seat->status = HR_CANCELED;
    if (__atomic_load_n(&pack->stopped, __ATOMIC_RELAXED))
        return;
    seat->status = hr_packed_encode(pack->container, pack->options.level, &content, &seat->stored,
                                    &seat->scratch, &seat->row);
    seat->stored_len = seat->row.stored_len;
    if (pack->container != HR_CONTAINER_BESIDE)
        seat->stored_len += hr_index_gap_len(seat->row.stored_len);
}

static void made_chunk(hr_job *job)
{
    hr_seat *seat = HR_CONTAINER(job, hr_seat, job);
    hr_pack *pack = seat->owner;
    if (!landed(pack))
        return;
    if (seat->status != HR_OK) {
        fail(pack, seat->status, "packing chunk %u of %s: %s", seat->chunk, pack->shown,
             hr_status_text(seat->status));
        return;
    }
    seat->state = HR_SEAT_READY;
    pump(pack);
}

static void read_chunk(hr_io *io)
{
    hr_seat *seat = io->context;
    hr_pack *pack = seat->owner;
    if (!landed(pack))
        return;
    if (io->status != HR_OK) {
        fail_chunk(pack, seat, "reading", pack->shown, io);
        return;
    }
    if (io->bytes < content_len_of(pack, seat->chunk)) {
        fail_changed(pack);
        return;
    }
    pack->under_way++;
    hr_crew_work(&pack->crew, seat, make_chunk, made_chunk);
}

/* O_DIRECT wants whole pages; at the end of the file fewer bytes come back. */
static void read_into(hr_pack *pack, hr_seat *seat, size_t at, uint64_t offset, size_t len,
                      void (*done)(hr_io *io))
{
    seat->state = HR_SEAT_READING;
    seat->io = (hr_io){
        .kind = HR_IO_READ,
        .file = pack->source,
        .data = (uint8_t *)seat->content.addr + at,
        .len = (size_t)hr_round_up(len, HR_DIRECT_ALIGN),
        .offset = offset,
        .done = done,
        .context = seat,
    };
    submit(pack, &seat->io);
}

static void start_chunk(hr_pack *pack, hr_seat *seat)
{
    seat->chunk = pack->next_read++;
    read_into(pack, seat, 0, (uint64_t)seat->chunk * HR_INDEX_CHUNK_MAX,
              content_len_of(pack, seat->chunk), read_chunk);
}

static void pump(hr_pack *pack)
{
    uint32_t count = pack->tail.chunk_count;
    while (!has_failed(pack) && pack->next_place < pack->next_read) {
        hr_seat *seat = hr_crew_seat(&pack->crew, pack->next_place);
        if (seat->state != HR_SEAT_READY)
            break;
        pack->next_place++;
        place_chunk(pack, seat);
        if (pack->container == HR_CONTAINER_BESIDE)
            return; /* placing it has pumped */
    }
    while (pack->next_read < count &&
           hr_crew_seat(&pack->crew, pack->next_read)->state == HR_SEAT_FREE)
        start_chunk(pack, hr_crew_seat(&pack->crew, pack->next_read));
    if (pack->written == count)
        finish_index(pack);
}

static void outlet_opened(hr_outlet *outlet, hr_status status)
{
    hr_pack *pack = outlet->context;
    if (!landed(pack))
        return;
    if (status != HR_OK)
        fail(pack, status, "%s", outlet->text);
    else
        pump(pack);
}

static void open_outlet(hr_pack *pack)
{
    pack->tail.container = pack->container;
    pack->progress.codec = hr_container_name(pack->container);
    pack->outlet_used = true;
    pack->under_way++;
    hr_outlet_open(&pack->outlet, pack->env, pack->storage, pack->target_path,
                   pack->options.overwrite, outlet_opened, pack);
}

/* ---- the choice ---- */

/* On a thread of the crew. */
static void try_sample(hr_job *job)
{
    hr_seat *seat = HR_CONTAINER(job, hr_seat, job);
    hr_pack *pack = seat->owner;
    hr_span content = hr_span_host(seat->content.addr, pack->choice.sample_len);
    for (unsigned i = HR_CONTAINER_LZ4; i < HR_CHOICE_CONTAINERS; i++) {
        seat->status = hr_packed_encode((hr_container)i, pack->options.level, &content,
                                        &seat->stored, &seat->scratch, &seat->row);
        if (seat->status != HR_OK)
            return;
        pack->choice.stored_len[i] = seat->row.stored_len;
    }
}

static void tried_sample(hr_job *job)
{
    hr_seat *seat = HR_CONTAINER(job, hr_seat, job);
    hr_pack *pack = seat->owner;
    if (!landed(pack))
        return;
    if (seat->status != HR_OK) {
        fail(pack, seat->status, "trying codecs on a sample of %s: %s", pack->shown,
             hr_status_text(seat->status));
        return;
    }
    seat->state = HR_SEAT_FREE;
    pack->container = hr_choice_make(&pack->choice);
    hr_choice_describe(&pack->choice, pack->choice_text, sizeof pack->choice_text);
    open_outlet(pack);
}

static void read_sample(hr_pack *pack);

static void read_piece(hr_io *io)
{
    hr_seat *seat = io->context;
    hr_pack *pack = seat->owner;
    if (!landed(pack))
        return;
    if (io->status != HR_OK) {
        fail_io(pack, "reading", pack->shown, io);
        return;
    }
    if (io->bytes == 0) {
        fail_changed(pack);
        return;
    }
    pack->choice.sample_len += io->bytes;
    pack->sampled++;
    read_sample(pack);
}

static void read_sample(hr_pack *pack)
{
    hr_seat *seat = hr_crew_seat(&pack->crew, 0);
    uint64_t size = pack->tail.content_len;
    bool whole = size <= HR_INDEX_CHUNK_MAX;
    if (pack->sampled == (whole ? 1 : SAMPLE_PIECES)) {
        pack->under_way++;
        hr_crew_work(&pack->crew, seat, try_sample, tried_sample);
    } else if (whole) {
        read_into(pack, seat, 0, 0, (size_t)size, read_piece);
    } else {
        uint64_t offset = hr_round_down(size / SAMPLE_PIECES, HR_DIRECT_ALIGN) * pack->sampled;
        read_into(pack, seat, pack->choice.sample_len, offset, SAMPLE_PIECE_LEN, read_piece);
    }
}

/* ---- opening ---- */

static size_t scratch_for(hr_pack_codec codec)
{
    size_t most = 0;
    static const hr_container containers[] = {
        [HR_PACK_LZ4] = HR_CONTAINER_LZ4,
        [HR_PACK_ZSTD] = HR_CONTAINER_ZSTD,
        [HR_PACK_PLANES] = HR_CONTAINER_HEADRACE,
        [HR_PACK_NONE] = HR_CONTAINER_BESIDE,
    };
    for (unsigned i = HR_PACK_LZ4; i <= HR_PACK_NONE; i++) {
        size_t len = hr_packed_scratch_len(containers[i]);
        if ((codec == HR_PACK_AUTO || (unsigned)codec == i) && len > most)
            most = len;
    }
    return most;
}

static hr_status take_memory(hr_pack *pack)
{
    hr_memory *memory = pack->engine->platform->memory;
    size_t pages_len = ((size_t)hr_index_pages(pack->tail.chunk_count) + 1) * HR_INDEX_PAGE_LEN;
    hr_page_kind kind;
    hr_status status = memory->ops->alloc(memory, pages_len, &pack->pages, &kind);
    if (status != HR_OK)
        return status;
    pack->pages_len = pages_len; /* however much came */
    unsigned threads = pack->options.threads;
    if (threads == 0)
        threads = pack->engine->platform->processors;
    return hr_crew_init(&pack->crew, pack->env, home(pack)->loop, memory, threads,
                        pack->tail.chunk_count, scratch_for(pack->options.codec), pack);
}

static void opened_source(hr_io *io)
{
    hr_pack *pack = io->context;
    if (io->status == HR_OK)
        pack->source = io->file_out;
    if (!landed(pack))
        return;
    if (io->status != HR_OK) {
        fail_io(pack, "opening", pack->shown, io);
        return;
    }
    pack->info = io->info;
    uint64_t count = io->info.size / HR_INDEX_CHUNK_MAX + (io->info.size % HR_INDEX_CHUNK_MAX != 0);
    if (count > HR_INDEX_CHUNKS_MAX) {
        fail(pack, HR_LIMIT, "%s is longer than the 128 TiB that a packed shard can hold",
             pack->shown);
        return;
    }
    pack->tail.content_len = pack->progress.bytes = io->info.size;
    pack->tail.chunk_len = HR_INDEX_CHUNK_MAX;
    pack->tail.chunk_count = (uint32_t)count;
    pack->progress.chunks = count;
    hr_status status = take_memory(pack);
    if (status != HR_OK)
        fail(pack, status, "taking memory to pack %s: %s; fewer threads need less", pack->shown,
             hr_status_text(status));
    else if (pack->options.codec == HR_PACK_AUTO && count > 0)
        read_sample(pack);
    else
        open_outlet(pack);
}

static void open_source(hr_pack *pack)
{
    pack->io = (hr_io){
        .kind = HR_IO_OPEN,
        .path = pack->source_path,
        .flags = HR_IO_READABLE,
        .done = opened_source,
        .context = pack,
    };
    submit(pack, &pack->io);
}

/* ---- the interface ---- */

static void release(hr_pack *pack)
{
    hr_memory *memory = pack->engine->platform->memory;
    hr_crew_fini(&pack->crew);
    if (pack->pages.addr != NULL)
        memory->ops->release(memory, &pack->pages);
    hr_release(pack->env, pack->source_path);
    hr_release(pack->env, pack->target_path);
    hr_release(pack->env, pack);
}

static void deliver_cancel(hr_letter *letter)
{
    hr_pack *pack = HR_CONTAINER(letter, hr_pack, cancel_letter);
    pack->cancel_taken = true;
    if (!pack->closing && !pack->publishing)
        fail(pack, HR_CANCELED, "interrupted; nothing of %s was kept", pack->target_path);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static hr_status check_options(const hr_pack_options *options, hr_error *error)
{
    if (options->source_path == NULL || options->source_path[0] == '\0')
        return hr_error_set(error, HR_INVALID, "packing: no source was named");
    if (options->target_path == NULL && options->codec != HR_PACK_NONE)
        return hr_error_set(error, HR_INVALID, "packing %s: no target was named",
                            options->source_path);
    if (options->target_path != NULL && options->codec == HR_PACK_NONE &&
        !ends_with(options->target_path, INDEX_SUFFIX))
        return hr_error_set(error, HR_INVALID,
                            "with codec none only an index is made, which is found beside its "
                            "file as FILE" INDEX_SUFFIX);
    if (strlen(options->source_path) + sizeof INDEX_SUFFIX >= HR_PATH_MAX ||
        (options->target_path != NULL && strlen(options->target_path) >= HR_PATH_MAX))
        return hr_error_set(error, HR_INVALID, "packing: a path is too long");
    return HR_OK;
}

static hr_status copy_paths(hr_pack *pack, const hr_pack_options *options)
{
    char beside[HR_PATH_MAX];
    const char *target = options->target_path;
    if (target == NULL) {
        snprintf(beside, sizeof beside, "%s" INDEX_SUFFIX, options->source_path);
        target = beside;
    }
    hr_quote(pack->shown, sizeof pack->shown, options->source_path, strlen(options->source_path));
    hr_status status = hr_engine_copy_text(pack->env, options->source_path, &pack->source_path);
    if (status == HR_OK)
        status = hr_engine_copy_text(pack->env, target, &pack->target_path);
    return status;
}

static hr_container container_of(hr_pack_codec codec)
{
    switch (codec) {
    case HR_PACK_ZSTD:
        return HR_CONTAINER_ZSTD;
    case HR_PACK_PLANES:
        return HR_CONTAINER_HEADRACE;
    case HR_PACK_NONE:
        return HR_CONTAINER_BESIDE;
    case HR_PACK_AUTO: /* until a sample says otherwise */
    case HR_PACK_LZ4:
        break;
    }
    return HR_CONTAINER_LZ4;
}

hr_status hr_pack_start(hr_engine *engine, const hr_pack_options *options, hr_pack **pack_out,
                        hr_error *error)
{
    hr_status status = check_options(options, error);
    if (status != HR_OK)
        return status;
    hr_pack *pack = hr_alloc(engine->env, sizeof *pack);
    if (pack == NULL)
        return hr_error_set(error, HR_NO_MEMORY, "packing: out of memory");
    pack->engine = engine;
    pack->env = engine->env;
    pack->storage = home(pack)->storage;
    pack->options = *options;
    pack->container = container_of(options->codec);
    pack->status = HR_AGAIN;
    pack->progress.codec = "";
    pack->cancel_letter.deliver = deliver_cancel;
    if (copy_paths(pack, options) != HR_OK) {
        release(pack);
        return hr_error_set(error, HR_NO_MEMORY, "packing: out of memory");
    }
    open_source(pack);
    *pack_out = pack;
    return HR_OK;
}

hr_status hr_pack_status(const hr_pack *pack)
{
    return pack->status;
}

const hr_error *hr_pack_error(const hr_pack *pack)
{
    return &pack->error;
}

hr_packed_progress hr_pack_count(const hr_pack *pack)
{
    return pack->progress;
}

const char *hr_pack_choice(const hr_pack *pack)
{
    return pack->choice_text;
}

void hr_pack_cancel(hr_pack *pack)
{
    if (!__atomic_exchange_n(&pack->cancel_posted, true, __ATOMIC_ACQ_REL))
        hr_loop_post(home(pack)->loop, &pack->cancel_letter);
}

void hr_pack_destroy(hr_pack *pack)
{
    if (pack == NULL)
        return;
    if (pack->status == HR_AGAIN)
        hr_pack_cancel(pack);
    while (pack->status == HR_AGAIN || (pack->cancel_posted && !pack->cancel_taken))
        hr_engine_step(pack->engine, HR_NS_PER_S);
    release(pack);
}
