/* SPDX-License-Identifier: Apache-2.0 */
#include "keep.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define HR_KEEP_EXISTS_TEXT "something else has its name; --overwrite replaces it"
#define HR_KEEP_FULL_TEXT                                                                          \
    "in the target a directory that is not empty has its name; remove it, or let --delete remove " \
    "what it holds"

typedef enum kept_kind { KEPT_NAME, KEPT_SYMLINK, KEPT_XATTRS, KEPT_FILE, KEPT_FOLDER } kept_kind;

struct hr_kept {
    hr_list node;
    kept_kind kind;
    int64_t mtime_ns;
    uint32_t mode, uid, gid;
    const hr_alias *file; /* of a name: which of the files it is one of */
    const char *target; /* of a symlink: what it says; else its extended attributes; behind path */
    size_t target_len;
    char path[];
};

void hr_keep_init(hr_keep *keep, const hr_env *env, hr_storage *storage,
                  const hr_keep_events *events, void *context)
{
    *keep = (hr_keep){.env = env, .storage = storage, .events = events, .context = context};
    hr_list_init(&keep->names);
    hr_list_init(&keep->symlinks);
    hr_list_init(&keep->late);
    hr_list_init(&keep->files);
    hr_list_init(&keep->xattrs);
    hr_folders_init(&keep->folders, env);
    hr_aliases_init(&keep->aliases, env);
}

static void drop(hr_keep *keep, hr_list *list)
{
    hr_list *node;
    while ((node = hr_list_take_first(list)) != NULL)
        hr_release(keep->env, HR_CONTAINER(node, hr_kept, node));
}

void hr_keep_release(hr_keep *keep)
{
    drop(keep, &keep->names);
    drop(keep, &keep->symlinks);
    drop(keep, &keep->late);
    drop(keep, &keep->files);
    drop(keep, &keep->xattrs);
    hr_folders_release(&keep->folders);
    hr_aliases_release(&keep->aliases);
    hr_release(keep->env, keep->stamping);
}

/* ---- noting ---- */

static hr_kept *note(hr_keep *keep, kept_kind kind, const char *path, const hr_entry *entry)
{
    const char *target = kind == KEPT_XATTRS ? entry->xattrs : entry->target;
    size_t path_len = strlen(path) + 1;
    size_t target_len = kind == KEPT_XATTRS ? entry->xattrs_len : strlen(target) + 1;
    hr_kept *kept = hr_alloc(keep->env, sizeof *kept + path_len + target_len);
    if (kept == NULL)
        return NULL;
    kept->kind = kind;
    kept->mtime_ns = entry->mtime_ns;
    kept->mode = hr_kept_mode(entry->mode, keep->owner);
    kept->uid = entry->uid;
    kept->gid = entry->gid;
    memcpy(kept->path, path, path_len);
    memcpy(kept->path + path_len, target, target_len);
    kept->target = kept->path + path_len;
    kept->target_len = target_len;
    return kept;
}

hr_status hr_keep_symlink(hr_keep *keep, const char *path, const hr_entry *entry)
{
    hr_kept *kept = note(keep, KEPT_SYMLINK, path, entry);
    if (kept == NULL)
        return HR_NO_MEMORY;
    hr_list_append(&keep->symlinks, &kept->node);
    return HR_OK;
}

static hr_status note_stamp(hr_keep *keep, kept_kind kind, const char *path,
                            const hr_file_info *info)
{
    const hr_entry entry = {
        .target = "",
        .mtime_ns = info->mtime_ns,
        .mode = info->mode,
        .uid = info->uid,
        .gid = info->gid,
    };
    hr_kept *kept = note(keep, kind, path, &entry);
    if (kept == NULL)
        return HR_NO_MEMORY;
    hr_list_append(&keep->files, &kept->node);
    return HR_OK;
}

hr_status hr_keep_file(hr_keep *keep, const char *path, const hr_file_info *info)
{
    return note_stamp(keep, KEPT_FILE, path, info);
}

hr_status hr_keep_xattrs(hr_keep *keep, const char *path, const hr_entry *entry)
{
    if (entry->xattrs_len == 0)
        return HR_OK;
    hr_kept *kept = note(keep, KEPT_XATTRS, path, entry);
    if (kept == NULL)
        return HR_NO_MEMORY;
    hr_list_append(&keep->xattrs, &kept->node);
    return HR_OK;
}

