// SPDX-License-Identifier: MIT
// Apart from all else: the kernel's header has what the library's lacks, and bears no other.
#include "common/net/tcp_facts.hpp"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <cstddef>

namespace dotpair::net {
namespace {
/// To tell a peer's habit from what every kernel does at the beginning.
constexpr unsigned enough_segments = 16;
}  // namespace

std::optional<policy::PathFacts> tcp_facts(int socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(tcp_info, tcpi_data_segs_out) + sizeof info.tcpi_data_segs_out) {
        return std::nullopt;
    }
    policy::PathFacts facts;
    facts.acked = info.tcpi_bytes_acked;
    facts.in_flight = info.tcpi_unacked;
    facts.retransmitted = info.tcpi_total_retrans;
    if (size >= offsetof(tcp_info, tcpi_rcv_ooopack) + sizeof info.tcpi_rcv_ooopack) {
        facts.out_of_order = info.tcpi_rcv_ooopack;
    }
    const unsigned without_data = info.tcpi_segs_in - info.tcpi_data_segs_in;
    facts.is_acknowledged_at_once =
        info.tcpi_data_segs_out >= enough_segments && 2 * without_data >= info.tcpi_data_segs_out;
    facts.rtt = std::chrono::microseconds(info.tcpi_rtt);
    facts.min_rtt = std::chrono::microseconds(info.tcpi_min_rtt);
    facts.rtt_variation = std::chrono::microseconds(info.tcpi_rttvar);
    return facts;
}

void set_user_timeout(int socket, policy::Duration timeout) {
    const auto value =
        static_cast<unsigned>(std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count()
        );
    ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof value);
}

void acknowledge_at_once(int socket) {
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

}  // namespace dotpair::net
