/* SPDX-License-Identifier: Apache-2.0 */
/* hr_digest: the CRC32C of a part of a file, read in a worker's slot, which is given back after
 * each chunk. On the worker. */
#ifndef HR_DIGEST_H
#define HR_DIGEST_H

#include "worker.h"

typedef struct hr_digest hr_digest;
struct hr_digest {
    /* the caller's, before start */
    hr_worker *worker;
    hr_dir *dir;
    unsigned flags; /* HR_IO_NO_SYMLINKS, or 0 */
    uint64_t offset, len;
    void (*done)(hr_digest *digest);
    void *context;
    const char *path; /* beneath dir; the caller's until done */

    /* results */
    hr_status status; /* HR_CHANGED: the file did not stay what it was */
    uint32_t crc;     /* of what the file has of it */
    hr_file_info info;

    hr_file *file;
    hr_slot *slot;
    hr_slot_waiter waiter;
    uint64_t at;
    hr_io io;
};

/* done follows, from a step. */
void hr_digest_start(hr_digest *digest);

#endif
