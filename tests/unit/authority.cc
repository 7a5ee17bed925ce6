// SPDX-License-Identifier: Apache-2.0
// Certificates as files: what a cluster's authority makes, what of it is read again, whose name a
// certificate has, and what is said of a file that is none.
#include "folder.h"

#include <fstream>
#include <functional>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

// The headers are C, and C leaves members out.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

extern "C" {
#include "authority.h"
#include "identity.h"
}

namespace
{

constexpr long DAY = 24 * 60 * 60;

class Authority : public Folder
{
  protected:
    std::string read(const std::string &name) const
    {
        std::stringstream text;
        text << std::ifstream(at(name)).rdbuf();
        return text.str();
    }
    std::string write(const std::string &name, const std::string &text, mode_t mode = 0600)
    {
        std::ofstream(at(name)) << text;
        EXPECT_EQ(0, chmod(at(name).c_str(), mode));
        return at(name);
    }
    hr_status issue(const std::string &name, bool overwrite = false, const std::string &in = "ca")
    {
        error_ = {};
        return hr_authority_issue(hr_env_system(), at(in).c_str(), name.c_str(), overwrite,
                                  &error_);
    }
    // What a key file makes of us.
    hr_status load(const hr_trust &trust, hr_side side = HR_SIDE_SERVER)
    {
        hr_identity *identity = nullptr;
        error_ = {};
        hr_status status =
            hr_identity_load(hr_env_system(), &trust, side, false, &identity, &error_);
        name_ = identity != nullptr ? name_of(hr_identity_context(identity)) : "";
        hr_identity_release(identity);
        return status;
    }
    // What others will call us if it is a certificate.
    static std::string name_of(const void *context)
    {
        char name[HR_WHO_MAX] = "";
        const X509 *ours = SSL_CTX_get0_certificate(static_cast<const SSL_CTX *>(context));
        const bool named =
            ours != nullptr && hr_identity_name_certificate(ours, name, sizeof name) == HR_OK;
        return named ? name : "";
    }
    bool said(const std::string &part) const
    {
        return std::string(error_.text).find(part) != std::string::npos;
    }
    static std::string describe(const std::string &text)
    {
        char line[400] = "";
        return hr_authority_describe(text.c_str(), line, sizeof line) == HR_OK ? line : "refused";
    }
    std::string name_;
    hr_error error_ = {};
};

// A certificate that signs itself, as somebody else may make one.
std::string made(const std::string &common_name, const char *alternative, long until = DAY)
{
    X509 *certificate = X509_new();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -2 * DAY);
    X509_gmtime_adj(X509_getm_notAfter(certificate), until);
    if (!common_name.empty())
        X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                   (const unsigned char *)common_name.data(),
                                   (int)common_name.size(), -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_set_pubkey(certificate, key);
    if (alternative != nullptr) {
        X509V3_CTX context;
        X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
        X509_EXTENSION *extension =
            X509V3_EXT_conf_nid(nullptr, &context, NID_subject_alt_name, alternative);
        EXPECT_NE(nullptr, extension) << alternative;
        X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }
    X509_sign(certificate, key, EVP_sha256());
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
    PEM_write_bio_X509(bio, certificate);
    char *text = nullptr;
    long len = BIO_get_mem_data(bio, &text);
    std::string pem(text, (size_t)len);
    BIO_free(bio);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return pem;
}

TEST_F(Authority, MakesOneCertificateForEachMachine)
{
    for (const char *name : {"node1.lab", "10.0.0.7", "fe80::1"}) {
        ASSERT_EQ(HR_OK, issue(name)) << error_.text;
        const std::string path = at("ca/" + std::string(name) + ".pem");
        const std::string file = read("ca/" + std::string(name) + ".pem");
        EXPECT_EQ(0u, describe(file).find(std::string("cert:"))) << describe(file);
        EXPECT_NE(std::string::npos, describe(file).find("signed by headrace authority"));
        EXPECT_NE(std::string::npos, describe(file).find("good until"));
        EXPECT_EQ(HR_OK, load({.key_path = path.c_str()})) << error_.text;
    }
    EXPECT_EQ("cert:node1.lab, signed by ", describe(read("ca/node1.lab.pem")).substr(0, 26));
    const std::string before = read("ca/node1.lab.pem");
    EXPECT_EQ(HR_EXISTS, issue("node1.lab"));
    EXPECT_EQ(before, read("ca/node1.lab.pem"));
    EXPECT_EQ(HR_OK, issue("node1.lab", true)) << error_.text;
    EXPECT_NE(before, read("ca/node1.lab.pem"));
}

