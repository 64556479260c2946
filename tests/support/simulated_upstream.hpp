// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/query_stream.hpp"
#include "tests/support/message_builder.hpp"
#include "tests/support/simulated_clock.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace dotpair::test {

class SimulatedStream;

/// A DoT server and the way to it, which may change their minds at any moment.
struct SimulatedUpstream {
    enum class Mood : std::uint8_t {
        well,
        silent,     // nothing arrives, nothing comes back
        refusing,   // SYNs, and what is open is reset
        tarpit,     // TCP opens, TLS does not
        mute,       // acknowledges, and answers nothing
        slow,       // answers within 3 s
        garbling,   // every third answer is to another question
        closing,    // in order, after a few answers
        resetting,  // the same with a RST
        impostor,   // fails to prove who it is
    };
    static constexpr unsigned moods = 10;

    Mood mood = Mood::well;
    policy::Duration round_trip{std::chrono::milliseconds(20)};
    /// So many of the next answers get lost; what comes behind them waits until TCP has them again.
    std::size_t answers_to_lose = 0;
    std::vector<SimulatedStream*> streams;    // that exist, the oldest first
    std::size_t dialed = 0;                   // ever
    std::map<std::uint64_t, unsigned> asked;  // how often, by the hash of the question
};

/// A connection to it: what is written arrives half a round trip later, or again and again not.
class SimulatedStream final : public net::QueryStream {
public:
    SimulatedStream(
        SimulatedClock& clock,
        Owner& owner,
        std::size_t peer,
        const net::ConnectionSettings& settings,
        std::size_t max_queries,
        SimulatedUpstream& upstream
    )
        : QueryStream(peer, max_queries),
          clock_(clock),
          owner_(owner),
          settings_(settings),
          upstream_(upstream) {
        upstream_.streams.push_back(this);
    }

    ~SimulatedStream() override { std::erase(upstream_.streams, this); }

    void connect(const net::Endpoint& to, net::Security /*security*/) override;

    void connect(std::vector<net::Endpoint>, net::ConnectionRace::MakeSecurity) override {}

    void add_addresses(const std::vector<net::Endpoint>&) override {}

    const net::Endpoint& endpoint() const override { return endpoint_; }

    bool is_open() const override { return state_ == State::open; }

    bool is_connecting() const override { return state_ == State::connecting; }

    bool is_retiring() const override { return retiring_; }

    bool can_take_query() override { return is_open() && !retiring_ && !ids_.is_full(); }

    bool is_sick() const override { return ids_.abandoned_count() > 50; }

    bool was_answered() const override { return state_ != State::connecting; }

    bool said_hello_in_syn() const override { return false; }

    policy::ConnectionEnd ending() const override { return ending_; }

    bool has_answered() const override { return has_answered_; }

    policy::PathWatch::Change look_at_path(
        policy::LearnedAckDelay& ack_delay, bool is_lossy, policy::Duration lateness
    ) override;

    std::size_t recent_octets() override { return outbox_.size(); }

    void put_one_message_per_record() override { settings_.one_message_per_record = true; }

    bool puts_one_message_per_record() const { return settings_.one_message_per_record; }

    bool is_unacknowledged() override { return is_open() ? acked_ < written_ : is_handshake_lost_; }

    policy::Outbox& outbox() override { return outbox_; }

    void queries_changed() override;
    void limit_idle_time(policy::Duration told) override;

    policy::Duration idle_time() const override { return clock_.now() - used_at_; }

    policy::Duration unfinished_for() const override { return {}; }

    net::TlsFacts tls_facts() const override {
        return {"TLSv1.3", "simulated", "dot", false, {}, {}};
    }

    bool is_encrypted() const override { return true; }

    bool is_unproven() const override { return is_unproven_; }

    std::optional<policy::TransportFailure> upgrade_failure() const override { return {}; }

    void close() override { state_ = State::closed; }

    /// Nothing arrives any more, either way: a NAT has forgotten it.
    void lose_path() { has_lost_path_ = true; }

    /// Its server has ended, as a process or as a host.
    void die(policy::ConnectionEnd how) { end(how); }

private:
    enum class State : std::uint8_t { connecting, handshaking, open, closed };
    using Mood = SimulatedUpstream::Mood;

    void plan(policy::Duration delay, void (SimulatedStream::*what)());
    void reach_server();
    void finish_handshake();
    void flush();
    void deliver();
    void serve(const Octets& query);
    void arrive(const Octets& query, bool is_garbled);
    void repair();
    void answer(const Octets& query, bool is_garbled);
    void give_up();
    void end(policy::ConnectionEnd how);
    void end_if_idle();

    SimulatedClock& clock_;
    Owner& owner_;
    net::ConnectionSettings settings_;
    SimulatedUpstream& upstream_;
    net::Endpoint endpoint_;
    policy::Outbox outbox_;
    std::vector<Octets> under_way_;  // to the server
    std::vector<Octets> held_;       // whose answers wait for the first of them
    std::uint32_t out_of_order_ = 0;
    State state_ = State::connecting;
    policy::ConnectionEnd ending_ = policy::ConnectionEnd::broken;
    bool was_open_ = false;
    bool retiring_ = false;
    bool has_answered_ = false;
    bool is_unproven_ = false;
    bool is_handshake_lost_ = false;
    bool has_lost_path_ = false;
    bool flush_planned_ = false;
    bool delivery_planned_ = false;
    std::uint64_t written_ = 0;
    std::uint64_t acked_ = 0;
    std::size_t answers_left_ = 0;
    policy::TimePoint used_at_{};
    policy::TimePoint blocked_since_ = policy::TimePoint::max();
    std::shared_ptr<int> life_ = std::make_shared<int>();
};

}  // namespace dotpair::test
