/* SPDX-License-Identifier: Apache-2.0 */
/* hr_permits: who may do what on a server. A file has one rule a line, # begins a comment:
 *
 *     allow WHO list|read EXPORT          list is without content, read is both
 *     limit WHO sessions|transfers N
 *     limit WHO rate|memory|message BYTES
 *     limit WHO share PERCENT
 *
 * WHO is key:ID, cert:NAME, cert:*.DOMAIN, uid:N or anyone (who has shown who he is); EXPORT is a
 * name or *. What no rule allows is refused. Pure. */
#ifndef HR_PERMITS_H
#define HR_PERMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter.h"

#define HR_PERMITS_MAX        1024
#define HR_PERMITS_EXPORT_MAX 255

typedef enum hr_permit_kind {
    HR_PERMIT_LIST,
    HR_PERMIT_READ,
    HR_PERMIT_SESSIONS,
    HR_PERMIT_TRANSFERS, /* shards open at once */
    HR_PERMIT_RATE,      /* bytes a second that are sent */
    HR_PERMIT_MEMORY,    /* bytes that the server holds beside the pool */
    HR_PERMIT_MESSAGE,   /* bytes of one message */
    HR_PERMIT_SHARE,     /* per cent of each worker's pool */
} hr_permit_kind;

typedef struct hr_permit {
    hr_permit_kind kind;
    char who[HR_WHO_MAX];
    char export_name[HR_PERMITS_EXPORT_MAX + 1];
    uint64_t most; /* of a limit */
} hr_permit;

typedef struct hr_permits {
    hr_permit
        *list; /* HR_PERMITS_MAX of them; NULL: there are no rules, and everybody may read all */
    size_t count;
} hr_permits;

/* HR_INVALID names the line. */
HR_CHECKED hr_status hr_permits_parse(const char *text, hr_permit *list, size_t *count_out,
                                      hr_error *error);
bool hr_permits_allow(const hr_permits *rules, const char *who, const char *export_name,
                      hr_permit_kind right);
/* The lowest limit of this kind that is about who; otherwise if there is none. */
uint64_t hr_permits_most(const hr_permits *rules, const char *who, hr_permit_kind kind,
                         uint64_t otherwise);

#endif
