/* SPDX-License-Identifier: Apache-2.0 */
#include "draft.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "path.h"

#define FLUSH_DEFAULT (UINT64_C(4) << 30)

/* ---- steps: one request at a time ---- */

void hr_draft_step(hr_draft *draft, hr_io_kind kind, void (*done)(hr_io *io))
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

hr_draft *hr_draft_stepped(hr_io *io)
{
    hr_draft *draft = io->context;
    draft->stepping = false;
    return draft;
}

hr_io *hr_draft_io(hr_draft *draft)
{
    draft->io = (hr_io){.dir = draft->options.dir};
    return &draft->io;
}

void hr_draft_fail(hr_draft *draft, hr_status status, const char *format, ...)
{
    char text[500];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    draft->events->failed(draft->context, status, text);
}

void hr_draft_fail_io(hr_draft *draft, const char *what, const hr_io *io)
{
    const char *advice = "";
    const char *why = hr_io_why(io);
    if (io->error == EFBIG)
        advice = "; the file system, or ulimit -f, allows no larger file";
    else if (io->status == HR_NO_SPACE)
        advice = "; make room (df, and of inodes df -i) and run the same command again: what has "
                 "arrived is kept";
    else if (io->status == HR_DENIED)
        advice = "; is the directory writable?";
    else if (io->status == HR_POLICY) /* the errno would speak of links between devices */
        why = "a symlink is on the way to it, and none is followed";
    hr_draft_fail(draft, io->status, "%s %s: %s%s", what, draft->shown, why, advice);
}

void hr_draft_set_stamp(const hr_draft *draft, hr_io *io)
{
    const hr_draft_options *options = &draft->options;
    io->flags |= HR_IO_MODE | (options->owner ? HR_IO_OWNER : 0);
    io->info.mtime_ns = options->mtime_ns;
    io->info.mode = options->mode;
    io->info.uid = options->uid;
    io->info.gid = options->gid;
}

/* ---- opening ---- */

/* FNV-1a of the last name: the next run for the same target finds what this one left. */
static uint64_t name_hash(const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    return hash;
}

size_t hr_draft_journal_path(const char *path, char *out, size_t size)
{
    int parent_len = (int)hr_path_name_at(path);
    return (size_t)snprintf(out, size, "%.*s.headrace-%016llx.journal", parent_len, path,
                            (unsigned long long)name_hash(path + parent_len));
}

static hr_status set_paths(hr_draft *draft, const hr_draft_options *options)
{
    const char *slash = strrchr(options->name, '/');
    size_t len = strlen(options->name);
    int parent_len = slash == NULL ? 0 : (int)(slash - options->name);
    size_t room = len + HR_DRAFT_JOURNAL_EXTRA;
    if (room > HR_PATH_MAX)
        return HR_INVALID;
    draft->parent = hr_alloc(draft->env, 4 * room);
    if (draft->parent == NULL)
        return HR_NO_MEMORY;
    draft->name = draft->parent + room;
    draft->data_path = draft->name + room;
    draft->journal_path = draft->data_path + room;
    snprintf(draft->name, room, "%s", options->name);
    snprintf(draft->parent, room, "%.*s", parent_len, options->name);
    size_t journal_len = hr_draft_journal_path(options->name, draft->journal_path, room);
    snprintf(draft->data_path, room, "%.*s", (int)(journal_len - strlen(".journal")),
             draft->journal_path);
    hr_quote(draft->shown, sizeof draft->shown, options->shown, strlen(options->shown));
    return HR_OK;
}

static void release_memory(hr_draft *draft)
{
    hr_release(draft->env, draft->buffer);
    hr_release(draft->env, draft->notes);
    hr_release(draft->env, draft->parent);
    draft->buffer = NULL;
    draft->notes = NULL;
    draft->parent = NULL;
}

static void close_if_idle(hr_draft *draft);

static void recorder_failed(void *context, const char *what, const hr_io *io)
{
    hr_draft_fail_io(context, what, io);
}

static void recorder_idle(void *context)
{
    close_if_idle(context);
}

static const hr_recorder_events recorder_events = {
    .failed = recorder_failed,
    .idle = recorder_idle,
};

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
    hr_status status = set_paths(draft, options);
    if (status != HR_OK)
        return status;
    draft->buffer = hr_alloc(env, HR_RECORDER_BUFFER_LEN);
    draft->notes = hr_alloc(env, HR_RECORDER_MAX * sizeof *draft->notes);
    if (draft->buffer == NULL || draft->notes == NULL) {
        release_memory(draft);
        return HR_NO_MEMORY;
    }
    hr_recorder_init(&draft->recorder, storage, draft->options.flush_len, draft->buffer,
                     draft->notes, &recorder_events, draft);
    hr_draft_look_up(draft);
    return HR_OK;
}

/* ---- while chunks come ---- */

void hr_draft_note(hr_draft *draft, uint32_t chunk, uint32_t len, uint32_t crc)
{
    hr_recorder_add(&draft->recorder, chunk, len, crc);
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
    hr_draft *draft = hr_draft_stepped(io);
    if (io->status != HR_OK)
        draft->poisoned = true; /* reading it back would prove nothing */
    if (is_given_up(draft))
        return;
    if (io->status != HR_OK) {
        hr_draft_fail_io(draft, "syncing", io);
        return;
    }
    draft->events->synced(draft->context);
}