TEST_F(Authority, ThatIsNotWholeMakesNothing)
{
    ASSERT_EQ(HR_OK, issue("node1.lab")) << error_.text;
    ASSERT_EQ(HR_OK, issue("node1.lab", false, "other")) << error_.text;
    const std::string key = read("ca/ca.key"), certificate = read("ca/ca.pem");
    const struct {
        const char *what, *file;
        std::string text;
        hr_status status;
        const char *said;
    } rows[] = {
        {"no key in it", "ca/ca.key", "no key\n", HR_INVALID, "holds no private key"},
        {"no certificate in it", "ca/ca.pem", "none\n", HR_INVALID, "holds no certificate"},
        {"the key of another", "ca/ca.key", read("other/ca.key"), HR_INVALID,
         "do not belong together"},
    };
    for (const auto &row : rows) {
        write("ca/ca.key", key);
        write("ca/ca.pem", certificate);
        write(row.file, row.text);
        EXPECT_EQ(row.status, issue("node2.lab")) << row.what;
        EXPECT_TRUE(said(row.said)) << error_.text;
        EXPECT_NE(0, access(at("ca/node2.lab.pem").c_str(), F_OK)) << row.what;
    }
    write("ca/ca.key", key);
    write("ca/ca.pem", certificate, 0666);
    EXPECT_EQ(HR_POLICY, issue("node2.lab")) << "others could have changed it";
    ASSERT_EQ(0, unlink(at("ca/ca.pem").c_str()));
    EXPECT_EQ(HR_NOT_FOUND, issue("node2.lab"));
}

// The key is kept elsewhere, or was lost: no new one takes its name.
TEST_F(Authority, WithoutItsKeyIsNotMadeAnew)
{
    ASSERT_EQ(HR_OK, issue("node1.lab")) << error_.text;
    const std::string certificate = read("ca/ca.pem");
    ASSERT_EQ(0, unlink(at("ca/ca.key").c_str()));
    EXPECT_EQ(HR_EXISTS, issue("node2.lab"));
    EXPECT_EQ(certificate, read("ca/ca.pem"));
    EXPECT_NE(0, access(at("ca/ca.key").c_str(), F_OK));
}

TEST_F(Authority, IsNotMadeWhereNothingCanBe)
{
    write("file", "no directory");
    EXPECT_NE(HR_OK, issue("node1.lab", false, "file"));
    EXPECT_EQ(HR_INVALID, issue("node1.lab", false, std::string(5000, 'd')));
    EXPECT_TRUE(said("too long")) << error_.text;
    // Long enough for its files, and not for those of a machine.
    EXPECT_NE(HR_OK, issue(std::string(253, 'n'), false, std::string(4000, 'd')));
    for (const std::string &name : {std::string(254, 'n'), std::string(""), std::string("a:b")}) {
        EXPECT_EQ(HR_INVALID, issue(name));
        EXPECT_TRUE(said("is no name of a machine")) << error_.text;
    }
    EXPECT_EQ(HR_OK, issue(std::string(200, 'n'))) << error_.text;
}

TEST_F(Authority, DescribesCertificatesAndNothingElse)
{
    EXPECT_EQ("refused", describe(""));
    EXPECT_EQ("refused",
              describe("-----BEGIN CERTIFICATE-----\nMIGH\n-----END CERTIFICATE-----\n"));
    EXPECT_EQ("refused", describe(made("", nullptr))) << "it names nobody";
    const std::string expired = describe(made("node1", nullptr, -DAY));
    EXPECT_EQ(0u, expired.find("cert:node1, signed by node1, EXPIRED at ")) << expired;
    const std::string odd = describe(made("a\nb", "DNS:node1"));
    EXPECT_EQ(0u, odd.find("cert:node1, signed by a\\nb, good until ")) << odd;
}

