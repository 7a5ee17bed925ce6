/* SPDX-License-Identifier: Apache-2.0 */
/* What tests and storage_create.c need of storage_threads.c. */
#ifndef HR_STORAGE_THREADS_H
#define HR_STORAGE_THREADS_H

#include "helpers.h"
#include "posix.h"

/* Reads and writes at once, of one worker: enough to keep a drive busy with chunks. */
#define HR_STORAGE_THREADS 8

/* calls and why (of hr_storage_caps) outlive the storage. */
HR_CHECKED hr_status hr_storage_threads_create_with(hr_loop *loop, hr_helpers *helpers,
                                                    const hr_posix_calls *calls, const char *why,
                                                    hr_storage **storage_out);

#endif
