/* SPDX-License-Identifier: Apache-2.0 */
#include "choice.h"

#include <stdio.h>

/* lz4 decodes several times faster than zstd and, unlike planes, is read by everybody, so the
 * others must earn it: zstd by a tenth, planes by as little as makes a chunk worth packing at all.
 */
static size_t handicapped(const hr_choice *choice, hr_container container)
{
    size_t len = choice->stored_len[container];
    if (container == HR_CONTAINER_ZSTD)
        return len + len / 10;
    return container == HR_CONTAINER_HEADRACE ? len + len * 3 / 100 : len;
}

hr_container hr_choice_make(const hr_choice *choice)
{
    hr_container best = HR_CONTAINER_LZ4;
    for (unsigned i = HR_CONTAINER_ZSTD; i < HR_CHOICE_CONTAINERS; i++)
        if (choice->stored_len[i] != 0 &&
            handicapped(choice, (hr_container)i) < handicapped(choice, best))
            best = (hr_container)i;
    return best;
}

static double ratio(const hr_choice *choice, hr_container container)
{
    size_t len = choice->stored_len[container];
    return len == 0 ? 1 : (double)choice->sample_len / (double)len;
}

void hr_choice_describe(const hr_choice *choice, char *out, size_t out_size)
{
    hr_container best = hr_choice_make(choice);
    int used = snprintf(out, out_size, "%s: a sample has a ratio of %.2f", hr_container_name(best),
                        ratio(choice, best));
    const char *separator = " (";
    for (unsigned i = HR_CONTAINER_LZ4; i < HR_CHOICE_CONTAINERS; i++) {
        if (i == (unsigned)best || used < 0 || (size_t)used >= out_size)
            continue;
        used += snprintf(out + used, out_size - (size_t)used, "%s%s %.2f", separator,
                         hr_container_name((hr_container)i), ratio(choice, (hr_container)i));
        separator = ", ";
    }
    if (used > 0 && (size_t)used < out_size)
        snprintf(out + used, out_size - (size_t)used, ")");
}
