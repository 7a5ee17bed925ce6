/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <stdio.h>
#include <string.h>

#include "bytes.h"

/* "..", "." and empty components are refused here, before any file system sees them: the kernel's
 * RESOLVE_BENEATH is the second fence, not the first. */
static bool is_plain_path(const char *path)
{
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        if (len == 0 || (len == 1 && path[0] == '.') || (len == 2 && memcmp(path, "..", 2) == 0))
            return false;
        path += len;
        if (*path == '/' && *++path == '\0')
            return true; /* a slash at the end is harmless */
    }
    return true;
}

hr_status hr_store_resolve(const hr_store *store, const char *bytes,
                           const hr_store_export **export_out, const char **path_out)
{
    size_t name_len = strcspn(bytes, "/");
    const char *path = bytes + name_len;
    if (*path == '/')
        path++;
    if (name_len == 0 || !is_plain_path(path))
        return HR_POLICY;
    for (size_t i = 0; i < store->count; i++) {
        const hr_store_export *export = &store->exports[i];
        if (strlen(export->name) == name_len && memcmp(export->name, bytes, name_len) == 0) {
            *export_out = export;
            *path_out = path;
            return HR_OK;
        }
    }
    return HR_NOT_FOUND;
}

static void open_next(hr_store *store);

static void opened(hr_io *io)
{
    hr_store *store = io->context;
    hr_store_export *export = &store->exports[store->next];
    if (io->status != HR_OK) {
        char text[sizeof export->path + 64];
        snprintf(text, sizeof text, "opening the export %.200s at %.200s: %s", export->name,
                 export->path, hr_status_text(io->status));
        store->ready(store->context, io->status, text);
        return;
    }
    export->dir = io->dir_out;
    store->next++;
    open_next(store);
}

void hr_store_name(const char *path, char name_out[HR_NAME_MAX + 1])
{
    size_t len = strcspn(path, "/");
    snprintf(name_out, HR_NAME_MAX + 1, "%.*s", (int)(len < HR_NAME_MAX ? len : HR_NAME_MAX), path);
}

static void open_next(hr_store *store)
{
    if (store->next == store->count) {
        store->ready(store->context, HR_OK, "");
        return;
    }
    store->io = (hr_io){
        .kind = HR_IO_OPEN_DIR,
        .path = store->exports[store->next].path,
        .done = opened,
        .context = store,
    };
    hr_storage_submit(store->storage, &store->io);
}

hr_status hr_store_open(hr_store *store, const hr_env *env, hr_storage *storage,
                        const hr_store_export *exports, size_t count,
                        void (*ready)(void *context, hr_status status, const char *text),
                        void *context)
{
    hr_store_export *copies = hr_alloc(env, count * sizeof *copies);
    hr_message_entry *page = hr_alloc(env, HR_MESSAGE_ENTRIES_MAX * sizeof *page);
    if (copies == NULL || page == NULL) {
        hr_release(env, copies);
        hr_release(env, page);
        return HR_NO_MEMORY;
    }
    memcpy(copies, exports, count * sizeof *copies);
    *store = (hr_store){
        .env = env,
        .storage = storage,
        .exports = copies,
        .count = count,
        .page = page,
        .ready = ready,
        .context = context,
    };
    open_next(store);
    return HR_OK;
}

static void close_next(hr_store *store);

static void closed(hr_io *io)
{
    close_next(io->context);
}

static void close_next(hr_store *store)
{
    while (store->count > 0) {
        hr_store_export *export = &store->exports[--store->count];
        if (export->dir == NULL)
            continue;
        store->io = (hr_io){
            .kind = HR_IO_CLOSE_DIR,
            .dir = export->dir,
            .done = closed,
            .context = store,
        };
        hr_storage_submit(store->storage, &store->io);
        return;
    }
    hr_release(store->env, store->exports);
    hr_release(store->env, store->page);
    store->exports = NULL;
    store->page = NULL;
    store->closed(store->context);
}

void hr_store_close(hr_store *store, void (*on_closed)(void *context), void *context)
{
    store->closed = on_closed;
    store->context = context;
    close_next(store);
}

/* ---- pages ---- */

static uint32_t node_type(hr_file_type type)
{
    switch (type) {
    case HR_FILE_REGULAR:
        return HR_NODE_REGULAR;
    case HR_FILE_DIRECTORY:
        return HR_NODE_DIRECTORY;
    case HR_FILE_SYMLINK:
        return HR_NODE_SYMLINK;
    case HR_FILE_SPECIAL:
        break;
    }
    return HR_NODE_SPECIAL;
}

/* Which file it is, so that the client finds its other names. Of the 16 bytes of the file system
 * any 8 tell those apart that lie beneath one export. */
