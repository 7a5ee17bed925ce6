/* SPDX-License-Identifier: Apache-2.0 */
/* hr_receipt: 64 bytes that follow a chunk (over RDMA) or precede it (as the frame's header over
 * TCP) and describe it; the only thing that says it has arrived. Layout: docs/PROTOCOL.md. Pure. */
#ifndef HR_RECEIPT_H
#define HR_RECEIPT_H

#include <stdint.h>

#include "status.h"

#define HR_RECEIPT_LEN 64

enum {
    HR_RECEIPT_DIGEST_STORED = 1 << 0, /* the digests come from an index and cover the disk too;
                                          else they were computed from the staging slot */
};

typedef struct hr_receipt {
    uint64_t transfer;
    uint32_t chunk;
    uint32_t generation;
    uint8_t codec;
    uint8_t flags;
    uint32_t stored_len;  /* bytes that cross, equal to the payload's */
    uint32_t content_len; /* bytes after decoding */
    uint32_t stored_crc;  /* CRC32C */
    uint32_t content_crc; /* CRC32C; of a stored chunk the same */
    uint8_t tag[16];      /* AEAD; zero in clear exports */
    uint32_t sequence;    /* AEAD: of the chunks that were sealed in the transfer; else zero */
} hr_receipt;

void hr_receipt_pack(const hr_receipt *receipt, uint8_t bytes_out[HR_RECEIPT_LEN]);
/* HR_PROTOCOL if the magic, the receipt's own CRC or a reserved field is wrong. */
HR_CHECKED hr_status hr_receipt_unpack(const uint8_t bytes[HR_RECEIPT_LEN],
                                       hr_receipt *receipt_out);

#endif
