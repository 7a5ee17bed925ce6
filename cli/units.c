/* SPDX-License-Identifier: Apache-2.0 */
#include "units.h"

#include <stdio.h>
#include <string.h>

char *hr_cli_bytes(char out[HR_CLI_UNIT_MAX], uint64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    unsigned unit = 0;
    double value = (double)bytes;
    /* What would round to 1000 is 1 of the next unit. */
    while (value >= 999.5 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1000;
        unit++;
    }
    /* The same for the digits: 9.995 has two decimals no more. */
    int decimals = unit == 0 ? 0 : value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(out, HR_CLI_UNIT_MAX, "%.*f %s", decimals, value, units[unit]);
    return out;
}

char *hr_cli_rate(char out[HR_CLI_UNIT_MAX], uint64_t bytes_per_s)
{
    hr_cli_bytes(out, bytes_per_s);
    size_t used = strlen(out);
    snprintf(out + used, HR_CLI_UNIT_MAX - used, "/s");
    return out;
}

char *hr_cli_duration(char out[HR_CLI_UNIT_MAX], double seconds)
{
    /* Longer than a year is as good as never. */
    uint64_t whole = seconds < 31536000 ? (uint64_t)(seconds + 0.5) : 31536000;
    unsigned minutes = (unsigned)(whole / 60);
    if (seconds < 9.995)
        snprintf(out, HR_CLI_UNIT_MAX, "%.2f s", seconds);
    else if (seconds < 99.95)
        snprintf(out, HR_CLI_UNIT_MAX, "%.1f s", seconds);
    else if (whole < 3600)
        snprintf(out, HR_CLI_UNIT_MAX, "%um%02us", minutes, (unsigned)(whole % 60));
    else if (whole < 86400)
        snprintf(out, HR_CLI_UNIT_MAX, "%uh%02um", minutes / 60, minutes % 60);
    else
        snprintf(out, HR_CLI_UNIT_MAX, "%ud%02uh", minutes / 1440, minutes / 60 % 24);
    return out;
}