hr_status hr_keep_name(hr_keep *keep, const char *path, const hr_entry *entry, bool *noted_out)
{
    bool known = false;
    hr_alias *file = NULL;
    hr_status status = HR_OK;
    if (entry->inode != 0)
        status = hr_aliases_add(&keep->aliases, entry->inode, entry->device, path, &known, &file);
    if (status == HR_OK && known) {
        hr_kept *kept = note(keep, KEPT_NAME, path, entry);
        if (kept == NULL)
            return HR_NO_MEMORY;
        kept->file = file;
        hr_list_append(&keep->names, &kept->node);
    }
    if (status == HR_OK)
        *noted_out = known;
    return status;
}

void hr_keep_failed(hr_keep *keep, const char *path)
{
    hr_aliases_fail(&keep->aliases, path);
    hr_list *next;
    for (hr_list *node = keep->xattrs.next; node != &keep->xattrs; node = next) {
        next = node->next;
        if (strcmp(HR_CONTAINER(node, hr_kept, node)->path, path) != 0)
            continue;
        hr_list_remove(node);
        hr_release(keep->env, HR_CONTAINER(node, hr_kept, node));
    }
}

/* ---- making ---- */

static void make_next(hr_keep *keep);

static void step(hr_keep *keep, const hr_io *wanted, void (*done)(hr_io *io))
{
    keep->io = *wanted;
    keep->io.dir = keep->dir;
    keep->io.buffer = -1;
    keep->io.done = done;
    keep->io.context = keep;
    hr_storage_submit(keep->storage, &keep->io);
}

static void report(hr_keep *keep, hr_status status, const char *text)
{
    hr_kept *kept = keep->kept;
    keep->kept = NULL;
    keep->was_there &= status == HR_OK;
    bool counted = kept->kind == KEPT_NAME || kept->kind == KEPT_SYMLINK;
    if (!counted && status != HR_OK)
        keep->events->failed(keep->context, kept->path, status, text);
    if (counted)
        keep->events->made(keep->context, kept->path, keep->was_there, status, text);
    hr_release(keep->env, kept);
}

static void end_kept(hr_keep *keep, hr_status status, const char *text)
{
    report(keep, status, text);
    make_next(keep);
}

static void end_failed(hr_keep *keep, const hr_io *io, const char *what)
{
    char text[200];
    snprintf(text, sizeof text, "%s: %s", what, hr_io_why(io));
    end_kept(keep, io->status, text);
}

static void stamped(hr_io *io)
{
    hr_keep *keep = io->context;
    keep->changed |= io->changed;
    keep->owners_lost += io->status == HR_OK && io->owner_lost;
    bool missing =
        io->status == HR_NOT_FOUND || io->status == HR_NOT_DIRECTORY || io->status == HR_POLICY;
    if (io->status == HR_OK || (missing && keep->kept->kind == KEPT_FOLDER))
        end_kept(keep, HR_OK, ""); /* why a directory is not there has been said */
    else
        end_failed(keep, io, "setting permissions and time");
}

static void stamp(hr_keep *keep)
{
    const hr_kept *kept = keep->kept;
    step(keep,
         &(hr_io){
             .kind = HR_IO_STAMP,
             .flags = HR_IO_NO_SYMLINKS | (kept->kind >= KEPT_FILE ? HR_IO_MODE : 0) |
                      (kept->kind == KEPT_FOLDER ? HR_IO_ONLY_DIR | HR_IO_IF_OTHER : 0) |
                      (keep->was_there ? HR_IO_IF_OTHER : 0) | (keep->owner ? HR_IO_OWNER : 0),
             .path = kept->path,
             .info = {.mtime_ns = kept->mtime_ns,
                      .mode = kept->mode,
                      .uid = kept->uid,
                      .gid = kept->gid},
         },
         stamped);
}

/* A further name has the time and owner of its file, and needs none of its own. */
static void finish_kept(hr_keep *keep)
{
    keep->changed = true;
    if (keep->kept->kind == KEPT_SYMLINK)
        stamp(keep);
    else
        end_kept(keep, HR_OK, "");
}

/* ---- replacing what has the name: beside it, and over it in one step ---- */

static void remove_at(hr_keep *keep, const char *path, void (*done)(hr_io *io))
{
    step(keep, &(hr_io){.kind = HR_IO_REMOVE, .flags = HR_IO_NO_SYMLINKS, .path = path}, done);
}

/* What it holds may be removed yet. */
static void end_full(hr_keep *keep)
{
    if (!keep->prunes || keep->finishing) {
        end_kept(keep, HR_EXISTS, HR_KEEP_FULL_TEXT);
        return;
    }
    hr_list_append(&keep->late, &keep->kept->node);
    make_next(keep);
}

