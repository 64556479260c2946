// SPDX-License-Identifier: MIT
#include "common/error.hpp"
#include "common/net/tls_context.hpp"
#include "common/net/tls_errors.hpp"
#include "common/net/tls_policy.hpp"
#include "common/net/tls_verifier.hpp"

#include <openssl/err.h>

#include <ctime>
#include <deque>
#include <utility>

namespace dotpair::net {
namespace {

using Ticket = std::unique_ptr<SSL_SESSION, OpenSslDeleter<SSL_SESSION_free>>;

constexpr std::size_t max_tickets = 8;

bool is_usable(SSL_SESSION* ticket) {
    const long age = std::time(nullptr) - SSL_SESSION_get_time(ticket);
    auto lifetime = static_cast<long>(SSL_SESSION_get_ticket_lifetime_hint(ticket));
    if (lifetime == 0 && SSL_SESSION_get_protocol_version(ticket) < TLS1_3_VERSION) {
        lifetime =
            SSL_SESSION_get_timeout(ticket);  // zero says nothing there (RFC 5077 section 3.3)
    }
    return SSL_SESSION_is_resumable(ticket) == 1 && age >= 0 && age < lifetime;
}

void load_trust(SSL_CTX* context, const std::string& ca_file) {
    if (ca_file.empty()) {
        SSL_CTX_set_default_verify_paths(context);
        ERR_clear_error();
    } else if (SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr) != 1) {
        throw ConfigError("--ca-file: \"" + ca_file + "\": " + describe_openssl_failure());
    }
}

}  // namespace

struct TlsClientContext::State {
    TlsIdentity identity;
    std::deque<Ticket> tickets;  // the newest last
    SslContext context;          // goes first: it refers to the others
};

namespace {

/// Called when a ticket arrives: with TLS 1.3 some time after the handshake. One means "the session
/// is mine now".
template <typename State>
int keep_ticket(SSL* ssl, SSL_SESSION* session) {
    auto& state = *static_cast<State*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    state.tickets.emplace_back(session);
    if (state.tickets.size() > max_tickets) {
        state.tickets.pop_front();
    }
    return 1;
}

}  // namespace

TlsClientContext::TlsClientContext(const TlsIdentity& identity)
    : state_(std::make_unique<State>()) {
    state_->identity = identity;
    std::string& name = state_->identity.name;
    if (name.ends_with('.')) {
        name.pop_back();  // neither SNI nor certificates write the root's
    }
    state_->context = make_context(TLS_client_method());
    SSL_CTX* const context = state_->context.get();
    // The trust store is a megabyte and 10 ms: read only where it is asked.
    if (identity.authenticate && !identity.name.empty()) {
        load_trust(context, identity.ca_file);
    }
    verify_peers(context, state_->identity);
    SSL_CTX_set_alpn_protos(context, alpn_dot.data(), alpn_dot.size());
    SSL_CTX_set_app_data(context, state_.get());
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_ticket<State>);
}

TlsClientContext::TlsClientContext(TlsClientContext&&) noexcept = default;
TlsClientContext& TlsClientContext::operator=(TlsClientContext&&) noexcept = default;
TlsClientContext::~TlsClientContext() = default;

TlsSession TlsClientContext::start_session() {
    SSL* const ssl = SSL_new(state_->context.get());
    SSL_set_connect_state(ssl);
    announce_name(ssl, state_->identity.name);
    while (!state_->tickets.empty()) {
        const Ticket ticket = std::move(state_->tickets.back());
        state_->tickets.pop_back();
        if (is_usable(ticket.get())) {
            SSL_set_session(ssl, ticket.get());
            break;
        }
    }
    return TlsSession(ssl);
}

std::size_t TlsClientContext::ticket_count() const {
    return state_->tickets.size();
}

}  // namespace dotpair::net
