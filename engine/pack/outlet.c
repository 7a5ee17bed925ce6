/* SPDX-License-Identifier: Apache-2.0 */
#include "outlet.h"

#include <stdio.h>
#include <string.h>

#define LOCK_TRIES 16

static void step(hr_outlet *outlet, hr_io_kind kind, void (*done)(hr_io *io))
{
    hr_io *io = &outlet->io;
    io->kind = kind;
    io->buffer = -1;
    io->done = done;
    io->context = outlet;
    hr_storage_submit(outlet->storage, io);
}

/* What a step needs is set after it; the rest is zero. */
static hr_io *fresh_io(hr_outlet *outlet)
{
    outlet->io = (hr_io){.dir = outlet->dir, .file = outlet->file};
    return &outlet->io;
}

static void fail(hr_outlet *outlet, hr_status status, const char *what)
{
    snprintf(outlet->text, sizeof outlet->text, "%s %s", outlet->shown, what);
    outlet->done(outlet, status);
}

static void fail_io(hr_outlet *outlet, const char *what, const hr_io *io)
{
    const char *advice = io->status == HR_NO_SPACE ? "; make room and run the same command again"
                         : io->status == HR_DENIED ? "; is the directory writable?"
                                                   : "";
    snprintf(outlet->text, sizeof outlet->text, "%s %s: %s%s", what, outlet->shown, hr_io_why(io),
             advice);
    outlet->done(outlet, io->status);
}

/* ---- opening ---- */

static void open_temporary(hr_outlet *outlet);

static void emptied(hr_io *io)
{
    hr_outlet *outlet = io->context;
    if (io->status != HR_OK)
        fail_io(outlet, "emptying an earlier attempt at", io);
    else
        outlet->done(outlet, HR_OK);
}

static void closed_stale(hr_io *io)
{
    hr_outlet *outlet = io->context;
    outlet->file = NULL;
    if (++outlet->tries < LOCK_TRIES)
        open_temporary(outlet);
    else
        fail(outlet, HR_BUSY, "is being written by others over and over");
}

/* Whoever held the lock before may have published or removed the file that was opened here. */
static void looked_up(hr_io *io)
{
    hr_outlet *outlet = io->context;
    bool same = io->status == HR_OK && io->info.inode == outlet->inode;
    if (io->status != HR_OK && io->status != HR_NOT_FOUND) {
        fail_io(outlet, "looking for the temporary file of", io);
        return;
    }
    fresh_io(outlet);
    if (!same) {
        step(outlet, HR_IO_CLOSE, closed_stale);
        return;
    }
    outlet->owned = true;
    step(outlet, HR_IO_TRUNCATE, emptied);
}

static void locked(hr_io *io)
{
    hr_outlet *outlet = io->context;
    if (io->status == HR_BUSY) {
        fail(outlet, HR_BUSY, "is being written by another headrace: wait for it, or stop it");
        return;
    }
    if (io->status != HR_OK) {
        fail_io(outlet, "locking", io);
        return;
    }
    fresh_io(outlet)->path = outlet->temporary;
    step(outlet, HR_IO_LOOKUP, looked_up);
}

static void opened(hr_io *io)
{
    hr_outlet *outlet = io->context;
    if (io->status != HR_OK) {
        fail_io(outlet, "making a temporary file beside", io);
        return;
    }
    outlet->file = io->file_out;
    outlet->inode = io->info.inode;
    fresh_io(outlet);
    step(outlet, HR_IO_LOCK, locked);
}

static void open_temporary(hr_outlet *outlet)
{
    hr_io *io = fresh_io(outlet);
    io->path = outlet->temporary;
    io->flags = HR_IO_READABLE | HR_IO_WRITABLE | HR_IO_CREATE | HR_IO_DIRECT | HR_IO_NO_SYMLINKS;
    step(outlet, HR_IO_OPEN, opened);
}

static void looked_for_target(hr_io *io)
{
    hr_outlet *outlet = io->context;
    if (io->status == HR_OK)
        outlet->found_mtime_ns = io->info.mtime_ns;
    if (io->status == HR_OK && io->info.type == HR_FILE_DIRECTORY)
        fail(outlet, HR_IS_DIRECTORY, "is a directory; a file is to get this name");
    else if (io->status == HR_OK && io->info.type == HR_FILE_SPECIAL)
        fail(outlet, HR_EXISTS, "is a device, a fifo or a socket, and stays; name a file");
    else if (io->status == HR_OK && (outlet->flags & HR_OUTLET_OVERWRITE) == 0)
        fail(outlet, HR_EXISTS, "exists already; --overwrite replaces it");
    else if (io->status != HR_OK && io->status != HR_NOT_FOUND)
        fail_io(outlet, "looking for", io);
    else
        open_temporary(outlet);
}

static void opened_dir(hr_io *io)
{
    hr_outlet *outlet = io->context;
    if (io->status != HR_OK) {
        fail_io(outlet, "opening the directory of", io);
        return;
    }
    outlet->dir = io->dir_out;
    fresh_io(outlet)->path = outlet->name;
    step(outlet, HR_IO_LOOKUP, looked_for_target);
}

