// SPDX-License-Identifier: MIT
#pragma once

#include "common/dns/address_query.hpp"
#include "common/net/frame_connection.hpp"
#include "common/net/sockets.hpp"
#include "common/net/udp_batch_socket.hpp"
#include "common/policy/lookup_attempts.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dotpair::net {

/// Asks resolvers in clear for the addresses of one family of one name, and nothing else (RFC 8310
/// section 7.2): each question by UDP from a port and under an ID of its own, with the name's
/// letters in a case of its own; by TCP what UDP does not carry. What does not fit the question is
/// as if it had not come. Thread: the loop's.
class AddressLookup final : private UdpBatchSocket::Handler, private FrameConnection::Handler {
public:
    /// How long one resolver may take by UDP and by TCP.
    static constexpr std::chrono::milliseconds udp_patience{800};
    static constexpr std::chrono::milliseconds tcp_patience{1500};

    struct Result {
        std::optional<dns::AddressAnswer> answer;  // of kind `found`
        std::size_t server = 0;                    // who gave it
        std::string failure;                       // without an answer: the last one, in words
    };

    /// `name` is a dns::host_name(). `on_done` is called once for each begin() that was not
    /// canceled, never from within. REQUIRES: the loop does not run on after this is destroyed;
    /// servers is not empty.
    AddressLookup(
        EventLoop& loop,
        std::vector<Endpoint> servers,
        std::vector<std::uint8_t> name,
        dns::AddressFamily family,
        std::function<void(const Result&)> on_done
    );
    AddressLookup(const AddressLookup&) = delete;
    AddressLookup& operator=(const AddressLookup&) = delete;
    ~AddressLookup() override;

    /// Cancels what is under way, and asks the server of that number first.
    void begin(std::size_t first_server);
    void cancel();

    bool is_under_way() const { return attempts_.has_value(); }

private:
    void next_attempt();
    bool ask_by_udp(const Endpoint& server);
    void ask_by_tcp(const Endpoint& server);
    void read(dns::ConstBytes answer, dns::NameCase name_case);
    void failed(policy::LookupFailure failure, const std::string& reason);
    void finish(const Result& result);
    void hang_up();
    void wait(std::chrono::milliseconds patience);

    void on_datagram(UdpBatchSocket& socket, dns::Bytes message, const ReturnPath& from) override;

    void on_batch_end(UdpBatchSocket& /*socket*/) override {}

    void on_refused(UdpBatchSocket& socket) override;

    void on_open() override;
    void on_message(dns::Bytes message) override;

    void on_batch_end() override {}

    void on_end_of_stream() override;
    void on_closed(const std::string& reason) override;

    EventLoop& loop_;
    std::vector<Endpoint> servers_;
    std::vector<std::uint8_t> name_;
    dns::AddressFamily family_;
    std::function<void(const Result&)> on_done_;
    ConnectionCounters counters_;
    std::optional<policy::LookupAttempts> attempts_;
    std::vector<std::uint8_t> query_;  // of the attempt that is under way
    std::string failure_;
    std::shared_ptr<UdpBatchSocket> socket_;
    std::shared_ptr<FrameConnection> stream_;
    SteadyTimer timer_;
    std::uint64_t wait_ = 0;  // counts waits: what a timer was for that fires too late
};

}  // namespace dotpair::net
