/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define CPUFREQ "/sys/devices/system/cpu/cpu0/cpufreq/"

static void read_line(const char *path, char *out, int size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(out, size, file) == NULL)
        snprintf(out, (size_t)size, "?");
    out[strcspn(out, "\n")] = '\0';
    if (file != NULL)
        fclose(file);
}

static void read_cpu(char *out, size_t size)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(out, size, "?");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || colon == NULL)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(out, size, "%s", colon + 2);
        break;
    }
    if (file != NULL)
        fclose(file);
}

static void append(char *out, size_t size, const char *text)
{
    size_t len = strlen(out);
    snprintf(out + len, size - len, "%s%s", len > 0 ? ", " : "", text);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_shown(const struct dirent *entry)
{
    const char *const hidden[] = {".", "loop", "ram", "zram", "dm-", "lo"};
    bool shown = true;
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        shown = shown && strncmp(entry->d_name, hidden[i], strlen(hidden[i])) != 0;
    return shown;
}

/* Every device of a class with what two files in its folder say; "none". */
static void list_class(const char *class, const char *model, const char *firmware, char *out,
                       size_t size)
{
    struct dirent **entries = NULL;
    int count = scandir(class, &entries, is_shown, by_name);
    out[0] = '\0';
    for (int i = 0; i < count; i++) {
        char path[400], what[60], version[40], text[200];
        snprintf(path, sizeof path, "%s/%s/%s", class, entries[i]->d_name, model);
        read_line(path, what, sizeof what);
        snprintf(path, sizeof path, "%s/%s/%s", class, entries[i]->d_name, firmware);
        read_line(path, version, sizeof version);
        bool told = strcmp(what, "?") != 0 || strcmp(version, "?") != 0;
        snprintf(text, sizeof text, "%.60s%s%s%s%s", entries[i]->d_name, told ? " " : "",
                 told ? what : "", told ? " " : "", told ? version : "");
        append(out, size, text);
        free(entries[i]);
    }
    free(entries);
    if (out[0] == '\0')
        snprintf(out, size, "none");
}

/* FNV-1a */
static uint64_t mix(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    return (hash ^ 0xFF) * UINT64_C(0x100000001b3);
}

static void take_fingerprint(hr_bench_machine *machine)
{
    char sizes[48];
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    snprintf(sizes, sizeof sizes, "%u %llu", machine->cores,
             (unsigned long long)machine->memory_len);
    const char *const parts[] = {
        machine->kernel, machine->cpu,  machine->governor, machine->clocks,     machine->settings,
        machine->drives, machine->nics, machine->gpu,      machine->congestion, sizes};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        hash = mix(hash, parts[i]);
    snprintf(machine->fingerprint, sizeof machine->fingerprint, "%016llx",
             (unsigned long long)hash);
}

/* The bounds of the clocks and whether they may be passed, by whichever driver there is. */
static void read_clocks(char *out, size_t size)
{
    char least[24], most[24], boost[8], no_turbo[8];
    read_line(CPUFREQ "cpuinfo_min_freq", least, sizeof least);
    read_line(CPUFREQ "scaling_max_freq", most, sizeof most);
    read_line("/sys/devices/system/cpu/cpufreq/boost", boost, sizeof boost);
    read_line("/sys/devices/system/cpu/intel_pstate/no_turbo", no_turbo, sizeof no_turbo);
    bool on = boost[0] == '1' || no_turbo[0] == '0', known = boost[0] != '?' || no_turbo[0] != '?';
    if (most[0] == '?')
        snprintf(out, size, "?");
    else
        snprintf(out, size, "%lu to %lu MHz, turbo %s", strtoul(least, NULL, 10) / 1000,
                 strtoul(most, NULL, 10) / 1000,
                 !known ? "?"
                 : on   ? "on"
                        : "off");
}

/* The choice in brackets of "always [madvise] never". */
static void read_settings(char *out, size_t size)
{
    char pages[64], balancing[8];
    read_line("/sys/kernel/mm/transparent_hugepage/enabled", pages, sizeof pages);
    read_line("/proc/sys/kernel/numa_balancing", balancing, sizeof balancing);
    const char *choice = strchr(pages, '[');
    choice = choice != NULL ? choice + 1 : pages;
    snprintf(out, size, "huge pages %.*s, NUMA balancing %s", (int)strcspn(choice, "]"), choice,
             balancing);
}

static void read_devices(hr_bench_machine *machine)
{
    read_line(CPUFREQ "scaling_governor", machine->governor, sizeof machine->governor);
    read_clocks(machine->clocks, sizeof machine->clocks);
    read_settings(machine->settings, sizeof machine->settings);
    list_class("/sys/block", "device/model", "device/firmware_rev", machine->drives,
               sizeof machine->drives);
    list_class("/sys/class/infiniband", "hca_type", "fw_ver", machine->nics, sizeof machine->nics);
    if (strcmp(machine->nics, "none") == 0)
        list_class("/sys/class/net", "operstate", "mtu", machine->nics, sizeof machine->nics);
    read_line("/proc/driver/nvidia/version", machine->gpu, sizeof machine->gpu);
    if (strcmp(machine->gpu, "?") == 0)
        snprintf(machine->gpu, sizeof machine->gpu, "none");
}

hr_bench_machine hr_bench_machine_read(void)
{
    hr_bench_machine machine = {.load = 0};
    struct utsname name;
    time_t now = time(NULL);
    struct tm utc;
    double loads[1] = {0};
    if (uname(&name) == 0)
        snprintf(machine.kernel, sizeof machine.kernel, "%.20s %.50s", name.sysname, name.release);
    read_cpu(machine.cpu, sizeof machine.cpu);
    long cores = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES);
    machine.cores = cores > 0 ? (unsigned)cores : 0;
    machine.memory_len = pages > 0 ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
    if (getloadavg(loads, 1) == 1)
        machine.load = loads[0];
    read_line("/proc/sys/net/ipv4/tcp_congestion_control", machine.congestion,
              sizeof machine.congestion);
    read_devices(&machine);
    take_fingerprint(&machine);
    if (gmtime_r(&now, &utc) != NULL)
        strftime(machine.utc, sizeof machine.utc, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return machine;
}
