/* SPDX-License-Identifier: Apache-2.0 */
#include "draft.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"

#define BUFFER_LEN    (64u << 10)
#define RECORDS_MAX   (BUFFER_LEN / HR_JOURNAL_RECORD_LEN)
#define LOCK_TRIES    16
#define FLUSH_DEFAULT (UINT64_C(4) << 30)

/* ---- steps: one request at a time ---- */

static void step(hr_draft *draft, hr_io_kind kind, void (*done)(hr_io *io))
{
    assert(!draft->stepping);
    draft->stepping = true;
    hr_io *io = &draft->io;
    io->kind = kind;
    io->buffer = -1;
    io->done = done;
    io->context = draft;
    hr_storage_submit(draft->storage, io);
}

static hr_draft *stepped(hr_io *io)
{
    hr_draft *draft = io->context;
    draft->stepping = false;
    return draft;
}

/* A request of its own beside what it needs; the rest is zero. */
static hr_io *fresh_io(hr_draft *draft)
{
    draft->io = (hr_io){.dir = draft->options.dir};
    return &draft->io;
}

static void fail(hr_draft *draft, hr_status status, const char *format, ...) HR_PRINTF(3, 4);
static void fail(hr_draft *draft, hr_status status, const char *format, ...)
{
    char text[500];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    draft->events->failed(draft->context, status, text);
}

static void fail_storage(hr_draft *draft, const char *what, const hr_io *io)
{
    const char *advice = "";
    if (io->status == HR_NO_SPACE)
        advice = "; make room and run the same command again, it continues";
    else if (io->status == HR_DENIED)
        advice = "; is the directory writable?";
    fail(draft, io->status, "%s %s: %s%s%s%s", what, draft->shown, hr_status_text(io->status),
         io->error != 0 ? ", " : "", io->error != 0 ? strerror(io->error) : "", advice);
}

static void fail_stamp(hr_draft *draft, const hr_io *io)
{
    const hr_draft_options *options = &draft->options;
    if (io->status == HR_DENIED && options->owner)
        fail(draft, HR_DENIED,
             "giving %s to owner %u and group %u is not permitted: run it as root, or without "
             "--preserve",
             draft->shown, options->uid, options->gid);
    else
        fail_storage(draft, "setting permissions and time of", io);
}

/* ---- opening ---- */

static void open_journal(hr_draft *draft);

static void ready(hr_draft *draft)
{
    draft->opened = true;
    draft->events->ready(draft->context);
}

static void wrote_start(hr_io *io)
{
    hr_draft *draft = stepped(io);
    if (io->status != HR_OK) {
        fail_storage(draft, "writing the journal of", io);
        return;
    }
    draft->record_at += io->len;
    ready(draft);
}

/* The header of a new journal, or the mark that another boot goes on with an old one. */
static void write_start(hr_draft *draft, bool other_boot)
{
    if (!draft->fresh && !other_boot) {
        ready(draft);
        return;
    }
    size_t len = HR_JOURNAL_RECORD_LEN;
    if (draft->fresh)
        len = HR_JOURNAL_HEADER_LEN; /* packed by begin_journal */
    else
        hr_journal_boot(&draft->journal, draft->options.boot, draft->buffer);
    hr_io *io = fresh_io(draft);
    io->file = draft->journal_file;
    io->data = draft->buffer;
    io->len = len;
    io->offset = draft->record_at;
    step(draft, HR_IO_WRITE, wrote_start);
}

static void allocated(hr_io *io)
{
    hr_draft *draft = stepped(io);
    if (io->status != HR_OK && io->status != HR_UNSUPPORTED) {
        fail_storage(draft, "reserving space for", io);
        return;
    }
    write_start(draft, false);
}

static void emptied_journal(hr_io *io)
{
    hr_draft *draft = stepped(io);
    if (io->status != HR_OK) {
        fail_storage(draft, "starting the journal of", io);
        return;
    }
    if (draft->options.size == 0) {
        write_start(draft, false);
        return;
    }
    io = fresh_io(draft);
    io->file = draft->file;
    io->len = draft->options.size;
    step(draft, draft->options.sparse ? HR_IO_TRUNCATE : HR_IO_ALLOCATE, allocated);
}

