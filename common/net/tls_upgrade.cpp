// SPDX-License-Identifier: MIT
#include "common/net/tls_upgrade.hpp"

#include <array>

namespace dotpair::net {

using policy::StarttlsClient;
using policy::StarttlsOrder;

StarttlsOrder TlsUpgrade::on_connected(policy::TimePoint now) {
    StarttlsClient* const client = std::get_if<StarttlsClient>(&machine_);
    return client == nullptr ? StarttlsOrder::read_on : client->on_connected(now);
}

StarttlsOrder TlsUpgrade::on_frame_begin(std::size_t length) {
    return std::visit([length](auto& machine) { return machine.on_frame_begin(length); }, machine_);
}

StarttlsOrder TlsUpgrade::on_message(dns::ConstBytes message, const dns::FrameReader& frames) {
    if (StarttlsClient* const client = std::get_if<StarttlsClient>(&machine_)) {
        return client->on_message(message, frames.rest_size());
    }
    std::array<std::uint8_t, 2> head{};
    const std::size_t size = frames.copy_rest(head);
    return std::get<policy::StarttlsServer>(machine_).on_message(
        message, dns::ConstBytes(head).first(size)
    );
}

StarttlsOrder TlsUpgrade::on_time(policy::TimePoint now) {
    StarttlsClient* const client = std::get_if<StarttlsClient>(&machine_);
    return client == nullptr ? StarttlsOrder::read_on : client->on_time(now);
}

void TlsUpgrade::on_handshake_done() {
    std::visit([](auto& machine) { machine.on_handshake_done(); }, machine_);
}

void TlsUpgrade::on_handshake_failed() {
    std::visit([](auto& machine) { machine.on_handshake_failed(); }, machine_);
}

void TlsUpgrade::on_closed() {
    std::visit([](auto& machine) { machine.on_closed(); }, machine_);
}

std::optional<policy::TimePoint> TlsUpgrade::deadline() const {
    const StarttlsClient* const client = std::get_if<StarttlsClient>(&machine_);
    return client == nullptr ? std::nullopt : client->deadline();
}

dns::ConstBytes TlsUpgrade::message() const {
    return std::visit([](const auto& machine) { return machine.message(); }, machine_);
}

std::string TlsUpgrade::reason() const {
    return std::visit([](const auto& machine) { return std::string(machine.reason()); }, machine_);
}

std::optional<policy::TransportFailure> TlsUpgrade::failure() const {
    const StarttlsClient* const client = std::get_if<StarttlsClient>(&machine_);
    return client == nullptr ? std::nullopt : client->failure();
}

}  // namespace dotpair::net