static void removed_temporary(hr_io *io)
{
    hr_keep *keep = io->context;
    bool full = keep->made_way && keep->failure == HR_EXISTS;
    io->status = keep->failure;
    io->error = keep->failure_error;
    if (full)
        end_full(keep);
    else
        end_failed(keep, io, "replacing what has its name");
}

static void fail_to_replace(hr_keep *keep, const hr_io *io)
{
    keep->failure = io->status;
    keep->failure_error = io->error;
    remove_at(keep, keep->temporary, removed_temporary);
}

static void rename_temporary(hr_keep *keep);

static void made_way(hr_io *io)
{
    hr_keep *keep = io->context;
    if (io->status == HR_OK || io->status == HR_NOT_FOUND)
        rename_temporary(keep);
    else
        fail_to_replace(keep, io);
}

static void replaced(hr_io *io)
{
    hr_keep *keep = io->context;
    if (io->status == HR_OK) {
        finish_kept(keep);
    } else if (io->status == HR_IS_DIRECTORY && !keep->made_way) {
        keep->made_way = true;
        remove_at(keep, keep->kept->path, made_way);
    } else {
        fail_to_replace(keep, io);
    }
}

static void rename_temporary(hr_keep *keep)
{
    step(keep,
         &(hr_io){.kind = HR_IO_RENAME,
                  .flags = HR_IO_NO_SYMLINKS,
                  .path = keep->temporary,
                  .path_to = keep->kept->path},
         replaced);
}

static void made_temporary(hr_io *io)
{
    hr_keep *keep = io->context;
    if (io->status == HR_OK)
        rename_temporary(keep);
    else
        end_failed(keep, io, "making it beside what has its name");
}

static void make_at(hr_keep *keep, const char *path, void (*done)(hr_io *io))
{
    const hr_kept *kept = keep->kept;
    bool symlink = kept->kind == KEPT_SYMLINK;
    step(keep,
         &(hr_io){.kind = symlink ? HR_IO_SYMLINK : HR_IO_LINK,
                  .flags = HR_IO_NO_SYMLINKS,
                  .path = symlink ? path : kept->file->path,
                  .path_to = symlink ? kept->target : path},
         done);
}

static void removed_stale(hr_io *io)
{
    hr_keep *keep = io->context;
    make_at(keep, keep->temporary, made_temporary);
}

/* FNV-1a, as for the drafts of files, but from another start: the two never share a name. */
static uint64_t name_hash(const char *name)
{
    uint64_t hash = UINT64_C(0x6c62272e07bb0142);
    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    return hash;
}

/* What is no directory can be replaced. */
static void looked_into(hr_io *io)
{
    hr_keep *keep = io->context;
    if (io->status != HR_OK || io->bytes == 0 ||
        keep->events->empties(keep->context, keep->kept->path))
        end_kept(keep, HR_OK, "");
    else
        end_full(keep);
}

static void look_into(hr_keep *keep)
{
    static_assert(sizeof keep->temporary >= HR_DIR_ENTRY_MAX, "room for one entry");
    step(keep,
         &(hr_io){.kind = HR_IO_LIST,
                  .flags = HR_IO_NO_SYMLINKS,
                  .path = keep->kept->path,
                  .data = keep->temporary,
                  .len = sizeof keep->temporary},
         looked_into);
}

static void replace(hr_keep *keep)
{
    const char *path = keep->kept->path, *slash = strrchr(path, '/');
    int parent_len = slash == NULL ? 0 : (int)(slash - path) + 1;
    if (!keep->overwrite) {
        end_kept(keep, HR_EXISTS, HR_KEEP_EXISTS_TEXT);
        return;
    }
    if (keep->look) {
        look_into(keep);
        return;
    }
    int len = snprintf(keep->temporary, sizeof keep->temporary, "%.*s.headrace-%016llx", parent_len,
                       path, (unsigned long long)name_hash(path + parent_len));
    if (len >= (int)sizeof keep->temporary)
        end_kept(keep, HR_INVALID, "its path is too long");
    else
        remove_at(keep, keep->temporary, removed_stale);
}

/* ---- what has the name may be what is wanted ---- */

static void compared_name(hr_io *io)
{
    hr_keep *keep = io->context;
    keep->was_there =
        io->status == HR_OK && io->info.type == HR_FILE_REGULAR && io->info.inode == keep->inode;
    if (keep->was_there || (keep->look && io->status != HR_OK))
        end_kept(keep, HR_OK, ""); /* or it would be made */
    else
        replace(keep);
}

