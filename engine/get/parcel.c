/* SPDX-License-Identifier: Apache-2.0 */
#include "parcel.h"

#include <assert.h>
#include <string.h>

#include "path.h"

hr_parcel *hr_parcel_create(const hr_env *env, size_t base_len)
{
    hr_parcel *parcel = hr_alloc(env, sizeof *parcel);
    if (parcel == NULL)
        return NULL;
    parcel->bundles.files = parcel->load.files = parcel->files;
    parcel->message_len = HR_MESSAGE_PAGE_HEAD + base_len;
    hr_list_init(&parcel->load.node);
    return parcel;
}

void hr_parcel_destroy(const hr_env *env, hr_parcel *parcel)
{
    if (parcel == NULL)
        return;
    hr_release(env, parcel->bundles.bundles);
    hr_release(env, parcel);
}

/* Its directory, "." for the base itself, is told where it is another than that of the one before.
 */
static hr_message_small small_of(const hr_io_file *file, const hr_io_file *before)
{
    size_t len = hr_path_name_at(file->path_to);
    const char *name = file->path_to + len;
    hr_message_small small = {
        .directory = len > 0 ? hr_bytes_make(file->path_to, len - 1) : hr_bytes_make(".", 1),
        .name = hr_bytes_make(name, strlen(name)),
        .size = (uint32_t)file->info.size,
        .mtime_ns = file->info.mtime_ns,
        .ctime_ns = file->info.ctime_ns,
    };
    if (before != NULL && hr_path_is_beside(before->path_to, file->path_to))
        small.directory.len = 0;
    return small;
}

static const char *keep_name(hr_parcel *parcel, const char *name)
{
    size_t len = strlen(name) + 1;
    char *kept = memcpy(parcel->names + parcel->names_len, name, len);
    parcel->names_len += len;
    return kept;
}

bool hr_parcel_add(hr_parcel *parcel, const char *path, const hr_file_info *info, bool exclusive,
                   const hr_folder *made)
{
    size_t len = strlen(path) + 1;
    size_t staged_len = HR_STAGE_PATH_MAX + (made != NULL ? len - hr_path_name_at(path) : 0);
    size_t count = parcel->load.file_count;
    if (count == HR_PARCEL_FILES_MAX || parcel->bytes >= HR_PARCEL_BYTES_MAX ||
        len + staged_len > sizeof parcel->names - parcel->names_len - parcel->staged_len)
        return false;
    hr_io_file file = {.path_to = path,
                       .info = *info,
                       .status = HR_AGAIN,
                       .exclusive = exclusive,
                       .group_of_path_to = made == NULL, /* else that of the stage is the same */
                       .folder_mode = made != NULL ? made->mode : 0};
    hr_message_small small = small_of(&file, count > 0 ? &parcel->files[count - 1] : NULL);
    size_t small_len = hr_message_small_len(&small);
    if (small_len > HR_MESSAGE_BODY_MAX - parcel->message_len)
        return false;
    file.path = file.path_to = keep_name(parcel, path);
    parcel->files[count] = file;
    parcel->made[count] = made != NULL && exclusive;
    parcel->staged_len += staged_len;
    parcel->load.file_count++;
    parcel->bytes += info->size;
    parcel->message_len += small_len;
    return true;
}

bool hr_parcel_is_turning(const hr_parcel *parcel, const char *path)
{
    size_t count = parcel->load.file_count;
    return count > 0 && !hr_path_is_beside(parcel->files[count - 1].path_to, path);
}

/* How many from the first on lie in one directory that was made; 0: in one that was not. */
static size_t made_run(const hr_parcel *parcel, size_t first)
{
    size_t end = first;
    while (end < parcel->load.file_count && parcel->made[end] &&
           hr_path_is_beside(parcel->files[first].path_to, parcel->files[end].path_to))
        end++;
    return end - first;
}

static void put_in_drawer(hr_parcel *parcel, size_t first, size_t count, uint64_t number)
{
    char path[HR_STAGE_PATH_MAX + HR_NAME_MAX + 1];
    hr_stage_path(number, path);
    size_t len = strlen(path), above = hr_path_name_at(parcel->files[first].path_to);
    path[len++] = '/';
    for (size_t i = first; i < first + count; i++) {
        hr_io_file *file = &parcel->files[i];
        const char *name = file->path_to + above;
        size_t name_len = strlen(name) + 1;
        assert(name_len <= sizeof path - len);
        memcpy(path + len, name, name_len);
        file->path = keep_name(parcel, path);
    }
}

void hr_parcel_stage(hr_parcel *parcel, size_t drawer_min, uint64_t *next_number)
{
    for (size_t i = 0; i < parcel->load.file_count;) {
        size_t run = made_run(parcel, i);
        size_t end = run > 0 ? i + run : i + 1;
        if (run >= drawer_min) {
            put_in_drawer(parcel, i, run, (*next_number)++);
            i = end;
        }
        for (; i < end; i++) {
            char path[HR_STAGE_PATH_MAX];
            hr_stage_path((*next_number)++, path);
            parcel->files[i].path = keep_name(parcel, path);
        }
    }
}

hr_status hr_parcel_open(hr_parcel *parcel, hr_client *client, const char *base,
                         const hr_transfer_events *events)
{
    const hr_env *env = client->env;
    hr_bundles *bundles = &parcel->bundles;
    size_t count = parcel->load.file_count;
    bundles->file_count = (uint32_t)count;
    bundles->count = hr_bundles_lay(bundles->files, bundles->file_count, NULL);
    bundles->bundles = hr_alloc(env, bundles->count * sizeof *bundles->bundles);
    hr_message_small *files = hr_alloc(env, count * sizeof *files);
    if (bundles->bundles == NULL || files == NULL) {
        hr_release(env, files);
        return HR_NO_MEMORY;
    }
    hr_bundles_lay(bundles->files, bundles->file_count, bundles->bundles);
    for (size_t i = 0; i < count; i++)
        files[i] = small_of(&parcel->files[i], i > 0 ? &parcel->files[i - 1] : NULL);
    hr_transfer_open_bundles(&parcel->transfer, client,
                             &(hr_message_open_bundles){
                                 .path = hr_bytes_make(base, strlen(base)),
                                 .files = files,
                                 .count = count,
                             },
                             bundles, events, parcel);
    hr_release(env, files);
    return HR_OK;
}
