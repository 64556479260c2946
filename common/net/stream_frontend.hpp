// SPDX-License-Identifier: MIT
#pragma once

#include "common/net/admissions.hpp"
#include "common/net/client_connection.hpp"
#include "common/net/passed_listeners.hpp"
#include "common/net/sockets.hpp"
#include "common/net/tcp_listener.hpp"
#include "common/net/tls_context.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dotpair::net {

/// What a stream frontend did; each accepted connection is counted exactly once as admitted or
/// refused.
struct FrontendCounters {
    Counter admitted;
    Counter refused;    // over a limit
    Counter displaced;  // idle ones among the admitted that were closed to make room
    Counter short_frames;
};

/// The clients that reach one worker over TCP, or TLS: listens, admits, keeps them until they are
/// gone. Where there are too many in all, the one of this worker that has been idle longest makes
/// room (P-47); an address that has all its own is refused.
class StreamFrontend final : private ClientConnection::Owner {
public:
    class Handler {
    public:
        virtual ~Handler() = default;
        /// As ClientConnection::Owner::on_query().
        virtual void on_stream_query(ClientConnection& client, dns::Bytes message) = 0;

        virtual void on_client_opened(ClientConnection&) {}

        /// As ClientConnection::Owner::on_early_opened().
        virtual void on_client_early(ClientConnection&) {}

        virtual void on_client_drained(policy::SlotId) {}

        /// find() does not know it any more.
        virtual void on_client_gone(policy::SlotId, const Endpoint&, const std::string&) {}

        /// There were too many connections, none of them idle or too many from there.
        virtual void on_client_refused(const Endpoint&) {}

        /// One was closed, of which on_client_gone() has told, to admit another.
        virtual void on_client_displaced() {}

        /// is_empty() has become true.
        virtual void on_last_client_closed() {}
    };

    struct Settings {
        ConnectionSettings connection;
        std::size_t connections = 0;  // of this worker, those that take leave among them
        std::size_t queries_per_connection = 0;
    };

    /// `tls` null: in clear. `limits` null: none beyond settings.connections. REQUIRES: all outlive
    /// the frontend.
    StreamFrontend(
        EventLoop& loop,
        Handler& handler,
        const Settings& settings,
        const TlsServerContext* tls,
        SharedLimits* limits
    );
    ~StreamFrontend() override;

    /// Throws boost::system::system_error. `dual_stack` holds for what is not `passed`.
    void listen(const Endpoint& at, bool dual_stack, const PassedListeners& passed = {});
    /// The same in clear. With `starttls` clients may ask for TLS: REQUIRES a TLS context then.
    void listen_in_clear(
        const Endpoint& at,
        const std::optional<policy::StarttlsServer::Settings>& starttls,
        const PassedListeners& passed = {}
    );
    void start();

    /// No new connections. True when others may accept them instead: then `on_neglected` is called
    /// as soon as nobody does. REQUIRES: start() was called.
    bool stop_accepting(const std::function<void()>& on_neglected);

    /// Of those that are there, and have carried nothing for so long.
    void limit_idle_time(policy::Duration limit);

    /// No new connections, and no more queries on those that are there.
    void stop_taking();

    /// Also closes politely what is there; is_empty() follows in bounded time.
    void stop();

    /// As stop(), but waits for no client to take leave, only for what the kernel did not take: see
    /// FrameConnection::close_in_haste().
    void stop_in_haste();

    /// Nobody is connected, and nobody takes leave any more.
    bool is_empty() const { return size() == 0; }

    std::size_t size() const { return admissions_.size(); }

    /// Null when it has gone.
    ClientConnection* find(policy::SlotId id);

    const FrontendCounters& counters() const { return counters_; }

private:
    struct Client {
        std::unique_ptr<ClientConnection> connection;
        Endpoint from;
    };

    enum Queue : std::uint8_t { all, idle, queue_count };

    using Secure = std::function<Security()>;

    void add_listeners(
        const Endpoint& at,
        const TcpListener::Settings& listening,
        const PassedListeners& passed,
        const Secure& secure
    );
    void accept(TcpSocket socket, const Secure& secure);
    std::shared_ptr<void> admit(const boost::asio::ip::address& from);
    bool make_room();
    void forget(policy::SlotId id);

    void on_opened(ClientConnection& client) override;
    void on_early_opened(ClientConnection& client) override;
    void on_query(ClientConnection& client, dns::Bytes message) override;
    void on_short_frame(ClientConnection& client) override;
    void on_client_idle(ClientConnection& client) override;
    void on_client_busy(ClientConnection& client) override;
    void on_client_drained(ClientConnection& client) override;
    void on_client_gone(ClientConnection& client, const std::string& reason) override;

    EventLoop& loop_;
    Handler& handler_;
    Settings settings_;
    const TlsServerContext* tls_;
    FrontendCounters counters_;
    Admissions admissions_;
    std::vector<std::unique_ptr<TcpListener>> listeners_;
    policy::SlotTable<Client, queue_count> clients_;
};

}  // namespace dotpair::net
