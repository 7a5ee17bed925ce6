// SPDX-License-Identifier: Apache-2.0
// Certificates that are not as they should be: who shows one is refused, and hears of his own side
// what helps him.
#include "fixture.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace
{

constexpr long DAY = 24 * 60 * 60;

// What a certificate is to be like; by default good.
struct Wish {
    const char *name = "DNS:node1.lab";
    long from = -DAY, until = DAY; // seconds from now
    const char *usage = "serverAuth,clientAuth";
    bool self_made = false;
};

class Certificates : public Headrace
{
  protected:
    Certificates()
    {
        offer("file", 1000);
        Program program;
        program.start({"key", "new", "--cluster", at("ca"), "127.0.0.1", "node1.lab"});
        EXPECT_EQ(0, program.wait()) << program.errors();
        authority_ = read_certificate(at("ca/ca.pem"));
        FILE *file = fopen(at("ca/ca.key").c_str(), "re");
        authority_key_ = PEM_read_PrivateKey(file, nullptr, nullptr, nullptr);
        fclose(file);
    }
    ~Certificates() override
    {
        X509_free(authority_);
        EVP_PKEY_free(authority_key_);
    }
    static X509 *read_certificate(const std::string &path)
    {
        FILE *file = fopen(path.c_str(), "re");
        X509 *certificate = PEM_read_X509(file, nullptr, nullptr, nullptr);
        fclose(file);
        return certificate;
    }
    static void extend(X509 *certificate, X509 *issuer, int kind, const char *value)
    {
        X509V3_CTX context;
        X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value);
        ASSERT_NE(nullptr, extension) << value;
        X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }
    // A key file with such a certificate, signed by the cluster's authority.
    std::string make(const Wish &wish)
    {
        std::string path = at("made.pem");
        X509 *certificate = X509_new();
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509_set_version(certificate, X509_VERSION_3);
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial_);
        X509_gmtime_adj(X509_getm_notBefore(certificate), wish.from);
        X509_gmtime_adj(X509_getm_notAfter(certificate), wish.until);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                                   (const unsigned char *)"made", -1, -1, 0);
        // One that signs itself says that the authority did.
        X509_set_issuer_name(certificate, X509_get_subject_name(authority_));
        X509_set_pubkey(certificate, key);
        extend(certificate, authority_, NID_ext_key_usage, wish.usage);
        extend(certificate, authority_, NID_subject_alt_name, wish.name);
        X509_sign(certificate, wish.self_made ? key : authority_key_, EVP_sha256());
        FILE *file = fopen(path.c_str(), "we");
        PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
        PEM_write_X509(file, certificate);
        PEM_write_X509(file, authority_);
        fclose(file);
        EXPECT_EQ(0, chmod(path.c_str(), 0600));
        X509_free(certificate);
        EVP_PKEY_free(key);
        return path;
    }
    // A list of what is revoked, good until so many seconds from now.
    std::string revoke(const std::string &path, long until)
    {
        X509 *certificate = read_certificate(path);
        X509_CRL *list = X509_CRL_new();
        X509_REVOKED *row = X509_REVOKED_new();
        ASN1_TIME *now = X509_gmtime_adj(nullptr, -2 * DAY), *end = X509_gmtime_adj(nullptr, until);
        X509_CRL_set_version(list, X509_CRL_VERSION_2);
        X509_CRL_set_issuer_name(list, X509_get_subject_name(authority_));
        X509_CRL_set1_lastUpdate(list, now);
        X509_CRL_set1_nextUpdate(list, end);
        X509_REVOKED_set_serialNumber(row, X509_get_serialNumber(certificate));
        X509_REVOKED_set_revocationDate(row, now);
        X509_CRL_add0_revoked(list, row);
        X509_CRL_sort(list);
        X509_CRL_sign(list, authority_key_, EVP_sha256());
        FILE *file = fopen(at("crl").c_str(), "we");
        PEM_write_X509_CRL(file, list);
        fclose(file);
        X509_free(certificate);
        X509_CRL_free(list);
        ASN1_TIME_free(now);
        ASN1_TIME_free(end);
        return at("crl");
    }
    Result get_with(const std::string &key, std::vector<std::string> options = {})
    {
        options.insert(options.end(), {"--key", key});
        return get(url("file"), target("file"), options);
    }
    std::string server_key() const
    {
        return at("ca/127.0.0.1.pem");
    }
    std::string client_key() const
    {
        return at("ca/node1.lab.pem");
    }
    X509 *authority_ = nullptr;
    EVP_PKEY *authority_key_ = nullptr;
    long serial_ = 1000;
};