/* FNV-1a, as for the drafts of a get, but from another start: the two never share a file. */
static uint64_t name_hash(const char *name)
{
    uint64_t hash = UINT64_C(0x9ae16a3b2f90404f);
    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    return hash;
}

static bool split(hr_outlet *outlet, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const char *parent = slash == NULL ? "." : slash == path ? "/" : path;
    size_t name_len = strlen(name);
    size_t parent_len = parent == path ? (size_t)(slash - path) : 1;
    if (name_len > HR_NAME_MAX || parent_len >= sizeof outlet->parent || name_len == 0 ||
        strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    memcpy(outlet->name, name, name_len + 1);
    memcpy(outlet->parent, parent, parent_len); /* which was zeroed */
    snprintf(outlet->temporary, sizeof outlet->temporary, ".headrace-%016llx",
             (unsigned long long)name_hash(name));
    return true;
}

static void refuse_path(hr_io *io)
{
    fail(io->context, HR_INVALID, "is no path that a file can have");
}

void hr_outlet_open(hr_outlet *outlet, const hr_env *env, hr_storage *storage, const char *path,
                    unsigned flags, hr_outlet_done done, void *context)
{
    *outlet = (hr_outlet){
        .env = env,
        .storage = storage,
        .done = done,
        .context = context,
        .flags = flags,
    };
    hr_quote(outlet->shown, sizeof outlet->shown, path, strlen(path));
    bool good = split(outlet, path);
    hr_io *io = fresh_io(outlet);
    io->path = good ? outlet->parent : ".";
    io->flags = (flags & HR_OUTLET_MAKE_PARENT) != 0 ? HR_IO_CREATE : 0;
    if (good)
        step(outlet, HR_IO_OPEN_DIR, opened_dir);
    else
        step(outlet, HR_IO_LOOKUP, refuse_path); /* only so that done comes from a step */
}

/* ---- publishing ---- */

static void synced_dir(hr_io *io)
{
    hr_outlet *outlet = io->context;
    if (io->status != HR_OK)
        fail_io(outlet, "syncing the directory of", io);
    else
        outlet->done(outlet, HR_OK);
}

static void renamed(hr_io *io)
{
    hr_outlet *outlet = io->context;
    outlet->published = io->status == HR_OK;
    if (io->status == HR_EXISTS) {
        fail(outlet, HR_EXISTS, "was made by somebody else meanwhile; --overwrite replaces it");
    } else if (io->status != HR_OK) {
        fail_io(outlet, "giving its name to", io);
    } else {
        fresh_io(outlet)->path = "";
        step(outlet, HR_IO_SYNC_DIR, synced_dir);
    }
}

static void synced(hr_io *io)
{
    hr_outlet *outlet = io->context;
    if (io->status != HR_OK) {
        fail_io(outlet, "syncing", io);
        return;
    }
    io = fresh_io(outlet);
    io->path = outlet->temporary;
    io->path_to = outlet->name;
    io->flags = (outlet->flags & HR_OUTLET_OVERWRITE) != 0 ? 0 : HR_IO_EXCLUSIVE;
    step(outlet, HR_IO_RENAME, renamed);
}

static void cut(hr_io *io)
{
    hr_outlet *outlet = io->context;
    if (io->status != HR_OK) {
        fail_io(outlet, "cutting to its length", io);
        return;
    }
    fresh_io(outlet);
    step(outlet, HR_IO_SYNC, synced);
}

void hr_outlet_publish(hr_outlet *outlet, uint64_t len, hr_outlet_done done)
{
    outlet->done = done;
    fresh_io(outlet)->len = len; /* the last write was rounded up */
    step(outlet, HR_IO_TRUNCATE, cut);
}

/* ---- closing ---- */

static void closed_dir(hr_io *io)
{
    hr_outlet *outlet = io->context;
    outlet->dir = NULL;
    outlet->done(outlet, HR_OK);
}

static void looked_at_nothing(hr_io *io)
{
    hr_outlet *outlet = io->context;
    outlet->done(outlet, HR_OK);
}

static void close_dir(hr_outlet *outlet)
{
    fresh_io(outlet)->path = ".";
    if (outlet->dir != NULL)
        step(outlet, HR_IO_CLOSE_DIR, closed_dir);
    else
        step(outlet, HR_IO_LOOKUP, looked_at_nothing);
}

static void closed_file(hr_io *io)
{
    hr_outlet *outlet = io->context;
    outlet->file = NULL;
    close_dir(outlet);
}

/* The lock goes with the file, so it is the last to be let go of. */
static void close_file(hr_outlet *outlet)
{
    fresh_io(outlet);
    if (outlet->file != NULL)
        step(outlet, HR_IO_CLOSE, closed_file);
    else
        close_dir(outlet);
}

static void removed(hr_io *io)
{
    close_file(io->context);
}

void hr_outlet_close(hr_outlet *outlet, hr_outlet_done done)
{
    outlet->done = done;
    if (!outlet->owned || outlet->published) {
        close_file(outlet);
        return;
    }
    fresh_io(outlet)->path = outlet->temporary;
    step(outlet, HR_IO_REMOVE, removed);
}
