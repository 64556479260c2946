// SPDX-License-Identifier: MIT
#pragma once

#include "tests/bench/dns_message.hpp"
#include "tests/bench/event_loop.hpp"
#include "tests/bench/tls.hpp"

#include <algorithm>
#include <vector>

namespace dotpair::bench {

/// A TCP connection, with TLS on it if `tls` is not null. It knows when it has to wait to write.
class Stream {
public:
    /// REQUIRES: `loop` and `watcher` outlive this. The watcher has to call advance().
    Stream(EventLoop& loop, Watcher& watcher, Socket socket, Ssl tls = nullptr)
        : loop_(loop), watcher_(watcher), socket_(std::move(socket)), tls_(std::move(tls)) {
        loop_.watch(socket_, watcher_, interest_);
    }

    /// Goes on with what waits for the socket: the handshake, then output. False when it is over.
    bool advance() {
        if (!is_up_) {
            is_up_ = !tls_ || went_on(SSL_do_handshake(tls_.get()));
            if (!is_up_) {
                set_interest(SSL_want_write(tls_.get()) != 0);
                return !is_over_;
            }
        }
        return flush();
    }

    bool is_up() const { return is_up_; }

    SSL* tls() const { return tls_.get(); }

    /// Bytes read, 0 when there are none; nothing when the connection is over.
    std::optional<std::size_t> read(Bytes room) {
        if (is_over_ || !is_up_) {
            return is_over_ ? std::nullopt : std::optional<std::size_t>{0};
        }
        std::size_t size = 0;
        if (tls_) {
            ERR_clear_error();
            went_on(SSL_read_ex(tls_.get(), room.data(), room.size(), &size));
        } else {
            size = transferred(::recv(socket_.get(), room.data(), room.size(), 0));
        }
        return is_over_ ? std::nullopt : std::optional{size};
    }

    /// Whether read() has something without the socket.
    bool has_buffered() const { return tls_ && SSL_has_pending(tls_.get()) != 0; }

    /// What is appended here leaves at the next flush().
    std::vector<std::uint8_t>& output() { return output_; }

    /// As much as the socket takes, with TLS in records that are as full as can be. False when the
    /// connection is over.
    bool flush() {
        while (is_up_ && !is_over_ && written_ < output_.size()) {
            const std::size_t size = write(ConstBytes{output_}.subspan(written_));
            written_ += size;
            if (size == 0) {
                break;
            }
        }
        if (written_ == output_.size() || written_ > most_written_kept) {
            output_.erase(output_.begin(), output_.begin() + static_cast<std::ptrdiff_t>(written_));
            written_ = 0;
        }
        set_interest(!is_up_ || !output_.empty());
        return !is_over_;
    }

    std::size_t unwritten() const { return output_.size() - written_; }

    /// While false, nothing is told about what comes in.
    void set_reading(bool is_reading) {
        is_reading_ = is_reading;
        set_interest(!is_up_ || !output_.empty());
    }

    /// Without a word; nothing is told of it any more.
    void close() {
        is_over_ = true;
        socket_ = Socket{};
    }

    /// Lets the peer know that this was the end, without waiting for it.
    void shut_down() {
        if (tls_ && is_up_ && !is_over_) {
            SSL_shutdown(tls_.get());
        }
    }

private:
    static constexpr std::size_t most_written_kept = 1 << 18;

    std::size_t write(ConstBytes bytes) {
        if (!tls_) {
            return transferred(::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
        }
        std::size_t size = 0;
        ERR_clear_error();
        went_on(SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &size));
        return size;
    }

    bool went_on(int result) {
        if (result > 0) {
            return true;
        }
        const int error = SSL_get_error(tls_.get(), result);
        is_over_ = error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
        return false;
    }

    std::size_t transferred(ssize_t result) {
        is_over_ = result == 0 || (result < 0 && errno != EAGAIN && errno != EINTR);
        return result > 0 ? static_cast<std::size_t>(result) : 0;
    }

    void set_interest(bool is_writing) {
        if (is_over_) {
            return;
        }
        const std::uint32_t in = is_reading_ ? std::uint32_t{EPOLLIN} : 0;
        const std::uint32_t wanted = in | (is_writing ? std::uint32_t{EPOLLOUT} : 0);
        if (wanted != interest_) {
            interest_ = wanted;
            loop_.change(socket_, watcher_, interest_);
        }
    }

    EventLoop& loop_;
    Watcher& watcher_;
    Socket socket_;
    Ssl tls_;
    std::vector<std::uint8_t> output_;
    std::size_t written_ = 0;
    std::uint32_t interest_ = EPOLLIN | EPOLLOUT;  // until it is connected
    bool is_reading_ = true;
    bool is_up_ = false;
    bool is_over_ = false;
};

/// To a port of the loopback; by TLS if `context` is not null, and resumed if `session` is not.
inline Stream connect_stream(
    EventLoop& loop,
    Watcher& watcher,
    std::uint16_t port,
    const SslContext& context,
    SSL_SESSION* session = nullptr,
    std::uint32_t further = 0
) {
    Socket socket = connect_tcp(port, further);
    Ssl tls = context ? begin_tls(context, socket.get(), session) : nullptr;
    return Stream{loop, watcher, std::move(socket), std::move(tls)};
}

/// Puts `message` with its length behind `output`.
inline void append_frame(std::vector<std::uint8_t>& output, ConstBytes message) {
    const std::size_t at = output.size();
    output.resize(at + 2 + message.size());
    write_16(output, at, message.size());
    std::copy(message.begin(), message.end(), output.begin() + static_cast<std::ptrdiff_t>(at) + 2);
}

/// Reads what is there and calls `take(Bytes)` for each whole message. `kept` is what was left of
/// one before, and is again. `buffer` has at least 128 KiB. False when the connection is over.
template <typename Take>
bool read_frames(Stream& stream, std::vector<std::uint8_t>& kept, Bytes buffer, Take take) {
    do {
        std::copy(kept.begin(), kept.end(), buffer.begin());
        const auto size = stream.read(buffer.subspan(kept.size()));
        if (!size) {
            return false;
        }
        const Bytes all = buffer.first(kept.size() + *size);
        std::size_t at = 0;
        while (at + 2 <= all.size() && at + 2 + read_16(all, at) <= all.size()) {
            const std::size_t length = read_16(all, at);
            take(all.subspan(at + 2, length));
            at += 2 + length;
        }
        const Bytes rest = all.subspan(at);
        kept.assign(rest.begin(), rest.end());
    } while (stream.has_buffered());
    return true;
}

}  // namespace dotpair::bench
