// SPDX-License-Identifier: MIT
#include "common/policy/starttls_server.hpp"

namespace dotpair::policy {
namespace {

// A TLS record with a handshake message begins with its type and the major version (RFC 8446
// section 5.1), whatever the minor one.
constexpr std::uint8_t handshake_record = 0x16;
constexpr std::uint8_t tls_major_version = 0x03;
constexpr std::size_t client_hello_as_length = handshake_record << 8 | tls_major_version;

/// As far as it has arrived.
bool may_be_client_hello(dns::ConstBytes bytes) {
    return bytes[0] == handshake_record && (bytes.size() < 2 || bytes[1] == tls_major_version);
}

}  // namespace

StarttlsOrder StarttlsServer::on_frame_begin(std::size_t length) {
    switch (state_) {
        case State::refused:
            return length == client_hello_as_length ? close("a TLS handshake after NO_TLS")
                                                    : StarttlsOrder::read_on;
        case State::handshaking:
            return close("a message in clear during the TLS handshake");
        case State::over:
            return StarttlsOrder::close;
        case State::first_message:
        case State::in_clear:
        case State::secured:
            break;
    }
    return StarttlsOrder::read_on;
}

StarttlsOrder StarttlsServer::on_message(dns::ConstBytes message, dns::ConstBytes behind) {
    // So large a one may have come whole, out of what was a ClientHello and more.
    if (on_frame_begin(message.size()) == StarttlsOrder::close) {
        return StarttlsOrder::close;
    }
    switch (state_) {
        case State::first_message:
            return on_first_message(message, behind);
        case State::in_clear:
        case State::refused:
            return on_clear_message(message);
        case State::handshaking:
        case State::secured:
        case State::over:
            break;
    }
    return StarttlsOrder::pass;
}

StarttlsOrder StarttlsServer::on_first_message(dns::ConstBytes message, dns::ConstBytes behind) {
    const dns::StarttlsQuery query = dns::read_starttls_query(message);
    const bool asks_for_tls =
        query == dns::StarttlsQuery::with_bit ||
        (query == dns::StarttlsQuery::without_bit && settings_.accepts_prototypes);
    if (!asks_for_tls || !settings_.willing) {
        return on_clear_message(message);
    }
    if (!behind.empty() && !may_be_client_hello(behind)) {
        return close("octets in clear behind the query for TLS");
    }
    return answer(message, true);
}

/// The bit means nothing any more, but the question is still one for us (P-152).
StarttlsOrder StarttlsServer::on_clear_message(dns::ConstBytes message) {
    if (dns::read_starttls_query(message) != dns::StarttlsQuery::none) {
        return answer(message, false);
    }
    state_ = State::in_clear;
    return StarttlsOrder::pass;
}

StarttlsOrder StarttlsServer::answer(dns::ConstBytes query, bool accept) {
    message_size_ = dns::make_starttls_answer(query, accept, message_);
    state_ = accept ? State::handshaking : State::refused;
    return accept ? StarttlsOrder::send_and_handshake : StarttlsOrder::send;
}

StarttlsOrder StarttlsServer::on_handshake_done() {
    if (state_ == State::over) {
        return StarttlsOrder::close;
    }
    if (state_ == State::handshaking) {
        state_ = State::secured;
    }
    return StarttlsOrder::read_on;
}

StarttlsOrder StarttlsServer::on_handshake_failed() {
    if (state_ == State::over) {
        return StarttlsOrder::close;
    }
    return state_ == State::handshaking ? close("the TLS handshake failed")
                                        : StarttlsOrder::read_on;
}

StarttlsOrder StarttlsServer::on_closed() {
    return state_ == State::over ? StarttlsOrder::close : close("the connection has ended");
}

StarttlsOrder StarttlsServer::close(std::string_view reason) {
    state_ = State::over;
    reason_ = reason;
    return StarttlsOrder::close;
}

}  // namespace dotpair::policy
