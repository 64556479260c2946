// SPDX-License-Identifier: MIT
#include "common/policy/starttls_client.hpp"

namespace dotpair::policy {

StarttlsOrder StarttlsClient::on_connected(TimePoint now) {
    if (state_ == State::over) {
        return StarttlsOrder::close;
    }
    if (state_ != State::connecting) {
        return StarttlsOrder::read_on;
    }
    state_ = State::waiting;
    deadline_ = now + settings_.answer_timeout;
    message_size_ = dns::make_starttls_query(id_, settings_.variant, message_);
    return StarttlsOrder::send;
}

/// A server speaks when it was asked, and only in TLS once that has begun.
bool StarttlsClient::expects_nothing() const {
    return state_ == State::connecting || state_ == State::handshaking;
}

StarttlsOrder StarttlsClient::on_frame_begin(std::size_t length) {
    if (state_ == State::over) {
        return StarttlsOrder::close;
    }
    const bool is_too_long = state_ == State::waiting && length > dns::max_starttls_message;
    return expects_nothing() || is_too_long ? close(Outcome::misbehaved) : StarttlsOrder::read_on;
}

StarttlsOrder StarttlsClient::on_message(dns::ConstBytes message, std::size_t behind) {
    if (on_frame_begin(message.size()) == StarttlsOrder::close) {
        return StarttlsOrder::close;
    }
    return state_ == State::waiting ? on_answer(message, behind) : StarttlsOrder::pass;
}

StarttlsOrder StarttlsClient::on_answer(dns::ConstBytes message, std::size_t behind) {
    const dns::StarttlsAnswer answer = dns::read_starttls_answer(message, id_, settings_.variant);
    // One question was asked: whoever says more than its answer is not the server alone.
    if (answer == dns::StarttlsAnswer::foreign || behind > 0) {
        return close(Outcome::misbehaved);
    }
    if (answer == dns::StarttlsAnswer::accepted) {
        state_ = State::handshaking;
        return StarttlsOrder::handshake;
    }
    if (settings_.profile == Profile::strict) {
        return close(Outcome::declined);
    }
    state_ = State::in_clear;
    outcome_ = Outcome::declined;
    return StarttlsOrder::open_in_clear;
}

StarttlsOrder StarttlsClient::on_time(TimePoint now) {
    if (state_ == State::over) {
        return StarttlsOrder::close;
    }
    const bool is_late = state_ == State::waiting && now >= deadline_;
    return is_late ? close(Outcome::no_answer) : StarttlsOrder::read_on;
}

StarttlsOrder StarttlsClient::on_handshake_done() {
    if (state_ == State::over) {
        return StarttlsOrder::close;
    }
    if (state_ == State::handshaking) {
        state_ = State::secured;
        outcome_ = Outcome::secured;
    }
    return StarttlsOrder::read_on;
}

StarttlsOrder StarttlsClient::on_handshake_failed() {
    if (state_ == State::over) {
        return StarttlsOrder::close;
    }
    return state_ == State::handshaking ? close(Outcome::no_handshake) : StarttlsOrder::read_on;
}

StarttlsOrder StarttlsClient::on_closed() {
    switch (state_) {
        case State::connecting:
            return close(Outcome::unreachable);
        case State::waiting:
            return close(Outcome::closed);
        case State::handshaking:
            return close(Outcome::no_handshake);
        case State::secured:
        case State::in_clear:
        case State::over:
            break;
    }
    return close(outcome_);
}

std::optional<TimePoint> StarttlsClient::deadline() const {
    return state_ == State::waiting ? std::optional{deadline_} : std::nullopt;
}

std::optional<TransportFailure> StarttlsClient::failure() const {
    switch (outcome_) {
        case Outcome::undecided:
        case Outcome::secured:
            return std::nullopt;
        case Outcome::declined:
            return TransportFailure::declined;
        case Outcome::unreachable:
        case Outcome::no_answer:
        case Outcome::closed:
        case Outcome::misbehaved:
        case Outcome::no_handshake:
            break;
    }
    return TransportFailure::broken;
}

std::string_view StarttlsClient::reason() const {
    switch (outcome_) {
        case Outcome::undecided:
        case Outcome::secured:
            break;
        case Outcome::declined:
            return "STARTTLS: declined by the server";
        case Outcome::unreachable:
            return "STARTTLS: no connection";
        case Outcome::no_answer:
            return "STARTTLS: no answer in time";
        case Outcome::closed:
            return "STARTTLS: closed by the peer";
        case Outcome::misbehaved:
            return "STARTTLS: not the answer alone";
        case Outcome::no_handshake:
            return "STARTTLS: accepted, but the TLS handshake failed";
    }
    return {};
}

StarttlsOrder StarttlsClient::close(Outcome outcome) {
    state_ = State::over;
    outcome_ = outcome;
    return StarttlsOrder::close;
}

}  // namespace dotpair::policy
