/* SPDX-License-Identifier: Apache-2.0 */
/* hr_store: the exports of a server: names, and the directories behind them, opened once. On worker
 * 0. Every path is resolved beneath its export. */
#ifndef HR_STORE_H
#define HR_STORE_H

#include "message.h"
#include "storage.h"

typedef struct hr_store_export {
    char name[HR_NAME_MAX + 1];
    char path[HR_PATH_MAX];
    hr_dir *dir;
    bool sealed; /* its payloads cross encrypted */
} hr_store_export;

typedef struct hr_store {
    const hr_env *env;
    hr_storage *storage;
    hr_store_export *exports;
    size_t count;
    hr_message_entry *page; /* HR_MESSAGE_ENTRIES_MAX, of the page that is being answered */
    size_t tables_len;      /* of the indexes that sessions hold, see HR_INDEX_TABLES_MAX */
    /* opening and closing */
    hr_io io;
    size_t next;
    void (*ready)(void *context, hr_status status, const char *text);
    void (*closed)(void *context);
    void *context;
} hr_store;

/* Splits "export/path" and finds the export. path_out points into bytes ("" for the export itself).
 * HR_NOT_FOUND, or HR_POLICY for a path that is absolute or holds "..", or is empty where it may
 * not. */
HR_CHECKED hr_status hr_store_resolve(const hr_store *store, const char *bytes,
                                      const hr_store_export **export_out, const char **path_out);

/* The name of the export that a path begins with, cut to the longest that one may have. */
void hr_store_name(const char *path, char name_out[HR_NAME_MAX + 1]);

/* Copies the names and opens the directories; ready follows. */
HR_CHECKED hr_status hr_store_open(hr_store *store, const hr_env *env, hr_storage *storage,
                                   const hr_store_export *exports, size_t count,
                                   void (*ready)(void *context, hr_status status, const char *text),
                                   void *context);
/* closed follows; then everything of the store is free. */
void hr_store_close(hr_store *store, void (*closed)(void *context), void *context);

/* ---- one page of a listing ---- */

#define HR_STORE_PAGE_LEN (192u << 10) /* bytes of raw entries, which pack into one message */

typedef struct hr_store_listing {
    hr_store *store;
    hr_io io;
    bool busy;
    uint32_t request;
    uint8_t *buffer; /* HR_STORE_PAGE_LEN, then the path; taken for the time of the request */
    const char *path;
    hr_io_file *folders; /* if such are asked for: counts and paths lie behind them */
    uint32_t *counts;
    uint32_t none; /* for who has none */
    size_t folder_count, answered;
    void (*answer)(void *context, const hr_message_entries *page);
    bool (*sees)(void *context, const char *name); /* may the asker know of that export? */
    void *context;
} hr_store_listing;

/* answer follows once, perhaps within the call; what it is given is gone after it. listing->sees is
 * set before. */
void hr_store_list(hr_store *store, hr_store_listing *listing, const hr_message_list *list,
                   void (*answer)(void *context, const hr_message_entries *page), void *context);

#endif
