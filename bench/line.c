/* SPDX-License-Identifier: Apache-2.0 */
#include "line.h"

#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "counters.h"

#define MBIT_PER_GB 8000.0

void hr_bench_line_host(const char *address, char host_out[256])
{
    const char *at = strstr(address, "://"), *end;
    at = at != NULL ? at + 3 : address;
    const char *user = strchr(at, '@');
    at = user != NULL ? user + 1 : at;
    bool six = at[0] == '[';
    at += six;
    end = at + strcspn(at, six ? "]" : ":/");
    snprintf(host_out, 256, "%.*s", (int)(end - at), at);
}

/* Our own address on the way there: what the kernel takes for a socket that sends nothing. */
static bool find_own_address(const char *host, struct sockaddr_storage *own_out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *found = NULL;
    socklen_t len = sizeof *own_out;
    if (getaddrinfo(host, "9", &hints, &found) != 0)
        return false;
    int fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool known = fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0 &&
                 getsockname(fd, (struct sockaddr *)own_out, &len) == 0;
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
    return known;
}

static bool is_same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a == NULL || a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET)
        return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr ==
               ((const struct sockaddr_in *)(const void *)b)->sin_addr.s_addr;
    return a->sa_family == AF_INET6 &&
           memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
                  &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr,
                  sizeof(struct in6_addr)) == 0;
}

static void find_interface(const struct sockaddr_storage *own, char name_out[HR_BENCH_LINE_NAME])
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next)
        if (is_same_address(one->ifa_addr, (const struct sockaddr *)own))
            snprintf(name_out, HR_BENCH_LINE_NAME, "%s", one->ifa_name);
    freeifaddrs(all);
}

static double link_rate(const char *root, const char *name)
{
    char path[256], text[32] = "";
    snprintf(path, sizeof path, "%.100s/class/net/%.64s/speed", root, name);
    FILE *file = fopen(path, "re");
    /* -1, or no answer at all: a link that is down, lo, a virtual machine's. */
    if (file != NULL && fgets(text, sizeof text, file) == NULL)
        text[0] = '\0';
    if (file != NULL)
        fclose(file);
    long mbit = strtol(text, NULL, 10);
    return mbit > 0 ? (double)mbit / MBIT_PER_GB : 0;
}

/* A virtual NIC has no speed, and its PCIe link says nothing of it. */
double hr_bench_line_rate(const char *root, const char *name)
{
    char path[256], folder[4096], text[48];
    snprintf(path, sizeof path, "%.100s/class/net/%.64s/device", root, name);
    double link = link_rate(root, name);
    double pcie = realpath(path, folder) != NULL ? hr_bench_pcie_rate(folder, text) : 0;
    return pcie > 0 && pcie < link ? pcie : link;
}

hr_bench_line hr_bench_line_to(const char *root, const char *address)
{
    hr_bench_line line = {.name = ""};
    struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
    char host[256];
    hr_bench_line_host(address, host);
    if (host[0] != '\0' && find_own_address(host, &own))
        find_interface(&own, line.name);
    if (line.name[0] != '\0')
        line.gb_per_second = hr_bench_line_rate(root, line.name);
    return line;
}

void hr_bench_loads_add(hr_bench_loads *loads, const char *host, const hr_bench_line *line,
                        double rate)
{
    char where[128];
    snprintf(where, sizeof where, "%.40s of %.80s", line->name, host);
    unsigned i = 0;
    while (i < loads->count && strcmp(loads->list[i].where, where) != 0)
        i++;
    if (line->name[0] == '\0' || i == HR_BENCH_LOADS_MAX)
        return;
    if (i == loads->count) {
        loads->list[loads->count] = (hr_bench_load){.most = line->gb_per_second};
        snprintf(loads->list[loads->count++].where, sizeof where, "%s", where);
    }
    loads->list[i].rate += rate;
}

bool hr_bench_loads_are_impossible(const hr_bench_loads *loads, char text_out[160])
{
    for (unsigned i = 0; i < loads->count; i++) {
        const hr_bench_load *load = &loads->list[i];
        if (!hr_bench_is_impossible(load->rate, load->most))
            continue;
        snprintf(text_out, 160, "%.2f GB/s, but the line of %.80s carries %.2f: not all crossed it",
                 load->rate, load->where, load->most);
        return true;
    }
    return false;
}
