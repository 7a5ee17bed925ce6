/* SPDX-License-Identifier: Apache-2.0 */
#include "parcel.h"

#include <string.h>

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
    const char *slash = strrchr(file->path_to, '/');
    const char *name = slash == NULL ? file->path_to : slash + 1;
    size_t len = (size_t)(name - file->path_to);
    hr_message_small small = {
        .directory = len > 0 ? hr_bytes_make(file->path_to, len - 1) : hr_bytes_make(".", 1),
        .name = hr_bytes_make(name, strlen(name)),
        .size = (uint32_t)file->info.size,
        .mtime_ns = file->info.mtime_ns,
    };
    if (before != NULL && strncmp(before->path_to, file->path_to, len) == 0 &&
        strchr(before->path_to + len, '/') == NULL)
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

bool hr_parcel_add(hr_parcel *parcel, const char *path, const char *temporary,
                   const hr_file_info *info, bool exclusive)
{
    size_t names_len = strlen(path) + 1 + (temporary != NULL ? strlen(temporary) + 1 : 0);
    size_t count = parcel->load.file_count;
    if (count == HR_PARCEL_FILES_MAX || parcel->bytes >= HR_PARCEL_BYTES_MAX ||
        names_len > sizeof parcel->names - parcel->names_len)
        return false;
    hr_io_file file = {.path_to = path, .info = *info, .status = HR_AGAIN, .exclusive = exclusive};
    hr_message_small small = small_of(&file, count > 0 ? &parcel->files[count - 1] : NULL);
    size_t small_len = hr_message_small_len(&small);
    if (small_len > HR_MESSAGE_BODY_MAX - parcel->message_len)
        return false;
    file.path_to = keep_name(parcel, path);
    file.path = temporary != NULL ? keep_name(parcel, temporary) : file.path_to;
    parcel->files[count] = file;
    parcel->load.file_count++;
    parcel->bytes += info->size;
    parcel->message_len += small_len;
    return true;
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
