/* SPDX-License-Identifier: Apache-2.0 */
#include "tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#define PIECE_LEN 16384 /* the content of a record */

typedef struct tls_filter {
    hr_filter base;
    const hr_env *env;
    hr_side side;
    bool shares_keys; /* else certificates */
    SSL *ssl;
    BIO *in, *out; /* the ssl's */
    int told;      /* the alert that we sent last */
    char offered[HR_KEY_ID_LEN + 1];
    uint8_t piece[PIECE_LEN];
} tls_filter;

/* ---- shared keys ---- */

/* TLS 1.3 takes a key that was agreed on outside of it as a session to resume. */
static SSL_SESSION *session_of(SSL *ssl, const hr_key *key)
{
    static const unsigned char aes_256_gcm_sha384[2] = {0x13, 0x02};
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, aes_256_gcm_sha384);
    SSL_SESSION *session = SSL_SESSION_new();
    if (session != NULL && cipher != NULL &&
        SSL_SESSION_set1_master_key(session, key->secret, sizeof key->secret) == 1 &&
        SSL_SESSION_set_cipher(session, cipher) == 1 &&
        SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1)
        return session;
    SSL_SESSION_free(session);
    return NULL;
}

/* A key that is not known goes on without one, and fails as every other handshake does. */
static int find_session(SSL *ssl, const unsigned char *id, size_t id_len, SSL_SESSION **session_out)
{
    tls_filter *tls = SSL_get_app_data(ssl);
    const hr_key *key = hr_keys_find(hr_identity_keys_of(SSL_get_SSL_CTX(ssl)), id, id_len);
    *session_out = key == NULL ? NULL : session_of(ssl, key);
    if (*session_out != NULL)
        memcpy(tls->offered, key->id, sizeof tls->offered);
    return key == NULL || *session_out != NULL;
}

static int use_session(SSL *ssl, const EVP_MD *digest, const unsigned char **id_out,
                       size_t *id_len_out, SSL_SESSION **session_out)
{
    (void)digest; /* the context has but one */
    tls_filter *tls = SSL_get_app_data(ssl);
    const hr_key *key = &hr_identity_keys_of(SSL_get_SSL_CTX(ssl))->list[0];
    *session_out = session_of(ssl, key);
    if (*session_out == NULL)
        return 0;
    memcpy(tls->offered, key->id, sizeof tls->offered);
    *id_out = (const unsigned char *)key->id;
    *id_len_out = HR_KEY_ID_LEN;
    return 1;
}

/* ---- why it failed ---- */

/* The alert that the peer sent, 0 if it was none. */
static int alert_of(unsigned long error)
{
    int reason = ERR_GET_REASON(error);
    return ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET &&
                   reason < SSL_AD_REASON_OFFSET + 256
               ? reason - SSL_AD_REASON_OFFSET
               : 0;
}

/* What a peer says of itself, whatever keys we have; else HR_OK. It may say so before anybody knows
 * who it is: then it tells us no more than if it had hung up. */
static hr_status trouble_of_peer(const tls_filter *tls, int alert, const char **text_out)
{
    if (alert == SSL_AD_INTERNAL_ERROR) {
        *text_out = "it cannot go on: it is full, or something failed there; run the same command "
                    "again";
        return HR_LIMIT;
    }
    if (tls->side == HR_SIDE_CLIENT && alert == SSL_AD_PROTOCOL_VERSION) {
        *text_out = "it does not speak TLS 1.3: if it is a headrace server with --insecure, say so "
                    "here too";
        return HR_UNSUPPORTED;
    }
    return HR_OK;
}

static const char *advice_on_alert(const tls_filter *tls, int alert)
{
    if (tls->shares_keys)
        return "it does not have our key: give both sides the same key file";
    switch (alert) {
    case SSL_AD_CERTIFICATE_EXPIRED:
        return "our certificate has expired, or is not valid yet: get a new one, and look at the "
               "clocks";
    case SSL_AD_CERTIFICATE_REVOKED:
        return "our certificate was revoked: get a new one";
    case SSL_AD_UNKNOWN_CA:
        return "it does not believe the authority that signed our certificate";
    default:
        return "it refused our certificate; its log tells why";
    }
}

static const char *advice_on_verdict(long verdict)
{
    switch (verdict) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "; it is for another name: connect by the one that it was made for";
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return ": it needs a new one, or one of the clocks is wrong";
    default:
        return "";
    }
}

static void note_alert(const SSL *ssl, int where, int what)
{
    tls_filter *tls = SSL_get_app_data(ssl);
    if (where == SSL_CB_WRITE_ALERT)
        tls->told = what & 0xff;
}

