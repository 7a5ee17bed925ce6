/* SPDX-License-Identifier: Apache-2.0 */
#include "sysfs.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

static bool join(char out[HR_SYSFS_PATH_MAX], const char *root, const char *path)
{
    int len = snprintf(out, HR_SYSFS_PATH_MAX, "%s%s", root, path);
    return len > 0 && len < HR_SYSFS_PATH_MAX;
}

bool hr_sysfs_read(const char *root, const char *path, char *out, size_t size)
{
    char full[HR_SYSFS_PATH_MAX];
    out[0] = '\0';
    int file = join(full, root, path) ? open(full, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return false;
    ssize_t len = read(file, out, size - 1);
    close(file);
    while (len > 0 && isspace((unsigned char)out[len - 1]))
        len--;
    out[len > 0 ? len : 0] = '\0';
    return len >= 0;
}

long hr_sysfs_number(const char *root, const char *path)
{
    char text[32], *end;
    if (!hr_sysfs_read(root, path, text, sizeof text))
        return -1;
    long number = strtol(text, &end, 0);
    return end == text ? -1 : number;
}

bool hr_sysfs_has(const char *root, const char *path)
{
    char full[HR_SYSFS_PATH_MAX];
    return join(full, root, path) && access(full, F_OK) == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

void hr_sysfs_list(const char *root, const char *path, hr_sysfs_names *names_out)
{
    char full[HR_SYSFS_PATH_MAX];
    names_out->count = 0;
    DIR *dir = join(full, root, path) ? opendir(full) : NULL;
    if (dir == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.' || strlen(entry->d_name) >= HR_SYSFS_NAME_MAX ||
            names_out->count == HR_SYSFS_NAMES_MAX)
            continue;
        memcpy(names_out->names[names_out->count++], entry->d_name, strlen(entry->d_name) + 1);
    }
    closedir(dir);
    qsort(names_out->names, names_out->count, sizeof names_out->names[0], by_name);
}

bool hr_sysfs_resolve(const char *root, const char *path, char out[HR_SYSFS_PATH_MAX])
{
    char full[HR_SYSFS_PATH_MAX], resolved[PATH_MAX];
    if (!join(full, root, path) || realpath(full, resolved) == NULL ||
        strlen(resolved) >= HR_SYSFS_PATH_MAX)
        return false;
    memcpy(out, resolved, strlen(resolved) + 1);
    return true;
}

/* modules.dep names files with underscores or hyphens as their authors liked: ".../rdma_rxe.ko.xz:"
 */
static bool listed(const char *root, const char *release, const char *list, const char *module)
{
    char path[HR_SYSFS_PATH_MAX], full[HR_SYSFS_PATH_MAX], line[4096], wanted[80];
    snprintf(path, sizeof path, "/lib/modules/%s/%s", release, list);
    snprintf(wanted, sizeof wanted, "/%s.ko", module);
    FILE *file = join(full, root, path) ? fopen(full, "re") : NULL;
    bool found = false;
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, ":")] = '\0';
        found = strstr(line, wanted) != NULL;
    }
    if (file != NULL)
        fclose(file);
    return found;
}

bool hr_sysfs_has_module(const char *root, const char *module)
{
    char path[HR_SYSFS_PATH_MAX];
    struct utsname system;
    snprintf(path, sizeof path, "/sys/module/%s", module);
    if (hr_sysfs_has(root, path))
        return true;
    return uname(&system) == 0 && (listed(root, system.release, "modules.dep", module) ||
                                   listed(root, system.release, "modules.builtin", module));
}
