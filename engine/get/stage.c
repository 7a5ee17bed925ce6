/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define PAGE_LEN  (64u << 10)
#define TRIES_MAX 16
/* The hex is the hash of an empty name, as drafts hash theirs: no file has that. */
#define STAGE_NAME ".headrace-cbf29ce484222325"
#define LOCK_NAME  "lock"
#define LOCK_PATH  STAGE_NAME "/" LOCK_NAME
#define PROBE_PATH STAGE_NAME "/probe"
/* Making a drawer and renaming it costs about as much as renaming this many files does. */
#define DRAWER_FILES_MIN 4
#define RENAME_NS        20000 /* of a file, on ext4; others take less */

static void step(hr_stage *stage, const hr_io *io, void (*done)(hr_io *io))
{
    stage->io = *io;
    stage->io.dir = stage->io.dir == NULL ? stage->dir : stage->io.dir;
    stage->io.flags |= HR_IO_NO_SYMLINKS;
    stage->io.buffer = -1;
    stage->io.done = done;
    stage->io.context = stage;
    hr_storage_submit(stage->storage, &stage->io);
}

void hr_stage_init(hr_stage *stage, const hr_env *env, hr_storage *storage, hr_dir *dir,
                   const char *shown, const hr_stage_events *events, void *context)
{
    *stage = (hr_stage){
        .env = env,
        .storage = storage,
        .dir = dir,
        .shown = shown,
        .events = events,
        .context = context,
    };
    hr_list_init(&stage->publishing);
}

bool hr_stage_is_at(const char *path)
{
    return strcmp(path, STAGE_NAME) == 0;
}

void hr_stage_path(uint64_t number, char path_out[HR_STAGE_PATH_MAX])
{
    snprintf(path_out, HR_STAGE_PATH_MAX, "%s/%08llx", STAGE_NAME, (unsigned long long)number);
}

/* ---- cleaning: what an earlier run left, or this one ---- */

static void cleaned(hr_stage *stage, hr_status status);
static void list_left(hr_stage *stage);

static void removed_one(hr_io *io);

/* Where the page is from. */
static const char *listed_path(const hr_stage *stage)
{
    return stage->drawer[0] != '\0' ? stage->drawer : STAGE_NAME;
}

/* Lists again from the start once a page is gone: positions behind what was removed mean nothing.
 */
static void remove_next(hr_stage *stage, size_t page_len)
{
    while (stage->page_at < page_len) {
        const hr_dir_entry *entry = (const void *)(stage->page + stage->page_at);
        stage->page_at += entry->size;
        if (stage->drawer[0] == '\0' && strcmp(entry->name, LOCK_NAME) == 0)
            continue;
        snprintf(stage->removed, sizeof stage->removed, "%s/%s", listed_path(stage), entry->name);
        step(stage, &(hr_io){.kind = HR_IO_REMOVE, .path = stage->removed, .len = page_len},
             removed_one);
        return;
    }
    list_left(stage);
}

static void removed_one(hr_io *io)
{
    hr_stage *stage = io->context;
    if (io->status == HR_EXISTS && stage->drawer[0] == '\0') { /* a drawer, with files in it */
        assert(strlen(stage->removed) < sizeof stage->drawer);
        memcpy(stage->drawer, stage->removed, sizeof stage->drawer);
        list_left(stage);
    } else if (io->status != HR_OK && io->status != HR_NOT_FOUND) {
        cleaned(stage, io->status);
    } else {
        remove_next(stage, io->len);
    }
}

static bool holds_only_lock(const hr_stage *stage, size_t page_len)
{
    for (size_t at = 0; at < page_len;) {
        const hr_dir_entry *entry = (const void *)(stage->page + at);
        if (strcmp(entry->name, LOCK_NAME) != 0)
            return false;
        at += entry->size;
    }
    return true;
}

