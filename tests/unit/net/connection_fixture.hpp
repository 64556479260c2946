// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/frame_connection.hpp"
#include "common/net/tls_context.hpp"
#include "tests/support/loop_thread.hpp"
#include "tests/support/stream_peer.hpp"

#include <functional>

namespace dotpair::test {

inline std::string text_of(dns::ConstBytes bytes) {
    return {bytes.begin(), bytes.end()};
}

inline Octets octets_of(std::string_view text) {
    return {text.begin(), text.end()};
}

inline net::ConnectionSettings patient_settings() {
    return {
        .open_timeout = patience,
        .message_timeout = patience,
        .idle_timeout = patience,
        .queued_bytes = 100000};
}

/// Notes what the connection tells, and then does what the test wants done there.
struct Recorder final : net::FrameConnection::Handler {
    void on_open() override { note("open"); }

    void on_message(dns::Bytes message) override { note("message " + text_of(message)); }

    void on_batch_end() override { react("batch"); }

    void on_end_of_stream() override { note("end"); }

    void on_drained() override { note("drained"); }

    void on_closed(const std::string& reason) override { note("closed: " + reason); }

    void note(const std::string& event) {
        events.add(event);
        react(event);
    }

    void react(const std::string& event) {
        const auto kept = reaction;  // it may destroy the recorder
        if (kept) {
            kept(event);
        }
    }

    Events events;
    std::function<void(const std::string&)> reaction;
};

/// One FrameConnection as a server has it, and its peer in the test's hands.
class Link {
public:
    explicit Link(
        bool with_tls,
        net::ConnectionSettings settings = patient_settings(),
        bool shakes_hands = true,
        int receive_buffer = 0
    )
        : pair_(tcp_pair(receive_buffer)),
          peer(pair_[0], with_tls ? std::optional(client_.start_session()) : std::nullopt) {
        settings.counters = &counters;
        thread.call([&] {
            stream = std::make_shared<net::FrameConnection>(
                thread.loop,
                recorder,
                settings,
                with_tls ? std::optional(server_.start_session()) : std::nullopt
            );
            stream->adopt(
                net::TcpSocket(thread.loop.context(), boost::asio::ip::tcp::v4(), pair_[1])
            );
        });
        if (shakes_hands) {
            peer.shake_hands();
            recorder.events.wait_for("open");
        }
    }

    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    ~Link() {
        thread.call([this] {
            if (stream) {
                stream->close();
            }
        });
        release();
    }

    /// Of the kernel, on this side: so every little that the peer reads lets a little be written.
    void limit_send_buffer(int octets) const {
        ::setsockopt(pair_[1], SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets);
    }

    /// From now on the connection lives only as long as it has something to do.
    void release() {
        thread.call([this] { stream.reset(); });
    }

    /// Queues these messages in one turn.
    void write(const std::vector<std::string>& messages) {
        thread.call([&] {
            for (const std::string& message : messages) {
                stream->outbox().append(octets_of(message));
            }
            stream->write_soon();
        });
    }

    void send(std::string_view message) { peer.send(frame_of(octets_of(message))); }

private:
    net::TlsServerContext server_ = net::TlsServerContext::ephemeral();
    net::TlsClientContext client_{{.name = {}, .pins = {server_.pin()}, .ca_file = {}}};
    std::array<int, 2> pair_;

public:
    net::ConnectionCounters counters;
    Recorder recorder;
    LoopThread thread;
    StreamPeer peer;
    std::shared_ptr<net::FrameConnection> stream;
};

}  // namespace dotpair::test
