// SPDX-License-Identifier: MIT
// Datagrams in, one TLS connection out: all queries of a turn leave together, in records as full
// as can be.
#include "tests/bench/floor/relay.hpp"
#include "tests/bench/stream.hpp"

namespace dotpair::bench::floor {
namespace {

class TlsClientRelay {
public:
    TlsClientRelay(std::uint16_t port, std::uint16_t server)
        : front_(bind_udp(port)),
          upstream_(connect_stream(loop_, on_upstream_, server, make_tls_client())) {
        loop_.watch(front_, on_front_);
    }

    [[noreturn]] void run() {
        while (!upstream_.is_up()) {
            loop_.turn();
        }
        say_ready();
        for (;;) {
            loop_.turn();
            answers_.flush();
            upstream_.flush();
            hold_back();
        }
    }

private:
    void read_upstream() {
        const auto take = [this](Bytes answer) {
            const sockaddr_in& app = askers_.come_back(answer);
            answers_.add(answer, app);
        };
        if (!upstream_.advance() || !read_frames(upstream_, kept_, buffer_, take)) {
            throw std::runtime_error{"the connection is lost"};
        }
    }

    void read_front() {
        receive_datagrams(front_, input_, [this](Bytes query, const sockaddr_in& app) {
            askers_.leave(query, app);
            append_frame(upstream_.output(), query);
        });
    }

    void hold_back() {
        if (const bool is_held = upstream_.unwritten() > most_unwritten; is_held != is_held_) {
            is_held_ = is_held;
            loop_.change(front_, on_front_, is_held ? 0 : std::uint32_t{EPOLLIN});
        }
    }

    EventLoop loop_;
    Handler on_front_{[this] { read_front(); }};
    Handler on_upstream_{[this] { read_upstream(); }};
    Socket front_;
    Stream upstream_;
    Batch input_{true};
    IdTable<sockaddr_in> askers_;
    Departures answers_{front_, true};
    std::vector<std::uint8_t> kept_;
    std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(buffer_size);
    bool is_held_ = false;
};

}  // namespace
}  // namespace dotpair::bench::floor

int main(int argc, char** argv) {
    using namespace dotpair::bench::floor;
    return run_program(argc, argv, 2, "PORT SERVER_PORT", [](char** words) {
        TlsClientRelay{port_of(words[0]), port_of(words[1])}.run();
    });
}
