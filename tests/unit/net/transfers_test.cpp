// SPDX-License-Identifier: MIT
#include "common/net/transfers.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/options_of.hpp"
#include "tests/unit/net/connection_fixture.hpp"

using namespace dotpair;
using namespace std::chrono_literals;

using test::frame_of;
using test::MessageBuilder;
using test::name;
using test::Octets;
using test::operator+;
using test::Section;

namespace {

constexpr std::uint16_t axfr_type = 252;
constexpr std::uint16_t soa_type = 6;
constexpr std::uint16_t txt_type = 16;

Octets axfr(std::uint16_t id) {
    return MessageBuilder(id).question(name("test"), axfr_type).octets();
}

/// One message of a transfer: with the SOA it opens or closes it.
Octets part(std::uint16_t id, bool has_soa, std::size_t size = 100) {
    MessageBuilder message(id, 0x8400);
    message.question(name("test"), axfr_type);
    if (has_soa) {
        const Octets soa = name("ns.test") + name("admin.test") + Octets(20, 1);
        message.record(Section::answer, name("test"), soa_type, soa);
    } else {
        message.record(Section::answer, name("big.test"), txt_type, Octets(size, 0));
    }
    return message.octets();
}

/// A resolver in the test's hands: each transfer is a connection to it.
class Resolver {
public:
    Resolver() : listener_(test::tcp_listen()) {}

    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    ~Resolver() { ::close(listener_.first); }

    net::Endpoint endpoint() const {
        return {boost::asio::ip::address_v4::loopback(), listener_.second};
    }

    /// The next connection, when it has asked.
    std::unique_ptr<test::StreamPeer> asked() const {
        const int socket = ::accept4(listener_.first, nullptr, nullptr, SOCK_CLOEXEC);
        auto peer = std::make_unique<test::StreamPeer>(socket, std::nullopt);
        REQUIRE(peer->read_messages(1).size() == 1);
        return peer;
    }

private:
    std::pair<int, std::uint16_t> listener_;
};

/// One stream client whose every query is a transfer.
class Fixture : net::ClientConnection::Owner, net::Transfers::Handler {
public:
    explicit Fixture(net::ConnectionSettings of_client = test::patient_settings()) {
        of_client.counters = &counters_;
        auto settings = test::patient_settings();
        settings.counters = &counters_;
        thread.call([&] {
            net::Transfers::Handler& handler = *this;
            net::ClientConnection::Owner& owner = *this;
            transfers = std::make_unique<net::Transfers>(thread.loop, handler, 10, settings);
            client_ = std::make_unique<net::ClientConnection>(
                thread.loop, owner, policy::SlotId{1, 1}, of_client, 10, std::nullopt
            );
            client_->adopt(
                net::TcpSocket(thread.loop.context(), boost::asio::ip::tcp::v4(), pair_[1])
            );
        });
    }

    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    ~Fixture() override {
        thread.call([this] {
            transfers.reset();
            client_.reset();
        });
    }

private:
    void on_opened(net::ClientConnection&) override {}

    void on_query(net::ClientConnection& client, dns::Bytes message) override {
        transfers->start(message, {client.id(), nullptr, {}, 0, padding_block});
    }

    void on_short_frame(net::ClientConnection&) override {}

    void on_client_idle(net::ClientConnection&) override {}

    void on_client_busy(net::ClientConnection&) override {}

    void on_client_drained(net::ClientConnection& client) override {
        transfers->client_drained(client.id());
    }

    void on_client_gone(net::ClientConnection& client, const std::string& reason) override {
        events.add("gone: " + reason);
        thread.loop.destroy_later(std::move(client_));
        transfers->client_gone(client.id());
    }

    std::optional<net::Transfers::Target> transfer_target(std::size_t attempt) override {
        if (attempt >= 2) {
            return std::nullopt;
        }
        return net::Transfers::Target{0, resolver.endpoint(), std::nullopt, xot_only};
    }

    void transfer_target_failed(std::size_t, const std::string& reason) override {
        events.add("failed: " + reason);
    }

    net::ClientConnection* find_client(policy::SlotId) override { return client_.get(); }

    void on_last_transfer_ended() override { events.add("ended"); }

    std::array<int, 2> pair_ = test::tcp_pair(4096);
    net::ConnectionCounters counters_;

public:
    test::Events events;
    std::size_t padding_block = 0;
    bool xot_only = false;
    Resolver resolver;
    test::StreamPeer peer{pair_[0], std::nullopt};
    test::LoopThread thread;
    std::unique_ptr<net::Transfers> transfers;

private:
    std::unique_ptr<net::ClientConnection> client_;
};

}  // namespace

TEST_CASE("The end of the last transfer is told, however it comes", "[unit][net]") {
    Fixture fixture;
    fixture.peer.send(frame_of(axfr(1)));
    const auto first = fixture.resolver.asked();
    fixture.peer.send(frame_of(axfr(2)));
    const auto second = fixture.resolver.asked();
    first->send(frame_of(part(1, true)) + frame_of(part(1, true)));
    CHECK(fixture.peer.read_messages(2).size() == 2);
    fixture.thread.call([] {});
    CHECK(fixture.events.count("ended") == 0);
    SECTION("by its last message") {
        second->send(frame_of(part(2, true)) + frame_of(part(2, true)));
        CHECK(fixture.peer.read_messages(4).size() == 4);
    }
    SECTION("by a resolver that gives up") {
        second->send(frame_of(part(2, true)));
        second->end();
        CHECK(fixture.peer.read_messages(4).size() == 4);  // the last says SERVFAIL
    }
    SECTION("by a client that leaves") {
        fixture.peer.reset();
        CHECK(second->read_all().size() == 1);
    }
    CHECK(fixture.events.wait_for("ended"));
    CHECK(fixture.events.count("ended") == 1);
}

