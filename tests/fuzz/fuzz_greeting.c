/* SPDX-License-Identifier: Apache-2.0 */
/* The 64 bytes with which a stranger opens a connection in clear. What is taken for a greeting is
 * one that our own packer would have sent. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "greeting.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    uint8_t given[HR_GREETING_LEN] = {0}, packed[HR_GREETING_LEN];
    memcpy(given, bytes, len < sizeof given ? len : sizeof given);
    hr_greeting greeting;
    if (hr_greeting_unpack(given, &greeting) != HR_OK)
        return 0;
    if (greeting.kind != HR_GREETING_CHANNEL && greeting.kind != HR_GREETING_LINK)
        abort();
    hr_greeting_pack(&greeting, packed);
    if (memcmp(given, packed, sizeof given) != 0)
        abort();
    return 0;
}
