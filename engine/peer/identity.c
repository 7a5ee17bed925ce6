/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "filter.h"
#include "secret.h"

struct hr_identity {
    const hr_env *env;
    SSL_CTX *context;
};

/* ---- keys that belong to a context and go with the last handshake that uses it ---- */

typedef struct context_keys {
    const hr_env *env;
    hr_keys keys;
} context_keys;

static int keys_index;
static pthread_once_t keys_once = PTHREAD_ONCE_INIT;

static void release_keys(void *parent, void *memory, CRYPTO_EX_DATA *data, int index, long number,
                         void *pointer)
{
    (void)parent, (void)data, (void)index, (void)number, (void)pointer;
    context_keys *owned = memory;
    if (owned == NULL)
        return;
    explicit_bzero(owned->keys.list, owned->keys.count * sizeof *owned->keys.list);
    hr_release(owned->env, owned->keys.list);
    hr_release(owned->env, owned);
}

static void make_index(void)
{
    keys_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, release_keys);
}

const hr_keys *hr_identity_keys_of(const void *context)
{
    const context_keys *owned = SSL_CTX_get_ex_data(context, keys_index);
    return owned == NULL ? NULL : &owned->keys;
}

static hr_status read_keys(hr_identity *identity, const char *path, const char *text,
                           hr_error *error)
{
    const hr_env *env = identity->env;
    context_keys *owned = hr_alloc(env, sizeof *owned);
    hr_key *list = hr_alloc(env, HR_KEYS_MAX * sizeof *list);
    if (owned == NULL || list == NULL ||
        SSL_CTX_set_ex_data(identity->context, keys_index, owned) != 1) {
        hr_release(env, owned);
        hr_release(env, list);
        return hr_error_set(error, HR_NO_MEMORY, "reading %.200s: out of memory", path);
    }
    hr_error why = {.status = HR_OK};
    *owned = (context_keys){.env = env, .keys = {.list = list}};
    hr_status status = hr_keys_parse(text, list, &owned->keys.count, &why);
    if (status != HR_OK)
        return hr_error_set(error, status,
                            "%.200s: %s; headrace key new FILE makes one, and the other side needs "
                            "the same",
                            path, why.text);
    /* One hash, since a key of this kind belongs to one. */
    if (SSL_CTX_set_ciphersuites(identity->context, "TLS_AES_256_GCM_SHA384") == 1)
        return HR_OK;
    bool unknown = ERR_GET_REASON(ERR_peek_error()) == SSL_R_NO_CIPHER_MATCH;
    ERR_clear_error();
    return hr_error_set(error, unknown ? HR_UNSUPPORTED : HR_NO_MEMORY, "setting up TLS: %s",
                        unknown ? "OpenSSL has no AES-256-GCM" : "out of memory");
}

/* ---- certificates ---- */

static hr_status tls_error(hr_error *error, hr_status status, const char *what, const char *path)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    for (unsigned long next; (next = ERR_get_error()) != 0;)
        if (ERR_GET_REASON(next) == ERR_R_MALLOC_FAILURE)
            status = HR_NO_MEMORY;
    if (status == HR_NO_MEMORY)
        reason = "out of memory";
    return hr_error_set(error, status, "%s %.300s: %s", what, path,
                        reason != NULL ? reason : "it cannot be used");
}

/* A server has nobody to ask for a passphrase. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

static hr_status use_private_key(SSL_CTX *context, const char *path, const char *text,
                                 hr_error *error)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    hr_status status = HR_OK;
    if (key == NULL || SSL_CTX_use_PrivateKey(context, key) != 1)
        status = tls_error(error, HR_INVALID, "reading the private key in", path);
    EVP_PKEY_free(key);
    BIO_free(bio);
    return status;
}

typedef enum certificate_use { OUR_CHAIN, AUTHORITIES } certificate_use;

static bool is_self_signed(X509 *certificate)
{
    return (X509_get_extension_flags(certificate) & EXFLAG_SS) != 0;
}

/* Ours is the first; what signed itself is an authority, the others lead from ours to one. */
static bool use_certificate(SSL_CTX *context, X509 *certificate, certificate_use use, int number)
{
    bool trusted = use == AUTHORITIES || (number > 0 && is_self_signed(certificate));
    if (trusted)
        return X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) == 1;
    if (number == 0)
        return SSL_CTX_use_certificate(context, certificate) == 1;
    return SSL_CTX_add1_chain_cert(context, certificate) == 1;
}

static hr_status use_certificates(SSL_CTX *context, const char *path, const char *text,
                                  certificate_use use, hr_error *error)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    int count = 0;
    bool good = bio != NULL;
    X509 *certificate;
    while (good && (certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL) {
        good = use_certificate(context, certificate, use, count++);
        X509_free(certificate);
    }
    BIO_free(bio);
    unsigned long last = ERR_peek_last_error();
    bool at_end = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
    if (!good || count == 0 || !at_end)
        return tls_error(error, HR_INVALID, "reading the certificates in", path);
    ERR_clear_error();
    return HR_OK;
}

