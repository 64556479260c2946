// SPDX-License-Identifier: MIT
#include "client-proxy/ticket_keeper.hpp"

#include "common/net/source_address.hpp"

#include <boost/asio/ip/address.hpp>
#include <spdlog/spdlog.h>

#include <string>
#include <utility>

namespace dotpair::client {
namespace {
const std::string tickets_file = "tickets";

/// Of a server whose address is not known yet, the way to anywhere says where we are: to addresses
/// that nobody has (RFC 5737, RFC 3849), and nothing is sent.
std::string network_towards(const net::Endpoint& server) {
    if (!server.address.is_unspecified()) {
        return net::source_address(server);
    }
    for (const char* const nobody : {"192.0.2.1", "2001:db8::1"}) {
        const auto address = boost::asio::ip::make_address(nobody);
        if (std::string found = net::source_address({address, server.port}); !found.empty()) {
            return found;
        }
    }
    return {};
}

}  // namespace

/// The tickets of one server. Where we are is asked anew each time.
class TicketKeeper::Shelf final : public net::TicketShelf {
public:
    Shelf(TicketKeeper& keeper, const net::TlsIdentity& identity, const net::Endpoint& server)
        : keeper_(keeper), identity_(net::ticket_identity(identity, server)), server_(server) {}

    std::optional<std::vector<std::uint8_t>> take() override {
        const policy::TicketPlace here = place();
        const std::scoped_lock lock(keeper_.mutex_);
        return keeper_.inherited_.take(here);
    }

    void put(std::vector<std::uint8_t> ticket) override {
        const policy::TicketPlace here = place();
        const std::scoped_lock lock(keeper_.mutex_);
        keeper_.left_.add(here, std::move(ticket));
        keeper_.write();
    }

    void drop() override {
        const std::scoped_lock lock(keeper_.mutex_);
        keeper_.inherited_.drop(identity_);
        keeper_.left_.drop(identity_);
        keeper_.write();
    }

private:
    policy::TicketPlace place() const { return {identity_, network_towards(server_)}; }

    TicketKeeper& keeper_;
    std::array<std::uint8_t, 32> identity_;
    net::Endpoint server_;
};

TicketKeeper::TicketKeeper(app::StateDirectory& directory) : directory_(directory) {
    const auto file = directory_.read(tickets_file, policy::KeptTickets::largest_file);
    if (!file) {
        return;
    }
    directory_.remove(tickets_file);
    directory_.wait_until_written();
    if (directory_.read(tickets_file, policy::KeptTickets::largest_file)) {
        spdlog::warn(
            "tickets not used: they cannot be removed, and another process would use them again"
        );
        return;
    }
    inherited_ = policy::KeptTickets::decode(*file);
    spdlog::info("tickets taken over count={}", inherited_.size());
}

TicketKeeper::~TicketKeeper() {
    if (!inherited_.is_empty()) {
        left_.add_older(std::move(inherited_));
        write();
    }
}

std::unique_ptr<net::TicketShelf> TicketKeeper::shelf_of(
    const net::TlsIdentity& identity, const net::Endpoint& server
) {
    return std::make_unique<Shelf>(*this, identity, server);
}

void TicketKeeper::write() {
    if (left_.is_empty()) {
        directory_.remove(tickets_file);
    } else {
        directory_.write(tickets_file, left_.encode());
    }
}

}  // namespace dotpair::client
