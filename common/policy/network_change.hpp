// SPDX-License-Identifier: MIT
#pragma once

#include "common/policy/clock.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <variant>
#include <vector>

namespace dotpair::policy {

/// An address of either family, without a socket's idea of one.
struct IpAddress {
    std::array<std::uint8_t, 16> octets{};
    std::size_t size = 0;  // 4, 16, or 0 for none

    bool operator==(const IpAddress&) const = default;
};

/// How a packet to an upstream would leave.
struct NetworkPath {
    bool exists = false;  // the rest counts only then
    std::uint32_t link = 0;
    IpAddress gateway;
    IpAddress source;  // the address of ours that it would bear

    bool operator==(const NetworkPath&) const = default;
};

struct LinkEvent {
    std::uint32_t link = 0;
    bool is_running = false;  // up, with a carrier; false as well for one that is gone
    bool is_loopback = false;
};

struct AddressEvent {
    IpAddress address;
    bool exists = true;
    bool is_usable = true;  // false while duplicates are looked for (RFC 4862 section 5.4)
};

struct RouteEvent {
    IpAddress prefix;  // its size says the family, also of a default route
    std::size_t prefix_length = 0;
    bool is_inward = false;  // to our own addresses, to groups, or what the kernel keeps for itself
};

struct RuleEvent {};

/// More happened than was told.
struct EventsLost {};

using NetworkEvent = std::variant<LinkEvent, AddressEvent, RouteEvent, RuleEvent, EventsLost>;

enum class NetworkChange : std::uint8_t { address, route, link, resumed, unknown };

/// Decides when the network has changed so that connections to the upstreams are better made anew.
///
/// Events are only hints that it may be worth a look: what counts is by which link, gateway and own
/// address the upstreams are reached, which the caller finds out when next_look() has come. So what
/// happens elsewhere, such as links of containers, and what is merely confirmed, such as lifetimes
/// by router advertisements each few seconds, changes nothing; an address that went and came back
/// at once has harmed no connection either. Three things count although all looks as before: the
/// link on the way was down, there was no way for a while, and events were lost.
///
/// While no upstream can be reached nothing is gained by dialing: then the change is told once one
/// can be. Hints of the same moment are taken together, and changes keep a distance from each
/// other, since some hints are anybody's on the link to give.
///
/// Thread: the one that owns it. Memory: of links a bounded number, else as many as upstreams.
class NetworkWatch {
public:
    /// Events come in groups: an address, then its routes. Waiting for the last costs little.
    static constexpr std::chrono::milliseconds settle_time{20};
    static constexpr std::chrono::milliseconds max_settle_time{100};
    static constexpr std::chrono::milliseconds min_distance{500};
    /// Where events are lost all the time, only this often does that count by itself.
    static constexpr std::chrono::minutes unknown_distance{1};

    /// `paths[i]` is how `upstreams[i]` is reached now.
    NetworkWatch(std::vector<IpAddress> upstreams, std::vector<NetworkPath> paths);

    std::span<const IpAddress> upstreams() const { return upstreams_; }

    void on_event(const NetworkEvent& event, TimePoint now);

    /// The system has slept, long enough for others to have given up on our connections.
    void on_resume(TimePoint now);

    /// When to find out the paths and call look(). It may move, either way, with each event.
    std::optional<TimePoint> next_look() const { return look_at_; }

    /// What the change was, if it is one. REQUIRES: one path for each upstream.
    std::optional<NetworkChange> look(std::vector<NetworkPath> paths, TimePoint now);

private:
    bool matters(const LinkEvent& event);
    bool matters(const AddressEvent& event) const;
    bool matters(const RouteEvent& event) const;
    bool matters(const RuleEvent& event) const;
    bool matters(const EventsLost& event);
    bool is_usable(const NetworkPath& path, const IpAddress& upstream) const;
    bool carries_path(std::uint32_t link) const;
    void look_after(Duration settle, TimePoint now);
    std::optional<NetworkChange> compare(const std::vector<NetworkPath>& paths) const;

    std::vector<IpAddress> upstreams_;
    std::vector<NetworkPath> paths_;       // as of the last change
    std::map<std::uint32_t, bool> links_;  // whether they run, of those that were told
    std::optional<NetworkChange> broken_;  // it has changed, whatever the paths will be
    std::optional<TimePoint> look_at_;
    TimePoint hinted_at_;  // the first of those that look_at_ waits for
    std::optional<TimePoint> changed_at_;
};

/// Tells suspends by two clocks of which one goes on meanwhile.
class SuspendWatch {
public:
    /// Less does not end a connection.
    static constexpr std::chrono::seconds min_suspend{1};

    /// `slept` is the time spent in suspend since the system was started, CLOCK_BOOTTIME less
    /// CLOCK_MONOTONIC, here and below.
    explicit SuspendWatch(Duration slept) : slept_(slept) {}

    /// How long the system has slept since it was last told; nothing when that is not worth a word.
    std::optional<Duration> look(Duration slept) {
        const Duration since = slept - slept_;
        if (since < min_suspend) {
            return std::nullopt;
        }
        slept_ = slept;
        return since;
    }

private:
    Duration slept_;
};

}  // namespace dotpair::policy
