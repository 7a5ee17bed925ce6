/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts and greetings from outside. What is accepted must pack to the very bytes it came from:
 * then nothing in them went unread. The first byte chooses; a second bit repairs the receipt's own
 * CRC, which the fuzzer would hardly guess. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "greeting.h"
#include "receipt.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void try_receipt(uint8_t *bytes, int repair)
{
    if (repair)
        hr_put_u32(bytes + 60, hr_crc32c(0, bytes, 60));
    hr_receipt receipt;
    uint8_t again[HR_RECEIPT_LEN];
    if (hr_receipt_unpack(bytes, &receipt) != HR_OK)
        return;
    hr_receipt_pack(&receipt, again);
    if (memcmp(bytes, again, sizeof again) != 0)
        abort();
}

static void try_greeting(const uint8_t *bytes)
{
    hr_greeting greeting;
    uint8_t again[HR_GREETING_LEN];
    if (hr_greeting_unpack(bytes, &greeting) != HR_OK)
        return;
    hr_greeting_pack(&greeting, again);
    if (memcmp(bytes, again, sizeof again) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len != 1 + HR_RECEIPT_LEN)
        return 0;
    uint8_t copy[HR_RECEIPT_LEN];
    memcpy(copy, bytes + 1, sizeof copy);
    if ((bytes[0] & 1) != 0)
        try_greeting(copy);
    else
        try_receipt(copy, bytes[0] & 2);
    return 0;
}
