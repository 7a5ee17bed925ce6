/* SPDX-License-Identifier: Apache-2.0 */
/* hr_parts: NICs, drives and GPUs with their places in the PCI tree. */
#ifndef HR_DOCTOR_DISTANCE_H
#define HR_DOCTOR_DISTANCE_H

#include "sysfs.h"

#define HR_PARTS_MAX 64

typedef enum hr_part_kind { HR_PART_NIC, HR_PART_DRIVE, HR_PART_GPU } hr_part_kind;

typedef struct hr_part {
    hr_part_kind kind;
    char name[HR_SYSFS_NAME_MAX];
    char path[HR_SYSFS_PATH_MAX]; /* its device, without links */
    int node;                     /* -1: the machine has one, or does not say */
} hr_part;

typedef struct hr_parts {
    hr_part parts[HR_PARTS_MAX];
    unsigned count;
} hr_parts;

/* From near to far; the short names are those of nvidia-smi topo. */
typedef enum hr_distance {
    HR_DISTANCE_SWITCH,
    HR_DISTANCE_SWITCHES,
    HR_DISTANCE_HOST,
    HR_DISTANCE_NODE,
    HR_DISTANCE_SYSTEM,
    HR_DISTANCE_UNKNOWN,
} hr_distance;

void hr_parts_find(const char *root, hr_parts *parts_out);
hr_distance hr_part_distance(const hr_part *a, const hr_part *b);
const char *hr_distance_text(hr_distance distance);

#endif
