/* SPDX-License-Identifier: Apache-2.0 */
#include "temp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_WORDS 8192

static hr_status last_error(void)
{
    return hr_status_from_errno(errno);
}

hr_status hr_temp_make(char path_out[HR_TEMP_PATH_MAX])
{
    const char *base = getenv("TMPDIR");
    if (base == NULL || base[0] == '\0')
        base = "/var/tmp";
    char path[HR_TEMP_PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/headrace-test-XXXXXX", base);
    if (len < 0 || (size_t)len >= sizeof path)
        return HR_INVALID;
    if (mkdtemp(path) == NULL || chmod(path, 0755) != 0)
        return last_error();
    memcpy(path_out, path, (size_t)len + 1);
    return HR_OK;
}

static hr_status remove_at(int dir, const char *name);

static hr_status remove_content(int fd)
{
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        hr_status status = last_error();
        close(fd);
        return status;
    }
    hr_status status = HR_OK;
    for (struct dirent *entry; status == HR_OK && (entry = readdir(dir)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = remove_at(dirfd(dir), entry->d_name);
    closedir(dir);
    return status;
}

static hr_status remove_at(int dir, const char *name)
{
    struct stat info;
    if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? HR_OK : last_error();
    if (!S_ISDIR(info.st_mode))
        return unlinkat(dir, name, 0) == 0 ? HR_OK : last_error();

    /* A test may have taken the rights away. */
    if (fchmodat(dir, name, 0700, 0) != 0)
        return last_error();
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return last_error();
    hr_status status = remove_content(fd);
    if (status == HR_OK && unlinkat(dir, name, AT_REMOVEDIR) != 0)
        status = last_error();
    return status;
}

hr_status hr_temp_remove(const char *path)
{
    return remove_at(AT_FDCWD, path);
}

/* splitmix64, from the position: any block can be made without those before it. */
static void fill(uint64_t *words, uint64_t seed, uint64_t first_word)
{
    for (uint64_t i = 0; i < BLOCK_WORDS; i++) {
        uint64_t word = (seed << 40) + (first_word + i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
        words[i] = word ^ word >> 31;
    }
}

hr_status hr_temp_write(const char *path, uint64_t len, uint64_t seed)
{
    FILE *file = fopen(path, "wbe");
    if (file == NULL)
        return last_error();
    uint64_t words[BLOCK_WORDS];
    hr_status status = HR_OK;
    for (uint64_t at = 0; status == HR_OK && at < len; at += sizeof words) {
        size_t part = len - at < sizeof words ? (size_t)(len - at) : sizeof words;
        fill(words, seed, at / sizeof words[0]);
        if (fwrite(words, 1, part, file) != part)
            status = last_error();
    }
    if (fclose(file) != 0 && status == HR_OK)
        status = last_error();
    return status;
}

bool hr_temp_holds(const char *path, uint64_t len, uint64_t seed)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return false;
    uint64_t expected[BLOCK_WORDS], found[BLOCK_WORDS];
    bool same = true;
    for (uint64_t at = 0; same && at < len; at += sizeof expected) {
        size_t part = len - at < sizeof expected ? (size_t)(len - at) : sizeof expected;
        fill(expected, seed, at / sizeof expected[0]);
        same = fread(found, 1, part, file) == part && memcmp(found, expected, part) == 0;
    }
    same = same && fgetc(file) == EOF && !ferror(file);
    fclose(file);
    return same;
}

int hr_temp_count(const char *path, const char *prefix)
{
    DIR *dir = opendir(path);
    if (dir == NULL)
        return -1;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
            count++;
    closedir(dir);
    return count;
}
