// SPDX-License-Identifier: MIT
#include "common/net/transfer_stream.hpp"

#include <utility>

namespace dotpair::net {

TransferStream::TransferStream(
    EventLoop& loop, Sink& sink, const ConnectionSettings& settings, dns::ConstBytes query
)
    : sink_(sink), id_(dns::header::id(query)), tracker_(query), loop_(loop), settings_(settings) {
    query_.append(query);
}

TransferStream::~TransferStream() {
    close();
}

void TransferStream::close() {
    if (stream_ && is_over_) {
        stream_->close();
    } else if (stream_) {
        stream_->abort();
    }
}

void TransferStream::connect(const Endpoint& to, Security security, bool xot_only) {
    close();
    xot_only_ = xot_only;
    FrameConnection::Handler& handler = *this;
    stream_ = std::make_shared<FrameConnection>(loop_, handler, settings_, std::move(security));
    stream_->connect(to);
}

void TransferStream::pause() {
    stream_->pause_reading();
    stream_->set_busy(true);
}

void TransferStream::resume() {
    stream_->set_busy(false);
    stream_->resume_reading();
}

void TransferStream::on_open() {
    is_unfit_ = xot_only_ && !stream_->tls_facts().is_xot();
    if (is_unfit_) {
        sink_.on_transfer_failed(*this, "not TLS 1.3 with ALPN dot, see --xot-only");
        return;
    }
    const dns::ConstBytes frame = query_.frames();
    stream_->outbox().append(frame.subspan(dns::frame_header_size));
    stream_->write_soon();
}

void TransferStream::on_message(dns::Bytes message) {
    using Progress = policy::TransferTracker::Progress;
    if (is_over_ || message.size() < dns::header_size || !dns::header::is_answer(message) ||
        dns::header::id(message) != id_) {
        return;
    }
    has_begun_ = true;
    // A stream that makes no sense is passed as far as it goes: its reader knows better what to say
    // to it.
    is_over_ = tracker_.accept(message) != Progress::more;
    sink_.on_transfer_message(*this, message, is_over_);
}

void TransferStream::on_batch_end() {
    sink_.on_transfer_batch_end(*this);
}

void TransferStream::on_end_of_stream() {
    sink_.on_transfer_failed(*this, "closed by the peer");
}

void TransferStream::on_closed(const std::string& reason) {
    sink_.on_transfer_failed(*this, reason == "idle" ? "timed out" : reason);
}

}  // namespace dotpair::net
