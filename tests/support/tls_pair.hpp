// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/tls_session.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dotpair::test {

inline dns::ConstBytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// One end of a connection in memory, driven the way a connection drives its session.
struct TlsEnd {
    explicit TlsEnd(net::TlsSession taken) : session(std::move(taken)) { session.write_to(output); }

    TlsEnd(const TlsEnd&) = delete;
    TlsEnd& operator=(const TlsEnd&) = delete;
    ~TlsEnd() = default;

    /// Goes on until the session wants more input or is over.
    void go_on() {
        if (const std::string first = std::exchange(early, {}); !first.empty()) {
            session.write_early(bytes_of(first));
        }
        if (session.is_reading_early() && !read_early()) {
            return;
        }
        if (!is_open) {
            progress = session.handshake();
            is_open = progress == net::TlsSession::Progress::done;
        }
        while (is_open && !is_over()) {
            const auto [next, size] = session.read(plain);
            progress = next;
            if (next != net::TlsSession::Progress::done) {
                return;
            }
            records.emplace_back(plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(size));
        }
    }

    /// True when all is read of it.
    bool read_early() {
        for (;;) {
            const auto [next, size] = session.read_early(plain);
            progress = next;
            if (next != net::TlsSession::Progress::done || size == 0) {
                return next == net::TlsSession::Progress::done;
            }
            records.emplace_back(plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(size));
        }
    }

    bool is_over() const {
        return progress == net::TlsSession::Progress::closed ||
               progress == net::TlsSession::Progress::failed;
    }

    void take(dns::ConstBytes ciphertext) {
        session.feed(ciphertext);
        go_on();
    }

    std::string received() const {
        std::string all;
        for (const std::string& record : records) {
            all += record;
        }
        return all;
    }

    net::TlsSession session;
    std::string early;  // leaves with a client's first message
    std::vector<std::uint8_t> output;
    std::vector<std::string> records;  // what each read() gave
    net::TlsSession::Progress progress = net::TlsSession::Progress::needs_input;
    bool is_open = false;
    std::array<std::uint8_t, std::size_t{17} * 1024> plain{};
};

/// Two ends and the wire between them.
struct TlsPair {
    static constexpr std::size_t whole = std::numeric_limits<std::size_t>::max();

    TlsPair(net::TlsSession client_session, net::TlsSession server_session)
        : client(std::move(client_session)), server(std::move(server_session)) {}

    /// What `from` has written arrives in pieces of `piece` octets; returns how much it was.
    static std::size_t deliver(TlsEnd& from, TlsEnd& to, std::size_t piece = whole) {
        const auto wire = std::exchange(from.output, {});
        dns::ConstBytes rest(wire);
        while (!rest.empty()) {
            const std::size_t size = std::min(piece, rest.size());
            to.take(rest.first(size));
            rest = rest.subspan(size);
        }
        return wire.size();
    }

    /// Until neither has anything to say.
    void settle(std::size_t piece = whole) {
        while (deliver(client, server, piece) + deliver(server, client, piece) > 0) {
        }
    }

    bool shake_hands(std::size_t piece = whole) {
        client.go_on();
        settle(piece);
        return client.is_open && server.is_open && !client.is_over() && !server.is_over();
    }

    TlsEnd client;
    TlsEnd server;
};

}  // namespace dotpair::test
