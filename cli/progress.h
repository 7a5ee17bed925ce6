/* SPDX-License-Identifier: Apache-2.0 */
/* hr_cli_progress: how fast a get goes, and the line that tells it. Pure: the clock is the
 * caller's. */
#ifndef HR_CLI_PROGRESS_H
#define HR_CLI_PROGRESS_H

#include <stdbool.h>

#include "headrace.h"

#define HR_CLI_PROGRESS_NS   200000000u /* five times a second is as often as an eye needs */
#define HR_CLI_PROGRESS_SEEN 25         /* the rate is that of the last five seconds */
#define HR_CLI_LINE_MAX      400
/* What a file costs beside its bytes, in seconds: opening, naming and syncing it. How long a byte
 * takes depends on the wire and on --limit, and this does not. */
#define HR_CLI_PROGRESS_FILE 60e-6

/* Starts zeroed. */
typedef struct hr_cli_progress {
    struct {
        uint64_t at_ns, bytes, files;
    } seen[HR_CLI_PROGRESS_SEEN];
    unsigned count; /* of all samples so far */
    uint64_t due_ns;
} hr_cli_progress;

bool hr_cli_progress_is_due(const hr_cli_progress *progress, uint64_t now_ns);
/* Each now_ns later than the one before. */
void hr_cli_progress_sample(hr_cli_progress *progress, uint64_t now_ns,
                            const hr_get_progress *count);
/* Bytes per second that were not there before this run; 0 before there are two samples. */
uint64_t hr_cli_progress_rate(const hr_cli_progress *progress);
/* Seconds; less than 0: it cannot be told, as not all is listed yet or nothing moves. */
double hr_cli_progress_left(const hr_cli_progress *progress, const hr_get_progress *count);
/* "1.20 GB of 5.00 GB  24%  1.10 GB/s  3.45 s left  tcp, 1 link" */
void hr_cli_progress_line(char out[HR_CLI_LINE_MAX], const hr_get_progress *count, uint64_t rate,
                          double left, const char *path);

#endif