static void looked_up_file(hr_io *io)
{
    hr_keep *keep = io->context;
    if (io->status != HR_OK && !keep->look) { /* else it may not be there yet */
        end_failed(keep, io, "looking for the file that it is a name of");
        return;
    }
    keep->inode = io->status == HR_OK ? io->info.inode : 0;
    step(keep, &(hr_io){.kind = HR_IO_LOOKUP, .flags = HR_IO_NO_SYMLINKS, .path = keep->kept->path},
         compared_name);
}

static void compared_symlink(hr_io *io)
{
    hr_keep *keep = io->context;
    size_t len = strlen(keep->kept->target);
    keep->was_there =
        io->status == HR_OK && io->bytes == len && memcmp(keep->said, keep->kept->target, len) == 0;
    if (keep->was_there && keep->look)
        end_kept(keep, HR_OK, "");
    else if (keep->was_there)
        stamp(keep);
    else if (keep->look && io->status != HR_OK && io->status != HR_INVALID)
        end_kept(keep, HR_OK, ""); /* it would be made; EINVAL: it is there, and no symlink */
    else
        replace(keep);
}

/* Is what has the name what is wanted? */
static void compare(hr_keep *keep)
{
    if (keep->kept->kind == KEPT_SYMLINK)
        step(keep,
             &(hr_io){.kind = HR_IO_READLINK,
                      .flags = HR_IO_NO_SYMLINKS,
                      .path = keep->kept->path,
                      .data = keep->said,
                      .len = sizeof keep->said},
             compared_symlink);
    else
        step(keep,
             &(hr_io){
                 .kind = HR_IO_LOOKUP, .flags = HR_IO_NO_SYMLINKS, .path = keep->kept->file->path},
             looked_up_file);
}

static void made(hr_io *io)
{
    hr_keep *keep = io->context;
    if (io->status == HR_OK)
        finish_kept(keep);
    else if (io->status != HR_EXISTS)
        end_failed(keep, io,
                   keep->kept->kind == KEPT_SYMLINK ? "making the symlink"
                                                    : "making a further name of a file");
    else
        compare(keep);
}

/* ---- extended attributes ---- */

/* Where none can be set it would be told of each file. */
static void were_set(hr_io *io)
{
    hr_keep *keep = io->context;
    bool denied = io->status == HR_DENIED;
    keep->changed = true;
    if (denied || io->status == HR_UNSUPPORTED) {
        keep->xattrs_lost++;
        keep->xattrs_why = denied ? "some of them take root"
                                  : "the target's file system has none, or /proc, through which "
                                    "they are set, is not mounted";
        end_kept(keep, HR_OK, "");
    } else if (io->status == HR_OK || io->status == HR_NOT_FOUND)
        end_kept(keep, HR_OK, ""); /* why it is not there has been said */
    else
        end_failed(keep, io, "setting its extended attributes");
}

static void set_xattrs(hr_keep *keep)
{
    hr_kept *kept = keep->kept;
    step(keep,
         &(hr_io){.kind = HR_IO_SET_XATTRS,
                  .flags = HR_IO_NO_SYMLINKS,
                  .path = kept->path,
                  .data = kept->path + strlen(kept->path) + 1,
                  .len = kept->target_len},
         were_set);
}

/* ---- directories: many at a time ---- */

#define STAMPED_MAX       256
#define STAMPED_PATHS_LEN (2 * HR_PATH_MAX) /* one more always fits after half of it */

struct hr_keep_stamping {
    size_t count;
    hr_io_file folders[STAMPED_MAX];
    char paths[STAMPED_PATHS_LEN];
};

static void take_folders(hr_keep *keep)
{
    hr_keep_stamping *stamping = keep->stamping;
    size_t used = 0;
    stamping->count = 0;
    hr_folder *folder;
    while (stamping->count < STAMPED_MAX && used <= STAMPED_PATHS_LEN - HR_PATH_MAX &&
           (folder = hr_folders_take(&keep->folders)) != NULL) {
        char *path = stamping->paths + used;
        hr_status status = hr_folder_path(folder, path);
        assert(status == HR_OK); /* it was a path when it was listed */
        (void)status;
        used += strlen(path) + 1;
        stamping->folders[stamping->count++] = (hr_io_file){
            .path = path,
            .status = HR_AGAIN,
            .info = {.mtime_ns = folder->mtime_ns,
                     .mode = hr_kept_mode(folder->mode, keep->owner),
                     .uid = folder->uid,
                     .gid = folder->gid},
        };
        hr_release(keep->env, folder);
    }
}

