/* SPDX-License-Identifier: Apache-2.0 */
/* What tests do to an hr_disk behind the back of the storage. */
#include "disk.h"

#include <string.h>

/* Makes durable every name on the way from the root to path. */
static hr_status sync_way(hr_disk *disk, const char *path)
{
    char part[HR_PATH_MAX];
    for (size_t end = 0;; end += strspn(path + end, "/"), end += strcspn(path + end, "/")) {
        hr_disk_node *node = NULL;
        memcpy(part, path, end);
        part[end] = '\0';
        hr_status status = hr_disk_find(disk->root, part, &node);
        if (status == HR_OK && node->info.type == HR_FILE_DIRECTORY)
            status = hr_disk_sync_names(disk, node);
        if (status != HR_OK || path[end] == '\0')
            return status;
    }
}

static hr_status find_or_make_file(hr_disk *disk, const char *path, hr_disk_node **node_out)
{
    char name[HR_NAME_MAX + 1], directory[HR_PATH_MAX];
    if (strlen(path) >= sizeof directory)
        return HR_INVALID;
    memcpy(directory, path, strlen(path) + 1);
    char *slash = strrchr(directory, '/');
    directory[slash == NULL ? 0 : slash - directory] = '\0';

    hr_disk_node *parent;
    hr_status status = hr_disk_make_path(disk, disk->root, directory, true, &parent);
    if (status == HR_OK)
        status = hr_disk_find_parent(disk->root, path, &parent, name);
    if (status != HR_OK)
        return status;
    hr_disk_entry *entry = hr_disk_entry_of(&parent->names, name);
    if (entry == NULL)
        return hr_disk_make(disk, parent, name, HR_FILE_REGULAR, node_out);
    if (entry->node->info.type == HR_FILE_DIRECTORY)
        return HR_IS_DIRECTORY;
    *node_out = entry->node;
    return HR_OK;
}

hr_status hr_disk_put(hr_disk *disk, const char *path, const void *bytes, size_t len)
{
    hr_disk_node *file;
    hr_status status = find_or_make_file(disk, path, &file);
    if (status == HR_OK)
        status = hr_disk_resize(disk, file, len);
    if (status == HR_OK)
        status = hr_disk_write(disk, file, 0, bytes, len);
    if (status == HR_OK)
        status = hr_disk_sync_bytes(disk, file);
    return status == HR_OK ? sync_way(disk, path) : status;
}

hr_status hr_disk_put_folder(hr_disk *disk, const char *path)
{
    hr_disk_node *node;
    return hr_disk_make_path(disk, disk->root, path, true, &node);
}

hr_status hr_disk_put_symlink(hr_disk *disk, const char *path, const char *said)
{
    hr_disk_node *node;
    hr_status status = hr_disk_put(disk, path, said, strlen(said));
    if (status == HR_OK)
        status = hr_disk_find(disk->root, path, &node);
    if (status == HR_OK)
        node->info.type = HR_FILE_SYMLINK;
    return status;
}

hr_status hr_disk_type(hr_disk *disk, const char *path, hr_file_type *type_out)
{
    hr_disk_node *parent;
    char name[HR_NAME_MAX + 1];
    hr_status status = hr_disk_find_parent(disk->root, path, &parent, name);
    if (status != HR_OK)
        return status;
    const hr_disk_entry *entry = hr_disk_entry_of(&parent->names, name);
    if (entry == NULL)
        return HR_NOT_FOUND;
    *type_out = entry->node->info.type;
    return HR_OK;
}

hr_status hr_disk_put_folding(hr_disk *disk, const char *path)
{
    hr_disk_node *node;
    hr_status status = hr_disk_make_path(disk, disk->root, path, true, &node);
    if (status == HR_OK)
        node->names.folds = true;
    return status;
}

hr_status hr_disk_get(hr_disk *disk, const char *path, const void **bytes_out, size_t *len_out)
{
    hr_disk_node *file;
    hr_status status = hr_disk_find(disk->root, path, &file);
    if (status != HR_OK)
        return status;
    if (file->info.type == HR_FILE_DIRECTORY)
        return HR_IS_DIRECTORY;
    *bytes_out = file->bytes.data;
    *len_out = file->bytes.len;
    return HR_OK;
}

typedef struct tree_visit {
    void (*visit)(void *context, const char *path, const hr_file_info *info);
    void *context;
    char path[HR_PATH_MAX];
} tree_visit;

/* path is as long as len; what would be longer than HR_PATH_MAX cannot have been made. */
static void visit_below(tree_visit *tree, hr_disk_node *node, size_t len)
{
    for (size_t i = 0; i < node->names.count; i++) {
        const hr_disk_entry *entry = &node->names.entries[i];
        size_t name_len = strlen(entry->name), slash = len > 0 ? 1 : 0;
        if (len + slash + name_len >= sizeof tree->path)
            continue;
        if (slash)
            tree->path[len] = '/';
        memcpy(tree->path + len + slash, entry->name, name_len + 1);
        tree->visit(tree->context, tree->path, &entry->node->info);
        visit_below(tree, entry->node, len + slash + name_len);
    }
}

void hr_disk_walk(hr_disk *disk, const char *path,
                  void (*visit)(void *context, const char *path, const hr_file_info *info),
                  void *context)
{
    tree_visit tree = {.visit = visit, .context = context};
    hr_disk_node *node;
    path += strspn(path, "/");
    size_t len = strlen(path);
    while (len > 0 && path[len - 1] == '/')
        len--;
    if (len >= sizeof tree.path || hr_disk_find(disk->root, path, &node) != HR_OK)
        return;
    memcpy(tree.path, path, len);
    visit_below(&tree, node, len);
}
