/* SPDX-License-Identifier: Apache-2.0 */
#include "receipt.h"

#include <string.h>

#include "bytes.h"
#include "crc32c.h"

static const uint8_t magic[4] = {'H', 'R', 'R', '1'};

/* Where each field begins. */
enum {
    AT_MAGIC = 0,
    AT_CODEC = 4,
    AT_FLAGS = 5,
    AT_RESERVED_16 = 6,
    AT_TRANSFER = 8,
    AT_CHUNK = 16,
    AT_GENERATION = 20,
    AT_STORED_LEN = 24,
    AT_CONTENT_LEN = 28,
    AT_STORED_CRC = 32,
    AT_CONTENT_CRC = 36,
    AT_TAG = 40,
    AT_SEQUENCE = 56,
    AT_OWN_CRC = 60,
};

_Static_assert(AT_TAG + sizeof((hr_receipt *)0)->tag == AT_SEQUENCE, "the tag has 16 bytes");
_Static_assert(AT_OWN_CRC + 4 == HR_RECEIPT_LEN, "a receipt has 64 bytes");

void hr_receipt_pack(const hr_receipt *receipt, uint8_t bytes_out[HR_RECEIPT_LEN])
{
    memcpy(bytes_out + AT_MAGIC, magic, sizeof magic);
    bytes_out[AT_CODEC] = receipt->codec;
    bytes_out[AT_FLAGS] = receipt->flags;
    hr_put_u16(bytes_out + AT_RESERVED_16, 0);
    hr_put_u64(bytes_out + AT_TRANSFER, receipt->transfer);
    hr_put_u32(bytes_out + AT_CHUNK, receipt->chunk);
    hr_put_u32(bytes_out + AT_GENERATION, receipt->generation);
    hr_put_u32(bytes_out + AT_STORED_LEN, receipt->stored_len);
    hr_put_u32(bytes_out + AT_CONTENT_LEN, receipt->content_len);
    hr_put_u32(bytes_out + AT_STORED_CRC, receipt->stored_crc);
    hr_put_u32(bytes_out + AT_CONTENT_CRC, receipt->content_crc);
    memcpy(bytes_out + AT_TAG, receipt->tag, sizeof receipt->tag);
    hr_put_u32(bytes_out + AT_SEQUENCE, receipt->sequence);
    hr_put_u32(bytes_out + AT_OWN_CRC, hr_crc32c(0, bytes_out, AT_OWN_CRC));
}

hr_status hr_receipt_unpack(const uint8_t bytes[HR_RECEIPT_LEN], hr_receipt *receipt_out)
{
    if (memcmp(bytes + AT_MAGIC, magic, sizeof magic) != 0)
        return HR_PROTOCOL;
    if (hr_get_u32(bytes + AT_OWN_CRC) != hr_crc32c(0, bytes, AT_OWN_CRC))
        return HR_PROTOCOL;
    if (hr_get_u16(bytes + AT_RESERVED_16) != 0)
        return HR_PROTOCOL;
    if ((bytes[AT_FLAGS] & ~HR_RECEIPT_DIGEST_STORED) != 0)
        return HR_PROTOCOL;
    *receipt_out = (hr_receipt){
        .transfer = hr_get_u64(bytes + AT_TRANSFER),
        .chunk = hr_get_u32(bytes + AT_CHUNK),
        .generation = hr_get_u32(bytes + AT_GENERATION),
        .codec = bytes[AT_CODEC],
        .flags = bytes[AT_FLAGS],
        .stored_len = hr_get_u32(bytes + AT_STORED_LEN),
        .content_len = hr_get_u32(bytes + AT_CONTENT_LEN),
        .stored_crc = hr_get_u32(bytes + AT_STORED_CRC),
        .content_crc = hr_get_u32(bytes + AT_CONTENT_CRC),
        .sequence = hr_get_u32(bytes + AT_SEQUENCE),
    };
    memcpy(receipt_out->tag, bytes + AT_TAG, sizeof receipt_out->tag);
    return HR_OK;
}