/* Whatever the peer did: OpenSSL itself cannot go on here. That it had no memory is not always what
 * it says first, or at all, but then it does not tell the peer that this was the peer's fault. */
static bool is_our_trouble(const tls_filter *tls, unsigned long first)
{
    bool ours = ERR_FATAL_ERROR(first) != 0 || tls->told == SSL_AD_INTERNAL_ERROR ||
                (tls->told == 0 && ERR_GET_LIB(first) == ERR_LIB_EVP);
    for (unsigned long next; (next = ERR_get_error()) != 0;)
        ours = ours || ERR_GET_REASON(next) == ERR_R_MALLOC_FAILURE;
    return ours;
}

/* An alert that would call it the peer's fault stays here: it is told nothing, and asks again. */
static void fail_ourselves(tls_filter *tls, const char *text)
{
    hr_error_set(&tls->base.error, HR_NO_MEMORY, "TLS 1.3 failed here: %s",
                 text != NULL ? text : "out of memory");
    if (tls->told != SSL_AD_INTERNAL_ERROR)
        (void)BIO_reset(tls->out);
}

static hr_status fail(tls_filter *tls)
{
    hr_error *error = &tls->base.error;
    unsigned long last = ERR_peek_error();
    long verdict = SSL_get_verify_result(tls->ssl);
    int alert = alert_of(last);
    int reason = ERR_GET_REASON(last);
    const char *text = ERR_reason_error_string(last);
    bool is_ours = is_our_trouble(tls, last);
    hr_status trouble = trouble_of_peer(tls, alert, &text);
    if (trouble != HR_OK)
        hr_error_set(error, trouble, "%s", text);
    else if (alert != 0)
        hr_error_set(error, HR_DENIED, "%s", advice_on_alert(tls, alert));
    else if (is_ours)
        fail_ourselves(tls, verdict != X509_V_ERR_OUT_OF_MEM ? text : NULL);
    else if (!tls->shares_keys && verdict != X509_V_OK)
        hr_error_set(error, HR_DENIED, "its certificate is not good: %s%s",
                     X509_verify_cert_error_string(verdict), advice_on_verdict(verdict));
    else if (tls->side == HR_SIDE_CLIENT && tls->shares_keys && ERR_GET_LIB(last) == ERR_LIB_SSL &&
             reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        hr_error_set(error, HR_DENIED,
                     "it does not have our key, and shows a certificate: name one of your own with "
                     "--key");
    else
        hr_error_set(error, tls->base.ready ? HR_PROTOCOL : HR_DENIED, "TLS 1.3 failed: %s",
                     text != NULL ? text : "what came is none");
    ERR_clear_error();
    return error->status;
}

/* ---- bytes ---- */

/* All of it in one call, for the channel takes a message whole or not at all. */
static hr_status flush(tls_filter *tls)
{
    char *bytes;
    long len = BIO_get_mem_data(tls->out, &bytes);
    if (len <= 0)
        return HR_OK;
    hr_status status = tls->base.sink.wire(tls->base.sink.context, (uint8_t *)bytes, (size_t)len);
    (void)BIO_reset(tls->out);
    return status;
}

/* Who it is that the handshake has shown. */
static hr_status name_peer(tls_filter *tls)
{
    if (!tls->shares_keys) {
        hr_status status = hr_identity_name_certificate(SSL_get0_peer_certificate(tls->ssl),
                                                        tls->base.who, sizeof tls->base.who);
        if (status != HR_OK)
            hr_error_set(&tls->base.error, status, "its certificate has no name that can be read");
        return status;
    }
    if (SSL_session_reused(tls->ssl) != 1)
        return hr_error_set(&tls->base.error, HR_DENIED, "it does not have our key");
    snprintf(tls->base.who, sizeof tls->base.who, "key:%s", tls->offered);
    return HR_OK;
}

static hr_status shake_hands(tls_filter *tls)
{
    ERR_clear_error();
    int result = SSL_do_handshake(tls->ssl);
    hr_status failure = HR_OK;
    if (result == 1)
        failure = name_peer(tls);
    else if (SSL_get_error(tls->ssl, result) != SSL_ERROR_WANT_READ)
        failure = fail(tls);
    hr_status status = flush(tls); /* the alert too: it tells an honest peer why */
    if (failure != HR_OK || status != HR_OK || result != 1)
        return failure != HR_OK ? failure : status;
    tls->base.ready = true;
    tls->base.sink.ready(tls->base.sink.context);
    return HR_OK;
}

static hr_status read_plain(tls_filter *tls)
{
    for (;;) {
        ERR_clear_error();
        int got = SSL_read(tls->ssl, tls->piece, PIECE_LEN);
        if (got <= 0) {
            int why = SSL_get_error(tls->ssl, got);
            if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_ZERO_RETURN)
                return flush(tls); /* the answer to a change of keys */
            hr_status status = fail(tls);
            (void)flush(tls);
            return status;
        }
        hr_status status = tls->base.sink.plain(tls->base.sink.context, tls->piece, (size_t)got);
        if (status != HR_OK)
            return status;
    }
}

