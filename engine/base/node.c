/* SPDX-License-Identifier: Apache-2.0 */
#include "node.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sysfs.h"

#define NODES_MAX 1024
/* Of linux/mempolicy.h, which only the headers of the kernel have. */
#define POLICY_DEFAULT   0
#define POLICY_PREFERRED 1

/* Moves on behind the number. -1: there is none. */
static long take_number(const char **at)
{
    char *end;
    if (**at < '0' || **at > '9')
        return -1;
    errno = 0;
    long number = strtol(*at, &end, 10);
    *at = end;
    return errno == 0 ? number : -1;
}

bool hr_node_parse_list(const char *text, cpu_set_t *processors_out)
{
    CPU_ZERO(processors_out);
    for (const char *at = text; *at != '\0'; at += *at == ',') {
        long first = take_number(&at), last = first;
        if (*at == '-') {
            at++;
            last = take_number(&at);
        }
        if (first < 0 || last < first || (*at != ',' && *at != '\0'))
            return false;
        for (long i = first; i <= last && i < CPU_SETSIZE; i++)
            CPU_SET((size_t)i, processors_out);
    }
    return CPU_COUNT(processors_out) > 0;
}

static bool find_processors(const char *root, int node, cpu_set_t *processors_out)
{
    char path[64], list[4096];
    snprintf(path, sizeof path, "/sys/devices/system/node/node%d/cpulist", node);
    return node >= 0 && hr_sysfs_read(root, path, list, sizeof list) &&
           hr_node_parse_list(list, processors_out);
}

bool hr_node_stay(const char *root, int node)
{
    cpu_set_t there, mine, both;
    if (!find_processors(root, node, &there) || sched_getaffinity(0, sizeof mine, &mine) != 0)
        return false;
    CPU_AND(&both, &there, &mine);
    return CPU_COUNT(&both) > 0 && sched_setaffinity(0, sizeof both, &both) == 0;
}

bool hr_node_prefer_memory(int node)
{
    enum { BITS = 8 * sizeof(unsigned long) };
    unsigned long mask[NODES_MAX / BITS] = {0};
    int mode = POLICY_DEFAULT;
    if (node < 0)
        return syscall(SYS_set_mempolicy, POLICY_DEFAULT, NULL, 0UL) == 0;
    if (node >= NODES_MAX || syscall(SYS_get_mempolicy, &mode, NULL, 0UL, NULL, 0UL) != 0 ||
        mode != POLICY_DEFAULT)
        return false;
    mask[node / BITS] = 1UL << node % BITS;
    /* One bit more than there are: the kernel takes one off. */
    return syscall(SYS_set_mempolicy, POLICY_PREFERRED, mask, (unsigned long)NODES_MAX + 1) == 0;
}