static hr_status use_revocations(SSL_CTX *context, const char *path, const char *text,
                                 hr_error *error)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    BIO *bio = BIO_new_mem_buf(text, -1);
    int count = 0;
    bool good = bio != NULL;
    X509_CRL *list;
    while (good && (list = PEM_read_bio_X509_CRL(bio, NULL, no_passphrase, NULL)) != NULL) {
        good = X509_STORE_add_crl(store, list) == 1;
        X509_CRL_free(list);
        count++;
    }
    BIO_free(bio);
    if (!good || count == 0)
        return tls_error(error, HR_INVALID, "reading the revocations in", path);
    ERR_clear_error();
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    return HR_OK;
}

hr_status hr_identity_name_certificate(const void *certificate, char *name_out, size_t name_max)
{
    hr_status status = HR_DENIED;
    int critical = -1; /* there are none */
    const ASN1_STRING *best = NULL;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);
    if (names == NULL && critical >= 0) /* it must not be called by another one instead */
        return HR_NO_MEMORY;
    for (int kind = GEN_DNS; best == NULL && kind != 0; kind = kind == GEN_DNS ? GEN_URI : 0)
        for (int i = 0; best == NULL && i < sk_GENERAL_NAME_num(names); i++) {
            const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
            if (name->type == kind)
                best = name->d.ia5;
        }
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (best == NULL && at >= 0)
        best = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    if (best != NULL) {
        const unsigned char *text = ASN1_STRING_get0_data(best);
        int len = ASN1_STRING_length(best);
        bool printable = len > 0 && (size_t)len + sizeof "cert:" <= name_max;
        for (int i = 0; i < len && printable; i++)
            printable = text[i] > ' ' && text[i] < 0x7f;
        if (printable) {
            snprintf(name_out, name_max, "cert:%.*s", len, (const char *)text);
            status = HR_OK;
        }
    }
    GENERAL_NAMES_free(names);
    return status;
}

/* The same verdict once more? Of the certificate anew: what was left out of it as it was read stays
 * left out. */
static bool is_verdict_again(X509_STORE_CTX *first)
{
    X509 *certificate = X509_dup(X509_STORE_CTX_get0_cert(first));
    X509_STORE_CTX *second = X509_STORE_CTX_new();
    bool again = certificate != NULL && second != NULL &&
                 X509_STORE_CTX_init(second, X509_STORE_CTX_get0_store(first), certificate,
                                     X509_STORE_CTX_get0_untrusted(first)) == 1 &&
                 X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(second),
                                        X509_STORE_CTX_get0_param(first)) == 1 &&
                 X509_verify_cert(second) <= 0 &&
                 X509_STORE_CTX_get_error(second) == X509_STORE_CTX_get_error(first);
    X509_STORE_CTX_free(second);
    X509_free(certificate);
    return again;
}

/* A key that OpenSSL has no memory to read it finds too weak, and an authority that it has none to
 * look up unknown: neither is the peer's fault, and it is not told so. */
static int verify(X509_STORE_CTX *context, void *unused)
{
    (void)unused;
    int result = X509_verify_cert(context);
    ERR_set_mark();
    if (result <= 0 && !is_verdict_again(context))
        X509_STORE_CTX_set_error(context, X509_V_ERR_OUT_OF_MEM);
    ERR_pop_to_mark();
    return result;
}

/* A file of certificates that anybody may read and only we may change. */
static hr_status read_public(hr_identity *identity, const char *path, bool revocations,
                             hr_error *error)
{
    char *text;
    hr_status status = hr_secret_read(identity->env, path, false, &text, error);
    if (status != HR_OK)
        return status;
    status = revocations ? use_revocations(identity->context, path, text, error)
                         : use_certificates(identity->context, path, text, AUTHORITIES, error);
    hr_secret_release(identity->env, text);
    return status;
}

static hr_status read_certificate(hr_identity *identity, const hr_trust *trust, const char *path,
                                  const char *text, hr_error *error)
{
    SSL_CTX *context = identity->context;
    hr_status status = use_certificates(context, path, text, OUR_CHAIN, error);
    if (status == HR_OK)
        status = use_private_key(context, path, text, error);
    if (status == HR_OK && SSL_CTX_check_private_key(context) != 1)
        status = tls_error(error, HR_INVALID, "the first certificate and the private key of", path);
    if (status == HR_OK && trust->ca_path != NULL)
        status = read_public(identity, trust->ca_path, false, error);
    if (status == HR_OK && trust->crl_path != NULL)
        status = read_public(identity, trust->crl_path, true, error);
    if (status != HR_OK)
        return status;
    if (trust->ca_path == NULL &&
        sk_X509_OBJECT_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(context))) == 0)
        return hr_error_set(error, HR_INVALID,
                            "%.200s holds no authority that vouches for the other side: name its "
                            "certificate with --ca FILE",
                            path);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(context, verify, NULL);
    char name[HR_WHO_MAX];
    status = hr_identity_name_certificate(SSL_CTX_get0_certificate(context), name, sizeof name);
    if (status != HR_OK)
        return hr_error_set(error, status, "the certificate in %.200s has no name that can be read",
                            path);
    return HR_OK;
}

