/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
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

void hr_doctor_ok(const hr_doctor *doctor, const char *topic, const char *name, const char *format,
                  ...)
{
    hr_doctor_row row = {.topic = topic, .name = name, .state = HR_DOCTOR_OK};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(row.text, sizeof row.text, format, arguments);
    va_end(arguments);
    doctor->options->found(doctor->options->context, &row);
}

void hr_doctor_lacking(const hr_doctor *doctor, const char *topic, const char *name,
                       const char *remedy, const char *format, ...)
{
    hr_doctor_row row = {.topic = topic, .name = name, .state = HR_DOCTOR_LACKING};
    va_list arguments;
    snprintf(row.remedy, sizeof row.remedy, "%s", remedy);
    va_start(arguments, format);
    vsnprintf(row.text, sizeof row.text, format, arguments);
    va_end(arguments);
    doctor->options->found(doctor->options->context, &row);
}

void hr_doctor_unknown(const hr_doctor *doctor, const char *topic, const char *name,
                       const char *remedy, const char *format, ...)
{
    hr_doctor_row row = {.topic = topic, .name = name, .state = HR_DOCTOR_UNKNOWN};
    va_list arguments;
    snprintf(row.remedy, sizeof row.remedy, "%s", remedy);
    va_start(arguments, format);
    vsnprintf(row.text, sizeof row.text, format, arguments);
    va_end(arguments);
    doctor->options->found(doctor->options->context, &row);
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
