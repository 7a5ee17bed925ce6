/* SPDX-License-Identifier: Apache-2.0 */
#include "aliases.h"

#include <string.h>

void hr_aliases_init(hr_aliases *aliases, const hr_env *env)
{
    *aliases = (hr_aliases){.env = env};
}

void hr_aliases_release(hr_aliases *aliases)
{
    for (size_t i = 0; i < aliases->capacity; i++)
        hr_release(aliases->env, aliases->files[i]);
    hr_release(aliases->env, aliases->files);
    *aliases = (hr_aliases){.env = aliases->env};
}

/* Where the file is, or the free place for it; there always is one. */
static size_t place_of(hr_alias *const *files, size_t capacity, uint64_t inode, uint64_t device)
{
    uint64_t hash = (inode ^ device) * UINT64_C(0x9E3779B97F4A7C15);
    size_t at = (size_t)(hash >> 32) % capacity;
    while (files[at] != NULL && (files[at]->inode != inode || files[at]->device != device))
        at = (at + 1) % capacity;
    return at;
}

static hr_status grow(hr_aliases *aliases)
{
    size_t capacity = aliases->capacity == 0 ? 64 : 2 * aliases->capacity;
    hr_alias **files = hr_alloc(aliases->env, capacity * sizeof(hr_alias *));
    if (files == NULL)
        return HR_NO_MEMORY;
    for (size_t i = 0; i < aliases->capacity; i++) {
        hr_alias *file = aliases->files[i];
        if (file != NULL)
            files[place_of(files, capacity, file->inode, file->device)] = file;
    }
    hr_release(aliases->env, aliases->files);
    aliases->files = files;
    aliases->capacity = capacity;
    return HR_OK;
}

hr_status hr_aliases_add(hr_aliases *aliases, uint64_t inode, uint64_t device, const char *path,
                         bool *known_out, hr_alias **file_out)
{
    hr_status status = 2 * aliases->count >= aliases->capacity ? grow(aliases) : HR_OK;
    if (status != HR_OK)
        return status;
    size_t at = place_of(aliases->files, aliases->capacity, inode, device);
    bool known = aliases->files[at] != NULL;
    if (!known) {
        size_t len = strlen(path) + 1;
        hr_alias *file = hr_alloc(aliases->env, sizeof *file + len);
        if (file == NULL)
            return HR_NO_MEMORY;
        file->inode = inode;
        file->device = device;
        memcpy(file->path, path, len);
        aliases->files[at] = file;
        aliases->count++;
    }
    *known_out = known;
    *file_out = aliases->files[at];
    return HR_OK;
}

void hr_aliases_fail(hr_aliases *aliases, const char *path)
{
    for (size_t i = 0; i < aliases->capacity; i++)
        if (aliases->files[i] != NULL && strcmp(aliases->files[i]->path, path) == 0)
            aliases->files[i]->failed = true;
}
