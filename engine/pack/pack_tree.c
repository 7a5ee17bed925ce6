/* SPDX-License-Identifier: Apache-2.0 */
/* hr_pack: the way through the directories of a tree. What is neither file nor directory is passed
 * over, and so is what a run left unfinished. */
#include <string.h>

#include "pack.h"

#define PAGE_LEN     (64u << 10)
#define INDEX_SUFFIX ".hrindex"
#define DRAFT_PREFIX ".headrace-"

static void go_on(hr_pack *pack);

/* ---- the end ---- */

static void closed_dir(hr_io *io)
{
    hr_pack *pack = io->context;
    pack->dir = NULL;
    if (pack->error.status == HR_OK && pack->over.files_failed > 0)
        hr_error_set(&pack->error, HR_PARTIAL, "%llu of %llu files could not be packed",
                     (unsigned long long)pack->over.files_failed,
                     (unsigned long long)pack->over.files);
    pack->status = pack->error.status;
}

static void step(hr_pack *pack, hr_io io, void (*done)(hr_io *io))
{
    pack->io = io;
    pack->io.buffer = -1;
    pack->io.done = done;
    pack->io.context = pack;
    hr_storage_submit(hr_engine_home(pack->engine)->storage, &pack->io);
}

static void end(hr_pack *pack)
{
    step(pack, (hr_io){.kind = HR_IO_CLOSE_DIR, .dir = pack->dir}, closed_dir);
}

static void fail(hr_pack *pack, hr_status status, const char *what, const char *path)
{
    char shown[4 * 80];
    hr_quote(shown, sizeof shown, path, strlen(path));
    if (pack->error.status == HR_OK)
        hr_error_set(&pack->error, status, "%s %s: %s", what, shown, hr_status_text(status));
    end(pack);
}

void hr_pack_tree_refuse(hr_pack *pack, const char *why)
{
    hr_error_set(&pack->error, HR_INVALID, "%s", why);
    end(pack);
}

void hr_pack_tree_release(hr_pack *pack)
{
    hr_list *node;
    while (pack->is_tree && (node = hr_list_take_first(&pack->folders)) != NULL)
        hr_release(pack->env, HR_CONTAINER(node, hr_pack_folder, node));
    hr_release(pack->env, pack->folder);
    hr_release(pack->env, pack->page);
}

/* ---- entries ---- */

/* below "a", "b" -> "a/b"; below "" -> "b". */
static bool join(char *out, size_t size, const char *root, const char *below, const char *name)
{
    int len = snprintf(out, size, "%s%s%s%s%s", root, root[0] != '\0' ? "/" : "", below,
                       below[0] != '\0' ? "/" : "", name);
    return len >= 0 && (size_t)len < size;
}

