/* SPDX-License-Identifier: Apache-2.0 */
#include "site.h"

#include <stdio.h>
#include <string.h>

/* ---- finding ---- */

/* "0000:3b:00.0" */
static bool is_pci_address(const char *name)
{
    const char *separators = "::.";
    for (size_t i = 0; i <= 3; i++) {
        size_t digits = strspn(name, "0123456789abcdef");
        name += digits;
        if (digits == 0 || (i < 3 && *name++ != separators[i]))
            return false;
    }
    return *name == '/' || *name == '\0';
}

/* What a device is made of (ports, namespaces, partitions) sits where the device does. */
static void cut_behind_device(char *path)
{
    char *end = NULL;
    for (char *at = strchr(path, '/'); at != NULL; at = strchr(at + 1, '/'))
        if (is_pci_address(at + 1))
            end = at + 1 + strcspn(at + 1, "/");
    if (end != NULL)
        *end = '\0';
}

bool hr_site_find(const char *root, const char *path, hr_site *site_out)
{
    char node[HR_SYSFS_PATH_MAX + 16];
    *site_out = (hr_site){.node = -1};
    if (!hr_sysfs_resolve(root, path, site_out->path))
        return false;
    cut_behind_device(site_out->path);
    snprintf(node, sizeof node, "%s/numa_node", site_out->path);
    site_out->node = (int)hr_sysfs_number("", node);
    return true;
}

bool hr_site_of_block(const char *root, unsigned major, unsigned minor, hr_site *site_out)
{
    enum { LEVELS_MAX = 8 }; /* dm upon md upon partitions */
    char path[HR_SYSFS_PATH_MAX];
    hr_sysfs_names slaves;
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u", major, minor);
    for (unsigned level = 0; level < LEVELS_MAX; level++) {
        char deeper[HR_SYSFS_PATH_MAX + 16];
        snprintf(deeper, sizeof deeper, "%s/slaves", path);
        hr_sysfs_list(root, deeper, &slaves);
        if (slaves.count == 0)
            break;
        snprintf(path, sizeof path, "/sys/class/block/%s", slaves.names[0]);
    }
    return hr_site_find(root, path, site_out);
}

/* ---- comparing ---- */

/* "/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0": how many leading names two have in common
 * below the root of a PCI tree, and whether the root is the same. */
static const char *pci_root(const char *path)
{
    const char *at = strstr(path, "/pci");
    return at != NULL ? at + 1 : NULL;
}

static unsigned bridges(const char *path)
{
    unsigned count = 0;
    for (; *path != '\0'; path++)
        count += *path == '/';
    return count;
}

hr_distance hr_site_distance(const hr_site *a, const hr_site *b)
{
    const char *x = pci_root(a->path), *y = pci_root(b->path);
    if (x == NULL || y == NULL)
        return HR_DISTANCE_UNKNOWN;
    size_t same = 0, last = 0;
    while (x[same] != '\0' && x[same] == y[same]) {
        if (x[same] == '/')
            last = same;
        same++;
    }
    if (x[same] == y[same])
        return HR_DISTANCE_SWITCH; /* functions of one device */
    if (last == 0)
        return a->node >= 0 && a->node == b->node ? HR_DISTANCE_NODE : HR_DISTANCE_SYSTEM;
    if (memchr(x, '/', last) == NULL)
        return HR_DISTANCE_HOST; /* nothing in common but the root complex */
    return bridges(x + last) + bridges(y + last) <= 4 ? HR_DISTANCE_SWITCH : HR_DISTANCE_SWITCHES;
}

const char *hr_distance_text(hr_distance distance)
{
    static const char *const texts[] = {
        [HR_DISTANCE_SWITCH] = "one PCI switch between (PIX)",
        [HR_DISTANCE_SWITCHES] = "several PCI switches between (PXB)",
        [HR_DISTANCE_HOST] = "same PCI root (PHB)",
        [HR_DISTANCE_NODE] = "same NUMA node, other PCI root (NODE)",
        [HR_DISTANCE_SYSTEM] = "another NUMA node (SYS)",
        [HR_DISTANCE_UNKNOWN] = "not on a PCI bus",
    };
    return texts[distance];
}
