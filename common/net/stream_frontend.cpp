// SPDX-License-Identifier: MIT
#include "common/net/stream_frontend.hpp"

#include <algorithm>
#include <utility>

namespace dotpair::net {
namespace {

constexpr std::size_t max_tried_for_room = 16;

policy::SourceAddress source_address(const boost::asio::ip::address& address) {
    namespace ip = boost::asio::ip;
    const auto bytes = address.is_v6()
                           ? address.to_v6().to_bytes()
                           : ip::make_address_v6(ip::v4_mapped, address.to_v4()).to_bytes();
    policy::SourceAddress source{};
    std::ranges::copy(bytes, source.begin());
    return source;
}

}  // namespace

StreamFrontend::StreamFrontend(
    EventLoop& loop,
    Handler& handler,
    const Settings& settings,
    const TlsServerContext* tls,
    SharedLimits* limits
)
    : loop_(loop),
      handler_(handler),
      settings_(settings),
      tls_(tls),
      admissions_(settings.connections, limits, [this] { handler_.on_last_client_closed(); }),
      clients_(settings.connections) {}

StreamFrontend::~StreamFrontend() {
    stop();
}

void StreamFrontend::listen(const Endpoint& at, bool dual_stack, const PassedListeners& passed) {
    // In clear the SYN could carry a query, and be delivered twice (P-12, P-127).
    const bool is_fast = tls_ != nullptr && settings_.connection.fast_open;
    add_listeners(at, {dual_stack, is_fast}, passed, [this] {
        return tls_ == nullptr ? Security(std::nullopt) : Security(tls_->start_session());
    });
}

void StreamFrontend::listen_in_clear(
    const Endpoint& at,
    const std::optional<policy::StarttlsServer::Settings>& starttls,
    const PassedListeners& passed
) {
    add_listeners(at, {}, passed, [this, starttls] {
        return !starttls ? Security(std::nullopt)
                         : Security(std::make_unique<TlsUpgrade>(
                               policy::StarttlsServer(*starttls),
                               [tls = tls_] { return tls->start_session(); }
                           ));
    });
}

void StreamFrontend::add_listeners(
    const Endpoint& at,
    const TcpListener::Settings& listening,
    const PassedListeners& passed,
    const Secure& secure
) {
    const auto on_accept = [this, secure](TcpSocket socket) { accept(std::move(socket), secure); };
    for (const int descriptor : passed.streams) {
        listeners_.push_back(
            std::make_unique<TcpListener>(loop_, at, descriptor, listening, on_accept)
        );
    }
    if (passed.streams.empty() && passed.opens_rest) {
        listeners_.push_back(std::make_unique<TcpListener>(loop_, at, listening, on_accept));
    }
}

void StreamFrontend::start() {
    for (const auto& listener : listeners_) {
        listener->start();
    }
}

bool StreamFrontend::stop_accepting(const std::function<void()>& on_neglected) {
    bool others_may = !listeners_.empty();
    for (const auto& listener : listeners_) {
        others_may = listener->hand_over(on_neglected) && others_may;
    }
    return others_may;
}

void StreamFrontend::limit_idle_time(policy::Duration limit) {
    for (auto id = clients_.front(all); id; id = clients_.behind(all, *id)) {
        clients_.at(*id).connection->set_idle_timeout(limit);
    }
}

void StreamFrontend::stop_taking() {
    listeners_.clear();
    for (auto id = clients_.front(all); id; id = clients_.behind(all, *id)) {
        clients_.at(*id).connection->stop_reading();
    }
}

void StreamFrontend::stop() {
    listeners_.clear();
    while (const auto id = clients_.front(all)) {
        forget(*id);
    }
}

void StreamFrontend::stop_in_haste() {
    listeners_.clear();
    while (const auto id = clients_.front(all)) {
        const std::shared_ptr<ClientConnection> connection = std::move(clients_.at(*id).connection);
        clients_.remove(*id);  // first: the last one's end is told from within
        connection->close_in_haste();
        loop_.destroy_later(connection);
    }
}

void StreamFrontend::accept(TcpSocket socket, const Secure& secure) {
    boost::system::error_code error;
    const auto peer = socket.remote_endpoint(error);
    if (error) {
        return;  // it has gone already
    }
    ConnectionSettings connection = settings_.connection;
    connection.admission = admit(peer.address());
    const auto id = connection.admission ? clients_.add(policy::TimePoint::max()) : std::nullopt;
    if (!id) {
        counters_.refused.add();
        handler_.on_client_refused({peer.address(), peer.port()});
        return;
    }
    counters_.admitted.add();
    clients_.enqueue(all, *id);
    Client& client = clients_.at(*id);
    client.from = {peer.address(), peer.port()};
    ClientConnection::Owner& owner = *this;
    client.connection = std::make_unique<ClientConnection>(
        loop_, owner, *id, connection, settings_.queries_per_connection, secure()
    );
    client.connection->adopt(std::move(socket));
}

std::shared_ptr<void> StreamFrontend::admit(const boost::asio::ip::address& from) {
    const policy::SourceAddress source = source_address(from);
    auto [verdict, admission] = admissions_.admit(source);
    if (verdict == Admissions::Verdict::too_many && make_room()) {
        admission = admissions_.admit(source).admission;
    }
    return std::move(admission);
}

/// Closes the client that has been idle longest. False when none is: other workers' clients are out
/// of reach.
bool StreamFrontend::make_room() {
    auto id = clients_.front(idle);
    for (std::size_t tried = 0; id && tried < max_tried_for_room; ++tried) {
        const policy::SlotId candidate = *id;
        ClientConnection& client = *clients_.at(candidate).connection;
        if (client.close_if_idle()) {
            counters_.displaced.add();
            on_client_gone(client, "idle longest when there were too many");
            handler_.on_client_displaced();
            return true;
        }
        // It is in the middle of a message, or does not read: next time others come first.
        id = clients_.behind(idle, candidate);
        clients_.dequeue(idle, candidate);
        clients_.enqueue(idle, candidate);
    }
    return false;
}

void StreamFrontend::forget(policy::SlotId id) {
    Client& client = clients_.at(id);
    client.connection->close();
    loop_.destroy_later(std::move(client.connection));
    clients_.remove(id);
}

ClientConnection* StreamFrontend::find(policy::SlotId id) {
    const Client* client = clients_.find(id);
    return client == nullptr ? nullptr : client->connection.get();
}

void StreamFrontend::on_opened(ClientConnection& client) {
    if (!client.has_queries()) {  // as early data
        clients_.enqueue(idle, client.id());
    }
    handler_.on_client_opened(client);
}

void StreamFrontend::on_early_opened(ClientConnection& client) {
    handler_.on_client_early(client);
}

void StreamFrontend::on_query(ClientConnection& client, dns::Bytes message) {
    handler_.on_stream_query(client, message);
}

void StreamFrontend::on_short_frame(ClientConnection& /*client*/) {
    counters_.short_frames.add();
}

void StreamFrontend::on_client_idle(ClientConnection& client) {
    clients_.enqueue(idle, client.id());
}

void StreamFrontend::on_client_busy(ClientConnection& client) {
    clients_.dequeue(idle, client.id());
}

void StreamFrontend::on_client_drained(ClientConnection& client) {
    handler_.on_client_drained(client.id());
}

void StreamFrontend::on_client_gone(ClientConnection& client, const std::string& reason) {
    const policy::SlotId id = client.id();
    const Endpoint from = clients_.at(id).from;
    forget(id);
    handler_.on_client_gone(id, from, reason);
}

}  // namespace dotpair::net
