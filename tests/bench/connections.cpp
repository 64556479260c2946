// SPDX-License-Identifier: MIT
// TLS connections without queries. See usage below.
#include "tests/bench/stream.hpp"

#include <cstdio>
#include <deque>
#include <exception>
#include <string_view>

namespace dotpair::bench {
namespace {

using namespace std::chrono_literals;

constexpr const char* usage =
    "use: dotpair-bench-connections PORT hold|full|resumed COUNT\n"
    "  hold      opens them, prints `held=COUNT` and keeps them until its input ends;\n"
    "            those beyond the first 20000 go to 127.0.0.2, then 127.0.0.3 and so on\n"
    "  full      shakes hands and closes, prints `full=COUNT resumed=0`\n"
    "  resumed   the same with the session of one before, but for the first\n";

constexpr std::size_t most_at_once = 16;
constexpr std::size_t most_of_address = 20000;  // it has hardly more ports for us
constexpr auto patience = 20s;                  // without any progress
constexpr auto ticket_wait =
    30ms;  // of a resumed connection: not every server gives it another one

class Dialer;

/// One connection, done when the server has given it a ticket: then the server has done all its
/// work.
class Client : public Watcher {
public:
    Client(Dialer& dialer, SSL_SESSION* session, std::uint32_t further);

    void on_ready(std::uint32_t events) override;

    /// Given by OpenSSL, which leaves a reference to `session`.
    static int on_ticket(SSL* tls, SSL_SESSION* session);

    Stream& stream() { return stream_; }

    /// Whether it is done without a ticket.
    bool has_waited_enough(TimePoint now) const {
        return !is_done_ && stream_.is_up() && SSL_session_reused(stream_.tls()) != 0 &&
               now - up_at_ > ticket_wait;
    }

    void finish();

private:
    Dialer& dialer_;
    bool is_done_ = false;
    TimePoint up_at_ = TimePoint::max();
    Stream stream_;
    std::array<std::uint8_t, 4096> input_{};
};

class Dialer {
public:
    Dialer(std::uint16_t port, std::string_view way, std::size_t count)
        : port_(port), keeps_(way == "hold"), resumes_(way == "resumed"), count_(count) {
        SSL_CTX_set_session_cache_mode(
            tls_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE
        );
        SSL_CTX_sess_set_new_cb(tls_.get(), Client::on_ticket);
    }

    void run() {
        while (done_ < count_) {
            while (begun_ < count_ && begun_ - done_ < (begun_ == 0 ? 1 : most_at_once) &&
                   (!resumes_ || begun_ == 0 || !sessions_.empty())) {
                dial();
            }
            turn();
        }
        if (keeps_) {
            std::printf("held=%zu\n", done_);
            std::fflush(stdout);
            wait_for_end_of_input();
        } else {
            std::printf("full=%zu resumed=%zu\n", done_ - resumed_, resumed_);
        }
    }

    EventLoop& loop() { return loop_; }

    std::uint16_t port() const { return port_; }

    bool keeps() const { return keeps_; }

    const SslContext& tls() const { return tls_; }

    void keep(SslSession session) {
        if (resumes_) {
            sessions_.push_back(std::move(session));
        }
    }

    void on_done(Client& client) {
        ++done_;
        resumed_ += SSL_session_reused(client.stream().tls()) != 0 ? 1U : 0U;
        progress_ = Clock::now();
        if (!keeps_) {
            over_.push_back(&client);
        }
    }

private:
    void dial() {
        SslSession session;
        if (!sessions_.empty()) {
            session = std::move(sessions_.front());
            sessions_.pop_front();
        }
        if (session && sessions_.empty()) {
            SSL_SESSION_up_ref(session.get());
            sessions_.emplace_back(session.get());  // rather twice than never
        }
        const auto further = static_cast<std::uint32_t>(keeps_ ? begun_ / most_of_address : 0);
        ++begun_;
        clients_.push_back(std::make_unique<Client>(*this, session.get(), further));
    }

    void turn() {
        loop_.turn(Clock::now() + (resumes_ ? ticket_wait : 1s));
        for (std::size_t index = 0; resumes_ && index < clients_.size(); ++index) {
            if (clients_[index]->has_waited_enough(Clock::now())) {
                clients_[index]->finish();
            }
        }
        for (Client* const client : over_) {
            client->stream().shut_down();
            // Also if that failed: or OpenSSL would not resume its session.
            SSL_set_shutdown(client->stream().tls(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
            std::erase_if(clients_, [client](auto& one) { return one.get() == client; });
        }
        over_.clear();
        if (Clock::now() - progress_ > patience) {
            throw std::runtime_error{"no progress after " + std::to_string(done_)};
        }
    }

    /// Nothing comes from the servers meanwhile that has to be read, but the end.
    static void wait_for_end_of_input() {
        std::array<char, 64> input{};
        while (::read(STDIN_FILENO, input.data(), input.size()) > 0) {
        }
    }

    std::uint16_t port_;
    bool keeps_;
    bool resumes_;
    std::size_t count_;
    EventLoop loop_;
    SslContext tls_ = make_tls_client();
    std::deque<SslSession> sessions_;
    std::vector<std::unique_ptr<Client>> clients_;
    std::vector<Client*> over_;  // in this turn
    std::size_t begun_ = 0;
    std::size_t done_ = 0;
    std::size_t resumed_ = 0;
    TimePoint progress_ = Clock::now();
};

Client::Client(Dialer& dialer, SSL_SESSION* session, std::uint32_t further)
    : dialer_(dialer),
      stream_(connect_stream(dialer.loop(), *this, dialer.port(), dialer.tls(), session, further)) {
    SSL_set_app_data(stream_.tls(), this);
}

int Client::on_ticket(SSL* tls, SSL_SESSION* session) {
    auto& self = *static_cast<Client*>(SSL_get_app_data(tls));
    self.dialer_.keep(SslSession{session});
    self.finish();
    return 1;
}

void Client::finish() {
    if (!std::exchange(is_done_, true)) {
        dialer_.on_done(*this);
    }
}

void Client::on_ready(std::uint32_t /*events*/) {
    const bool is_alive = stream_.advance();
    up_at_ = stream_.is_up() ? std::min(up_at_, Clock::now()) : up_at_;
    if (!is_alive || !stream_.read(input_)) {
        if (!is_done_ || dialer_.keeps()) {
            throw std::runtime_error{"the server closed a connection"};
        }
    }
}

}  // namespace
}  // namespace dotpair::bench

int main(int argc, char** argv) {
    try {
        const std::string_view way = argc == 4 ? argv[2] : "";
        if (way != "hold" && way != "full" && way != "resumed") {
            std::fputs(dotpair::bench::usage, stderr);
            return 64;
        }
        const auto port = static_cast<std::uint16_t>(std::stoul(argv[1]));
        dotpair::bench::Dialer{port, way, std::stoul(argv[3])}.run();
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "dotpair-bench-connections: %s\n", error.what());
        return 1;
    }
}
