// SPDX-License-Identifier: MIT
#include "tests/support/simulated_upstream.hpp"

#include "common/dns/frame_reader.hpp"
#include "common/dns/message_view.hpp"

#include <chrono>

namespace dotpair::test {
namespace {

using namespace std::chrono_literals;

constexpr auto retransmission = 200ms;
constexpr auto patience_of_kernel = 10s;

std::vector<Octets> messages_of(dns::ConstBytes frames) {
    std::vector<Octets> messages;
    while (!frames.empty()) {
        const std::size_t size = dns::read_u16(frames.data());
        const auto message = frames.subspan(dns::frame_header_size, size);
        messages.emplace_back(message.begin(), message.end());
        frames = frames.subspan(dns::frame_header_size + size);
    }
    return messages;
}

}  // namespace

void SimulatedStream::plan(policy::Duration delay, void (SimulatedStream::*what)()) {
    clock_.after(delay, [this, what, life = std::weak_ptr(life_)] {
        if (!life.expired() && state_ != State::closed) {
            (this->*what)();
        }
    });
}

void SimulatedStream::connect(const net::Endpoint& to, net::Security /*security*/) {
    endpoint_ = to;
    ++upstream_.dialed;
    used_at_ = clock_.now();
    answers_left_ = 1 + clock_.below(20);
    plan(upstream_.round_trip, &SimulatedStream::reach_server);
    plan(settings_.open_timeout, &SimulatedStream::give_up);
}

void SimulatedStream::reach_server() {
    switch (upstream_.mood) {
        case Mood::silent:
            is_handshake_lost_ = true;
            return plan(1s, &SimulatedStream::reach_server);  // as the kernel sends SYNs
        case Mood::refusing:
            return end(policy::ConnectionEnd::refused);
        default:
            is_handshake_lost_ = false;
            state_ = State::handshaking;
            plan(upstream_.round_trip, &SimulatedStream::finish_handshake);
    }
}

void SimulatedStream::finish_handshake() {
    switch (upstream_.mood) {
        case Mood::silent:
            is_handshake_lost_ = true;
            return plan(retransmission, &SimulatedStream::finish_handshake);
        case Mood::tarpit:
            return;
        case Mood::refusing:
            return end(policy::ConnectionEnd::reset);
        case Mood::impostor:
            is_unproven_ = true;
            return end(policy::ConnectionEnd::broken);
        default:
            state_ = State::open;
            was_open_ = true;
            used_at_ = clock_.now();
            owner_.on_connected(*this);
    }
}

void SimulatedStream::give_up() {
    if (!was_open_) {
        end(policy::ConnectionEnd::broken);
    }
}

/// As a turn ends: behind whoever is writing now.
void SimulatedStream::queries_changed() {
    if (!flush_planned_) {
        flush_planned_ = true;
        plan(0s, &SimulatedStream::flush);
    }
}

void SimulatedStream::flush() {
    flush_planned_ = false;
    end_if_idle();
    if (state_ != State::open || outbox_.size() == 0) {
        return;
    }
    for (Octets& message : messages_of(outbox_.frames())) {
        under_way_.push_back(std::move(message));
    }
    written_ += outbox_.size();
    outbox_.take(outbox_.size());
    used_at_ = clock_.now();
    if (!delivery_planned_) {
        delivery_planned_ = true;
        plan(upstream_.round_trip / 2, &SimulatedStream::deliver);
    }
    if (ids_.pending_count() > 0) {
        watch_.wrote(written_, clock_.now());
        owner_.on_sent(*this);
    }
}

void SimulatedStream::deliver() {
    if (has_lost_path_ || upstream_.mood == Mood::silent) {
        blocked_since_ = std::min(blocked_since_, clock_.now());
        if (clock_.now() - blocked_since_ > patience_of_kernel) {
            return end(policy::ConnectionEnd::broken);
        }
        return plan(retransmission, &SimulatedStream::deliver);
    }
    delivery_planned_ = false;
    blocked_since_ = policy::TimePoint::max();
    if (upstream_.mood == Mood::refusing) {
        return end(policy::ConnectionEnd::reset);
    }
    acked_ = written_;
    for (const Octets& query : std::exchange(under_way_, {})) {
        serve(query);
    }
}

void SimulatedStream::serve(const Octets& query) {
    ++upstream_.asked[dns::inspect(query).question_hash];
    if (upstream_.mood == Mood::mute) {
        return;
    }
    const policy::Duration thought = upstream_.mood == Mood::slow ? clock_.up_to(3s) : 0s;
    const bool is_garbled = upstream_.mood == Mood::garbling && clock_.below(3) == 0;
    clock_.after(
        upstream_.round_trip / 2 + thought,
        [this, query, is_garbled, life = std::weak_ptr(life_)] {
            if (!life.expired() && state_ == State::open && !has_lost_path_ &&
                upstream_.mood != Mood::silent) {
                arrive(query, is_garbled);
            }
        }
    );
}

void SimulatedStream::arrive(const Octets& query, bool is_garbled) {
    if (!held_.empty()) {
        ++out_of_order_;
        held_.push_back(query);
    } else if (upstream_.answers_to_lose > 0) {
        --upstream_.answers_to_lose;
        held_.push_back(query);
        plan(retransmission, &SimulatedStream::repair);
    } else {
        answer(query, is_garbled);
    }
}

void SimulatedStream::repair() {
    for (const Octets& query : std::exchange(held_, {})) {
        if (state_ == State::open) {
            answer(query, false);
        }
    }
}

void SimulatedStream::answer(const Octets& query, bool is_garbled) {
    MessageBuilder message(dns::read_u16(query.data()), 0x8180);
    if (is_garbled) {
        message.question(name("another.test"), 1);
    } else {
        const auto end = static_cast<std::ptrdiff_t>(dns::inspect(query).question_end);
        message.raw({query.begin() + dns::header_size, query.begin() + end});
        message.count(Section::question, 1);
    }
    Octets octets = message.octets();
    used_at_ = clock_.now();
    has_answered_ = owner_.on_answer(*this, octets) || has_answered_;
    if (ids_.pending_count() == 0) {
        watch_.settle();
    }
    owner_.on_answers_end();
    if (state_ != State::open) {
        return;
    }
    const bool closes = upstream_.mood == Mood::closing || upstream_.mood == Mood::resetting;
    if (closes && --answers_left_ == 0) {
        return end(
            upstream_.mood == Mood::closing ? policy::ConnectionEnd::orderly
                                            : policy::ConnectionEnd::reset
        );
    }
    end_if_idle();
}

policy::PathWatch::Change SimulatedStream::look_at_path(
    policy::LearnedAckDelay& ack_delay, bool is_lossy, policy::Duration lateness
) {
    policy::PathFacts facts;
    facts.acked = acked_;
    facts.in_flight = acked_ < written_ ? 1 : 0;
    facts.rtt = facts.min_rtt = upstream_.round_trip;
    facts.rtt_variation = upstream_.round_trip / 4;
    facts.is_acknowledged_at_once = true;
    facts.out_of_order = out_of_order_;
    facts.is_lossy = is_lossy;
    facts.lateness = lateness;
    return watch_.look(facts, ack_delay, clock_.now());
}

void SimulatedStream::limit_idle_time(policy::Duration told) {
    retiring_ = told == policy::Duration::zero();
    queries_changed();
}

void SimulatedStream::end_if_idle() {
    if (retiring_ && state_ == State::open && ids_.pending_count() == 0) {
        state_ = State::closed;
        owner_.on_disconnected(*this, was_open_, end_asked_for);
    }
}

void SimulatedStream::end(policy::ConnectionEnd how) {
    if (state_ != State::closed) {
        state_ = State::closed;
        ending_ = how;
        const bool is_orderly = how == policy::ConnectionEnd::orderly;
        owner_.on_disconnected(*this, was_open_, is_orderly ? end_of_stream : "gone");
    }
}

}  // namespace dotpair::test
