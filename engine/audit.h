/* SPDX-License-Identifier: Apache-2.0 */
/* hr_audit: a line of JSON for each session and transfer of a server, appended to a file by a
 * thread of its own. Whoever notes something never waits for the disk: what finds no room is
 * counted, and the count is noted once there is room again. */
#ifndef HR_AUDIT_H
#define HR_AUDIT_H

#include "env.h"
#include "status.h"

typedef struct hr_audit hr_audit;

typedef struct hr_audit_event {
    const char *what; /* "session", "transfer", "refused" */
    uint64_t session;
    const char *who, *peer;
    const char *path;    /* of a transfer; else NULL */
    const char *reason;  /* a sentence; may be NULL */
    uint64_t size, sent; /* bytes of a transfer */
    uint64_t duration_ns;
    hr_status status; /* how it ended */
} hr_audit_event;

/* Appends to the file, which is made (0600) where it is missing. */
HR_CHECKED hr_status hr_audit_create(const hr_env *env, const char *path, hr_audit **audit_out,
                                     hr_error *error);
/* NULL is accepted, and notes nothing. */
void hr_audit_note(hr_audit *audit, const hr_audit_event *event);
/* The file was renamed: the next line goes to a new one under the old name. */
void hr_audit_reopen(hr_audit *audit);
/* Once everything noted is written. NULL is accepted. */
void hr_audit_destroy(hr_audit *audit);

#endif
