// SPDX-License-Identifier: MIT
#include "common/app/passed_sockets.hpp"

#include "common/error.hpp"
#include "common/net/socket_options.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <spdlog/fmt/fmt.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

namespace dotpair::app {
namespace {

constexpr int most_sockets = 1024;

[[noreturn]] void refuse(const std::string& why) {
    throw StartError("cannot use the sockets that LISTEN_FDS passes: " + why);
}

/// The variable's value, unset from now on.
std::optional<std::string> take_variable(const char* name) {
    const char* const value = std::getenv(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    std::string taken = value;
    ::unsetenv(name);
    return taken;
}

long to_number(const char* name, const std::string& text, long most) {
    long number = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stopped != end || number < 1 || number > most) {
        refuse(fmt::format("{}=\"{}\" is no number from 1 to {}", name, text, most));
    }
    return number;
}

std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(':'), text.size());
        parts.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

std::string label_of(int descriptor, const std::string& name) {
    return name.empty() ? fmt::format("descriptor {}", descriptor)
                        : fmt::format("descriptor {} ({})", descriptor, name);
}

int option_of(int socket, int name, const std::string& label) {
    int value = 0;
    socklen_t size = sizeof value;
    if (::getsockopt(socket, SOL_SOCKET, name, &value, &size) != 0) {
        refuse(label + (errno == ENOTSOCK ? " is no socket" : std::string(": ") + strerror(errno)));
    }
    return value;
}

net::Endpoint address_of(int socket, const std::string& label) {
    boost::asio::ip::tcp::endpoint address;
    auto size = static_cast<socklen_t>(address.capacity());
    if (::getsockname(socket, address.data(), &size) != 0) {
        refuse(label + ": " + strerror(errno));
    }
    address.resize(size);
    return {address.address(), address.port()};
}

bool is_connected(int socket) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    return ::getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

}  // namespace

PassedSockets::PassedSockets(PassedSockets&& other) noexcept
    : sockets_(std::exchange(other.sockets_, {})) {}

PassedSockets::~PassedSockets() {
    for (const Socket& socket : sockets_) {
        ::close(socket.descriptor);
    }
}

PassedSockets PassedSockets::take(int first) {
    const auto process = take_variable("LISTEN_PID");
    const auto count = take_variable("LISTEN_FDS");
    const auto names = split(take_variable("LISTEN_FDNAMES").value_or(""));
    take_variable("LISTEN_PIDFDID");
    PassedSockets passed;
    if (!process || !count) {
        return passed;
    }
    constexpr long most_processes = 1L << 30;
    if (to_number("LISTEN_PID", *process, most_processes) != ::getpid()) {
        return passed;  // meant for whoever started us
    }
    const long sockets = to_number("LISTEN_FDS", *count, most_sockets);
    for (int index = 0; index < sockets; ++index) {
        const auto place = static_cast<std::size_t>(index);
        passed.sockets_.push_back(
            look_at(first + index, place < names.size() ? names[place] : std::string())
        );
    }
    return passed;
}

PassedSockets::Socket PassedSockets::look_at(int descriptor, std::string name) {
    const std::string label = label_of(descriptor, name);
    if (::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) {
        refuse(label + " is not open");
    }
    const int type = option_of(descriptor, SO_TYPE, label);
    const int family = option_of(descriptor, SO_DOMAIN, label);
    const int protocol = option_of(descriptor, SO_PROTOCOL, label);
    if (family != AF_INET && family != AF_INET6) {
        refuse(label + " is a socket neither of IPv4 nor of IPv6");
    }
    const bool is_stream = type == SOCK_STREAM && protocol == IPPROTO_TCP;
    if (!is_stream && !(type == SOCK_DGRAM && protocol == IPPROTO_UDP)) {
        refuse(label + " is a socket neither of TCP nor of UDP");
    }
    if (is_stream && option_of(descriptor, SO_ACCEPTCONN, label) == 0) {
        refuse(label + " does not listen; a .socket unit needs Accept=no");
    }
    const net::Endpoint at = address_of(descriptor, label);
    if (!is_stream && (at.port == 0 || is_connected(descriptor))) {
        refuse(label + " is a UDP socket that is not bound, or is connected to a peer");
    }
    return {descriptor, is_stream ? Kind::stream : Kind::datagram, at, std::move(name)};
}

std::vector<net::Endpoint> PassedSockets::addresses() const {
    std::vector<net::Endpoint> found;
    for (const Socket& socket : sockets_) {
        if (std::ranges::count(found, socket.at) == 0) {
            found.push_back(socket.at);
        }
    }
    return found;
}

std::vector<net::Endpoint> PassedSockets::stream_addresses(const std::vector<net::Endpoint>& besides
) const {
    std::vector<net::Endpoint> found = addresses();
    std::erase_if(found, [&](const net::Endpoint& at) {
        return std::ranges::count(besides, at) > 0 || !has(at, Kind::stream);
    });
    return found;
}

bool PassedSockets::has(const net::Endpoint& at, Kind kind) const {
    return std::ranges::any_of(sockets_, [&](const Socket& socket) {
        return socket.kind == kind && socket.at == at;
    });
}

void PassedSockets::require_rest_free(const net::Endpoint& at, Which which, bool dual_stack) const {
    if (!has(at, Kind::stream)) {
        net::require_free_tcp_port(at, dual_stack);
    }
    if (which == Which::both && !has(at, Kind::datagram)) {
        net::require_free_udp_port(at);
    }
}

net::PassedListeners PassedSockets::share(
    const net::Endpoint& at, Which which, std::size_t index, std::size_t workers
) {
    net::PassedListeners listeners;
    share_kind(listeners.streams, at, Kind::stream, index, workers);
    if (which == Which::both) {
        share_kind(listeners.datagrams, at, Kind::datagram, index, workers);
    }
    return listeners;
}

void PassedSockets::share_kind(
    std::vector<int>& into,
    const net::Endpoint& at,
    Kind kind,
    std::size_t index,
    std::size_t workers
) {
    std::vector<Socket*> there;
    for (Socket& socket : sockets_) {
        if (socket.kind == kind && socket.at == at) {
            socket.is_used = true;
            there.push_back(&socket);
        }
    }
    for (std::size_t place = 0; place < there.size(); ++place) {
        if (place % workers != index % there.size()) {
            continue;
        }
        const int copy = ::fcntl(there[place]->descriptor, F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            refuse(label_of(there[place]->descriptor, there[place]->name) + ": " + strerror(errno));
        }
        into.push_back(copy);
    }
}

void PassedSockets::require_all_used() const {
    for (const Socket& socket : sockets_) {
        if (!socket.is_used) {
            refuse(fmt::format(
                "{}, {} {}, is for no address that the options name: name it there, or take it "
                "out of the .socket unit",
                label_of(socket.descriptor, socket.name),
                socket.kind == Kind::stream ? "TCP" : "UDP",
                net::to_string(socket.at)
            ));
        }
    }
}

}  // namespace dotpair::app