TEST_CASE("A transfer that a resolver ends before it begins is asked for again", "[unit][net]") {
    Fixture fixture;
    fixture.peer.send(frame_of(axfr(1)));
    const auto first = fixture.resolver.asked();
    first->end();
    const auto second = fixture.resolver.asked();
    CHECK(first->read_all().size() == 1);
    second->send(frame_of(part(1, true)) + frame_of(part(1, true)));
    CHECK(fixture.peer.read_messages(2).size() == 2);
    CHECK(fixture.events.count("failed: closed by the peer") == 1);
}

TEST_CASE("A client that does not read its transfer does not keep it", "[unit][net]") {
    auto settings = test::patient_settings();
    settings.message_timeout = 60ms;
    Fixture fixture(settings);
    fixture.peer.send(frame_of(axfr(1)));
    const auto resolver = fixture.resolver.asked();
    resolver->send(frame_of(part(1, true)));
    while (resolver->send_raw(frame_of(part(1, false, 60000)))) {
    }  // until nobody is there to take it
    CHECK(fixture.events.wait_for("gone: the peer does not read"));
    CHECK(fixture.events.wait_for("ended"));
}

TEST_CASE("A transfer asked for by datagram ends with its first message (P-120)", "[unit][net]") {
    struct Silent final : net::UdpBatchSocket::Handler {
        void on_datagram(net::UdpBatchSocket&, dns::Bytes, const net::ReturnPath&) override {}

        void on_batch_end(net::UdpBatchSocket&) override {}

        void on_refused(net::UdpBatchSocket&) override {}
    } silent;

    Fixture fixture;
    const int app = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    net::ReturnPath path;
    path.peer.v4 = test::on_loopback(0);
    path.peer_size = sizeof path.peer.v4;
    const auto address = reinterpret_cast<sockaddr*>(&path.peer.v4);
    REQUIRE(::bind(app, address, path.peer_size) == 0);
    REQUIRE(::getsockname(app, address, &path.peer_size) == 0);
    std::memcpy(&path.local, &path.peer.v4.sin_addr, sizeof path.peer.v4.sin_addr);
    const auto socket = fixture.thread.call([&] {
        net::UdpBatchSocket::Handler& handler = silent;
        auto udp = net::UdpBatchSocket::listening(
            fixture.thread.loop, handler, {boost::asio::ip::address_v4::loopback(), 0}
        );
        fixture.transfers->start(axfr(1), {{}, udp, path, 512});
        return udp;
    });
    const auto resolver = fixture.resolver.asked();
    resolver->send(frame_of(part(1, true)));

    Octets answer(512);
    const ssize_t size = ::recv(app, answer.data(), answer.size(), 0);
    ::close(app);
    REQUIRE(size >= static_cast<ssize_t>(dns::header_size));
    CHECK((answer[2] & 0x02) != 0);  // TC
    CHECK(fixture.events.wait_for("ended"));
    int sent = 0;  // a connection that lingers would take all of it
    while (sent < 20 && resolver->send_raw(frame_of(part(1, false)))) {
        ++sent;
        std::this_thread::sleep_for(5ms);
    }
    CHECK(sent < 20);
    fixture.thread.call([&] { socket->close(); });
}

TEST_CASE("The messages of a transfer that have an OPT are padded (P-68)", "[unit][net]") {
    constexpr std::size_t block = 468;
    Fixture fixture;
    fixture.padding_block = block;
    const Octets soa = name("ns.test") + name("admin.test") + Octets(20, 1);
    const auto with_opt = [&soa](bool is_signed) {
        MessageBuilder message(1, 0x8400);
        message.question(name("test"), axfr_type)
            .record(Section::answer, name("test"), soa_type, soa)
            .opt({{11, {0, 9}}, {12, Octets(3, 1)}, {15, {0, 1}}});
        return is_signed ? message.tsig().octets() : message.octets();
    };
    fixture.peer.send(frame_of(axfr(1)));
    const auto resolver = fixture.resolver.asked();
    resolver->send(
        frame_of(with_opt(false)) + frame_of(part(1, false)) +
        frame_of(part(1, false, 64 * 1024 - 60)) + frame_of(with_opt(true))
    );
    const auto got = fixture.peer.read_messages(4);
    REQUIRE(got.size() == 4);
    CHECK(got[0].size() == block);
    CHECK(test::option_codes(got[0]) == std::vector<std::uint16_t>{15, 12});
    CHECK(got[1] == part(1, false));
    CHECK(got[2] == part(1, false, 64 * 1024 - 60));
    CHECK(got[3] == with_opt(true));
}

TEST_CASE("A transfer is not asked for without XoT where that is wanted (P-117)", "[unit][net]") {
    Fixture fixture;
    fixture.xot_only = true;
    fixture.peer.send(frame_of(axfr(1)));
    const auto got = fixture.peer.read_messages(1);
    REQUIRE(got.size() == 1);
    CHECK(dns::header::rcode(got[0]) == dns::Rcode::servfail);
    CHECK(fixture.events.wait_for("ended"));
    CHECK(fixture.events.all() == std::vector<std::string>{"ended"});  // nobody has failed
}
