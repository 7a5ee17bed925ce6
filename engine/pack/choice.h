/* SPDX-License-Identifier: Apache-2.0 */
/* hr_choice: which codec a shard gets, by what a sample of it becomes in each. Pure. */
#ifndef HR_CHOICE_H
#define HR_CHOICE_H

#include <stddef.h>

#include "index.h"

#define HR_CHOICE_CONTAINERS 4 /* of hr_container */

typedef struct hr_choice {
    size_t sample_len;
    size_t stored_len[HR_CHOICE_CONTAINERS]; /* of the sample; 0: was not tried */
} hr_choice;

hr_container hr_choice_make(const hr_choice *choice);
/* "zstd: a sample has a ratio of 3.10 (lz4 2.00, planes 1.00)" */
void hr_choice_describe(const hr_choice *choice, char *out, size_t out_size);

#endif
