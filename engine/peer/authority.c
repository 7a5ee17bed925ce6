/* SPDX-License-Identifier: Apache-2.0 */
#include "authority.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "filter.h"
#include "identity.h"
#include "secret.h"

#define DAY_S          (24L * 60 * 60)
#define AUTHORITY_DAYS 3650
#define MACHINE_DAYS   365
#define CLOCK_SKEW_S   300 /* a machine whose clock is late believes it too */
#define NAME_MAX_LEN   253
#define PEM_MAX        16384

/* A certificate with its private key. */
typedef struct pair {
    X509 *certificate;
    EVP_PKEY *key;
} pair;

static void release(pair *one)
{
    X509_free(one->certificate);
    EVP_PKEY_free(one->key);
}

/* ---- making certificates ---- */

static bool add_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    bool added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

static bool set_serial(X509 *certificate)
{
    BIGNUM *number = BN_new();
    bool set = number != NULL && BN_rand(number, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
               BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return set;
}

/* A certificate for a key of its own, unsigned yet. */
static bool make_pair(const char *common_name, long days, X509 *issuer, pair *pair_out)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    *pair_out = (pair){.certificate = certificate, .key = key};
    if (key == NULL || certificate == NULL)
        return false;
    X509_NAME *subject = X509_get_subject_name(certificate);
    const unsigned char *name = (const unsigned char *)common_name;
    int len = (int)strnlen(common_name, 64); /* the most that a common name may have */
    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -CLOCK_SKEW_S) != NULL &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), days * DAY_S) != NULL &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, len, -1, 0) == 1 &&
           X509_set_issuer_name(certificate,
                                issuer != NULL ? X509_get_subject_name(issuer) : subject) == 1 &&
           X509_set_pubkey(certificate, key) == 1 &&
           add_extension(certificate, certificate, NID_subject_key_identifier, "hash");
}

