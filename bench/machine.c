/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

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
    if (gmtime_r(&now, &utc) != NULL)
        strftime(machine.utc, sizeof machine.utc, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return machine;
}
