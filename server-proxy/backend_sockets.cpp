// SPDX-License-Identifier: MIT
#include "server-proxy/backend_sockets.hpp"

#include "common/dns/message_view.hpp"

#include <boost/system/system_error.hpp>
#include <spdlog/spdlog.h>

namespace dotpair::server {
namespace {
constexpr std::size_t max_pending_per_socket = 4096;
constexpr std::uint32_t queries_per_port =
    4096;  // then the port is changed, when all its answers are in
}  // namespace

class BackendSockets::Socket final : public net::UdpBatchSocket::Handler {
public:
    Socket(BackendSockets& owner, std::uint32_t number)
        : owner_(owner), number_(number), ids_(max_pending_per_socket) {}

    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    ~Socket() override { close(); }

    /// Open, on a port that has not been used too long. False when it has to rest, or cannot be
    /// opened.
    bool is_ready() {
        const bool is_spent = uses_ >= queries_per_port;
        if (socket_ && !is_spent) {
            return true;
        }
        if (is_spent && ids_.pending_count() > 0) {
            return false;
        }
        return reopen();
    }

    bool is_open() const { return socket_ != nullptr; }

    std::optional<Route> send(
        policy::SlotId query, dns::Bytes message, std::uint64_t question_hash, bool keep_id
    ) {
        std::uint16_t wire_id = dns::header::id(message);
        if (keep_id) {
            if (!ids_.reserve_exactly(wire_id, question_hash, query)) {
                return std::nullopt;
            }
        } else {
            const auto reserved = ids_.reserve(owner_.loop_.random_id(), question_hash, query);
            if (!reserved) {
                return std::nullopt;
            }
            wire_id = *reserved;
            dns::header::set_id(message, wire_id);
        }
        ++uses_;
        socket_->queue(message, {});
        return route(wire_id);
    }

    void flush() {
        if (socket_) {
            socket_->flush();
        }
    }

    void abandon(std::uint16_t wire_id) {
        flush();  // what it still has to send is read from a query that is about to end
        ids_.abandon(wire_id);
    }

private:
    Route route(std::uint16_t wire_id) const {
        return {Route::Kind::datagram, owner_.backend_, number_, wire_id, 0};
    }

    void close() {
        if (socket_) {
            socket_->flush();
            socket_->close();
            socket_.reset();
        }
    }

    bool reopen() {
        close();
        ids_.take_all();
        uses_ = 0;
        try {
            socket_ = net::UdpBatchSocket::connected(owner_.loop_, *this, owner_.to_);
            socket_->start();
        } catch (const boost::system::system_error& error) {
            spdlog::debug(
                "backend socket addr={} reason=\"{}\"",
                net::to_string(owner_.to_),
                error.code().message()
            );
            socket_.reset();
        }
        return is_open();
    }

    void
    on_datagram(net::UdpBatchSocket& /*socket*/, dns::Bytes answer, const net::ReturnPath& /*from*/)
        override {
        if (answer.size() < dns::header_size || !dns::header::is_answer(answer)) {
            owner_.events_.on_backend_unmatched();
            return;
        }
        const BackendAnswer read(answer);
        const auto [match, query] = ids_.match(dns::header::id(answer), read.question());
        if (match == policy::PendingQueries::Match::found) {
            owner_.events_.on_backend_answer(route(dns::header::id(answer)), query, read);
        } else if (match == policy::PendingQueries::Match::abandoned) {
            owner_.events_.on_backend_late(owner_.backend_);
        } else {
            owner_.events_.on_backend_unmatched();
        }
    }

    void on_batch_end(net::UdpBatchSocket& /*socket*/) override {
        owner_.events_.on_backend_answers_end(owner_.backend_);
    }

    void on_refused(net::UdpBatchSocket& socket) override {
        socket.flush(
        );  // what it still has to send is read from the queries that are about to move
        owner_.events_.on_backend_lost(route(0), ids_.take_all(), true, "connection refused");
    }

    BackendSockets& owner_;
    std::uint32_t number_;
    std::uint32_t uses_ = 0;
    policy::PendingQueries ids_;
    std::shared_ptr<net::UdpBatchSocket> socket_;
};

BackendSockets::BackendSockets(
    net::EventLoop& loop,
    BackendEvents& events,
    std::size_t backend,
    const net::Endpoint& to,
    std::size_t count
)
    : loop_(loop), events_(events), backend_(backend), to_(to) {
    for (std::uint32_t number = 0; number < count; ++number) {
        sockets_.push_back(std::make_unique<Socket>(*this, number));
    }
}

BackendSockets::~BackendSockets() = default;

/// A random one of those that are ready. Where all are spent, one serves on while the others rest
/// and get new ports.
BackendSockets::Socket* BackendSockets::pick() {
    const std::size_t first = loop_.random_id() % sockets_.size();
    for (std::size_t step = 0; step < sockets_.size(); ++step) {
        Socket& socket = *sockets_[(first + step) % sockets_.size()];
        if (socket.is_ready()) {
            return &socket;
        }
    }
    Socket& spent = *sockets_.front();
    return spent.is_open() ? &spent : nullptr;
}

/// The same for all queries of a turn: they leave, and their answers come, in batches. Nobody
/// outside can tell which port a turn will take.
BackendSockets::Socket* BackendSockets::pick_for_turn() {
    if (turn_socket_ == nullptr || turn_ != loop_.turn() || !turn_socket_->is_ready()) {
        turn_socket_ = pick();
        turn_ = loop_.turn();
    }
    return turn_socket_;
}

std::optional<Route> BackendSockets::send(
    policy::SlotId query, dns::Bytes message, std::uint64_t question_hash, bool keep_id
) {
    for (std::size_t attempt = 0; attempt < sockets_.size(); ++attempt) {
        Socket* const socket = attempt == 0 ? pick_for_turn() : pick();
        if (socket == nullptr) {
            return std::nullopt;
        }
        if (auto sent = socket->send(query, message, question_hash, keep_id)) {
            return sent;
        }
    }
    return std::nullopt;
}

void BackendSockets::flush(const Route& route) {
    sockets_[route.number]->flush();
}

void BackendSockets::abandon(const Route& route) {
    sockets_[route.number]->abandon(route.wire_id);
}

}  // namespace dotpair::server
