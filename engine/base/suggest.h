/* SPDX-License-Identifier: Apache-2.0 */
/* hr_suggest: which known word a mistyped one was meant to be. Pure. */
#ifndef HR_SUGGEST_H
#define HR_SUGGEST_H

#include <stdbool.h>
#include <stddef.h>

/* Starts zeroed apart from word; best is the nearest of the words considered, NULL if none is near
 * enough to be offered. */
typedef struct hr_suggestion {
    const char *word;
    const char *best;
    unsigned distance;
} hr_suggestion;

void hr_suggest_consider(hr_suggestion *suggestion, const char *known);

#endif
