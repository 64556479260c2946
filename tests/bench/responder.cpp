// SPDX-License-Identifier: MIT
// A resolver that costs next to nothing: one thread, any query gets one A record, by UDP and TCP.
// Use: dotpair-bench-responder PORT
#include "tests/bench/udp_batch.hpp"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
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

/// One TCP connection: whole frames in, answers out, as many as each read brings.
class Stream {
public:
    explicit Stream(int socket) : socket_(socket) {}

    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    ~Stream() { ::close(socket_); }

    /// False when the connection is over.
    bool on_ready() { return write() && read() && write(); }

private:
    static constexpr std::size_t read_size = 65536;

    /// Until nothing is left: readiness is reported once, when data come.
    bool read() {
        for (;;) {
            const std::size_t kept = input_.size();
            input_.resize(kept + read_size);
            const auto size = ::read(socket_, &input_[kept], read_size);
            input_.resize(kept + static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
            if (size <= 0) {
                return size < 0 && errno == EAGAIN;
            }
            const std::size_t used = answer_frames();
            input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(used));
        }
    }

    std::size_t answer_frames() {
        std::size_t at = 0;
        while (at + 2 <= input_.size()) {
            const std::size_t size = read_16(input_, at);
            if (at + 2 + size > input_.size()) {
                break;
            }
            answer_one(ConstBytes{input_}.subspan(at + 2, size));
            at += 2 + size;
        }
        return at;
    }

    void answer_one(ConstBytes query) {
        const std::size_t start = output_.size();
        output_.resize(start + 2 + largest_answer);
        const std::size_t size = write_answer(query, Bytes{output_}.subspan(start + 2));
        write_16(output_, start, size);
        output_.resize(size == 0 ? start : start + 2 + size);
    }

    bool write() {
        if (output_.empty()) {
            return true;
        }
        const auto size = ::send(socket_, output_.data(), output_.size(), MSG_NOSIGNAL);
        if (size > 0) {
            output_.erase(output_.begin(), output_.begin() + size);
        }
        return size >= 0 || errno == EAGAIN;
    }

    int socket_;
    std::vector<std::uint8_t> input_;
    std::vector<std::uint8_t> output_;
};

class Responder {
public:
    explicit Responder(std::uint16_t port)
        : epoll_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll")),
          udp_(open_socket(SOCK_DGRAM)),
          listener_(open_socket(SOCK_STREAM)) {
        const sockaddr_in address = loopback(port);
        enlarge_buffers(udp_);
        set(listener_, SOL_SOCKET, SO_REUSEADDR);
        for (const int socket : {udp_, listener_}) {
            checked(
                ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind"
            );
            watch(socket, EPOLLIN);
        }
        checked(::listen(listener_, SOMAXCONN), "listen");
    }

    [[noreturn]] void run() {
        std::array<epoll_event, 64> events{};
        for (;;) {
            const int count = ::epoll_wait(epoll_, events.data(), events.size(), -1);
            for (int index = 0; index < count; ++index) {
                on_ready(events[static_cast<std::size_t>(index)].data.fd);
            }
        }
    }

private:
    static void set(int socket, int level, int option) {
        const int on = 1;
        checked(::setsockopt(socket, level, option, &on, sizeof on), "setsockopt");
    }

    void watch(int socket, std::uint32_t what) {
        epoll_event event{};
        event.events = what;
        event.data.fd = socket;
        checked(::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event), "epoll_ctl");
    }

    void on_ready(int socket) {
        if (socket == udp_) {
            answer_datagrams();
        } else if (socket == listener_) {
            accept();
        } else if (!streams_.at(socket)->on_ready()) {
            streams_.erase(socket);
        }
    }

    void answer_datagrams() {
        const std::size_t count = queries_.receive(udp_);
        std::size_t answers = 0;
        for (std::size_t index = 0; index < count; ++index) {
            const std::size_t size = write_answer(queries_.received(index), answers_.room(answers));
            if (size > 0) {
                answers_.set_size(answers, size);
                answers_.address(answers) = queries_.address(index);
                ++answers;
            }
        }
        answers_.send(udp_, answers);
    }

    void accept() {
        const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (socket < 0) {
            return;
        }
        streams_.emplace(socket, std::make_unique<Stream>(socket));
        set(socket, IPPROTO_TCP, TCP_NODELAY);
        watch(socket, EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP);
    }

    int epoll_;
    int udp_;
    int listener_;
    UdpBatch<batch_size, largest_answer> queries_{true};
    UdpBatch<batch_size, largest_answer> answers_{true};
    std::unordered_map<int, std::unique_ptr<Stream>> streams_;
};

}  // namespace
}  // namespace dotpair::bench

int main(int argc, char** argv) {
    try {
        if (argc != 2) {
            std::fputs("use: dotpair-bench-responder PORT\n", stderr);
            return 64;
        }
        dotpair::bench::Responder responder{static_cast<std::uint16_t>(std::stoul(argv[1]))};
        std::puts("ready");
        std::fflush(stdout);
        responder.run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "dotpair-bench-responder: %s\n", error.what());
        return 1;
    }
}
