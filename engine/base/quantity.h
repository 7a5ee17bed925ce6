/* SPDX-License-Identifier: Apache-2.0 */
/* hr_quantity: numbers with units, as people write them. Pure. HR_INVALID: it cannot be read;
 * HR_LIMIT: it is larger than 64 bits hold. */
#ifndef HR_QUANTITY_H
#define HR_QUANTITY_H

#include <stdint.h>

#include "status.h"

/* "4096", "1.5G", "64MiB": K, M, G, T and P are powers of 1000 (B may follow), KiB, MiB, ... are
 * powers of 1024. A small b is refused: it might mean bits. */
HR_CHECKED hr_status hr_quantity_bytes(const char *text, uint64_t *bytes_out);
/* Bytes per second: as above, "/s" may follow. */
HR_CHECKED hr_status hr_quantity_rate(const char *text, uint64_t *bytes_per_s_out);
/* "250ms", "1m30s": ns, us, ms, s, m, h; a number without a unit is seconds. */
HR_CHECKED hr_status hr_quantity_duration(const char *text, uint64_t *ns_out);
HR_CHECKED hr_status hr_quantity_unsigned(const char *text, unsigned *number_out);

#endif
