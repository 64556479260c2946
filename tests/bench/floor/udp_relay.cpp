// SPDX-License-Identifier: MIT
// Datagrams in, datagrams out.
#include "tests/bench/floor/relay.hpp"

namespace dotpair::bench::floor {
namespace {

class UdpRelay {
public:
    UdpRelay(std::uint16_t port, std::uint16_t target)
        : front_(bind_udp(port)), back_(connect_udp(target)) {
        loop_.watch(front_, on_front_);
        loop_.watch(back_, on_back_);
    }

    [[noreturn]] void run() {
        say_ready();
        for (;;) {
            loop_.turn();
            queries_.flush();
            answers_.flush();
        }
    }

private:
    EventLoop loop_;
    Socket front_;
    Socket back_;
    Batch input_{true};
    IdTable<sockaddr_in> askers_;
    Departures queries_{back_, false};
    Departures answers_{front_, true};
    Handler on_front_{[this] {
        receive_datagrams(front_, input_, [this](Bytes query, const sockaddr_in& app) {
            askers_.leave(query, app);
            queries_.add(query);
        });
    }};
    Handler on_back_{[this] {
        receive_datagrams(back_, input_, [this](Bytes answer, const sockaddr_in&) {
            const sockaddr_in& app = askers_.come_back(answer);
            answers_.add(answer, app);
        });
    }};
};

}  // namespace
}  // namespace dotpair::bench::floor

int main(int argc, char** argv) {
    using namespace dotpair::bench::floor;
    return run_program(argc, argv, 2, "PORT TARGET_PORT", [](char** words) {
        UdpRelay{port_of(words[0]), port_of(words[1])}.run();
    });
}
