// SPDX-License-Identifier: MIT
#pragma once

#include "client-proxy/upstream_pool.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/simulated_upstream.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace dotpair::test {

using namespace std::chrono_literals;

using client::QueryId;
using client::QueryRelay;
using client::UpstreamPool;
using Mood = SimulatedUpstream::Mood;

inline constexpr auto timeout = 4500ms;
inline constexpr auto longest_penalty = 12s;  // 10 s, and jitter

inline client::Config config_of(std::size_t upstreams, policy::UpstreamPolicy order) {
    client::Config config;
    config.query_timeout = timeout;
    config.upstream_policy = order;
    config.keep_warm = 0ms;
    for (std::size_t index = 0; index < upstreams; ++index) {
        const std::string address = "192.0.2." + std::to_string(index + 1);
        config.upstreams.push_back(
            net::parse_upstream("--upstream", address + ",pin=sha256/" + std::string(43, 'A') + "=")
        );
    }
    return config;
}

/// What the pool logs is of no interest here, and much.
class Quiet {
public:
    Quiet() { spdlog::set_level(spdlog::level::off); }

    ~Quiet() { spdlog::set_level(before_); }

    Quiet(const Quiet&) = delete;
    Quiet& operator=(const Quiet&) = delete;

private:
    spdlog::level::level_enum before_ = spdlog::get_level();
};

/// A worker without sockets: what ClientWorker does with the relay and the pool.
class World final : private UpstreamPool::Handler {
public:
    World(unsigned seed, std::size_t count, policy::UpstreamPolicy order)
        : clock(seed),
          upstreams(count),
          config_(config_of(count, order)),
          relay_({policy::EdnsMode::managed, policy::Padding::both, 1000, timeout, 0}),
          pool_(
              {clock,
               [this](auto& owner, std::size_t peer, const auto& settings, std::size_t max) {
                   return std::make_unique<SimulatedStream>(
                       clock, owner, peer, settings, max, upstreams[peer]
                   );
               },
               lookups_},
              relay_,
              *this,
              config_,
              {addresses_}
          ) {}

    /// An app asks; returns the number of the query.
    unsigned ask(dns::Opcode opcode = dns::Opcode::query) {
        const unsigned number = next_++;
        const auto flags = static_cast<std::uint16_t>(static_cast<unsigned>(opcode) << 11U | 0x100);
        const auto message = MessageBuilder(static_cast<std::uint16_t>(number), flags)
                                 .question(name("q" + std::to_string(number) + ".test"), 1)
                                 .octets();
        const auto accepted =
            relay_.accept_query(message, client::Transport::udp, clock.now(), scratch_);
        REQUIRE(accepted.kind == QueryRelay::Accepted::Kind::query);
        live_[key(accepted.query)] = {number, message, clock.now()};
        is_update_[dns::inspect(message).question_hash] = opcode == dns::Opcode::update;
        pool_.send(accepted.query);
        return number;
    }

    /// Lets that much time pass, with the deadlines that a worker keeps.
    void pass(policy::Duration time) {
        const policy::TimePoint end = clock.now() + time;
        while (clock.now() < end) {
            const auto due = relay_.next_deadline().value_or(end);
            steps += clock.run_until(std::min(std::max(due, clock.now()), end));
            expire();
            check_bounds();
        }
    }

    void change_network() { pool_.network_changed(); }

    void kill_all(std::size_t upstream, policy::ConnectionEnd how) {
        const auto streams = upstreams[upstream].streams;
        for (SimulatedStream* const stream : streams) {
            clock.after(0s, [this, upstream, stream, how] {
                if (std::ranges::count(upstreams[upstream].streams, stream) > 0) {
                    stream->die(how);
                }
            });
        }
    }

    std::size_t dials() const {
        std::size_t count = 0;
        for (const SimulatedUpstream& it : upstreams) {
            count += it.dialed;
        }
        return count;
    }

    /// Of what servers were asked: an UPDATE once (P-114), the rest a bounded number of times.
    void check_what_was_asked() const {
        for (const auto& [question, is_update] : is_update_) {
            unsigned times = 0;
            for (const SimulatedUpstream& upstream : upstreams) {
                const auto found = upstream.asked.find(question);
                times += found == upstream.asked.end() ? 0 : found->second;
            }
            REQUIRE(times <= (is_update ? 1U : unsigned{policy::max_writes}));
        }
    }

