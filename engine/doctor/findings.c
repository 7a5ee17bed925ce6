/* SPDX-License-Identifier: Apache-2.0 */
/* How a probe notes what came of it. */
#include "doctor.h"

#include <stdarg.h>
#include <stdio.h>

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
