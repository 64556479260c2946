// SPDX-License-Identifier: MIT
#include "common/policy/starttls_client.hpp"
#include "tests/fuzz/fuzz_target.hpp"
#include "tests/fuzz/starttls_reference.hpp"

#include <chrono>

namespace dotpair::fuzz {
namespace {

using Order = policy::StarttlsOrder;
using policy::Profile;
using policy::StarttlsClient;
using test::Octets;
using State = StarttlsClient::State;

constexpr std::uint16_t id = 0x1234;
constexpr std::chrono::milliseconds timeout{2000};

/// Reads the octets of a server as a connection does, and watches what the machine makes of them.
class Client {
public:
    Client(Profile profile, dns::StarttlsVariant variant)
        : profile_(profile), variant_(variant), machine_({profile, variant, timeout}, id) {}

    void connect();
    void receive(const Octets& octets);
    void wait(std::chrono::milliseconds time);
    void handshake(bool works);
    void close();

private:
    void read_frames();
    void judge(Order order, const Octets& message);
    void obey(Order order);

    Profile profile_;
    dns::StarttlsVariant variant_;
    StarttlsClient machine_;
    policy::TimePoint now_{};
    Octets stream_;
    bool sent_ = false;
    bool in_tls_ = false;    // nothing that arrives is read in clear
    bool is_clear_ = false;  // queries may leave in clear
    bool is_closed_ = false;
};

/// What holds of every order, whatever it answers.
void Client::obey(Order order) {
    require(!is_closed_ || order == Order::close, "closed is closed");
    is_closed_ = order == Order::close;
    require(is_closed_ == (machine_.state() == State::over), "over when closed");
    require(machine_.deadline().has_value() == (machine_.state() == State::waiting), "a deadline");
    const bool is_undecided = machine_.outcome() == StarttlsClient::Outcome::undecided;
    require(!is_closed_ || !is_undecided, "an end says how it went");
    require(!is_undecided || !machine_.failure(), "a failure is an outcome");
}

void Client::connect() {
    const Order order = machine_.on_connected(now_);
    if (order == Order::send) {
        require(!sent_ && !in_tls_ && !is_closed_, "the dummy query goes out once, and first");
        const Octets query(machine_.message().begin(), machine_.message().end());
        const bool has_bit = reference_query(query) == dns::StarttlsQuery::with_bit;
        require(has_bit == (variant_ == dns::StarttlsVariant::draft), "as the variant has it");
        require((query[2] & 1) == 0, "P-145: RD=0");
        sent_ = true;
    }
    obey(order);
}

void Client::receive(const Octets& octets) {
    if (!in_tls_ && !is_closed_) {
        stream_.insert(stream_.end(), octets.begin(), octets.end());
        read_frames();
    }
}

void Client::read_frames() {
    while (!is_closed_ && !in_tls_ && stream_.size() >= 2) {
        const std::size_t length = stream_[0] * 256U + stream_[1];
        if (stream_.size() - 2 < length) {
            const Order order = machine_.on_frame_begin(length);
            const bool is_bad = !is_clear_ && (!sent_ || length > 512);
            require(order == (is_bad ? Order::close : Order::read_on), "an answer has a bound");
            obey(order);
            return;
        }
        const auto end = stream_.begin() + static_cast<std::ptrdiff_t>(2 + length);
        const Octets message(stream_.begin() + 2, end);
        stream_.erase(stream_.begin(), end);
        const Order order = machine_.on_message(message, stream_.size());
        judge(order, message);
        obey(order);
    }
}

void Client::judge(Order order, const Octets& message) {
    switch (order) {
        case Order::pass:
            require(is_clear_, "nothing is passed on before the connection is open");
            break;
        case Order::open_in_clear:
            require(profile_ == Profile::opportunistic, "P-147: strict never goes on in clear");
            require(sent_ && !is_clear_, "after the question, once");
            require(message.size() <= 512 && stream_.empty(), "the answer, alone");
            is_clear_ = true;
            break;
        case Order::handshake:
            require(sent_ && !is_clear_, "TLS follows the question");
            require(stream_.empty(), "P-157: nothing came behind the answer");
            require(may_be_acceptance(message, id, variant_), "P-156");
            in_tls_ = true;
            break;
        case Order::close:
            require(!is_clear_, "what comes in clear is the relay's to judge");
            break;
        case Order::read_on:
        case Order::send:
        case Order::send_and_handshake:
            require(false, "no order for a message to a client");
    }
}

void Client::wait(std::chrono::milliseconds time) {
    now_ += time;
    const auto deadline = machine_.deadline();
    const Order order = machine_.on_time(now_);
    const bool is_late = deadline && *deadline <= now_;
    require(is_closed_ || order == (is_late ? Order::close : Order::read_on), "P-149: in time");
    obey(order);
}

void Client::handshake(bool works) {
    const bool is_handshaking = machine_.state() == State::handshaking;
    require(!is_handshaking || in_tls_, "a handshake was ordered");
    obey(works ? machine_.on_handshake_done() : machine_.on_handshake_failed());
    require(!is_handshaking || works == (machine_.state() == State::secured), "secured by TLS");
    if (machine_.state() == State::secured) {
        require(machine_.on_message(Octets(12), 9) == Order::pass, "TLS carries messages");
    }
}

void Client::close() {
    const auto failure = machine_.failure();
    const bool served = machine_.state() == State::secured || is_clear_;
    obey(machine_.on_closed());
    require(is_closed_, "an end is an end");
    require(!served || machine_.failure() == failure, "P-10: to end after serving is no failure");
}

void run(Orders orders) {
    const unsigned settings = orders.octet();
    Client client(
        (settings & 1) == 0 ? Profile::strict : Profile::opportunistic,
        (settings & 2) == 0 ? dns::StarttlsVariant::draft : dns::StarttlsVariant::prototype
    );
    while (!orders.is_over()) {
        switch (orders.octet() % 8) {
            case 0:
                client.connect();
                break;
            case 5:
                client.wait(std::chrono::milliseconds(orders.octet() * 10));
                break;
            case 6:
                client.handshake((orders.octet() & 1) == 0);
                break;
            case 7:
                client.close();
                break;
            default:
                client.receive(orders.octets());
        }
    }
}

}  // namespace
}  // namespace dotpair::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    dotpair::fuzz::run({data, size});
    return 0;
}