static void emptied_data(hr_io *io)
{
    hr_draft *draft = stepped(io);
    if (io->status != HR_OK) {
        fail_storage(draft, "emptying an earlier attempt at", io);
        return;
    }
    io = fresh_io(draft);
    io->file = draft->journal_file;
    step(draft, HR_IO_TRUNCATE, emptied_journal);
}

static void set_header(const hr_draft *draft, hr_journal_header *header)
{
    const hr_draft_options *options = &draft->options;
    memset(header, 0, sizeof *header);
    memcpy(header->identity, options->identity, sizeof header->identity);
    memcpy(header->boot, options->boot, sizeof header->boot);
    header->content_len = options->size;
    header->chunk_len = options->chunk_len;
    uint8_t inode[8];
    hr_put_u64(inode, draft->data_inode);
    header->target = hr_crc32c(hr_crc32c(0, draft->name, strlen(draft->name)), inode, 8);
}

/* Nothing of an earlier run can be used. */
static void start_fresh(hr_draft *draft)
{
    draft->fresh = true;
    draft->found = false;
    memset(draft->chunks, 0, draft->chunk_count * sizeof *draft->chunks);
    if (draft->options.look) {
        ready(draft);
        return;
    }
    hr_journal_header header;
    set_header(draft, &header);
    hr_journal_begin(&draft->journal, &header, draft->buffer);
    draft->record_at = 0;
    hr_io *io = fresh_io(draft);
    io->file = draft->file;
    step(draft, HR_IO_TRUNCATE, emptied_data);
}

static void cut_journal(hr_io *io)
{
    hr_draft *draft = stepped(io);
    if (io->status != HR_OK) {
        fail_storage(draft, "continuing the journal of", io);
        return;
    }
    write_start(draft, memcmp(draft->reader.boot, draft->options.boot, 16) != 0);
}

static void settle_journal(hr_draft *draft)
{
    hr_journal_finish(&draft->reader, &draft->journal);
    draft->record_at = hr_journal_offset(&draft->journal);
    if (draft->options.look) {
        ready(draft);
        return;
    }
    hr_io *io = fresh_io(draft);
    io->file = draft->journal_file;
    io->len = draft->record_at; /* drops a torn record */
    step(draft, HR_IO_TRUNCATE, cut_journal);
}

static void read_journal(hr_draft *draft);

static void read_piece(hr_io *io)
{
    hr_draft *draft = stepped(io);
    if (io->status != HR_OK) {
        start_fresh(draft);
        return;
    }
    const uint8_t *bytes = draft->buffer;
    size_t len = io->bytes;
    if (draft->read_at == 0) {
        hr_journal_header header;
        set_header(draft, &header);
        if (len < HR_JOURNAL_HEADER_LEN ||
            hr_journal_open(&draft->reader, bytes, &header, draft->chunks, draft->chunk_count) !=
                HR_OK) {
            start_fresh(draft);
            return;
        }
        bytes += HR_JOURNAL_HEADER_LEN;
        len -= HR_JOURNAL_HEADER_LEN;
    }
    draft->read_at += io->bytes;
    if (hr_journal_read(&draft->reader, bytes, len) && io->bytes == BUFFER_LEN)
        read_journal(draft);
    else
        settle_journal(draft);
}

static void read_journal(hr_draft *draft)
{
    hr_io *io = fresh_io(draft);
    io->file = draft->journal_file;
    io->data = draft->buffer;
    io->len = BUFFER_LEN;
    io->offset = draft->read_at;
    step(draft, HR_IO_READ, read_piece);
}

static void opened_data(hr_io *io)
{
    hr_draft *draft = stepped(io);
    if (io->status == HR_NOT_FOUND && draft->options.look) {
        start_fresh(draft);
        return;
    }
    if (io->status != HR_OK) {
        fail_storage(draft, "making a temporary file beside", io);
        return;
    }
    draft->file = io->file_out;
    draft->data_inode = io->info.inode;
    if (io->info.size < draft->options.size)
        start_fresh(draft); /* it was never reserved, or was cut: its journal is another's */
    else
        read_journal(draft);
}

static void open_data(hr_draft *draft)
{
    hr_io *io = fresh_io(draft);
    io->path = draft->data_path;
    io->flags = HR_IO_READABLE | HR_IO_DIRECT | HR_IO_NO_SYMLINKS;
    if (!draft->options.look)
        io->flags |= HR_IO_WRITABLE | HR_IO_CREATE;
    step(draft, HR_IO_OPEN, opened_data);
}

