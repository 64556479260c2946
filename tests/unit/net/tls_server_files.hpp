// SPDX-License-Identifier: MIT
#pragma once

// A server whose files can change under it, and what a client sees of it.
#include "common/net/tls_context.hpp"
#include "common/net/tls_verifier.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/command_line.hpp"
#include "tests/support/raw_tls.hpp"
#include "tests/support/test_certificates.hpp"
#include "tests/support/tls_pair.hpp"

#include <deque>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dotpair::test {

/// Files of one server; they live as long as this does.
class ServerFiles {
public:
    net::TlsServerSettings settings;

    void add(const TestCertificate& certificate, const std::vector<TestCertificate>& chain = {}) {
        settings.certificate_files.push_back(keep(certificate.pem() + pem_of(chain)));
        settings.key_files.push_back(keep(certificate.key_pem()));
    }

    const std::string& keep(std::string_view text) { return files_.emplace_back(text).path(); }

    static void overwrite(const std::string& path, std::string_view text) {
        std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
    }

private:
    std::deque<TemporaryFile> files_;
};

/// What a client that takes anything is shown.
struct Shown {
    bool is_open = false;
    net::SpkiPin pin{};
    std::string server_error;
    std::string staple;  // of OCSP
};

/// A client whose context a test sets up as it likes.
struct CuriousClient {
    net::SslContext context = net::make_context(TLS_client_method());
    std::string server_name = {};  // SNI; empty: none
    bool wants_staple = false;

    Shown visit(const net::TlsServerContext& server) const {
        RawEnd end = raw_client(context);
        SSL* const ssl = end.ssl;
        if (!server_name.empty()) {
            SSL_set_tlsext_host_name(ssl, server_name.c_str());
        }
        if (wants_staple) {
            SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
        }
        TlsPair pair(std::move(end.session), server.start_session());
        Shown shown;
        shown.is_open = pair.shake_hands();
        shown.server_error = pair.server.session.error_text();
        if (X509* const certificate = SSL_get0_peer_certificate(ssl)) {
            shown.pin = net::pin_of(certificate);
        }
        const char* staple = nullptr;
        const long size = SSL_get_tlsext_status_ocsp_resp(ssl, &staple);
        shown.staple.assign(staple, size > 0 ? static_cast<std::size_t>(size) : 0);
        return shown;
    }
};

inline Shown visit(const net::TlsServerContext& server, const std::string& name = {}) {
    return CuriousClient{.server_name = name}.visit(server);
}

/// Connects, hangs up, and says whether the session was resumed.
inline bool resumes(net::TlsClientContext& client, const net::TlsServerContext& server) {
    TlsPair pair(client.start_session(), server.start_session());
    REQUIRE(pair.shake_hands());
    pair.client.session.close();
    pair.settle();
    return pair.server.session.facts().resumed;
}

inline net::TlsClientContext trusting_client() {
    return net::TlsClientContext(
        {.name = {}, .pins = {}, .ca_file = {}, .profile = policy::Profile::opportunistic}
    );
}

}  // namespace dotpair::test
