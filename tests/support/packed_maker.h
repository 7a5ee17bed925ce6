/* SPDX-License-Identifier: Apache-2.0 */
/* A packed shard in memory, made by the engine's own functions without its threads and files. */
#ifndef HR_PACKED_MAKER_H
#define HR_PACKED_MAKER_H

#include "packed.h"

/* Beside: only the index. The caller frees what it returns. */
uint8_t *packed_make(hr_container container, const uint8_t *content, size_t len, size_t *len_out);

#endif