static void closed_stale(hr_io *io)
{
    hr_draft *draft = stepped(io);
    draft->journal_file = NULL;
    if (++draft->lock_tries < LOCK_TRIES)
        open_journal(draft);
    else
        fail(draft, HR_BUSY, "%s is being written by others over and over", draft->shown);
}

/* Whoever held the lock before may have published and removed the journal that was opened here. */
static void looked_up_journal(hr_io *io)
{
    hr_draft *draft = stepped(io);
    if (io->status == HR_OK && io->info.inode == draft->journal_inode) {
        draft->owned = true;
        open_data(draft);
        return;
    }
    if (io->status != HR_OK && io->status != HR_NOT_FOUND) {
        fail_storage(draft, "looking for the journal of", io);
        return;
    }
    io = fresh_io(draft);
    io->file = draft->journal_file;
    step(draft, HR_IO_CLOSE, closed_stale);
}

static void locked(hr_io *io)
{
    hr_draft *draft = stepped(io);
    if (io->status == HR_BUSY) {
        fail(draft, HR_BUSY, "%s is being written by another headrace: wait for it, or stop it",
             draft->shown);
        return;
    }
    if (io->status != HR_OK) {
        fail_storage(draft, "locking", io);
        return;
    }
    io = fresh_io(draft);
    io->path = draft->journal_path;
    step(draft, HR_IO_LOOKUP, looked_up_journal);
}

static void opened_journal(hr_io *io)
{
    hr_draft *draft = stepped(io);
    if (io->status == HR_NOT_FOUND && draft->options.look) {
        start_fresh(draft);
        return;
    }
    if (io->status != HR_OK) {
        fail_storage(draft, "making a journal beside", io);
        return;
    }
    draft->journal_file = io->file_out;
    draft->journal_inode = io->info.inode;
    draft->found = io->info.size >= HR_JOURNAL_HEADER_LEN;
    if (draft->options.look) {
        open_data(draft);
        return;
    }
    io = fresh_io(draft);
    io->file = draft->journal_file;
    step(draft, HR_IO_LOCK, locked);
}

static void open_journal(hr_draft *draft)
{
    hr_io *io = fresh_io(draft);
    io->path = draft->journal_path;
    io->flags = HR_IO_READABLE | HR_IO_NO_SYMLINKS;
    if (!draft->options.look)
        io->flags |= HR_IO_WRITABLE | HR_IO_CREATE;
    step(draft, HR_IO_OPEN, opened_journal);
}

static void synced_same(hr_io *io)
{
    hr_draft *draft = stepped(io);
    if (io->status != HR_OK)
        fail_storage(draft, "syncing the directory of", io);
    else
        draft->events->same(draft->context);
}

static void set_stamp(const hr_draft *draft, hr_io *io)
{
    const hr_draft_options *options = &draft->options;
    io->flags |= HR_IO_MODE | (options->owner ? HR_IO_OWNER : 0);
    io->info.mtime_ns = options->mtime_ns;
    io->info.mode = options->mode;
    io->info.uid = options->uid;
    io->info.gid = options->gid;
}

/* The run that gave it its name may have ended before the directory was synced. */
static void sync_same(hr_draft *draft)
{
    hr_io *io = fresh_io(draft);
    io->path = draft->parent;
    step(draft, HR_IO_SYNC_DIR, synced_same);
}

static void stamped_same(hr_io *io)
{
    hr_draft *draft = stepped(io);
    if (io->status != HR_OK)
        fail_stamp(draft, io);
    else
        sync_same(draft);
}

/* Its content is there; who may read it may have changed since. */
static void keep_same(hr_draft *draft, const hr_file_info *info)
{
    const hr_draft_options *options = &draft->options;
    bool other_owner = options->owner && (info->uid != options->uid || info->gid != options->gid);
    if (options->look) {
        draft->events->same(draft->context);
        return;
    }
    if (info->mode == options->mode && !other_owner) {
        sync_same(draft);
        return;
    }
    hr_io *io = fresh_io(draft);
    io->path = draft->name;
    io->flags = HR_IO_NO_SYMLINKS;
    set_stamp(draft, io);
    step(draft, HR_IO_STAMP, stamped_same);
}

