/* SPDX-License-Identifier: Apache-2.0 */
#include "suggest.h"

#include <string.h>

#define WORD_MAX 31

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours that make a into b. */
static unsigned edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned rows[3][WORD_MAX + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_len; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; i <= a_len; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = least(least(row[j - 1], last[j]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
        unsigned *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_len];
}

void hr_suggest_consider(hr_suggestion *suggestion, const char *known)
{
    size_t word_len = strlen(suggestion->word);
    size_t known_len = strlen(known);
    if (word_len < 2 || word_len > WORD_MAX || known_len > WORD_MAX)
        return;
    unsigned distance = edit_distance(suggestion->word, word_len, known, known_len);
    /* Who stops typing early meant the word that begins so. */
    if (strncmp(suggestion->word, known, word_len) == 0)
        distance = 1;
    if (distance > 1 + word_len / 4)
        return;
    if (suggestion->best == NULL || distance < suggestion->distance) {
        suggestion->best = known;
        suggestion->distance = distance;
    }
}
