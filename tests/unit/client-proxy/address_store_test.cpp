// SPDX-License-Identifier: MIT
#include "client-proxy/address_store.hpp"

#include "common/app/state_directory.hpp"
#include "common/net/endpoint.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temporary_directory.hpp"

#include <fstream>
#include <iterator>

using namespace dotpair;

using client::AddressStore;

namespace {

std::vector<dns::IpAddress> addresses(const std::vector<std::string>& texts) {
    std::vector<dns::IpAddress> made;
    for (const std::string& text : texts) {
        made.push_back(net::to_ip_address(boost::asio::ip::make_address(text)));
    }
    return made;
}

std::string content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// A state directory with that text in its file.
struct Kept {
    explicit Kept(const std::string& text) {
        std::ofstream(place.path("addresses")) << text;
        ::chmod(place.path("addresses").c_str(), 0600);
    }

    test::TemporaryDirectory place;
    app::StateDirectory directory{"--state-dir", place.path()};
};

}  // namespace

TEST_CASE("P-32: addresses of upstreams are kept over a restart", "[unit][client]") {
    const test::TemporaryDirectory place;
    const auto of_a = addresses({"2001:db8::1", "192.0.2.1"});
    {
        app::StateDirectory directory("--state-dir", place.path());
        AddressStore store(&directory, {"a.test", "b.test"});
        CHECK(store.addresses_of("a.test").empty());
        store.keep("a.test", of_a);
        CHECK(store.addresses_of("a.test") == of_a);
    }
    CHECK(content(place.path("addresses")) == "a.test 2001:db8::1 192.0.2.1\nb.test\n");
    app::StateDirectory directory("--state-dir", place.path());
    const AddressStore store(&directory, {"a.test", "c.test"});
    CHECK(store.addresses_of("a.test") == of_a);
    CHECK(store.addresses_of("c.test").empty());
}

TEST_CASE("Addresses that have not changed are not written again", "[unit][client]") {
    Kept kept("a.test 192.0.2.1 192.0.2.2\n");
    AddressStore store(&kept.directory, {"a.test"});
    store.keep("a.test", addresses({"192.0.2.2", "192.0.2.1"}));
    kept.directory.wait_until_written();
    CHECK(content(kept.place.path("addresses")) == "a.test 192.0.2.1 192.0.2.2\n");
    store.keep("a.test", addresses({"192.0.2.2"}));
    kept.directory.wait_until_written();
    CHECK(content(kept.place.path("addresses")) == "a.test 192.0.2.2\n");
}

TEST_CASE("Of a spoilt file of addresses what makes sense is used", "[unit][client]") {
    Kept kept(
        "\n\x01\xff \n a.test 192.0.2.1 what 192.0.2.2\nb.test\nz.test 192.0.2.9\nc.test 192.0.2.3"
    );
    const AddressStore store(&kept.directory, {"a.test", "b.test", "c.test"});
    CHECK(store.addresses_of("a.test") == addresses({"192.0.2.1"}));
    CHECK(store.addresses_of("b.test").empty());
    CHECK(store.addresses_of("c.test") == addresses({"192.0.2.3"}));

    std::string many = "a.test";
    for (int number = 1; number < 200; ++number) {
        many += " 192.0.2." + std::to_string(number);
    }
    Kept too_many(many);
    CHECK(AddressStore(&too_many.directory, {"a.test"}).addresses_of("a.test").size() == 16);
}

TEST_CASE("Without a state directory nothing is kept", "[unit][client]") {
    AddressStore store(nullptr, {"a.test"});
    CHECK(store.addresses_of("a.test").empty());
    CHECK_NOTHROW(store.keep("a.test", addresses({"192.0.2.1"})));
}