static void listed_left(hr_io *io)
{
    hr_stage *stage = io->context;
    stage->page_at = 0;
    if (stage->drawer[0] != '\0' && io->status == HR_OK && io->bytes == 0) {
        stage->drawer[0] = '\0';
        list_left(stage);
    } else if (io->status != HR_OK || holds_only_lock(stage, io->bytes)) {
        cleaned(stage, io->status);
    } else {
        remove_next(stage, io->bytes);
    }
}

static void list_left(hr_stage *stage)
{
    step(stage,
         &(hr_io){
             .kind = HR_IO_LIST, .path = listed_path(stage), .data = stage->page, .len = PAGE_LEN},
         listed_left);
}

static void clean(hr_stage *stage)
{
    stage->page = hr_alloc(stage->env, PAGE_LEN);
    stage->drawer[0] = '\0';
    if (stage->page == NULL)
        cleaned(stage, HR_NO_MEMORY);
    else
        list_left(stage);
}

/* ---- opening ---- */

static void opened(hr_stage *stage, hr_status status, const char *what)
{
    char text[500] = "";
    stage->busy = false;
    stage->is_open = status == HR_OK;
    if (status == HR_BUSY)
        snprintf(text, sizeof text,
                 "%s is being written by another headrace: wait for it, or stop it", stage->shown);
    else if (status != HR_OK)
        snprintf(text, sizeof text, "%s in %s: %s%s", what, stage->shown,
                 stage->io.status == status ? hr_io_why(&stage->io) : hr_status_text(status),
                 status == HR_DENIED ? "; is the directory writable?" : "");
    stage->events->opened(stage->context, status, text);
}

static void closed_lock(hr_io *io)
{
    hr_stage *stage = io->context;
    stage->lock = NULL; /* and with it the lock */
    if (stage->closing) {
        stage->is_open = stage->busy = stage->closing = false;
        stage->events->closed(stage->context, stage->failure);
    } else if (stage->failure != HR_OK) {
        opened(stage, stage->failure, "locking and clearing the directory of temporary files");
    } else if (++stage->tries < TRIES_MAX) {
        hr_stage_open(stage, stage->create);
    } else {
        opened(stage, HR_BUSY, "");
    }
}

/* After a failure to open, which is told once it is closed; HR_OK: it is tried again. */
static void close_lock(hr_stage *stage, hr_status failure)
{
    stage->failure = failure;
    step(stage, &(hr_io){.kind = HR_IO_CLOSE, .file = stage->lock}, closed_lock);
}

/* Whoever held the lock before may have removed it, and the directory with it. */
static void looked_up_lock(hr_io *io)
{
    hr_stage *stage = io->context;
    if (io->status == HR_OK && io->info.inode == stage->lock_inode)
        clean(stage);
    else
        close_lock(stage, HR_OK);
}

static void locked(hr_io *io)
{
    hr_stage *stage = io->context;
    if (io->status != HR_OK)
        close_lock(stage, io->status);
    else
        step(stage, &(hr_io){.kind = HR_IO_LOOKUP, .path = LOCK_PATH}, looked_up_lock);
}

static void opened_lock(hr_io *io)
{
    hr_stage *stage = io->context;
    if (io->status == HR_NOT_FOUND && stage->create && ++stage->tries < TRIES_MAX) {
        hr_stage_open(stage, true); /* removed by its last user just now */
        return;
    }
    if (io->status != HR_OK) {
        opened(stage, io->status, "making a lock for temporary files");
        return;
    }
    stage->lock = io->file_out;
    stage->lock_inode = io->info.inode;
    step(stage, &(hr_io){.kind = HR_IO_LOCK, .file = stage->lock}, locked);
}

static void closed_dir(hr_io *io)
{
    hr_stage *stage = io->context;
    step(stage,
         &(hr_io){
             .kind = HR_IO_OPEN,
             .path = LOCK_PATH,
             .flags = HR_IO_READABLE | HR_IO_WRITABLE | HR_IO_CREATE | HR_IO_MODE,
             .info.mode = 0600,
         },
         opened_lock);
}