// By which rules and the audit know a peer.
TEST_F(Authority, NamesAreTheFirstThatCanBePrinted)
{
    const struct {
        std::string common_name;
        const char *alternative, *name;
    } rows[] = {
        {"common", nullptr, "cert:common"},
        {"common", "IP:10.0.0.7", "cert:common"},
        {"common", "DNS:node1,DNS:node2", "cert:node1"},
        {"common", "URI:spiffe://lab/node1", "cert:spiffe://lab/node1"},
        {"common", "URI:spiffe://lab/node1,DNS:node1", "cert:node1"},
        {"", "DNS:node1", "cert:node1"},
        {"", nullptr, ""},
        {"with space", nullptr, ""},
        {"", "IP:10.0.0.7", ""},
    };
    for (const auto &row : rows) {
        const std::string path = write("key", made(row.common_name, row.alternative));
        const std::string ca = write("ca", made("authority", nullptr));
        const hr_status status = load({.key_path = path.c_str(), .ca_path = ca.c_str()});
        EXPECT_EQ(row.name, name_) << row.common_name;
        EXPECT_EQ(row.name[0] == '\0' ? HR_DENIED : HR_OK, status) << error_.text;
    }
}

TEST_F(Authority, FilesThatHoldNoIdentityAreRefusedWithTheirReason)
{
    const std::string one = made("one", nullptr), other = made("other", nullptr);
    const std::string end = "-----END PRIVATE KEY-----\n";
    const std::string key = one.substr(0, one.find(end) + end.size());
    const std::string certificate = one.substr(key.size());
    const std::string shared = "headrace-key-1 00112233445566ff " + std::string(64, '7') + "\n";
    const std::string authority = write("authority", other, 0600);
    const struct {
        const char *what;
        std::string text;
        const char *ca;
        hr_status status;
        const char *said;
    } rows[] = {
        {"no private key", certificate, authority.c_str(), HR_INVALID, "reading the private key"},
        {"no certificate", key, authority.c_str(), HR_INVALID, "reading the certificates"},
        {"the key of another", key + other.substr(other.find(end) + end.size()), authority.c_str(),
         HR_INVALID, "the private key"},
        {"nobody to vouch for the other side", one, nullptr, HR_INVALID, "--ca FILE"},
        {"with an authority", one, authority.c_str(), HR_OK, ""},
        {"its own authority behind it", one + certificate, nullptr, HR_OK, ""},
        {"shared keys and authorities", shared, authority.c_str(), HR_INVALID, "leave --ca"},
        {"shared keys", shared, nullptr, HR_OK, ""},
        {"no authority there", one, "/nonexistent", HR_NOT_FOUND, "/nonexistent"},
    };
    for (const auto &row : rows) {
        const std::string path = write("key", row.text);
        for (const hr_side side : {HR_SIDE_SERVER, HR_SIDE_CLIENT}) {
            EXPECT_EQ(row.status, load({.key_path = path.c_str(), .ca_path = row.ca}, side))
                << row.what << ": " << error_.text;
            EXPECT_TRUE(said(row.said)) << row.what << ": " << error_.text;
        }
    }
}

TEST_F(Authority, OutOfMemoryIsSaid)
{
    const std::string path =
        write("key", "headrace-key-1 00112233445566ff " + std::string(64, '7'));
    const hr_trust trust = {.key_path = path.c_str()};
    static unsigned left;
    hr_env env = *hr_env_system();
    env.alloc = [](void *, size_t len) -> void * {
        return left-- > 0 ? hr_alloc(hr_env_system(), len) : nullptr;
    };
    for (unsigned allocations = 0; allocations < 4; allocations++) {
        hr_identity *identity = nullptr;
        left = allocations;
        error_ = {};
        EXPECT_EQ(HR_NO_MEMORY,
                  hr_identity_load(&env, &trust, HR_SIDE_SERVER, false, &identity, &error_))
            << allocations;
        EXPECT_TRUE(said("out of memory")) << error_.text;
    }
}

} // namespace
