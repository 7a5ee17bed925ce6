/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "get.h"
#include "granularity.h"

hr_file_info hr_sift_info(const hr_get *get, const hr_entry *entry)
{
    return (hr_file_info){
        .type = HR_FILE_REGULAR,
        .size = entry->size,
        .mode = hr_kept_mode(entry->mode, get->options.owner),
        .uid = entry->uid,
        .gid = entry->gid,
        .mtime_ns = entry->mtime_ns,
        .ctime_ns = entry->ctime_ns,
        .allocated_len = entry->sparse ? 0 : entry->size,
    };
}

/* ---- the ring of them ---- */

static hr_sift *sift_at(const hr_get *get, unsigned place)
{
    hr_sifts *sifts = get->sifts;
    return &sifts->all[(sifts->first + place) % HR_SIFTS];
}

/* The one that is being filled; NULL: it is being looked at already, or there is none. */
static hr_sift *filled(const hr_get *get)
{
    hr_sift *last = get->sifts->count > 0 ? sift_at(get, get->sifts->count - 1) : NULL;
    return last == NULL || last->looking || last->looked ? NULL : last;
}

static bool takes_more(const hr_get *get, const hr_sift *sift)
{
    return sift->count < HR_SIFT_FILES_MAX && sizeof sift->names - sift->names_len >= HR_PATH_MAX &&
           (get->listed == NULL || get->listed->folder->made == sift->all_made);
}

bool hr_sift_has_room(const hr_get *get)
{
    const hr_sift *sift = filled(get);
    return get->sifts->count < HR_SIFTS || (sift != NULL && takes_more(get, sift));
}

bool hr_sift_is_over(const hr_get *get)
{
    return get->sifts == NULL || get->sifts->count == 0;
}

bool hr_sift_is_looking(const hr_get *get)
{
    for (unsigned i = 0; get->sifts != NULL && i < get->sifts->count; i++)
        if (sift_at(get, i)->looking)
            return true;
    return false;
}

static hr_sift *begin_next(hr_get *get)
{
    assert(get->sifts->count < HR_SIFTS);
    hr_sift *sift = sift_at(get, get->sifts->count++);
    sift->count = sift->next = sift->names_len = 0;
    sift->looking = sift->looked = false;
    sift->all_made = get->listed->folder->made;
    return sift;
}

void hr_sift_add(hr_get *get, const char *path, const hr_file_info *listed, bool twin)
{
    hr_sift *sift = filled(get);
    if (sift == NULL || !takes_more(get, sift)) {
        hr_sift_look(get);
        sift = begin_next(get);
    }
    size_t len = strlen(path) + 1;
    char *name = memcpy(sift->names + sift->names_len, path, len);
    sift->names_len += len;
    sift->files[sift->count] = (hr_io_file){.path = name, .status = HR_NOT_FOUND};
    sift->listed[sift->count] = *listed;
    sift->twins[sift->count] = twin;
    sift->left[sift->count] = false;
    sift->made[sift->count] = get->listed->folder->made ? get->listed->folder : NULL;
    sift->count++;
}

/* ---- looking ---- */

/* HR_EXISTS: something else is there, that may not be replaced. HR_NOT_FOUND: it is to be brought.
 * Anything else: the transfer will meet it too, and say what it is. */
static hr_status compare(const hr_get *get, const hr_io_file *there, const hr_file_info *listed)
{
    if (there->status != HR_OK)
        return there->status;
    if (there->info.type != HR_FILE_REGULAR || get->options.unpack)
        return HR_INVALID; /* what was listed is not what it becomes */
    if (there->info.size == listed->size && hr_is_time_of(there->info.mtime_ns, listed->mtime_ns))
        return HR_OK;
    return get->options.overwrite ? HR_NOT_FOUND : HR_EXISTS;
}

/* ---- what an interrupted run left of a larger file of the same name ---- */

/* One that is to come in a bundle, or one that is there and came by itself. The other ones'
 * transfers look. */
static bool may_have_left(const hr_get *get, const hr_sift *sift, size_t i)
{
    bool bundled = get->flow.takes_bundles && sift->listed[i].size <= HR_BUNDLE_FILE_MAX;
    return compare(get, &sift->files[i], &sift->listed[i]) == (bundled ? HR_NOT_FOUND : HR_OK);
}