/* ---- loading ---- */

static hr_status make_context(hr_identity *identity, hr_side side, hr_error *error)
{
    pthread_once(&keys_once, make_index);
    SSL_CTX *context =
        SSL_CTX_new(side == HR_SIDE_SERVER ? TLS_server_method() : TLS_client_method());
    identity->context = context;
    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_num_tickets(context, 0) != 1)
        return tls_error(error, HR_NO_MEMORY, "preparing", "TLS 1.3");
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    return HR_OK;
}

static hr_status make_own_key(const hr_env *env, const char *path, hr_error *error)
{
    hr_key key;
    char line[HR_KEY_LINE_MAX];
    hr_error lost_race = {.status = HR_OK};
    hr_error why = {.status = HR_OK};
    hr_status status = hr_secret_make_directories(path, &why);
    if (status != HR_OK)
        return hr_error_set(error, status,
                            "the key of this user cannot be made at %.200s: %.200s; name another "
                            "with --key FILE",
                            path, why.text);
    hr_key_make(env, &key);
    hr_key_print(&key, line);
    status = hr_secret_create(path, line, &lost_race);
    explicit_bzero(&key, sizeof key);
    explicit_bzero(line, sizeof line);
    if (status == HR_EXISTS) /* another one was faster, and its key is as good */
        return HR_OK;
    if (status != HR_OK)
        return hr_error_set(error, status,
                            "the key of this user cannot be made: %.300s; name another with --key "
                            "FILE",
                            lost_race.text);
    hr_log(env, HR_LOG_INFO, "made the key of this user: %s", path);
    return HR_OK;
}

static hr_status read_key_file(const hr_env *env, const hr_trust *trust, bool make, char *path_out,
                               char **text_out, hr_error *error)
{
    if (trust->key_path != NULL) {
        snprintf(path_out, HR_SECRET_PATH_MAX, "%s", trust->key_path);
        return hr_secret_read(env, path_out, true, text_out, error);
    }
    hr_error why = {.status = HR_OK};
    hr_status status = hr_secret_own_path(path_out, error);
    if (status != HR_OK)
        return status;
    status = hr_secret_read(env, path_out, true, text_out, &why);
    if (status == HR_NOT_FOUND && make) {
        status = make_own_key(env, path_out, error);
        if (status == HR_OK)
            status = hr_secret_read(env, path_out, true, text_out, error);
        return status;
    }
    if (status == HR_NOT_FOUND)
        return hr_error_set(error, HR_DENIED,
                            "there is no key to show to the server: copy its key file (of this "
                            "machine it would be %.200s), or name one with --key FILE",
                            path_out);
    return status == HR_OK ? HR_OK : hr_error_set(error, status, "%s", why.text);
}

hr_status hr_identity_load(const hr_env *env, const hr_trust *trust, hr_side side, bool make,
                           hr_identity **identity_out, hr_error *error)
{
    char path[HR_SECRET_PATH_MAX], *text;
    hr_status status = read_key_file(env, trust, make, path, &text, error);
    if (status != HR_OK)
        return status;
    hr_identity *identity = hr_alloc(env, sizeof *identity);
    if (identity == NULL) {
        hr_secret_release(env, text);
        return hr_error_set(error, HR_NO_MEMORY, "reading %.200s: out of memory", path);
    }
    identity->env = env;
    status = make_context(identity, side, error);
    if (status == HR_OK && strstr(text, "-----BEGIN ") != NULL)
        status = read_certificate(identity, trust, path, text, error);
    else if (status == HR_OK && (trust->ca_path != NULL || trust->crl_path != NULL))
        status = hr_error_set(error, HR_INVALID,
                              "%.200s holds shared keys, and authorities are for certificates: "
                              "leave --ca and --crl out, or name a certificate with --key",
                              path);
    else if (status == HR_OK)
        status = read_keys(identity, path, text, error);
    hr_secret_release(env, text);
    if (status != HR_OK)
        hr_identity_release(identity);
    else
        *identity_out = identity;
    return status;
}

void hr_identity_release(hr_identity *identity)
{
    if (identity == NULL)
        return;
    SSL_CTX_free(identity->context);
    hr_release(identity->env, identity);
}

void *hr_identity_context(const hr_identity *identity)
{
    return identity->context;
}
