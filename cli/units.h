/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as people read them. Pure. Units are powers of 1000, as drives and networks are sold. */
#ifndef HR_CLI_UNITS_H
#define HR_CLI_UNITS_H

#include <stdint.h>

#define HR_CLI_UNIT_MAX 24

/* "512 B", "1.50 GB": three digits. Each returns out, so that it can stand in a printf argument. */
char *hr_cli_bytes(char out[HR_CLI_UNIT_MAX], uint64_t bytes);
/* "1.50 GB/s" */
char *hr_cli_rate(char out[HR_CLI_UNIT_MAX], uint64_t bytes_per_s);
/* "0.85 s", "12.3 s", "3m20s", "2h05m", "1d03h" */
char *hr_cli_duration(char out[HR_CLI_UNIT_MAX], double seconds);

#endif