static void stamped(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    if (is_given_up(draft))
        return;
    if (io->status != HR_OK) {
        hr_draft_fail_io(draft, "setting permissions and time of", io);
        return;
    }
    draft->owner_lost = io->owner_lost;
    io = hr_draft_io(draft);
    io->file = draft->file;
    hr_draft_step(draft, HR_IO_SYNC, synced);
}

static void cut_data(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    if (is_given_up(draft))
        return;
    if (io->status != HR_OK) {
        hr_draft_fail_io(draft, "cutting to its size", io);
        return;
    }
    io = hr_draft_io(draft);
    io->file = draft->file;
    hr_draft_set_stamp(draft, io);
    hr_draft_step(draft, HR_IO_STAMP, stamped);
}

void hr_draft_finish(hr_draft *draft)
{
    hr_io *io = hr_draft_io(draft);
    io->file = draft->file;
    io->len = draft->options.size; /* the last write was rounded up */
    hr_draft_step(draft, HR_IO_TRUNCATE, cut_data);
}

static void synced_dir(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    if (is_given_up(draft))
        return;
    if (io->status != HR_OK) {
        hr_draft_fail_io(draft, "syncing the directory of", io);
        return;
    }
    draft->events->published(draft->context);
}

/* Before the directory is synced, so that a crash does not bring it back beside the file. */
static void removed_own_journal(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    draft->owned = false; /* others may make theirs now */
    if (is_given_up(draft))
        return;
    io = hr_draft_io(draft);
    io->path = draft->parent;
    hr_draft_step(draft, HR_IO_SYNC_DIR, synced_dir);
}

static void renamed(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    draft->published = io->status == HR_OK;
    if (is_given_up(draft))
        return;
    if (io->status == HR_EXISTS) {
        hr_draft_fail(draft, HR_EXISTS,
                      draft->options.fresh
                          ? "%s" HR_DRAFT_CAME
                          : "%s was made by somebody else meanwhile; --overwrite replaces it",
                      draft->shown);
        return;
    }
    if (io->status != HR_OK) {
        hr_draft_fail_io(draft, "giving its name to", io);
        return;
    }
    io = hr_draft_io(draft);
    io->path = draft->journal_path;
    hr_draft_step(draft, HR_IO_REMOVE, removed_own_journal);
}

void hr_draft_publish(hr_draft *draft)
{
    hr_io *io = hr_draft_io(draft);
    io->path = draft->data_path;
    io->path_to = draft->name;
    io->flags = draft->options.overwrite ? 0 : HR_IO_EXCLUSIVE;
    hr_draft_step(draft, HR_IO_RENAME, renamed);
}

/* ---- closing ---- */

static void finish_close(hr_draft *draft)
{
    release_memory(draft);
    draft->events->closed(draft->context);
}

static void closed_journal(hr_io *io)
{
    finish_close(hr_draft_stepped(io));
}

/* Last, because the lock goes with it. */
static void close_journal(hr_draft *draft)
{
    if (draft->journal_file == NULL) {
        finish_close(draft);
        return;
    }
    hr_io *io = hr_draft_io(draft);
    io->file = draft->journal_file;
    draft->journal_file = NULL;
    hr_draft_step(draft, HR_IO_CLOSE, closed_journal);
}

static void removed_journal(hr_io *io)
{
    close_journal(hr_draft_stepped(io));
}

static void removed_data(hr_io *io)
{
    hr_draft *draft = hr_draft_stepped(io);
    io = hr_draft_io(draft);
    io->path = draft->journal_path;
    hr_draft_step(draft, HR_IO_REMOVE, removed_journal);
}

/* After a failed sync nothing that was written is believed. */
static bool is_kept(const hr_draft *draft)
{
    return draft->keep && !draft->poisoned && !draft->recorder.poisoned && !draft->published;
}

/* What is removed is only ever what the lock on the journal says is ours. */
static void remove_if_unwanted(hr_draft *draft)
{
    if (is_kept(draft) || !draft->owned || draft->options.look) {
        close_journal(draft);
        return;
    }
    hr_io *io = hr_draft_io(draft);
    io->path = draft->published ? draft->journal_path : draft->data_path;
    hr_draft_step(draft, HR_IO_REMOVE, draft->published ? removed_journal : removed_data);
}

static void closed_data(hr_io *io)
{
    remove_if_unwanted(hr_draft_stepped(io));
}

static void close_if_idle(hr_draft *draft)
{
    if (!draft->closing || draft->recorder.busy || draft->stepping)
        return;
    draft->closing = false; /* once */
    if (draft->file == NULL) {
        remove_if_unwanted(draft);
        return;
    }
    hr_io *io = hr_draft_io(draft);
    io->file = draft->file;
    draft->file = NULL;
    hr_draft_step(draft, HR_IO_CLOSE, closed_data);
}

void hr_draft_close(hr_draft *draft, bool keep)
{
    draft->keep = keep;
    draft->closing = true;
    hr_recorder_end(&draft->recorder, !draft->opened || !is_kept(draft));
}
