/* SPDX-License-Identifier: Apache-2.0 */
/* hr_parts: NICs, drives and GPUs with their places in the PCI tree. */
#ifndef HR_DOCTOR_DISTANCE_H
#define HR_DOCTOR_DISTANCE_H

#include "site.h"

#define HR_PARTS_MAX 64

typedef enum hr_part_kind { HR_PART_NIC, HR_PART_DRIVE, HR_PART_GPU } hr_part_kind;

typedef struct hr_part {
    hr_part_kind kind;
    char name[HR_SYSFS_NAME_MAX];
    hr_site site;
} hr_part;

typedef struct hr_parts {
    hr_part parts[HR_PARTS_MAX];
    unsigned count;
} hr_parts;

void hr_parts_find(const char *root, hr_parts *parts_out);

#endif