static void set_identity(hr_message_entry *entry, const hr_file_info *info)
{
    if (info->type != HR_FILE_REGULAR || info->links < 2)
        return;
    entry->links = info->links;
    entry->inode = info->inode;
    entry->device = hr_get_u64(info->filesystem) ^ hr_get_u64(info->filesystem + 8);
}

static void set_entry(hr_message_entry *entry, const char *name, size_t len,
                      const hr_file_info *info)
{
    *entry = (hr_message_entry){
        .name = hr_bytes_make(name, len),
        .type = node_type(info->type),
        .mode = info->mode & 07777,
        .size = info->size,
        .mtime_ns = info->mtime_ns,
        .ctime_ns = info->ctime_ns,
        .uid = info->uid,
        .gid = info->gid,
        .sparse = info->type == HR_FILE_REGULAR && info->allocated_len < info->size,
    };
    set_identity(entry, info);
}

static void answer(hr_store_listing *listing, hr_status status, size_t count, uint64_t cookie,
                   const char *text)
{
    listing->busy = false;
    hr_message_entries page = {
        .request = listing->request,
        .status = status,
        .text = hr_bytes_make(text, strlen(text)),
        .cookie = cookie,
        .entries = listing->store->page,
        .count = count,
        .counts = listing->counts,
        .folder_count = listing->answered,
    };
    /* The page's names lie in the buffer, and the listing may be gone when it was answered. */
    const hr_env *env = listing->store->env;
    uint8_t *buffer = listing->buffer;
    hr_io_file *folders = listing->folders;
    listing->buffer = NULL;
    listing->folders = NULL;
    listing->answer(listing->context, &page);
    hr_release(env, folders);
    hr_release(env, buffer);
}

static void answer_with(hr_store_listing *listing, hr_status status, size_t count,
                        const char *advice)
{
    char quoted[200], text[400];
    hr_quote(quoted, sizeof quoted, listing->path, strlen(listing->path));
    snprintf(text, sizeof text, "listing %s: %s%s", quoted, hr_status_text(status), advice);
    answer(listing, status, count, 0, text);
}

static void answer_failure(hr_store_listing *listing, hr_status status)
{
    answer_with(listing, status, 0,
                status == HR_NOT_FOUND ? "; headrace ls of what is above it tells what is there"
                                       : "");
}

static void looked_up(hr_io *io)
{
    hr_store_listing *listing = io->context;
    if (io->status != HR_OK) {
        answer_failure(listing, io->status);
        return;
    }
    const char *slash = strrchr(io->path, '/');
    const char *name = slash == NULL ? io->path : slash + 1;
    set_entry(&listing->store->page[0], name, strlen(name), &io->info);
    answer(listing, HR_OK, 1, 0, "");
}

/* Those between two places in the buffer, behind the first count on the page; how many there are
 * then. */
static size_t put_entries(const hr_store_listing *listing, size_t from, size_t end, size_t count)
{
    for (size_t at = from; at < end && count < HR_MESSAGE_ENTRIES_MAX;) {
        const hr_dir_entry *entry = (const void *)(listing->buffer + at);
        hr_message_entry *out = &listing->store->page[count++];
        set_entry(out, entry->name, entry->name_len, &entry->info);
        if (entry->info.type == HR_FILE_SYMLINK)
            out->target = hr_bytes_make(hr_dir_entry_target(entry), entry->target_len);
        out->xattrs = hr_bytes_make(hr_dir_entry_xattrs(entry), entry->xattrs_len);
        out->xattrs_lost = entry->xattrs_lost;
        at += entry->size;
    }
    return count;
}

static void listed(hr_io *io)
{
    hr_store_listing *listing = io->context;
    if (io->status == HR_NOT_DIRECTORY) { /* a file lists itself */
        io->kind = HR_IO_LOOKUP;
        io->done = looked_up;
        hr_storage_submit(listing->store->storage, io);
        return;
    }
    if (io->status == HR_NOT_FOUND && io->path[0] == '\0') {
        /* What is confined to the old one cannot open a new one of its name. */
        answer_with(listing, HR_NOT_FOUND, 0,
                    "; the directory that was served under this name is gone: once there is one "
                    "again, the server has to be started again");
        return;
    }
    if (io->status != HR_OK) {
        answer_failure(listing, io->status);
        return;
    }
    size_t count = put_entries(listing, 0, io->bytes, 0);
    answer(listing, HR_OK, count, io->last || io->bytes == 0 ? 0 : io->cookie, "");
}

/* ---- of many directories ---- */

#define FOLDER_PATHS_MAX (128u << 10) /* what is beyond is asked for again */

