/* SPDX-License-Identifier: Apache-2.0 */
/* hr_doctor: looks at a machine, one probe a noun. A probe does the thing that Headrace would do
 * and notes what came of it; it changes nothing that outlives it. Where a thing cannot be done, the
 * note comes with the command that mends it. Probes block, which is why none of them runs in a
 * worker. */
#ifndef HR_DOCTOR_H
#define HR_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "headrace.h"

/* One examination. Probes that come later see what the earlier ones have found. */
typedef struct hr_doctor {
    const hr_doctor_options *options;
    const char *root; /* stands before /sys, /proc and /lib: "", or a tree that a test has made */
    size_t pool_len;  /* of one worker */
    unsigned workers;
    unsigned nics; /* RDMA devices that can be opened */

    /* Memory of the first GPU, for the probes that hand it to a NIC. */
    unsigned gpus;
    void *gpu_addr; /* NULL: none */
    size_t gpu_len;
    int gpu_dmabuf_fd; /* -1: none */
} hr_doctor;

/* Options with their defaults filled in; nothing is found yet. */
void hr_doctor_init(hr_doctor *doctor, const hr_doctor_options *options, const char *root);

/* Of findings.c: what came of a probe, and the command that mends a lack, or "". */
void hr_doctor_ok(const hr_doctor *doctor, const char *topic, const char *name, const char *format,
                  ...) HR_PRINTF(4, 5);
void hr_doctor_lacking(const hr_doctor *doctor, const char *topic, const char *name,
                       const char *remedy, const char *format, ...) HR_PRINTF(5, 6);
void hr_doctor_unknown(const hr_doctor *doctor, const char *topic, const char *name,
                       const char *remedy, const char *format, ...) HR_PRINTF(5, 6);

void hr_doctor_rdma(hr_doctor *doctor);
/* By verbs.c: what libibverbs says of the devices that the kernel has. */
void hr_doctor_verbs(hr_doctor *doctor);
void hr_doctor_gpu(hr_doctor *doctor);
void hr_doctor_gpu_release(hr_doctor *doctor);
void hr_doctor_distance(hr_doctor *doctor);
void hr_doctor_ring(hr_doctor *doctor);
void hr_doctor_pages(hr_doctor *doctor);
void hr_doctor_locked(hr_doctor *doctor);
void hr_doctor_directory(hr_doctor *doctor);
void hr_doctor_network(hr_doctor *doctor);
void hr_doctor_confinement(hr_doctor *doctor);

#endif
