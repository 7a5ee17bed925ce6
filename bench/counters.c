/* SPDX-License-Identifier: Apache-2.0 */
#include "counters.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SECTOR_LEN 512u /* of the kernel's statistics, whatever the drive has */

static bool read_text(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "re");
    bool read = file != NULL && fgets(out, (int)size, file) != NULL;
    if (file != NULL)
        fclose(file);
    if (read)
        out[strcspn(out, "\n")] = '\0';
    return read;
}

static bool read_number(const char *path, uint64_t *number_out)
{
    char text[64], *end;
    if (!read_text(path, text, sizeof text))
        return false;
    unsigned long long number = strtoull(text, &end, 10);
    if (end == text)
        return false;
    *number_out = number;
    return true;
}

/* ---- where they are ---- */

/* 8 of 10 bits carry data up to 5 GT/s, 128 of 130 above. */
static double lane_rate(double transfers)
{
    return transfers / 8 * (transfers > 5.1 ? 128.0 / 130 : 0.8);
}

double hr_bench_pcie_rate(const char *folder, char text_out[48])
{
    char at[HR_BENCH_SYSFS_MAX], path[HR_BENCH_SYSFS_MAX + 32], speed[32];
    snprintf(at, sizeof at, "%s", folder);
    text_out[0] = '\0';
    for (char *slash = at; slash != NULL && at[0] != '\0'; slash = strrchr(at, '/')) {
        uint64_t width = 0;
        if (slash != at)
            *slash = '\0';
        else if (strrchr(at, '/') == at)
            break;
        snprintf(path, sizeof path, "%s/current_link_width", at);
        bool has = read_number(path, &width) && width > 0;
        snprintf(path, sizeof path, "%s/current_link_speed", at);
        double transfers = has && read_text(path, speed, sizeof speed) ? strtod(speed, NULL) : 0;
        if (transfers > 0) {
            snprintf(text_out, 48, "%.1f GT/s x %u", transfers, (unsigned)width);
            return lane_rate(transfers) * (double)width;
        }
    }
    return 0;
}

/* A partition's folder lies in that of its drive, whose statistics are meant. */
static void find_disk(hr_bench_counters *counters, const char *directory)
{
    char link[HR_BENCH_SYSFS_MAX], folder[4096], path[4096 + 16];
    struct stat info;
    if (directory == NULL || stat(directory, &info) != 0 || major(info.st_dev) == 0)
        return;
    snprintf(link, sizeof link, "%s/dev/block/%u:%u", counters->root, major(info.st_dev),
             minor(info.st_dev));
    if (realpath(link, folder) == NULL)
        return;
    snprintf(path, sizeof path, "%s/partition", folder);
    char *slash = strrchr(folder, '/');
    if (access(path, F_OK) == 0 && slash != NULL)
        *slash = '\0';
    if (strlen(folder) >= sizeof counters->disk)
        return;
    memcpy(counters->disk, folder, strlen(folder) + 1);
    counters->disk_gb_per_second = hr_bench_pcie_rate(folder, counters->disk_link);
}

hr_bench_counters hr_bench_counters_find(const char *root, const char *directory)
{
    hr_bench_counters counters = {.disk = ""};
    snprintf(counters.root, sizeof counters.root, "%s", root);
    find_disk(&counters, directory);
    return counters;
}

/* ---- what they say ---- */

/* The third and the seventh number: sectors read, sectors written. */
static void read_disk(const hr_bench_counters *counters, hr_bench_counted *counted)
{
    char path[HR_BENCH_SYSFS_MAX + 8], text[256];
    uint64_t numbers[7] = {0};
    unsigned count = 0;
    snprintf(path, sizeof path, "%s/stat", counters->disk);
    if (counters->disk[0] == '\0' || !read_text(path, text, sizeof text))
        return;
    for (char *at = text, *end; count < 7; at = end) {
        unsigned long long number = strtoull(at, &end, 10);
        if (end == at)
            break;
        numbers[count++] = number;
    }
    counted->has_disk = count == 7;
    counted->disk_read = numbers[2] * SECTOR_LEN;
    counted->disk_written = numbers[6] * SECTOR_LEN;
}

/* Of every device of a class, the larger of two counters. */
static void add_class(const char *class, const char *in, const char *out, unsigned unit,
                      hr_bench_counted *counted)
{
    DIR *folder = opendir(class);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char path[HR_BENCH_SYSFS_MAX + 256];
        uint64_t received = 0, sent = 0;
        snprintf(path, sizeof path, "%s/%s/%s", class, entry->d_name, in);
        bool has = entry->d_name[0] != '.' && read_number(path, &received);
        snprintf(path, sizeof path, "%s/%s/%s", class, entry->d_name, out);
        if (!has || !read_number(path, &sent))
            continue;
        counted->has_network = true;
        counted->network += (received > sent ? received : sent) * unit;
    }
    if (folder != NULL)
        closedir(folder);
}

hr_bench_counted hr_bench_counted_read(const hr_bench_counters *counters)
{
    char class[HR_BENCH_SYSFS_MAX];
    hr_bench_counted counted = {.has_disk = false};
    read_disk(counters, &counted);
    snprintf(class, sizeof class, "%s/class/net", counters->root);
    add_class(class, "statistics/rx_bytes", "statistics/tx_bytes", 1, &counted);
    snprintf(class, sizeof class, "%s/class/infiniband", counters->root);
    /* In words of four bytes, by the specification. */
    add_class(class, "ports/1/counters/port_rcv_data", "ports/1/counters/port_xmit_data", 4,
              &counted);
    return counted;
}

static uint64_t passed(uint64_t before, uint64_t after)
{
    return after > before ? after - before : 0;
}

hr_bench_counted hr_bench_counted_since(const hr_bench_counted *before,
                                        const hr_bench_counters *counters)
{
    hr_bench_counted now = hr_bench_counted_read(counters);
    return (hr_bench_counted){
        .has_disk = now.has_disk && before->has_disk,
        .has_network = now.has_network && before->has_network,
        .disk_read = passed(before->disk_read, now.disk_read),
        .disk_written = passed(before->disk_written, now.disk_written),
        .network = passed(before->network, now.network),
    };
}

void hr_bench_counted_add(hr_bench_counted *sum, const hr_bench_counted *more)
{
    sum->has_disk = sum->has_disk || more->has_disk;
    sum->has_network = sum->has_network || more->has_network;
    sum->disk_read += more->disk_read;
    sum->disk_written += more->disk_written;
    sum->network += more->network;
}

bool hr_bench_is_impossible(double rate, double most)
{
    return most > 0 && rate > 1.02 * most;
}