    std::size_t live() const { return live_.size(); }

    std::size_t relayed() const { return relay_.size(); }

    SimulatedClock clock;
    std::vector<SimulatedUpstream> upstreams;
    std::map<unsigned, policy::Duration> answered;  // by the query's number
    std::map<unsigned, policy::Duration> failed;
    std::size_t lost = 0;  // of those that may be asked again
    std::size_t steps = 0;

private:
    struct Live {
        unsigned number = 0;
        Octets asked;
        policy::TimePoint since;
    };

    static std::pair<std::uint32_t, std::uint32_t> key(QueryId query) {
        return {query.index, query.generation};
    }

    Live end(QueryId query) {
        const auto found = live_.find(key(query));
        REQUIRE(found != live_.end());  // it ends once
        const Live live = found->second;
        live_.erase(found);
        REQUIRE(clock.now() - live.since <= timeout);
        return live;
    }

    void expire() {
        while (const auto query = relay_.expired(clock.now())) {
            const auto reason = pool_.abandon(*query);
            on_query_failed(*query, reason);
        }
    }

    void check_bounds() const {
        for (const SimulatedUpstream& upstream : upstreams) {
            REQUIRE(upstream.streams.size() <= 64);
        }
    }

    void on_answer(QueryId query, dns::Bytes answer) override {
        const Live live = end(query);
        const auto left = relay_.finish_in_place(query, answer);
        REQUIRE(dns::inspect(left).question_hash == dns::inspect(live.asked).question_hash);
        REQUIRE(dns::header::id(left) == dns::header::id(live.asked));
        answered[live.number] = clock.now() - live.since;
    }

    void on_answers_end() override {}

    void on_query_failed(QueryId query, const dns::ErrorReason& reason) override {
        if (relay_.is_repeatable(query)) {
            ++lost;
        }
        const Live live = end(query);
        relay_.fail(query, reason, scratch_);
        failed[live.number] = clock.now() - live.since;
    }

    Quiet quiet_;
    client::Config config_;
    net::EventLoop lookups_;  // nobody runs it: no upstream has a name to look up
    client::AddressStore addresses_{nullptr, {}};
    QueryRelay relay_;
    std::map<std::pair<std::uint32_t, std::uint32_t>, Live> live_;
    std::map<std::uint64_t, bool> is_update_;  // by the hash of the question
    std::array<std::uint8_t, dns::max_error_answer> scratch_{};
    unsigned next_ = 0;
    UpstreamPool pool_;
};

class Chaos {
public:
    /// The first `fickle` of them change their minds.
    Chaos(unsigned seed, std::size_t upstreams, std::size_t fickle)
        : world(seed, upstreams, static_cast<policy::UpstreamPolicy>(seed % 3)), fickle_(fickle) {}

    void step() {
        auto& clock = world.clock;
        const std::size_t upstream = clock.below(static_cast<unsigned>(fickle_));
        switch (clock.below(24)) {
            case 0:
            case 1:
                world.upstreams[upstream].mood =
                    static_cast<Mood>(clock.below(SimulatedUpstream::moods));
                break;
            case 2:
                world.upstreams[upstream].mood = Mood::well;
                break;
            case 3:
                world.upstreams[upstream].round_trip = 1ms + clock.up_to(100ms);
                break;
            case 4:
                if (clock.below(10) == 0) {
                    world.change_network();
                }
                break;
            case 5:
                world.kill_all(upstream, policy::ConnectionEnd::reset);
                break;
            case 6:
                world.kill_all(upstream, policy::ConnectionEnd::orderly);
                break;
            case 7:
                world.upstreams[upstream].answers_to_lose = 1 + clock.below(3);
                break;
            case 8:
                world.ask(clock.below(2) == 0 ? dns::Opcode::update : dns::Opcode::notify);
                break;
            default:
                world.ask();
        }
        world.pass(clock.below(8) == 0 ? clock.up_to(2s) : clock.up_to(50ms));
    }

    void calm_down() {
        for (SimulatedUpstream& upstream : world.upstreams) {
            upstream.mood = Mood::well;
            upstream.round_trip = 20ms;
            upstream.answers_to_lose = 0;
        }
        world.pass(timeout + longest_penalty);
    }

    World world;

private:
    std::size_t fickle_;
};

}  // namespace dotpair::test
