/* SPDX-License-Identifier: Apache-2.0 */
#include "material.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bytes.h"
#include "child.h"
#include "content.h"
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

static int fill_file(int fd, uint8_t *piece, uint64_t size)
{
    uint64_t seed = hr_random_u64(hr_env_system());
    for (uint64_t at = 0; at < size;) {
        hr_bench_fill_random(piece, PIECE_LEN, seed + at);
        size_t len = (size_t)hr_min_u64(PIECE_LEN, size - at);
        ssize_t wrote = pwrite(fd, piece, len, (off_t)at);
        if (wrote <= 0)
            return errno != 0 ? errno : EIO;
        at += (uint64_t)wrote;
    }
    return fsync(fd) == 0 ? 0 : errno;
}

static hr_status write_random_file(void *context)
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
    return cause != 0 ? hr_status_from_errno(cause) : HR_OK;
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

/* ---- many files ---- */

typedef struct tree_job {
    const char *folder;
    const hr_bench_material_wish *wish;
} tree_job;

static int write_member(const char *path, uint8_t *piece, uint64_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    for (uint64_t at = 0; fd >= 0 && at < len;) {
        ssize_t wrote = write(fd, piece, (size_t)hr_min_u64(PIECE_LEN, len - at));
        if (wrote <= 0)
            break;
        at += (uint64_t)wrote;
    }
    struct stat info;
    bool whole = fd >= 0 && fstat(fd, &info) == 0 && (uint64_t)info.st_size == len;
    int cause = whole ? 0 : errno != 0 ? errno : EIO;
    if (fd >= 0)
        close(fd);
    return cause;
}

/* Every file begins elsewhere in the same random bytes, and what is to be packed is text. */
static int write_members(const tree_job *job, uint8_t *piece)
{
    const hr_bench_material_wish *wish = job->wish;
    char path[HR_BENCH_PATH_MAX + 40];
    uint64_t seed = hr_random_u64(hr_env_system());
    bool flat = wish->tree_files <= HR_BENCH_FLAT_MAX;
    if (wish->packs && strcmp(wish->codec, "planes") == 0)
        hr_bench_fill_weights(piece, PIECE_LEN, seed);
    else if (wish->packs)
        hr_bench_fill_text(piece, PIECE_LEN, seed);
    for (unsigned i = 0; i < wish->tree_files; i++) {
        if (!wish->packs)
            hr_bench_fill_random(piece, (size_t)hr_min_u64(PIECE_LEN, wish->tree_file_len),
                                 seed + i);
        if (!flat && i % HR_BENCH_FLAT_MAX == 0) {
            snprintf(path, sizeof path, "%s/%04u", job->folder, i / HR_BENCH_FLAT_MAX);
            if (mkdir(path, 0700) != 0)
                return errno;
        }
        if (flat)
            snprintf(path, sizeof path, "%s/%06u", job->folder, i);
        else
            snprintf(path, sizeof path, "%s/%04u/%06u", job->folder, i / HR_BENCH_FLAT_MAX, i);
        int cause = write_member(path, piece, wish->tree_file_len);
        if (cause != 0)
            return cause;
    }
    return 0;
}

