// SPDX-License-Identifier: MIT
#include "common/net/tls_credentials.hpp"

#include "common/error.hpp"
#include "common/net/tls_errors.hpp"
#include "common/net/tls_policy.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace dotpair::net {
namespace {

using Bio = std::unique_ptr<BIO, OpenSslDeleter<BIO_free_all>>;

struct NamedKey {
    std::string file;
    std::shared_ptr<EVP_PKEY> key;
    bool is_used = false;
};

void free_chain(STACK_OF(X509) * chain) {
    sk_X509_pop_free(chain, X509_free);
}

std::string where(const char* option, const std::string& file) {
    return std::string(option) + ": \"" + file + "\": ";
}

Bio open_file(const char* option, const std::string& file) {
    const std::unique_ptr<std::FILE, OpenSslDeleter<std::fclose>> opened(
        std::fopen(file.c_str(), "re")
    );
    if (!opened) {
        throw ConfigError(where(option, file) + std::strerror(errno));
    }
    ERR_clear_error();
    return Bio(BIO_new_file(file.c_str(), "r"));
}

int refuse_passphrase(char* /*text*/, int /*size*/, int /*is_writing*/, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
}

Credential read_certificate(const std::string& file) {
    const Bio source = open_file("--cert", file);
    Credential credential;
    credential.file = file;
    credential.chain = {sk_X509_new_null(), free_chain};
    credential.certificate = {
        PEM_read_bio_X509_AUX(source.get(), nullptr, nullptr, nullptr), X509_free};
    if (!credential.certificate) {
        throw ConfigError(where("--cert", file) + "holds no certificate in PEM");
    }
    while (X509* const issuer = PEM_read_bio_X509(source.get(), nullptr, nullptr, nullptr)) {
        sk_X509_push(credential.chain.get(), issuer);
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {  // the end of the file
        throw ConfigError(where("--cert", file) + describe_openssl_failure());
    }
    ERR_clear_error();
    return credential;
}

NamedKey read_key(const std::string& file) {
    const Bio source = open_file("--key", file);
    bool is_encrypted = false;
    NamedKey key{
        file,
        {PEM_read_bio_PrivateKey(source.get(), nullptr, refuse_passphrase, &is_encrypted),
         EVP_PKEY_free}};
    if (!key.key) {
        throw ConfigError(
            where("--key", file) + (is_encrypted
                                        ? "is encrypted, and nobody is asked for a passphrase"
                                        : "holds no private key in PEM")
        );
    }
    return key;
}

/// "\"a.pem\"", or how many there are.
std::string describe(const std::vector<std::string>& files) {
    return files.size() == 1 ? "the certificate in \"" + files.front() + "\""
                             : "any of the " + std::to_string(files.size()) + " certificates";
}

}  // namespace

std::vector<Credential> read_credentials(
    const std::vector<std::string>& certificate_files, const std::vector<std::string>& key_files
) {
    std::vector<Credential> credentials;
    std::ranges::transform(certificate_files, std::back_inserter(credentials), read_certificate);
    std::vector<NamedKey> keys;
    std::ranges::transform(key_files, std::back_inserter(keys), read_key);
    for (Credential& credential : credentials) {
        for (NamedKey& key : keys) {
            // Not left to OpenSSL: it keeps a key of another type beside the certificate, and says
            // nothing.
            if (X509_check_private_key(credential.certificate.get(), key.key.get()) == 1) {
                credential.key = key.key;
                key.is_used = true;
            }
        }
    }
    ERR_clear_error();
    for (const NamedKey& key : keys) {
        if (!key.is_used) {
            throw ConfigError(
                where("--key", key.file) + "does not fit " + describe(certificate_files)
            );
        }
    }
    for (const Credential& credential : credentials) {
        if (!credential.key) {
            throw ConfigError(where("--cert", credential.file) + "no --key fits it");
        }
    }
    return credentials;
}

policy::CertificateFacts facts_of(const Credential& credential) {
    policy::CertificateFacts facts;
    facts.key_type = EVP_PKEY_get_base_id(credential.key.get());
    const std::unique_ptr<GENERAL_NAMES, OpenSslDeleter<GENERAL_NAMES_free>> names(
        static_cast<GENERAL_NAMES*>(
            X509_get_ext_d2i(credential.certificate.get(), NID_subject_alt_name, nullptr, nullptr)
        )
    );
    for (int index = 0; index < sk_GENERAL_NAME_num(names.get()); ++index) {
        const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), index);
        if (name->type == GEN_DNS) {
            const auto* const text = ASN1_STRING_get0_data(name->d.dNSName);
            const auto size = static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName));
            facts.names.emplace_back(reinterpret_cast<const char*>(text), size);
        }
    }
    return facts;
}

IssuedCertificate issued(const Credential& credential) {
    IssuedCertificate result{credential.certificate, nullptr};
    for (int index = 0; index < sk_X509_num(credential.chain.get()); ++index) {
        X509* const candidate = sk_X509_value(credential.chain.get(), index);
        if (X509_check_issued(candidate, credential.certificate.get()) == X509_V_OK) {
            X509_up_ref(candidate);
            result.issuer = {candidate, X509_free};
            break;
        }
    }
    return result;
}

void use_credential(SSL_CTX* context, const Credential& credential) {
    ERR_clear_error();
    if (SSL_CTX_use_cert_and_key(
            context, credential.certificate.get(), credential.key.get(), credential.chain.get(), 1
        ) != 1) {
        const bool is_weak = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_EE_KEY_TOO_SMALL;
        throw ConfigError(
            where("--cert", credential.file) +
            (is_weak ? "its key is too weak: take P-256, or RSA of 2048 bits at least"
                     : describe_openssl_failure())
        );
    }
}

}  // namespace dotpair::net
