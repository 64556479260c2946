// SPDX-License-Identifier: MIT
#include "common/net/tls_verifier.hpp"

#include "common/error.hpp"
#include "common/net/tls_errors.hpp"
#include "common/net/tls_policy.hpp"

#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>

namespace dotpair::net {
namespace {

using Store = std::unique_ptr<X509_STORE, OpenSslDeleter<X509_STORE_free>>;
constexpr std::size_t max_name_size = 253;  // of a DNS name as text

using StoreContext = std::unique_ptr<X509_STORE_CTX, OpenSslDeleter<X509_STORE_CTX_free>>;

bool is_pinned(X509* certificate, const std::vector<SpkiPin>& pins) {
    return std::ranges::find(pins, pin_of(certificate)) != pins.end();
}

bool holds_pinned(const STACK_OF(X509) * chain, const std::vector<SpkiPin>& pins) {
    for (int index = 0; index < sk_X509_num(chain); ++index) {
        if (is_pinned(sk_X509_value(chain, index), pins)) {
            return true;
        }
    }
    return false;
}

bool is_ip_address(const std::string& name) {
    const std::unique_ptr<ASN1_OCTET_STRING, OpenSslDeleter<ASN1_OCTET_STRING_free>> address(
        a2i_IPADDRESS(name.c_str())
    );
    return address != nullptr;
}

/// A name that OpenSSL does not take would not be looked at: so it must not pass here.
void expect_name(X509_VERIFY_PARAM* expected, const std::string& name) {
    if (name.empty()) {
        return;
    }
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    const bool is_taken =
        is_ip_address(name)
            ? X509_VERIFY_PARAM_set1_ip_asc(expected, name.c_str()) == 1
            : name.size() <= max_name_size && name[0] != '.' &&
                  X509_VERIFY_PARAM_set1_host(expected, name.data(), name.size()) == 1;
    if (!is_taken) {
        throw ConfigError("--upstream: \"" + name + "\" cannot be the name of a server");
    }
}

std::string describe_pin_mismatch(X509* leaf) {
    return "no pin matches; the server has pin=" + format_pin(pin_of(leaf));
}

/// The record that would have matched, ready to paste.
std::string describe_tlsa_mismatch(X509* leaf) {
    const SpkiPin digest = pin_of(leaf);
    const TlsaRecord record{3, 1, 1, {digest.begin(), digest.end()}};
    return "no TLSA record matches; the server has tlsa=" + format_tlsa(record);
}

std::string describe(X509_STORE_CTX* context, const TlsIdentity& identity) {
    const int error = X509_STORE_CTX_get_error(context);
    switch (error) {
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return "certificate is not for " + identity.name;
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return "certificate has expired";
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return "certificate is not yet valid";
        case X509_V_ERR_EE_KEY_TOO_SMALL:
        case X509_V_ERR_CA_KEY_TOO_SMALL:
            return "certificate has a key that is too weak";
        case X509_V_ERR_CA_MD_TOO_WEAK:
            return "certificate has a signature that is too weak";
        case X509_V_ERR_DANE_NO_MATCH:
            return describe_tlsa_mismatch(X509_STORE_CTX_get0_cert(context));
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return std::string("certificate is of no trusted authority; ") +
                   X509_verify_cert_error_string(error);
        default:
            return std::string("certificate refused: ") + X509_verify_cert_error_string(error);
    }
}

/// The chain that OpenSSL was set up to build, names, TLSA records and all; then a pin in it.
int verify_chain(X509_STORE_CTX* context, const TlsIdentity& identity, std::string& failure) {
    if (X509_verify_cert(context) != 1) {
        failure = describe(context, identity);
        return 0;
    }
    if (!identity.pins.empty() &&
        !holds_pinned(X509_STORE_CTX_get0_chain(context), identity.pins)) {
        X509_STORE_CTX_set_error(context, X509_V_ERR_CERT_UNTRUSTED);
        failure = describe_pin_mismatch(X509_STORE_CTX_get0_cert(context));
        return 0;
    }
    return 1;
}

/// Pins alone: the pinned certificates among the presented ones are the trust anchors. One that did
/// not sign its way to the leaf anchors nothing, and dates count as ever.
int verify_pinned(X509_STORE_CTX* context, const TlsIdentity& identity, std::string& failure) {
    X509* const leaf = X509_STORE_CTX_get0_cert(context);
    STACK_OF(X509)* const presented = X509_STORE_CTX_get0_untrusted(context);
    const Store anchors(X509_STORE_new());
    bool any = false;
    for (int index = 0; index < sk_X509_num(presented); ++index) {
        X509* const certificate = sk_X509_value(presented, index);
        if (is_pinned(certificate, identity.pins)) {
            X509_STORE_add_cert(anchors.get(), certificate);
            any = true;
        }
    }
    if (!any) {
        X509_STORE_CTX_set_error(context, X509_V_ERR_CERT_UNTRUSTED);
        failure = describe_pin_mismatch(leaf);
        return 0;
    }
    const StoreContext inner(X509_STORE_CTX_new());
    // Above a pinned leaf nothing counts: not an expired authority, nor another one of the same
    // name.
    X509_STORE_CTX_init(
        inner.get(), anchors.get(), leaf, is_pinned(leaf, identity.pins) ? nullptr : presented
    );
    X509_STORE_CTX_set_default(inner.get(), "ssl_server");
    X509_STORE_CTX_set_flags(inner.get(), X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_auth_level(
        X509_STORE_CTX_get0_param(inner.get()),
        X509_VERIFY_PARAM_get_auth_level(X509_STORE_CTX_get0_param(context))
    );
    if (X509_verify_cert(inner.get()) == 1) {
        X509_STORE_CTX_set_error(context, X509_V_OK);
        return 1;
    }
    const int error = X509_STORE_CTX_get_error(inner.get());
    const bool is_unanchored = error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
                               error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
                               error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
                               error == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
                               error == X509_V_ERR_CERT_SIGNATURE_FAILURE;
    X509_STORE_CTX_set_error(context, error);
    failure = is_unanchored ? describe_pin_mismatch(leaf) : describe(context, identity);
    return 0;
}

int verify(X509_STORE_CTX* context, void* argument) {
    const auto& identity = *static_cast<const TlsIdentity*>(argument);
    const bool pins_alone =
        identity.name.empty() && identity.tlsa.empty() && !identity.pins.empty();
    std::string failure;
    const int result = pins_alone ? verify_pinned(context, identity, failure)
                                  : verify_chain(context, identity, failure);
    if (result != 1) {
        auto* const ssl = static_cast<SSL*>(
            X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx())
        );
        set_verify_failure(ssl, failure);
    }
    return result;
}

}  // namespace

void verify_peers(SSL_CTX* context, const TlsIdentity& identity) {
    expect_name(SSL_CTX_get0_param(context), identity.name);
    if (!identity.tlsa.empty()) {
        SSL_CTX_dane_enable(context);
        SSL_CTX_dane_set_flags(context, DANE_FLAG_NO_DANE_EE_NAMECHECKS);  // RFC 7671 section 5.1
    }
    const bool is_required = identity.profile == policy::Profile::strict;
    // SSL_VERIFY_NONE asks the verifier as well, and goes on whatever it says.
    SSL_CTX_set_verify(context, is_required ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    if (is_required || identity.is_known()) {
        SSL_CTX_set_cert_verify_callback(
            context, verify, const_cast<TlsIdentity*>(&identity)  // NOLINT: read only, in void*
        );
    }
}

void expect_server(SSL* ssl, const TlsIdentity& identity) {
    const bool has_dns_name = !identity.name.empty() && !is_ip_address(identity.name);
    if (has_dns_name) {
        SSL_set_tlsext_host_name(ssl, identity.name.c_str());
    }
    if (identity.tlsa.empty()) {
        return;
    }
    // One that cannot be used must not be left out: without any, OpenSSL would verify without DANE.
    bool is_usable = SSL_dane_enable(ssl, has_dns_name ? identity.name.c_str() : nullptr) == 1;
    for (const TlsaRecord& record : identity.tlsa) {
        is_usable = is_usable && SSL_dane_tlsa_add(
                                     ssl,
                                     record.usage,
                                     record.selector,
                                     record.matching,
                                     record.data.data(),
                                     record.data.size()
                                 ) == 1;
        if (!is_usable) {
            throw ConfigError(
                "--upstream: \"tlsa=" + format_tlsa(record) +
                "\" cannot be used: " + describe_openssl_failure()
            );
        }
    }
}

}  // namespace dotpair::net
