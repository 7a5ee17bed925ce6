/* SPDX-License-Identifier: Apache-2.0 */
/* hr_site: where a device sits in the machine: its way through the PCI tree, as /sys/devices has
 * it, and its NUMA node. Bytes that cross from one root of the tree to another go through the
 * processors' own link. */
#ifndef HR_SITE_H
#define HR_SITE_H

#include "sysfs.h"

typedef struct hr_site {
    char path[HR_SYSFS_PATH_MAX]; /* without links; "": not known */
    int node;                     /* -1: the machine has one, or does not say */
} hr_site;

/* From near to far; the short names are those of nvidia-smi topo. */
typedef enum hr_distance {
    HR_DISTANCE_SWITCH,
    HR_DISTANCE_SWITCHES,
    HR_DISTANCE_HOST,
    HR_DISTANCE_NODE,
    HR_DISTANCE_SYSTEM,
    HR_DISTANCE_UNKNOWN,
} hr_distance;

/* Of the device that a path of /sys below root leads to, or that it is a part of (the controller of
 * a drive's partition). False: there is none, and nothing is known of site_out. */
bool hr_site_find(const char *root, const char *path, hr_site *site_out);
/* Of the drive that holds the block device; of several (md, dm) the first. */
bool hr_site_of_block(const char *root, unsigned major, unsigned minor, hr_site *site_out);
/* Pure. */
hr_distance hr_site_distance(const hr_site *a, const hr_site *b);
const char *hr_distance_text(hr_distance distance);

#endif
