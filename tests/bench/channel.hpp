// SPDX-License-Identifier: MIT
#pragma once

#include "tests/bench/stream.hpp"
#include "tests/bench/udp_batch.hpp"

#include <functional>
#include <memory>

namespace dotpair::bench {

/// How an app's queries leave, and answers come in: by UDP, TCP or TLS.
class Channel {
public:
    Channel() = default;
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;
    virtual ~Channel() = default;

    /// Whether what is sent would go out.
    virtual bool is_up() const = 0;

    /// For the next flush().
    virtual void queue(ConstBytes query) = 0;
    virtual void flush() = 0;

    using Take = std::function<void(ConstBytes answer, TimePoint now)>;

    /// After the loop has told of readiness: everything that has come. False when nothing will come
    /// any more.
    virtual bool receive(const Take& take) = 0;
};

/// What all channels of a generator read into.
struct ChannelInput {
    static constexpr std::size_t datagrams = 64;
    UdpBatch<datagrams, 4096> batch{false};
    std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(1 << 17);
};

class UdpChannel : public Channel {
public:
    UdpChannel(EventLoop& loop, Watcher& watcher, std::uint16_t port, ChannelInput& input)
        : socket_(connect_udp(port)), input_(input) {
        loop.watch(socket_, watcher);
    }

    bool is_up() const override { return true; }

    void queue(ConstBytes query) override {
        std::copy(query.begin(), query.end(), output_.room(queued_).begin());
        output_.set_size(queued_, query.size());
        if (++queued_ == largest_send) {
            flush();
        }
    }

    /// One sendmmsg. What does not leave is lost in time.
    void flush() override {
        if (queued_ > 0) {
            output_.send(socket_, queued_);
            queued_ = 0;
        }
    }

    bool receive(const Take& take) override {
        std::size_t count = 0;
        do {
            count = input_.batch.receive(socket_);
            const TimePoint now = Clock::now();
            for (std::size_t index = 0; index < count; ++index) {
                take(input_.batch.received(index), now);
            }
        } while (count == ChannelInput::datagrams);
        return true;
    }

private:
    static constexpr std::size_t largest_send = 1024;  // what sendmmsg takes at once
    static constexpr std::size_t query_room = 64;

    Socket socket_;
    ChannelInput& input_;
    UdpBatch<largest_send, query_room> output_{false};
    std::size_t queued_ = 0;
};

class StreamChannel : public Channel {
public:
    /// By TLS if `context` is not null.
    StreamChannel(
        EventLoop& loop,
        Watcher& watcher,
        std::uint16_t port,
        const SslContext& context,
        ChannelInput& input
    )
        : input_(input), stream_(connect_stream(loop, watcher, port, context)) {}

    bool is_up() const override { return stream_.is_up(); }

    void queue(ConstBytes query) override { append_frame(stream_.output(), query); }

    void flush() override { stream_.flush(); }

    bool receive(const Take& take) override {
        const TimePoint now = Clock::now();
        const auto take_now = [&](ConstBytes answer) { take(answer, now); };
        return stream_.advance() && read_frames(stream_, kept_, input_.bytes, take_now);
    }

private:
    ChannelInput& input_;
    Stream stream_;
    std::vector<std::uint8_t> kept_;
};

}  // namespace dotpair::bench
