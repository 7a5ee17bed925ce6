/* SPDX-License-Identifier: Apache-2.0 */
/* hr_elements: what a file holds where, as its own header says it: that of safetensors, which has a
 * row for each tensor, or that of .npy. It is a hint for codecs and never more: with a header that
 * lies, shards become longer and stay right. */
#ifndef HR_ELEMENTS_H
#define HR_ELEMENTS_H

#include "codec.h"
#include "env.h"

/* A longer header is not read: it would hold some forty thousand tensors. */
#define HR_ELEMENTS_HEAD_MAX (4u << 20)

/* Bytes of the file from..to-1. */
typedef struct hr_elements_run {
    uint64_t from, to;
    hr_element element;
} hr_elements_run;

typedef struct hr_elements {
    const char *header;    /* "safetensors" or ".npy"; NULL: nobody has said what the file holds */
    hr_elements_run *runs; /* in order, none overlapping; what lies between holds others */
    size_t count;
} hr_elements;

/* head: the first bytes of the file, all of it or HR_ELEMENTS_HEAD_MAX. Whatever is wrong with a
 * header, it is as if there were none. HR_NO_MEMORY is the only failure. */
HR_CHECKED hr_status hr_elements_read(hr_elements *elements, const hr_env *env, const uint8_t *head,
                                      size_t len, uint64_t file_len);
/* One that was never read, zeroed, is accepted. */
void hr_elements_fini(hr_elements *elements, const hr_env *env);

/* What these bytes of the file hold most of, of what codecs make use of; HR_ELEMENT_OTHER: nothing
 * of it; HR_ELEMENT_UNKNOWN: there is no header. */
hr_element hr_elements_at(const hr_elements *elements, uint64_t offset, size_t len);

#endif
