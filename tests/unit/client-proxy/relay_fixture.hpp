// SPDX-License-Identifier: MIT
#pragma once

#include "client-proxy/query_relay.hpp"
#include "tests/support/options_of.hpp"

#include <array>
#include <stdexcept>

namespace dotpair::test {

/// A relay with one connection, and the app and the upstream at its two ends.
class RelayFixture {
public:
    using Relay = client::QueryRelay;
    using Transport = client::Transport;
    using Kind = Relay::Accepted::Kind;

    static constexpr policy::TimePoint start{std::chrono::hours(1)};
    static constexpr std::chrono::seconds timeout{4};

    explicit RelayFixture(
        policy::EdnsMode edns = policy::EdnsMode::managed,
        std::size_t max = 100,
        policy::Padding padding = policy::Padding::edns
    )
        : relay({edns, padding, max, timeout, 300}) {}

    explicit RelayFixture(const Relay::Settings& settings) : relay(settings) {}

    Relay::Accepted accept(
        const Octets& message, Transport from = Transport::udp, policy::TimePoint now = start
    ) {
        return relay.accept_query(message, from, now, scratch);
    }

    /// For messages that are queries.
    client::QueryId query(
        const MessageBuilder& message,
        Transport from = Transport::udp,
        policy::TimePoint now = start
    ) {
        const auto accepted = accept(message.octets(), from, now);
        if (accepted.kind != Kind::query) {
            throw std::logic_error("not accepted as a query");
        }
        return accepted.query;
    }

    Octets answered(const Relay::Accepted& accepted) const {
        return {
            scratch.begin(), scratch.begin() + static_cast<std::ptrdiff_t>(accepted.answer_size)};
    }

    /// Writes the query; what went to the upstream, without the frame's length.
    Octets write(client::QueryId id, std::uint32_t connection = 1) {
        outbox.take(outbox.size());
        if (!relay.write_query(id, ids, outbox, connection)) {
            throw std::logic_error("no ID for it");
        }
        return unframed();
    }

    Octets unframed() {
        const auto frame = outbox.frames();
        if (dns::read_u16(frame.data()) + dns::frame_header_size != frame.size()) {
            throw std::logic_error("not one frame");
        }
        return {frame.begin() + dns::frame_header_size, frame.end()};
    }

    /// What the upstream is sent for a message.
    Octets forwarded(const MessageBuilder& message, Transport from = Transport::udp) {
        return write(query(message, from));
    }

    /// The upstream's answer, with the wire ID put in, as the app gets it.
    Octets finish(
        client::QueryId id, const MessageBuilder& message, Transport to = Transport::udp
    ) {
        Octets answer = with_id(message.octets(), relay.written(id)->wire_id);
        const auto match = relay.match_answer(ids, answer);
        if (match.kind != Relay::Match::Kind::answer || match.query != id) {
            throw std::logic_error("the answer is not this query's");
        }
        if (to == Transport::udp) {
            const auto left = relay.finish_in_place(id, answer);
            return {left.begin(), left.end()};
        }
        outbox.take(outbox.size());
        relay.finish_into(id, answer, outbox);
        return unframed();
    }

    /// From the app to the upstream and back.
    Octets exchange(
        const MessageBuilder& asked, const MessageBuilder& answer, Transport over = Transport::udp
    ) {
        const auto id = query(asked, over);
        write(id);
        return finish(id, answer, over);
    }

    Relay relay;
    policy::PendingQueries ids{100};
    policy::Outbox outbox;
    std::array<std::uint8_t, dns::max_error_answer> scratch{};
};

}  // namespace dotpair::test
