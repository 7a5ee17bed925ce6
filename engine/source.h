/* SPDX-License-Identifier: Apache-2.0 */
/* hr_source: one shard that a session has open. Made and ended on worker 0; senders only read what
 * does not change, and the flag. */
#ifndef HR_SOURCE_H
#define HR_SOURCE_H

#include "list.h"
#include "mailbox.h"
#include "storage.h"

#define HR_IDENTITY_LEN 16

typedef struct hr_source {
    uint64_t transfer; /* the client's number */
    hr_file *file;
    uint64_t size;
    uint8_t identity[HR_IDENTITY_LEN];
    hr_file_info info; /* when it was opened */
    bool is_probe;     /* no file: the bytes of probe.h */
    bool canceled;     /* through __atomic: shipments that have not started go back */
    uint64_t attached; /* through __atomic: bit n: the storage of worker n knows the file */

    /* worker 0's */
    hr_list node;
    hr_io io;
    void *session;
    hr_letter detach_letter;
    unsigned detaching;   /* the worker that has it */
    unsigned outstanding; /* shipments that are not back */
    bool opened, closing, wants_answer;
    char path[HR_PATH_MAX];
} hr_source;

/* Section 6 of the design: which version of which file this is. Survives a restart of the server; a
 * source that was changed has another one. Pure. */
void hr_source_identify(const char *path, const hr_file_info *info,
                        uint8_t identity_out[HR_IDENTITY_LEN]);
/* In which respect two looks at an open file differ, for a sentence; NULL if in none that the
 * identity is made of. Pure. */
const char *hr_source_difference(const hr_file_info *before, const hr_file_info *now);

#endif
