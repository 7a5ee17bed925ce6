/* SPDX-License-Identifier: Apache-2.0 */
#include "live.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void hr_bench_live(const hr_bench_settings *settings, const char *format, ...)
{
    va_list arguments;
    if (settings->quiet || isatty(STDERR_FILENO) != 1)
        return;
    fputs("\r\033[K", stderr);
    if (format != NULL) {
        va_start(arguments, format);
        vfprintf(stderr, format, arguments);
        va_end(arguments);
    }
    fflush(stderr);
}
