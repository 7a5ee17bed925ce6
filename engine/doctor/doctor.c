/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include <unistd.h>

#define POOL_DEFAULT ((size_t)64 << 20)

static unsigned workers_default(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned half = cores < 2 ? 1 : (unsigned)cores / 2;
    return half > 8 ? 8 : half;
}

void hr_doctor_init(hr_doctor *doctor, const hr_doctor_options *options, const char *root)
{
    *doctor = (hr_doctor){
        .options = options,
        .root = root,
        .pool_len = options->worker_pool_len != 0 ? options->worker_pool_len : POOL_DEFAULT,
        .workers = options->workers != 0 ? options->workers : workers_default(),
        .gpu_dmabuf_fd = -1,
    };
}

hr_status hr_doctor_examine(const hr_doctor_options *options, hr_error *error)
{
    /* The GPU before the NICs, which try to register its memory; the NICs before the locked memory,
     * which they share. */
    static void (*const probes[])(hr_doctor *) = {
        hr_doctor_gpu,       hr_doctor_rdma,    hr_doctor_distance,
        hr_doctor_locked,    hr_doctor_pages,   hr_doctor_ring,
        hr_doctor_directory, hr_doctor_network, hr_doctor_confinement,
    };
    hr_doctor doctor;
    if (options->directory != NULL && access(options->directory, F_OK) != 0)
        return hr_error_set(error, HR_NOT_FOUND,
                            "examining the directory %s: there is none; name one that exists",
                            options->directory);
    hr_doctor_init(&doctor, options, "");
    for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++)
        probes[i](&doctor);
    hr_doctor_gpu_release(&doctor);
    return HR_OK;
}