static hr_status push(hr_pack *pack, const char *below, const char *name)
{
    size_t size = strlen(below) + strlen(name) + 2;
    hr_pack_folder *folder = hr_alloc(pack->env, sizeof *folder + size);
    if (folder == NULL)
        return HR_NO_MEMORY;
    join(folder->path, size, "", below, name);
    hr_list_append(&pack->folders, &folder->node);
    return HR_OK;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static bool is_wanted(const hr_pack *pack, const hr_dir_entry *entry)
{
    return entry->info.type == HR_FILE_REGULAR &&
           strncmp(entry->name, DRAFT_PREFIX, strlen(DRAFT_PREFIX)) != 0 &&
           (pack->options.codec != HR_PACK_NONE || !ends_with(entry->name, INDEX_SUFFIX));
}

/* Its shards would be packed again, and theirs too. */
static bool is_target(const hr_pack *pack, const hr_dir_entry *entry)
{
    return pack->target_path != NULL && entry->info.inode == pack->target_info.inode &&
           memcmp(entry->info.filesystem, pack->target_info.filesystem,
                  sizeof entry->info.filesystem) == 0;
}

/* True: a file is being packed, or all has failed: what follows goes on. */
static bool take(hr_pack *pack, const hr_dir_entry *entry)
{
    const char *below = pack->folder->path;
    if (entry->info.type == HR_FILE_DIRECTORY) {
        hr_status status = is_target(pack, entry) ? HR_INVALID : push(pack, below, entry->name);
        if (status == HR_INVALID)
            fail(pack, status,
                 "the target lies inside of what is to be packed:", pack->target_path);
        else if (status != HR_OK)
            fail(pack, status, "packing", pack->source_path);
        return status != HR_OK;
    }
    if (!is_wanted(pack, entry))
        return false;
    const char *root = pack->target_path != NULL ? pack->target_path : pack->source_path;
    if (!join(pack->source_file, sizeof pack->source_file, pack->source_path, below, entry->name) ||
        !join(pack->target_file, sizeof pack->target_file, root, below, entry->name)) {
        fail(pack, HR_INVALID, "a path is too long below", below);
        return true;
    }
    pack->name = pack->source_file + strlen(pack->source_path) + 1;
    hr_pack_file(pack, pack->source_file, pack->target_file);
    return true;
}

/* ---- pages ---- */

static void listed(hr_io *io)
{
    hr_pack *pack = io->context;
    if (io->status != HR_OK) {
        fail(pack, io->status, "listing",
             pack->folder->path[0] != '\0' ? pack->folder->path : pack->source_path);
        return;
    }
    pack->page_at = 0;
    pack->page_len = io->bytes;
    pack->cookie = io->cookie;
    pack->folder_ends = io->bytes == 0;
    go_on(pack);
}

static void list(hr_pack *pack)
{
    step(pack,
         (hr_io){
             .kind = HR_IO_LIST,
             .dir = pack->dir,
             .path = pack->folder->path,
             .data = pack->page,
             .len = PAGE_LEN,
             .cookie = pack->cookie,
         },
         listed);
}

static void go_on(hr_pack *pack)
{
    while (pack->error.status == HR_OK && pack->page_at < pack->page_len) {
        const hr_dir_entry *entry = (const void *)(pack->page + pack->page_at);
        pack->page_at += entry->size;
        if (take(pack, entry))
            return;
    }
    if (pack->error.status == HR_OK && (pack->folder == NULL || pack->folder_ends)) {
        hr_release(pack->env, pack->folder);
        hr_list *node = hr_list_take_first(&pack->folders);
        pack->folder = node != NULL ? HR_CONTAINER(node, hr_pack_folder, node) : NULL;
        pack->cookie = 0;
        pack->folder_ends = false;
    }
    if (pack->error.status == HR_OK && pack->folder != NULL)
        list(pack);
    else
        end(pack);
}

void hr_pack_tree_next(hr_pack *pack)
{
    go_on(pack);
}

/* ---- the target ---- */

static void looked_at_target(hr_io *io)
{
    hr_pack *pack = io->context;
    pack->target_info = io->info;
    if (io->status != HR_OK)
        fail(pack, io->status, "looking at", pack->target_path);
    else
        go_on(pack);
}

static void closed_target(hr_io *io)
{
    hr_pack *pack = io->context;
    step(pack, (hr_io){.kind = HR_IO_LOOKUP, .path = pack->target_path}, looked_at_target);
}

static void made_target(hr_io *io)
{
    hr_pack *pack = io->context;
    if (io->status != HR_OK)
        fail(pack, io->status, "making the directory", pack->target_path);
    else
        step(pack, (hr_io){.kind = HR_IO_CLOSE_DIR, .dir = io->dir_out}, closed_target);
}

void hr_pack_tree_start(hr_pack *pack)
{
    pack->is_tree = true;
    hr_list_init(&pack->folders);
    pack->page = hr_alloc(pack->env, PAGE_LEN);
    if (pack->page == NULL || push(pack, "", "") != HR_OK)
        fail(pack, HR_NO_MEMORY, "packing", pack->source_path);
    else if (pack->target_path == NULL)
        go_on(pack);
    else
        step(pack,
             (hr_io){.kind = HR_IO_OPEN_DIR, .flags = HR_IO_CREATE, .path = pack->target_path},
             made_target);
}
