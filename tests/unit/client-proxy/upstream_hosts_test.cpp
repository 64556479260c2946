// SPDX-License-Identifier: MIT
#include "client-proxy/upstream_hosts.hpp"

#include "common/dns/message_view.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/loop_thread.hpp"
#include "tests/support/message_builder.hpp"

#include <boost/asio/ip/udp.hpp>

#include <poll.h>

#include <array>
#include <string>

using namespace dotpair;
using namespace std::chrono_literals;

using test::Octets;

namespace {

namespace asio = boost::asio;

/// A resolver in the test's hands.
class Resolver {
public:
    net::Endpoint endpoint() const {
        const auto at = socket_.local_endpoint();
        return {at.address(), at.port()};
    }

    /// Answers the next two questions: addresses for IPv4, none for IPv6.
    void answer(const std::vector<Octets>& addresses) {
        for (int question = 0; question < 2; ++question) {
            answer_one(addresses);
        }
    }

private:
    void answer_one(const std::vector<Octets>& addresses) {
        pollfd wanted{socket_.native_handle(), POLLIN, 0};
        REQUIRE(::poll(&wanted, 1, std::chrono::milliseconds(test::patience).count()) == 1);
        std::array<std::uint8_t, 512> buffer{};
        asio::ip::udp::endpoint from;
        const std::size_t size = socket_.receive_from(asio::buffer(buffer), from);
        const dns::ConstBytes query(buffer.data(), size);
        const std::uint16_t type = dns::inspect(query).question_type;
        const Octets name(query.begin() + dns::header_size, query.end() - 4);
        test::MessageBuilder answer(dns::header::id(query), 0x8180);
        answer.question(name, type);
        for (const Octets& address : addresses) {
            if (type == dns::rr_type::a) {
                answer.record(test::Section::answer, name, type, address);
            }
        }
        socket_.send_to(asio::buffer(answer.octets()), from);
    }

    asio::io_context context_;
    asio::ip::udp::socket socket_{
        context_, asio::ip::udp::endpoint(asio::ip::address_v4::loopback(), 0)};
};

struct Recorder final : client::UpstreamHosts::Handler {
    void on_host_changed(std::size_t upstream) override {
        events.add("changed " + std::to_string(upstream));
    }

    test::Events events;
};

/// The second of two upstreams is a host.
class Fixture {
public:
    Fixture() {
        config_.upstreams.push_back(net::parse_upstream("--upstream", "192.0.2.9#a.test"));
        config_.upstreams.push_back(net::parse_upstream("--upstream", "tls://dns.test"));
        config_.bootstrap = {resolver.endpoint()};
        hosts = std::make_unique<client::UpstreamHosts>(thread.loop, recorder, config_, store_);
    }

    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    ~Fixture() {
        thread.call([this] { hosts.reset(); });
    }

    std::string endpoints() {
        return thread.call([this] {
            std::string text;
            for (const net::Endpoint& at : hosts->endpoints(1, 853)) {
                text += (text.empty() ? "" : " ") + net::to_string(at);
            }
            return text;
        });
    }

    std::string failure() {
        return thread.call([this] { return hosts->failure(1); });
    }

    void wait_for_change(std::size_t times) {
        REQUIRE(recorder.events.wait_for("changed 1", times));
    }

private:
    client::Config config_;
    client::AddressStore store_{nullptr, {"dns.test"}};

public:
    Resolver resolver;
    Recorder recorder;
    test::LoopThread thread;
    std::unique_ptr<client::UpstreamHosts> hosts;
};

}  // namespace

TEST_CASE("A host is looked up at the start, and an address is left alone", "[unit][client]") {
    Fixture fixture;
    CHECK(fixture.endpoints().empty());
    CHECK_FALSE(fixture.hosts->is_host(0));
    fixture.thread.call([&] { fixture.hosts->start(); });
    fixture.resolver.answer({{192, 0, 2, 1}, {192, 0, 2, 2}});
    fixture.wait_for_change(1);
    CHECK(fixture.endpoints() == "192.0.2.1@853 192.0.2.2@853");
    CHECK(fixture.thread.call([&] { return fixture.hosts->endpoints(0, 853).empty(); }));
    fixture.thread.call([&] { fixture.hosts->worked(1, fixture.hosts->endpoints(1, 853)[1]); });
    CHECK(fixture.endpoints() == "192.0.2.2@853 192.0.2.1@853");
}

TEST_CASE("A change of networks has a host looked up again at once", "[unit][client]") {
    Fixture fixture;
    fixture.thread.call([&] { fixture.hosts->start(); });
    fixture.resolver.answer({{192, 0, 2, 1}});
    fixture.wait_for_change(1);
    fixture.thread.call([&] { fixture.hosts->want(1); });  // asks nothing: it is known
    fixture.thread.call([&] { fixture.hosts->refresh(); });
    CHECK(fixture.endpoints() == "192.0.2.1@853");  // meanwhile
    fixture.resolver.answer({{192, 0, 2, 2}});
    fixture.wait_for_change(2);
    CHECK(fixture.endpoints() == "192.0.2.2@853");
}

TEST_CASE("A host without addresses says why", "[unit][client]") {
    Fixture fixture;
    fixture.thread.call([&] { fixture.hosts->start(); });
    CHECK(fixture.failure().empty());
    fixture.resolver.answer({});
    fixture.wait_for_change(1);  // when it may be looked up again
    CHECK(fixture.thread.call([&] {
        return fixture.hosts->failure(1);
    }) == "bootstrap: the name has no addresses");
    fixture.thread.call([&] { fixture.hosts->want(1); });
    fixture.resolver.answer({{192, 0, 2, 1}});
    fixture.wait_for_change(2);
    CHECK(fixture.failure().empty());
}