static bool make_authority(const hr_env *env, pair *pair_out)
{
    char name[64];
    snprintf(name, sizeof name, "headrace authority %08x", (unsigned)hr_random_u64(env));
    if (!make_pair(name, AUTHORITY_DAYS, NULL, pair_out))
        return false;
    X509 *own = pair_out->certificate;
    return add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_extension(own, own, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           X509_sign(own, pair_out->key, EVP_sha256()) > 0;
}

static bool is_address(const char *name)
{
    struct in6_addr address;
    return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
}

static bool make_machine(const pair *authority, const char *name, pair *pair_out)
{
    char alternative[NAME_MAX_LEN + 8];
    snprintf(alternative, sizeof alternative, "%s:%s", is_address(name) ? "IP" : "DNS", name);
    if (!make_pair(name, MACHINE_DAYS, authority->certificate, pair_out))
        return false;
    X509 *own = pair_out->certificate, *issuer = authority->certificate;
    return add_extension(own, issuer, NID_authority_key_identifier, "keyid") &&
           add_extension(own, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(own, issuer, NID_key_usage, "critical,digitalSignature") &&
           add_extension(own, issuer, NID_ext_key_usage, "serverAuth,clientAuth") &&
           add_extension(own, issuer, NID_subject_alt_name, alternative) &&
           X509_sign(own, authority->key, EVP_sha256()) > 0;
}

/* ---- files ---- */

/* What is not NULL, one after the other. */
static bool print_pem(EVP_PKEY *key, X509 *first, X509 *second, char text_out[PEM_MAX])
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool good =
        bio != NULL &&
        (key == NULL || PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) &&
        (first == NULL || PEM_write_bio_X509(bio, first) == 1) &&
        (second == NULL || PEM_write_bio_X509(bio, second) == 1);
    int len = good ? BIO_read(bio, text_out, PEM_MAX - 1) : 0;
    BIO_free(bio);
    text_out[len > 0 ? len : 0] = '\0';
    return len > 0;
}

static hr_status save(const char *directory, const char *name, bool overwrite, const char *text,
                      hr_error *error)
{
    char path[HR_SECRET_PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (len < 0 || (size_t)len >= sizeof path)
        return hr_error_set(error, HR_INVALID, "the path of the directory is too long");
    return overwrite ? hr_secret_replace(path, text, error) : hr_secret_create(path, text, error);
}

static hr_status found_authority(const hr_env *env, const char *directory, pair *authority_out,
                                 hr_error *error)
{
    char text[PEM_MAX] = "", path[HR_SECRET_PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/ca.key", directory);
    if (len < 0 || (size_t)len >= sizeof path)
        return hr_error_set(error, HR_INVALID, "the path of the directory is too long");
    hr_status status = hr_secret_make_directories(path, error);
    if (status != HR_OK)
        return status;
    /* The certificate first: where there is one already its key is elsewhere, and no other key
     * takes the name of that. */
    if (!make_authority(env, authority_out) ||
        !print_pem(NULL, authority_out->certificate, NULL, text))
        return hr_error_set(error, HR_INTERNAL, "making an authority: OpenSSL refused");
    status = save(directory, "ca.pem", false, text, error);
    if (status == HR_OK && print_pem(authority_out->key, NULL, NULL, text))
        status = save(directory, "ca.key", false, text, error);
    explicit_bzero(text, sizeof text);
    return status;
}

static hr_status read_one(const hr_env *env, const char *directory, const char *name, bool private,
                          pair *pair_out, hr_error *error)
{
    char path[HR_SECRET_PATH_MAX], *text;
    int len = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (len < 0 || (size_t)len >= sizeof path)
        return hr_error_set(error, HR_INVALID, "the path of the directory is too long");
    hr_status status = hr_secret_read(env, path, private, &text, error);
    if (status != HR_OK)
        return status;
    BIO *bio = BIO_new_mem_buf(text, -1);
    if (private)
        pair_out->key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    else
        pair_out->certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    hr_secret_release(env, text);
    if (private ? pair_out->key == NULL : pair_out->certificate == NULL)
        return hr_error_set(error, HR_INVALID, "%.300s holds no %s", path,
                            private ? "private key" : "certificate");
    return HR_OK;
}

static hr_status open_authority(const hr_env *env, const char *directory, pair *authority_out,
                                hr_error *error)
{
    hr_error why = {.status = HR_OK};
    hr_status status = read_one(env, directory, "ca.key", true, authority_out, &why);
    if (status == HR_NOT_FOUND)
        return found_authority(env, directory, authority_out, error);
    if (status == HR_OK)
        status = read_one(env, directory, "ca.pem", false, authority_out, &why);
    if (status == HR_OK &&
        X509_check_private_key(authority_out->certificate, authority_out->key) != 1)
        status = hr_error_set(&why, HR_INVALID,
                              "ca.pem and ca.key in %.200s do not belong together", directory);
    return status == HR_OK ? HR_OK : hr_error_set(error, status, "%s", why.text);
}

static bool is_name(const char *name)
{
    size_t len = strlen(name);
    const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:";
    return len > 0 && len <= NAME_MAX_LEN && name[0] != '.' && name[0] != '-' &&
           strspn(name, allowed) == len && (strchr(name, ':') == NULL || is_address(name)) &&
           strcmp(name, "ca") != 0;
}

hr_status hr_authority_issue(const hr_env *env, const char *directory, const char *name,
                             bool overwrite, hr_error *error)
{
    char quoted[200], file[NAME_MAX_LEN + 8], text[PEM_MAX] = "";
    if (!is_name(name))
        return hr_error_set(error, HR_INVALID,
                            "'%s' is no name of a machine: the name or the address is wanted that "
                            "others reach it by",
                            hr_quote(quoted, sizeof quoted, name, strlen(name)));
    pair authority = {.key = NULL}, machine = {.key = NULL};
    hr_status status = open_authority(env, directory, &authority, error);
    if (status == HR_OK &&
        (!make_machine(&authority, name, &machine) ||
         !print_pem(machine.key, machine.certificate, authority.certificate, text)))
        status = hr_error_set(error, HR_INTERNAL, "making a certificate: OpenSSL refused");
    if (status == HR_OK) {
        snprintf(file, sizeof file, "%s.pem", name);
        status = save(directory, file, overwrite, text, error);
    }
    explicit_bzero(text, sizeof text);
    release(&machine);
    release(&authority);
    ERR_clear_error();
    return status;
}

/* ---- looking at one ---- */

hr_status hr_authority_describe(const char *text, char *line_out, size_t line_max)
{
    char name[HR_WHO_MAX], until[64] = "", issuer[128] = "";
    BIO *bio = BIO_new_mem_buf(text, -1), *date = BIO_new(BIO_s_mem());
    X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    hr_status status = HR_INVALID;
    if (certificate != NULL && date != NULL &&
        hr_identity_name_certificate(certificate, name, sizeof name) == HR_OK) {
        X509_NAME_get_text_by_NID(X509_get_issuer_name(certificate), NID_commonName, issuer,
                                  sizeof issuer);
        ASN1_TIME_print(date, X509_get0_notAfter(certificate));
        int len = BIO_read(date, until, sizeof until - 1);
        until[len > 0 ? len : 0] = '\0';
        char quoted[200];
        snprintf(line_out, line_max, "%s, signed by %s, %s %s", name,
                 hr_quote(quoted, sizeof quoted, issuer, strlen(issuer)),
                 X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0 ? "good until"
                                                                            : "EXPIRED at",
                 until);
        status = HR_OK;
    }
    X509_free(certificate);
    BIO_free(bio);
    BIO_free(date);
    ERR_clear_error();
    return status;
}
