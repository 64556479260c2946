// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/endpoint.hpp"
#include "common/net/passed_listeners.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace dotpair::app {

/// Listening sockets that whoever started the program has opened for it: systemd's socket
/// activation, by the protocol of sd_listen_fds(3). They outlive the process, so that clients find
/// an open port while it is replaced, and several processes may hold them at a time.
class PassedSockets {
public:
    static constexpr int first_descriptor = 3;

    PassedSockets() = default;
    PassedSockets(PassedSockets&& other) noexcept;
    PassedSockets& operator=(PassedSockets&&) = delete;
    ~PassedSockets();

    /// Takes over what LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES tell of, from descriptor `first`
    /// on, and unsets them: nobody else shall. None when they are meant for another process. Throws
    /// StartError, in one line, where they make no sense, or a descriptor is no TCP or UDP socket
    /// that listens. REQUIRES: no thread was made yet.
    static PassedSockets take(int first = first_descriptor);

    bool is_empty() const { return sockets_.empty(); }

    /// Each address once, in the order in which they came.
    std::vector<net::Endpoint> addresses() const;
    /// Of TCP sockets, and not among `besides`.
    std::vector<net::Endpoint> stream_addresses(const std::vector<net::Endpoint>& besides) const;

    enum class Which : std::uint8_t { both, streams };

    /// Throws boost::system::system_error when a kind that was not passed for that address, and so
    /// is to be opened, has somebody else listening there (see net::require_free_tcp_port).
    void require_rest_free(const net::Endpoint& at, Which which, bool dual_stack = false) const;

    /// What worker `index` of `workers` listens with at that address. Of several sockets there each
    /// goes to a worker; where there are too few, workers share one.
    net::PassedListeners share(
        const net::Endpoint& at, Which which, std::size_t index, std::size_t workers
    );

    /// Throws StartError when one was not shared out: clients would wait at it for ever.
    void require_all_used() const;

private:
    enum class Kind : std::uint8_t { stream, datagram };

    struct Socket {
        int descriptor = -1;
        Kind kind = Kind::stream;
        net::Endpoint at;
        std::string name;  // for messages
        bool is_used = false;
    };

    bool has(const net::Endpoint& at, Kind kind) const;
    static Socket look_at(int descriptor, std::string name);
    void share_kind(
        std::vector<int>& into,
        const net::Endpoint& at,
        Kind kind,
        std::size_t index,
        std::size_t workers
    );

    std::vector<Socket> sockets_;
};

}  // namespace dotpair::app