static void looked_up_name(hr_io *io)
{
    hr_draft *draft = stepped(io);
    const hr_file_info looked = io->info;
    if (io->status == HR_OK && io->info.type == HR_FILE_DIRECTORY)
        fail(draft, HR_IS_DIRECTORY, "%s is a directory; a file is to get this name", draft->shown);
    else if (io->status == HR_OK && draft->options.keep_same && io->info.type == HR_FILE_REGULAR &&
             io->info.size == draft->options.size && io->info.mtime_ns == draft->options.mtime_ns)
        keep_same(draft, &looked);
    else if (io->status == HR_OK && !draft->options.overwrite)
        fail(draft, HR_EXISTS, "%s exists already; --overwrite replaces it", draft->shown);
    else if (io->status != HR_OK && io->status != HR_NOT_FOUND)
        fail_storage(draft, "looking for", io);
    else
        open_journal(draft);
}

/* FNV-1a of the last name: the next run for the same target finds what this one left. */
static uint64_t name_hash(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    return hash;
}

static hr_status set_paths(hr_draft *draft, const hr_draft_options *options)
{
    const char *slash = strrchr(options->name, '/');
    int parent_len = slash == NULL ? 0 : (int)(slash - options->name);
    const char *last = slash == NULL ? options->name : slash + 1;
    if (strlen(options->name) + sizeof ".headrace-0123456789abcdef.journal" > HR_PATH_MAX)
        return HR_INVALID;
    snprintf(draft->name, sizeof draft->name, "%s", options->name);
    snprintf(draft->parent, sizeof draft->parent, "%.*s", parent_len, options->name);
    snprintf(draft->data_path, sizeof draft->data_path, "%.*s%s.headrace-%016llx", parent_len,
             options->name, parent_len > 0 ? "/" : "", (unsigned long long)name_hash(last));
    snprintf(draft->journal_path, sizeof draft->journal_path, "%.*s%s.headrace-%016llx.journal",
             parent_len, options->name, parent_len > 0 ? "/" : "",
             (unsigned long long)name_hash(last));
    hr_quote(draft->shown, 300, options->shown, strlen(options->shown));
    return HR_OK;
}

hr_status hr_draft_open(hr_draft *draft, const hr_env *env, hr_storage *storage,
                        const hr_draft_options *options, hr_chunk *chunks,
                        const hr_draft_events *events, void *context)
{
    memset(draft, 0, sizeof *draft);
    draft->env = env;
    draft->storage = storage;
    draft->events = events;
    draft->context = context;
    draft->options = *options;
    draft->chunks = chunks;
    draft->chunk_count = (uint32_t)hr_chunk_count(options->size, options->chunk_len);
    if (draft->options.flush_len == 0)
        draft->options.flush_len = FLUSH_DEFAULT;
    if (set_paths(draft, options) != HR_OK)
        return HR_INVALID;
    draft->buffer = hr_alloc(env, BUFFER_LEN);
    draft->pending = hr_alloc(env, HR_DRAFT_PENDING_MAX * sizeof *draft->pending);
    if (draft->buffer == NULL || draft->pending == NULL) {
        hr_release(env, draft->buffer);
        hr_release(env, draft->pending);
        return HR_NO_MEMORY;
    }
    hr_io *io = fresh_io(draft);
    io->path = draft->name;
    step(draft, HR_IO_LOOKUP, looked_up_name);
    return HR_OK;
}

/* ---- the journal while chunks come ---- */

static void record_more(hr_draft *draft);
static void close_if_idle(hr_draft *draft);

static void recorded(hr_io *io)
{
    hr_draft *draft = io->context;
    draft->recording = false;
    if (io->status != HR_OK && io->kind == HR_IO_SYNC) {
        draft->poisoned = true; /* after a failed sync nothing that was written is believed */
        draft->keep = false;
    }
    if (io->status != HR_OK && !draft->closing) {
        fail_storage(draft, io->kind == HR_IO_SYNC ? "flushing" : "writing the journal of", io);
        return;
    }
    record_more(draft);
}

