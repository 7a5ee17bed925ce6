/* SPDX-License-Identifier: Apache-2.0 */
#include "seal.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "bytes.h"

enum {
    NONCE_LEN = 12,
    TAG_LEN = sizeof((hr_receipt *)0)->tag,
    DIGESTS_LEN = 8,
    COVERED_LEN = HR_RECEIPT_LEN - 4, /* of the receipt: all but its own CRC */
};

/* A chunk's number is below it, so that the nonce of the digests is nobody else's. */
#define FOR_DIGESTS (UINT32_C(1) << 31)

struct hr_sealer {
    const hr_env *env;
    EVP_CIPHER_CTX *context;
    EVP_CIPHER *ciphers[HR_CIPHER_CHACHA20_POLY1305 + 1];
};

bool hr_seal_can(uint32_t cipher)
{
    return cipher == HR_CIPHER_AES_256_GCM || cipher == HR_CIPHER_CHACHA20_POLY1305;
}

hr_cipher hr_seal_choose(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;
    bool has_aes = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_AES) != 0;
#elif defined(__aarch64__)
    bool has_aes = (getauxval(AT_HWCAP) & (1u << 3)) != 0; /* HWCAP_AES */
#else
    bool has_aes = false;
#endif
    return has_aes ? HR_CIPHER_AES_256_GCM : HR_CIPHER_CHACHA20_POLY1305;
}

hr_status hr_seal_derive(hr_filter *filter, uint32_t cipher, uint64_t transfer,
                         const uint8_t salt[HR_SEAL_SALT_LEN], hr_seal_key *key_out)
{
    uint8_t context[8 + HR_SEAL_SALT_LEN];
    if (filter->ops->derive == NULL || !hr_seal_can(cipher))
        return HR_UNSUPPORTED;
    hr_put_u64(context, transfer);
    memcpy(context + 8, salt, HR_SEAL_SALT_LEN);
    hr_seal_key key = {.cipher = (hr_cipher)cipher};
    hr_status status = filter->ops->derive(filter, "EXPORTER-headrace-chunk", context,
                                           sizeof context, key.bytes, sizeof key.bytes);
    if (status == HR_OK)
        *key_out = key;
    explicit_bzero(&key, sizeof key);
    return status;
}

hr_status hr_sealer_create(const hr_env *env, hr_sealer **sealer_out)
{
    hr_sealer *sealer = hr_alloc(env, sizeof *sealer);
    if (sealer == NULL)
        return HR_NO_MEMORY;
    sealer->env = env;
    sealer->context = EVP_CIPHER_CTX_new();
    sealer->ciphers[HR_CIPHER_AES_256_GCM] = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    sealer->ciphers[HR_CIPHER_CHACHA20_POLY1305] =
        EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
    ERR_clear_error();
    if (sealer->context == NULL) {
        hr_sealer_destroy(sealer);
        return HR_NO_MEMORY;
    }
    *sealer_out = sealer;
    return HR_OK;
}

void hr_sealer_destroy(hr_sealer *sealer)
{
    if (sealer == NULL)
        return;
    EVP_CIPHER_CTX_free(sealer->context);
    EVP_CIPHER_free(sealer->ciphers[HR_CIPHER_AES_256_GCM]);
    EVP_CIPHER_free(sealer->ciphers[HR_CIPHER_CHACHA20_POLY1305]);
    hr_release(sealer->env, sealer);
}

static bool begin(hr_sealer *sealer, const hr_seal_key *key, const hr_receipt *receipt,
                  uint32_t purpose, bool closing)
{
    uint8_t nonce[NONCE_LEN];
    hr_put_u32(nonce, receipt->chunk | purpose);
    hr_put_u32(nonce + 4, receipt->generation);
    hr_put_u32(nonce + 8, receipt->sequence);
    const EVP_CIPHER *cipher = sealer->ciphers[key->cipher];
    return cipher != NULL && EVP_CipherInit_ex2(sealer->context, cipher, key->bytes, nonce,
                                                closing ? 1 : 0, NULL) == 1;
}

/* Nobody can change them unnoticed: the receipt as it crosses is what is authenticated. */
static bool turn_digests(hr_sealer *sealer, const hr_seal_key *key, hr_receipt *receipt,
                         bool closing)
{
    uint8_t digests[DIGESTS_LEN];
    int len;
    hr_put_u32(digests, receipt->stored_crc);
    hr_put_u32(digests + 4, receipt->content_crc);
    if (!begin(sealer, key, receipt, FOR_DIGESTS, closing) ||
        EVP_CipherUpdate(sealer->context, digests, &len, digests, DIGESTS_LEN) != 1)
        return false;
    receipt->stored_crc = hr_get_u32(digests);
    receipt->content_crc = hr_get_u32(digests + 4);
    return true;
}

static bool turn_payload(hr_sealer *sealer, const hr_seal_key *key, const hr_receipt *receipt,
                         void *payload, size_t len, bool closing)
{
    uint8_t covered[HR_RECEIPT_LEN];
    hr_receipt untagged = *receipt;
    int done;
    memset(untagged.tag, 0, sizeof untagged.tag);
    hr_receipt_pack(&untagged, covered);
    return begin(sealer, key, receipt, 0, closing) &&
           EVP_CipherUpdate(sealer->context, NULL, &done, covered, COVERED_LEN) == 1 &&
           EVP_CipherUpdate(sealer->context, payload, &done, payload, (int)len) == 1;
}

hr_status hr_seal_close(hr_sealer *sealer, const hr_seal_key *key, hr_receipt *receipt,
                        void *payload, size_t len)
{
    uint8_t none[1];
    int done;
    assert(receipt->chunk < FOR_DIGESTS && len <= INT32_MAX);
    bool good =
        turn_digests(sealer, key, receipt, true) &&
        turn_payload(sealer, key, receipt, payload, len, true) &&
        EVP_CipherFinal_ex(sealer->context, none, &done) == 1 &&
        EVP_CIPHER_CTX_ctrl(sealer->context, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, receipt->tag) == 1;
    if (good)
        return HR_OK;
    ERR_clear_error();
    return sealer->ciphers[key->cipher] == NULL ? HR_UNSUPPORTED : HR_NO_MEMORY;
}

hr_status hr_seal_open(hr_sealer *sealer, const hr_seal_key *key, hr_receipt *receipt,
                       void *payload, size_t len)
{
    uint8_t none[1];
    int done;
    assert(receipt->chunk < FOR_DIGESTS && len <= INT32_MAX);
    bool good =
        turn_payload(sealer, key, receipt, payload, len, false) &&
        EVP_CIPHER_CTX_ctrl(sealer->context, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, receipt->tag) == 1 &&
        EVP_CipherFinal_ex(sealer->context, none, &done) == 1 &&
        turn_digests(sealer, key, receipt, false);
    if (!good)
        ERR_clear_error();
    return good ? HR_OK : HR_INTEGRITY;
}
