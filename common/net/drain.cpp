// SPDX-License-Identifier: MIT
#include "common/net/drain.hpp"

#include <utility>

namespace dotpair::net {

Drain::Drain(EventLoop& loop, StreamFrontend& clients, Work work)
    : loop_(loop), clients_(clients), work_(std::move(work)), timer_(loop, [this] { on_time(); }) {}

void Drain::begin(policy::Duration patience) {
    phase_ = Phase::leaving;
    patience_ = patience;
    timer_.arm(loop_.now() + patience_);
    if (!clients_.stop_accepting([this] { hurry(); })) {
        hurry();
    }
    clients_.limit_idle_time(quiet_time);
    look();
}

/// Nobody accepts in our place: whoever comes now waits for us to end.
void Drain::hurry() {
    if (!is_in_haste_) {
        is_in_haste_ = true;
        if (phase_ == Phase::leaving) {
            timer_.arm(loop_.now() + hurry_time);
        }
    }
}

void Drain::on_time() {
    if (phase_ == Phase::leaving) {
        phase_ = Phase::ending;
        clients_.stop_taking();
        work_.stop_taking();
        // Transfers have no deadline of their own, and who reads slowly may be slow to the end.
        timer_.arm(loop_.now() + patience_);
        look();
    } else {
        clients_.stop();
        finish();
    }
}

/// The turn goes on: a datagram that it still took would be lost to whoever holds the socket too.
void Drain::finish() {
    work_.stop_taking();
    work_.on_done();
}

void Drain::look() {
    if (phase_ == Phase::none || work_.is_left()) {
        return;
    }
    if (phase_ == Phase::ending) {
        if (is_in_haste_ && work_.may_hurry()) {
            clients_.stop_in_haste();
        } else {
            clients_.stop();
        }
    }
    if (clients_.is_empty()) {
        finish();
    }
}

}  // namespace dotpair::net