static void looked_for_drafts(hr_io *io)
{
    hr_get *get = io->context;
    hr_sift *sift = HR_CONTAINER(io, hr_sift, io);
    sift->looking = false;
    sift->looked = true;
    for (size_t i = 0, draft = 0; i < sift->count; i++)
        if (sift->left[i])
            sift->left[i] = sift->drafts[draft++].status == HR_OK;
    hr_release(get->env, sift->drafts);
    sift->drafts = NULL;
    hr_tree_pump(get);
}

/* Of what lies in directories that were there: how many, and how long the paths are. */
static size_t note_candidates(const hr_get *get, hr_sift *sift, size_t *paths_len)
{
    size_t count = 0;
    for (size_t i = 0; i < sift->count; i++) {
        const hr_io_file *file = &sift->files[i];
        sift->left[i] = sift->made[i] == NULL && may_have_left(get, sift, i);
        if (!sift->left[i])
            continue;
        count++;
        *paths_len += strlen(file->path) + HR_DRAFT_JOURNAL_EXTRA;
    }
    return count;
}

/* False: there is nothing to look for. */
static bool look_for_drafts(hr_get *get, hr_sift *sift)
{
    size_t paths_len = 0;
    size_t count = get->options.dry_run ? 0 : note_candidates(get, sift, &paths_len);
    if (count == 0)
        return false;
    sift->drafts = hr_alloc(get->env, count * sizeof *sift->drafts + paths_len);
    if (sift->drafts == NULL) {
        hr_get_end(get, HR_NO_MEMORY, "looking for what was left: out of memory");
        return false;
    }
    char *path = (char *)(sift->drafts + count);
    for (size_t i = 0, draft = 0; i < sift->count; i++) {
        if (!sift->left[i])
            continue;
        sift->drafts[draft++].path = path;
        path += 1 + hr_draft_journal_path(sift->files[i].path, path,
                                          strlen(sift->files[i].path) + HR_DRAFT_JOURNAL_EXTRA);
    }
    sift->io = (hr_io){
        .kind = HR_IO_LOOKUP_FILES,
        .flags = HR_IO_NO_SYMLINKS,
        .dir = get->dir,
        .files = sift->drafts,
        .file_count = count,
        .done = looked_for_drafts,
        .context = get,
    };
    hr_storage_submit(hr_get_home(get)->storage, &sift->io);
    return true;
}

static void looked(hr_io *io)
{
    hr_get *get = io->context;
    hr_sift *sift = HR_CONTAINER(io, hr_sift, io);
    for (size_t i = 0; i < sift->count && io->status != HR_OK; i++)
        sift->files[i].status = io->status;
    if (!get->ending && look_for_drafts(get, sift))
        return;
    sift->looking = false;
    sift->looked = true;
    hr_tree_pump(get);
}

/* Without a directory it goes to memory, or in a dry run to what is not there yet. In a directory
 * that was made only somebody else can have put something: as what is brought replaces nothing
 * there, that is told when it gets its name. */
void hr_sift_look(hr_get *get)
{
    hr_sift *sift = filled(get);
    if (sift == NULL)
        return;
    if (get->dir == NULL || sift->all_made) {
        sift->looked = true;
        return;
    }
    sift->looking = true;
    sift->io = (hr_io){
        .kind = HR_IO_LOOKUP_FILES,
        .flags = HR_IO_NO_SYMLINKS,
        .dir = get->dir,
        .files = sift->files,
        .file_count = sift->count,
        .done = looked,
        .context = get,
    };
    hr_storage_submit(hr_get_home(get)->storage, &sift->io);
}

/* ---- deciding ---- */

static void synced_names(hr_io *io)
{
    hr_get *get = io->context;
    get->io_busy = false;
    get->names_synced = true;
    get->flow.directories_unsynced &= !get->flow.syncs_all; /* those too */
    if (io->status != HR_OK)
        hr_get_end(get, io->status, "syncing what is there already: %s", hr_io_why(io));
    hr_tree_pump(get);
}

/* What is kept was brought by an earlier run, which may have ended before the names were synced:
 * once is enough for all that was there before. */
static void sync_names(hr_get *get)
{
    get->io_busy = true;
    get->io = (hr_io){
        .kind = get->flow.syncs_all ? HR_IO_SYNC_ALL : HR_IO_SYNC_DIR,
        .dir = get->dir,
        .path = "",
        .done = synced_names,
        .context = get,
    };
    hr_storage_submit(hr_get_home(get)->storage, &get->io);
}