static hr_status start(hr_filter *filter)
{
    tls_filter *tls = (tls_filter *)filter;
    return tls->side == HR_SIDE_CLIENT ? shake_hands(tls) : HR_OK;
}

static hr_status receive(hr_filter *filter, const uint8_t *bytes, size_t len)
{
    tls_filter *tls = (tls_filter *)filter;
    if (BIO_write(tls->in, bytes, (int)len) != (int)len)
        return hr_error_set(&filter->error, HR_NO_MEMORY, "TLS is out of memory");
    if (!filter->ready) {
        hr_status status = shake_hands(tls);
        if (status != HR_OK || !filter->ready)
            return status;
    }
    return read_plain(tls);
}

static hr_status send_plain(hr_filter *filter, const uint8_t *bytes, size_t len)
{
    tls_filter *tls = (tls_filter *)filter;
    ERR_clear_error();
    if (SSL_write(tls->ssl, bytes, (int)len) != (int)len)
        return fail(tls);
    return flush(tls);
}

static hr_status derive(hr_filter *filter, const char *label, const uint8_t *context, size_t len,
                        uint8_t *key_out, size_t key_len)
{
    tls_filter *tls = (tls_filter *)filter;
    if (SSL_export_keying_material(tls->ssl, key_out, key_len, label, strlen(label), context, len,
                                   1) == 1)
        return HR_OK;
    ERR_clear_error();
    return HR_NO_MEMORY;
}

static void destroy(hr_filter *filter)
{
    tls_filter *tls = (tls_filter *)filter;
    SSL_free(tls->ssl);
    explicit_bzero(tls->piece, sizeof tls->piece);
    hr_release(tls->env, tls);
}

static const hr_filter_ops tls_ops = {
    .name = "TLS 1.3",
    .start = start,
    .receive = receive,
    .send = send_plain,
    .derive = derive,
    .destroy = destroy,
};

/* ---- making one ---- */

static bool set_host(SSL *ssl, const char *host)
{
    struct in6_addr address;
    if (inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return SSL_set1_host(ssl, host) == 1;
}

static bool set_up(tls_filter *tls, const char *host)
{
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (tls->ssl == NULL || tls->in == NULL || tls->out == NULL) {
        BIO_free(tls->in);
        BIO_free(tls->out);
        return false;
    }
    BIO_set_mem_eof_return(tls->in, -1);
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    if (SSL_set_app_data(tls->ssl, tls) != 1)
        return false;
    SSL_set_info_callback(tls->ssl, note_alert);
    if (tls->side == HR_SIDE_SERVER) {
        SSL_set_accept_state(tls->ssl);
        if (tls->shares_keys)
            SSL_set_psk_find_session_callback(tls->ssl, find_session);
        return true;
    }
    SSL_set_connect_state(tls->ssl);
    if (!tls->shares_keys)
        return set_host(tls->ssl, host);
    SSL_set_psk_use_session_callback(tls->ssl, use_session);
    SSL_set_verify(tls->ssl, SSL_VERIFY_PEER, NULL); /* no certificate is believed instead */
    return true;
}

hr_status hr_filter_tls_create(const hr_env *env, const hr_identity *identity, hr_side side,
                               const char *host, const hr_filter_sink *sink, hr_filter **filter_out)
{
    tls_filter *tls = hr_alloc(env, sizeof *tls);
    if (tls == NULL)
        return HR_NO_MEMORY;
    tls->base.ops = &tls_ops;
    tls->base.sink = *sink;
    tls->env = env;
    tls->side = side;
    tls->shares_keys = hr_identity_keys_of(hr_identity_context(identity)) != NULL;
    tls->ssl = SSL_new(hr_identity_context(identity));
    if (!set_up(tls, host)) {
        ERR_clear_error();
        destroy(&tls->base);
        return HR_NO_MEMORY;
    }
    *filter_out = &tls->base;
    return HR_OK;
}

void hr_tls_alert(hr_status status, uint8_t alert_out[HR_TLS_ALERT_LEN])
{
    uint8_t what = status == HR_UNSUPPORTED ? SSL_AD_PROTOCOL_VERSION : SSL_AD_INTERNAL_ERROR;
    const uint8_t alert[HR_TLS_ALERT_LEN] = {0x15, 3, 3, 0, 2, 2 /* fatal */, what};
    memcpy(alert_out, alert, sizeof alert);
}
