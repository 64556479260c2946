// SPDX-License-Identifier: MIT
#include "common/net/ocsp_staple.hpp"

#include "common/error.hpp"
#include "common/net/tls_attachment.hpp"
#include "common/net/tls_policy.hpp"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <utility>

namespace dotpair::net {
namespace {

using Staples = const std::vector<OcspStaple>;
using Response = std::unique_ptr<OCSP_RESPONSE, OpenSslDeleter<OCSP_RESPONSE_free>>;
using Basic = std::unique_ptr<OCSP_BASICRESP, OpenSslDeleter<OCSP_BASICRESP_free>>;
using CertificateId = std::unique_ptr<OCSP_CERTID, OpenSslDeleter<OCSP_CERTID_free>>;

constexpr std::size_t largest_response = std::size_t{64} * 1024;

std::vector<unsigned char> read_octets(const std::string& file, const std::string& where) {
    std::ifstream input(file, std::ios::binary);
    if (!input) {
        throw ConfigError(where + std::strerror(errno));
    }
    std::vector<unsigned char> octets(largest_response + 1);
    input.read(reinterpret_cast<char*>(octets.data()), static_cast<std::streamsize>(octets.size()));
    octets.resize(static_cast<std::size_t>(input.gcount()));
    return octets;
}

Basic parse(const std::vector<unsigned char>& der, const std::string& where) {
    const unsigned char* position = der.data();
    const Response response(d2i_OCSP_RESPONSE(nullptr, &position, static_cast<long>(der.size())));
    ERR_clear_error();
    if (!response || position != der.data() + der.size()) {
        throw ConfigError(where + "is no OCSP response in DER");
    }
    const int status = OCSP_response_status(response.get());
    if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        throw ConfigError(
            where + "says \"" + OCSP_response_status_str(status) + "\" instead of a status"
        );
    }
    Basic basic(OCSP_response_get1_basic(response.get()));
    ERR_clear_error();
    if (!basic) {
        throw ConfigError(where + "is no basic OCSP response");
    }
    return basic;
}

/// By all that an ID holds; without the issuer at hand, by the serial number alone.
bool is_about(OCSP_SINGLERESP* single, const IssuedCertificate& candidate) {
    auto* const id =
        const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single));  // NOLINT: read only
    ASN1_INTEGER* serial = nullptr;
    ASN1_OBJECT* digest = nullptr;
    OCSP_id_get0_info(nullptr, &digest, nullptr, &serial, id);
    if (candidate.issuer == nullptr) {
        return ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(candidate.certificate.get())) == 0;
    }
    const CertificateId expected(OCSP_cert_to_id(
        EVP_get_digestbyobj(digest), candidate.certificate.get(), candidate.issuer.get()
    ));
    ERR_clear_error();
    return expected && OCSP_id_cmp(expected.get(), id) == 0;
}

std::time_t time_of(const ASN1_GENERALIZEDTIME* time) {
    std::tm fields{};
    if (time == nullptr || ASN1_TIME_to_tm(time, &fields) != 1) {
        return std::numeric_limits<std::time_t>::max();
    }
    return ::timegm(&fields);
}

int add_staple(SSL* ssl, void* /*argument*/) {
    X509* const certificate = SSL_get_certificate(ssl);
    for (const OcspStaple& staple : Attachment<Staples>::of(ssl)) {
        if (X509_cmp(staple.certificate.get(), certificate) != 0 ||
            staple.is_stale(std::time(nullptr))) {
            continue;
        }
        void* const copy = OPENSSL_memdup(staple.der.data(), staple.der.size());
        SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(staple.der.size()));
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

OcspStaple read_ocsp_staple(
    const std::string& file, const std::vector<IssuedCertificate>& certificates
) {
    const std::string where = "--ocsp: \"" + file + "\": ";
    OcspStaple staple;
    staple.file = file;
    staple.der = read_octets(file, where);
    const Basic basic = parse(staple.der, where);
    for (int index = 0; index < OCSP_resp_count(basic.get()); ++index) {
        OCSP_SINGLERESP* const single = OCSP_resp_get0(basic.get(), index);
        const auto match = std::ranges::find_if(certificates, [&](const auto& candidate) {
            return is_about(single, candidate);
        });
        if (match != certificates.end()) {
            ASN1_GENERALIZEDTIME* next_update = nullptr;
            const int status =
                OCSP_single_get0_status(single, nullptr, nullptr, nullptr, &next_update);
            staple.certificate = match->certificate;
            staple.until = time_of(next_update);
            staple.is_revoked = status == V_OCSP_CERTSTATUS_REVOKED;
            return staple;
        }
    }
    throw ConfigError(where + "is about none of the certificates");
}

void staple_ocsp(SSL_CTX* context, std::shared_ptr<Staples> staples) {
    Attachment<Staples>::attach(context, std::move(staples));
    SSL_CTX_set_tlsext_status_cb(context, add_staple);
}

}  // namespace dotpair::net