/* Its content is there; who may read it may have changed since. */
static void keep_attributes(hr_get *get, const hr_io_file *there, const hr_file_info *listed)
{
    const hr_file_info *info = &there->info;
    bool owner = get->options.owner && (info->uid != listed->uid || info->gid != listed->gid);
    if ((info->mode != listed->mode || owner) &&
        hr_keep_file(&get->keep, there->path, listed) != HR_OK)
        hr_get_end(get, HR_NO_MEMORY, "remembering the permissions of a file: out of memory");
}

/* The source was changed after the target was made, in something other than size and time: it may
 * be its content, with the time set back. ctimes of two machines tell it as far as their clocks
 * agree; what is read too often for that is stamped, so that it is the newer one. */
static bool may_differ(const hr_get *get, const hr_io_file *there, const hr_file_info *listed)
{
    return listed->ctime_ns > there->info.ctime_ns && listed->size > 0 &&
           (get->client->features & HR_FEATURE_DIGESTS) != 0;
}

static void keep(hr_get *get, const char *path)
{
    get->progress.files++;
    hr_get_keep(get, path);
}

static void told_apart(void *context, bool folds)
{
    hr_get *get = context;
    get->io_busy = false;
    sift_at(get, 0)->told_apart = true;
    sift_at(get, 0)->folds = folds;
    hr_tree_pump(get);
}

/* What is there under the name of a twin may be the other one. */
static void tell_apart(hr_get *get, const char *path)
{
    get->io_busy = true;
    hr_twins_look(&get->twins, hr_get_home(get)->storage, get->dir, path, told_apart, get);
}

/* False: it has to wait. */
static bool decide(hr_get *get, const hr_sift *sift)
{
    const hr_io_file *there = &sift->files[sift->next];
    const hr_file_info *listed = &sift->listed[sift->next];
    if (there->status == HR_OK && sift->twins[sift->next] && !sift->told_apart) {
        tell_apart(get, there->path);
        return false;
    }
    if (sift->folds) {
        hr_get_skip(get, there->path, HR_EXISTS, HR_TWINS_TEXT);
        return true;
    }
    bool renamed = hr_get_may_rename(get, there->path); /* under another name it may be there */
    if (there->status == HR_OK && there->info.type == HR_FILE_DIRECTORY && !renamed) {
        get->progress.files++;
        hr_blocked_add(get, there->path, listed->size);
        return true;
    }
    hr_status status = compare(get, there, listed);
    if (status == HR_OK && !get->names_synced && !get->options.dry_run) {
        sync_names(get);
        return false;
    }
    if (status == HR_OK && may_differ(get, there, listed)) {
        if (hr_check_is_full(&get->check))
            return false;
        get->progress.files++;
        if (hr_check_add(get, there->path, listed) != HR_OK)
            hr_get_end(get, HR_NO_MEMORY, "remembering a file to compare: out of memory");
        return true;
    }
    bool left = sift->left[sift->next]; /* its own transfer takes it over, or away */
    if (status == HR_OK && !left) {
        keep_attributes(get, there, listed);
        keep(get, there->path);
        return true;
    }
    bool fresh = there->status == HR_NOT_FOUND && get->dir != NULL && !renamed;
    bool small = status == HR_NOT_FOUND && listed->size <= HR_BUNDLE_FILE_MAX && !left && !renamed;
    const hr_folder *made = sift->made[sift->next];
    if (get->options.dry_run && !renamed && (small || made != NULL)) {
        get->progress.files++;
        get->progress.bytes += listed->size;
        hr_get_report(get, there->path, HR_OK, "", listed->size);
        return true;
    }
    if (small && get->flow.takes_bundles ? !hr_flow_add(get, there->path, listed, fresh, made)
                                         : !hr_flow_wait(get, there->path, fresh))
        return false;
    get->progress.files++;
    return true;
}

bool hr_sift_decide(hr_get *get)
{
    hr_sift *sift = get->sifts->count > 0 ? sift_at(get, 0) : NULL;
    if (sift == NULL || !sift->looked || !decide(get, sift))
        return false;
    sift->told_apart = sift->folds = false;
    if (++sift->next == sift->count) {
        get->sifts->first = (get->sifts->first + 1) % HR_SIFTS;
        get->sifts->count--;
    }
    return true;
}
