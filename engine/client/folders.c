/* SPDX-License-Identifier: Apache-2.0 */
#include "folders.h"

#include <string.h>

void hr_folders_init(hr_folders *folders, const hr_env *env)
{
    *folders = (hr_folders){.env = env};
    hr_list_init(&folders->all);
}

void hr_folders_release(hr_folders *folders)
{
    hr_folder *folder;
    while ((folder = hr_folders_take(folders)) != NULL)
        hr_release(folders->env, folder);
}

hr_folder *hr_folders_add(hr_folders *folders, const hr_folder *parent, const hr_entry *entry)
{
    hr_folder *folder = hr_alloc(folders->env, sizeof *folder + entry->name_len + 1);
    if (folder == NULL)
        return NULL;
    folder->parent = parent;
    folder->mtime_ns = entry->mtime_ns;
    folder->mode = entry->mode;
    folder->uid = entry->uid;
    folder->gid = entry->gid;
    if (entry->name_len > 0)
        memcpy(folder->name, entry->name, entry->name_len); /* the rest is zero */
    hr_list_append(folders->all.next, &folder->node);       /* at the front */
    return folder;
}

hr_folder *hr_folders_take(hr_folders *folders)
{
    hr_list *node = hr_list_take_first(&folders->all);
    return node == NULL ? NULL : HR_CONTAINER(node, hr_folder, node);
}

/* From its end to its start, as the names come. */
hr_status hr_folder_path(const hr_folder *folder, char path_out[HR_PATH_MAX])
{
    size_t at = HR_PATH_MAX - 1;
    path_out[at] = '\0';
    for (; folder->parent != NULL; folder = folder->parent) {
        size_t len = strlen(folder->name), slash = path_out[at] != '\0';
        if (len + slash > at)
            return HR_INVALID;
        if (slash)
            path_out[--at] = '/';
        at -= len;
        memcpy(path_out + at, folder->name, len);
    }
    memmove(path_out, path_out + at, HR_PATH_MAX - at);
    return HR_OK;
}
