// SPDX-License-Identifier: MIT
#include "common/net/netlink_messages.hpp"
#include "tests/fuzz/fuzz_target.hpp"

#include <chrono>
#include <variant>
#include <vector>

namespace dotpair::fuzz {
namespace {

constexpr policy::TimePoint start{std::chrono::hours(1)};
constexpr std::uint32_t sequence = 7;  // of the answers in the corpus

bool is_address(const policy::IpAddress& address) {
    return address.size == 4 || address.size == 16;
}

void check(const policy::NetworkEvent& event) {
    if (const auto* const address = std::get_if<policy::AddressEvent>(&event)) {
        require(is_address(address->address), "an address has a family");
    } else if (const auto* const route = std::get_if<policy::RouteEvent>(&event)) {
        require(is_address(route->prefix), "a route has a family");
    }
}

/// The octets have exactly their size, so that a sanitizer sees a read behind them.
void run(const std::vector<std::uint8_t>& octets) {
    constexpr std::size_t smallest_message = 16;
    const auto events = net::read_network_events(octets);
    require(events.size() <= octets.size() / smallest_message + 1, "an event has a message");

    const policy::IpAddress upstream{{192, 0, 2, 53}, 4};
    policy::NetworkPath path;
    path.exists = true;
    policy::NetworkWatch watch({upstream}, {path});
    for (const auto& event : events) {
        check(event);
        watch.on_event(event, start);
    }
    if (const auto at = watch.next_look()) {
        require(*at - start <= policy::NetworkWatch::max_settle_time, "no look is put off");
        watch.look({path}, *at);
        require(!watch.next_look(), "a look needs a reason");
    }
    if (const auto answer = net::read_path_answer(octets, sequence)) {
        const auto& [exists, link, gateway, source] = *answer;
        require(exists || (link == 0 && gateway.size == 0 && source.size == 0), "no path is none");
        require(gateway.size == 0 || is_address(gateway), "a gateway has a family");
        require(source.size == 0 || is_address(source), "a source has a family");
    }
}

}  // namespace
}  // namespace dotpair::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    dotpair::fuzz::run({data, data + size});
    return 0;
}