static void submit_record(hr_draft *draft, hr_io_kind kind, hr_file *file, size_t len,
                          void (*done)(hr_io *io))
{
    draft->recording = true;
    draft->record_io = (hr_io){
        .kind = kind,
        .file = file,
        .data = draft->buffer,
        .len = len,
        .offset = draft->record_at,
        .buffer = -1,
        .done = done,
        .context = draft,
    };
    if (kind == HR_IO_WRITE)
        draft->record_at += len;
    hr_storage_submit(draft->storage, &draft->record_io);
}

static void synced_journal(hr_io *io)
{
    recorded(io);
}

static void wrote_flushed(hr_io *io)
{
    hr_draft *draft = io->context;
    if (io->status != HR_OK) {
        recorded(io);
        return;
    }
    submit_record(draft, HR_IO_SYNC, draft->journal_file, 0, synced_journal);
}

/* Records that came meanwhile have waited: FLUSHED vouches for what was packed before the sync
 * began, and for nothing else. */
static void synced_data(hr_io *io)
{
    hr_draft *draft = io->context;
    if (io->status != HR_OK) {
        recorded(io);
        return;
    }
    hr_journal_flushed(&draft->journal, draft->buffer);
    submit_record(draft, HR_IO_WRITE, draft->journal_file, HR_JOURNAL_RECORD_LEN, wrote_flushed);
}

static void record_more(hr_draft *draft)
{
    if (draft->recording)
        return;
    if (draft->pending_count == 0) {
        bool due = draft->unflushed_len >= draft->options.flush_len || draft->flush_wanted;
        draft->flush_wanted = false;
        if (due && !draft->poisoned && draft->unflushed_len > 0) {
            draft->unflushed_len = 0;
            submit_record(draft, HR_IO_SYNC, draft->file, 0, synced_data);
        } else {
            close_if_idle(draft);
        }
        return;
    }
    size_t count = draft->pending_count < RECORDS_MAX ? draft->pending_count : RECORDS_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t at = (draft->pending_first + i) % HR_DRAFT_PENDING_MAX;
        const hr_draft_record *record = &draft->pending[at];
        hr_journal_verified(&draft->journal, record->chunk, record->len, record->crc,
                            draft->buffer + i * HR_JOURNAL_RECORD_LEN);
        draft->unflushed_len += record->len;
    }
    draft->pending_first = (draft->pending_first + count) % HR_DRAFT_PENDING_MAX;
    draft->pending_count -= count;
    submit_record(draft, HR_IO_WRITE, draft->journal_file, count * HR_JOURNAL_RECORD_LEN, recorded);
}

void hr_draft_note(hr_draft *draft, uint32_t chunk, uint32_t len, uint32_t crc)
{
    assert(draft->pending_count < HR_DRAFT_PENDING_MAX);
    size_t at = (draft->pending_first + draft->pending_count++) % HR_DRAFT_PENDING_MAX;
    draft->pending[at] = (hr_draft_record){.chunk = chunk, .len = len, .crc = crc};
    record_more(draft);
}

void hr_draft_distrust(hr_draft *draft)
{
    draft->poisoned = true;
}

/* ---- the name ---- */

/* A record that could not be written ends a draft also while it is being finished. */
static bool is_given_up(hr_draft *draft)
{
    bool given_up = draft->closing;
    close_if_idle(draft);
    return given_up;
}

static void synced(hr_io *io)
{
    hr_draft *draft = stepped(io);
    if (io->status != HR_OK) {
        draft->poisoned = true; /* reading it back would prove nothing */
        draft->keep = false;
    }
    if (is_given_up(draft))
        return;
    if (io->status != HR_OK) {
        fail_storage(draft, "syncing", io);
        return;
    }
    draft->events->synced(draft->context);
}

static void stamped(hr_io *io)
{
    hr_draft *draft = stepped(io);
    if (is_given_up(draft))
        return;
    if (io->status != HR_OK) {
        fail_stamp(draft, io);
        return;
    }
    io = fresh_io(draft);
    io->file = draft->file;
    step(draft, HR_IO_SYNC, synced);
}

static void cut_data(hr_io *io)
{
    hr_draft *draft = stepped(io);
    if (is_given_up(draft))
        return;
    if (io->status != HR_OK) {
        fail_storage(draft, "cutting to its size", io);
        return;
    }
    io = fresh_io(draft);
    io->file = draft->file;
    set_stamp(draft, io);
    step(draft, HR_IO_STAMP, stamped);
}

