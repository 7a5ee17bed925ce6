/* SPDX-License-Identifier: Apache-2.0 */
/* The tree behind hr_disk: nodes, names, and for each what would survive a crash. Inside the folder
 * only: disk_io.c turns requests into these calls. */
#ifndef HR_DISK_H
#define HR_DISK_H

#include "list.h"
#include "storage_memory.h"

typedef struct hr_disk_node hr_disk_node;

typedef struct hr_disk_entry {
    hr_disk_node *node;
    uint64_t id; /* rising within a directory; what a listing remembers */
    char name[HR_NAME_MAX + 1];
} hr_disk_entry;

/* The names of a directory, in the order of their ids. A lookup reads them all: the trees of tests
 * are small. */
typedef struct hr_disk_names {
    hr_disk_entry *entries;
    size_t count, capacity;
    bool folds; /* case: "a" and "A" are one name */
} hr_disk_names;

typedef struct hr_disk_bytes {
    uint8_t *data;
    size_t len, capacity;
} hr_disk_bytes;

struct hr_disk_node {
    hr_list node; /* in disk->nodes */
    hr_file_info info;
    unsigned refs;  /* entries (of now and durable names) and handles that keep it in memory */
    unsigned users; /* entries of now and handles that keep its bytes charged */
    void *lock;     /* the handle that holds it */
    /* Now, and after a crash in which the seed lets nothing unsynced survive. */
    hr_disk_bytes bytes, durable_bytes;
    size_t dirty_from, dirty_to; /* where the two may differ */
    hr_disk_names names, durable_names;
    hr_disk_names left; /* only during a crash */
    bool was_durable, is_left;
};

/* An open directory or file; hr_dir and hr_file of this family are pointers to it. */
typedef struct hr_disk_handle {
    hr_list node;         /* in disk->handles */
    hr_disk_node *target; /* NULL: a crash or a kill took it */
    unsigned flags;       /* of HR_IO_OPEN */
} hr_disk_handle;

struct hr_disk {
    const hr_env *env;
    hr_disk_node *root;
    hr_list nodes, handles;
    uint64_t capacity, used; /* bytes of content */
    uint64_t last_inode, last_id;
    int64_t last_time_ns;
    uint64_t operations, stop_at; /* carried out so far; hr_disk_stop_at */
    bool stop_after, stopped;
};

HR_CHECKED hr_status hr_disk_open(hr_disk *disk, hr_disk_node *node, unsigned flags,
                                  hr_disk_handle **handle_out);
void hr_disk_close(hr_disk *disk, hr_disk_handle *handle);
/* It stays open and leads nowhere any more. */
void hr_disk_detach(hr_disk *disk, hr_disk_handle *handle);

/* The node at path below start. HR_POLICY: the path leaves start. */
HR_CHECKED hr_status hr_disk_find(hr_disk_node *start, const char *path, hr_disk_node **node_out);
/* The directory that holds, or would hold, the last name of path. */
HR_CHECKED hr_status hr_disk_find_parent(hr_disk_node *start, const char *path,
                                         hr_disk_node **parent_out, char name_out[HR_NAME_MAX + 1]);
/* NULL if there is none of that name. */
hr_disk_entry *hr_disk_entry_of(hr_disk_names *names, const char *name);
HR_CHECKED hr_status hr_disk_make(hr_disk *disk, hr_disk_node *parent, const char *name,
                                  hr_file_type type, hr_disk_node **node_out);
HR_CHECKED hr_status hr_disk_link(hr_disk *disk, hr_disk_node *parent, const char *name,
                                  hr_disk_node *node);
HR_CHECKED hr_status hr_disk_make_path(hr_disk *disk, hr_disk_node *start, const char *path,
                                       bool synced, hr_disk_node **node_out);
HR_CHECKED hr_status hr_disk_remove(hr_disk *disk, hr_disk_node *parent, const char *name);
HR_CHECKED hr_status hr_disk_rename(hr_disk *disk, hr_disk_node *start, const char *path,
                                    const char *path_to, bool exclusive);
HR_CHECKED hr_status hr_disk_sync_names(hr_disk *disk, hr_disk_node *directory);

HR_CHECKED hr_status hr_disk_resize(hr_disk *disk, hr_disk_node *file, uint64_t len);
HR_CHECKED hr_status hr_disk_write(hr_disk *disk, hr_disk_node *file, uint64_t offset,
                                   const void *data, size_t len);
HR_CHECKED hr_status hr_disk_sync_bytes(hr_disk *disk, hr_disk_node *file);
HR_CHECKED hr_status hr_disk_sync_all(hr_disk *disk);

/* For disk_crash.c. Charges nothing. */
void hr_disk_ref(hr_disk_node *node);
void hr_disk_unref(hr_disk *disk, hr_disk_node *node);
HR_CHECKED hr_status hr_disk_names_add(const hr_disk *disk, hr_disk_names *names,
                                       const hr_disk_entry *entry);

#endif