static void opened_dir(hr_io *io)
{
    hr_stage *stage = io->context;
    if (io->status != HR_OK)
        opened(stage, io->status, "making the directory of temporary files");
    else
        step(stage, &(hr_io){.kind = HR_IO_CLOSE_DIR, .dir = io->dir_out}, closed_dir);
}

void hr_stage_open(hr_stage *stage, bool create)
{
    stage->busy = true;
    stage->create = create;
    step(stage,
         &(hr_io){
             .kind = HR_IO_OPEN_DIR,
             .path = STAGE_NAME,
             .flags = create ? HR_IO_CREATE | HR_IO_UNSYNCED | HR_IO_MODE : 0,
             .info.mode = 0700, /* files in it may be more private than the tree is by now */
         },
         opened_dir);
}

/* ---- what a drawer costs ---- */

size_t hr_stage_drawer_min(const hr_stage *stage)
{
    return DRAWER_FILES_MIN + (size_t)(stage->removal_ns / RENAME_NS);
}

static void removed_probe(hr_io *io)
{
    hr_stage *stage = io->context;
    stage->removal_ns = hr_loop_now_ns(stage->storage->loop) - stage->removal_ns;
    opened(stage, HR_OK, "");
}

static void made_probe(hr_io *io)
{
    hr_stage *stage = io->context;
    stage->removal_ns = hr_loop_now_ns(stage->storage->loop);
    step(stage, &(hr_io){.kind = HR_IO_REMOVE, .path = PROBE_PATH}, removed_probe);
}

/* 10 us on one file system and 3 ms on another, which tells the disk of each block that becomes
 * free. What fails here will be told by what is written here next. */
static void probe(hr_stage *stage)
{
    step(stage,
         &(hr_io){
             .kind = HR_IO_MAKE_DIR,
             .path = PROBE_PATH,
             .flags = HR_IO_UNSYNCED | HR_IO_MODE,
             .info.mode = 0700,
         },
         made_probe);
}

/* ---- closing ---- */

/* Of the closing: the first failure is told, and what is left is for the next run. */
static void note_failure(hr_stage *stage, hr_status status)
{
    if (stage->failure == HR_OK)
        stage->failure = status;
}

static void synced_removal(hr_io *io)
{
    hr_stage *stage = io->context;
    note_failure(stage, io->status);
    close_lock(stage, stage->failure);
}

/* So that a crash does not bring it back beside the tree. */
static void removed_stage(hr_io *io)
{
    note_failure(io->context, io->status);
    step(io->context, &(hr_io){.kind = HR_IO_SYNC_DIR, .path = ""}, synced_removal);
}

static void removed_lock(hr_io *io)
{
    note_failure(io->context, io->status);
    step(io->context, &(hr_io){.kind = HR_IO_REMOVE, .path = STAGE_NAME}, removed_stage);
}

static void cleaned(hr_stage *stage, hr_status status)
{
    hr_release(stage->env, stage->page);
    stage->page = NULL;
    if (stage->closing)
        note_failure(stage, status);
    if (stage->closing)
        step(stage, &(hr_io){.kind = HR_IO_REMOVE, .path = LOCK_PATH}, removed_lock);
    else if (status != HR_OK)
        close_lock(stage, status);
    else if (stage->create)
        probe(stage);
    else
        opened(stage, HR_OK, "");
}

void hr_stage_close(hr_stage *stage)
{
    assert(stage->is_open && !stage->busy);
    stage->busy = stage->closing = true;
    stage->failure = HR_OK;
    clean(stage);
}

/* ---- publishing ---- */

static void next_load(hr_stage *stage);