static void listed_folders(hr_io *io)
{
    hr_store_listing *listing = io->context;
    hr_io_file *folders = listing->folders;
    size_t count = 0, at = 0, i = 0;
    if (io->status != HR_OK) { /* of all of them, so of the first */
        folders[0].status = io->status;
        folders[0].info.size = 0;
    }
    for (; i < listing->folder_count && folders[i].status == HR_OK; i++) {
        size_t end = at + folders[i].info.size, before = count;
        count = put_entries(listing, at, end, count);
        listing->counts[i] = (uint32_t)(count - before);
        at = end;
    }
    bool failed = i < listing->folder_count && folders[i].status != HR_AGAIN;
    listing->answered = i + failed;
    if (failed) {
        listing->counts[i] = 0;
        listing->path = folders[i].path_to;
        answer_with(listing, folders[i].status, count, "");
    } else {
        answer(listing, HR_OK, count, io->last ? 0 : io->cookie, "");
    }
}

/* As many as have room, the first always. */
static hr_status take_folders(hr_store_listing *listing, const hr_message_list *list,
                              size_t export_len)
{
    size_t base_len = list->path.len, paths_len = 0, count = 0;
    while (base_len > 0 && list->path.at[base_len - 1] == '/')
        base_len--;
    for (; count < list->folder_count && paths_len <= FOLDER_PATHS_MAX; count++)
        paths_len += base_len + list->folders[count].len + 2;
    hr_io_file *folders =
        hr_alloc(listing->store->env, count * (sizeof *folders + sizeof(uint32_t)) + paths_len);
    if (folders == NULL)
        return HR_NO_MEMORY;
    listing->folders = folders;
    listing->folder_count = count;
    listing->counts = (uint32_t *)(void *)(folders + count);
    char *path = (char *)(listing->counts + count);
    for (size_t i = 0; i < count; i++) {
        const hr_bytes *folder = &list->folders[i];
        folders[i].path_to = memcpy(path, list->path.at, base_len); /* for a sentence */
        path[base_len] = '/';
        memcpy(path + base_len + 1, folder->at, folder->len);
        folders[i].path = path + export_len + 1;
        folders[i].status = HR_AGAIN;
        path += base_len + folder->len + 2;
    }
    return HR_OK;
}

static void list_exports(hr_store_listing *listing)
{
    hr_store *store = listing->store;
    size_t count = 0;
    for (size_t i = 0; i < store->count && count < HR_MESSAGE_ENTRIES_MAX; i++) {
        const char *name = store->exports[i].name;
        if (listing->sees(listing->context, name))
            store->page[count++] = (hr_message_entry){
                .name = hr_bytes_make(name, strlen(name)),
                .type = HR_NODE_DIRECTORY,
                .mode = 0555,
            };
    }
    answer(listing, HR_OK, count, 0, "");
}

void hr_store_list(hr_store *store, hr_store_listing *listing, const hr_message_list *list,
                   void (*on_answer)(void *context, const hr_message_entries *page), void *context)
{
    listing->store = store;
    listing->busy = true;
    listing->request = list->request;
    listing->answer = on_answer;
    listing->context = context;
    listing->folder_count = list->folder_count;
    listing->answered = list->folder_count > 0; /* a failure is the first one's */
    listing->counts = &listing->none;
    listing->none = 0;
    if (list->path.len == 0) {
        list_exports(listing);
        return;
    }
    listing->path = "";
    listing->buffer = hr_alloc(store->env, HR_STORE_PAGE_LEN + list->path.len + 1);
    if (listing->buffer == NULL) {
        answer_failure(listing, HR_NO_MEMORY);
        return;
    }
    listing->path = memcpy(listing->buffer + HR_STORE_PAGE_LEN, list->path.at, list->path.len);
    const hr_store_export *export;
    const char *path;
    char name[HR_NAME_MAX + 1];
    hr_store_name(listing->path, name);
    hr_status status = HR_POLICY; /* whether it is there or not */
    if (listing->sees(listing->context, name))
        status = hr_store_resolve(store, listing->path, &export, &path);
    if (status == HR_OK && list->folder_count > 0)
        status = take_folders(listing, list, strlen(export->name));
    if (status != HR_OK) {
        answer_failure(listing, status);
        return;
    }
    /* So long that no page has more entries than were asked for, and every page has one. */
    size_t len = list->entries_max * (sizeof(hr_dir_entry) + 8);
    size_t least = HR_DIR_ENTRY_MAX;
    listing->io = (hr_io){
        .kind = list->folder_count > 0 ? HR_IO_LIST_DIRS : HR_IO_LIST,
        .flags = list->xattrs ? HR_IO_XATTRS : 0,
        .dir = export->dir,
        .path = path,
        .data = listing->buffer,
        .len = len < least               ? least
               : len > HR_STORE_PAGE_LEN ? HR_STORE_PAGE_LEN
                                         : len,
        .cookie = list->cookie,
        .files = listing->folders,
        .file_count = listing->folder_count,
        .done = list->folder_count > 0 ? listed_folders : listed,
        .context = listing,
    };
    hr_storage_submit(store->storage, &listing->io);
}
