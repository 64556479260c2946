// SPDX-License-Identifier: MIT
// A resolver that costs next to nothing: one thread, any query gets one A record, by UDP and TCP.
// Use: dotpair-bench-responder PORT
#include "tests/bench/stream.hpp"
#include "tests/bench/udp_batch.hpp"

#include <cstdio>
#include <exception>
#include <unordered_map>

namespace dotpair::bench {
namespace {

constexpr std::size_t batch_size = 64;
constexpr std::size_t largest_answer = 4096;
// Name: pointer to the question's; type A, class IN, TTL 60, 192.0.2.1.
constexpr std::array<std::uint8_t, 16> record{
    0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};

/// Header, question, one record, the OPT without its options. Its size; 0 when this is no query
/// that has one question, or no room is left for the answer.
std::size_t write_answer(ConstBytes query, Bytes answer) {
    const auto end = question_end(query);
    if (!end || (query[2] & 0x80U) != 0 || *end + record.size() + opt_size > answer.size()) {
        return 0;
    }
    const auto opt = find_opt(query, *end);
    std::copy_n(query.begin(), *end, answer.begin());
    answer[2] = static_cast<std::uint8_t>(0x80U | (query[2] & 0x79U));  // QR, opcode and RD kept
    answer[3] = 0x80;                                                   // RA
    write_16(answer, 6, 1);
    write_16(answer, 8, 0);
    write_16(answer, 10, opt ? 1 : 0);
    std::copy(record.begin(), record.end(), answer.begin() + static_cast<std::ptrdiff_t>(*end));
    std::size_t size = *end + record.size();
    if (opt) {
        std::copy_n(query.begin() + static_cast<std::ptrdiff_t>(*opt), opt_size, &answer[size]);
        write_16(answer, size + opt_size - 2, 0);
        size += opt_size;
    }
    return size;
}

class Udp : public Watcher {
public:
    Udp(EventLoop& loop, std::uint16_t port) : socket_(bind_udp(port)) {
        loop.watch(socket_, *this);
    }

    void on_ready(std::uint32_t /*events*/) override {
        const std::size_t count = queries_.receive(socket_);
        std::size_t answers = 0;
        for (std::size_t index = 0; index < count; ++index) {
            const std::size_t size = write_answer(queries_.received(index), answers_.room(answers));
            if (size > 0) {
                answers_.set_size(answers, size);
                answers_.address(answers) = queries_.address(index);
                ++answers;
            }
        }
        answers_.send(socket_, answers);
    }

private:
    Socket socket_;
    UdpBatch<batch_size, largest_answer> queries_{true};
    UdpBatch<batch_size, largest_answer> answers_{true};
};

/// TCP: as many answers in one write as each read brought queries.
class Tcp : public Watcher {
public:
    Tcp(EventLoop& loop, std::uint16_t port) : loop_(loop), listener_(listen_tcp(port)) {
        loop_.watch(listener_, *this);
    }

    void on_ready(std::uint32_t /*events*/) override {
        for (Socket socket = accept_from(listener_); socket.get() >= 0;
             socket = accept_from(listener_)) {
            const int key = socket.get();
            connections_.insert_or_assign(
                key, std::make_unique<Connection>(*this, key, std::move(socket))
            );
        }
    }

    void forget_closed() {
        for (const int key : closed_) {
            connections_.erase(key);
        }
        closed_.clear();
    }

private:
    struct Connection : Watcher {
        Connection(Tcp& tcp, int number, Socket socket)
            : owner(tcp), key(number), stream(tcp.loop_, *this, std::move(socket)) {}

        void on_ready(std::uint32_t /*events*/) override {
            const auto answer = [this](ConstBytes query) {
                const std::size_t size = write_answer(query, owner.answer_);
                if (size > 0) {
                    append_frame(stream.output(), ConstBytes{owner.answer_}.first(size));
                }
            };
            if (!stream.advance() || !read_frames(stream, kept, owner.input_, answer) ||
                !stream.flush()) {
                owner.closed_.push_back(key);
            }
        }

        Tcp& owner;
        int key;
        Stream stream;
        std::vector<std::uint8_t> kept;
    };

    EventLoop& loop_;
    Socket listener_;
    std::vector<std::uint8_t> input_ = std::vector<std::uint8_t>(1 << 17);
    std::array<std::uint8_t, largest_answer> answer_{};
    std::unordered_map<int, std::unique_ptr<Connection>> connections_;
    std::vector<int> closed_;  // in this turn
};

[[noreturn]] void run(std::uint16_t port) {
    EventLoop loop;
    Udp udp{loop, port};
    Tcp tcp{loop, port};
    std::puts("ready");
    std::fflush(stdout);
    for (;;) {
        loop.turn();
        tcp.forget_closed();
    }
}

}  // namespace
}  // namespace dotpair::bench

int main(int argc, char** argv) {
    try {
        if (argc != 2) {
            std::fputs("use: dotpair-bench-responder PORT\n", stderr);
            return 64;
        }
        dotpair::bench::run(static_cast<std::uint16_t>(std::stoul(argv[1])));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "dotpair-bench-responder: %s\n", error.what());
        return 1;
    }
}
