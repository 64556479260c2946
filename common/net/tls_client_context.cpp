// SPDX-License-Identifier: MIT
#include "common/error.hpp"
#include "common/net/tls_context.hpp"
#include "common/net/tls_errors.hpp"
#include "common/net/tls_policy.hpp"
#include "common/net/tls_verifier.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <deque>
#include <exception>
#include <utility>
#include <vector>

namespace dotpair::net {
namespace {

using Ticket = std::unique_ptr<SSL_SESSION, OpenSslDeleter<SSL_SESSION_free>>;
using Ssl = std::unique_ptr<SSL, OpenSslDeleter<SSL_free>>;

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

/// The trust store is a megabyte and 10 ms: read only where it is asked.
bool needs_trust_store(const TlsIdentity& identity) {
    return !identity.name.empty() &&
           (identity.tlsa.empty() ||
            std::ranges::any_of(identity.tlsa, &TlsaRecord::needs_trust_store));
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
    std::unique_ptr<TicketShelf> shelf;  // may be null
    const SSL* last_giver = nullptr;     // of a ticket to the shelf; perhaps gone
    std::deque<Ticket> tickets;          // the newest last
    std::uintptr_t generation = 0;       // of sessions whose tickets are kept
    SslContext context;                  // goes first: it refers to the others

    Ssl make_session() const;
    Ticket take_ticket();
    void put_on_shelf(SSL_SESSION* ticket);
    void put_all_on_shelf();
};

Ssl TlsClientContext::State::make_session() const {
    Ssl ssl(SSL_new(context.get()));
    SSL_set_connect_state(ssl.get());
    SSL_set_app_data(ssl.get(), reinterpret_cast<void*>(generation));  // NOLINT: a number
    expect_server(ssl.get(), identity);
    return ssl;
}

/// Nothing when there is none that can be used. What cannot is gone.
Ticket TlsClientContext::State::take_ticket() {
    while (!tickets.empty()) {
        Ticket ticket = std::move(tickets.back());
        tickets.pop_back();
        if (is_usable(ticket.get())) {
            return ticket;
        }
    }
    while (auto octets = shelf ? shelf->take() : std::nullopt) {
        const unsigned char* at = octets->data();
        Ticket ticket(d2i_SSL_SESSION(nullptr, &at, static_cast<long>(octets->size())));
        OPENSSL_cleanse(octets->data(), octets->size());
        if (ticket && is_usable(ticket.get())) {
            return ticket;
        }
        ERR_clear_error();
    }
    return nullptr;
}

void TlsClientContext::State::put_on_shelf(SSL_SESSION* ticket) {
    const int size = i2d_SSL_SESSION(ticket, nullptr);
    if (size <= 0) {
        return;
    }
    std::vector<std::uint8_t> octets(static_cast<std::size_t>(size));
    unsigned char* at = octets.data();
    i2d_SSL_SESSION(ticket, &at);
    shelf->put(std::move(octets));
}

void TlsClientContext::State::put_all_on_shelf() {
    for (const Ticket& ticket : tickets) {
        if (shelf && is_usable(ticket.get())) {
            put_on_shelf(ticket.get());
        }
    }
    tickets.clear();
}

namespace {

/// Called when a ticket arrives: with TLS 1.3 some time after the handshake. One means "the session
/// is mine now". None is kept of a server that did not prove who it is, so that the next connection
/// asks again, and none from before drop_tickets().
template <typename State>
int keep_ticket(SSL* ssl, SSL_SESSION* session) {
    auto& state = *static_cast<State*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    const auto generation = reinterpret_cast<std::uintptr_t>(SSL_get_app_data(ssl));
    if (generation != state.generation || !verify_failure(ssl).empty()) {
        return 0;
    }
    if (state.shelf && !state.tickets.empty() && state.last_giver != ssl) {
        state.last_giver = ssl;
        try {
            state.put_on_shelf(session);
        } catch (const std::exception& error) {  // OpenSSL is no C++
            spdlog::warn("ticket not kept reason=\"{}\"", error.what());
        }
        return 0;
    }
    state.tickets.emplace_back(session);
    if (state.tickets.size() > max_tickets) {
        state.tickets.pop_front();
    }
    return 1;
}

}  // namespace

TlsClientContext::TlsClientContext(const TlsIdentity& identity, std::unique_ptr<TicketShelf> shelf)
    : state_(std::make_unique<State>()) {
    state_->identity = identity;
    state_->shelf = std::move(shelf);
    std::string& name = state_->identity.name;
    if (name.ends_with('.')) {
        name.pop_back();  // neither SNI nor certificates write the root's
    }
    state_->context = make_context(TLS_client_method());
    SSL_CTX* const context = state_->context.get();
    if (needs_trust_store(identity)) {
        load_trust(context, identity.ca_file);
    }
    verify_peers(context, state_->identity);
    SSL_CTX_set_alpn_protos(context, alpn_dot.data(), alpn_dot.size());
    SSL_CTX_set_app_data(context, state_.get());
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, keep_ticket<State>);
    state_->make_session();  // throws now what it would throw then
}

TlsClientContext::TlsClientContext(TlsClientContext&&) noexcept = default;

TlsClientContext& TlsClientContext::operator=(TlsClientContext&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
}

TlsClientContext::~TlsClientContext() {
    if (state_) {
        state_->put_all_on_shelf();
    }
}

TlsSession TlsClientContext::start_session(bool may_be_early) {
    Ssl ssl = state_->make_session();
    if (const Ticket ticket = state_->take_ticket()) {
        SSL_set_session(ssl.get(), ticket.get());
    }
    return TlsSession(ssl.release(), may_be_early);
}

TlsSession TlsClientContext::start_fresh_session() {
    return TlsSession(state_->make_session().release());
}

void TlsClientContext::drop_tickets() {
    state_->tickets.clear();
    if (state_->shelf) {
        state_->shelf->drop();
    }
    ++state_->generation;
}

std::size_t TlsClientContext::ticket_count() const {
    return state_->tickets.size();
}

}  // namespace dotpair::net
