// SPDX-License-Identifier: MIT
#include "client-proxy/ticket_keeper.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temporary_directory.hpp"

#include <filesystem>
#include <fstream>
#include <string>

using namespace dotpair;

using app::StateDirectory;
using client::TicketKeeper;
using test::TemporaryDirectory;
using Octets = std::vector<std::uint8_t>;

namespace {

const net::TlsIdentity identity{.name = {}, .pins = {net::SpkiPin{}}, .ca_file = {}};
const net::Endpoint server{boost::asio::ip::make_address("127.0.0.1"), 853};
const net::Endpoint other_server{boost::asio::ip::make_address("127.0.0.1"), 854};

/// What a process that begins now finds for the server, and it is gone from the disk by then.
std::vector<Octets> found_by_next(const TemporaryDirectory& directory) {
    StateDirectory state("--state-dir", directory.path());
    TicketKeeper keeper(state);
    CHECK_FALSE(std::filesystem::exists(directory.path("tickets")));
    const auto shelf = keeper.shelf_of(identity, server);
    std::vector<Octets> found;
    while (auto ticket = shelf->take()) {
        found.push_back(std::move(*ticket));
    }
    return found;
}

}  // namespace

TEST_CASE("P-124: tickets go to the next process, and to no other", "[unit][client]") {
    const TemporaryDirectory directory;
    {
        StateDirectory state("--state-dir", directory.path());
        TicketKeeper keeper(state);
        const auto shelf = keeper.shelf_of(identity, server);
        shelf->put({1});
        shelf->put({2});
        CHECK_FALSE(shelf->take());  // not to this one
        state.wait_until_written();

        struct stat facts {};

        REQUIRE(::stat(directory.path("tickets").c_str(), &facts) == 0);
        CHECK((facts.st_mode & 0777U) == 0600);
    }
    CHECK(found_by_next(directory) == std::vector<Octets>{{2}, {1}});
    CHECK(found_by_next(directory).empty());
}

TEST_CASE("P-129: kept tickets are for the server that gave them", "[unit][client]") {
    const TemporaryDirectory directory;
    {
        StateDirectory state("--state-dir", directory.path());
        TicketKeeper keeper(state);
        keeper.shelf_of(identity, other_server)->put({1});
    }
    CHECK(found_by_next(directory).empty());
}

TEST_CASE("Tickets that a process did not need go to the one after it", "[unit][client]") {
    const TemporaryDirectory directory;
    {
        StateDirectory state("--state-dir", directory.path());
        TicketKeeper keeper(state);
        keeper.shelf_of(identity, server)->put({1});
    }
    {
        StateDirectory state("--state-dir", directory.path());
        TicketKeeper keeper(state);
        keeper.shelf_of(identity, server)->put({2});
    }
    CHECK(found_by_next(directory) == std::vector<Octets>{{2}, {1}});
}

TEST_CASE("P-125: dropped tickets are gone from the disk", "[unit][client]") {
    const TemporaryDirectory directory;
    {
        StateDirectory state("--state-dir", directory.path());
        TicketKeeper keeper(state);
        const auto shelf = keeper.shelf_of(identity, server);
        shelf->put({1});
        shelf->drop();
    }
    CHECK_FALSE(std::filesystem::exists(directory.path("tickets")));
}

TEST_CASE("A file of garbage holds no tickets and does no harm", "[unit][client]") {
    const TemporaryDirectory directory;
    std::ofstream(directory.path("tickets")) << "dotpair tickets 1\nand what not";
    CHECK(found_by_next(directory).empty());
    std::ofstream(directory.path("tickets"))
        << std::string(policy::KeptTickets::largest_file + 1, 'x');
    StateDirectory state("--state-dir", directory.path());
    TicketKeeper keeper(state);
    CHECK_FALSE(keeper.shelf_of(identity, server)->take());
}