static void end_publishing(hr_stage *stage, hr_status status)
{
    hr_list *node;
    while ((node = hr_list_take_first(&stage->publishing)) != NULL) {
        hr_stage_load *load = HR_CONTAINER(node, hr_stage_load, node);
        for (size_t i = 0; i < load->file_count; i++)
            if (load->files[i].status == HR_OK)
                load->files[i].status = status;
        stage->events->load_done(stage->context, load);
    }
    stage->busy = false;
    stage->events->published(stage->context);
}

static void synced_dir(hr_io *io);

static void sync_next_dir(hr_stage *stage)
{
    if (stage->dir_count == 0) {
        end_publishing(stage, HR_OK);
        return;
    }
    stage->dir_count--;
    memcpy(stage->dir_path, stage->dirs[stage->dir_count], stage->dir_lens[stage->dir_count]);
    stage->dir_path[stage->dir_lens[stage->dir_count]] = '\0';
    step(stage, &(hr_io){.kind = HR_IO_SYNC_DIR, .path = stage->dir_path}, synced_dir);
}

/* Which of the files it would take back is not known: after a crash any of them may be gone. */
static void synced_dir(hr_io *io)
{
    hr_stage *stage = io->context;
    if (io->status != HR_OK)
        end_publishing(stage, io->status);
    else
        sync_next_dir(stage);
}

static void synced_names(hr_io *io)
{
    end_publishing(io->context, io->status);
}

static void sync_names(hr_stage *stage)
{
    if (stage->dir_count > HR_STAGE_DIRS_MAX)
        step(stage, &(hr_io){.kind = HR_IO_SYNC_ALL}, synced_names);
    else
        sync_next_dir(stage);
}

/* The directory of the first len bytes of path. */
static size_t parent_len(const char *path, size_t len)
{
    while (len > 0 && path[len - 1] != '/')
        len--;
    return len > 0 ? len - 1 : 0;
}

static void note_dir(hr_stage *stage, const char *path, size_t len)
{
    if (stage->dir_count > HR_STAGE_DIRS_MAX)
        return;
    for (size_t i = stage->dir_count; i-- > 0;)
        if (stage->dir_lens[i] == len && memcmp(stage->dirs[i], path, len) == 0)
            return;
    if (stage->dir_count < HR_STAGE_DIRS_MAX) {
        stage->dirs[stage->dir_count] = path;
        stage->dir_lens[stage->dir_count] = len;
    }
    stage->dir_count++;
}

static void renamed(hr_io *io)
{
    hr_stage *stage = io->context;
    hr_stage_load *load = stage->named;
    for (size_t i = 0; i < load->file_count; i++) {
        hr_io_file *file = &load->files[i];
        if (file->path == NULL) { /* with its drawer */
            file->status = HR_OK;
            continue;
        }
        if (io->status != HR_OK && file->status == HR_OK)
            file->status = io->status;
        if (file->status == HR_OK)
            note_dir(stage, file->path_to, parent_len(file->path_to, strlen(file->path_to)));
    }
    next_load(stage);
}

static void rename_files(hr_stage *stage)
{
    step(stage,
         &(hr_io){
             .kind = HR_IO_RENAME_FILES,
             .flags = stage->exclusive ? HR_IO_EXCLUSIVE : 0,
             .files = stage->named->files,
             .file_count = stage->named->file_count,
         },
         renamed);
}

/* ---- drawers ---- */

/* How much of a temporary name is that of the drawer; 0: the file lies in none. */
static size_t drawer_len(const char *path)
{
    size_t len = parent_len(path, strlen(path));
    return len > strlen(STAGE_NAME) ? len : 0;
}

/* How many files from first on lie in its drawer, 1 if it lies in none. Whole: all of them came. */
static size_t drawer_run(const hr_stage_load *load, size_t first, bool *whole_out)
{
    const hr_io_file *files = load->files;
    size_t len = drawer_len(files[first].path), end = first;
    bool whole = len > 0;
    do {
        whole = whole && files[end].status == HR_OK;
        end++;
    } while (len > 0 && end < load->file_count && drawer_len(files[end].path) == len &&
             memcmp(files[end].path, files[first].path, len) == 0);
    *whole_out = whole;
    return end - first;
}

