/* SPDX-License-Identifier: Apache-2.0 */
/* Runs batches of whole and of damaged chunks on GPU 0 and compares each job with the CPU's codec:
 * status, content, and that nothing around the target was written. */
#ifndef HR_DEVICE_CHECK_H
#define HR_DEVICE_CHECK_H

#include <stdint.h>

#include "status.h"

typedef struct device_report {
    uint32_t right, refused;
    char text[200]; /* what differs, or why it cannot run here */
} device_report;

/* HR_UNSUPPORTED: no GPU, or built without nvcc; HR_INTEGRITY: something differs. */
hr_status device_check(device_report *report_out);

#endif
