/* SPDX-License-Identifier: Apache-2.0 */
/* The first bytes of a file that may have a header of tensors or of an array. What it says must lie
 * inside of the file, in order. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "elements.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(int holds)
{
    if (!holds)
        abort(); /* in every build, unlike assert */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    hr_elements elements;
    /* Exactly as long as it may be read. */
    uint8_t *head = malloc(len + 1);
    uint64_t file_len = len + (len > 0 ? bytes[len - 1] : 0), end = 0;
    if (head == NULL)
        return 0;
    memcpy(head + 1, bytes, len);
    require(hr_elements_read(&elements, hr_env_system(), head + 1, len, file_len) == HR_OK);
    for (size_t i = 0; i < elements.count; i++) {
        require(elements.runs[i].from >= end && elements.runs[i].to >= elements.runs[i].from);
        require(elements.runs[i].to <= file_len);
        end = elements.runs[i].to;
    }
    require((hr_elements_at(&elements, 0, len) == HR_ELEMENT_UNKNOWN) == (elements.header == NULL));
    hr_elements_fini(&elements, hr_env_system());
    free(head);
    return 0;
}
