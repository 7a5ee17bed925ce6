/* SPDX-License-Identifier: Apache-2.0 */
/* A batch of whole and of damaged chunks, and what each job has to say: as the CPU's codecs do,
 * with the same content, and without a byte written around the target. On the GPU and on the host's
 * lanes. */
#ifndef HR_BATCH_CHECK_H
#define HR_BATCH_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "batch.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Plans and runs the jobs. Their sources and targets are offsets into stored and targets, and are
 * so again afterwards. */
typedef hr_status (*batch_runner)(hr_batch_job *jobs, uint32_t count, const uint8_t *stored,
                                  size_t stored_len, uint8_t *targets, size_t targets_len,
                                  int32_t *statuses);

typedef struct batch_report {
    uint32_t right, refused;
    char text[200]; /* what differs */
} batch_report;

/* HR_INTEGRITY: something differs; or what run came back with. */
hr_status batch_check(batch_runner run, batch_report *report_out);
/* The runner that is the host's lanes. */
hr_status batch_run_on_lanes(hr_batch_job *jobs, uint32_t count, const uint8_t *stored,
                             size_t stored_len, uint8_t *targets, size_t targets_len,
                             int32_t *statuses);

#ifdef __cplusplus
}
#endif

#endif
