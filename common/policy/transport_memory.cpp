// SPDX-License-Identifier: MIT
#include "common/policy/transport_memory.hpp"

#include "common/policy/backoff.hpp"

#include <algorithm>
#include <utility>

namespace dotpair::policy {

TransportMemory::TransportMemory(std::span<const Server> servers) {
    for (const Server& server : servers) {
        Memory memory;
        memory.has_plain =
            server.profile == Profile::opportunistic && server.choice != TransportChoice::tls;
        if (server.choice != TransportChoice::starttls) {
            memory.order.push_back({UpstreamTransport::tls});
        }
        if (server.choice != TransportChoice::tls) {
            memory.order.push_back({UpstreamTransport::starttls});
        }
        servers_.push_back(std::move(memory));
    }
}

std::optional<UpstreamTransport> TransportMemory::pick(std::size_t server, TimePoint now) const {
    const Memory& it = servers_[server];
    const auto free = std::ranges::find_if(it.order, [now](const Candidate& candidate) {
        return candidate.retry_at <= now;
    });
    if (free != it.order.end()) {
        return free->transport;
    }
    return it.has_plain ? std::optional{UpstreamTransport::plain} : std::nullopt;
}

TimePoint TransportMemory::next_retry(std::size_t server) const {
    return std::ranges::min(servers_[server].order, {}, &Candidate::retry_at).retry_at;
}

bool TransportMemory::worked(std::size_t server, UpstreamTransport transport) {
    Memory& it = servers_[server];
    if (transport == UpstreamTransport::plain) {
        return tell_downgrade(it);
    }
    if (Candidate* const candidate = find(it, transport)) {
        *candidate = {transport};
    }
    it.spoke_tls = true;
    it.downgrade_told = false;
    return false;
}

bool TransportMemory::failed(
    std::size_t server,
    UpstreamTransport transport,
    TransportFailure failure,
    TimePoint now,
    double jitter
) {
    Memory& it = servers_[server];
    if (transport == UpstreamTransport::plain) {
        forget_failures(it);
        return false;
    }
    if (Candidate* const candidate = find(it, transport)) {
        ++candidate->failures;
        candidate->retry_at = now + (it.has_plain ? Duration{transport_hold}
                                                  : backoff_delay(candidate->failures, jitter));
    }
    return failure == TransportFailure::declined && tell_downgrade(it);
}

void TransportMemory::network_changed() {
    std::ranges::for_each(servers_, forget_failures);
}

TransportMemory::Candidate* TransportMemory::find(Memory& server, UpstreamTransport transport) {
    const auto found = std::ranges::find(server.order, transport, &Candidate::transport);
    return found == server.order.end() ? nullptr : &*found;
}

void TransportMemory::forget_failures(Memory& server) {
    for (Candidate& candidate : server.order) {
        candidate = {candidate.transport};
    }
}

bool TransportMemory::tell_downgrade(Memory& server) {
    return server.spoke_tls && !std::exchange(server.downgrade_told, true);
}

}  // namespace dotpair::policy
