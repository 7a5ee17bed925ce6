/* SPDX-License-Identifier: Apache-2.0 */
/* hr_seal: authenticated encryption of one chunk, in place, and of the digests in its receipt,
 * which would tell what a chunk holds to somebody who can guess it. The rest of the receipt is read
 * by the transports and only authenticated.
 *
 * The key is one transfer's. A nonce is the chunk, its generation and the sequence number that the
 * server gives to each chunk it seals in a transfer: it repeats for no grant, whoever asks for
 * what. */
#ifndef HR_SEAL_H
#define HR_SEAL_H

#include "env.h"
#include "filter.h"
#include "receipt.h"

#define HR_SEAL_KEY_LEN  32
#define HR_SEAL_SALT_LEN 16

/* On the wire; never renumbered. */
typedef enum hr_cipher {
    HR_CIPHER_NONE = 0, /* in clear */
    HR_CIPHER_AES_256_GCM = 1,
    HR_CIPHER_CHACHA20_POLY1305 = 2,
} hr_cipher;

typedef struct hr_seal_key {
    hr_cipher cipher;
    uint8_t bytes[HR_SEAL_KEY_LEN];
} hr_seal_key;

/* A thread's place to work in: one chunk at a time. */
typedef struct hr_sealer hr_sealer;

/* The fastest that this processor has. */
hr_cipher hr_seal_choose(void);
bool hr_seal_can(uint32_t cipher);
/* Of a transfer, from the secret of its channel, the same on both ends. HR_UNSUPPORTED: the channel
 * has none, or there is no such cipher. */
HR_CHECKED hr_status hr_seal_derive(hr_filter *filter, uint32_t cipher, uint64_t transfer,
                                    const uint8_t salt[HR_SEAL_SALT_LEN], hr_seal_key *key_out);

HR_CHECKED hr_status hr_sealer_create(const hr_env *env, hr_sealer **sealer_out);
/* NULL is accepted. */
void hr_sealer_destroy(hr_sealer *sealer);
/* receipt->sequence is set, its digests are those of the payload in clear; they become unreadable
 * and its tag is set. */
HR_CHECKED hr_status hr_seal_close(hr_sealer *sealer, const hr_seal_key *key, hr_receipt *receipt,
                                   void *payload, size_t len);
/* The other way. HR_INTEGRITY: key, receipt or payload is not what was sealed; then the payload's
 * bytes mean nothing. */
HR_CHECKED hr_status hr_seal_open(hr_sealer *sealer, const hr_seal_key *key, hr_receipt *receipt,
                                  void *payload, size_t len);

#endif
