/* SPDX-License-Identifier: Apache-2.0 */
/* --softroce: RDMA without hardware, for as long as it is measured: by this kernel's rxe, or in a
 * guest that has it. */
#ifndef HR_BENCH_SOFTROCE_H
#define HR_BENCH_SOFTROCE_H

#include "bench_settings.h"

typedef struct hr_bench_softroce {
    bool is_up; /* to be taken down */
    char script[512];
    char address[64]; /* of the device */
} hr_bench_softroce;

/* Makes a device of this kernel's. HR_UNSUPPORTED: it has none. */
HR_CHECKED hr_status hr_bench_softroce_up(hr_bench_softroce *softroce, hr_error *error);
void hr_bench_softroce_down(hr_bench_softroce *softroce);
/* The same command in a guest: what it prints is printed, its result file is written here, and its
 * exit code comes back. moves_files: they lie on a drive of the guest's, whatever --directory says.
 */
HR_CHECKED hr_status hr_bench_softroce_guest(const hr_bench_settings *settings, bool moves_files,
                                             int *code_out, hr_error *error);

#endif