void hr_draft_finish(hr_draft *draft)
{
    hr_io *io = fresh_io(draft);
    io->file = draft->file;
    io->len = draft->options.size; /* the last write was rounded up */
    step(draft, HR_IO_TRUNCATE, cut_data);
}

static void synced_dir(hr_io *io)
{
    hr_draft *draft = stepped(io);
    if (is_given_up(draft))
        return;
    if (io->status != HR_OK) {
        fail_storage(draft, "syncing the directory of", io);
        return;
    }
    draft->events->published(draft->context);
}

/* Before the directory is synced, so that a crash does not bring it back beside the file. */
static void removed_own_journal(hr_io *io)
{
    hr_draft *draft = stepped(io);
    draft->owned = false; /* others may make theirs now */
    if (is_given_up(draft))
        return;
    io = fresh_io(draft);
    io->path = draft->parent;
    step(draft, HR_IO_SYNC_DIR, synced_dir);
}

static void renamed(hr_io *io)
{
    hr_draft *draft = stepped(io);
    draft->published = io->status == HR_OK;
    if (is_given_up(draft))
        return;
    if (io->status == HR_EXISTS) {
        fail(draft, HR_EXISTS, "%s was made by somebody else meanwhile; --overwrite replaces it",
             draft->shown);
        return;
    }
    if (io->status != HR_OK) {
        fail_storage(draft, "giving its name to", io);
        return;
    }
    io = fresh_io(draft);
    io->path = draft->journal_path;
    step(draft, HR_IO_REMOVE, removed_own_journal);
}

void hr_draft_publish(hr_draft *draft)
{
    hr_io *io = fresh_io(draft);
    io->path = draft->data_path;
    io->path_to = draft->name;
    io->flags = draft->options.overwrite ? 0 : HR_IO_EXCLUSIVE;
    step(draft, HR_IO_RENAME, renamed);
}

/* ---- closing ---- */

static void finish_close(hr_draft *draft)
{
    hr_release(draft->env, draft->buffer);
    hr_release(draft->env, draft->pending);
    draft->buffer = NULL;
    draft->pending = NULL;
    draft->events->closed(draft->context);
}

static void closed_journal(hr_io *io)
{
    finish_close(stepped(io));
}

/* Last, because the lock goes with it. */
static void close_journal(hr_draft *draft)
{
    if (draft->journal_file == NULL) {
        finish_close(draft);
        return;
    }
    hr_io *io = fresh_io(draft);
    io->file = draft->journal_file;
    draft->journal_file = NULL;
    step(draft, HR_IO_CLOSE, closed_journal);
}

static void removed_journal(hr_io *io)
{
    close_journal(stepped(io));
}

static void removed_data(hr_io *io)
{
    hr_draft *draft = stepped(io);
    io = fresh_io(draft);
    io->path = draft->journal_path;
    step(draft, HR_IO_REMOVE, removed_journal);
}

/* What is removed is only ever what the lock on the journal says is ours. */
static void remove_if_unwanted(hr_draft *draft)
{
    if (draft->keep || !draft->owned || draft->options.look) {
        close_journal(draft);
        return;
    }
    hr_io *io = fresh_io(draft);
    io->path = draft->published ? draft->journal_path : draft->data_path;
    step(draft, HR_IO_REMOVE, draft->published ? removed_journal : removed_data);
}

static void closed_data(hr_io *io)
{
    remove_if_unwanted(stepped(io));
}

static void close_if_idle(hr_draft *draft)
{
    if (!draft->closing || draft->recording || draft->stepping)
        return;
    draft->closing = false; /* once */
    if (draft->file == NULL) {
        remove_if_unwanted(draft);
        return;
    }
    hr_io *io = fresh_io(draft);
    io->file = draft->file;
    draft->file = NULL;
    step(draft, HR_IO_CLOSE, closed_data);
}

void hr_draft_close(hr_draft *draft, bool keep)
{
    draft->keep = keep && !draft->poisoned && !draft->published;
    draft->closing = true;
    if (!draft->opened || !draft->keep) {
        draft->pending_count = 0; /* nobody will read them */
        draft->unflushed_len = 0;
    }
    draft->flush_wanted = draft->keep;
    record_more(draft);
}
