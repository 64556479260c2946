// SPDX-License-Identifier: MIT
#include "common/net/connection_race.hpp"

#include <algorithm>
#include <utility>

namespace dotpair::net {

class ConnectionRace::Contender final : public FrameConnection::Handler {
public:
    Contender(ConnectionRace& race, const Endpoint& address) : at(address), race_(race) {}

    void on_open() override { race_.won(*this); }

    void on_message(dns::Bytes /*message*/) override {}  // none comes before on_open()

    void on_end_of_stream() override {
        stream->close();
        race_.lost(*this, "closed by the peer");
    }

    void on_closed(const std::string& reason) override { race_.lost(*this, reason); }

    const Endpoint at;
    std::shared_ptr<FrameConnection> stream;

private:
    ConnectionRace& race_;
};

ConnectionRace::ConnectionRace(
    EventLoop& loop,
    Owner& owner,
    const ConnectionSettings& settings,
    std::vector<Endpoint> addresses,
    MakeSecurity make_security
)
    : loop_(loop),
      owner_(&owner),
      settings_(settings),
      addresses_(std::move(addresses)),
      make_security_(std::move(make_security)),
      timer_(loop.context()) {}

ConnectionRace::~ConnectionRace() {
    close();
}

void ConnectionRace::close() {
    owner_ = nullptr;
    timer_.cancel();
    for (const auto& contender : contenders_) {
        contender->stream->close();
    }
    contenders_.clear();
}

bool ConnectionRace::is_connecting() const {
    return std::ranges::all_of(contenders_, [](const auto& it) {
        return it->stream->is_connecting();
    });
}

void ConnectionRace::add(const std::vector<Endpoint>& addresses) {
    for (const Endpoint& address : addresses) {
        if (std::ranges::find(addresses_, address) == addresses_.end()) {
            addresses_.push_back(address);
        }
    }
    if (is_next_due_) {
        start_next();
    }
}

void ConnectionRace::start_next() {
    is_next_due_ = started_ == addresses_.size();
    if (owner_ == nullptr || is_next_due_) {
        return;
    }
    const auto contender = std::make_shared<Contender>(*this, addresses_[started_++]);
    FrameConnection::Handler& handler = *contender;
    contender->stream =
        std::make_shared<FrameConnection>(loop_, handler, settings_, make_security_());
    contenders_.push_back(contender);
    contender->stream->connect(contender->at);
    timer_.expires_at(loop_.now() + stagger);
    timer_.async_wait([weak = weak_from_this(), started = started_](const auto& error) {
        const auto self = weak.lock();
        if (!error && self && self->started_ == started) {
            self->start_next();
        }
    });
}

/// It is in the middle of a call of its own.
std::shared_ptr<ConnectionRace::Contender> ConnectionRace::take(const Contender& contender) {
    const auto found = std::ranges::find(contenders_, &contender, &std::shared_ptr<Contender>::get);
    auto taken = std::move(*found);
    contenders_.erase(found);
    loop_.destroy_later(taken);
    return taken;
}

void ConnectionRace::won(Contender& contender) {
    const auto winner = take(contender);
    Owner* const owner = owner_;
    close();
    owner->on_race_won(std::move(winner->stream), winner->at);
}

void ConnectionRace::lost(Contender& contender, const std::string& reason) {
    loss_.upgrade_failure = contender.stream->upgrade_failure();
    loss_.is_unproven = loss_.is_unproven && contender.stream->is_unproven();
    if (loss_.ending != policy::ConnectionEnd::refused) {
        loss_.ending = contender.stream->ending();
    }
    // Who came as far as a handshake says more than who could not be reached.
    if (reason_.empty() || !reason.starts_with("connect:")) {
        reason_ = reason;
    }
    take(contender);
    start_next();
    if (contenders_.empty()) {
        const auto self = shared_from_this();  // the owner may let go of it
        Owner* const owner = std::exchange(owner_, nullptr);
        timer_.cancel();
        owner->on_race_lost(reason_, loss_);
    }
}

}  // namespace dotpair::net
