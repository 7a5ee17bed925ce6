/* SPDX-License-Identifier: Apache-2.0 */
/* Making the storages that sit on a real file system. */
#ifndef HR_STORAGE_POSIX_H
#define HR_STORAGE_POSIX_H

#include "helpers.h"
#include "storage.h"

/* HR_UNSUPPORTED where the loop cannot do file operations. helpers outlives the storage. */
HR_CHECKED hr_status hr_storage_uring_create(hr_loop *loop, hr_helpers *helpers,
                                             hr_storage **storage_out);
HR_CHECKED hr_status hr_storage_threads_create(hr_loop *loop, hr_helpers *helpers,
                                               hr_storage **storage_out);
/* io_uring where a real O_DIRECT-capable read through it works, else threads; query says why. */
HR_CHECKED hr_status hr_storage_create(hr_loop *loop, hr_helpers *helpers,
                                       hr_storage **storage_out);

#endif
