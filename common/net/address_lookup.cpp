// SPDX-License-Identifier: MIT
#include "common/net/address_lookup.hpp"

#include <boost/system/system_error.hpp>

#include <utility>

namespace dotpair::net {

using policy::LookupFailure;
using policy::LookupTransport;

namespace {

std::string text_of(dns::Rcode rcode) {
    switch (rcode) {
        case dns::Rcode::formerr:
            return "FORMERR";
        case dns::Rcode::servfail:
            return "SERVFAIL";
        case dns::Rcode::notimp:
            return "NOTIMP";
        case dns::Rcode::refused:
            return "REFUSED";
        default:
            return "RCODE " + std::to_string(static_cast<int>(rcode));
    }
}

}  // namespace

AddressLookup::AddressLookup(
    EventLoop& loop,
    std::vector<Endpoint> servers,
    std::vector<std::uint8_t> name,
    dns::AddressFamily family,
    std::function<void(const Result&)> on_done
)
    : loop_(loop),
      servers_(std::move(servers)),
      name_(std::move(name)),
      family_(family),
      on_done_(std::move(on_done)),
      timer_(loop.context()) {}

AddressLookup::~AddressLookup() {
    hang_up();
}

void AddressLookup::begin(std::size_t first_server) {
    cancel();
    failure_.clear();
    attempts_.emplace(servers_.size(), first_server);
    loop_.post([this, wait = wait_] {
        if (wait == wait_ && attempts_) {
            next_attempt();
        }
    });
}

void AddressLookup::cancel() {
    hang_up();
    attempts_.reset();
}

void AddressLookup::next_attempt() {
    hang_up();
    while (const auto attempt = attempts_->current()) {
        const Endpoint& server = servers_[attempt->server];
        query_ = dns::make_address_query(name_, family_, [this] { return loop_.random_id(); });
        if (attempt->transport == LookupTransport::tcp) {
            ask_by_tcp(server);
            wait(tcp_patience);
            return;
        }
        if (ask_by_udp(server)) {
            wait(udp_patience);
            return;
        }
        attempts_->failed(LookupFailure::no_answer);
    }
    finish({std::nullopt, 0, failure_});
}

/// False when there is no way to send it there.
bool AddressLookup::ask_by_udp(const Endpoint& server) {
    try {
        socket_ = UdpBatchSocket::connected(loop_, *this, server);
    } catch (const boost::system::system_error& error) {
        failure_ = to_string(server) + ": " + error.code().message();
        return false;
    }
    socket_->start();
    socket_->queue(query_, {});
    socket_->flush();
    if (socket_->unsent() > 0) {
        failure_ = to_string(server) + ": cannot be sent to";
        std::exchange(socket_, nullptr)->close();
        return false;
    }
    return true;
}

void AddressLookup::ask_by_tcp(const Endpoint& server) {
    ConnectionSettings settings;
    settings.open_timeout = tcp_patience;
    settings.message_timeout = tcp_patience;
    settings.idle_timeout = tcp_patience;
    settings.queued_bytes = dns::max_message_size;
    settings.counters = &counters_;
    FrameConnection::Handler& handler = *this;
    stream_ = std::make_shared<FrameConnection>(loop_, handler, settings, std::nullopt);
    stream_->connect(server);
}

void AddressLookup::wait(std::chrono::milliseconds patience) {
    timer_.expires_at(loop_.now() + patience);
    timer_.async_wait([this, wait = ++wait_](const boost::system::error_code& error) {
        if (!error && wait == wait_) {
            failed(LookupFailure::no_answer, "no answer");
        }
    });
}

void AddressLookup::hang_up() {
    ++wait_;
    timer_.cancel();
    if (socket_) {
        std::exchange(socket_, nullptr)->close();
    }
    if (stream_) {
        std::exchange(stream_, nullptr)->close();
    }
}

void AddressLookup::read(dns::ConstBytes answer, dns::NameCase name_case) {
    if (answer.size() < dns::header_size) {
        return;
    }
    using Kind = dns::AddressAnswer::Kind;
    dns::AddressAnswer read = dns::read_address_answer(query_, answer, name_case);
    switch (read.kind) {
        case Kind::foreign:
            break;
        case Kind::distorted:
            failed(LookupFailure::unusable, "writes the name in another way");
            break;
        case Kind::truncated:
            failed(LookupFailure::unusable, "truncated answer");
            break;
        case Kind::refused:
            failed(LookupFailure::refused, text_of(read.rcode));
            break;
        case Kind::found:
            finish({std::move(read), attempts_->current()->server, {}});
            break;
    }
}

void AddressLookup::failed(LookupFailure failure, const std::string& reason) {
    failure_ = to_string(servers_[attempts_->current()->server]) + ": " + reason;
    attempts_->failed(failure);
    next_attempt();
}

void AddressLookup::finish(const Result& result) {
    cancel();
    on_done_(result);
}

void AddressLookup::on_datagram(
    UdpBatchSocket& /*socket*/, dns::Bytes message, const ReturnPath& /*from*/
) {
    read(message, dns::NameCase::as_asked);
}

void AddressLookup::on_refused(UdpBatchSocket& /*socket*/) {
    failed(LookupFailure::no_answer, "connection refused");
}

void AddressLookup::on_open() {
    stream_->outbox().append(query_);
    stream_->write_soon();
}

void AddressLookup::on_message(dns::Bytes message) {
    read(message, dns::NameCase::any);
}

void AddressLookup::on_end_of_stream() {
    failed(LookupFailure::no_answer, "closed without an answer");
}

void AddressLookup::on_closed(const std::string& reason) {
    stream_.reset();
    failed(LookupFailure::no_answer, reason);
}

}  // namespace dotpair::net
