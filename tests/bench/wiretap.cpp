// SPDX-License-Identifier: MIT
// Stands between the halves of a pair and counts bytes and TLS records. Each line of input is
// answered by one line of what was counted so far; out is towards the server.
// Use: dotpair-bench-wiretap PORT SERVER_PORT
#include "tests/bench/stream.hpp"

#include <cstdio>
#include <exception>

namespace dotpair::bench {
namespace {

struct Counts {
    std::uint64_t bytes = 0;
    std::uint64_t records = 0;
};

/// Finds the records in what passes one way of one connection (RFC 8446 section 5.1).
class RecordCounter {
public:
    void add(ConstBytes bytes, Counts& counts) {
        counts.bytes += bytes.size();
        for (std::size_t at = 0; at < bytes.size();) {
            if (body_left_ > 0) {
                const std::size_t size = std::min(body_left_, bytes.size() - at);
                body_left_ -= size;
                at += size;
                continue;
            }
            header_[header_size_++] = bytes[at++];
            if (header_size_ == header_.size()) {
                body_left_ = read_16(header_, 3);
                header_size_ = 0;
                ++counts.records;
            }
        }
    }

private:
    std::array<std::uint8_t, 5> header_{};
    std::size_t header_size_ = 0;
    std::size_t body_left_ = 0;
};

class Wiretap : public Watcher {
public:
    Wiretap(std::uint16_t port, std::uint16_t server)
        : server_(server), listener_(listen_tcp(port)) {
        loop_.watch(listener_, *this);
        loop_.watch(input_, on_input_);
    }

    void on_ready(std::uint32_t /*events*/) override {
        for (Socket socket = accept_from(listener_); socket.get() >= 0;
             socket = accept_from(listener_)) {
            // They stay until the end: there are few.
            connections_.push_back(std::make_unique<Connection>(*this, std::move(socket)));
        }
    }

    void run() {
        std::puts("ready");
        std::fflush(stdout);
        while (!on_input_.is_over) {
            loop_.turn();
        }
    }

private:
    struct Connection {
        struct End : Watcher {
            End(Wiretap& tap, Socket socket, Counts& read)
                : stream(tap.loop_, *this, std::move(socket)), counts(read) {}

            void on_ready(std::uint32_t /*events*/) override { owner->pass(*this); }

            Connection* owner = nullptr;
            End* other = nullptr;
            Stream stream;
            Counts& counts;
            RecordCounter records;
        };

        Connection(Wiretap& owner, Socket socket)
            : tap(owner),
              client(owner, std::move(socket), owner.out_),
              server(owner, connect_tcp(owner.server_), owner.in_) {
            client.owner = server.owner = this;
            client.other = &server;
            server.other = &client;
        }

        void pass(End& from) {
            const auto size = from.stream.advance() ? from.stream.read(tap.buffer_) : std::nullopt;
            if (!size || is_over) {
                end();
                return;
            }
            const ConstBytes bytes = ConstBytes{tap.buffer_}.first(*size);
            from.records.add(bytes, from.counts);
            auto& output = from.other->stream.output();
            output.insert(output.end(), bytes.begin(), bytes.end());
            if (!from.other->stream.flush()) {
                end();
            }
        }

        void end() {
            is_over = true;
            client.stream.close();
            server.stream.close();
        }

        Wiretap& tap;
        bool is_over = false;
        End client;
        End server;
    };

    struct Input : Watcher {
        explicit Input(Wiretap& owner) : tap(owner) {}

        void on_ready(std::uint32_t /*events*/) override {
            std::array<char, 64> line{};
            is_over = ::read(STDIN_FILENO, line.data(), line.size()) <= 0;
            if (!is_over) {
                tap.report();
            }
        }

        Wiretap& tap;
        bool is_over = false;
    };

    void report() const {
        std::printf(
            "connections=%zu bytes_out=%ju records_out=%ju bytes_in=%ju records_in=%ju\n",
            connections_.size(),
            std::uintmax_t{out_.bytes},
            std::uintmax_t{out_.records},
            std::uintmax_t{in_.bytes},
            std::uintmax_t{in_.records}
        );
        std::fflush(stdout);
    }

    EventLoop loop_;
    std::uint16_t server_;
    Socket listener_;
    Socket input_{STDIN_FILENO};
    Input on_input_{*this};
    Counts out_;
    Counts in_;
    std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(1 << 17);
    std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace
}  // namespace dotpair::bench

int main(int argc, char** argv) {
    try {
        if (argc != 3) {
            std::fputs("use: dotpair-bench-wiretap PORT SERVER_PORT\n", stderr);
            return 64;
        }
        const auto port = static_cast<std::uint16_t>(std::stoul(argv[1]));
        const auto server = static_cast<std::uint16_t>(std::stoul(argv[2]));
        dotpair::bench::Wiretap{port, server}.run();
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "dotpair-bench-wiretap: %s\n", error.what());
        return 1;
    }
}