static hr_status write_tree(void *context)
{
    const tree_job *job = context;
    int fd = open(job->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    void *piece = mmap(NULL, PIECE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int cause = fd < 0 || piece == MAP_FAILED ? errno : write_members(job, piece);
    if (cause == 0 && syncfs(fd) != 0)
        cause = errno;
    if (cause != 0)
        fprintf(stderr, "writing files in %s: %s\n", job->folder, strerror(cause));
    return cause != 0 ? hr_status_from_errno(cause) : HR_OK;
}

static hr_status make_tree(const hr_bench_material *material, hr_error *error)
{
    tree_job job = {.folder = material->tree, .wish = &material->wish};
    hr_bench_child child = {0};
    if (mkdir(material->tree, 0700) != 0)
        return hr_error_set(error, hr_status_from_errno(errno), "making %s: %s", material->tree,
                            strerror(errno));
    hr_status status = hr_bench_child_fork(&child, "making files", write_tree, &job, error);
    if (status == HR_OK)
        status = hr_bench_child_wait(&child, MAKE_NS, error);
    hr_bench_child_stop(&child);
    return status;
}

/* ---- the folder ---- */

static hr_status check_room(const hr_bench_material_wish *wish, hr_error *error)
{
    struct statvfs room;
    uint64_t tree_len = wish->tree_files * wish->tree_file_len;
    uint64_t need = 3 * wish->size + wish->small_size + 2 * tree_len;
    if (statvfs(wish->directory, &room) != 0)
        return hr_error_set(error, hr_status_from_errno(errno), "%s: %s", wish->directory,
                            strerror(errno));
    uint64_t free_len = (uint64_t)room.f_bavail * room.f_frsize;
    /* ramfs and the like have no size of their own. */
    if (free_len >= need || room.f_blocks == 0)
        return HR_OK;
    return hr_error_set(error, HR_NO_SPACE,
                        "%s has %llu MiB free, %llu are needed: a smaller --size or fewer files, "
                        "or another --directory",
                        wish->directory, (unsigned long long)(free_len >> 20),
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
        return hr_error_set(error, hr_status_from_errno(errno),
                            "making a folder in %s: %s; name another --directory", directory,
                            strerror(errno));
    material->made = true;
    snprintf(material->shards, sizeof material->shards, "%.480s/shards", material->folder);
    snprintf(material->large, sizeof material->large, "%.480s/shards/large", material->folder);
    snprintf(material->target, sizeof material->target, "%.480s/target", material->folder);
    snprintf(material->packed, sizeof material->packed, "%.480s/shards/tree", material->folder);
    snprintf(material->tree, sizeof material->tree, "%.480s/%s", material->folder,
             material->wish.packs ? "tree" : "shards/tree");
    if (mkdir(material->shards, 0700) != 0)
        return hr_error_set(error, hr_status_from_errno(errno), "making %s: %s", material->shards,
                            strerror(errno));
    material->direct = takes_direct(material->folder);
    return HR_OK;
}

static unsigned pieces_of(const hr_bench_material_wish *wish)
{
    return wish->pieces > 1 ? wish->pieces : 1;
}

void hr_bench_material_piece(const char *path, unsigned index, char piece_out[HR_BENCH_PATH_MAX])
{
    if (index == 0)
        snprintf(piece_out, HR_BENCH_PATH_MAX, "%s", path);
    else
        snprintf(piece_out, HR_BENCH_PATH_MAX, "%.490s.%u", path, index);
}

static hr_status make_shards(const hr_bench_material *material, hr_error *error)
{
    const hr_bench_material_wish *wish = &material->wish;
    char path[HR_BENCH_PATH_MAX + 16];
    hr_status status = HR_OK;
    unsigned pieces = pieces_of(wish);
    for (unsigned i = 0; i < pieces && wish->size > 0 && status == HR_OK; i++) {
        hr_bench_material_piece(material->large, i, path);
        status =
            make_random(material, path, hr_round_down(material->size / pieces, PIECE_LEN), error);
    }
    snprintf(path, sizeof path, "%s/small", material->shards);
    if (status == HR_OK && wish->small_size > 0)
        status = make_random(material, path, hr_round_down(wish->small_size, PIECE_LEN), error);
    snprintf(path, sizeof path, "%s/sparse", material->shards);
    if (status == HR_OK && wish->sparse_size > 0)
        status = make_sparse(path, wish->sparse_size, error);
    return status;
}

hr_status hr_bench_material_make(hr_bench_material *material, const hr_bench_material_wish *wish,
                                 hr_error *error)
{
    /* Whole alignments: the peers read to the last byte what O_DIRECT gives them. */
    *material = (hr_bench_material){.wish = *wish, .size = hr_round_down(wish->size, PIECE_LEN)};
    hr_status status = make_folder(material, wish->directory, error);
    if (status == HR_OK)
        status = check_room(wish, error);
    if (status == HR_OK)
        status = make_shards(material, error);
    if (status == HR_OK && wish->tree_files > 0)
        status = make_tree(material, error);
    return status;
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool hr_bench_material_is(const hr_bench_material *material, const hr_bench_material_wish *wish)
{
    const hr_bench_material_wish *had = &material->wish;
    return material->made && is_same(had->directory, wish->directory) && had->size == wish->size &&
           pieces_of(had) == pieces_of(wish) && had->small_size == wish->small_size &&
           had->sparse_size == wish->sparse_size && had->tree_files == wish->tree_files &&
           had->tree_file_len == wish->tree_file_len && had->packs == wish->packs &&
           is_same(had->codec, wish->codec);
}

/* ---- its end ---- */

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)type;
    (void)at;
    (void)remove(path);
    return 0;
}

static void remove_all(const char *path)
{
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

void hr_bench_material_reset(const hr_bench_material *material)
{
    char path[HR_BENCH_PATH_MAX];
    for (unsigned i = 0; material != NULL && material->made && i < pieces_of(&material->wish);
         i++) {
        hr_bench_material_piece(material->target, i, path);
        remove_all(path);
    }
}

static int drop_file(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info;
    (void)at;
    int fd = type == FTW_F ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    return 0;
}

void hr_bench_material_drop_cache(const hr_bench_material *material)
{
    (void)nftw(material->shards, drop_file, 16, FTW_PHYS);
}

void hr_bench_material_remove(hr_bench_material *material)
{
    if (material->made)
        remove_all(material->folder);
    material->made = false;
}