/* Those of a load that are whole, for one request; NULL: there are none, or no memory for it. */
static hr_io_file *find_drawers(const hr_stage *stage, size_t *count_out)
{
    const hr_stage_load *load = stage->named;
    size_t count = 0, paths_len = 0, run;
    bool whole;
    for (size_t i = 0; i < load->file_count; i += run) {
        run = drawer_run(load, i, &whole);
        count += whole;
        if (whole)
            paths_len += strlen(load->files[i].path) + strlen(load->files[i].path_to) + 2;
    }
    hr_io_file *drawers =
        count > 0 ? hr_alloc(stage->env, count * sizeof *drawers + paths_len) : NULL;
    if (drawers == NULL)
        return NULL;
    char *path = (char *)(drawers + count);
    count = 0;
    for (size_t i = 0; i < load->file_count; i += run) {
        const hr_io_file *file = &load->files[i];
        run = drawer_run(load, i, &whole);
        if (!whole)
            continue;
        size_t len = drawer_len(file->path);
        size_t to_len = parent_len(file->path_to, strlen(file->path_to));
        hr_io_file *drawer = &drawers[count++];
        drawer->path = memcpy(path, file->path, len); /* it was zeroed */
        drawer->path_to = memcpy(path + len + 1, file->path_to, to_len);
        path += len + to_len + 2;
    }
    *count_out = count;
    return drawers;
}

/* Whatever forbids it: one by one they may get their names, or it is told why not. */
static void renamed_drawers(hr_io *io)
{
    hr_stage *stage = io->context;
    const hr_stage_load *load = stage->named;
    const hr_io_file *drawer = stage->drawers;
    size_t run;
    for (size_t i = 0; i < load->file_count; i += run) {
        bool whole;
        hr_io_file *files = &load->files[i];
        run = drawer_run(load, i, &whole);
        if (!whole || io->status != HR_OK || drawer++->status != HR_OK)
            continue;
        const char *path = files[0].path_to;
        note_dir(stage, path, parent_len(path, parent_len(path, strlen(path))));
        for (size_t j = 0; j < run; j++) {
            files[j].path = NULL;
            files[j].status = HR_AGAIN; /* for the request of the others */
        }
    }
    hr_release(stage->env, stage->drawers);
    stage->drawers = NULL;
    rename_files(stage);
}

/* Drawers come before the files of the same directory that lie in none. */
static void rename_drawers(hr_stage *stage)
{
    size_t count = 0;
    stage->drawers = find_drawers(stage, &count);
    if (stage->drawers == NULL) {
        rename_files(stage);
        return;
    }
    step(stage,
         &(hr_io){
             .kind = HR_IO_RENAME_FILES,
             .files = stage->drawers,
             .file_count = count,
         },
         renamed_drawers);
}

static void next_load(hr_stage *stage)
{
    hr_list *node = stage->named == NULL ? stage->publishing.next : stage->named->node.next;
    if (node == &stage->publishing) {
        sync_names(stage);
        return;
    }
    stage->named = HR_CONTAINER(node, hr_stage_load, node);
    rename_drawers(stage);
}

/* After a failure nothing that was written before is believed; close removes it. */
static void synced_contents(hr_io *io)
{
    hr_stage *stage = io->context;
    if (io->status != HR_OK)
        end_publishing(stage, io->status);
    else
        next_load(stage);
}

void hr_stage_publish(hr_stage *stage, hr_list *loads, bool exclusive)
{
    assert(stage->is_open && !stage->busy);
    stage->busy = true;
    stage->exclusive = exclusive;
    stage->named = NULL;
    stage->dir_count = 0;
    hr_list *node;
    while ((node = hr_list_take_first(loads)) != NULL)
        hr_list_append(&stage->publishing, node);
    step(stage, &(hr_io){.kind = HR_IO_SYNC_ALL}, synced_contents);
}
