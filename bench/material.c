/* SPDX-License-Identifier: Apache-2.0 */
#include "material.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bytes.h"
#include "child.h"
#include "env.h"
#include "memory.h"

#define PIECE_LEN ((size_t)4 << 20)
#define MAKE_NS   (600 * HR_NS_PER_S)

/* ---- one file, in a process that can be interrupted ---- */

typedef struct random_file {
    const char *path;
    uint64_t size;
    bool direct;
} random_file;

/* splitmix64: random enough that nothing compresses it, and faster than any disk. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t mixed = *state += UINT64_C(0x9E3779B97F4A7C15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94D049BB133111EB);
    return mixed ^ mixed >> 31;
}

static int fill_file(int fd, uint64_t *piece, uint64_t size)
{
    uint64_t state = hr_random_u64(hr_env_system());
    for (uint64_t at = 0; at < size;) {
        for (size_t i = 0; i < PIECE_LEN / sizeof *piece; i++)
            piece[i] = next_random(&state);
        size_t len = (size_t)hr_min_u64(PIECE_LEN, size - at);
        ssize_t wrote = pwrite(fd, piece, len, (off_t)at);
        if (wrote <= 0)
            return errno != 0 ? errno : EIO;
        at += (uint64_t)wrote;
    }
    return fsync(fd) == 0 ? 0 : errno;
}

static int write_random_file(void *context)
{
    const random_file *file = context;
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | (file->direct ? O_DIRECT : 0);
    int fd = open(file->path, flags, 0600);
    void *piece = mmap(NULL, PIECE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int cause = fd < 0 || piece == MAP_FAILED ? errno : fill_file(fd, piece, file->size);
    if (cause != 0)
        fprintf(stderr, "writing %s: %s\n", file->path, strerror(cause));
    if (fd >= 0)
        close(fd);
    return cause != 0;
}

static hr_status make_random(const hr_bench_material *material, const char *path, uint64_t size,
                             hr_error *error)
{
    random_file file = {.path = path, .size = size, .direct = material->direct};
    hr_bench_child child = {0};
    hr_status status = hr_bench_child_fork(&child, "making files", write_random_file, &file, error);
    if (status == HR_OK)
        status = hr_bench_child_wait(&child, MAKE_NS, error);
    hr_bench_child_stop(&child);
    return status;
}

static hr_status make_sparse(const char *path, uint64_t size, hr_error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int cause = fd < 0 || ftruncate(fd, (off_t)size) != 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    if (cause == 0)
        return HR_OK;
    return hr_error_set(error, hr_status_from_errno(cause), "making %s: %s", path, strerror(cause));
}

/* ---- the folder ---- */

static hr_status check_room(const char *directory, uint64_t size, hr_error *error)
{
    struct statvfs room;
    uint64_t need = 3 * size + HR_BENCH_SMALL_LEN;
    if (statvfs(directory, &room) != 0)
        return hr_error_set(error, hr_status_from_errno(errno), "%s: %s", directory,
                            strerror(errno));
    uint64_t free_len = (uint64_t)room.f_bavail * room.f_frsize;
    if (free_len >= need)
        return HR_OK;
    return hr_error_set(error, HR_NO_SPACE,
                        "%s has %llu MiB free, %llu are needed: a smaller --size, or another "
                        "--directory",
                        directory, (unsigned long long)(free_len >> 20),
                        (unsigned long long)(need >> 20));
}

static bool takes_direct(const char *folder)
{
    char path[HR_BENCH_PATH_MAX + 16];
    snprintf(path, sizeof path, "%s/trial", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    unlink(path);
    return fd >= 0;
}

static hr_status make_folder(hr_bench_material *material, const char *directory, hr_error *error)
{
    if (strlen(directory) > HR_BENCH_PATH_MAX / 2)
        return hr_error_set(error, HR_INVALID, "--directory: its name is too long");
    snprintf(material->folder, sizeof material->folder, "%s/headrace-bench.XXXXXX", directory);
    if (mkdtemp(material->folder) == NULL)
        return hr_error_set(error, hr_status_from_errno(errno), "making a folder in %s: %s",
                            directory, strerror(errno));
    material->made = true;
    snprintf(material->shards, sizeof material->shards, "%.480s/shards", material->folder);
    snprintf(material->large, sizeof material->large, "%.480s/shards/large", material->folder);
    snprintf(material->target, sizeof material->target, "%.480s/target", material->folder);
    if (mkdir(material->shards, 0700) != 0)
        return hr_error_set(error, hr_status_from_errno(errno), "making %s: %s", material->shards,
                            strerror(errno));
    material->direct = takes_direct(material->folder);
    return HR_OK;
}

hr_status hr_bench_material_make(hr_bench_material *material, const char *directory, uint64_t size,
                                 uint64_t sparse_size, hr_error *error)
{
    char path[HR_BENCH_PATH_MAX + 16];
    /* Whole alignments: the peers read to the last byte what O_DIRECT gives them. */
    size = hr_round_down(size, PIECE_LEN);
    *material = (hr_bench_material){.size = size};
    hr_status status = check_room(directory, size, error);
    if (status == HR_OK)
        status = make_folder(material, directory, error);
    if (status == HR_OK)
        status = make_random(material, material->large, size, error);
    if (status != HR_OK)
        return status;
    snprintf(path, sizeof path, "%s/small", material->shards);
    status = make_random(material, path, HR_BENCH_SMALL_LEN, error);
    if (status != HR_OK || sparse_size == 0)
        return status;
    snprintf(path, sizeof path, "%s/sparse", material->shards);
    return make_sparse(path, sparse_size, error);
}

void hr_bench_material_reset(const hr_bench_material *material)
{
    unlink(material->target);
}

void hr_bench_material_drop_cache(const hr_bench_material *material)
{
    int fd = open(material->large, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

void hr_bench_material_remove(hr_bench_material *material)
{
    static const char *const names[] = {"shards/large", "shards/small", "shards/sparse", "shards",
                                        "target"};
    char path[HR_BENCH_PATH_MAX + 16];
    if (!material->made)
        return;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", material->folder, names[i]);
        (void)remove(path);
    }
    (void)rmdir(material->folder);
    material->made = false;
}
