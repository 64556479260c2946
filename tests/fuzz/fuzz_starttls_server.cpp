// SPDX-License-Identifier: MIT
#include "common/policy/starttls_server.hpp"
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/fuzz/starttls_reference.hpp"

namespace dotpair::fuzz {
namespace {

using Order = policy::StarttlsOrder;
using State = policy::StarttlsServer::State;
using dns::StarttlsQuery;
using test::Octets;

/// Reads the octets of a client as a connection does, and watches what the machine makes of them.
class Server {
public:
    Server(bool willing, bool prototypes) : settings_{willing, prototypes}, machine_(settings_) {}

    void receive(const Octets& octets);
    void handshake(bool works);
    void close();

private:
    void read_frames();
    void judge(Order order, const Octets& message);
    void check_answer(const Octets& query, bool accepts);

    policy::StarttlsServer::Settings settings_;
    policy::StarttlsServer machine_;
    Octets stream_;
    std::size_t messages_ = 0;
    bool in_tls_ = false;  // nothing that arrives is read in clear
    bool is_closed_ = false;
    bool refused_last_ = false;
};

void Server::receive(const Octets& octets) {
    if (!in_tls_ && !is_closed_) {
        stream_.insert(stream_.end(), octets.begin(), octets.end());
        read_frames();
    }
}

void Server::read_frames() {
    while (!is_closed_ && !in_tls_ && stream_.size() >= 2) {
        const std::size_t length = stream_[0] * 256U + stream_[1];
        const bool is_hello = stream_[0] == 0x16 && stream_[1] == 0x03;
        if (stream_.size() - 2 < length) {
            const Order order = machine_.on_frame_begin(length);
            require((order == Order::close) == (refused_last_ && is_hello), "P-158, as it begins");
            is_closed_ = order == Order::close;
            return;
        }
        const auto end = stream_.begin() + static_cast<std::ptrdiff_t>(2 + length);
        const Octets message(stream_.begin() + 2, end);
        stream_.erase(stream_.begin(), end);
        const bool must_close = refused_last_ && is_hello;
        const Order order = machine_.on_message(message, stream_);
        require(!must_close || order == Order::close, "P-158, as it is whole");
        judge(order, message);
    }
}

void Server::judge(Order order, const Octets& message) {
    const StarttlsQuery query = reference_query(message);
    const bool is_first = messages_++ == 0;
    const bool asks = query == StarttlsQuery::with_bit ||
                      (query == StarttlsQuery::without_bit && settings_.accepts_prototypes);
    const bool upgrades = is_first && asks && settings_.willing;
    const bool alone =
        stream_.empty() || (stream_[0] == 0x16 && (stream_.size() < 2 || stream_[1] == 3));
    const bool was_refused = refused_last_;
    refused_last_ = order == Order::send;
    switch (order) {
        case Order::pass:
            require(query == StarttlsQuery::none, "what is passed on is no dummy query");
            break;
        case Order::send:
            require(query != StarttlsQuery::none && !upgrades, "NO_TLS answers a dummy query");
            check_answer(message, false);
            break;
        case Order::send_and_handshake:
            require(upgrades && alone, "P-155 and P-157 hold for every upgrade");
            check_answer(message, true);
            in_tls_ = true;
            break;
        case Order::close:
            require((upgrades && !alone) || was_refused, "a reason to close");
            is_closed_ = true;
            break;
        case Order::read_on:
        case Order::handshake:
        case Order::open_in_clear:
            require(false, "no order for a message to a server");
    }
}

void Server::check_answer(const Octets& query, bool accepts) {
    const Octets answer(machine_.message().begin(), machine_.message().end());
    const auto id = static_cast<std::uint16_t>(query[0] * 256U + query[1]);
    const bool with_bit = reference_query(query) == StarttlsQuery::with_bit;
    for (const auto variant : {dns::StarttlsVariant::draft, dns::StarttlsVariant::prototype}) {
        const bool is_for_it = with_bit || variant == dns::StarttlsVariant::prototype;
        require(
            may_be_acceptance(answer, id, variant) == (accepts && is_for_it), "the answer's meaning"
        );
        require(
            dns::read_starttls_answer(answer, id, variant) == (accepts && is_for_it
                                                                   ? dns::StarttlsAnswer::accepted
                                                                   : dns::StarttlsAnswer::declined),
            "the client reads it so"
        );
    }
}

void Server::handshake(bool works) {
    const bool was_handshaking = machine_.state() == State::handshaking;
    const Order order = works ? machine_.on_handshake_done() : machine_.on_handshake_failed();
    const bool ends = is_closed_ || (was_handshaking && !works);
    require(order == (ends ? Order::close : Order::read_on), "only a failed handshake ends it");
    is_closed_ = ends;
    require(!works || !was_handshaking || machine_.state() == State::secured, "secured by TLS");
}

void Server::close() {
    require(machine_.on_closed() == Order::close, "closed is closed");
    is_closed_ = true;
    require(machine_.on_message(Octets(12), {}) == Order::close, "and stays so");
}

void run(Orders orders) {
    const unsigned settings = orders.octet();
    Server server((settings & 1) == 0, (settings & 2) != 0);
    while (!orders.is_over()) {
        switch (orders.octet() % 4) {
            case 0:
            case 1:
                server.receive(orders.octets());
                break;
            case 2:
                server.handshake((orders.octet() & 1) == 0);
                break;
            default:
                server.close();
        }
    }
}

}  // namespace
}  // namespace dotpair::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    dotpair::fuzz::run({data, size});
    return 0;
}
