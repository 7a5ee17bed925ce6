/* SPDX-License-Identifier: Apache-2.0 */
#include "gather.h"

#include <string.h>

static bool is_itself(hr_bytes directory)
{
    return directory.len == 1 && directory.at[0] == '.';
}

/* Bytes of "directory/name" and its terminator, of every file. */
static size_t names_len(const hr_message_open_bundles *open)
{
    size_t len = 0;
    hr_bytes directory = open->files[0].directory;
    for (size_t i = 0; i < open->count; i++) {
        if (open->files[i].directory.len > 0)
            directory = open->files[i].directory;
        len += directory.len + 1 + open->files[i].name.len + 1;
    }
    return len;
}

static void copy_names(const hr_message_open_bundles *open, hr_io_file *files, char *names)
{
    hr_bytes directory = open->files[0].directory;
    for (size_t i = 0; i < open->count; i++) {
        const hr_message_small *file = &open->files[i];
        if (file->directory.len > 0)
            directory = file->directory;
        files[i].path = names;
        files[i].info.size = file->size;
        files[i].info.mtime_ns = file->mtime_ns;
        files[i].info.ctime_ns = file->ctime_ns;
        if (!is_itself(directory)) {
            memcpy(names, directory.at, directory.len);
            names += directory.len;
            *names++ = '/';
        }
        memcpy(names, file->name.at, file->name.len);
        names += file->name.len;
        *names++ = '\0';
    }
}

hr_status hr_gather_create(const hr_env *env, const hr_message_open_bundles *open,
                           hr_gather **gather_out)
{
    size_t len = names_len(open);
    if (len > HR_GATHER_NAMES_MAX)
        return HR_LIMIT;
    hr_gather *gather = hr_alloc(env, sizeof *gather + open->count * sizeof(hr_io_file) + len);
    if (gather == NULL)
        return HR_NO_MEMORY;
    hr_bundles *bundles = &gather->bundles;
    bundles->files = (hr_io_file *)(gather + 1);
    bundles->file_count = (uint32_t)open->count;
    copy_names(open, bundles->files, (char *)(bundles->files + open->count));
    bundles->count = hr_bundles_lay(bundles->files, bundles->file_count, NULL);
    bundles->bundles = hr_alloc(env, bundles->count * (sizeof(hr_bundle) + sizeof(bool)));
    if (bundles->bundles == NULL) {
        hr_release(env, gather);
        return HR_NO_MEMORY;
    }
    hr_bundles_lay(bundles->files, bundles->file_count, bundles->bundles);
    gather->len = sizeof *gather + open->count * sizeof(hr_io_file) + len +
                  bundles->count * (sizeof(hr_bundle) + sizeof(bool));
    gather->busy = (bool *)(bundles->bundles + bundles->count);
    *gather_out = gather;
    return HR_OK;
}

void hr_gather_destroy(const hr_env *env, hr_gather *gather)
{
    if (gather == NULL)
        return;
    hr_release(env, gather->bundles.bundles);
    hr_release(env, gather);
}