TEST_F(Certificates, OfClients)
{
    const struct {
        const char *name;
        Wish wish;
        const char *said;
    } rows[] = {
        {"expired", {.from = -2 * DAY, .until = -DAY}, "has expired, or is not valid yet"},
        {"not valid yet", {.from = DAY, .until = 2 * DAY}, "refused our certificate"},
        {"self-made", {.self_made = true}, "refused our certificate"},
        {"for servers only", {.usage = "serverAuth"}, "refused our certificate"},
    };
    serve({"--key", server_key(), "-v"});
    for (const auto &row : rows) {
        SCOPED_TRACE(row.name);
        expect_refused(get_with(make(row.wish)), 6, {row.said});
        expect_nothing("file");
    }
    EXPECT_EQ(0, get_with(make({})).exit_code) << "the same without the fault";
    end_server(); // and all of its log is there, which says what it was
    size_t told = 0;
    std::string log = server_.errors();
    const std::string said = "its certificate is not good";
    for (size_t at = 0; (at = log.find(said, at)) != std::string::npos; at += said.size())
        told++;
    EXPECT_EQ(std::size(rows), told) << log;
}

TEST_F(Certificates, OfServers)
{
    const Wish good = {.name = "IP:127.0.0.1"};
    const struct {
        const char *name;
        Wish wish;
        const char *said;
    } rows[] = {
        {"expired", {.name = good.name, .from = -2 * DAY, .until = -DAY}, "has expired"},
        {"not valid yet", {.name = good.name, .from = DAY, .until = 2 * DAY}, "not yet valid"},
        {"self-made", {.name = good.name, .self_made = true}, "is not good"},
        {"for clients only", {.name = good.name, .usage = "clientAuth"}, "is not good"},
        {"of another name", {.name = "DNS:127.0.0.1"}, "IP address mismatch"},
        {"of another address", {.name = "IP:127.0.0.2"}, "IP address mismatch"},
        {"of any name", {.name = "DNS:*"}, "IP address mismatch"},
    };
    for (const auto &row : rows) {
        SCOPED_TRACE(row.name);
        serve({"--key", make(row.wish)});
        expect_refused(get_with(client_key()), 6, {"its certificate is not good", row.said});
        expect_nothing("file");
        end_server();
    }
    serve({"--key", make(good)});
    EXPECT_EQ(0, get_with(client_key()).exit_code) << "the same without the fault";
}

TEST_F(Certificates, ThatWereRevoked)
{
    serve({"--key", server_key(), "--crl", revoke(client_key(), DAY)});
    expect_refused(get_with(client_key()), 6, {"our certificate was revoked"});
    EXPECT_EQ(0, get_with(make({})).exit_code) << "another one was not";
    end_server();
    serve({"--key", server_key()});
    expect_refused(get_with(client_key(), {"--overwrite", "--crl", revoke(server_key(), DAY)}), 6,
                   {"its certificate is not good", "revoked"});
    // A list that is too old revokes everybody: what it does not say yet might matter.
    expect_refused(get_with(client_key(), {"--overwrite", "--crl", revoke(client_key(), -DAY)}), 6,
                   {"its certificate is not good", "CRL has expired"});
}

TEST_F(Certificates, InFilesThatAreNone)
{
    std::string list = read_text(revoke(client_key(), DAY));
    write_text(at("cut"), list.substr(0, list.size() / 2));
    write_text(at("empty"), "");
    std::string ca = read_text(at("ca/ca.pem"));
    write_text(at("cut-ca"), ca.substr(0, ca.size() / 2));
    const std::vector<std::string> wrong[] = {
        {"--crl", at("cut")},   {"--crl", at("empty")}, {"--crl", at("ca/ca.pem")},
        {"--ca", at("cut-ca")}, {"--ca", at("empty")},  {"--ca", at("ca/ca.key")},
    };
    for (const auto &options : wrong) {
        std::vector<std::string> all = {"serve",       at("data"), "--listen",
                                        "127.0.0.1:0", "--key",    server_key()};
        all.insert(all.end(), options.begin(), options.end());
        Program program;
        program.start(all);
        EXPECT_EQ(2, program.wait()) << options[1] << ": " << program.errors();
        EXPECT_NE(std::string::npos, program.errors().find(options[1])) << program.errors();
    }
}

} // namespace
