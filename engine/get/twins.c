/* SPDX-License-Identifier: Apache-2.0 */
#include "twins.h"

#include <string.h>

#include "path.h"

void hr_twins_init(hr_twins *twins, const hr_env *env)
{
    hr_names_init(&twins->folded, env);
}

void hr_twins_release(hr_twins *twins)
{
    hr_names_release(&twins->folded);
}

void hr_twins_clear(hr_twins *twins)
{
    hr_names_clear(&twins->folded);
}

static bool is_between(char byte, char first, char last)
{
    return byte >= first && byte <= last;
}

/* Of directories that are one by their case the second is refused, and with it what it holds. */
hr_status hr_twins_add(hr_twins *twins, const char *path, bool *twin_out)
{
    bool added = false;
    size_t len = strlen(path);
    memcpy(twins->other, path, len + 1);
    for (size_t i = hr_path_name_at(path); i < len; i++)
        if (is_between(path[i], 'A', 'Z'))
            twins->other[i] = (char)(path[i] + ('a' - 'A'));
    hr_status status = hr_names_add(&twins->folded, twins->other, &added);
    if (status == HR_OK)
        *twin_out = !added;
    return status;
}

static void looked_up(hr_io *io)
{
    hr_twins *twins = io->context;
    const hr_io_file *it = &twins->files[0], *other = &twins->files[1];
    bool both = io->status == HR_OK && it->status == HR_OK && other->status == HR_OK;
    bool links = both && it->info.type != HR_FILE_DIRECTORY && it->info.links > 1;
    twins->told(twins->context, both && it->info.inode == other->info.inode && !links);
}

void hr_twins_look(hr_twins *twins, hr_storage *storage, hr_dir *dir, const char *path,
                   void (*told)(void *context, bool folds), void *context)
{
    size_t len = strlen(path);
    memcpy(twins->other, path, len + 1);
    for (size_t i = hr_path_name_at(path); i < len; i++)
        if (is_between(path[i], 'A', 'Z') || is_between(path[i], 'a', 'z'))
            twins->other[i] = (char)(path[i] ^ ('a' ^ 'A'));
    twins->files[0] = (hr_io_file){.path = path};
    twins->files[1] = (hr_io_file){.path = twins->other};
    twins->told = told;
    twins->context = context;
    twins->io = (hr_io){
        .kind = HR_IO_LOOKUP_FILES,
        .flags = HR_IO_NO_SYMLINKS,
        .dir = dir,
        .files = twins->files,
        .file_count = 2,
        .done = looked_up,
        .context = twins,
    };
    hr_storage_submit(storage, &twins->io);
}
