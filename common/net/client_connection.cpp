// SPDX-License-Identifier: MIT
#include "common/net/client_connection.hpp"

#include <utility>

namespace dotpair::net {
namespace {
constexpr std::size_t max_short_frames_in_a_row = 16;
}  // namespace

ClientConnection::ClientConnection(
    EventLoop& loop,
    Owner& owner,
    policy::SlotId id,
    const ConnectionSettings& settings,
    std::size_t max_queries,
    Security security
)
    : owner_(owner), id_(id), max_queries_(max_queries) {
    FrameConnection::Handler& handler = *this;
    stream_ = std::make_shared<FrameConnection>(loop, handler, settings, std::move(security));
}

ClientConnection::~ClientConnection() {
    close();
}

void ClientConnection::adopt(TcpSocket socket) {
    stream_->adopt(std::move(socket));
}

void ClientConnection::close() {
    stream_->close();
}

bool ClientConnection::close_if_idle() {
    if (!stream_->is_idle()) {
        return false;
    }
    stream_->close_at_once();
    return true;
}

void ClientConnection::on_open() {
    owner_.on_opened(*this);
}

void ClientConnection::on_early_open() {
    owner_.on_early_opened(*this);
}

void ClientConnection::on_message(dns::Bytes message) {
    if (message.size() >= dns::header_size) {
        short_frames_in_a_row_ = 0;
        owner_.on_query(*this, message);
        return;
    }
    owner_.on_short_frame(*this);
    if (++short_frames_in_a_row_ == max_short_frames_in_a_row) {
        close();
        owner_.on_client_gone(*this, "only frames too short for a message");
    }
}

void ClientConnection::query_begun() {
    if (++in_flight_ == 1) {
        owner_.on_client_busy(*this);
    }
    stream_->set_busy(true);
    stream_->expect_more_after(in_flight_);
    update_reading();
}

void ClientConnection::query_ended() {
    if (--in_flight_ == 0 && !is_early()) {
        owner_.on_client_idle(*this);
    }
    stream_->set_busy(in_flight_ > 0);
    stream_->expect_more_after(in_flight_);
    update_reading();
    finish_if_done();
}

void ClientConnection::stop_reading() {
    reading_stopped_ = true;
    update_reading();
}

void ClientConnection::answers_added() {
    stream_->write_soon();
    update_reading();
}

/// A client that does not read its answers, or asks faster than they come, waits.
void ClientConnection::update_reading() {
    const bool pause = reading_stopped_ || in_flight_ >= max_queries_ || stream_->is_congested();
    if (pause == reading_paused_) {
        return;
    }
    reading_paused_ = pause;
    if (pause) {
        stream_->pause_reading();
    } else {
        stream_->resume_reading();
    }
}

void ClientConnection::on_drained() {
    update_reading();
    owner_.on_client_drained(*this);
}

void ClientConnection::on_end_of_stream() {
    ending_ = true;
    finish_if_done();
}

void ClientConnection::finish_if_done() {
    if (ending_ && in_flight_ == 0) {
        close();
        owner_.on_client_gone(*this, "closed by the client");
    }
}

void ClientConnection::on_closed(const std::string& reason) {
    owner_.on_client_gone(*this, reason);
}

}  // namespace dotpair::net