/* One that did not become what it is to be is tried by itself, which says why. */
static void stamped_folders(hr_io *io)
{
    hr_keep *keep = io->context;
    for (size_t i = 0; i < keep->stamping->count; i++) {
        const hr_io_file *folder = &keep->stamping->folders[i];
        keep->changed |= folder->changed;
        keep->owners_lost += io->status == HR_OK && folder->status == HR_OK && folder->owner_lost;
        if (io->status == HR_OK && folder->status == HR_OK)
            continue;
        if (note_stamp(keep, KEPT_FOLDER, folder->path, &folder->info) != HR_OK) {
            keep->events->failed(keep->context, folder->path, HR_NO_MEMORY,
                                 "setting permissions and time: out of memory");
            keep->stopped = true;
        }
    }
    make_next(keep);
}

/* False: there are no more. */
static bool stamp_folders(hr_keep *keep)
{
    if (keep->dir == NULL || keep->look || keep->stopped)
        return false;
    if (keep->stamping == NULL)
        keep->stamping = hr_alloc(keep->env, sizeof *keep->stamping);
    if (keep->stamping == NULL) {
        keep->events->failed(keep->context, "", HR_NO_MEMORY,
                             "setting permissions and times of directories: out of memory");
        return false;
    }
    take_folders(keep);
    if (keep->stamping->count == 0)
        return false;
    step(keep,
         &(hr_io){
             .kind = HR_IO_STAMP_FILES,
             .flags = HR_IO_NO_SYMLINKS | HR_IO_MODE | HR_IO_ONLY_DIR | HR_IO_IF_OTHER |
                      (keep->owner ? HR_IO_OWNER : 0),
             .files = keep->stamping->folders,
             .file_count = keep->stamping->count,
         },
         stamped_folders);
    return true;
}

/* ---- one after the other ---- */

static void synced(hr_io *io)
{
    hr_keep *keep = io->context;
    if (io->status != HR_OK)
        keep->events->failed(keep->context, "", io->status,
                             "syncing the file system of the target");
    keep->events->over(keep->context);
}

static hr_kept *take_next(hr_keep *keep)
{
    bool names = !keep->stopped && (keep->finishing || !keep->names_wait);
    hr_list *node = names ? hr_list_take_first(&keep->names) : NULL;
    if (node == NULL && !keep->stopped)
        node = hr_list_take_first(&keep->symlinks);
    if (node == NULL && !keep->stopped && keep->finishing)
        node = hr_list_take_first(&keep->late);
    if (node == NULL && !keep->stopped && keep->finishing)
        node = hr_list_take_first(&keep->xattrs);
    if (node == NULL && !keep->stopped && keep->finishing)
        node = hr_list_take_first(&keep->files);
    return node != NULL ? HR_CONTAINER(node, hr_kept, node) : NULL;
}

static bool lost_its_file(const hr_keep *keep)
{
    return keep->kept->kind == KEPT_NAME && keep->kept->file->failed;
}

static void make_next(hr_keep *keep)
{
    while (keep->kept = take_next(keep), keep->kept != NULL) {
        keep->was_there = keep->made_way = false;
        if (lost_its_file(keep))
            report(keep, HR_NOT_FOUND,
                   "the file that it is a further name of could not be brought");
        else if (keep->dir == NULL || (keep->look && keep->kept->kind > KEPT_SYMLINK))
            report(keep, HR_OK, "");
        else
            break;
    }
    if (keep->kept == NULL && keep->finishing && stamp_folders(keep))
        return;
    if (keep->kept == NULL && keep->changed && keep->finishing)
        step(keep, &(hr_io){.kind = HR_IO_SYNC_ALL}, synced);
    else if (keep->kept == NULL)
        keep->events->over(keep->context);
    else if (keep->look)
        compare(keep);
    else if (keep->kept->kind >= KEPT_FILE)
        stamp(keep);
    else if (keep->kept->kind == KEPT_XATTRS)
        set_xattrs(keep);
    else
        make_at(keep, keep->kept->path, made);
}

void hr_keep_make(hr_keep *keep, hr_dir *dir, bool names_wait)
{
    assert(keep->kept == NULL);
    keep->dir = dir;
    keep->names_wait = names_wait;
    make_next(keep);
}

void hr_keep_finish(hr_keep *keep, hr_dir *dir)
{
    keep->finishing = true;
    hr_keep_make(keep, dir, false);
}

void hr_keep_stop(hr_keep *keep)
{
    keep->stopped = true;
}
