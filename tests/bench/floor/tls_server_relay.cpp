// SPDX-License-Identifier: MIT
// TLS connections in; out to a resolver by UDP, or by TCP: there each has one of its own, and what
// is decrypted passes as it is.
#include "tests/bench/floor/relay.hpp"
#include "tests/bench/stream.hpp"

#include <string_view>

namespace dotpair::bench::floor {
namespace {

class Server;

/// One TLS connection, and what differs between UDP and TCP behind it.
class Connection : public Watcher {
public:
    Connection(Server& server, Socket socket, Ssl tls);

    Stream& stream() { return stream_; }

    virtual bool read() = 0;

    void on_ready(std::uint32_t events) override;

protected:
    Server& server_;
    int key_;
    Stream stream_;
};

/// Accepts, and lets go of what is over when the turn ends.
class Server {
public:
    struct Asker {
        int key = 0;
        std::uint64_t serial = 0;
    };

    Server(std::uint16_t port, std::uint16_t resolver, SslContext tls, bool is_by_tcp)
        : tls_(std::move(tls)),
          resolver_(resolver),
          is_by_tcp_(is_by_tcp),
          listener_(listen_tcp(port)),
          back_(connect_udp(resolver)) {
        loop_.watch(listener_, on_listener_);
        loop_.watch(back_, on_back_);
    }

    [[noreturn]] void run();

    EventLoop& loop() { return loop_; }

    Bytes buffer() { return buffer_; }

    std::uint16_t resolver() const { return resolver_; }

    void ask(Bytes query, int key) {
        askers_.leave(query, {key, serials_[static_cast<std::size_t>(key)]});
        queries_.add(query);
    }

    void close(int key) { closed_.push_back(key); }

private:
    void accept();
    void answer(Bytes message);

    EventLoop loop_;
    SslContext tls_;
    std::uint16_t resolver_;
    bool is_by_tcp_;
    Socket listener_;
    Socket back_;
    Batch input_{true};
    IdTable<Asker> askers_;
    Departures queries_{back_, false};
    std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(buffer_size);
    std::vector<std::unique_ptr<Connection>> connections_;  // by descriptor
    std::vector<std::uint64_t> serials_;                    // of those
    std::uint64_t last_serial_ = 0;
    std::vector<int> closed_;   // in this turn
    std::vector<int> written_;  // in this turn
    Handler on_listener_{[this] { accept(); }};
    Handler on_back_{[this] {
        receive_datagrams(back_, input_, [this](Bytes message, const sockaddr_in&) {
            answer(message);
        });
    }};
};

Connection::Connection(Server& server, Socket socket, Ssl tls)
    : server_(server),
      key_(socket.get()),
      stream_(server.loop(), *this, std::move(socket), std::move(tls)) {}

void Connection::on_ready(std::uint32_t /*events*/) {
    if (!stream_.advance() || (stream_.is_up() && !read())) {
        server_.close(key_);
    }
}

class UdpConnection : public Connection {
public:
    using Connection::Connection;

    bool read() override {
        const auto take = [this](Bytes query) { server_.ask(query, key_); };
        return read_frames(stream_, kept_, server_.buffer(), take);
    }

private:
    std::vector<std::uint8_t> kept_;
};

/// Asks the resolver for a connection once it has something to say there.
class TcpConnection : public Connection {
public:
    using Connection::Connection;

    bool read() override {
        if (!back_) {
            back_.emplace(server_.loop(), on_back_, connect_tcp(server_.resolver()));
        }
        back_->set_reading(stream_.unwritten() < most_unwritten);
        return pass(stream_, *back_);
    }

private:
    bool pass(Stream& from, Stream& to) {
        do {
            const auto size = from.read(server_.buffer());
            if (!size) {
                return false;
            }
            const ConstBytes bytes = server_.buffer().first(*size);
            to.output().insert(to.output().end(), bytes.begin(), bytes.end());
        } while (from.has_buffered());
        const bool is_alive = to.flush();
        from.set_reading(to.unwritten() < most_unwritten);
        return is_alive;
    }

    void read_back() {
        const bool is_alive = back_->advance() && pass(*back_, stream_);
        stream_.set_reading(back_->unwritten() < most_unwritten);
        if (!is_alive) {
            server_.close(key_);
        }
    }

    std::optional<Stream> back_;
    Handler on_back_{[this] { read_back(); }};
};

void Server::accept() {
    for (Socket socket = accept_from(listener_); socket.get() >= 0;
         socket = accept_from(listener_)) {
        const auto key = static_cast<std::size_t>(socket.get());
        Ssl tls = begin_tls(tls_, socket.get());
        connections_.resize(std::max(connections_.size(), key + 1));
        serials_.resize(connections_.size());
        serials_[key] = ++last_serial_;
        if (is_by_tcp_) {
            connections_[key] =
                std::make_unique<TcpConnection>(*this, std::move(socket), std::move(tls));
        } else {
            connections_[key] =
                std::make_unique<UdpConnection>(*this, std::move(socket), std::move(tls));
        }
    }
}

void Server::answer(Bytes message) {
    const Asker asker = askers_.come_back(message);
    const auto key = static_cast<std::size_t>(asker.key);
    if (key >= connections_.size() || !connections_[key] || serials_[key] != asker.serial) {
        return;
    }
    auto& output = connections_[key]->stream().output();
    if (output.empty()) {
        written_.push_back(asker.key);
    }
    append_frame(output, message);
}

void Server::run() {
    say_ready();
    for (;;) {
        loop_.turn();
        queries_.flush();
        for (const int key : written_) {
            if (!connections_[static_cast<std::size_t>(key)]->stream().flush()) {
                closed_.push_back(key);
            }
        }
        written_.clear();
        for (const int key : closed_) {
            connections_[static_cast<std::size_t>(key)].reset();
        }
        closed_.clear();
    }
}

}  // namespace
}  // namespace dotpair::bench::floor

int main(int argc, char** argv) {
    using namespace dotpair::bench;
    using namespace dotpair::bench::floor;
    constexpr const char* usage = "PORT RESOLVER_PORT CERTIFICATE KEY udp|tcp";
    return run_program(argc, argv, 5, usage, [](char** words) {
        SslContext tls = make_tls_server(words[2], words[3]);
        const bool is_by_tcp = std::string_view{words[4]} == "tcp";
        Server{port_of(words[0]), port_of(words[1]), std::move(tls), is_by_tcp}.run();
    });
}
